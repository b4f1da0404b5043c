"""Which columns are decision, outcome, sensitive features, identifiers and covariates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.names import join_names, missing_column_message
from shiftlab._core.validation import check_binary, check_sensitive_features, split_columns
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.metrics import GroupCounts

__all__ = ["Roles"]


@dataclass(frozen=True)
class Roles:
    """Roles of columns, given by name.

    Attributes
    ----------
    decision : str or None
        The decision; None if it is not known.
    sensitive_features : tuple of str
        Protected attributes.
    label : str or None
        The true outcome.
    row_id : str or None
        Identifier of a row: a row has one, and nobody else has it.
    ignore : tuple of str
        Columns that are left aside.
    pos_label, label_pos_label : object
        The favourable decision and the good outcome; 1 by default.
    """

    decision: str | None
    sensitive_features: tuple[str, ...]
    label: str | None = None
    row_id: str | None = None
    ignore: tuple[str, ...] = ()
    pos_label: Any = None
    label_pos_label: Any = None

    @classmethod
    def of(
        cls,
        decision: str | None,
        sensitive_features: str | Sequence[str] | None,
        **options: Any,
    ) -> "Roles":
        """Read the arguments of a constructor."""
        options["ignore"] = tuple(split_columns(options.get("ignore")))
        roles = cls(decision, tuple(split_columns(sensitive_features)), **options)
        named = [n for n in (decision, roles.label, roles.row_id, *roles.sensitive_features) if n]
        if len(set(named)) < len(named):
            raise InputError(f"A column has one role; found {join_names(named)}.")
        return roles

    def read(self, data: Any, name: str) -> Table:
        """Read a table, leave out what is ignored, and see that the named columns are there."""
        table = as_table(data, name=name)
        table = table.drop([n for n in self.ignore if n in table])
        for column in (self.decision, self.label, self.row_id, *self.sensitive_features):
            if column is not None and column not in table:
                raise ColumnNotFoundError(missing_column_message(column, table.names, name))
        return table

    def without_decisions(self) -> "Roles":
        """Return the same roles where decision and outcome are left aside."""
        hidden = tuple(n for n in (self.decision, self.label) if n)
        return replace(self, decision=None, label=None, ignore=(*self.ignore, *hidden))

    def covariates(self, table: Table) -> Table:
        """Every column but decision, outcome and identifier; the sensitive ones are kept."""
        special = [n for n in (self.decision, self.label, self.row_id) if n and n in table]
        return table.drop(special)

    def features(self, table: Table) -> Table:
        """Every column but the identifier."""
        return table.drop([self.row_id]) if self.row_id else table

    def count(self, table: Table, *, known: bool = False) -> GroupCounts | None:
        """Count decisions by group; None where no decision or no sensitive feature is named.

        With `known`, the favourable values are known to occur in the data as a whole, though
        perhaps not in this part of it.
        """
        if self.decision is None or not self.sensitive_features:
            return None
        # One by one: as many names as rows could be taken for one label per row.
        features = [check_sensitive_features(n, table)[0][0] for n in self.sensitive_features]
        chosen = _positive(table[self.decision], self.pos_label, known)
        outcome = None
        if self.label is not None:
            outcome = _positive(table[self.label], self.label_pos_label, known)
        return GroupCounts.from_rows(chosen, features, y_true=outcome)


def _positive(column: Column, pos_label: Any, known: bool) -> np.ndarray:
    if not known or pos_label is None:
        return check_binary(column, column.name, pos_label=pos_label)[0]
    coded = column.as_categorical()
    if coded.missing.any():
        return check_binary(column, column.name, pos_label=pos_label)[0]
    wanted = [i for i, label in enumerate(coded.categories) if str(label) == str(pos_label)]
    return np.asarray(np.isin(coded.values, wanted))
