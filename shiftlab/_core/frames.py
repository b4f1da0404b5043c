"""The one door to data frames: any table becomes a `Table` of typed NumPy columns.

pandas, polars and pyarrow tables are read through narwhals, so no other module knows which library
the caller uses. A `Table` keeps numbers as float64 (NaN marks a missing cell) and everything else
as integer codes into a tuple of categories (-1 marks a missing cell).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab._core.columns import (
    Column,
    ColumnKind,
    as_float,
    beyond_exact,
    check_range,
    encode_labels,
    plain_name,
    read_array,
    read_whole_labels,
)
from shiftlab._core.names import join_names, missing_column_message
from shiftlab.exceptions import ColumnNotFoundError, InputError

__all__ = ["Column", "ColumnKind", "Table", "as_table", "check_frame", "encode_labels"]


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
        named = {plain_name(key): _cells(value) for key, value in data.items()}
        _check_columns(named, name)
    elif _is_series(data):
        return _read_frame(_series_frame(data, columns), name)
    elif _is_frame(data):
        return _read_frame(data, name)
    else:
        _refuse_recipes(data, name)
        named = _name_array(data, name, columns)
    table_columns = tuple(read_array(key, values, name) for key, values in named.items())
    return _finish(table_columns, len(next(iter(named.values()))) if named else 0, name)


def check_frame(data: Any, name: str = "X") -> None:
    """Refuse a table that no library behind an estimator could read, before it is asked to.

    Parameters
    ----------
    data : object
        What was given as a table.
    name : str, default "X"
        What the argument is called in error messages.

    Raises
    ------
    InputError
        If it is a lazy frame, a path, or a frame that repeats a column name.
    """
    _refuse_recipes(data, name)
    repeated = _repeated(getattr(data, "columns", ()))
    if repeated:
        raise InputError(f"{name} has repeated column names: {join_names(repeated)}. Rename them.")


def _refuse_recipes(data: Any, name: str) -> None:
    """Refuse what only says where a table could be had from."""
    if isinstance(data, (str, bytes, os.PathLike)):
        raise InputError(
            f"{name} must be a table, found a text or a path. Read the file first, for instance "
            "with pandas.read_csv."
        )
    if hasattr(data, "collect"):
        raise InputError(f"{name} is a lazy frame; call its collect() first.")


def _is_series(data: Any) -> bool:
    import narwhals.stable.v2 as nw

    return isinstance(data, nw.Series) or bool(nw.dependencies.is_into_series(data))


def _series_frame(data: Any, columns: Sequence[str] | None) -> Any:
    import narwhals.stable.v2 as nw

    series = nw.from_native(data, series_only=True)
    return series.alias(str(columns[0]) if columns else str(series.name or "x0")).to_frame()


def _is_frame(data: Any) -> bool:
    import narwhals.stable.v2 as nw

    return bool(
        isinstance(data, (nw.DataFrame, nw.LazyFrame))
        or nw.dependencies.is_into_dataframe(data)
        or hasattr(data, "__arrow_c_stream__")
    )


def _read_frame(data: Any, name: str) -> Table:
    import narwhals.stable.v2 as nw

    check_frame(data, name)
    frame = data if isinstance(data, nw.DataFrame) else nw.from_native(data, eager_only=True)
    # By position: a column of pandas may be called 0 or None, which looks nothing up.
    columns = tuple(
        _read_series(plain_name(key), series, name)
        for key, series in zip(frame.columns, frame.iter_columns(), strict=True)
    )
    return _finish(columns, len(frame), name)


def _read_series(key: str, series: Any, name: str) -> Column:
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    if dtype == nw.Boolean:
        codes = series.cast(nw.Int8).fill_null(-1).to_numpy().astype(np.int32)
        return Column(key, "boolean", codes, (False, True))
    if dtype.is_numeric():
        return _read_numeric(key, series, name)
    if dtype.is_temporal() and dtype not in (nw.Duration, nw.Time):
        return _read_dates(key, series)
    if dtype in (nw.Categorical, nw.Enum):
        return _read_categories(key, series, name)
    return read_array(key, _cells(series.to_numpy()), name)


def _read_numeric(key: str, series: Any, name: str) -> Column:
    import narwhals.stable.v2 as nw

    integral = bool(series.dtype.is_integer())
    values = _as_floats(series.cast(nw.Float64))
    if integral and beyond_exact(values):
        return read_whole_labels(key, _objects(series.to_list()), name)
    check_range(values, key, name)
    return Column(key, "numeric", values, integral=integral)


def _read_dates(key: str, series: Any) -> Column:
    import narwhals.stable.v2 as nw

    zone = getattr(series.dtype, "time_zone", None)
    if zone:  # what the clock showed: midnight stays midnight
        series = series.dt.replace_time_zone(None)
    days = series.cast(nw.Datetime("us")).dt.timestamp("us").cast(nw.Float64)
    note = f"local time of {zone}" if zone else ""
    return Column(key, "datetime", _as_floats(days) / 86_400e6, note=note)


def _read_categories(key: str, series: Any, name: str) -> Column:
    """Keep declared categories as categories, numbers among them too."""
    values = _objects(series.to_list())
    column = read_array(key, values, name)
    if column.kind != "numeric":
        return column
    codes, categories = encode_labels(values, f"Column {key!r} of {name}")
    return Column(key, "categorical", codes, categories)


def _as_floats(series: Any) -> np.ndarray:
    return np.array(series.fill_null(np.nan).to_numpy(), dtype=np.float64)


def _objects(values: Sequence[Any]) -> np.ndarray:
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


def _cells(values: Any) -> np.ndarray:
    """Return values as an array; masked cells become missing ones."""
    if isinstance(values, np.ma.MaskedArray):
        cells = np.array(values.data, dtype=object)
        cells[np.ma.getmaskarray(values)] = None
        return cells
    try:
        return np.asarray(values)
    except ValueError:  # rows of different lengths
        return _objects(list(values))


def _name_array(data: Any, name: str, columns: Sequence[str] | None) -> dict[str, np.ndarray]:
    array = _cells(data)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise InputError(
            f"{name} must be a table (rows by columns), found an array with shape {array.shape}."
        )
    names = (
        [f"x{i}" for i in range(array.shape[1])]
        if columns is None
        else list(map(plain_name, columns))
    )
    if len(names) != array.shape[1]:
        raise InputError(f"{name} has {array.shape[1]} columns, but {len(names)} names were given.")
    repeated = _repeated(names)
    if repeated:
        raise InputError(f"{name} has repeated column names: {join_names(repeated)}. Rename them.")
    return {key: array[:, i] for i, key in enumerate(names)}


def _check_columns(named: Mapping[str, np.ndarray], name: str) -> None:
    shapes = {key: values.shape for key, values in named.items() if values.ndim != 1}
    for key, shape in shapes.items():
        raise InputError(f"Column {key!r} of {name} must be one-dimensional, found shape {shape}.")
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
        lookup = np.array([*map(as_float, column.categories), np.nan])
        values = column.values if column.is_number else lookup[column.values]
        check_range(values, column.name, "the table")
        return replace(column, kind="numeric", values=values, categories=())
    raise InputError(
        f"Column {column.name!r} is {column.kind} and cannot be read as {kind}: "
        "its labels are not numbers."
    )
