"""Rows as vectors: scaled numbers, indicators of categories, and random Fourier features of them.

The encoder is fixed by the first part of the reference, so that a table larger than memory can be
read in parts; what matters for the tests is only that sample and reference are encoded alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, Table
from shiftlab._core.random import as_generator
from shiftlab.kernels import median_bandwidth

__all__ = ["FourierFeatures", "RowEncoder"]

#: Categories with an indicator of their own; rarer ones share the zero vector.
_MOST_CATEGORIES = 30


@dataclass(frozen=True, eq=False)
class RowEncoder:
    """How columns become coordinates.

    Attributes
    ----------
    plans : tuple of tuple
        For each column: name, and either (mean, scale, whether cells were missing) or the labels
        that have an indicator.
    """

    plans: tuple[tuple[str, Any], ...]

    @classmethod
    def fit(cls, table: Table) -> "RowEncoder":
        """Look at a table."""
        return cls(tuple((column.name, _plan(column)) for column in table))

    def encode(self, table: Table) -> np.ndarray:
        """Encode a table with the same columns, shape (n_rows, n_coordinates), float32."""
        parts = [_coordinates(table[name], plan) for name, plan in self.plans]
        return np.ascontiguousarray(np.column_stack(parts).astype(np.float32))


def _plan(column: Column) -> Any:
    if not column.is_number:
        counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
        order = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
        return tuple(str(column.categories[i]) for i in order if counts[i] > 0)
    present = column.values[~column.missing]
    if len(present) == 0:
        return (0.0, 1.0, False)
    scale = float(present.std())
    return (float(present.mean()), scale if scale > 0 else 1.0, len(present) < len(column.values))


def _coordinates(column: Column, plan: Any) -> np.ndarray:
    if not plan or isinstance(plan[0], str):
        coded = column.as_categorical()
        position = {label: i for i, label in enumerate(plan)}
        rank = np.array([position.get(str(c), -1) for c in coded.categories] + [-1], dtype=int)
        return np.asarray(rank[coded.values][:, None] == np.arange(len(plan)))
    mean, scale, indicate = plan
    values = column.values if column.is_number else np.full(len(column.values), np.nan)
    missing = np.isnan(values)
    scaled = np.where(missing, 0.0, (values - mean) / scale)
    return np.column_stack([scaled, missing]) if indicate else scaled[:, None]


@dataclass(frozen=True, eq=False)
class FourierFeatures:
    """Random Fourier features of Gaussian kernels at several bandwidths.

    Attributes
    ----------
    bandwidths : tuple of float
        The median distance between rows, and a small one that sees duplicates and local changes.
    frequencies : ndarray of shape (n_coordinates, n_bandwidths * n_frequencies)
        Side by side.
    """

    bandwidths: tuple[float, ...]
    frequencies: np.ndarray

    #: The small bandwidth is the median divided by this.
    SHRINK = 8.0

    @classmethod
    def fit(cls, rows: np.ndarray, n_frequencies: int, seed: np.random.SeedSequence) -> Any:
        """Choose the bandwidths and draw the frequencies."""
        generator = as_generator(seed)
        chosen = rows[generator.permutation(len(rows))[:1000]].astype(float)
        median = median_bandwidth(chosen) if len(chosen) > 1 else 1.0
        bandwidths = (median, median / cls.SHRINK)
        normal = generator.standard_normal((rows.shape[1], n_frequencies * len(bandwidths)))
        scale = np.repeat(bandwidths, n_frequencies)
        return cls(bandwidths, (normal / scale).astype(np.float32))

    def features(self, rows: np.ndarray) -> list[np.ndarray]:
        """Cosines and sines for each bandwidth, scaled so that their products sum to the kernel."""
        angles = rows @ self.frequencies
        parts = np.split(angles, len(self.bandwidths), axis=1)
        scale = np.float32(1 / np.sqrt(parts[0].shape[1]))
        return [np.concatenate([np.cos(p), np.sin(p)], axis=1) * scale for p in parts]
