"""Checks of single values: options, fractions, counts, lengths."""

from collections.abc import Collection
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError

__all__ = ["check_fraction", "check_integer", "check_length", "check_option"]


def check_length(values: Any, n_rows: int | None, name: str) -> None:
    """Check that an argument has one value per row.

    Raises
    ------
    InputError
        If it does not.
    """
    if n_rows is not None and len(values) != n_rows:
        raise InputError(f"{name} has {len(values)} values, but the table has {n_rows} rows.")


def check_option(value: Any, options: Collection[Any], name: str) -> Any:
    """Check that an option is one of those offered.

    Raises
    ------
    InputError
        If it is not.
    """
    if value not in options:
        raise InputError(f"{name} must be one of {join_names(list(options), 20)}, found {value!r}.")
    return value


def check_fraction(value: Any, name: str) -> float:
    """Check that a number lies strictly between 0 and 1.

    Raises
    ------
    InputError
        If it does not.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.number))
        or not 0 < value < 1
    ):
        raise InputError(f"{name} must be a number strictly between 0 and 1, found {value!r}.")
    return float(value)


def check_integer(value: Any, name: str, *, minimum: int = 1) -> int:
    """Check that a value is an integer not below `minimum`.

    Raises
    ------
    InputError
        If it is not.
    """
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer or value < minimum:
        raise InputError(f"{name} must be an integer of at least {minimum}, found {value!r}.")
    return int(value)
