"""Overhead of the study engine: 10,000 cells that do nothing, in microseconds per cell (best of 5).

Run with ``python benchmarks/study_overhead.py``; a plain loop over the same calls and joblib with
one task per cell stand beside it.
"""

import tempfile
import time

import joblib
import numpy as np

from shiftlab.simulation import Study

N_CELLS = 10_000
FACTORS = {"a": list(range(10)), "b": list(range(10))}


def trivial(a, b, seed):
    return {"value": a + b}


def microseconds(action):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6 / N_CELLS


def plain_loop():
    seeds = np.random.SeedSequence(0).spawn(N_CELLS)
    return [trivial(1, 2, seed) for seed in seeds]


def plain_joblib(n_jobs):
    seeds = np.random.SeedSequence(0).spawn(N_CELLS)
    return joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(trivial)(1, 2, seed) for seed in seeds)


def run_study(n_jobs, format):
    options = {"n_replicates": N_CELLS // 100, "random_state": 0}
    if format == "memory":
        return Study(trivial, FACTORS, **options).run(n_jobs=n_jobs)
    with tempfile.TemporaryDirectory() as directory:
        study = Study(trivial, FACTORS, directory=directory, format=format, **options)
        return study.run(n_jobs=n_jobs)


if __name__ == "__main__":
    joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(i) for i in range(4))  # start the workers
    run_study(2, "parquet")  # and their imports
    print(f"{'plain loop':<28}{microseconds(plain_loop):8.1f} us/cell")
    for n_jobs in (1, 2):
        value = microseconds(lambda n=n_jobs: plain_joblib(n))
        print(f"{f'joblib, n_jobs={n_jobs}':<28}{value:8.1f} us/cell")
        for format in ("memory", "parquet", "jsonl"):
            value = microseconds(lambda n=n_jobs, f=format: run_study(n, f))
            print(f"{f'Study, n_jobs={n_jobs}, {format}':<28}{value:8.1f} us/cell")
