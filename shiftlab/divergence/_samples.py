"""Reading two samples: the same columns, no missing cells, categories coded alike."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, Table, as_table, encode_labels
from shiftlab._core.names import join_names
from shiftlab._core.validation import check_option
from shiftlab.divergence._permutation import Resampling, check_sizes
from shiftlab.exceptions import DegenerateDataError, DegenerateDataWarning, InputError

__all__ = ["Samples", "check_rows", "read_samples"]

#: Most labels of a column that are coded as indicator columns.
MAX_LABELS = 1000
SCALES = ("standard", "none")


@dataclass(frozen=True)
class Samples:
    """Two samples stacked: the rows of x, then the rows of y.

    Attributes
    ----------
    columns : tuple of Column
        Columns of the stacked table that vary; categories are coded alike in both parts.
    n_x, n_y : int
        Number of rows.
    from_reference : bool
        Whether y is the complete table from which x claims to be drawn.
    """

    columns: tuple[Column, ...]
    n_x: int
    n_y: int
    from_reference: bool

    @property
    def pool(self) -> slice:
        """Rows from which resamples are drawn; scales and bandwidths come from them alone."""
        return slice(self.n_x if self.from_reference else 0, None)

    @property
    def n_pool(self) -> int:
        """Number of rows from which resamples are drawn."""
        return self.n_y if self.from_reference else self.n_x + self.n_y

    def single_number(self, test: str) -> np.ndarray:
        """Return the values of the only column, which must be a number.

        Raises
        ------
        InputError
            If there are several columns, or categories.
        """
        if len(self.columns) != 1 or not self.columns[0].is_number:
            found = ", ".join(f"{c.name!r} ({c.kind})" for c in self.columns[:6])
            raise InputError(
                f"{test} compares one column of numbers, found {found}. Select one column, or use "
                "a test for several columns (mmd, energy, sliced_wasserstein) or for categories "
                "(chi_square, total_variation)."
            )
        return self.columns[0].values

    def matrix(self, scale: str = "standard") -> np.ndarray:
        """Return the stacked rows as numbers, shape (n_x + n_y, n_features).

        Numbers are divided by their standard deviation in the pool ("standard") or kept. A
        category becomes indicator columns of size 1 / sqrt(2), so that two different labels are
        at distance 1.
        """
        check_option(scale, SCALES, "scale")
        return np.hstack([self._features(column, scale) for column in self.columns])

    def _features(self, column: Column, scale: str) -> np.ndarray:
        if not column.is_number:
            if len(column.categories) > MAX_LABELS:
                raise InputError(
                    f"Column {column.name!r} has {len(column.categories)} different labels, more "
                    f"than the {MAX_LABELS} that are coded as indicators. Group rare labels, or "
                    "leave the column out if it is an identifier."
                )
            return np.eye(len(column.categories))[column.values] / np.sqrt(2)
        values = column.values[:, None]
        if scale == "none":
            return values
        values = values - values[self.pool].mean()
        spread = values[self.pool].std()
        return values / spread if spread > 0 else values


def read_samples(x: Any, y: Any, plan: Resampling) -> Samples:
    """Read and align two samples.

    Columns that are constant over both samples carry no information and are set aside with a
    warning.

    Raises
    ------
    InputError
        If the columns differ in number, name or kind, or a cell is missing.
    DegenerateDataError
        If a sample has fewer than two rows or no column varies.
    """
    table_x, table_y = as_table(x, name="x"), as_table(y, name="y")
    _check_columns(table_x, table_y)
    check_rows(table_x.n_rows, table_y.n_rows)
    check_sizes(table_x.n_rows, table_y.n_rows, plan)
    stacked = [_stack(column, table_y[column.name]) for column in table_x]
    varying = [column for column in stacked if (column.values != column.values[0]).any()]
    if not varying:
        raise DegenerateDataError(
            "x and y hold one and the same constant in every column; there is nothing to compare."
        )
    if len(varying) < len(stacked):
        constant = [c.name for c in stacked if c.name not in {v.name for v in varying}]
        warnings.warn(
            f"Set aside, the same constant in x and y: {join_names(constant)}.",
            DegenerateDataWarning,
            stacklevel=3,
        )
    return Samples(tuple(varying), table_x.n_rows, table_y.n_rows, plan.from_reference)


def check_rows(n_x: int, n_y: int) -> None:
    """Refuse samples of fewer than two rows."""
    for name, n_rows in (("x", n_x), ("y", n_y)):
        if n_rows < 2:
            raise DegenerateDataError(
                f"{name} has {n_rows} row(s); a two-sample comparison needs at least 2."
            )


def _check_columns(table_x: Table, table_y: Table) -> None:
    only_x = [name for name in table_x.names if name not in table_y]
    only_y = [name for name in table_y.names if name not in table_x]
    if only_x or only_y:
        parts = [f"only in x: {join_names(only_x)}"] if only_x else []
        parts += [f"only in y: {join_names(only_y)}"] if only_y else []
        raise InputError(f"x and y must have the same columns; {'; '.join(parts)}.")
    for name, table in (("x", table_x), ("y", table_y)):
        for column in table:
            n_missing = int(column.missing.sum())
            if n_missing:
                raise InputError(
                    f"{name}: column {column.name!r} has {n_missing} missing cell(s). Fill them, "
                    "give them a label of their own, or remove these rows first."
                )


def _stack(first: Column, second: Column) -> Column:
    if first.is_number != second.is_number:
        raise InputError(
            f"Column {first.name!r} is {first.kind} in x and {second.kind} in y; convert one of "
            "them so that both hold numbers or both hold labels."
        )
    if first.is_number:
        return Column(first.name, first.kind, np.concatenate([first.values, second.values]))
    categories = _union(first.categories, second.categories, first.name)
    position = {label: i for i, label in enumerate(categories)}
    parts = [
        np.array([position[label] for label in column.categories], dtype=np.int32)[column.values]
        for column in (first, second)
    ]
    return Column(first.name, "categorical", np.concatenate(parts), categories)


def _union(first: Sequence[Any], second: Sequence[Any], name: str) -> tuple[Any, ...]:
    if tuple(first) == tuple(second):
        return tuple(first)
    labels = list(dict.fromkeys([*first, *second]))
    objects = np.empty(len(labels), dtype=object)
    objects[:] = labels
    return encode_labels(objects, name)[1]
