"""Reading samples as counts of cells: from rows, or given as counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Column
from shiftlab._core.validation import check_integer, check_option
from shiftlab.divergence._permutation import Resampling, check_sizes
from shiftlab.divergence._samples import Samples, check_rows, read_samples
from shiftlab.exceptions import DegenerateDataError, InputError

__all__ = ["CellCounts", "count_cells", "read_counts"]

#: A numeric column with more distinct values than this is not read as categories by itself.
MAX_LEVELS = 50
FORMS = ("rows", "counts")


@dataclass(frozen=True)
class CellCounts:
    """How often each sample falls into each cell that occurs."""

    x: np.ndarray
    y: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def n_x(self) -> int:
        """Number of rows of x."""
        return int(self.x.sum())

    @property
    def n_y(self) -> int:
        """Number of rows of y."""
        return int(self.y.sum())


def read_counts(x: Any, y: Any, bins: int | None, form: str, plan: Resampling) -> CellCounts:
    """Read two samples as counts of the cells that occur; see the tests for `bins` and `form`."""
    check_option(form, FORMS, "form")
    if form == "counts":
        if bins is not None:
            raise InputError("bins cuts rows into cells; it does not go with form='counts'.")
        return _given_counts(x, y, plan)
    if bins is not None:
        check_integer(bins, "bins", minimum=2)
    return count_cells(read_samples(x, y, plan), bins)


def _given_counts(x: Any, y: Any, plan: Resampling) -> CellCounts:
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        labels = list(dict.fromkeys([*x, *y]))
        x, y = ([counts.get(label, 0) for label in labels] for counts in (x, y))
    counts = [_check_counts(values, name) for values, name in ((x, "x"), (y, "y"))]
    if len(counts[0]) != len(counts[1]):
        raise InputError(
            f"x has {len(counts[0])} cells and y has {len(counts[1])}; counts must be given for "
            "the same cells in the same order, or as mappings from label to count."
        )
    check_rows(int(counts[0].sum()), int(counts[1].sum()))
    check_sizes(int(counts[0].sum()), int(counts[1].sum()), plan)
    used = (counts[0] + counts[1]) > 0
    if used.sum() < 2:
        raise DegenerateDataError("All rows are in one cell; there is nothing to compare.")
    return CellCounts(counts[0][used], counts[1][used])


def _check_counts(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    is_number = array.ndim == 1 and array.dtype.kind in "iuf"
    if not is_number or not np.isfinite(array).all() or (array < 0).any() or (array % 1).any():
        raise InputError(
            f"{name} must be a one-dimensional array of whole numbers >= 0 with form='counts', or "
            "a mapping from label to count (for both x and y)."
        )
    return array.astype(np.int64)


def count_cells(samples: Samples, bins: int | None) -> CellCounts:
    """Count the joint cells of all columns; only cells that occur are kept."""
    cell = np.zeros(samples.n_x + samples.n_y, dtype=np.int64)
    notes: list[str] = []
    for column in samples.columns:
        codes = _codes(column, samples, bins, notes)
        # Renumbered after each column, so that the product of the levels cannot overflow.
        cell = np.unique(cell * (int(codes.max()) + 1) + codes, return_inverse=True)[1]
    n_cells = int(cell.max()) + 1
    if n_cells < 2:
        raise DegenerateDataError(
            "All rows fall into one cell; there is nothing to compare. Raise bins."
        )
    return CellCounts(
        np.bincount(cell[: samples.n_x], minlength=n_cells),
        np.bincount(cell[samples.n_x :], minlength=n_cells),
        tuple(notes),
    )


def _codes(column: Column, samples: Samples, bins: int | None, notes: list[str]) -> np.ndarray:
    if not column.is_number:
        return column.values
    levels, codes = np.unique(column.values, return_inverse=True)
    if bins is None and len(levels) > MAX_LEVELS:
        raise InputError(
            f"Column {column.name!r} has {len(levels)} distinct numbers, too many to be "
            "categories. Choose bins (for instance bins=10), or a test for numbers (ks, "
            "wasserstein, energy, mmd)."
        )
    if bins is None or len(levels) <= bins:
        return codes
    cuts = np.quantile(column.values[samples.pool], np.arange(1, bins) / bins)
    notes.append(f"{column.name!r} cut into {bins} intervals of about equal frequency")
    return np.searchsorted(np.unique(cuts), column.values, side="right")
