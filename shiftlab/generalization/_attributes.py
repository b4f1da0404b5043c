"""Sensitive attributes as a design matrix: crossed groups or numbers, as seen in fit."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_length
from shiftlab._core.columns import Column
from shiftlab._core.frames import as_table
from shiftlab._core.names import join_names
from shiftlab.exceptions import DegenerateDataError, InputError

__all__ = ["Attributes", "Coded", "read_attributes"]

#: A number with more distinct values than this is a continuous attribute.
MAX_LEVELS = 10
#: The same for numbers that are not whole.
MAX_FRACTIONS = 4


@dataclass(frozen=True, eq=False)
class Coded:
    """Attributes of rows, coded.

    Attributes
    ----------
    design : ndarray of shape (n_rows, n_columns)
        Uncentred design of the effect.
    group : ndarray of int or None
        Group of each row; None if an attribute is a number.
    """

    design: np.ndarray
    group: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Attributes:
    """The coding learned in fit.

    Attributes
    ----------
    names : tuple of str
        Names of the attributes.
    groups : tuple
        Labels of the groups (tuples if several attributes are crossed); empty if an attribute is a
        number.
    levels : tuple
        For each attribute the labels seen, or (mean, standard deviation, low, high) of a number.
    """

    names: tuple[str, ...]
    groups: tuple[Any, ...]
    levels: tuple[tuple[Any, ...], ...]

    @property
    def crossed(self) -> bool:
        """Whether all attributes are categories, so that rows fall into groups."""
        return bool(self.groups)

    @property
    def n_columns(self) -> int:
        """Columns of the design."""
        if self.crossed:
            return len(self.groups) - 1
        return sum(2 if _is_range(levels) else len(levels) - 1 for levels in self.levels)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns of the design."""
        if self.crossed:
            return [f"{g}" for g in self.groups[1:]]
        names: list[str] = []
        for name, levels in zip(self.names, self.levels, strict=True):
            names += [name, f"{name} squared"] if _is_range(levels) else map(str, levels[1:])
        return names

    def code(self, sensitive_features: Any, n_rows: int) -> Coded:
        """Code the attributes of new rows.

        Raises
        ------
        InputError
            If a label was not seen in fit, a cell is missing or the length is wrong.
        """
        columns = _columns(sensitive_features, n_rows)
        if len(columns) != len(self.names):
            raise InputError(
                f"sensitive_features has {len(columns)} column(s), but {len(self.names)} in fit: "
                f"{join_names(list(self.names))}."
            )
        if self.crossed:
            return self._code_groups(columns)
        parts = [_code_column(c, levels) for c, levels in zip(columns, self.levels, strict=True)]
        return Coded(np.column_stack(parts), None)

    def of_groups(self, group: np.ndarray) -> Coded:
        """Code rows whose groups are given by number."""
        return Coded((group[:, None] == np.arange(1, len(self.groups))).astype(float), group)

    @staticmethod
    def raw(label: Any) -> Any:
        """Return a label as it may be given again: whole numbers as numbers."""
        if isinstance(label, tuple):
            return tuple(Attributes.raw(part) for part in label)
        return int(label) if str(label).lstrip("-").isdigit() else label

    def _code_groups(self, columns: list[Column]) -> Coded:
        labels = [_labels(column) for column in columns]
        rows = labels[0].tolist() if len(labels) == 1 else list(zip(*labels, strict=True))
        known = {group: i for i, group in enumerate(self.groups)}
        unseen = {row for row in set(rows) if row not in known}
        if unseen:
            raise InputError(
                f"sensitive_features: {len(unseen)} group(s) were not seen in fit: "
                f"{join_names(sorted(map(str, unseen)))}. Known are "
                f"{join_names([str(g) for g in self.groups], 12)}."
            )
        group = np.array([known[row] for row in rows])
        return self.of_groups(group)


