"""How `environment` and `sensitive_features` reach an estimator: a column of X, or a keyword.

A column of X named in the constructor arrives everywhere (pipelines, searches, scorers); a keyword
of ``fit`` or ``predict`` does not on scikit-learn 1.6 to 1.9. Estimators therefore offer both and
read them through `split_channel`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shiftlab._core.checks import check_length
from shiftlab._core.frames import check_frame
from shiftlab._core.names import missing_column_message
from shiftlab.exceptions import ColumnNotFoundError, InputError

__all__ = ["split_channel"]


def split_channel(X: Any, columns: Any, keyword: Any, argument: str) -> tuple[Any, Any]:
    """Separate the covariates from what a column of X or a keyword says about the rows.

    Parameters
    ----------
    X : array or data frame of shape (n_rows, n_columns)
        What the estimator was given; it is not changed.
    columns : str, int, sequence of these, or None
        Column or columns of X that the constructor names.
    keyword : array of shape (n_rows,) or (n_rows, k), data frame, or None
        What ``fit`` or ``predict`` was given.
    argument : str
        ``"environment"`` or ``"sensitive_features"``, for messages.

    Returns
    -------
    covariates : array or data frame
        X without the named columns, of the type of X.
    values : array, data frame, or None
        The named columns (one-dimensional if a single name was given) or the keyword; None if
        there is neither.

    Raises
    ------
    ColumnNotFoundError
        If X lacks a named column.
    InputError
        If both channels are used, the keyword has another length than X, or X is a lazy frame or
        repeats a column name.
    """
    check_frame(X)
    if columns is None:
        if keyword is not None:
            check_length(keyword, _n_rows(X), argument)
        return X, keyword
    if keyword is not None:
        raise InputError(
            f"{argument} was given twice: the constructor names the column(s) {columns!r} of X, "
            "and a keyword was passed too. Leave one of them out."
        )
    single = isinstance(columns, (str, int, np.integer))
    names = [columns] if single else list(columns)
    if _is_frame(X):
        return _split_frame(X, names, argument, single)
    return _split_array(X, names, argument, single)


def _n_rows(X: Any) -> int:
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _is_frame(X: Any) -> bool:
    import narwhals.stable.v2 as nw

    return isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame)


def _split_frame(X: Any, names: Sequence[Any], argument: str, single: bool) -> tuple[Any, Any]:
    import narwhals.stable.v2 as nw

    frame = nw.from_native(X, eager_only=True)
    # An integer is a position, as in scikit-learn's ColumnTransformer.
    positions = [_position(name, list(frame.columns), argument) for name in names]
    rest = [i for i in range(len(frame.columns)) if i not in set(positions)]
    taken = frame[:, positions]
    values = taken[:, 0].to_numpy() if single else taken.to_native()
    return frame[:, rest].to_native(), values


def _split_array(X: Any, names: Sequence[Any], argument: str, single: bool) -> tuple[Any, Any]:
    array = X if hasattr(X, "shape") else np.asarray(X)
    if array.ndim != 2:
        raise InputError(f"X must be two-dimensional, found {array.ndim} dimension(s).")
    positions = [_position(name, range(array.shape[1]), argument) for name in names]
    rest = [i for i in range(array.shape[1]) if i not in set(positions)]
    taken = array[:, positions]
    taken = taken.toarray() if hasattr(taken, "toarray") else taken
    return array[:, rest], taken[:, 0] if single else taken


def _position(name: Any, available: Sequence[Any], argument: str) -> int:
    if name in available and not isinstance(available, range):
        return list(available).index(name)
    if isinstance(name, (int, np.integer)) and -len(available) <= name < len(available):
        return int(name) % len(available)
    raise ColumnNotFoundError(missing_column_message(name, [*map(str, available)], argument))
