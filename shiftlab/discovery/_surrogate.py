"""The surrogate: what stands for everything that differs between environments or along time."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from shiftlab._core.columns import Column
from shiftlab._core.frames import as_table
from shiftlab._core.names import join_names
from shiftlab._core.times import read_text_times
from shiftlab._core.validation import check_length, combine_labels
from shiftlab.exceptions import DegenerateDataError, InputError, InputWarning, SmallSampleWarning

__all__ = ["Surrogate", "read_surrogate"]

#: Whole numbers with at most this many values, each on average in so many rows, are labels.
MOST_LABELS, ROWS_PER_LABEL = 100, 5
#: Environments with fewer rows say little about a mechanism.
FEW_ROWS = 10


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Environment of each row.

    Attributes
    ----------
    column : Column
        Categorical labels, or numbers (days for dates) of the time.
    kind : {"categorical", "time"}
        How it is read.
    is_dates : bool
        Whether the numbers are days since 1970.
    """

    column: Column
    kind: Literal["categorical", "time"]
    is_dates: bool = False

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.column.name

    @property
    def is_constant(self) -> bool:
        """Whether there is nothing to compare."""
        return len(np.unique(self.column.values)) < 2

    def take(self, rows: np.ndarray) -> "Surrogate":
        """Return the surrogate restricted to rows, or reordered."""
        return Surrogate(self.column.take(rows), self.kind, self.is_dates)


def read_surrogate(
    environment: Any, n_rows: int, kind: str, name: str = ""
) -> tuple[Surrogate, list[Warning]]:
    """Read the environment of each row.

    Parameters
    ----------
    environment : array of shape (n_rows,) or (n_rows, k), data frame, or None
        Labels, several context columns, or times; None takes the order of the rows as time.
    n_rows : int
        Rows of the table.
    kind : {"auto", "categorical", "time"}
        How to read it.
    name : str, default ""
        What it is called; by default the name of the data, or "environment".

    Returns
    -------
    surrogate : Surrogate
    warnings : list of Warning
        What the caller should hear.
    """
    if environment is None:
        order = Column("time", "numeric", np.arange(n_rows, dtype=float))
        said = "No environment was given; the order of the rows is taken as time."
        return Surrogate(order, "time"), [InputWarning(said)]
    check_length(environment, n_rows, "environment")
    if np.ndim(environment) == 2 and np.shape(environment)[1] > 1:
        return _combined(environment)
    column = _single(environment, name)
    _refuse_missing(column)
    if kind == "time" or (kind == "auto" and _looks_like_time(column)):
        return _as_time(column)
    notes: list[Warning] = []
    labels = column.as_categorical()
    notes += _check_sizes(labels)
    return Surrogate(labels, "categorical"), notes


def _single(environment: Any, name: str) -> Column:
    given = name or getattr(environment, "name", None)
    name = given if isinstance(given, str) and given else "environment"
    if isinstance(environment, (list, tuple)):
        cells = np.empty(len(environment), dtype=object)
        cells[:] = environment
        environment = cells
    table = as_table(environment, name="environment", columns=[name])
    return table.columns[0]


def _refuse_missing(column: Column) -> None:
    n_missing = int(column.missing.sum())
    if n_missing:
        raise InputError(
            f"environment: {column.name!r} has {n_missing} missing value(s). Give these rows a "
            "label of their own (for instance 'unknown') or remove them."
        )


def _looks_like_time(column: Column) -> bool:
    """Dates are times; numbers are unless they are few whole ones, each in several rows."""
    if column.kind == "datetime":
        return True
    if column.kind != "numeric":
        return False
    values = np.unique(column.values)
    whole = bool((values == np.round(values)).all())
    repeated = len(column.values) >= ROWS_PER_LABEL * len(values)
    return not (len(values) < 2 or (whole and repeated and len(values) <= MOST_LABELS))


def _as_time(column: Column) -> tuple[Surrogate, list[Warning]]:
    if not column.is_number:
        try:
            column = read_text_times(column.as_categorical())
        except ValueError:
            raise InputError(
                f"environment: {column.name!r} holds {column.kind} values, which cannot be read as "
                "time; set environment_type='categorical', or pass numbers or dates (2024-05-17)."
            ) from None
    return Surrogate(column, "time", is_dates=column.kind == "datetime"), []


def _combined(environment: Any) -> tuple[Surrogate, list[Warning]]:
    """Take the combinations of several context columns as the environments."""
    table = as_table(environment, name="environment")
    continuous = [c.name for c in table if c.is_number and _looks_like_time(c)]
    if continuous:
        raise InputError(
            f"environment: {join_names(continuous)} has too many values to be a label. Pass it "
            "alone to read it as time, or bin it."
        )
    for column in table:
        _refuse_missing(column)
    labels = combine_labels(table.columns)
    column = Column(labels.name, "categorical", labels.codes, labels.categories)
    return Surrogate(column, "categorical"), _check_sizes(column)


def _check_sizes(labels: Column) -> list[Warning]:
    counts = np.bincount(labels.values, minlength=len(labels.categories))
    counts = counts[counts > 0]
    if len(counts) > 1 and counts.max() == 1:
        raise DegenerateDataError(
            f"environment: each of the {len(counts)} environments of {labels.name!r} has one row, "
            "so nothing can be compared. Join environments, or set environment_type='time' if "
            "the values are times."
        )
    small = np.flatnonzero(counts < FEW_ROWS)
    if len(small) and len(counts) > 1:
        names = [labels.categories[i] for i in small]
        said = (
            f"environment: {len(small)} of {len(counts)} environments have fewer than {FEW_ROWS} "
            f"rows ({join_names(names, 4)}); they say little about how mechanisms change."
        )
        return [SmallSampleWarning(said)]
    return []
