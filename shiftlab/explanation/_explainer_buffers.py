"""One table of queries per thread, filled again and again.

A fresh table of a few megabytes costs more to get from the system than to fill. The same memory is
therefore used for every call of the model, unless somebody still holds the last one: a model that
records its inputs, or that explains something itself, keeps what it was given.
"""

import sys
import threading

import numpy as np

__all__ = ["query_table", "rows_per_call"]

#: Larger tables are not kept.
MAX_CELLS = 4_000_000


#: Cells of one call of the model: larger tables leave the cache, smaller ones cost calls.
CELLS_PER_CALL = 400_000
LEAST_ROWS, MOST_ROWS = 10_000, 40_000


def rows_per_call(n_columns: int) -> int:
    """Return how many rows of so many columns to ask the model about at once."""
    return int(np.clip(CELLS_PER_CALL // n_columns, LEAST_ROWS, MOST_ROWS))


class _Store(threading.local):
    def __init__(self) -> None:
        self.memory = np.empty(0)
        self.alone = self.references()

    def references(self) -> int:
        """Count who refers to the memory; views of it count."""
        return sys.getrefcount(self.memory)


_STORE = _Store()


def query_table(n_rows: int, n_columns: int) -> np.ndarray:
    """Return an uninitialised table that nobody else holds.

    Parameters
    ----------
    n_rows, n_columns : int
        Its shape. The memory is free for the next call once the table and its views are gone.
    """
    size = n_rows * n_columns
    if size > MAX_CELLS:
        return np.empty((n_rows, n_columns))
    if _STORE.memory.size < size or _STORE.references() > _STORE.alone:
        _STORE.memory = np.empty(size)
    return _STORE.memory[:size].reshape(n_rows, n_columns)
