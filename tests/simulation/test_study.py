"""The study engine: determinism, resumption, failures, bad input."""

import joblib
import numpy as np
import pandas as pd
import pytest

from shiftlab.simulation import Study

GRID = {"n": [5, 10, 20], "scale": [1.0, 2.5]}


def normal_mean(n, scale, seed):
    values = np.random.default_rng(seed).normal(scale=scale, size=n)
    return {"estimate": values.mean(), "se": values.std(ddof=1) / n**0.5, "positive": values[0] > 0}


def two_methods(n, scale, random_state):
    values = np.random.default_rng(random_state).normal(scale=scale, size=n)
    return [
        {"method": "mean", "estimate": values.mean()},
        {"method": "median", "estimate": np.median(values)},
    ]


def sometimes_fails(n, scale, seed):
    value = np.random.default_rng(seed).normal(scale=scale)
    if value > 1:
        raise ArithmeticError(f"value {value:.3f} is too large")
    return {"value": value}


def same(first, second):
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    return True


@pytest.fixture(scope="module")
def expected():
    return Study(normal_mean, GRID, n_replicates=30, random_state=7).run().to_frame()


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_directory_gives_the_same_rows_as_memory(tmp_path, expected, format):
    study = Study(
        normal_mean, GRID, n_replicates=30, random_state=7, directory=tmp_path, format=format
    )
    assert same(study.run().to_frame(), expected)
    assert same(study.result().to_frame(), expected)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", f".{format}"}


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_backends_and_workers_do_not_change_a_bit(backend, expected):
    with joblib.parallel_config(backend=backend):
        result = Study(normal_mean, GRID, n_replicates=30, random_state=7).run(n_jobs=2)
    assert same(result.to_frame(), expected)


def test_more_levels_and_replicates_keep_old_rows(tmp_path, expected):
    def run(factors, n_replicates):
        return Study(
            normal_mean, factors, n_replicates=n_replicates, random_state=7, directory=tmp_path
        ).run()

    first = run({"n": [20, 5], "scale": [1.0]}, 10).to_frame()
    wider = run(GRID, 30)
    assert same(wider.to_frame(), expected)
    merged = first.merge(wider.to_frame(), on=["n", "scale", "replicate"])
    assert len(merged) == 20
    assert (merged["estimate_x"] == merged["estimate_y"]).all()


def test_failures_are_recorded_and_can_be_retried(tmp_path):
    study = Study(sometimes_fails, GRID, n_replicates=20, random_state=0, directory=tmp_path)
    result = study.run()
    errors = result.errors()
    assert result.n_failed == len(errors) > 5
    assert result.n_done + result.n_failed == 120
    assert set(errors["error"]) == {"ArithmeticError"}
    assert errors["message"].str.contains("is too large").all()
    assert errors["traceback"].str.contains("in sometimes_fails").all()
    row = errors.iloc[0]
    with pytest.raises(ArithmeticError, match="too large"):
        study.replay({"n": row["n"], "scale": row["scale"]}, row["replicate"])
    same(study.run(retry_failed=True).errors()[["n", "message"]], errors[["n", "message"]])
