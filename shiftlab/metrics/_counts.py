"""Counts of decisions by group: the one input that every fairness metric is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.names import join_names
from shiftlab._core.results import Result
from shiftlab._core.validation import (
    JOINER,
    Labels,
    check_environment,
    check_sensitive_features,
    check_weights,
    split_columns,
)
from shiftlab.exceptions import InputError
from shiftlab.metrics._rows import read_binary, read_environment, read_features, tabulate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GroupCounts"]

#: Names of the cells in the order of the flattened (outcome, decision) table.
CONFUSION = ("tn", "fp", "fn", "tp")


@dataclass(frozen=True, eq=False)
class GroupCounts(Result):
    """Decisions counted by group, with or without the true outcome.

    Build it with `from_rows` or, for those who hold only a table, with `from_frame`. Counts of
    parts of the data add up with ``+``, so a stream or a folder of files needs no more memory than
    one part.

    Attributes
    ----------
    names : tuple of str
        What the groups are defined by; "environment" comes first if there is one.
    groups : tuple of tuple
        One label per name for each group, sorted.
    counts : ndarray of int64, shape (n_groups, 1 or 2, 2)
        Numbers of rows by group, true outcome (if known) and decision.
    weights, squared_weights : ndarray of float64 or None
        Sums of the row weights and of their squares in the same cells.

    Examples
    --------
    >>> from shiftlab.metrics import GroupCounts, disparate_impact
    >>> table = {"sex": ["Female", "Male"], "n": [76, 92], "selected": [34, 50]}
    >>> counts = GroupCounts.from_frame(table, "sex")
    >>> print(round(disparate_impact(counts).value, 3))
    0.823
    """

    names: tuple[str, ...]
    groups: tuple[tuple[Any, ...], ...]
    counts: np.ndarray
    weights: np.ndarray | None = None
    squared_weights: np.ndarray | None = None

    @classmethod
    def from_rows(
        cls,
        y_pred: Any,
        sensitive_features: Any,
        *,
        y_true: Any = None,
        sample_weight: Any = None,
        environment: Any = None,
        pos_label: Any = None,
    ) -> "GroupCounts":
        """Count rows.

        Parameters
        ----------
        y_pred : array of shape (n_rows,)
            Decisions: 0/1 or booleans, 1 favourable, unless `pos_label` says otherwise.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), frame, mapping, or Labels
            One or several features; a frame or mapping names them.
        y_true : array of shape (n_rows,), optional
            True outcomes, coded like the decisions.
        sample_weight : array of shape (n_rows,), optional
            Sampling weights: how many members of the population a row stands for.
        environment : array of shape (n_rows,), frame or Labels, optional
            Where or when each row comes from.
        pos_label : object, optional
            The favourable value of `y_pred` and `y_true`.

        Returns
        -------
        GroupCounts

        Raises
        ------
        InputError
            If lengths differ, a label is missing, or decisions do not have two values.

        Notes
        -----
        Integer and boolean arrays take a path that allocates no 64-bit copy of the data; text and
        categories are coded first, which takes most of the time.
        """
        decisions = read_binary(y_pred, "y_pred", pos_label)
        n_rows = len(decisions)
        labels = read_features(sensitive_features, n_rows)
        if environment is not None:
            labels = [read_environment(environment, n_rows), *labels]
        outcomes = None if y_true is None else read_binary(y_true, "y_true", pos_label, n_rows)
        keys, tables = tabulate(labels, decisions, outcomes, check_weights(sample_weight, n_rows))
        groups = tuple(
            tuple(label.categories[code] for label, code in zip(labels, key, strict=True))
            for key in keys
        )
        return cls(tuple(label.name for label in labels), groups, *tables)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        sensitive_features: str | Sequence[str],
        *,
        environment: str | None = None,
        n: str = "n",
        selected: str = "selected",
        confusion: Sequence[str] | None = None,
    ) -> "GroupCounts":
        """Read a table of counts; lines of the same group are added up.

        Parameters
        ----------
        frame : data frame or mapping of columns
            One line per group (and environment).
        sensitive_features : str or sequence of str
            Columns that name the group.
        environment : str, optional
            Column that names the environment.
        n : str, default "n"
            Column with the number of rows.
        selected : str, default "selected"
            Column with the number of favourable decisions.
        confusion : sequence of four str, optional
            Columns with the true negatives, false positives, false negatives and true positives;
            used instead of `n` and `selected`.

        Returns
        -------
        GroupCounts

        Raises
        ------
        ColumnNotFoundError
            If a named column does not exist.
        InputError
            If counts are missing, negative or not whole, or more are selected than there are.
        """
        table = as_table(frame, name="frame")
        features = split_columns(sensitive_features)
        # One by one: as many names as lines could be taken for one label per line.
        labels = [check_sensitive_features(name, table)[0][0] for name in features]
        if environment is not None:
            where = check_environment(environment, table, minimum=1)[0]
            labels = [Labels("environment", where.codes, where.categories), *labels]
        cells = _read_cells(table, n, selected, confusion)
        keys = list(
            zip(*([label.categories[c] for c in label.codes] for label in labels), strict=True)
        )
        return _collect(tuple(label.name for label in labels), keys, [cells])

    @property
    def has_outcome(self) -> bool:
        """Whether the true outcome is known."""
        return self.counts.shape[1] == 2

    @property
    def n(self) -> np.ndarray:
        """Number of rows of each group."""
        return np.asarray(self.counts.sum(axis=(1, 2)))

    @property
    def selected(self) -> np.ndarray:
        """Number of favourable decisions of each group."""
        return np.asarray(self.counts[:, :, 1].sum(axis=1))

    @property
    def feature(self) -> str:
        """Names joined into one."""
        return JOINER.join(self.names)

    @cached_property
    def labels(self) -> tuple[Any, ...]:
        """The label of each group; those of several features are joined as text."""
        if len(self.names) == 1:
            return tuple(group[0] for group in self.groups)
        return tuple(JOINER.join(map(str, group)) for group in self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __repr__(self) -> str:
        outcome = "with outcome" if self.has_outcome else "without outcome"
        weighted = ", weighted" if self.weights is not None else ""
        return (
            f"GroupCounts({self.feature!r}: {len(self)} groups, {int(self.n.sum())} rows, "
            f"{outcome}{weighted})"
        )

    def __add__(self, other: object) -> "GroupCounts":
        if not isinstance(other, GroupCounts):
            return NotImplemented
        mine, theirs = _describe(self), _describe(other)
        if mine != theirs:
            raise InputError(f"Counts of different kinds cannot be added: {mine} and {theirs}.")
        tables = [np.concatenate(pair) for pair in zip(_tables(self), _tables(other), strict=True)]
        return _collect(self.names, [*self.groups, *other.groups], tables)

    def index(self, label: Any, argument: str = "reference") -> int:
        """Return the position of a group, given by its label or, if several features, a tuple.

        Raises
        ------
        InputError
            If there is no such group.
        """
        wanted = tuple(map(str, label)) if isinstance(label, (tuple, list)) else None
        for i, (group, name) in enumerate(zip(self.groups, self.labels, strict=True)):
            if name == label or str(name) == str(label) or tuple(map(str, group)) == wanted:
                return i
        raise InputError(
            f"{argument}: {self.feature!r} has no group {label!r}. "
            f"Its groups are: {join_names(self.labels, 12)}."
        )

    def margin(self, *names: str) -> "GroupCounts":
        """Sum over everything but the named features.

        Raises
        ------
        InputError
            If a name is unknown.
        """
        for name in names:
            if name not in self.names:
                raise InputError(
                    f"The counts have no feature {name!r}. Theirs are: {join_names(self.names)}."
                )
        if names == self.names:
            return self
        where = [self.names.index(name) for name in names]
        keys = [tuple(group[i] for i in where) for group in self.groups]
        return _collect(names, keys, _tables(self))

    def select(self, name: str, label: Any) -> "GroupCounts":
        """Keep the groups with one label of a feature (one environment, say) and drop the feature.

        Raises
        ------
        InputError
            If the name or the label is unknown, or no other feature would be left.
        """
        labels = self.margin(name)
        wanted = labels.groups[labels.index(label, name)][0]
        rest = tuple(n for n in self.names if n != name)
        if not rest:
            raise InputError(f"{name!r} is the only feature; selecting one label leaves no groups.")
        where = self.names.index(name)
        return self.keep([group[where] == wanted for group in self.groups]).margin(*rest)

    def keep(self, mask: Any) -> "GroupCounts":
        """Keep the groups where the mask is true."""
        rows = np.flatnonzero(np.asarray(mask, dtype=bool))
        kept = [table[rows] for table in _tables(self)]
        return replace(self, **_fields(kept), groups=tuple(self.groups[i] for i in rows))

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per group: its labels, n, selected and, if known, the outcome cells."""
        import pandas as pd

        columns: dict[str, Any] = {
            name: [group[i] for group in self.groups] for i, name in enumerate(self.names)
        }
        columns |= {"n": self.n, "selected": self.selected}
        if self.has_outcome:
            columns |= dict(zip(CONFUSION, self.counts.reshape(-1, 4).T, strict=True))
        if self.weights is not None:
            columns |= {"weight": self.weights.sum(axis=(1, 2))}
        return pd.DataFrame(columns)


