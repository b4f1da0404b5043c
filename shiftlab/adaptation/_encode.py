"""From the covariates as given to a matrix of numbers in which a variable is one or more columns.

A categorical variable becomes one column per category and is selected as a whole; a category that
was not seen in training becomes zeros and is counted, so that it can be reported.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, as_table
from shiftlab._core.names import join_names, missing_column_message
from shiftlab.exceptions import ColumnNotFoundError, DegenerateDataError, InputError

__all__ = ["Encoder", "fit_encoder"]

#: More categories than this are almost surely an identifier.
MOST_CATEGORIES = 200


@dataclass(frozen=True)
class Encoder:
    """How a table of covariates becomes a matrix.

    Attributes
    ----------
    names : tuple of str
        Variables, in the order of the table.
    categories : tuple
        The categories of each variable as text; None for a number.
    fill : ndarray or None
        What stands for a missing number; None if missing cells are an error.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    fill: np.ndarray | None = None

    @property
    def groups(self) -> np.ndarray:
        """Index of the variable that each column of the matrix belongs to."""
        sizes = [1 if c is None else len(c) for c in self.categories]
        return np.repeat(np.arange(len(self.names)), sizes)

    @property
    def columns(self) -> tuple[str, ...]:
        """Name of each column of the matrix."""
        return tuple(
            name if category is None else f"{name}={category}"
            for name, categories in zip(self.names, self.categories, strict=True)
            for category in (categories if categories is not None else (None,))
        )

    def encode(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the matrix, a mask of missing cells, and a mask of cells with unseen categories.

        Both masks have one column per variable.
        """
        columns = _read(X, self.names)
        n = len(columns[0].values)
        parts, missing = [], np.zeros((n, len(columns)), dtype=bool)
        unseen = np.zeros((n, len(columns)), dtype=bool)
        for j, (column, categories) in enumerate(zip(columns, self.categories, strict=True)):
            missing[:, j] = column.missing
            if categories is None:
                parts.append(self._number(column, j)[:, None])
            else:
                one_hot = _one_hot(column, categories)
                unseen[:, j] = ~missing[:, j] & ~one_hot.any(axis=1)
                parts.append(one_hot.astype(float))
        if self.fill is None and missing.any():
            names = [self.names[j] for j in np.flatnonzero(missing.any(axis=0))]
            raise InputError(
                f"X contains NaN: missing cells in {join_names(names)}. Fill them first (for "
                "instance with sklearn.impute.SimpleImputer), or let rates of missing cells be "
                "summaries: summary=['moments', 'missing']."
            )
        return np.hstack(parts), missing, unseen

    def _number(self, column: Column, j: int) -> np.ndarray:
        if not column.is_number:
            raise InputError(f"X: {self.names[j]!r} was a number in training and is {column.kind}.")
        values = column.values
        return values if self.fill is None else np.where(np.isnan(values), self.fill[j], values)

    def positions(self, variables: Any, argument: str) -> np.ndarray:
        """Return which variables (by name or position) are meant, as a boolean mask."""
        chosen = np.zeros(len(self.names), dtype=bool)
        for variable in [variables] if isinstance(variables, str) else variables:
            if isinstance(variable, (int, np.integer)) and -len(chosen) <= variable < len(chosen):
                chosen[variable] = True
            elif variable in self.names:
                chosen[self.names.index(variable)] = True
            else:
                raise ColumnNotFoundError(missing_column_message(variable, self.names, argument))
        return chosen


def fit_encoder(X: Any, missing: str = "error") -> Encoder:
    """Learn names, categories and, with ``missing="indicator"``, the means of numbers."""
    columns = _read(X, None)
    categories: list[tuple[str, ...] | None] = []
    fill = np.zeros(len(columns))
    for j, column in enumerate(columns):
        if column.is_number:
            categories.append(None)
            observed = column.values[~column.missing]
            fill[j] = observed.mean() if len(observed) else 0.0
            continue
        present = sorted({str(c) for c in np.asarray(column.labels()) if c is not None})
        if len(present) > MOST_CATEGORIES:
            raise DegenerateDataError(
                f"X: {column.name!r} has {len(present)} categories, at most {MOST_CATEGORIES} are "
                "encoded. Leave it out if it is an identifier, or merge rare categories."
            )
        categories.append(tuple(present))
    names = tuple(column.name for column in columns)
    return Encoder(names, tuple(categories), fill if missing == "indicator" else None)


def _read(X: Any, names: tuple[str, ...] | None) -> list[Column]:
    if hasattr(X, "toarray"):
        raise TypeError(
            "X is sparse, which is not supported; dense numbers are needed. Use X.toarray()."
        )
    if not hasattr(X, "columns"):
        return _read_array(np.asarray(X), names)
    return list(as_table(X))


def _read_array(array: np.ndarray, names: tuple[str, ...] | None) -> list[Column]:
    names = names or tuple(f"x{j}" for j in range(array.shape[1]))
    if array.dtype.kind not in "OUS":
        numbers = array.astype(np.float64)
        return [Column(name, "numeric", numbers[:, j]) for j, name in enumerate(names)]
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError):
        return list(as_table(array, columns=names))
    return [Column(name, "numeric", numbers[:, j]) for j, name in enumerate(names)]


def _one_hot(column: Column, categories: tuple[str, ...]) -> np.ndarray:
    coded = column.as_categorical()
    place = {c: i for i, c in enumerate(categories)}
    lookup = np.array([place.get(str(c), -1) for c in coded.categories] + [-1])
    codes = lookup[coded.values]
    return np.asarray(codes[:, None] == np.arange(len(categories)))