def read_attributes(sensitive_features: Any, n_rows: int) -> tuple[Attributes, Coded]:
    """Learn the coding; the largest group comes first and is the one that others differ from."""
    columns = _columns(sensitive_features, n_rows)
    names = tuple(c.name for c in columns)
    numbers = [_is_continuous(c) for c in columns]
    if any(numbers):
        levels = tuple(
            _range(c) if number else tuple(np.unique(_labels(c)).tolist())
            for c, number in zip(columns, numbers, strict=True)
        )
        attributes = Attributes(names, (), levels)
        return attributes, attributes.code(sensitive_features, n_rows)
    labels = [_labels(column) for column in columns]
    rows = labels[0].tolist() if len(labels) == 1 else list(zip(*labels, strict=True))
    counts: dict[Any, int] = {}
    for row in rows:
        counts[row] = counts.get(row, 0) + 1
    groups = tuple(sorted(counts, key=lambda g: (-counts[g], str(g))))
    if len(groups) < 2:
        raise DegenerateDataError(
            f"sensitive_features: {join_names(list(names))} has a single group; there is no "
            "other group that a row could belong to."
        )
    levels = tuple(tuple(np.unique(part).tolist()) for part in labels)
    attributes = Attributes(names, groups, levels)
    return attributes, attributes.code(sensitive_features, n_rows)


def _columns(sensitive_features: Any, n_rows: int) -> list[Column]:
    if np.isscalar(sensitive_features) or isinstance(sensitive_features, tuple):
        sensitive_features = _repeat(sensitive_features, n_rows)
    is_flat = np.ndim(sensitive_features) == 1
    table = as_table(
        sensitive_features,
        name="sensitive_features",
        columns=["sensitive_features"]
        if is_flat and not hasattr(sensitive_features, "name")
        else None,
    )
    check_length(table.columns[0].values, n_rows, "sensitive_features")
    for column in table:
        n_missing = int(column.missing.sum())
        if n_missing:
            raise InputError(
                f"sensitive_features: {column.name!r} has {n_missing} missing value(s). Give them "
                "a label of their own or remove these rows; they are never dropped silently."
            )
    return list(table)


def _repeat(value: Any, n_rows: int) -> np.ndarray:
    parts = value if isinstance(value, tuple) else (value,)
    cells = np.empty((n_rows, len(parts)), dtype=object)
    cells[:] = parts
    return cells


def _is_continuous(column: Column) -> bool:
    if not column.is_number:
        return False
    distinct = np.unique(column.values)
    whole = bool((distinct == np.round(distinct)).all())
    return len(distinct) > (MAX_LEVELS if whole else MAX_FRACTIONS)


def _labels(column: Column) -> np.ndarray:
    if column.is_number:
        values = column.values
        whole = np.all(values == np.round(values))
        return values.astype(int).astype(str) if whole else values.astype(str)
    return np.array([str(c) for c in column.categories])[column.values]


def _range(column: Column) -> tuple[float, ...]:
    values = column.values
    spread = float(values.std()) or 1.0
    return float(values.mean()), spread, float(values.min()), float(values.max())


def _is_range(levels: tuple[Any, ...]) -> bool:
    return len(levels) == 4 and all(isinstance(v, float) for v in levels)


def _code_column(column: Column, levels: tuple[Any, ...]) -> np.ndarray:
    """Code a number as itself and its square, a category as indicators of all but its first."""
    if _is_range(levels):
        if not column.is_number:
            raise InputError(f"sensitive_features: {column.name!r} was a number in fit.")
        mean, spread, low, high = levels
        z = (np.clip(column.values, low, high) - mean) / spread
        return np.column_stack([z, z**2])
    labels = _labels(column)
    unseen = sorted(set(labels.tolist()) - set(levels))
    if unseen:
        raise InputError(
            f"sensitive_features: {column.name!r} has label(s) that were not seen in fit: "
            f"{join_names(unseen)}. Known are {join_names(list(levels), 12)}."
        )
    return (labels[:, None] == np.array(levels[1:])).astype(float)
