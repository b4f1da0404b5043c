"""Means of the features in each domain, group and class: what drift and effects are read from."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Cells", "domain_cells", "within_scale"]


@dataclass(frozen=True, eq=False)
class Cells:
    """Means and counts of (group, class) cells over domains.

    Attributes
    ----------
    times : ndarray of shape (n_domains,)
        Times of the domains, increasing.
    means : ndarray of shape (n_cells, n_domains, n_features)
        Zero where a cell is empty.
    counts : ndarray of shape (n_cells, n_domains)
        Rows of each cell.
    """

    times: np.ndarray
    means: np.ndarray
    counts: np.ndarray

    def until(self, n_domains: int) -> "Cells":
        """Keep the first domains."""
        return Cells(self.times[:n_domains], self.means[:, :n_domains], self.counts[:, :n_domains])


def domain_cells(X: np.ndarray, time: np.ndarray, cell: np.ndarray) -> Cells:
    """Average the rows of each domain and cell."""
    times, domain = np.unique(time, return_inverse=True)
    kinds, kind = np.unique(cell, return_inverse=True)
    shape = (len(kinds), len(times))
    flat = kind * len(times) + domain
    counts = np.bincount(flat, minlength=shape[0] * shape[1]).astype(float)
    sums = np.stack([np.bincount(flat, column, minlength=len(counts)) for column in X.T], axis=1)
    means = sums / np.maximum(counts, 1)[:, None]
    return Cells(times, means.reshape(*shape, X.shape[1]), counts.reshape(shape))


def within_scale(X: np.ndarray, time: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each feature within domains and cells (1 if constant)."""
    _, domain = np.unique(time, return_inverse=True)
    _, kind = np.unique(cell, return_inverse=True)
    _, flat = np.unique(kind * (domain.max() + 1) + domain, return_inverse=True)
    counts = np.bincount(flat)
    degrees = max(len(X) - len(counts), 1)
    scale = np.ones(X.shape[1])
    for j, column in enumerate(X.T):
        residual = column - (np.bincount(flat, column) / counts)[flat]
        scale[j] = np.sqrt(residual @ residual / degrees)
    spread = X.std(axis=0)
    scale = np.where(scale > 1e-8 * np.maximum(spread, 1e-300), scale, spread)
    return np.where(scale > 0, scale, 1.0)
