"""Features of one variable: eigenfunctions of its numbers, indicators of its categories."""

from dataclasses import dataclass

import numpy as np

from shiftlab.independence._expansion import (
    degrees_up_to,
    eigenvalue_ratio,
    hermite_features,
    normal_scores,
)
from shiftlab.independence._variables import Variable

__all__ = ["KernelFeatures", "column_scores", "kernel_features", "product_features"]

#: Eigenfunctions of one number, and products of eigenfunctions of several.
RANK, PRODUCT_RANK = 12, 40
#: Indicators of at most so many categories; the rarest share the last one.
MOST_CATEGORIES = 512
#: Products of numbers and categories take the smoothest functions of the numbers only.
PER_CATEGORY = 6


@dataclass(frozen=True, eq=False)
class KernelFeatures:
    """Centred features and their degrees (0 for categories).

    Attributes
    ----------
    values : ndarray of shape (n, r)
        Scaled by the root of the kernel's eigenvalue.
    degrees : ndarray of shape (r,)
    notes : tuple of str
    """

    values: np.ndarray
    degrees: np.ndarray
    notes: tuple[str, ...] = ()


def column_scores(variable: Variable) -> np.ndarray:
    """Return normal scores of the numeric columns that vary, shape (n, k)."""
    numbers = variable.numbers
    varying = [x for x in numbers.T if x.min() < x.max()]
    if not varying:
        return np.empty((len(numbers), 0))
    return np.column_stack([normal_scores(x) for x in varying])


def kernel_features(variable: Variable, scores: np.ndarray, width: float = 1.0) -> KernelFeatures:
    """Return features of a Gaussian kernel of the normal scores times a delta kernel."""
    n = variable.n_rows
    values, degrees = np.empty((n, 0)), np.empty(0, dtype=int)
    notes: tuple[str, ...] = ()
    if scores.shape[1]:
        rank = RANK if scores.shape[1] == 1 else PRODUCT_RANK
        table, degrees = degrees_up_to(scores.shape[1], rank)
        values = product_features(scores, table, width)
        values = values * eigenvalue_ratio(width) ** (degrees / 2)
    if variable.codes is not None and variable.codes.max() > 0:
        indicators, notes = _indicators(variable.codes)
        crossed = values[:, :PER_CATEGORY, None] * indicators[:, None, :]
        crossed_degrees = np.repeat(degrees[:PER_CATEGORY], indicators.shape[1])
        plain = np.zeros(indicators.shape[1], dtype=int)
        values = np.hstack([values, indicators, crossed.reshape(n, -1)])
        degrees = np.concatenate([degrees, plain, crossed_degrees])
    return KernelFeatures(values - values.mean(axis=0), degrees, notes)


def product_features(scores: np.ndarray, degrees: np.ndarray, width: float = 1.0) -> np.ndarray:
    """Return products of eigenfunctions, one column for each row of `degrees`."""
    n, d = scores.shape
    if d == 0:
        return np.empty((n, 0))
    rank = int(degrees.max()) + 1
    tables = [hermite_features(scores[:, k], rank, width=width).T for k in range(d)]
    # One product at a time: its factors stay in the processor's cache.
    result = np.empty((len(degrees), n))
    for row, chosen in zip(result, degrees.tolist(), strict=True):
        row[:] = tables[0][chosen[0]]
        for table, degree in zip(tables[1:], chosen[1:], strict=True):
            np.multiply(row, table[degree], out=row)
    return result.T


def _indicators(codes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    counts = np.bincount(codes)
    if len(counts) <= MOST_CATEGORIES:
        return np.eye(len(counts))[codes], ()
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(counts), dtype=int)
    place[order] = np.minimum(np.arange(len(counts)), MOST_CATEGORIES - 1)
    note = f"{len(counts)} categories; the rarest share one indicator"
    return np.eye(MOST_CATEGORIES)[place[codes]], (note,)
