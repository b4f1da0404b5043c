"""Counts of decisions by group from tables of any size: the engine scans, counts come back.

DuckDB, Polars and Dask frames are grouped where they are, through narwhals' lazy interface; files
in Parquet format are scanned by DuckDB or Polars, or in batches by pyarrow. What reaches Python is
one line per combination of group, outcome and decision.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab._core.files import read_table
from shiftlab._core.frames import Column, as_table
from shiftlab._core.names import missing_column_message
from shiftlab._core.optional import import_optional, is_installed
from shiftlab._core.validation import check_binary, split_columns
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.metrics import GroupCounts

__all__ = ["ENGINES", "count_table"]

ENGINES = ("auto", "duckdb", "polars", "pyarrow")
PARQUET_SUFFIXES = (".parquet", ".pq")
_COUNT = "__rows__"
_MOST_CELLS = 1_000_000


def count_table(
    data: Any,
    decision: str,
    sensitive_features: str | Sequence[str],
    *,
    label: str | None = None,
    pos_label: Any = None,
    label_pos_label: Any = None,
    engine: str = "auto",
) -> GroupCounts:
    """Count decisions by group without loading the table.

    Parameters
    ----------
    data : str, Path, lazy frame or data frame
        Path of a Parquet or CSV file; a lazy frame of Polars or narwhals, a relation of DuckDB, a
        frame of Dask; or any table.
    decision : str
        Column with the decision.
    sensitive_features : str or sequence of str
        Columns with the protected attributes.
    label : str, optional
        Column with the true outcome.
    pos_label : object, optional
        The favourable decision; 1 by default.
    label_pos_label : object, optional
        The good outcome; 1 by default.
    engine : {"auto", "duckdb", "polars", "pyarrow"}, default "auto"
        What scans a Parquet file; "auto" takes the first that is installed.

    Returns
    -------
    GroupCounts

    Raises
    ------
    InputError
        If a sensitive cell or a decision is missing, or decisions do not have two values.
    ColumnNotFoundError
        If a named column does not exist.
    MissingDependencyError
        If the engine is not installed.

    Examples
    --------
    >>> import polars as pl
    >>> from shiftlab.auditing import count_table
    >>> frame = pl.LazyFrame({"sex": ["f", "m", "m"], "yhat": [0, 1, 0]})
    >>> count_table(frame, "yhat", "sex").to_frame().values.tolist()
    [['f', 1, 0], ['m', 2, 1]]
    """
    check_option(engine, ENGINES, "engine")
    features = split_columns(sensitive_features)
    columns = [*features, *([label] if label else []), decision]
    if len(set(columns)) < len(columns):
        raise InputError("decision, label and sensitive_features must be different columns.")
    lines = as_table(_group(data, columns, engine), name="data")
    counts = lines[_COUNT].values
    if lines.n_rows > _MOST_CELLS:
        raise InputError(
            f"There are more than {_MOST_CELLS} combinations of {', '.join(features)}; choose "
            "features with fewer values."
        )
    chosen = _positive(lines[decision], counts, pos_label)
    outcome = None if label is None else _positive(lines[label], counts, label_pos_label)
    for name in features:
        _refuse_missing(lines[name], counts, "sensitive_features")
    table: dict[str, Any] = {name: lines[name].as_categorical().labels() for name in features}
    if outcome is None:
        table |= {"n": counts, "selected": counts * chosen}
        return GroupCounts.from_frame(_renamed(table, features), features)
    cells = ("tn", "fp", "fn", "tp")
    for i, name in enumerate(cells):
        table[name] = counts * ((outcome == i // 2) & (chosen == i % 2))
    return GroupCounts.from_frame(_renamed(table, features), features, confusion=cells)


def _renamed(table: dict[str, Any], features: Sequence[str]) -> dict[str, Any]:
    taken = [name for name in features if name in ("n", "selected", "tn", "fp", "fn", "tp")]
    if taken:
        raise InputError(f"A sensitive feature cannot be called {taken[0]!r} here. Rename it.")
    return table


def _group(data: Any, columns: Sequence[str], engine: str) -> Any:
    """Group by the columns and count, wherever the data are."""
    if isinstance(data, (str, Path)):
        return _group_file(Path(data), columns, engine)
    import narwhals.stable.v2 as nw

    if isinstance(data, (Mapping, np.ndarray)):
        import pandas as pd

        data = pd.DataFrame(data)
    with warnings.catch_warnings():
        # narwhals announces that its Dask support moves to a package of its own.
        warnings.filterwarnings("ignore", "Dask support is moving", FutureWarning)
        return _group_frame(nw.from_native(data).lazy(), columns)


def _group_frame(frame: Any, columns: Sequence[str]) -> Any:
    import narwhals.stable.v2 as nw

    _check_columns(columns, frame.collect_schema().names())
    counted = frame.select(*columns).group_by(*columns).agg(nw.len().alias(_COUNT))
    return counted.collect()


def _group_file(path: Path, columns: Sequence[str], engine: str) -> Any:
    if not path.name.lower().endswith(PARQUET_SUFFIXES):
        frame = read_table(path)
        _check_columns(columns, list(frame.columns))
        return _group(frame, columns, engine)
    if not path.exists():
        raise InputError(f"There is no file '{path}'.")
    if engine == "auto":
        engine = next(name for name in ("duckdb", "polars", "pyarrow") if is_installed(name))
    if engine == "pyarrow":
        return _group_batches(path, columns)
    import narwhals.stable.v2 as nw

    library = import_optional(engine, extra=engine, purpose=f"Scanning Parquet files with {engine}")
    if engine == "polars":
        return _group_frame(nw.from_native(library.scan_parquet(path)), columns)
    # A connection of its own: the progress bar would be written to standard output.
    with library.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        return _group_frame(nw.from_native(connection.read_parquet(str(path))), columns)


def _group_batches(path: Path, columns: Sequence[str]) -> Any:
    """Count in batches: no more than one of them is in memory."""
    parquet = import_optional(
        "pyarrow.parquet", extra="parquet", purpose="Scanning Parquet files with pyarrow"
    )
    import pandas as pd

    file = parquet.ParquetFile(path)
    _check_columns(columns, file.schema_arrow.names)
    parts = [
        batch.to_pandas().groupby(list(columns), dropna=False, observed=True).size()
        for batch in file.iter_batches(batch_size=1 << 20, columns=list(columns))
    ]
    if not parts:
        raise InputError(f"'{path.name}' has no rows.")
    lines = pd.concat([part.rename(_COUNT).reset_index() for part in parts])
    total = lines.groupby(list(columns), dropna=False, observed=True)[_COUNT].sum()
    return total.reset_index()


def _check_columns(columns: Sequence[str], available: Sequence[str]) -> None:
    for name in columns:
        if name not in available:
            raise ColumnNotFoundError(missing_column_message(name, list(available), "data"))


def _positive(column: Column, counts: np.ndarray, pos_label: Any) -> np.ndarray:
    _refuse_missing(column, counts, "decisions and outcomes")
    return check_binary(column, column.name, pos_label=pos_label)[0]


def _refuse_missing(column: Column, counts: np.ndarray, argument: str) -> None:
    n_missing = int(counts[column.missing].sum())
    if n_missing:
        raise InputError(
            f"{argument}: {column.name!r} has {n_missing} missing value(s). Give them a label of "
            "their own (for instance 'unknown') or remove these rows yourself; shiftlab never "
            "drops them silently."
        )
