"""Comparisons of samples: tests, distances, and where a model's loss changes and why."""

from shiftlab.divergence._decomposition import shift_decomposition
from shiftlab.divergence._decomposition_result import EnvironmentLoss, ShiftDecomposition
from shiftlab.divergence._shared_space import Estimate

__all__ = [
    "EnvironmentLoss",
    "Estimate",
    "ShiftDecomposition",
    "shift_decomposition",
]
