"""Pairs of rows that stand for all pairs in the variance of the statistic under independence."""

from typing import NamedTuple

import numpy as np

from shiftlab.backends import Array, to_numpy
from shiftlab.independence._regressions import Given
from shiftlab.independence._variables import spread_rows

__all__ = ["SCALES", "SampledPairs", "SampledSquares", "Scale"]

#: All pairs of so many rows are looked at; with no more rows the variance is exact.
SAMPLED_ROWS = 320
#: All pairs of so many rows are looked at where moments do instead of matrices.
MANY_ROWS = 4096


class Scale(NamedTuple):
    """One choice of kernels; T is taken for each and the p-values are combined.

    Attributes
    ----------
    decay : float
        Factor on the eigenvalues for each degree, relative to the kernel of the features.
    along : float
        Weight of the linear part of k_z.
    inside : float
        Weight of the delta part of k_z: dependence within each category by itself.
    """

    decay: float
    along: float
    inside: float


SCALES = (Scale(1.0, 0.4, 0.3), Scale(1.7, 0.4, 1.0))


class SampledPairs:
    """Rows spread evenly over an order, and the kernels between them.

    Parameters
    ----------
    place : ndarray of shape (n,)
        The order.

    Attributes
    ----------
    rows, many : ndarray of int
        Few rows, for matrices, and many, for moments.
    is_sample : bool
        Whether `rows` are not all.
    """

    def __init__(self, place: np.ndarray) -> None:
        self.n = len(place)
        order = np.argsort(place, kind="stable")
        self.rows, self.many = (spread_rows(order, most) for most in (SAMPLED_ROWS, MANY_ROWS))
        m = len(self.rows)
        self.is_sample = m < self.n
        self._upper = np.flatnonzero(np.triu(np.ones((m, m), dtype=bool), 1).ravel())

    def squares(self, values: Array, degrees: np.ndarray) -> list[np.ndarray]:
        """Return, for each scale, the squared kernels of residuals between different rows."""
        # Single precision is plenty for a variance.
        chosen = to_numpy(values[self.rows, :]).astype(np.float32)
        return [self._packed(_gram(chosen, scale.decay**degrees)) for scale in SCALES]

    def given_squares(self, given: Given) -> list[np.ndarray] | None:
        """Return the same of k_z; None if it is constant."""
        if given.scores.shape[1] == 0 and given.codes is None:
            return None
        return [self._packed(self._given_kernel(given, scale)) for scale in SCALES]

    def eigenvalues(
        self,
        x: Array,
        y: Array,
        weights: tuple[np.ndarray, np.ndarray],
        scale: Scale,
        given: Given,
    ) -> np.ndarray:
        """Return decreasing eigenvalues of k_x k_y k_z, scaled to all rows."""
        chosen = [to_numpy(a[self.rows, :]).astype(np.float32) for a in (x, y)]
        matrix = _gram(chosen[0], weights[0]) * _gram(chosen[1], weights[1])
        if given.scores.shape[1] or given.codes is not None:
            matrix *= self._given_kernel(given, scale)
        return np.asarray(np.linalg.eigvalsh(matrix)[::-1] * self.n / len(self.rows))

    def _given_kernel(self, given: Given, scale: Scale) -> np.ndarray:
        z = to_numpy(given.scores[self.rows, :]).astype(np.float32)
        kernel: np.ndarray = 1.0 + scale.along**2 * (z @ z.T)
        if given.codes is not None:
            codes = given.codes[self.rows]
            kernel += scale.inside * (codes[:, None] == codes)
        return kernel

    def _packed(self, kernel: np.ndarray) -> np.ndarray:
        return kernel.ravel()[self._upper] ** 2


class SampledSquares(NamedTuple):
    """Squared kernels of x, y and z (None: constant) over the sampled pairs, for each scale."""

    pairs: SampledPairs
    x: list[np.ndarray]
    y: list[np.ndarray]
    z: list[np.ndarray] | None

    def total(self, scale: int) -> float:
        """Sum of the squares of k_x k_y k_z over all ordered pairs of different rows."""
        x = self.x[scale] if self.z is None else self.x[scale] * self.z[scale]
        found = float(np.dot(x, self.y[scale]))
        return found * self.pairs.n * (self.pairs.n - 1) / len(x)

    def ratio(self, scale: int) -> float:
        """How much k_z multiplies the sum of the squares of k_x k_y."""
        if self.z is None:
            return 1.0
        product = self.x[scale] * self.y[scale]
        return float(np.dot(product, self.z[scale])) / max(float(product.sum()), 1e-300)


def _gram(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray((features * weights.astype(np.float32)) @ features.T)
