"""Checks at the boundary: environments, sensitive features, decisions, weights, options.

Each check returns the value in the one form that the rest of the library uses, or raises one error
that names the argument, what was found, what was expected and the mend.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer, check_length, check_option
from shiftlab._core.columns import read_array
from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.names import join_names, missing_column_message
from shiftlab.exceptions import ColumnNotFoundError, InputError

__all__ = [
    "JOINER",
    "Labels",
    "check_binary",
    "check_environment",
    "check_fraction",
    "check_integer",
    "check_length",
    "check_option",
    "check_sensitive_features",
    "check_weights",
    "combine_labels",
    "split_columns",
]

#: Shown between the parts of a label that joins several columns.
JOINER = " / "


@dataclass(frozen=True)
class Labels:
    """A labelling of rows: environments, or groups of a sensitive feature.

    Attributes
    ----------
    name : str
        Name of the labelled concept (a column name, or several joined).
    codes : ndarray of int32, shape (n_rows,)
        Index into `categories`; never negative.
    categories : tuple
        Sorted labels, each of which occurs.
    """

    name: str
    codes: np.ndarray
    categories: tuple[Any, ...]

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of rows of each category."""
        return np.bincount(self.codes, minlength=len(self.categories))

    def __len__(self) -> int:
        return len(self.categories)

    def index(self, label: Any, argument: str = "reference") -> int:
        """Return the code of a label; text is accepted for a number, a date for its text.

        Raises
        ------
        InputError
            If no category has that label.
        """
        text = label.isoformat() if hasattr(label, "isoformat") else str(label)
        known = (text, text.removesuffix("T00:00:00"))
        for i, category in enumerate(self.categories):
            if category == label or str(category) in known:
                return i
        raise InputError(
            f"{argument}: {self.name!r} has no label {label!r}. "
            f"Its labels are: {join_names(self.categories, 12)}."
        )

    def rows(self, code: int) -> np.ndarray:
        """Return the indices of the rows of one category."""
        return np.flatnonzero(self.codes == code)


def split_columns(names: str | Sequence[str] | None) -> list[str]:
    """Turn None, one name or several names into a list."""
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def check_environment(
    environment: Any,
    table: Table | None = None,
    *,
    n_rows: int | None = None,
    minimum: int = 2,
) -> tuple[Labels, list[str]]:
    """Read the environment of each row.

    Parameters
    ----------
    environment : str, sequence of str, array of shape (n_rows,), or Labels
        The name of a column of `table`, several names (their combinations become the labels), or
        the labels themselves.
    table : Table, optional
        The table whose columns may be named.
    n_rows : int, optional
        Expected number of rows; taken from `table` if given.
    minimum : int, default 2
        Smallest number of environments that is accepted.

    Returns
    -------
    labels : Labels
    used : list of str
        Columns of the table that were used and are no covariates.

    Raises
    ------
    ColumnNotFoundError
        If a named column does not exist.
    InputError
        If labels are missing, too few, or of the wrong length.
    """
    n_rows = table.n_rows if table is not None else n_rows
    used: list[str] = []
    if isinstance(environment, Labels):
        check_length(environment.codes, n_rows, "environment")
        labels = environment
    else:
        columns, used = _label_columns(environment, table, "environment")
        for column in columns:
            _check_environment_column(column, n_rows)
        labels = combine_labels(columns)
    if len(labels) < minimum:
        raise InputError(
            f"environment: {labels.name!r} has {len(labels)} distinct label(s), "
            f"at least {minimum} are needed to compare environments."
        )
    return labels, used


