"""The table that a strategy manipulates, and tables made of its rows and cells."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from shiftlab._core.frames import Table, as_table
from shiftlab._core.names import missing_column_message
from shiftlab._core.validation import check_sensitive_features, split_columns
from shiftlab.auditing._boundary_tables import as_frame, take, with_parts
from shiftlab.auditing._entropic_rows import Decisions, read_decisions
from shiftlab.auditing._wasserstein_coordinates import Coordinates, read_coordinates
from shiftlab.exceptions import ColumnNotFoundError, InputError

__all__ = ["Manipulated", "Source"]


@dataclass(frozen=True, eq=False)
class Source:
    """A table with a decision and sensitive features, named."""

    data: Any
    table: Table
    decision: str
    sensitive_features: tuple[str, ...]
    decisions: Decisions
    scale: str
    pos_label: Any

    @classmethod
    def read(
        cls, data: Any, decision: str, sensitive_features: Any, scale: str, pos_label: Any
    ) -> "Source":
        """Read a table whose columns are named.

        Raises
        ------
        ColumnNotFoundError
            If a named column does not exist.
        InputError
            If labels are missing or a column has two roles.
        """
        data = as_frame(data)
        table = as_table(data, name="data")
        names = tuple(split_columns(sensitive_features))
        if not names or not isinstance(decision, str):
            raise InputError("Name the columns: decision='...', sensitive_features=['...'].")
        for name in (decision, *names):
            if name not in table:
                raise ColumnNotFoundError(missing_column_message(name, table.names, "data"))
        if decision in names:
            raise InputError(f"The column {decision!r} cannot be decision and sensitive feature.")
        features, _ = check_sensitive_features(list(names), table)
        decisions = read_decisions(table[decision], features, pos_label=pos_label)
        return cls(data, table, decision, names, decisions, scale, pos_label)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.table.n_rows

    @property
    def codes(self) -> np.ndarray:
        """Group of each row."""
        return np.asarray(self.decisions.codes)

    @property
    def selected(self) -> np.ndarray:
        """Decision of each row, 1 favourable."""
        return np.asarray(self.decisions.selected)

    @cached_property
    def cells(self) -> np.ndarray:
        """Cell of each row: group, then decision."""
        return self.codes * 2 + self.selected

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of rows of each cell."""
        return np.bincount(self.cells, minlength=2 * len(self.decisions.groups))

    @cached_property
    def coordinates(self) -> Coordinates:
        """Covariates as points."""
        roles = (self.decision, *self.sensitive_features)
        return read_coordinates(
            self.table, self.n_rows, scale=self.scale, leave_out=roles, name="data"
        )

    def position(self, names: Sequence[str]) -> np.ndarray:
        """Return which columns carry these names, as a mask."""
        return np.isin(self.table.names, list(names))

    def mix(self, rows: np.ndarray, donors: np.ndarray, taken: np.ndarray) -> Any:
        """Return rows that take the columns `taken` (a mask per column) from donors."""
        mask = np.broadcast_to(taken, (len(rows), len(self.table.names)))
        share = np.ones(mask.shape)
        return with_parts(self.data, rows, donors, np.array(mask), share)


@dataclass(frozen=True, eq=False)
class Manipulated:
    """Rows after the manipulation, all or a sample of them.

    `rows` are the rows of the data that they come from; `codes` and `selected` their groups and
    decisions, and `data` is their table.
    """

    rows: np.ndarray
    changed: np.ndarray
    codes: np.ndarray
    selected: np.ndarray
    cost: float
    cost_name: str
    data: Any

    def take(self, chosen: np.ndarray) -> "Manipulated":
        """Keep some rows."""
        return replace(
            self,
            rows=self.rows[chosen],
            changed=self.changed[chosen],
            codes=self.codes[chosen],
            selected=self.selected[chosen],
            data=take(self.data, chosen),
        )
