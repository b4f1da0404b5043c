"""A cache that forgets what was not used for longest once it holds too many bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["ByteCache"]


class ByteCache:
    """Values by key, up to a number of bytes.

    Parameters
    ----------
    max_bytes : int
        The newest value is kept whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """Return the value of a key; `make` gives it and its size in bytes if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]
        value, size = make()
        self._values[key] = value, size
        self.n_bytes += size
        while self.n_bytes > self.max_bytes and len(self._values) > 1:
            _, (_, released) = self._values.popitem(last=False)
            self.n_bytes -= released
        return value

    def __len__(self) -> int:
        return len(self._values)