def check_sensitive_features(
    sensitive_features: Any, table: Table | None = None, *, n_rows: int | None = None
) -> tuple[list[Labels], list[str]]:
    """Read one or several sensitive features.

    Parameters
    ----------
    sensitive_features : str, sequence of str, array, frame, Labels or sequence of Labels
        Column names of `table`, or the features themselves, of shape (n_rows,) or (n_rows, k).
    table : Table, optional
        The table whose columns may be named.
    n_rows : int, optional
        Expected number of rows; taken from `table` if given.

    Returns
    -------
    features : list of Labels
        One labelling per feature.
    used : list of str
        Columns of the table that were used.

    Raises
    ------
    ColumnNotFoundError
        If a named column does not exist.
    InputError
        If a cell is missing or the length is wrong; rows are never dropped silently.
    """
    n_rows = table.n_rows if table is not None else n_rows
    given = [sensitive_features] if isinstance(sensitive_features, Labels) else sensitive_features
    if isinstance(given, (list, tuple)) and given and isinstance(given[0], Labels):
        for labels in given:
            check_length(labels.codes, n_rows, "sensitive_features")
        return list(given), []
    columns, used = _label_columns(sensitive_features, table, "sensitive_features")
    for column in columns:
        check_length(column.values, n_rows, "sensitive_features")
        n_missing = int(column.missing.sum())
        if n_missing:
            raise InputError(
                f"sensitive_features: {column.name!r} has {n_missing} missing value(s). "
                "Give them a label of their own (for instance 'unknown') or remove these rows "
                "yourself; shiftlab never drops them silently."
            )
    return [combine_labels([column]) for column in columns], used


def combine_labels(columns: Sequence[Column | Labels]) -> Labels:
    """Join labellings into one whose labels are the combinations that occur.

    A single labelling keeps its own labels; several are joined as text ("AK / 2013").

    Parameters
    ----------
    columns : sequence of Column or Labels, each of n_rows
        The labellings, without missing cells.

    Returns
    -------
    Labels

    Raises
    ------
    InputError
        If joined labels are ambiguous, since a label contains the text that joins them.
    """
    parts = [_as_labels(column) for column in columns]
    if len(parts) == 1:
        return parts[0]
    shape = tuple(len(part) for part in parts)
    flat = np.ravel_multi_index(tuple(part.codes for part in parts), shape)
    present, codes = np.unique(flat, return_inverse=True)
    indices = zip(*np.unravel_index(present, shape), strict=True)
    categories = tuple(
        JOINER.join(str(part.categories[i]) for part, i in zip(parts, index, strict=True))
        for index in indices
    )
    if len(set(categories)) < len(categories):
        raise InputError(
            f"The combinations of {join_names([p.name for p in parts])} are ambiguous: a label "
            f"contains {JOINER!r}, which joins labels. Rename it."
        )
    return Labels(JOINER.join(p.name for p in parts), codes.astype(np.int32), categories)


def check_binary(values: Any, name: str, *, pos_label: Any = None) -> tuple[np.ndarray, Any]:
    """Read a two-valued decision or outcome as booleans.

    Parameters
    ----------
    values : Column or array of shape (n_rows,)
        The decisions.
    name : str
        What the argument is called in error messages.
    pos_label : object, optional
        The favourable value. Without it the values must be 0/1 or False/True, and 1 (True) is
        favourable.

    Returns
    -------
    positive : ndarray of bool
    pos_label : object
        The value that counts as positive.

    Raises
    ------
    InputError
        If cells are missing, there are not two values, or `pos_label` does not occur.
    """
    column = values if isinstance(values, Column) else _single_column(values, name)
    column = column.as_categorical()
    n_missing = int(column.missing.sum())
    if n_missing:
        raise InputError(f"{name} has {n_missing} missing value(s); remove or fill them first.")
    present = [column.categories[i] for i in np.unique(column.values)]
    if len(present) > 2 and pos_label is None:
        raise InputError(
            f"{name} must have two values, found {len(present)}: {join_names(present)}. "
            "Name the favourable one with pos_label; every other value then counts as negative."
        )
    if pos_label is None:
        if not all(value in (0, 1) for value in present):
            raise InputError(
                f"{name} must be 0/1 or False/True, found {join_names(present)}. "
                "Name the favourable value with pos_label."
            )
        pos_label = 1
    matches = [i for i, c in enumerate(column.categories) if c == pos_label]
    matches = matches or [i for i, c in enumerate(column.categories) if _spelled(c, pos_label)]
    if not matches and pos_label != 1:
        raise InputError(
            f"pos_label: {name} has no value {pos_label!r}. Its values are: {join_names(present)}."
        )
    positive = column.values == matches[0] if matches else np.zeros(len(column.values), dtype=bool)
    return positive, column.categories[matches[0]] if matches else pos_label


