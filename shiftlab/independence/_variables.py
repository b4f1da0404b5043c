"""Variables: one column of a table, or several that are tested as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from shiftlab._core.column_groups import group_columns, read_groups
from shiftlab._core.frames import Column, Table, as_table
from shiftlab.exceptions import InputError

__all__ = ["Variable", "joint_codes", "question_variables", "spread_rows", "table_variables"]


@dataclass(frozen=True, eq=False)
class Variable:
    """Columns that are tested together.

    Attributes
    ----------
    name : str
    columns : tuple of Column
    """

    name: str
    columns: tuple[Column, ...]

    @cached_property
    def numbers(self) -> np.ndarray:
        """Numeric and datetime columns, shape (n_rows, k); k may be 0."""
        chosen = [c.values for c in self.columns if c.is_number]
        return np.column_stack(chosen) if chosen else np.empty((self.n_rows, 0))

    @cached_property
    def codes(self) -> np.ndarray | None:
        """Combined codes of the categorical columns, 0..m-1, each of which occurs; or None."""
        labels = [c.values.astype(np.int64) for c in self.columns if not c.is_number]
        return joint_codes(labels) if labels else None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0].values)

    @cached_property
    def missing(self) -> np.ndarray:
        """Boolean mask of the rows with a missing cell."""
        return np.logical_or.reduce([c.missing for c in self.columns])

    @property
    def is_categorical(self) -> bool:
        """Whether there is nothing but categories."""
        return self.numbers.shape[1] == 0

    @property
    def is_numeric(self) -> bool:
        """Whether there is nothing but numbers."""
        return self.codes is None

    def take(self, rows: np.ndarray) -> "Variable":
        """Return the variable restricted to rows."""
        return Variable(self.name, tuple(c.take(rows) for c in self.columns))


def joint_codes(labels: Sequence[np.ndarray]) -> np.ndarray:
    """Give the combinations of several codings that occur the codes 0, 1, ..."""
    codes = np.unique(labels[0], return_inverse=True)[1]
    for other in labels[1:]:
        values, inverse = np.unique(other, return_inverse=True)
        # Compressed after each coding, so that the product of the counts cannot overflow.
        codes = np.unique(codes * len(values) + inverse, return_inverse=True)[1]
    return np.asarray(codes)


def spread_rows(order: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many rows, spread evenly over an order that what they hold decides."""
    m = min(len(order), most)
    return np.asarray(order[((np.arange(m) + 0.5) * len(order) / m).astype(int)])


def table_variables(
    data: Any, groups: Mapping[str, Sequence[str]] | None = None
) -> tuple[Variable, ...]:
    """Read a table as variables: the groups as one each, every other column on its own.

    A group stands where the first of its columns stood.
    """
    table = as_table(data)
    parts = group_columns(table.names, read_groups(groups, table))
    return tuple(
        Variable(name, tuple(table[column] for column in columns))
        for name, columns in parts.items()
    )


def question_variables(x: Any, y: Any, z: Any = None) -> tuple[Variable, ...]:
    """Read x and y as one variable each and every column of z as one."""
    left, right = _single(x, "x"), _single(y, "y")
    given = [] if z is None else [Variable(c.name, (c,)) for c in _read(z, "z")]
    variables = (left, right, *given)
    lengths = {v.n_rows for v in variables}
    if len(lengths) > 1:
        raise InputError(f"x, y and z must have equal numbers of rows, found {sorted(lengths)}.")
    return variables


def _single(data: Any, name: str) -> Variable:
    table = _read(data, name)
    label = " & ".join(table.names) if table.names != ("x0",) else name
    return Variable(label, table.columns)


def _read(data: Any, name: str) -> Table:
    n_columns = np.shape(data)[1] if isinstance(data, np.ndarray) and data.ndim == 2 else 1
    columns = [name] if n_columns == 1 else [f"{name}{i}" for i in range(n_columns)]
    is_array = isinstance(data, (np.ndarray, list, tuple)) or hasattr(data, "__array_namespace__")
    if is_array or type(data).__module__.split(".")[0] == "torch":
        return as_table(data, name=name, columns=columns if is_array else None)
    return as_table(data, name=name)
