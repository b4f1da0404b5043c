"""Low-rank factors: maps from rows to features whose inner products are (nearly) the kernel.

Every factor is a frozen object with `transform`, also for rows it has not seen, and with
`trace_error`, which says what is lost. With n rows and r features a statistic costs O(n r^2)
instead of O(n^2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from shiftlab.backends import (
    Array,
    array_namespace,
    check_matrix,
    check_same_columns,
    map_row_blocks,
)
from shiftlab.kernels._functions import Kernel

__all__ = ["Factor", "FourierFactor", "LandmarkFactor", "ProductFactor"]


@runtime_checkable
class Factor(Protocol):
    """What users of a low-rank factor rely on."""

    @property
    def kernel(self) -> Kernel:
        """The kernel that is approximated."""

    @property
    def rank(self) -> int:
        """Number of features."""

    def transform(self, x: Array) -> Array:
        """Return features of shape (n_rows, rank)."""

    def trace_error(self, x: Array, features: Array | None = None) -> float:
        """Return a bound on the error over these rows, or NaN if the factor has none."""


class _DominatedFactor:
    """A factor whose Gram matrix lies below the kernel's: what is left is semidefinite."""

    kernel: Kernel

    def transform(self, x: Array) -> Array:
        """Return features of shape (n_rows, rank)."""
        raise NotImplementedError

    def trace_error(self, x: Array, features: Array | None = None) -> float:
        """Trace of the kernel that the features miss over these rows.

        ``K - F @ F.T`` is positive semidefinite (for the rows the factor was fitted to and for any
        others), so its trace bounds its largest eigenvalue, its Frobenius norm and every entry.

        Parameters
        ----------
        x : array of shape (n, d)
            Rows.
        features : array of shape (n, rank), optional
            ``transform(x)`` if it is at hand.

        Returns
        -------
        float
            Not negative; 0 for an exact factor, up to rounding.
        """
        features = self.transform(x) if features is None else features
        xp = array_namespace(features)
        missed = self.kernel.diagonal(x) - xp.sum(features * features, axis=1)
        return max(0.0, float(xp.sum(missed)))


@dataclass(frozen=True, eq=False)
class LandmarkFactor(_DominatedFactor):
    """Features ``k(x, landmarks) @ projection``.

    Made by `nystrom_factor`, `cholesky_factor` and `category_factor`.

    Attributes
    ----------
    kernel : Kernel
        The kernel that is approximated.
    landmarks : array of shape (m, d)
        Rows the kernel is compared with.
    projection : array of shape (m, r) or None
        ``projection @ projection.T`` is the (pseudo-)inverse of the landmarks' Gram matrix; None
        is the identity.
    """

    kernel: Kernel
    landmarks: Array
    projection: Array | None = None

    @property
    def rank(self) -> int:
        """Number of features."""
        if self.projection is None:
            return int(self.landmarks.shape[0])
        return int(self.projection.shape[1])

    def transform(self, x: Array) -> Array:
        """Return features of shape (n_rows, rank).

        Raises
        ------
        InputError
            If values are missing or the columns are not those of the landmarks.
        """
        x = check_matrix(x)
        check_same_columns(x, self.landmarks, ("x", "the fitted rows"))
        bytes_per_row = 8 * (3 * self.landmarks.shape[0] + self.rank)
        return map_row_blocks(self._features, x, bytes_per_row=bytes_per_row)

    def _features(self, rows: Array) -> Array:
        similarity = self.kernel(rows, self.landmarks)
        return similarity if self.projection is None else similarity @ self.projection


@dataclass(frozen=True, eq=False)
class FourierFactor:
    """Random Fourier features: cosines and sines of random projections.

    Made by `fourier_factor`. Unbiased for a kernel of differences; the error of an entry falls
    like one over the square root of the rank.

    Attributes
    ----------
    kernel : Kernel
        The kernel that is approximated.
    frequencies : ndarray of shape (d, rank / 2)
        Draws from the spectral distribution of the kernel.
    """

    kernel: Kernel
    frequencies: np.ndarray

    @property
    def rank(self) -> int:
        """Number of features."""
        return 2 * int(self.frequencies.shape[1])

    def transform(self, x: Array) -> Array:
        """Return features of shape (n_rows, rank); each row has length 1.

        Raises
        ------
        InputError
            If values are missing or the number of columns is another one.
        """
        x = check_matrix(x)
        xp, device = array_namespace(x), x.device
        frequencies = xp.asarray(self.frequencies, dtype=x.dtype, device=device)
        check_same_columns(x, xp.matrix_transpose(frequencies), ("x", "the fitted rows"))

        def features(rows: Array) -> Array:
            angles = rows @ frequencies
            waves = xp.concat([xp.cos(angles), xp.sin(angles)], axis=1)
            return waves / self.frequencies.shape[1] ** 0.5

        return map_row_blocks(features, x, bytes_per_row=24 * self.rank)

    def trace_error(self, x: Array, features: Array | None = None) -> float:
        """Return NaN: random features are right on average, but bound nothing."""
        return float("nan")


@dataclass(frozen=True, eq=False)
class ProductFactor(_DominatedFactor):
    """All products of one feature per part: the factor of a product of kernels.

    Made by `product_factor`.

    Attributes
    ----------
    kernel : Kernel
        The product kernel.
    parts : sequence of (factor, columns)
        A factor per part and the columns it reads.
    projection : array of shape (product of ranks, rank) or None
        Orthonormal columns that keep the largest directions; None keeps all.
    """

    kernel: Kernel
    parts: Sequence[tuple[Factor, Sequence[int]]]
    projection: Array | None = None

    @property
    def rank(self) -> int:
        """Number of features."""
        return self._full_rank() if self.projection is None else int(self.projection.shape[1])

    def transform(self, x: Array) -> Array:
        """Return features of shape (n_rows, rank).

        Raises
        ------
        InputError
            If values are missing or columns are lacking.
        """
        x = check_matrix(x)
        return map_row_blocks(self._features, x, bytes_per_row=16 * (self._full_rank() + self.rank))

    def _full_rank(self) -> int:
        ranks: list[int] = [factor.rank for factor, _ in self.parts]
        return int(np.prod(ranks))

    def _features(self, rows: Array) -> Array:
        xp = array_namespace(rows)
        result: Any = None
        for factor, columns in self.parts:
            own = factor.transform(xp.stack([rows[:, c] for c in columns], axis=1))
            result = own if result is None else row_products(result, own)
        return result if self.projection is None else result @ self.projection


def row_products(left: Array, right: Array) -> Array:
    """Multiply every feature of `left` by every feature of `right`, row by row (Khatri-Rao)."""
    xp = array_namespace(left, right)
    n_rows = left.shape[0]
    return xp.reshape(left[:, :, None] * right[:, None, :], (n_rows, -1))
