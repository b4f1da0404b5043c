"""Conformal intervals when environments, not rows, are exchangeable."""

from dataclasses import dataclass

import numpy as np

from shiftlab._core.checks import check_fraction
from shiftlab._core.validation import Labels
from shiftlab.exceptions import InputError

__all__ = ["EnvironmentQuantiles", "collect"]

#: Errors of an environment are kept as at most this many quantiles.
MOST_KEPT = 200


@dataclass(frozen=True)
class EnvironmentQuantiles:
    """Absolute errors in left-out environments, each environment with the same weight.

    Attributes
    ----------
    errors : ndarray
        Sorted.
    weights : ndarray
        Of the errors; they sum to E / (E + 1), the rest is an error without bound.
    n_environments : int
        E.
    """

    errors: np.ndarray
    weights: np.ndarray
    n_environments: int

    def half_width(self, coverage: float) -> float:
        """Smallest error that has at least `coverage` at or below it."""
        level = check_fraction(coverage, "coverage")
        reached = np.cumsum(self.weights)
        if level > reached[-1] + 1e-12:
            needed = int(np.ceil(level / (1 - level) - 1e-9))
            raise InputError(
                f"coverage={level:g} needs at least {needed} environments, there are "
                f"{self.n_environments}. Ask for at most "
                f"{self.n_environments / (self.n_environments + 1):.3f}."
            )
        return float(self.errors[np.searchsorted(reached, level - 1e-12)])


def collect(errors: np.ndarray, labels: Labels, known: np.ndarray) -> EnvironmentQuantiles:
    """Keep quantiles of the errors of each known environment."""
    values, weights = [], []
    n = int(known.sum())
    for code in np.flatnonzero(known):
        own = np.sort(errors[labels.rows(int(code))])
        if len(own) > MOST_KEPT:  # upper ends of equal parts: never too narrow
            own = own[np.ceil(np.arange(1, MOST_KEPT + 1) * len(own) / MOST_KEPT).astype(int) - 1]
        values.append(own)
        weights.append(np.full(len(own), 1 / ((n + 1) * len(own))))
    flat = np.concatenate(values)
    order = np.argsort(flat, kind="stable")
    return EnvironmentQuantiles(flat[order], np.concatenate(weights)[order], n)
