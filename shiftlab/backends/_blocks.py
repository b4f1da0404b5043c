"""Loops over rows, and over pairs of rows, that keep a memory bound.

A sum over all pairs of n rows needs no n x n array: the pairs are visited in rectangular blocks,
in an order that depends on the sizes alone.
"""

from collections.abc import Callable, Iterator
from math import isqrt
from typing import Any

from shiftlab._core.validation import check_integer
from shiftlab.backends._arrays import Array, array_namespace

__all__ = [
    "MAX_BYTES",
    "default_max_bytes",
    "map_row_blocks",
    "pair_blocks",
    "row_blocks",
    "sum_over_pairs",
]

#: Default bound on the working memory of a blocked loop on the host, in bytes (8 MiB): blocks
#: that fit the caches of a processor are the fastest.
MAX_BYTES = 2**23

#: The same on an accelerator (512 MiB), which needs large blocks to be busy.
ACCELERATOR_BYTES = 2**29

#: What one pair of rows costs while a kernel is evaluated: three arrays of float64.
BYTES_PER_PAIR = 24


def row_blocks(n_rows: int, bytes_per_row: int, *, max_bytes: int = MAX_BYTES) -> Iterator[slice]:
    """Cut rows into consecutive slices whose working memory stays below a bound.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    bytes_per_row : int
        Working memory that one row needs.
    max_bytes : int, default 8 MiB
        The bound; a slice holds at least one row even if that row exceeds it.

    Yields
    ------
    slice
        In order; together they cover every row once.

    Raises
    ------
    InputError
        If a size is not a positive integer.

    Examples
    --------
    >>> from shiftlab.backends import row_blocks
    >>> list(row_blocks(5, 8, max_bytes=16))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    check_integer(n_rows, "n_rows", minimum=0)
    check_integer(max_bytes, "max_bytes")
    step = max(1, max_bytes // check_integer(bytes_per_row, "bytes_per_row"))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def pair_blocks(
    n_rows: int,
    n_columns: int | None = None,
    *,
    bytes_per_pair: int = BYTES_PER_PAIR,
    max_bytes: int = MAX_BYTES,
) -> Iterator[tuple[slice, slice]]:
    """Cut all pairs (i, j) into rectangular blocks.

    Parameters
    ----------
    n_rows : int
        Range of i.
    n_columns : int, optional
        Range of j. None stands for pairs within one sample: only blocks on and above the diagonal
        are visited (j runs over the same rows), because a symmetric function repeats itself below.
    bytes_per_pair : int, default 24
        Working memory that one pair needs.
    max_bytes : int, default 8 MiB
        Bound on the working memory of a block.

    Yields
    ------
    rows, columns : slice

    Raises
    ------
    InputError
        If a size is not a positive integer.

    Examples
    --------
    >>> from shiftlab.backends import pair_blocks
    >>> for rows, columns in pair_blocks(3, bytes_per_pair=8, max_bytes=32):
    ...     print(rows, columns)
    slice(0, 2, None) slice(0, 2, None)
    slice(0, 2, None) slice(2, 3, None)
    slice(2, 3, None) slice(2, 3, None)
    """
    check_integer(max_bytes, "max_bytes")
    side = max(1, isqrt(max_bytes // check_integer(bytes_per_pair, "bytes_per_pair")))
    for rows in row_blocks(n_rows, 1, max_bytes=side):
        start = rows.start if n_columns is None else 0
        stop = n_rows if n_columns is None else n_columns
        for first in range(start, stop, side):
            yield rows, slice(first, min(first + side, stop))


def sum_over_pairs(
    function: Callable[[slice, slice], Any],
    n_rows: int,
    n_columns: int | None = None,
    *,
    bytes_per_pair: int = BYTES_PER_PAIR,
    max_bytes: int = MAX_BYTES,
) -> Any:
    """Add up what a function returns for each block of pairs.

    Parameters
    ----------
    function : callable
        Gets the slices of a block and returns a number or an array of fixed shape: the sum over
        the pairs of that block.
    n_rows : int
        Range of i.
    n_columns : int, optional
        Range of j. None means pairs within one sample of a function that is symmetric in i and j:
        blocks above the diagonal are computed once and counted twice.
    bytes_per_pair : int, default 24
        Working memory that one pair needs.
    max_bytes : int, default 8 MiB
        Bound on the working memory of a block.

    Returns
    -------
    number or array
        The total over all pairs, the diagonal included.

    Raises
    ------
    InputError
        If a size is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import sum_over_pairs
    >>> x = np.arange(4.0)
    >>> float(sum_over_pairs(lambda r, c: np.abs(x[r, None] - x[c]).sum(), 4, max_bytes=48))
    20.0
    """
    blocks = pair_blocks(n_rows, n_columns, bytes_per_pair=bytes_per_pair, max_bytes=max_bytes)
    total: Any = 0.0
    for rows, columns in blocks:
        twice = n_columns is None and rows != columns
        total = total + (2.0 if twice else 1.0) * function(rows, columns)
    return total


def default_max_bytes(x: Array) -> int:
    """Return the default bound on the working memory where an array lives, in bytes.

    Parameters
    ----------
    x : array
        Only its device is read.

    Returns
    -------
    int
        8 MiB on the host, 512 MiB on an accelerator.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import default_max_bytes
    >>> default_max_bytes(np.ones(3)) == 8 * 2**20
    True
    """
    # Only PyTorch devices have a type; every other library here computes on the host.
    on_host = getattr(x.device, "type", "cpu") == "cpu"
    return MAX_BYTES if on_host else ACCELERATOR_BYTES


def map_row_blocks(
    function: Callable[[Array], Array],
    x: Array,
    *,
    bytes_per_row: int,
    max_bytes: int | None = None,
) -> Array:
    """Apply a row-wise function to blocks of rows and stack the results.

    Parameters
    ----------
    function : callable
        Maps an array with k rows to an array with k rows; each row of the result may depend on
        the same row of the input only.
    x : array of shape (n_rows, ...)
        The rows; at least one.
    bytes_per_row : int
        Working memory that one row needs.
    max_bytes : int, optional
        Bound on the working memory of a block; default `default_max_bytes`.

    Returns
    -------
    array of shape (n_rows, ...)

    Raises
    ------
    InputError
        If a size is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import map_row_blocks
    >>> map_row_blocks(np.square, np.arange(3.0), bytes_per_row=8, max_bytes=16)
    array([0., 1., 4.])
    """
    max_bytes = default_max_bytes(x) if max_bytes is None else max_bytes
    blocks = list(row_blocks(x.shape[0], bytes_per_row, max_bytes=max_bytes))
    first = function(x[blocks[0], ...])
    if len(blocks) == 1:
        return first
    xp = array_namespace(first)
    result = xp.empty((x.shape[0], *first.shape[1:]), dtype=first.dtype, device=first.device)
    result[blocks[0], ...] = first
    for rows in blocks[1:]:
        result[rows, ...] = function(x[rows, ...])
    return result
