"""Audits: times, and equality with peers where they compute the same.

Disparate impact and its bootstrap beside fairlearn (AIF360 and Aequitas where installed), then what
peers do not have: frontier, planner, tests on columns and rows, a whole audit. Times are processor
seconds of one thread. ``--large`` writes a Parquet file of 10^8 rows to a temporary folder, audits
it in a process of its own and prints the peak memory.

    python benchmarks/bench_auditing.py [--quick] [--large]
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shiftlab._core.optional import is_installed
from shiftlab.auditing import (
    ManipulationAudit,
    Reference,
    frontier,
    plan_sample_size,
    representativeness_tests,
)
from shiftlab.metrics import GroupCounts, disparate_impact

#: Rows and favourable decisions by group of the seven published populations, and sample sizes.
TABLES = {
    "ADULT": ((1638, 160, 3362, 1095), (500, 1000)),
    "EMP": ((3531, 680, 16469, 10454), (2000, 4000)),
    "INC": ((9592, 927, 10408, 1494), (2000, 4000)),
    "MOB": ((2000, 840, 18000, 16911), (2000, 4000)),
    "PUC": ((16444, 3984, 3556, 2725), (2000, 4000)),
    "TRA": ((9726, 1883, 10274, 2872), (2000, 4000)),
    "BAF": ((16350, 132, 3650, 85), (2000, 4000)),
}


def seconds(call: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return best, result


def line(task: str, own: float, peer: float | None = None, note: str = "") -> None:
    ratio = "" if peer is None else f"{peer / own:10.0f}x"
    theirs = "" if peer is None else f"{peer:10.4f}"
    print(f"{task:<58}{own:10.4f}{theirs:>11}{ratio:>12}  {note}")


def decisions(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, n, dtype=np.uint8)
    return (rng.random(n, dtype=np.float32) < 0.1 + 0.2 * group).astype(np.uint8), group


def compare_disparate_impact(n: int) -> None:
    chosen, group = decisions(n)
    own, metric = seconds(lambda: disparate_impact(chosen, group))
    frame = pd.DataFrame({"s": group.astype(int), "y": chosen.astype(int)})
    if is_installed("fairlearn"):
        from fairlearn.metrics import demographic_parity_ratio

        peer, value = seconds(
            lambda: demographic_parity_ratio(frame.y, frame.y, sensitive_features=frame.s), 1
        )
        line(f"impact ratio with interval, n = {n:,}: fairlearn", own, peer, same(metric, value))
    if is_installed("aif360"):
        from aif360.datasets import BinaryLabelDataset
        from aif360.metrics import BinaryLabelDatasetMetric

        def with_aif360() -> float:
            data = BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["s"])
            return BinaryLabelDatasetMetric(data, [{"s": 0}], [{"s": 1}]).disparate_impact()

        peer, value = seconds(with_aif360, 1)
        line(f"impact ratio with interval, n = {n:,}: AIF360", own, peer, same(metric, value))
    if is_installed("aequitas"):
        from aequitas.group import Group

        def with_aequitas() -> float:
            table = frame.rename(columns={"y": "score"})
            table["label_value"] = table["score"]
            table["s"] = table["s"].astype(str).astype(object)
            rates = Group().get_crosstabs(table, attr_cols=["s"])[0]
            rates = rates.set_index("attribute_value")["pprev"]
            return rates["0"] / rates["1"]

        peer, value = seconds(with_aequitas, 1)
        line(f"impact ratio with interval, n = {n:,}: Aequitas", own, peer, same(metric, value))


def same(metric: Any, value: float) -> str:
    assert math.isclose(metric.value, value, rel_tol=1e-12), (metric.value, value)
    return "same value to 1e-12"


def time_metrics(quick: bool) -> None:
    n = 10**6 if quick else 10**7
    chosen, group = decisions(n)
    line(f"impact ratio with interval, n = {n:,}, uint8",
         seconds(lambda: disparate_impact(chosen, group))[0])  # fmt: skip
    counts = GroupCounts.from_rows(chosen, group)
    run = seconds(
        lambda: disparate_impact(counts, method="bootstrap", n_resamples=100_000, random_state=0)
    )[0]
    line("bootstrap interval, 100,000 replicates from counts", run)


def time_frontier() -> None:
    tables = {
        name: (
            GroupCounts.from_frame({"s": [0, 1], "n": table[::2], "selected": table[1::2]}, "s"),
            sizes,
        )
        for name, (table, sizes) in TABLES.items()
    }
    for method in ("closed-form", "exact"):
        total, rows = seconds(
            lambda method=method: {
                name: frontier(counts, list(sizes), tests="cells_g", method=method)
                for name, (counts, sizes) in tables.items()
            },
            1,
        )
        line(f"frontier of the 14 published rows, {method}", total)
        for name, found in rows.items():
            print("   ", name, *(f"{p.m}: {p.highest:.3f}" for p in found.points))
    for name in ("ADULT", "INC"):
        for options in (
            {"test": "cells_g", "attacker": "deterministic"},
            {"test": "cells_g"},
            {"test": "directional"},
        ):
            counts = tables[name][0]
            total, plan = seconds(lambda c=counts, o=options: plan_sample_size(c, **o), 1)
            words = ", ".join(options.values())
            line(f"plan for 0.8, power 0.9, {name}: {words}", total, None, f"m = {plan.m}")


def time_rows(quick: bool) -> None:
    n, m, d = (10**5, 2000, 20) if quick else (10**6, 10_000, 30)
    rng = np.random.default_rng(0)
    table = {f"x{i}": rng.normal(size=n).astype(np.float32) for i in range(d)}
    table["yhat"], table["s"] = decisions(n)
    reference = Reference(decision="yhat", sensitive_features="s")
    line(f"reference of {n:,} rows, {d} columns: fit", seconds(lambda: reference.fit(table), 1)[0])
    rows = rng.choice(n, m, replace=False)
    sample = {name: column[rows] for name, column in table.items()}
    for test in ("columns", "mmd_median", "hotelling", "sliced_wasserstein"):
        first = seconds(
            lambda t=test: representativeness_tests(sample, reference, tests=[t], n_resamples=500),
            1,
        )[0]
        again = seconds(
            lambda t=test: representativeness_tests(sample, reference, tests=[t], n_resamples=500),
            1,
        )[0]
        line(f"  {test}, sample of {m:,}: first sample", first, None, f"next sample {again:.3f}")
    audit = ManipulationAudit(reference)
    line(f"  whole audit of a sample of {m:,}", seconds(lambda: audit.run(sample), 1)[0])


def large() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.parquet"
        write_large(path, 10**8)
        words = ["audit", "metrics", str(path), "--decision", "yhat", "--sensitive", "sex,race"]
        code = (
            "import resource, sys\nfrom shiftlab.cli import main\n"
            "main(sys.argv[1:])\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 'GiB at the peak')\n"
        )
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, *words], check=True)  # noqa: S603
        size = path.stat().st_size / 2**30
        print(f"10^8 rows ({size:.2f} GiB of Parquet): {time.perf_counter() - start:.1f} s wall")


def write_large(path: Path, n: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    part, writer = 10**6, None
    for _ in range(n // part):
        sex = rng.integers(0, 2, part, dtype=np.uint8)
        race = rng.integers(0, 5, part, dtype=np.uint8)
        chosen = (rng.random(part, dtype=np.float32) < 0.1 + 0.1 * sex + 0.02 * race).view(np.uint8)
        score = rng.random(part, dtype=np.float32)
        batch = pa.table({"sex": sex, "race": race, "yhat": chosen, "score": score})
        writer = writer or pq.ParquetWriter(path, batch.schema)
        writer.write_table(batch)
    if writer is not None:
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    if options.large:
        large()
        return
    print(f"{'task':<58}{'shiftlab s':>10}{'peer s':>11}{'ratio':>12}")
    for n in (10**4,) if options.quick else (10**5, 10**6):
        compare_disparate_impact(n)
    time_metrics(options.quick)
    time_frontier()
    time_rows(options.quick)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of all of this: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
