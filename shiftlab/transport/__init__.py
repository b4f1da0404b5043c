"""Optimal transport between samples: on the line, along random directions, and exactly.

Distances are on the scale of the data: every function returns the p-th root of the transport cost.
"""

from shiftlab.transport._exact import TransportResult, wasserstein
from shiftlab.transport._one_dimensional import wasserstein_1d
from shiftlab.transport._sliced import random_directions, sliced_wasserstein

__all__ = [
    "TransportResult",
    "random_directions",
    "sliced_wasserstein",
    "wasserstein",
    "wasserstein_1d",
]
