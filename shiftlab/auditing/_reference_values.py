"""Distinct values of a column with their counts: the sorted column, as short as it can be."""

from typing import Any

import numpy as np

from shiftlab._core.frames import Column
from shiftlab.auditing._row_hashes import label_number, single_precision

__all__ = ["ValueCounts"]


class ValueCounts:
    """Numbers in sorted order and labels, each with its count; missing cells are a label.

    Numbers that are not whole are rounded to single precision. A column may be read as numbers in
    one file and as labels in another (0/1 and False/True): a label that is a number counts as that
    number.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self.labels: dict[Any, int] = {}

    def add(self, column: Column) -> None:
        """Add the cells of a column."""
        n_missing = int(column.missing.sum())
        if n_missing:
            self.labels[None] = self.labels.get(None, 0) + n_missing
        if column.is_number:
            values = column.values[~column.missing] if n_missing else column.values
            if len(values):
                self._parts.append(_distinct(values))
            return
        counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
        numbers = np.array([label_number(label) for label in column.categories])
        is_number = (counts > 0) & ~np.isnan(numbers)
        if is_number.any():
            numbers = single_precision(numbers)
            self._parts.append(_collapse(numbers[is_number], counts[is_number]))
        for label, number, count in zip(column.categories, numbers, counts, strict=True):
            if count and number != number:
                self.labels[str(label)] = self.labels.get(str(label), 0) + int(count)

    @property
    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct numbers, sorted, and how often each occurs."""
        if not self._parts:
            return np.empty(0), np.empty(0, dtype=np.int64)
        if len(self._parts) > 1:
            values, counts = (np.concatenate(part) for part in zip(*self._parts, strict=True))
            self._parts = [_collapse(values, counts)]
        return self._parts[0]


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort and count, in single precision where nothing is lost by it: that sorts faster."""
    rounded = single_precision(values)
    single = rounded.astype(np.float32)
    found, counts = np.unique(
        single if np.array_equal(single, rounded) else rounded, return_counts=True
    )
    return found.astype(np.float64), counts.astype(np.int64)


def _collapse(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found, where = np.unique(values, return_inverse=True)
    total = np.zeros(len(found), dtype=np.int64)
    np.add.at(total, where, counts)
    return found, total
