"""Environments as times: numbers, dates, or text that reads as a number or a date."""

from typing import Any

import numpy as np

from shiftlab._core.checks import check_length
from shiftlab._core.columns import Column
from shiftlab._core.frames import as_table
from shiftlab._core.times import read_text_times
from shiftlab.exceptions import InputError

__all__ = ["read_times", "times_ahead"]


def read_times(environment: Any, n_rows: int) -> np.ndarray:
    """Read the time of each row as a float; dates become days.

    Parameters
    ----------
    environment : scalar, or array or series of shape (n_rows,)
        A scalar holds for all rows.
    n_rows : int
        Expected number.

    Returns
    -------
    ndarray of float

    Raises
    ------
    InputError
        If labels are missing or have no order in time.
    """
    if np.ndim(environment) == 0:
        environment = np.repeat(np.asarray(environment), n_rows)
    check_length(environment, n_rows, "environment")
    table = as_table(environment, name="environment")
    if len(table.columns) != 1:
        raise InputError("environment must be one column: the time of each row.")
    column = table.columns[0]
    n_missing = int(column.missing.sum())
    if n_missing:
        raise InputError(f"environment has {n_missing} missing label(s); every row needs a time.")
    return column.values.astype(float) if column.is_number else _parse(column)


def _parse(column: Column) -> np.ndarray:
    try:
        return read_text_times(column).values
    except ValueError:
        raise InputError(
            "environment must be ordered in time to be carried on into the future: numbers (year, "
            f"month, step) or dates, found labels such as {str(column.categories[0])!r}. Number "
            "the environments in their order first."
        ) from None


def times_ahead(times: np.ndarray, n_more: int) -> np.ndarray:
    """Return times and some more at their pace."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return np.concatenate([times, times[-1] + step * np.arange(1, n_more + 1)])
