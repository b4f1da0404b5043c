"""One thread per task: parallelism comes from `n_jobs`, and results do not depend on it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["single_threaded"]

_guard = threading.Lock()
_users = 0
_limits: Any = None


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit BLAS and OpenMP to one thread while any thread of this process is inside.

    The number of threads changes the order of sums and so the last bits of results, and threads
    that outnumber the free cores wait for each other by spinning. Users are counted because the
    limit belongs to the process, not the thread.
    """
    global _users, _limits
    from threadpoolctl import threadpool_limits

    with _guard:
        if _users == 0:
            _limits = threadpool_limits(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _guard:
            _users -= 1
            if _users == 0:
                _limits.restore_original_limits()


def _forget_users() -> None:
    # A forked child inherits the count but not the threads that would lower it again.
    global _users, _guard
    _users, _guard = 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_users)
