"""One thread per task: parallelism comes from `n_jobs`, and results do not depend on it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["single_threaded"]

_guard = threading.Lock()
_users = 0
_blas_limits: list[Any] = []
_thread = threading.local()


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit BLAS and OpenMP to one thread in the calling thread.

    The number of threads changes the order of sums and so the last bits of results, and threads
    that outnumber the free cores wait for each other by spinning. OpenMP counts per calling thread,
    so every thread limits its own. The limit of BLAS belongs to the process: its users are counted
    and the last one lifts it. Whoever starts threads should be inside while they run, because
    threadpoolctl lets one thread only change the limit of BLAS.
    """
    inside = getattr(_thread, "n_modules", 0)
    if inside == len(sys.modules):  # no library was loaded since this thread entered
        yield
        return
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    _enter_blas(controller.select(user_api="blas"))
    _thread.n_modules = len(sys.modules)
    try:
        with controller.select(user_api="openmp").limit(limits=1):
            yield
    finally:
        _thread.n_modules = inside
        _leave_blas()


def _enter_blas(libraries: Any) -> None:
    global _users
    with _guard:
        if any(library["num_threads"] != 1 for library in libraries.info()):
            _blas_limits.append(libraries.limit(limits=1))
        _users += 1


def _leave_blas() -> None:
    global _users
    with _guard:
        _users -= 1
        while _blas_limits and _users == 0:
            _blas_limits.pop().restore_original_limits()


def _forget_users() -> None:
    # A forked child inherits the count but not the threads that would lower it again.
    global _users, _guard, _thread
    _users, _guard, _thread = 0, threading.Lock(), threading.local()
    _blas_limits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_users)
