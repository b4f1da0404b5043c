"""Splitting and scoring by environment: what a model is worth where it has never been.

Splitters keep every environment whole, so that a score is of environments and not of rows that
a model has seen neighbours of; `EnvironmentScorer` weighs environments equally or takes the worst.
"""

from shiftlab.model_selection._scorer import EnvironmentScorer
from shiftlab.model_selection._scores import (
    EnvironmentScores,
    environment_scores,
    worst_environment_score,
)
from shiftlab.model_selection._split import (
    BlockedEnvironmentSplit,
    EnvironmentKFold,
    LeaveOneEnvironmentOut,
)

__all__ = [
    "BlockedEnvironmentSplit",
    "EnvironmentKFold",
    "EnvironmentScorer",
    "EnvironmentScores",
    "LeaveOneEnvironmentOut",
    "environment_scores",
    "worst_environment_score",
]
