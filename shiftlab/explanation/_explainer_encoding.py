"""Tables as float64 matrices and back: explainers calculate on numbers, models see their own type.

Numbers keep their values; labels become codes. A matrix is given back to the model as an array if
the explainer was fitted on an array, and as a data frame of the same kind otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, as_table
from shiftlab._core.names import join_names, missing_column_message
from shiftlab.exceptions import ColumnNotFoundError, InputError, InputWarning

__all__ = ["Encoding", "column_positions", "learn_encoding", "to_dense"]


def to_dense(X: Any) -> Any:
    """Return sparse matrices and tensors as NumPy arrays, everything else as it is."""
    if hasattr(X, "detach"):
        return X.detach().cpu().numpy()
    return X.toarray() if hasattr(X, "toarray") and hasattr(X, "nnz") else X


@dataclass(frozen=True)
class Encoding:
    """How a table becomes a matrix.

    Attributes
    ----------
    names : tuple of str
        Columns, in order.
    labels : tuple of (tuple or None)
        The label of each code; None for a column of numbers.
    build : callable
        Makes what the model takes of a matrix and the labels of its codes.
    allow_missing : bool
        Whether numbers may be missing (NaN).
    """

    names: tuple[str, ...]
    labels: tuple[tuple[Any, ...] | None, ...]
    build: "Callable[[np.ndarray, Encoding], Any]"
    allow_missing: bool = False

    @property
    def coded(self) -> list[int]:
        """Positions of the columns that hold codes."""
        return [j for j, labels in enumerate(self.labels) if labels is not None]

    def encode(self, X: Any, name: str = "X") -> "tuple[np.ndarray, Encoding]":
        """Return the matrix of a table and the encoding that reads it back.

        Labels that were not seen before get codes of their own behind the known ones.
        """
        X = to_dense(X)
        if not self.coded and isinstance(X, np.ndarray) and X.dtype.kind in "fiub":
            return _check_matrix(X, self.names, name, self.allow_missing), self
        table = as_table(X, name=name)
        if len(table.columns) != len(self.names):
            raise InputError(
                f"{name} has {len(table.columns)} columns, but the explainer was fitted on "
                f"{len(self.names)}."
            )
        if not isinstance(X, np.ndarray):
            table = table.select(self.names)
        matrix = np.empty((table.n_rows, len(self.names)))
        labels = list(self.labels)
        for j, column in enumerate(table.columns):
            matrix[:, j], labels[j] = _encode_column(
                column, self.labels[j], name, self.allow_missing
            )
        new = [n for n, a, b in zip(self.names, labels, self.labels, strict=True) if a != b]
        if new:
            from warnings import warn

            warn(
                f"{name}: {join_names(new)} holds categories that the explainer was not fitted on. "
                "They are explained, but no perturbation has them.",
                InputWarning,
                stacklevel=4,
            )
        return matrix, replace(self, labels=tuple(labels))

    def decode(self, matrix: np.ndarray) -> Any:
        """Return a matrix in the form that the model takes."""
        return self.build(matrix, self)


def learn_encoding(X: Any, *, allow_missing: bool = False) -> tuple[np.ndarray, Encoding]:
    """Read the table that an explainer is fitted on."""
    X = to_dense(X)
    table = as_table(X)
    labels = tuple(None if column.is_number else column.categories for column in table.columns)
    build = _builder(X, any(label is not None for label in labels))
    encoding = Encoding(table.names, labels, build, allow_missing)
    return encoding.encode(X)[0], encoding


def column_positions(columns: Any, names: Sequence[str], argument: str) -> list[int]:
    """Turn names or positions of columns into positions."""
    if columns is None:
        return []
    given = [columns] if isinstance(columns, (str, int, np.integer)) else list(columns)
    positions = []
    for column in given:
        if isinstance(column, (int, np.integer)) and not isinstance(column, bool):
            if not -len(names) <= column < len(names):
                raise ColumnNotFoundError(missing_column_message(column, names, argument))
            positions.append(int(column) % len(names))
        elif column in names:
            positions.append(list(names).index(str(column)))
        else:
            raise ColumnNotFoundError(missing_column_message(column, names, argument))
    return sorted(set(positions))


def _check_matrix(
    X: np.ndarray, names: Sequence[str], name: str, allow_missing: bool
) -> np.ndarray:
    if X.ndim != 2:
        raise InputError(
            f"{name} must be a table (rows by columns), found shape {X.shape}. Reshape your data: "
            "a single row has shape (1, n_columns)."
        )
    if X.shape[1] != len(names):
        raise InputError(
            f"{name} has {X.shape[1]} columns, but the explainer was fitted on {len(names)}."
        )
    if X.shape[0] == 0:
        raise InputError(f"{name} has no rows.")
    matrix = np.ascontiguousarray(X, dtype=np.float64)
    refused = _refused(matrix, allow_missing)
    if refused.any():
        bad = [names[int(j)] for j in np.flatnonzero(refused.any(axis=0))]
        raise InputError(_not_finite(name, bad, allow_missing))
    return matrix


def _refused(values: np.ndarray, allow_missing: bool) -> np.ndarray:
    return np.isinf(values) if allow_missing else ~np.isfinite(values)


def _not_finite(name: str, columns: Sequence[str], allow_missing: bool) -> str:
    if allow_missing:
        return (
            f"{name} has infinite values in {join_names(columns)}; a perturbation is not defined."
        )
    return (
        f"{name} has missing or infinite values in {join_names(columns)}. A perturbation of them "
        "is not defined: impute them in front of the explainer."
    )


def _encode_column(
    column: Column, known: tuple[Any, ...] | None, name: str, allow_missing: bool
) -> tuple[np.ndarray, tuple[Any, ...] | None]:
    if known is None:
        if not column.is_number and column.kind != "boolean":
            raise InputError(
                f"{name}: column {column.name!r} holds labels, but the explainer was fitted on "
                "numbers."
            )
        values = np.asarray(column.values, dtype=np.float64)
        if allow_missing and column.missing.any():
            values = np.where(column.missing, np.nan, values)
        missing_flag = column.kind == "boolean" and column.missing.any() and not allow_missing
        if _refused(values, allow_missing).any() or missing_flag:
            raise InputError(_not_finite(name, [column.name], allow_missing))
        return values, None
    coded = column.as_categorical()
    if coded.missing.any():
        raise InputError(
            f"{name}: column {column.name!r} has {int(coded.missing.sum())} missing label(s). "
            "Give them a label of their own, for instance 'unknown'."
        )
    codes = {label: i for i, label in enumerate(known)}
    for i in np.unique(coded.values):
        codes.setdefault(coded.categories[i], len(codes))
    lookup = np.array([codes.get(label, -1) for label in coded.categories], dtype=np.float64)
    return lookup[coded.values], tuple(codes)


def _builder(X: Any, has_labels: bool) -> Callable[[np.ndarray, Encoding], Any]:
    import narwhals.stable.v2 as nw

    native = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(native, nw.DataFrame):
        return _object_array if has_labels else _plain_array
    if nw.dependencies.is_pandas_dataframe(X):
        return _PandasBuilder(list(X.columns), [str(dtype) for dtype in X.dtypes])
    return _FrameBuilder(nw.get_native_namespace(native).__name__)


def _plain_array(matrix: np.ndarray, encoding: Encoding) -> np.ndarray:
    return matrix


def _cells(column: np.ndarray, labels: tuple[Any, ...] | None) -> np.ndarray:
    if labels is None:
        return column
    lookup = np.empty(len(labels), dtype=object)
    lookup[:] = labels
    found = lookup[column.astype(np.intp)]
    return found.astype(bool) if all(isinstance(label, bool) for label in labels) else found


def _object_array(matrix: np.ndarray, encoding: Encoding) -> np.ndarray:
    cells = np.empty(matrix.shape, dtype=object)
    for j, labels in enumerate(encoding.labels):
        cells[:, j] = _cells(matrix[:, j], labels)
    return cells


@dataclass(frozen=True)
class _PandasBuilder:
    columns: list[Any]
    dtypes: list[str]

    def __call__(self, matrix: np.ndarray, encoding: Encoding) -> Any:
        import pandas as pd

        if not encoding.coded:
            return pd.DataFrame(matrix, columns=self.columns)
        cells: dict[int, Any] = {}
        for j, (dtype, labels) in enumerate(zip(self.dtypes, encoding.labels, strict=True)):
            if dtype == "category" and labels is not None:
                codes: Any = matrix[:, j].astype(np.int32)
                cells[j] = pd.Categorical.from_codes(codes, categories=pd.Index(labels))
            else:
                cells[j] = _cells(matrix[:, j], labels)
        frame = pd.DataFrame(cells)
        frame.columns = self.columns
        return frame


@dataclass(frozen=True)
class _FrameBuilder:
    library: Any

    def __call__(self, matrix: np.ndarray, encoding: Encoding) -> Any:
        import narwhals.stable.v2 as nw

        cells = {
            name: list(_cells(matrix[:, j], labels)) if labels is not None else matrix[:, j].copy()
            for j, (name, labels) in enumerate(zip(encoding.names, encoding.labels, strict=True))
        }
        return nw.from_dict(cells, backend=self.library).to_native()
