"""What LIME knows of the training data: centres, scales, frequencies of categories, quartiles."""

from dataclasses import dataclass, field

import numpy as np

__all__ = ["Quartiles", "Reference", "learn_quartiles", "learn_reference"]

#: Spread that keeps a bin of equal values from dividing by zero, as in the lime package.
TINY = 1e-11


@dataclass(frozen=True)
class Reference:
    """Statistics of the training data.

    Attributes
    ----------
    mean, scale : ndarray of shape (d,)
        Of the columns of numbers; 0 and 1 for categories, scale 1 for constant columns.
    levels, frequencies : dict of int to ndarray
        Values of each categorical column and how often they occur.
    constant : ndarray of bool, shape (d,)
        Columns of a single value.
    quartiles : dict of int to Quartiles
        Bins of columns of numbers, where they are needed.
    """

    mean: np.ndarray
    scale: np.ndarray
    levels: dict[int, np.ndarray] = field(default_factory=dict)
    frequencies: dict[int, np.ndarray] = field(default_factory=dict)
    constant: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=bool))
    quartiles: "dict[int, Quartiles]" = field(default_factory=dict)


def learn_reference(
    matrix: np.ndarray, categorical: list[int], like: Reference | None = None
) -> Reference:
    """Measure the columns of a matrix; categories have the levels of `like`, if it is given."""
    mean, scale = matrix.mean(axis=0), matrix.std(axis=0)
    constant = matrix.min(axis=0) == matrix.max(axis=0)
    scale[constant] = 1.0
    levels, frequencies = {}, {}
    for j in categorical:
        levels[j], counts = np.unique(matrix[:, j], return_counts=True)
        if like is not None:
            found, levels[j] = levels[j], like.levels[j]
            every = np.zeros(len(levels[j]), dtype=counts.dtype)
            every[np.searchsorted(levels[j], found)] = counts
            counts = every
        frequencies[j] = counts / len(matrix)
    mean[categorical], scale[categorical] = 0.0, 1.0
    return Reference(mean, scale, levels, frequencies, constant)


@dataclass(frozen=True)
class Quartiles:
    """One column cut at its quartiles: a truncated normal distribution in each bin.

    Attributes
    ----------
    edges : ndarray
        Inner edges, at most three; a value on an edge belongs to the bin below.
    frequencies : ndarray
        Share of the training rows in each bin.
    mean, spread, low, high : ndarray
        Of each bin, in the units of the column.
    """

    edges: np.ndarray
    frequencies: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def bins(self, values: np.ndarray) -> np.ndarray:
        """Return the bin of each value."""
        return np.searchsorted(self.edges, values)

    def at(self, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return bins by frequency and values of the truncated normal of each bin.

        Both come from one uniform number: where it falls among the bins, and where inside its bin.
        """
        from scipy.special import ndtr, ndtri

        above = np.cumsum(self.frequencies)
        bins = np.searchsorted(above[:-1], uniform, side="right")
        start = np.concatenate([[0.0], above[:-1]])
        a, b = (self.low - self.mean) / self.spread, (self.high - self.mean) / self.spread
        first, last = ndtr(a), ndtr(b)
        # Inside a bin the normal distribution function is linear in the uniform number.
        slope = (last - first) / np.where(self.frequencies > 0, self.frequencies, 1.0)
        inside = ndtri((first - slope * start)[bins] + slope[bins] * uniform)
        values = self.mean[bins] + self.spread[bins] * inside
        return bins, np.clip(values, self.low[bins], self.high[bins])


def learn_quartiles(values: np.ndarray) -> Quartiles:
    """Cut a column at its quartiles, as the lime package does by default."""
    edges = np.unique(np.percentile(values, [25, 50, 75]))
    bins = np.searchsorted(edges, values)
    n_bins = len(edges) + 1
    counts = np.bincount(bins, minlength=n_bins)
    safe = np.maximum(counts, 1)
    mean = np.bincount(bins, values, n_bins) / safe
    variance = np.bincount(bins, (values - mean[bins]) ** 2, n_bins) / safe
    low = np.concatenate([[values.min()], edges])
    high = np.concatenate([edges, [values.max()]])
    return Quartiles(edges, counts / len(values), mean, np.sqrt(variance) + TINY, low, high)
