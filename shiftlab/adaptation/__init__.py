"""Environment-adaptive prediction: covariates and coefficients that suit a new environment.

A new environment comes as a batch of covariates without labels. `EnvironmentAdaptiveRegressor`
learns from labelled environments what such a batch tells about the mechanism that shifted.
"""

from shiftlab.adaptation._causes import observed_causes
from shiftlab.adaptation._classifier import EnvironmentAdaptiveClassifier
from shiftlab.adaptation._designs import SimulatedEnvironments, simulate_environments
from shiftlab.adaptation._enumerate import SubsetRisks, enumerate_subset_risks
from shiftlab.adaptation._gram import EnvironmentGrams
from shiftlab.adaptation._peers import BaselineRegressor
from shiftlab.adaptation._regressor import EnvironmentAdaptiveRegressor
from shiftlab.adaptation._results import (
    EnvironmentSummary,
    Identifiability,
    Selection,
    ShiftExplanation,
)
from shiftlab.adaptation._summarizer import EnvironmentSummarizer

__all__ = [
    "BaselineRegressor",
    "EnvironmentAdaptiveClassifier",
    "EnvironmentAdaptiveRegressor",
    "EnvironmentGrams",
    "EnvironmentSummarizer",
    "EnvironmentSummary",
    "Identifiability",
    "Selection",
    "ShiftExplanation",
    "SimulatedEnvironments",
    "SubsetRisks",
    "enumerate_subset_risks",
    "observed_causes",
    "simulate_environments",
]
