"""Whether an environment lies outside the training range: a conformal p-value by neighbours."""

from dataclasses import dataclass

import numpy as np

__all__ = ["RangeTest", "fit_range"]

N_NEIGHBOURS = 5


@dataclass(frozen=True)
class RangeTest:
    """Mean distance to the nearest training summaries, set against leave-one-out distances.

    Attributes
    ----------
    points : ndarray of shape (E, d)
        Standardised summaries of training environments.
    scores : ndarray of shape (E,)
        Mean distance of each to its nearest others, sorted.
    """

    points: np.ndarray
    scores: np.ndarray

    def pvalues(self, z: np.ndarray) -> np.ndarray:
        """(1 + training environments at least as far out) / (E + 1), one per row of z."""
        found = np.array([self._score(row) for row in z])
        above = len(self.scores) - np.searchsorted(self.scores, found - 1e-12, side="left")
        return np.asarray((1 + above) / (len(self.scores) + 1))

    def _score(self, row: np.ndarray) -> float:
        distances = np.sqrt(((self.points - row) ** 2).sum(axis=1))
        k = min(N_NEIGHBOURS, len(distances))
        return float(np.partition(distances, k - 1)[:k].mean())


def fit_range(points: np.ndarray) -> RangeTest:
    """Learn the distances between training environments."""
    scores = np.empty(len(points))
    for i in range(len(points)):
        others = np.delete(points, i, axis=0)
        scores[i] = RangeTest(others, scores[:0])._score(points[i])
    return RangeTest(points, np.sort(scores))
