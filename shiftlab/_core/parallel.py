"""Parallel loops through joblib; the result never depends on the number of workers."""

from collections.abc import Callable, Sequence
from typing import Any

from shiftlab._core.progress import Progress, track
from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab._core.threads import single_threaded

__all__ = ["parallel_map", "seeded_map"]


def parallel_map(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    *,
    n_jobs: int | None = None,
    progress: Progress = False,
    description: str = "tasks",
) -> list[Any]:
    """Call ``function(*task)`` for each task and return the results in the order of the tasks.

    BLAS and OpenMP are limited to one thread inside a task, so that results are bit-equal for any
    number of workers.

    Parameters
    ----------
    function : callable
        Must be picklable for process-based backends.
    tasks : sequence of tuple
        Positional arguments of each call.
    n_jobs : int, optional
        As in joblib; None means one worker unless a ``joblib.parallel_config`` context (Dask, Ray,
        loky) says otherwise.
    progress : bool or callable, default False
        True draws a bar on standard error; a callable gets (done, total, description).
    description : str, default "tasks"
        Label of the bar.

    Returns
    -------
    list
        One result per task.
    """
    from joblib import Parallel, delayed

    calls = (delayed(_call)(function, task) for task in tasks)
    with single_threaded():
        results = Parallel(n_jobs=n_jobs, return_as="generator")(calls)
        return list(track(results, len(tasks), description, progress))


def _call(function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    with single_threaded():
        return function(*task)


def seeded_map(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    *,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress = False,
    description: str = "tasks",
) -> list[Any]:
    """Like `parallel_map`, but call ``function(*task, seed)`` with a child seed per task."""
    seeds = spawn_seeds(random_state, len(tasks))
    seeded = [(*task, seed) for task, seed in zip(tasks, seeds, strict=True)]
    return parallel_map(function, seeded, n_jobs=n_jobs, progress=progress, description=description)
