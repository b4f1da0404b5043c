"""Rows of the caller's table with some cells changed, in the caller's own kind of table.

A model that learned from a data frame is asked with one, with the same columns and types.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["as_frame", "keep_columns", "take", "with_numbers", "with_parts", "write_rows"]


def with_numbers(X: Any, rows: np.ndarray, numbers: np.ndarray) -> Any:
    """Take rows and write `numbers` (n_rows, n_columns) over them; unchanged cells stay exact."""
    if not _is_frame(X):
        return np.asarray(numbers, dtype=np.float64)
    frame = _frame(X)[rows]
    columns = []
    for j, name in enumerate(frame.columns):
        column = frame[name]
        before = column.to_numpy().astype(np.float64)
        if np.array_equal(before, numbers[:, j]):
            columns.append(column)
            continue
        columns.append(_series(frame, name, numbers[:, j]).cast(column.dtype))
    return frame.with_columns(*columns).to_native()


def with_parts(
    X: Any, rows: np.ndarray, donors: np.ndarray, taken: np.ndarray, share: np.ndarray
) -> Any:
    """Take rows and give them columns of other rows.

    `taken` (n_rows, n_columns) says which columns; `share` of the same shape is 1 where the donor's
    cell is taken and less where a number goes only part of the way.
    """
    if not _is_frame(X):
        array = np.asarray(X)
        base, other = array[rows], array[donors]
        mixed = np.where(taken, other, base)
        part = taken & (share < 1)
        if part.any():
            mixed = mixed.astype(np.float64)
            mixed[part] = base[part] + share[part] * (other[part] - base[part])
        return mixed
    frame = _frame(X)
    base, other = frame[rows], frame[donors]
    columns = []
    for j, name in enumerate(frame.columns):
        if not taken[:, j].any():
            continue
        own, their = base[name], other[name]
        if (share[:, j] < 1).any():
            start = own.to_numpy().astype(np.float64)
            step = their.to_numpy().astype(np.float64) - start
            values = np.where(taken[:, j], start + share[:, j] * step, start)
            columns.append(_series(frame, name, values).cast(own.dtype))
        else:
            columns.append(their.zip_with(_series(frame, name, taken[:, j]), own))
    return (base.with_columns(*columns) if columns else base).to_native()


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and not isinstance(X, np.ndarray)


def _frame(X: Any) -> Any:
    import narwhals.stable.v2 as nw

    native = X.reset_index(drop=True) if hasattr(X, "reset_index") else X
    return nw.from_native(native, eager_only=True)


def _series(frame: Any, name: str, values: np.ndarray) -> Any:
    import narwhals.stable.v2 as nw

    return nw.new_series(name, values, backend=frame.implementation)


def as_frame(X: Any) -> Any:
    """Return arrays and data frames as they are, and a mapping of columns as a data frame."""
    if not isinstance(X, Mapping):
        return X
    import pandas as pd

    return pd.DataFrame(dict(X))


def keep_columns(X: Any, names: Sequence[str], kept: Sequence[str]) -> Any:
    """Keep columns, given all names in order and those to keep, in their order."""
    positions = [list(names).index(name) for name in kept]
    if not _is_frame(X):
        return np.asarray(X)[:, positions]
    frame = _frame(X)
    return frame.select([frame.columns[i] for i in positions]).to_native()


def write_rows(
    X: Any, names: Sequence[str], rows: np.ndarray, part: Any, kept: Sequence[str]
) -> Any:
    """Write a table of some columns over some rows."""
    positions = [list(names).index(name) for name in kept]
    if not _is_frame(X):
        array = np.array(X, dtype=np.float64)
        array[np.ix_(rows, np.array(positions))] = np.asarray(part)
        return array
    frame, values = _frame(X), _frame(part)
    columns = [
        frame[frame.columns[i]].scatter(rows.tolist(), values[values.columns[j]])
        for j, i in enumerate(positions)
    ]
    return frame.with_columns(*columns).to_native()


def take(X: Any, rows: np.ndarray) -> Any:
    """Take rows, in the caller's kind of table."""
    return _frame(X)[rows].to_native() if _is_frame(X) else np.asarray(X)[rows]