def _spelled(value: Any, text: Any) -> bool:
    """Whether a text means a value; files write booleans as true, True or TRUE."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower() == str(text).lower()
    return str(value) == str(text)


def check_weights(
    sample_weight: Any, n_rows: int, name: str = "sample_weight"
) -> np.ndarray | None:
    """Read row weights: finite, not negative, with a positive sum; None stays None.

    Parameters
    ----------
    sample_weight : array of shape (n_rows,), or None
        The weights.
    n_rows : int
        Rows of the table.
    name : str, default "sample_weight"
        What the argument is called in error messages.

    Returns
    -------
    ndarray of float64, shape (n_rows,), or None

    Raises
    ------
    InputError
        If the length is wrong or a weight is negative, missing or infinite.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, found shape {weights.shape}.")
    check_length(weights, n_rows, name)
    if not np.isfinite(weights).all():
        raise InputError(f"{name} has missing or infinite values; every row needs a weight.")
    n_negative = int((weights < 0).sum())
    if n_negative:
        raise InputError(f"{name} has {n_negative} negative value(s); use 0 to leave rows out.")
    if weights.sum() <= 0:
        raise InputError(f"{name} sums to 0; at least one row needs a positive weight.")
    return weights


def _check_environment_column(column: Column, n_rows: int | None) -> None:
    check_length(column.values, n_rows, "environment")
    n_missing = int(column.missing.sum())
    if n_missing:
        raise InputError(
            f"environment: column {column.name!r} has {n_missing} missing label(s). "
            "Give these rows a label of their own (for instance 'unknown') or remove them."
        )


def _label_columns(
    labels: Any, table: Table | None, argument: str
) -> tuple[list[Column], list[str]]:
    if labels is None:
        raise InputError(f"{argument} is needed: name a column or pass one label per row.")
    names = _column_names(labels, table)
    if names is not None and table is not None:
        for name in names:
            if name not in table:
                raise ColumnNotFoundError(missing_column_message(name, table.names, argument))
        return [table[name] for name in names], names
    if isinstance(labels, (str, bytes)) or not hasattr(labels, "__len__"):
        raise InputError(
            f"{argument} must be the name of a column, several names, or one label per row; "
            f"found {type(labels).__name__}."
        )
    if len(labels) == 0:
        raise InputError(f"{argument} is empty: name a column or pass one label per row.")
    if isinstance(labels, (list, tuple)) or np.ndim(labels) == 1:
        return [_single_column(labels, argument)], []
    return list(as_table(labels, name=argument)), []


def _column_names(labels: Any, table: Table | None) -> list[str] | None:
    """Return the names if columns were named; a frame of pandas may have numbers as names."""
    if isinstance(labels, (str, int, np.integer)) and table is not None:
        return [str(labels)]
    is_short_list = isinstance(labels, (list, tuple)) and all(isinstance(v, str) for v in labels)
    if is_short_list and labels and table is not None and len(labels) != table.n_rows:
        return list(dict.fromkeys(labels))
    return None


def _single_column(values: Any, name: str) -> Column:
    label = getattr(values, "name", None)
    column_name = label if isinstance(label, str) and label else name
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    if isinstance(array, (list, tuple)):
        objects = np.empty(len(array), dtype=object)
        objects[:] = array
        array = objects
    array = np.asarray(array)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, found shape {array.shape}.")
    return read_array(column_name, array, name)


def _as_labels(column: Column | Labels) -> Labels:
    if isinstance(column, Labels):
        return column
    coded = column.as_categorical()
    present, codes = np.unique(coded.values, return_inverse=True)
    categories = tuple(coded.categories[i] for i in present)
    return Labels(column.name, codes.astype(np.int32), categories)
