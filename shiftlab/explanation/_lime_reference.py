"""What LIME knows of the training data: centres, scales, frequencies of categories, quartiles."""

from dataclasses import dataclass, field, replace

import numpy as np

__all__ = ["Quartiles", "Reference", "learn_joint", "learn_quartiles", "learn_reference"]

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
    mixing : ndarray of shape (k, k), or None
        Turns k independent standard normal numbers into ones correlated like the k free columns of
        numbers, where that is needed.
    together : ndarray of shape (n, c), or None
        Categories of the training rows, where they are drawn together.
    """

    mean: np.ndarray
    scale: np.ndarray
    levels: dict[int, np.ndarray] = field(default_factory=dict)
    frequencies: dict[int, np.ndarray] = field(default_factory=dict)
    constant: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=bool))
    quartiles: "dict[int, Quartiles]" = field(default_factory=dict)
    mixing: np.ndarray | None = None
    together: np.ndarray | None = None


def learn_reference(
    matrix: np.ndarray, categorical: list[int], like: Reference | None = None
) -> Reference:
    """Measure the columns of a matrix; categories have the levels of `like`, if it is given."""
    present = ~np.isnan(matrix)
    filled, n = np.where(present, matrix, 0.0), np.maximum(present.sum(axis=0), 1)
    mean = filled.sum(axis=0) / n
    scale = np.sqrt((np.where(present, matrix - mean, 0.0) ** 2).sum(axis=0) / n)
    low = np.where(present, matrix, np.inf).min(axis=0)
    constant = low >= np.where(present, matrix, -np.inf).max(axis=0)
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


def learn_joint(
    reference: Reference, matrix: np.ndarray, numbers: list[int], categories: list[int]
) -> Reference:
    """Add how the columns of the training data go together.

    A missing number counts as the mean of its column.
    """
    centred = (matrix[:, numbers] - reference.mean[numbers]) / reference.scale[numbers]
    centred = np.where(np.isnan(centred), 0.0, centred)
    correlation = centred.T @ centred / len(matrix)
    # Columns that are functions of others leave no variance: eigenvectors take that, Cholesky not.
    values, vectors = np.linalg.eigh(correlation)
    mixing = vectors * np.sqrt(np.maximum(values, 0.0))
    return replace(reference, mixing=mixing, together=matrix[:, categories])


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
    missing : float
        Share of the training rows in which the number is missing: a bin behind the others.
    """

    edges: np.ndarray
    frequencies: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: float = 0.0

    def bins(self, values: np.ndarray) -> np.ndarray:
        """Return the bin of each value; a missing one has a bin of its own."""
        found = np.searchsorted(self.edges, values)
        return np.where(np.isnan(values), len(self.frequencies), found)

    def at(self, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return bins by frequency and values of the truncated normal of each bin.

        Both come from one uniform number: where it falls among the bins, and where inside its bin.
        """
        from scipy.special import ndtr, ndtri

        is_missing = uniform >= 1 - self.missing
        if self.missing > 0:
            uniform = np.where(is_missing, 0.0, uniform / (1 - self.missing))
        above = np.cumsum(self.frequencies)
        bins = np.searchsorted(above[:-1], uniform, side="right")
        start = np.concatenate([[0.0], above[:-1]])
        a, b = (self.low - self.mean) / self.spread, (self.high - self.mean) / self.spread
        first, last = ndtr(a), ndtr(b)
        # Inside a bin the normal distribution function is linear in the uniform number.
        slope = (last - first) / np.where(self.frequencies > 0, self.frequencies, 1.0)
        inside = ndtri((first - slope * start)[bins] + slope[bins] * uniform)
        values = self.mean[bins] + self.spread[bins] * inside
        values = np.clip(values, self.low[bins], self.high[bins])
        if self.missing > 0:
            values[is_missing], bins[is_missing] = np.nan, len(self.frequencies)
        return bins, values


def learn_quartiles(values: np.ndarray) -> Quartiles:
    """Cut a column at its quartiles, as the lime package does by default."""
    missing = float(np.isnan(values).mean())
    values = values[~np.isnan(values)] if missing < 1 else np.zeros(1)
    edges = np.unique(np.percentile(values, [25, 50, 75]))
    bins = np.searchsorted(edges, values)
    n_bins = len(edges) + 1
    counts = np.bincount(bins, minlength=n_bins)
    safe = np.maximum(counts, 1)
    mean = np.bincount(bins, values, n_bins) / safe
    variance = np.bincount(bins, (values - mean[bins]) ** 2, n_bins) / safe
    low = np.concatenate([[values.min()], edges])
    high = np.concatenate([edges, [values.max()]])
    return Quartiles(
        edges, counts / len(values), mean, np.sqrt(variance) + TINY, low, high, missing
    )
