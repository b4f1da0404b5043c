"""What a study still has to do, and an estimate of the time it takes."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shiftlab.simulation._study_cells import CellRecord, run_batch
from shiftlab.simulation._study_design import Scenario
from shiftlab.simulation._study_run import Job

__all__ = ["plan_frame"]


def plan_frame(
    job: Job,
    scenarios: Sequence[Scenario],
    n_replicates: int,
    records: Mapping[tuple[str, int], CellRecord],
    n_pilot: int,
) -> Any:
    """Return the frame that `Study.plan` describes."""
    import pandas as pd

    rows = [_counts(scenario, n_replicates, records) for scenario in scenarios]
    untimed = [i for i, row in enumerate(rows) if row["timing"] == "unknown"]
    spread = np.unique(np.linspace(0, len(untimed) - 1, min(n_pilot, len(untimed))).astype(int))
    for i in (untimed[position] for position in spread):
        rows[i] |= {"seconds_per_cell": _time_cell(job, scenarios[i].key), "timing": "pilot"}
    known = [row["seconds_per_cell"] for row in rows if row["timing"] != "unknown"]
    for row in rows:
        if row["timing"] == "unknown" and known:
            row |= {"seconds_per_cell": float(np.mean(known)), "timing": "mean of the others"}
        row["seconds_pending"] = row["n_pending"] * row["seconds_per_cell"]
    return pd.DataFrame(rows)


def _counts(
    scenario: Scenario, n_replicates: int, records: Mapping[tuple[str, int], CellRecord]
) -> dict[str, Any]:
    found = [records.get((scenario.key, r)) for r in range(n_replicates)]
    finished = [record for record in found if record is not None]
    n_failed = sum(record.error is not None for record in finished)
    seconds = [record.seconds for record in finished]
    return {
        **scenario.shown,
        "n_cells": n_replicates,
        "n_done": len(finished) - n_failed,
        "n_failed": n_failed,
        "n_pending": n_replicates - len(finished),
        "seconds_per_cell": float(np.mean(seconds)) if seconds else np.nan,
        "timing": "finished cells" if seconds else "unknown",
    }


def _time_cell(job: Job, key: str) -> float:
    start = time.perf_counter()
    _, interrupted = run_batch(job.batch([(key, 0)]))
    if interrupted:
        raise KeyboardInterrupt
    return time.perf_counter() - start
