"""Counterfactually fair prediction in domains that evolve, judged by exact counterfactuals.

The effects of time and of sensitive attributes are read from source domains as paths of a state
space, rolled forward, and taken out of each row; predictors see only what is left. Nothing here
needs PyTorch.
"""

from shiftlab.generalization._classifier import CounterfactuallyFairClassifier
from shiftlab.generalization._regressor import CounterfactuallyFairRegressor

__all__ = [
    "CounterfactuallyFairClassifier",
    "CounterfactuallyFairRegressor",
]
