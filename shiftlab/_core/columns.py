"""Columns: cells of any kind become float64 numbers or integer codes into a tuple of labels."""

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np

from shiftlab.exceptions import InputError

__all__ = [
    "Column",
    "ColumnKind",
    "as_float",
    "beyond_exact",
    "check_range",
    "encode_labels",
    "plain_name",
    "read_array",
    "read_whole_labels",
]

ColumnKind: TypeAlias = Literal["numeric", "datetime", "categorical", "boolean"]
NUMBER_KINDS = ("numeric", "datetime")
#: From here on float64 no longer tells neighbouring whole numbers apart.
EXACT_LIMIT = 2**53
#: Squared losses and the fourth powers of those stay finite up to here, above zero to its inverse.
LARGEST = 1e30
DURATION_NOTE = "durations, read as days"


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
        """Read a number as a category: each distinct value becomes a label, each date a text."""
        if not self.is_number:
            return self
        observed, codes = np.unique(self.values, return_inverse=True)
        known = observed[~np.isnan(observed)]
        codes = np.where(np.isnan(self.values), -1, codes).astype(np.int32)
        names = _date_names(known) if self.kind == "datetime" else map(_number_name, known)
        return replace(self, kind="categorical", values=codes, categories=tuple(names))

    def labels(self) -> np.ndarray:
        """Return an object array of labels (categories) or the numbers themselves."""
        if self.is_number:
            return self.values
        lookup = np.empty(len(self.categories) + 1, dtype=object)
        lookup[:-1] = self.categories
        lookup[-1] = None
        return lookup[self.values]


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

    values = np.asarray(values)
    if values.dtype.kind in "mM":  # as nanoseconds they would come back as whole numbers
        values = values.astype(f"{values.dtype.kind}8[us]").astype(object)
    try:
        codes, uniques = pd.factorize(values, use_na_sentinel=True)
    except TypeError as error:
        raise InputError(
            f"{name} holds values that cannot be labels (lists or dictionaries, for instance); "
            "use strings, numbers or booleans."
        ) from error
    labels = [_plain_label(value) for value in uniques]
    try:
        order = sorted(range(len(labels)), key=labels.__getitem__)
    except TypeError:
        order = sorted(range(len(labels)), key=lambda i: (str(labels[i]), str(type(labels[i]))))
    rank = np.empty(len(labels) + 1, dtype=np.int32)
    rank[order] = np.arange(len(labels), dtype=np.int32)
    rank[-1] = -1
    return rank[codes], tuple(labels[i] for i in order)


def _plain_label(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return plain_name(value) if isinstance(value, str) else value


def plain_name(name: object) -> str:
    """Return a name as text that can be written to a file: lone surrogates are spelt out."""
    return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def read_array(key: str, values: np.ndarray, name: str) -> Column:
    """Read a one-dimensional array as a column.

    Parameters
    ----------
    key : str
        Name of the column.
    values : ndarray of shape (n_rows,)
        Of any dtype.
    name : str
        What the table is called in error messages.

    Returns
    -------
    Column

    Raises
    ------
    InputError
        If a number is infinite or complex, or a cell cannot be a label.
    """
    kind = values.dtype.kind
    if kind == "b":
        return Column(key, "boolean", values.astype(np.int32), (False, True))
    if kind in "iuf":
        numbers = values.astype(np.float64)
        if kind in "iu" and beyond_exact(numbers):
            return read_whole_labels(key, values.astype(object), name)
        check_range(numbers, key, name)
        return Column(key, "numeric", numbers, integral=kind in "iu")
    if kind == "M":
        stamps = values.astype("datetime64[us]")
        days = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 86_400e6)
        return Column(key, "datetime", days)
    if kind == "m":
        return Column(key, "numeric", values / np.timedelta64(1, "D"), note=DURATION_NOTE)
    if kind == "c":
        raise InputError(f"Column {key!r} of {name} is complex; use real and imaginary parts.")
    return _read_objects(key, values, name)


def beyond_exact(numbers: np.ndarray) -> bool:
    """Tell whether whole numbers are too large for float64 to keep them apart."""
    return bool((np.abs(numbers[~np.isnan(numbers)]) >= EXACT_LIMIT).any())


