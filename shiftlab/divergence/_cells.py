"""Cells: a column cut once into few ordered or named cells, so that rows become counts.

Numbers are cut at pooled quantiles (or at their distinct values when these are few); categories are
their own cells. Everything that compares environments column by column works on the counts.
"""

from dataclasses import dataclass

import numpy as np

from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.validation import Labels, check_environment
from shiftlab.exceptions import InputError

__all__ = [
    "Cells",
    "cell_of_sorted",
    "count_cells",
    "covariates_and_labels",
    "cut_column",
    "lonely_notes",
    "robust_spread",
]

#: sd of a normal distribution in units of its interquartile range.
IQR_OF_UNIT_NORMAL = 1.3489795003921634


@dataclass(frozen=True)
class Cells:
    """A column as cell codes.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Cell of each row, -1 where the value is missing.
    n_cells : int
        Number of cells.
    values : ndarray of shape (n_cells,)
        Numbers: mean of the rows in the cell. Categories: 0, 1, ...
    upper : ndarray of shape (n_cells,)
        Numbers: largest value in the cell. Categories: 0, 1, ...
    """

    codes: np.ndarray
    n_cells: int
    values: np.ndarray
    upper: np.ndarray


def covariates_and_labels(table: object, environment: object) -> tuple[Table, Labels]:
    """Read a table and its environments; columns used as environment are left out.

    Raises
    ------
    InputError
        If nothing is left to compare, or the environment cannot be read.
    """
    data = as_table(table, name="table")
    labels, used = check_environment(environment, data)
    if isinstance(environment, Labels) and labels.name in data:
        used = [labels.name]
    if len(used) == len(data.columns):
        raise InputError(
            "table has no column besides the environment; there is nothing to compare."
        )
    return data.drop(used) if used else data, labels


def lonely_notes(labels: Labels) -> tuple[str, ...]:
    """Name the environments with a single row, if there are any."""
    lonely = [str(c) for c, n in zip(labels.categories, labels.counts, strict=True) if n < 2]
    if not lonely:
        return ()
    return (f"Environments with a single row are not tested: {', '.join(lonely[:20])}.",)


def cut_column(column: Column, max_cells: int) -> Cells:
    """Cut a column into at most `max_cells` cells if it is a number, else one per category."""
    if not column.is_number:
        index = np.arange(len(column.categories), dtype=float)
        return Cells(column.values, len(column.categories), index, index)
    observed = np.flatnonzero(~np.isnan(column.values))
    order = observed[np.argsort(column.values[observed], kind="stable")]
    ordered = column.values[order]
    inner = cell_of_sorted(ordered, max_cells)
    codes = np.full(len(column.values), -1, dtype=np.int32)
    codes[order] = inner
    n_cells = int(inner[-1]) + 1 if len(inner) else 0
    sizes = np.bincount(inner, minlength=n_cells)
    means = np.bincount(inner, weights=ordered, minlength=n_cells) / np.maximum(sizes, 1)
    return Cells(codes, n_cells, means, ordered[np.cumsum(sizes) - 1])


def cell_of_sorted(ordered: np.ndarray, max_cells: int) -> np.ndarray:
    """Cell of each value of a sorted array: ties stay together, cells are about equally full."""
    n = len(ordered)
    if n == 0:
        return np.empty(0, dtype=np.int32)
    starts = np.empty(n, dtype=bool)
    starts[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    if starts.sum() > max_cells:
        # A cell starts at the first distinct value after each pooled quantile.
        wanted = np.linspace(0, n, max_cells + 1)[:-1].round().astype(np.intp)
        first = np.flatnonzero(starts)
        kept = first[np.searchsorted(first, wanted, side="right") - 1]
        starts[:] = False
        starts[kept] = True
    return (np.cumsum(starts) - 1).astype(np.int32)


def count_cells(cells: Cells, labels: Labels) -> np.ndarray:
    """Count rows by environment and cell; missing cells are not counted.

    Returns
    -------
    ndarray of int64, shape (n_environments, n_cells)
    """
    k, j = len(labels), cells.n_cells
    shifted = cells.codes.astype(np.int64) + 1
    flat = labels.codes.astype(np.int64) * (j + 1) + shifted
    return np.bincount(flat, minlength=k * (j + 1)).reshape(k, j + 1)[:, 1:]


def robust_spread(values: np.ndarray) -> float:
    """Interquartile range in units of a normal sd; the sd itself where the former is 0.

    Parameters
    ----------
    values : ndarray
        Observed values, none missing.

    Returns
    -------
    float
        0.0 for a constant or empty column.
    """
    if len(values) == 0 or values.min() == values.max():
        return 0.0
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / IQR_OF_UNIT_NORMAL) or float(values.std())
