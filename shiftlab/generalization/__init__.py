"""Counterfactually fair prediction in domains that evolve, judged by exact counterfactuals.

The effects of time and of sensitive attributes are read from source domains as paths of a state
space, rolled forward, and taken out of each row; predictors see only what is left. Nothing here
imports PyTorch unless a neural estimator is fitted.
"""

from shiftlab.generalization._baselines import BaselineClassifier
from shiftlab.generalization._bounds import CounterfactualBounds, counterfactual_bounds
from shiftlab.generalization._cdsae import CDSAEClassifier
from shiftlab.generalization._classifier import CounterfactuallyFairClassifier
from shiftlab.generalization._effects import CounterfactualEffects, counterfactual_effects
from shiftlab.generalization._evaluation import GeneralizationEvaluation, evaluate_generalization
from shiftlab.generalization._forecast import DomainForecast
from shiftlab.generalization._regressor import CounterfactuallyFairRegressor
from shiftlab.generalization._trajectories import LatentTrajectories

__all__ = [
    "BaselineClassifier",
    "CDSAEClassifier",
    "CounterfactualBounds",
    "CounterfactualEffects",
    "CounterfactuallyFairClassifier",
    "CounterfactuallyFairRegressor",
    "DomainForecast",
    "GeneralizationEvaluation",
    "LatentTrajectories",
    "counterfactual_bounds",
    "counterfactual_effects",
    "evaluate_generalization",
]
