"""The one door to data frames: any table becomes a `Table` of typed NumPy columns.

pandas, polars and pyarrow tables are read through narwhals, so no other module knows which library
the caller uses. A `Table` keeps numbers as float64 (NaN marks a missing cell) and everything else
as integer codes into a tuple of categories (-1 marks a missing cell).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from shiftlab._core.names import join_names, missing_column_message
from shiftlab.exceptions import ColumnNotFoundError, InputError

__all__ = ["Column", "ColumnKind", "Table", "as_table", "encode_labels"]

ColumnKind: TypeAlias = Literal["numeric", "datetime", "categorical", "boolean"]
NUMBER_KINDS = ("numeric", "datetime")


@dataclass(frozen=True)
class Column:
    """One column: its name, kind and values.

    Attributes
    ----------
    name : str
        Name in the table.
    kind : {"numeric", "datetime", "categorical", "boolean"}
        Numbers and dates hold float64 values (dates: days since 1970-01-01), the other two hold
        codes.
    values : ndarray of shape (n_rows,)
        float64 with NaN for missing cells, or int32 codes with -1 for missing cells.
    categories : tuple
        The label of each code, sorted; empty for numbers and dates.
    integral : bool
        True if a numeric column was stored as integers.
    note : str
        What a reader of the table should know about how the column was understood; may be empty.
    """

    name: str
    kind: ColumnKind
    values: np.ndarray
    categories: tuple[Any, ...] = ()
    integral: bool = False
    note: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the values are on a scale (numeric or datetime)."""
        return self.kind in NUMBER_KINDS

    @property
    def missing(self) -> np.ndarray:
        """Boolean mask of the missing cells."""
        return np.isnan(self.values) if self.is_number else self.values < 0

    def take(self, rows: np.ndarray) -> "Column":
        """Return the column restricted to rows (indices or a mask)."""
        return replace(self, values=self.values[rows])

    def as_categorical(self) -> "Column":
        """Read a number as a category: each distinct value becomes a label."""
        if not self.is_number:
            return self
        observed, codes = np.unique(self.values, return_inverse=True)
        labels = observed[~np.isnan(observed)]
        codes = np.where(np.isnan(self.values), -1, codes).astype(np.int32)
        names = tuple(int(v) if float(v).is_integer() else float(v) for v in labels)
        return replace(self, kind="categorical", values=codes, categories=names)

    def labels(self) -> np.ndarray:
        """Return an object array of labels (categories) or the numbers themselves."""
        if self.is_number:
            return self.values
        lookup = np.empty(len(self.categories) + 1, dtype=object)
        lookup[:-1] = self.categories
        lookup[-1] = None
        return lookup[self.values]


@dataclass(frozen=True)
class Table:
    """A table as typed columns; iterate it to get the columns.

    Attributes
    ----------
    columns : tuple of Column
        In the order of the input.
    n_rows : int
        Number of rows.
    """

    columns: tuple[Column, ...]
    n_rows: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return self.n_rows

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise ColumnNotFoundError(missing_column_message(name, self.names))

    def select(self, names: Sequence[str]) -> "Table":
        """Keep the named columns, in the given order."""
        return replace(self, columns=tuple(self[name] for name in names))

    def drop(self, names: Sequence[str]) -> "Table":
        """Leave out the named columns; each must exist."""
        unwanted = {self[name].name for name in names}
        return replace(self, columns=tuple(c for c in self.columns if c.name not in unwanted))

    def take(self, rows: np.ndarray) -> "Table":
        """Keep rows, given as indices or as a boolean mask."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Table(tuple(column.take(rows) for column in self.columns), len(rows))

    def with_kinds(self, kinds: Mapping[str, ColumnKind]) -> "Table":
        """Override kinds: numbers can be read as categories, numeric categories as numbers."""
        for name in kinds:
            self[name]
        return replace(self, columns=tuple(_with_kind(c, kinds.get(c.name)) for c in self.columns))

    def numbers(self) -> np.ndarray:
        """Return the numeric and datetime columns as a float64 matrix (n_rows, n_numbers)."""
        chosen = [c.values for c in self.columns if c.is_number]
        return np.column_stack(chosen) if chosen else np.empty((self.n_rows, 0))


def as_table(data: Any, *, name: str = "X", columns: Sequence[str] | None = None) -> Table:
    """Read any table.

    Parameters
    ----------
    data : Table, array of shape (n_rows, n_columns), mapping of columns, or data frame
        pandas, polars, pyarrow and whatever else narwhals reads. One-dimensional arrays become one
        column.
    name : str, default "X"
        What the argument is called in error messages.
    columns : sequence of str, optional
        Names for the columns of an array; ``x0, x1, ...`` by default.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If the input is no table, has no rows or columns, repeats a column name, or a column holds
        values that cannot be labels.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, Mapping):
        named = {str(key): np.asarray(value) for key, value in data.items()}
        _check_lengths(named, name)
    elif _is_frame(data):
        return _read_frame(data, name)
    else:
        named = _name_array(data, name, columns)
    table_columns = tuple(_read_array(key, values, name) for key, values in named.items())
    return _finish(table_columns, len(next(iter(named.values()))) if named else 0, name)


