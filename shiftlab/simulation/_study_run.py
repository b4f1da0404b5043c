"""Run many cells: batches sized by time, any joblib backend, records kept as they arrive."""

import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from shiftlab._core.progress import Ticker
from shiftlab._core.threads import single_threaded
from shiftlab.simulation._study_cells import Batch, CellRecord, run_batch
from shiftlab.simulation._study_design import Scenario
from shiftlab.simulation._study_store import Store

__all__ = ["Job", "Writer", "execute"]

#: A batch is sized to take about this long, so that dispatch costs little and a kill loses little.
BATCH_SECONDS = 0.25
#: A batch whose cells are slower than expected hands back after this long what it has not begun.
BATCH_LIMIT = 1.0
#: Records are kept once this much computing time, or this many cells, wait: a full batch is kept as
#: soon as it arrives, so that a kill loses the batches under way and hardly more.
FLUSH_SECONDS = 0.2
FLUSH_CELLS = 5000


class Job:
    """The fixed part of a study that every batch needs: function, entropy, scenarios.

    Parameters
    ----------
    function : callable
        The function of the study.
    seed_argument : str
        The parameter that receives the seed.
    entropy : str
        Entropy of the study.
    common : sequence of str
        Factors that the seeds do not depend on.
    scenarios : sequence of Scenario
        The grid.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        seed_argument: str,
        entropy: str,
        common: Sequence[str],
        scenarios: Sequence[Scenario],
    ) -> None:
        self._function, self._seed_argument, self._entropy = function, seed_argument, entropy
        self._scenarios = {s.key: (s.values, s.seed_key(common)) for s in scenarios}

    def batch(self, cells: Sequence[tuple[str, int]]) -> Batch:
        """Return a batch that carries the scenarios of its own cells only."""
        keys = dict.fromkeys(key for key, _ in cells)
        scenarios = {key: self._scenarios[key] for key in keys}
        return Batch(self._function, self._seed_argument, self._entropy, scenarios, tuple(cells))


class Writer:
    """Keeps records in a store, several at a time; closing it keeps the rest."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[CellRecord] = []
        self._seconds = 0.0

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()

    def add(self, records: Sequence[CellRecord]) -> None:
        """Take finished records and keep them if enough computing time is at stake."""
        self._waiting.extend(records)
        self._seconds += sum(record.seconds for record in records)
        if self._seconds >= FLUSH_SECONDS or len(self._waiting) >= FLUSH_CELLS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._store.append(self._waiting)
        self._waiting, self._seconds = [], 0.0


class _Pacer:
    """Cuts cells into batches whose size follows the running times seen so far."""

    def __init__(self, cells: Sequence[tuple[str, int]], n_workers: int) -> None:
        self._cells, self._n_workers = deque(cells), n_workers
        self._size, self._seen, self._seconds = 1, 0, 0.0

    def __bool__(self) -> bool:
        return bool(self._cells)

    def observe(self, n_cells: int, seconds: float, left: Sequence[tuple[str, int]]) -> None:
        """Learn from a finished batch and take back the cells it left."""
        self._cells.extend(left)
        self._seen += n_cells
        self._seconds += seconds
        fitting = BATCH_SECONDS * self._seen / max(self._seconds, 1e-9)
        self._size = max(1, min(int(fitting), 4 * self._size))

    def batches(self) -> Iterator[Sequence[tuple[str, int]]]:
        """Yield batches; the last ones shrink so that the workers finish together."""
        while self._cells:
            share = -(-len(self._cells) // (2 * self._n_workers))
            size = min(self._size, share) if self._n_workers > 1 else self._size
            yield [self._cells.popleft() for _ in range(min(size, len(self._cells)))]


def execute(
    job: Job, cells: Sequence[tuple[str, int]], store: Store, n_jobs: int | None, ticker: Ticker
) -> Mapping[tuple[str, int], CellRecord]:
    """Run cells and keep their records; an interruption keeps those that finished.

    Returns
    -------
    dict
        The new records, by cell.
    """
    from joblib import effective_n_jobs

    found: dict[tuple[str, int], CellRecord] = {}
    pacer = _Pacer(cells, effective_n_jobs(n_jobs))
    n_failed = 0
    results = _results(job, pacer, n_jobs)
    with Writer(store) as writer, single_threaded(), closing(results):
        for records, interrupted in results:
            writer.add(records)
            found.update((record.key, record) for record in records)
            n_failed += sum(record.error is not None for record in records)
            ticker.step(len(records), f"cells, {n_failed} failed" if n_failed else None)
            if interrupted:
                raise KeyboardInterrupt
    return found


def _results(
    job: Job, pacer: _Pacer, n_jobs: int | None
) -> Generator[tuple[list[CellRecord], bool], None, None]:
    from joblib import delayed

    while pacer:  # again, because the last batches may hand cells back
        calls = (delayed(_timed)(job.batch(part), BATCH_LIMIT) for part in pacer.batches())
        results = _unordered(calls, n_jobs)
        try:
            for records, interrupted, seconds, left in results:
                pacer.observe(len(records), seconds, left)
                yield records, interrupted
        finally:
            with warnings.catch_warnings():
                # joblib advises to read all results; an interruption is meant to leave some.
                warnings.filterwarnings("ignore", message=".*tasks (have been|which were)")
                results.close()


def _unordered(calls: Iterator[Any], n_jobs: int | None) -> Generator[Any, None, None]:
    """Yield results as they come, or window by window where a backend only returns lists."""
    from joblib import Parallel, effective_n_jobs

    try:
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
    except ValueError:
        with Parallel(n_jobs=n_jobs, batch_size=1) as listing:
            while window := list(islice(calls, 4 * effective_n_jobs(n_jobs))):
                yield from listing(window)
        return
    yield from parallel(calls)


def _timed(
    batch: Batch, limit: float
) -> tuple[list[CellRecord], bool, float, tuple[tuple[str, int], ...]]:
    start = time.perf_counter()
    records, interrupted = run_batch(batch, limit)
    return records, interrupted, time.perf_counter() - start, batch.cells[len(records) :]
