"""Encoded rows of a reference, and the means and covariances that omnibus tests need."""

from functools import cached_property

import numpy as np

from shiftlab._core.frames import Table
from shiftlab._core.random import as_generator
from shiftlab.auditing._row_features import FourierFeatures, RowEncoder

__all__ = ["KeptRows", "Sums", "row_sums"]

_BLOCK = 8192


class Sums:
    """Number, sum and sum of products of vectors.

    Parameters
    ----------
    size : int
        Length of the vectors.
    """

    def __init__(self, size: int) -> None:
        self.n = 0
        self.total = np.zeros(size)
        self.products = np.zeros((size, size))

    def add(self, vectors: np.ndarray) -> None:
        """Add vectors, shape (n, size); products are taken in the precision of the vectors."""
        self.n += len(vectors)
        self.total += vectors.sum(axis=0, dtype=np.float64)
        self.products += vectors.T @ vectors

    def joined(self, other: "Sums") -> "Sums":
        """Return the sums over both."""
        both = Sums(len(self.total))
        both.n = self.n + other.n
        both.total = self.total + other.total
        both.products = self.products + other.products
        return both

    @property
    def mean(self) -> np.ndarray:
        """Mean vector."""
        return np.asarray(self.total / self.n)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance with divisor n - 1."""
        centred = self.products - self.n * np.outer(self.mean, self.mean)
        return np.asarray(centred / max(self.n - 1, 1))


def row_sums(rows: np.ndarray, fourier: FourierFeatures) -> list[Sums]:
    """Sum over encoded rows, then over their features at each bandwidth."""
    size = 2 * fourier.frequencies.shape[1] // len(fourier.bandwidths)
    sums = [Sums(rows.shape[1]), *(Sums(size) for _ in fourier.bandwidths)]
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        vectors = [block.astype(np.float64), *fourier.features(block)]
        for total, part in zip(sums, vectors, strict=True):
            total.add(part)
    return sums


class KeptRows:
    """A simple random sample of the rows read, all of them if they are few.

    Parameters
    ----------
    first : Table
        The first part of the reference, which fixes the encoding.
    n_frequencies : int
        Random frequencies per bandwidth.
    max_rows : int
        Rows to keep.
    seeds : sequence of two SeedSequence
        Seeds of the frequencies and of the choice.
    """

    def __init__(
        self,
        first: Table,
        n_frequencies: int,
        max_rows: int,
        seeds: list[np.random.SeedSequence],
    ) -> None:
        self.encoder = RowEncoder.fit(first)
        self.max_rows, self._n_frequencies, self._seed = max_rows, n_frequencies, seeds[0]
        self._generator = as_generator(seeds[1])
        self._rows: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []

    def add(self, table: Table) -> None:
        """Offer the rows of a table; those with the smallest random keys stay."""
        self._rows.append(self.encoder.encode(table))
        self._keys.append(self._generator.random(table.n_rows))
        if sum(map(len, self._rows)) > 2 * self.max_rows:
            self._shrink()
        self.__dict__.pop("sums", None)

    def _shrink(self) -> None:
        rows, keys = np.concatenate(self._rows), np.concatenate(self._keys)
        if len(rows) > self.max_rows:
            chosen = np.sort(np.argpartition(keys, self.max_rows)[: self.max_rows])
            rows, keys = rows[chosen], keys[chosen]
        self._rows, self._keys = [rows], [keys]

    @property
    def rows(self) -> np.ndarray:
        """Encoded rows, float32."""
        if len(self._rows) > 1 or len(self._rows[0]) > self.max_rows:
            self._shrink()
        return self._rows[0]

    @cached_property
    def fourier(self) -> FourierFeatures:
        """Features, with bandwidths from the rows of the first use."""
        return FourierFeatures.fit(self.rows, self._n_frequencies, self._seed)

    @cached_property
    def sums(self) -> list[Sums]:
        """Sums of the rows and of their features."""
        return row_sums(self.rows, self.fourier)