def read_whole_labels(key: str, values: np.ndarray, name: str) -> Column:
    """Read whole numbers as labels, so that none of their digits is lost."""
    codes, categories = encode_labels(values, f"Column {key!r} of {name}")
    return Column(
        key, "categorical", codes, categories, note="whole numbers beyond 2^53, read as labels"
    )


def check_range(values: np.ndarray, key: str, name: str) -> None:
    """Refuse infinite numbers, and numbers whose squares a float64 cannot hold.

    Raises
    ------
    InputError
        If there are any.
    """
    size = np.abs(values)
    infinite = int(np.isinf(size).sum())
    if infinite:
        raise InputError(
            f"Column {key!r} of {name} has {infinite} infinite value(s). "
            "Replace them by a finite bound or by a missing cell."
        )
    too_large = int((size > LARGEST).sum())
    if too_large:
        raise InputError(
            f"Column {key!r} of {name} has {too_large} value(s) beyond {LARGEST:g}. "
            "If they stand for something missing, leave the cells empty; otherwise rescale."
        )
    if 0 < np.max(size, where=~np.isnan(size), initial=0.0) < 1 / LARGEST:
        raise InputError(
            f"Column {key!r} of {name} has no value beyond {1 / LARGEST:g}, so that squares "
            "vanish; rescale it, for instance by a logarithm."
        )


def as_float(label: Any) -> float:
    """Return a number as a float, infinite if it is too large for one."""
    try:
        return float(label)
    except OverflowError:
        return float("inf") if label > 0 else float("-inf")


def _read_objects(key: str, values: np.ndarray, name: str) -> Column:
    codes, categories = encode_labels(values, f"Column {key!r} of {name}")
    types = {type(label) for label in categories}
    if types and types <= {bool}:
        full = np.where(codes < 0, -1, np.array(categories, dtype=np.int32)[codes])
        return Column(key, "boolean", full.astype(np.int32), (False, True))
    if types and all(issubclass(kind, (Real, Decimal)) for kind in types):
        return _read_numbers(key, codes, categories, name)
    if types and all(issubclass(kind, dt.timedelta) for kind in types):
        return read_array(key, np.array([*categories, None], dtype="timedelta64[us]")[codes], name)
    if types and all(issubclass(kind, dt.date) for kind in types):
        return _read_dates(key, codes, categories)
    note = ""
    if len(types) > 1:
        codes, categories = encode_labels(
            np.array([None if c < 0 else str(categories[c]) for c in codes], dtype=object), key
        )
        note = "mixed types, read as text"
    return Column(key, "categorical", codes, categories, note=note)


def _read_numbers(key: str, codes: np.ndarray, categories: tuple[Any, ...], name: str) -> Column:
    numbers = np.array([*map(as_float, categories), np.nan])
    whole = all(isinstance(label, int) for label in categories)
    if whole and beyond_exact(numbers):
        return read_whole_labels(key, np.array([*categories, None], dtype=object)[codes], name)
    check_range(numbers, key, name)
    return Column(key, "numeric", numbers[codes], integral=whole)


def _read_dates(key: str, codes: np.ndarray, categories: tuple[Any, ...]) -> Column:
    zoned = [getattr(label, "tzinfo", None) is not None for label in categories]
    naive = [
        label.astimezone(dt.UTC).replace(tzinfo=None) if has_zone else label
        for label, has_zone in zip(categories, zoned, strict=True)
    ]
    column = read_array(key, np.array([*naive, None], dtype="datetime64[us]")[codes], key)
    return replace(column, note="dates with a time zone, read as UTC") if any(zoned) else column


def _number_name(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < EXACT_LIMIT else float(value)


def _date_names(days: np.ndarray) -> list[str]:
    """Write dates by day, second or microsecond: the coarsest that keeps them apart."""
    stamps = np.round(days * 86_400e6).astype(np.int64)
    units = {"D": 86_400_000_000, "s": 1_000_000}
    unit: Any = next((u for u, step in units.items() if not (stamps % step).any()), "us")
    return list(np.datetime_as_string(stamps.astype("datetime64[us]"), unit=unit).tolist())