def encode_labels(values: np.ndarray, name: str) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Code arbitrary labels as integers; None and NaN become -1.

    Labels of one type are sorted by value, labels of mixed types as text, so the coding does not
    depend on the order of the rows.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Labels of any hashable type.
    name : str
        What the labels are called in error messages.

    Returns
    -------
    codes : ndarray of int32, shape (n,)
    categories : tuple
        The label of each code.

    Raises
    ------
    InputError
        If a label is not hashable.
    """
    import pandas as pd

    try:
        codes, uniques = pd.factorize(np.asarray(values), use_na_sentinel=True)
    except TypeError as error:
        raise InputError(
            f"{name} holds values that cannot be labels (lists or dictionaries, for instance); "
            "use strings, numbers or booleans."
        ) from error
    labels = [value.item() if isinstance(value, np.generic) else value for value in uniques]
    try:
        order = sorted(range(len(labels)), key=labels.__getitem__)
    except TypeError:
        order = sorted(range(len(labels)), key=lambda i: (str(labels[i]), str(type(labels[i]))))
    rank = np.empty(len(labels) + 1, dtype=np.int32)
    rank[order] = np.arange(len(labels), dtype=np.int32)
    rank[-1] = -1
    return rank[codes], tuple(labels[i] for i in order)


def _is_frame(data: Any) -> bool:
    import narwhals.stable.v2 as nw

    return bool(
        isinstance(data, (nw.DataFrame, nw.LazyFrame))
        or nw.dependencies.is_into_dataframe(data)
        or hasattr(data, "__arrow_c_stream__")
    )


def _read_frame(data: Any, name: str) -> Table:
    import narwhals.stable.v2 as nw

    repeated = _repeated(getattr(data, "columns", ()))
    if repeated:
        raise InputError(f"{name} has repeated column names: {join_names(repeated)}. Rename them.")
    frame = nw.from_native(data, eager_only=True) if not isinstance(data, nw.DataFrame) else data
    columns = tuple(_read_series(str(key), frame[key], name) for key in frame.columns)
    return _finish(columns, len(frame), name)


def _read_series(key: str, series: Any, name: str) -> Column:
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    if dtype == nw.Boolean:
        codes = series.cast(nw.Int8).fill_null(-1).to_numpy().astype(np.int32)
        return Column(key, "boolean", codes, (False, True))
    if dtype.is_numeric():
        values = _as_float(series.cast(nw.Float64), key, name)
        return Column(key, "numeric", values, integral=bool(dtype.is_integer()))
    if dtype.is_temporal() and dtype not in (nw.Duration, nw.Time):
        days = series.cast(nw.Datetime("us")).dt.timestamp("us").cast(nw.Float64)
        return Column(key, "datetime", _as_float(days, key, name) / 86_400e6)
    return _read_array(key, series.to_numpy(), name)


def _as_float(series: Any, key: str, name: str) -> np.ndarray:
    values = np.array(series.fill_null(np.nan).to_numpy(), dtype=np.float64)
    _refuse_infinite(values, key, name)
    return values


def _refuse_infinite(values: np.ndarray, key: str, name: str) -> None:
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise InputError(
            f"Column {key!r} of {name} has {infinite} infinite value(s). "
            "Replace them by a finite bound or by a missing cell."
        )


def _read_array(key: str, values: np.ndarray, name: str) -> Column:
    if values.dtype.kind == "b":
        return Column(key, "boolean", values.astype(np.int32), (False, True))
    if values.dtype.kind in "iuf":
        numbers = values.astype(np.float64)
        _refuse_infinite(numbers, key, name)
        return Column(key, "numeric", numbers, integral=values.dtype.kind in "iu")
    if values.dtype.kind == "M":
        stamps = values.astype("datetime64[us]")
        days = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 86_400e6)
        return Column(key, "datetime", days)
    if values.dtype.kind == "c":
        raise InputError(f"Column {key!r} of {name} is complex; use real and imaginary parts.")
    return _read_objects(key, values, name)


def _read_objects(key: str, values: np.ndarray, name: str) -> Column:
    codes, categories = encode_labels(values, f"Column {key!r} of {name}")
    types = {type(label) for label in categories}
    if types and types <= {bool}:
        full = np.where(codes < 0, -1, np.array(categories, dtype=np.int32)[codes])
        return Column(key, "boolean", full.astype(np.int32), (False, True))
    if types and types <= {int, float, bool}:
        numbers = np.array([*map(float, categories), np.nan])[codes]
        _refuse_infinite(numbers, key, name)
        return Column(key, "numeric", numbers, integral=types <= {int, bool})
    if types and all(hasattr(label, "toordinal") for label in categories):
        stamps = np.array([*categories, None], dtype="datetime64[us]")[codes]
        return _read_array(key, stamps, name)
    note = ""
    if len(types) > 1:
        codes, categories = encode_labels(
            np.array([None if c < 0 else str(categories[c]) for c in codes], dtype=object), key
        )
        note = "mixed types, read as text"
    return Column(key, "categorical", codes, categories, note=note)


def _name_array(data: Any, name: str, columns: Sequence[str] | None) -> dict[str, np.ndarray]:
    array = np.asarray(data)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise InputError(
            f"{name} must be a table (rows by columns), found an array with shape {array.shape}."
        )
    names = [f"x{i}" for i in range(array.shape[1])] if columns is None else list(map(str, columns))
    if len(names) != array.shape[1]:
        raise InputError(f"{name} has {array.shape[1]} columns, but {len(names)} names were given.")
    repeated = _repeated(names)
    if repeated:
        raise InputError(f"{name} has repeated column names: {join_names(repeated)}. Rename them.")
    return {key: array[:, i] for i, key in enumerate(names)}


def _check_lengths(named: Mapping[str, np.ndarray], name: str) -> None:
    lengths = {len(values) for values in named.values()}
    if len(lengths) > 1:
        raise InputError(f"The columns of {name} differ in length: {sorted(lengths)}.")


def _repeated(names: Any) -> list[str]:
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for label in names:
        key = str(label)
        if key in seen:
            repeated[key] = None
        seen.add(key)
    return list(repeated)


def _finish(columns: tuple[Column, ...], n_rows: int, name: str) -> Table:
    if not columns:
        raise InputError(f"{name} has no columns.")
    if n_rows == 0:
        raise InputError(f"{name} has no rows.")
    return Table(columns, n_rows)


def _with_kind(column: Column, kind: ColumnKind | None) -> Column:
    if kind is None or kind == column.kind:
        return column
    if kind == "categorical":
        return column.as_categorical()
    if kind == "numeric" and all(isinstance(c, (int, float)) for c in column.categories):
        lookup = np.array([*map(float, column.categories), np.nan])
        values = column.values if column.is_number else lookup[column.values]
        return replace(column, kind="numeric", values=values, categories=())
    raise InputError(
        f"Column {column.name!r} is {column.kind} and cannot be read as {kind}: "
        "its labels are not numbers."
    )
