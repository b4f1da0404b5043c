"""From a table of mixed columns to one kernel and the matrix it reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, as_table
from shiftlab._core.names import missing_column_message
from shiftlab._core.random import RandomState
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.kernels._bandwidth import choose_bandwidth, robust_scale
from shiftlab.kernels._functions import Bandwidth, Delta, Gaussian, Kernel
from shiftlab.kernels._product import ProductKernel

__all__ = ["kernel_for", "kernel_matrix"]


def kernel_for(
    data: Any,
    *,
    bandwidth: Any = "median",
    kernels: Mapping[str, Kernel] | None = None,
    random_state: RandomState = 0,
) -> Kernel:
    """Choose a kernel for the rows of a table; it reads the columns of `kernel_matrix`.

    Numbers and dates share one Gaussian kernel, each column measured in units of its robust scale
    times a common bandwidth; categories and booleans share one delta kernel; the two are
    multiplied.

    Parameters
    ----------
    data : Table, array of shape (n_rows, n_columns), mapping of columns, or data frame
        The table. To compare several tables, join them first: codes and scales must be common.
    bandwidth : {"median", "silverman", "scott"}, float or tuple of float, default "median"
        Of the Gaussian kernel, in units of the robust scales of the columns.
    kernels : mapping of column name to Kernel, optional
        Kernels for single columns, used as they are on the raw numbers or codes.
    random_state : RandomState, default 0
        Seed of the subsample of the median rule, see `median_bandwidth`.

    Returns
    -------
    Kernel

    Raises
    ------
    InputError
        If cells are missing.
    ColumnNotFoundError
        If `kernels` names a column that does not exist.

    Examples
    --------
    >>> from shiftlab.kernels import kernel_for, kernel_matrix
    >>> data = {"age": [30, 40, 50], "site": ["a", "b", "a"]}
    >>> kernel_for(data)
    ProductKernel(parts=((Gaussian(bandwidth=(10.0...,)), (0,)), (Delta(), (1,))))
    >>> kernel_for(data)(kernel_matrix(data)).round(3)
    array([[1.   , 0.   , 0.135],
           [0.   , 1.   , 0.   ],
           [0.135, 0.   , 1.   ]])
    """
    table = as_table(data)
    own = dict(kernels or {})
    for name in own:
        if name not in table:
            raise ColumnNotFoundError(missing_column_message(name, table.names, "kernels"))
    matrix = kernel_matrix(table)
    free = [i for i, column in enumerate(table) if column.name not in own]
    numbers = [i for i in free if table.columns[i].is_number]
    labels = [i for i in free if not table.columns[i].is_number]
    parts: list[tuple[Kernel, list[int]]] = []
    if numbers:
        lengths = _lengths(matrix[:, numbers], bandwidth, random_state)
        parts.append((Gaussian(lengths), numbers))
    if labels:
        parts.append((Delta(), labels))
    parts += [(own[c.name], [i]) for i, c in enumerate(table) if c.name in own]
    alone = len(parts) == 1 and len(parts[0][1]) == matrix.shape[1]
    return parts[0][0] if alone else ProductKernel(parts)


def kernel_matrix(data: Any) -> np.ndarray:
    """Return a table as the float64 matrix that kernels read: numbers, and codes of categories.

    Parameters
    ----------
    data : Table, array of shape (n_rows, n_columns), mapping of columns, or data frame
        The table.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_columns)
        Columns in the order of the table.

    Raises
    ------
    InputError
        If cells are missing.

    Examples
    --------
    >>> from shiftlab.kernels import kernel_matrix
    >>> kernel_matrix({"age": [30, 40], "site": ["b", "a"]})
    array([[30.,  1.],
           [40.,  0.]])
    """
    table = as_table(data)
    for column in table:
        _refuse_missing(column)
    return np.column_stack([column.values.astype(np.float64) for column in table])


def _lengths(numbers: np.ndarray, rule: Any, random_state: RandomState) -> Bandwidth:
    scales = np.array(robust_scale(numbers))
    common = choose_bandwidth(numbers / scales, rule, random_state=random_state)
    return tuple(float(length) for length in scales * np.asarray(common))


def _refuse_missing(column: Column) -> None:
    n_missing = int(column.missing.sum())
    if n_missing:
        raise InputError(
            f"Column {column.name!r} has {n_missing} missing cell(s), which no kernel can compare. "
            "Fill them, give them a label of their own, or remove these rows."
        )