def _describe(counts: GroupCounts) -> str:
    return (
        f"{join_names(counts.names)} {'with' if counts.has_outcome else 'without'} outcome, "
        f"{'weighted' if counts.weights is not None else 'unweighted'}"
    )


def _tables(counts: GroupCounts) -> list[np.ndarray]:
    candidates = (counts.counts, counts.weights, counts.squared_weights)
    return [table for table in candidates if table is not None]


def _fields(tables: Sequence[np.ndarray]) -> dict[str, Any]:
    return dict(zip(("counts", "weights", "squared_weights"), tables, strict=False))


def _collect(
    names: tuple[str, ...], keys: Sequence[tuple[Any, ...]], tables: Sequence[np.ndarray]
) -> GroupCounts:
    """Add up the lines of equal keys and sort the groups."""
    distinct = list(dict.fromkeys(keys))
    try:
        distinct.sort()
    except TypeError:
        distinct.sort(key=lambda key: [(str(part), str(type(part))) for part in key])
    position = {key: i for i, key in enumerate(distinct)}
    rows = np.array([position[key] for key in keys], dtype=np.intp)
    summed = []
    for table in tables:
        total = np.zeros((len(distinct), *table.shape[1:]), dtype=table.dtype)
        np.add.at(total, rows, table)
        summed.append(total)
    return GroupCounts(names, tuple(distinct), **_fields(summed))


def _read_cells(table: Table, n: str, selected: str, confusion: Sequence[str] | None) -> np.ndarray:
    if confusion is not None:
        if isinstance(confusion, str) or len(confusion) != 4:
            raise InputError(
                "confusion must name four columns: true negatives, false positives, "
                "false negatives, true positives."
            )
        return np.stack([_whole(table[name]) for name in confusion], axis=1).reshape(-1, 2, 2)
    total, chosen = _whole(table[n]), _whole(table[selected])
    n_excess = int((chosen > total).sum())
    if n_excess:
        raise InputError(
            f"Column {selected!r} exceeds column {n!r} in {n_excess} line(s); "
            "no more can be selected than there are."
        )
    return np.stack([total - chosen, chosen], axis=1).reshape(-1, 1, 2)


def _whole(column: Column) -> np.ndarray:
    values = column.values if column.kind == "numeric" else np.array([np.nan])
    if not (np.isfinite(values) & (values >= 0) & (values == np.floor(values))).all():
        raise InputError(
            f"Column {column.name!r} must hold whole numbers that are not negative and none "
            "missing: it counts rows."
        )
    return values.astype(np.int64)
