"""Rows sorted by category: sums, means, and matrices of centred columns without centring them."""

import array_api_compat
import numpy as np

from shiftlab.backends import Array, array_namespace

__all__ = ["Categories"]


class Categories:
    """The categories of n rows, which stand side by side; without codes all rows are one.

    Parameters
    ----------
    codes : ndarray of shape (n,) or None
        Category of each row, 0..k-1, in the order of the table.
    n : int
        Rows.

    Attributes
    ----------
    order : ndarray of shape (n,) or None
        Rows of the table in sorted order; None leaves them as they are.
    slices : list of slice
        Rows of each category in sorted order.
    counts : ndarray of shape (k,)
    codes : ndarray of shape (n,)
        Category of each row in sorted order.
    """

    def __init__(self, codes: np.ndarray | None, n: int) -> None:
        self.counts = np.array([n]) if codes is None else np.bincount(codes)
        self.order = None if codes is None else np.argsort(codes, kind="stable")
        self._starts = np.cumsum(self.counts) - self.counts
        stops = self._starts + self.counts
        self.slices = [slice(a, b) for a, b in zip(self._starts, stops, strict=True)]
        self.codes = np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def n_categories(self) -> int:
        """Number of categories."""
        return len(self.counts)

    def sorted(self, values: Array) -> Array:
        """Bring rows of the table into sorted order."""
        return values if self.order is None else values[self.order, ...]

    def restored(self, values: Array) -> Array:
        """Bring sorted rows back into the order of the table."""
        if self.order is None:
            return values
        result = array_namespace(values).empty_like(values)
        result[self.order, :] = values
        return result

    def means(self, values: Array) -> Array:
        """Return the mean of each column in each category, shape (k, m)."""
        xp = array_namespace(values)
        if array_api_compat.is_numpy_namespace(xp):
            # Along contiguous memory, whichever way the matrix lies.
            if values.flags.f_contiguous:
                sums = np.add.reduceat(values.T, self._starts, axis=1).T
            else:
                sums = np.add.reduceat(values, self._starts, axis=0)
            return sums / self.counts[:, None]
        return xp.stack([xp.mean(values[s, :], axis=0) for s in self.slices])

    def centred(self, values: Array) -> Array:
        """Take out the means."""
        means = self.means(values)
        return values - (means if len(means) == 1 else means[self.codes, :])

    def centred_moments(self, left: Array, right: Array) -> Array:
        """Return the mean products of centred columns, shape (m, q), from columns as they are."""
        xp = array_namespace(left)
        first = self.means(left)
        second = first if left is right else self.means(right)
        weights = xp.asarray(self.counts, dtype=left.dtype, device=left.device)[:, None]
        products = xp.matrix_transpose(left) @ right
        return (products - xp.matrix_transpose(first) @ (weights * second)) / left.shape[0]
