"""Progress of long work: off by default, a bar on standard error, or the caller's function."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

__all__ = ["Progress", "Ticker", "progress_ticker", "track"]

Progress: TypeAlias = bool | Callable[[int, int, str], None]
T = TypeVar("T")


class Ticker:
    """Counts finished steps and tells whoever listens."""

    def __init__(self, total: int, description: str, progress: Progress) -> None:
        self._total, self._description, self._done = total, description, 0
        self._listener = progress if callable(progress) else None
        self._bar = None
        if progress is True:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=description, leave=False)

    def step(self, n: int = 1, description: str | None = None) -> None:
        """Report `n` finished steps, optionally with a new description."""
        self._done += n
        if description is not None:
            self._description = description
        if self._bar is not None:
            if description is not None:
                self._bar.set_description(description)
            self._bar.update(n)
        if self._listener is not None:
            self._listener(self._done, self._total, self._description)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


@contextmanager
def progress_ticker(total: int, description: str, progress: Progress = False) -> Iterator[Ticker]:
    """Open a ticker for `total` steps; see `track` for the meaning of `progress`."""
    ticker = Ticker(total, description, progress)
    try:
        yield ticker
    finally:
        ticker.close()


def track(
    items: Iterable[T], total: int, description: str, progress: Progress = False
) -> Iterator[T]:
    """Yield items and report each as done once the consumer asks for the next.

    Parameters
    ----------
    items : iterable
        The work.
    total : int
        Number of items.
    description : str
        What is being done.
    progress : bool or callable, default False
        True draws a bar on standard error; a callable gets (done, total, description).
    """
    with progress_ticker(total, description, progress) as ticker:
        for item in items:
            yield item
            ticker.step()
