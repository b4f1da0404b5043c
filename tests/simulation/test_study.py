"""The study engine: determinism, resumption, failures, bad input."""

import sys
import time

import joblib
import numpy as np
import pandas as pd
import pytest

from shiftlab.exceptions import InputError, MissingDependencyError
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


def test_seeds_depend_on_content_only():
    def seeds(factors, **options):
        study = Study(entropy_of, factors, n_replicates=3, random_state=4, **options)
        table = study.run().to_frame()
        return {(row.a, row.b, row.replicate): row.entropy for row in table.itertuples()}

    grid = seeds({"a": [1, 2], "b": ["x", None]})
    assert len(set(grid.values())) == 12
    frame = pd.DataFrame({"b": ["x"], "a": [2.0]})  # another order, another type of number
    assert seeds(frame).items() <= grid.items()
    assert seeds([{"a": np.int64(1), "b": "x"}]).items() <= grid.items()
    common = seeds({"a": [1, 2], "b": ["x", None]}, common_random_numbers=["a"])
    assert len(set(common.values())) == 6
    assert all(common[1, b, r] == common[2, b, r] for _, b, r in common)
    everything = seeds({"a": [1, 2], "b": ["x", None]}, common_random_numbers=True)
    assert len(set(everything.values())) == 3


def entropy_of(a, b, seed):
    assert isinstance(seed, np.random.SeedSequence)
    return {"entropy": str(seed.entropy)}


def test_random_state_kinds_and_no_global_state():
    def table(random_state):
        study = Study(normal_mean, GRID, n_replicates=2, random_state=random_state)
        return study.run().to_frame()

    sequence = np.random.SeedSequence(7)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert same(table(7), table(sequence))
    assert same(table(np.random.default_rng(3)), table(np.random.default_rng(3)))
    assert not table(sequence.spawn(1)[0]).equals(table(7))
    assert not table(None).equals(table(None))
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_several_rows_and_labels():
    result = Study(two_methods, GRID, n_replicates=10, random_state=0).run(n_jobs=2)
    rows = result.to_frame()
    assert list(rows.columns) == ["n", "scale", "replicate", "row", "method", "estimate"]
    assert rows["row"].tolist() == [0, 1] * 60
    assert rows["n"].tolist() == np.repeat([5, 10, 20], 40).tolist()
    assert rows["replicate"].tolist() == np.tile(np.repeat(np.arange(10), 2), 6).tolist()


def ragged(kind, seed):
    outputs = {
        "number": {"a": 1, "flag": True},
        "text": {"b": 2.5, "a": "one"},
        "missing": {"a": None, "b": float("nan")},
        "none": [],
        "rows": [{"a": 0.1, "c": np.float32(0.5)}, {"c": np.array(3)}],
    }
    return outputs[kind]


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
@pytest.mark.parametrize("part", [1, 2, 5])
def test_ragged_outputs_do_not_depend_on_the_parts(tmp_path, format, part):
    factors = {"kind": ["number", "text", "missing", "none", "rows"]}
    expected = Study(ragged, factors, n_replicates=1, random_state=0).run()
    options = {"directory": tmp_path, "format": format}
    study = Study(ragged, factors, n_replicates=1, random_state=0, **options)
    for _ in range(0, 5, part):
        study.run(max_cells=part)
    assert same(study.result().to_frame(), expected.to_frame())
    rows = expected.to_frame()
    assert list(rows.columns[3:]) == ["a", "flag", "b", "c"]
    assert rows["a"].tolist() == ["1.0", "one", None, "0.1", None]
    assert rows["c"].tolist()[3:] == [0.5, 3.0]
    assert expected.n_done == 5


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (3.0, "must return a dictionary of numbers"),
        ("text", "must return a dictionary of numbers"),
        ([1.0], "must return a dictionary of numbers"),
        ({"a": [1, 2]}, "'a' is list"),
        ({"a": 2**60}, "beyond 2"),
        ({"_a": 1}, "do not start with '_'"),
        ({1: 1}, "do not start with '_'"),
        ({"n": 1}, "already a column"),
        ({"replicate": 1}, "already a column"),
    ],
)
def test_unfit_outputs_are_failures_that_say_why(output, message):
    result = Study(lambda n, seed: output, {"n": [1]}, n_replicates=1, random_state=0).run()
    errors = result.errors()
    assert errors["error"].tolist() == ["InputError"]
    assert message in errors["message"].item()


class _UnreadableError(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("error", [SystemExit(3), _UnreadableError(), ValueError("\udc80 odd")])
def test_any_exception_of_a_cell_is_recorded(tmp_path, error):
    def fail(n, seed):
        raise error

    study = Study(fail, {"n": [1]}, n_replicates=2, random_state=0, directory=tmp_path)
    assert study.run().n_failed == 2
    assert study.result().errors()["error"].tolist() == [type(error).__name__] * 2


def test_replay_returns_what_the_study_recorded(expected):
    study = Study(normal_mean, GRID, n_replicates=30, random_state=7)
    for row in expected.iloc[::37].itertuples():
        again = study.replay({"n": row.n, "scale": row.scale}, row.replicate)
        assert (again["estimate"], again["se"]) == (row.estimate, row.se)
    with pytest.raises(InputError, match="2 scenarios of the study have these levels"):
        study.replay({"n": 5}, 0)
    with pytest.raises(InputError, match="names 'm'"):
        study.replay({"m": 5}, 0)


def test_labelled_objects_and_exclusions():
    seen = []

    def apply(transform, n, seed):
        seen.append(transform)
        return {"value": float(transform(n))}

    factors = {"transform": {"root": np.sqrt, "square": np.square}, "n": [4, 9]}
    study = Study(
        apply,
        factors,
        n_replicates=1,
        random_state=0,
        exclude=lambda scenario: scenario["transform"] == "square" and scenario["n"] > 5,
    )
    rows = study.run().to_frame()
    assert rows["transform"].tolist() == ["root", "root", "square"]
    assert rows["value"].tolist() == [2.0, 3.0, 16.0]
    assert study.replay({"transform": "square"}, 0) == {"value": 16.0}


def test_memory_study_goes_on_where_it_stopped(expected):
    calls = []

    def counted(n, scale, seed):
        calls.append(1)
        return normal_mean(n, scale, seed)

    study = Study(counted, GRID, n_replicates=30, random_state=7)
    partial = study.run(max_cells=50)
    assert (partial.n_done, partial.n_pending, len(calls)) == (50, 130, 50)
    replicates = partial.to_frame().groupby(["n", "scale"]).size()
    assert set(replicates) == {8, 9}  # balanced over the scenarios
    assert same(study.run().to_frame(), expected)
    assert len(calls) == 180
    study.run(retry_failed=True)
    assert len(calls) == 180


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_reaches_the_total(n_jobs):
    calls = []
    study = Study(sometimes_fails, GRID, n_replicates=20, random_state=0, name="trial")
    with joblib.parallel_config(backend="threading"):
        result = study.run(n_jobs=n_jobs, progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done == sorted(set(done))
    assert calls[-1][:2] == (120, 120)
    assert "trial" in calls[0][2]
    assert f"{result.n_failed} failed" in calls[-1][2]


def test_plan_counts_and_times():
    def sleeping(n, seed):
        time.sleep(0.002 * n)
        if n == 3:
            raise ValueError
        return {"n_squared": n**2}

    study = Study(sleeping, {"n": [1, 2, 3, 10]}, n_replicates=5, random_state=0)
    plan = study.plan(n_pilot=2)
    assert plan["timing"].tolist() == ["pilot", *["mean of the others"] * 2, "pilot"]
    assert plan["n_pending"].tolist() == [5] * 4
    assert plan["seconds_per_cell"].iloc[3] >= 0.02
    assert plan["seconds_pending"].equals(plan["n_pending"] * plan["seconds_per_cell"])
    study.run(max_cells=7)
    plan = study.plan(n_pilot=0)
    assert plan["n_done"].tolist() == [2, 2, 0, 1]
    assert plan["n_failed"].tolist() == [0, 0, 2, 0]
    assert plan["timing"].tolist() == ["finished cells"] * 4
    untouched = Study(sleeping, {"n": [1]}, n_replicates=1, random_state=0).plan(n_pilot=0)
    assert untouched["timing"].tolist() == ["unknown"]
    assert untouched["seconds_pending"].isna().all()


def reject(share, seed):
    return {"rejected": np.random.default_rng(seed).random() < share}


def test_adaptive_study_stops_at_its_target(tmp_path):
    def study(directory=None):
        factors = {"share": [0.0, 0.05, 0.5]}
        return Study(reject, factors, n_replicates=50, random_state=0, directory=directory)

    target = {"target_mcse": {"rejected": 0.02}, "max_replicates": 5000}
    result = study().run(**target)
    table = result.summary().set_index("share")
    assert (table["mcse"] <= 0.02).all()
    # p(1 - p) / 0.02^2 replicates are needed; a round overshoots by little.
    assert 0.25 / 0.02**2 <= table.loc[0.5, "n_replicates"] < 1.1 * 0.25 / 0.02**2
    assert table.loc[0.05, "n_replicates"] < 300
    assert table.loc[0.0, "n_replicates"] > 50  # equal outcomes are not certainty

    interrupted = study(tmp_path)
    for _ in range(3):
        interrupted.run(max_cells=130, **target)
    with joblib.parallel_config(backend="threading"):
        resumed = study(tmp_path).run(n_jobs=2, **target)
    assert same(resumed.to_frame(), result.to_frame())
    assert study(tmp_path).result().n_cells == 150
    limited = study().run(target_mcse={"rejected": 1e-4}, max_replicates=60)
    assert limited.n_cells == 180


def test_common_random_numbers_sharpen_contrasts():
    def shifted(shift, seed):
        rng = np.random.default_rng(seed)
        return {"value": rng.normal() + shift + 0.1 * rng.normal(size=1 + int(shift))[-1]}

    def contrast(common):
        study = Study(
            shifted,
            {"shift": [0.0, 1.0, 2.0]},
            n_replicates=400,
            random_state=1,
            common_random_numbers=common,
        )
        result = study.run()
        return result, result.contrast("shift", 0.0)

    result, paired = contrast(True)
    _, unpaired = contrast(False)
    assert paired["shift"].tolist() == [1.0, 2.0]
    for table, sd in ((paired, 0.1 * 2**0.5), (unpaired, (2 * 1.01) ** 0.5)):
        assert table["mcse"].to_numpy() == pytest.approx([sd / 20] * 2, rel=0.15)
        assert (abs(table["value"] - [1.0, 2.0]) < 4 * table["mcse"]).all()
    wide = result.to_frame().pivot(index="replicate", columns="shift", values="value")
    assert paired["value"].iloc[1] == pytest.approx((wide[2.0] - wide[0.0]).mean(), rel=1e-12)
    with pytest.raises(InputError, match="has the levels"):
        result.contrast("shift", 7)


def test_parquet_without_pyarrow_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    options = {"n_replicates": 2, "random_state": 0}
    with pytest.raises(MissingDependencyError, match='format="jsonl" works without it'):
        Study(normal_mean, GRID, directory=tmp_path / "a", **options).run()
    assert not (tmp_path / "a").exists()
    lines = Study(normal_mean, GRID, directory=tmp_path / "b", format="jsonl", **options)
    assert lines.run().n_done == 12


def test_nothing_touches_the_disk_before_the_run(tmp_path):
    directory = tmp_path / "deep" / "study"
    study = Study(normal_mean, GRID, n_replicates=2, random_state=0, directory=directory)
    assert study.result().n_pending == 12
    study.plan(n_pilot=1)
    assert not directory.exists()
    assert "6 scenarios x 2 replicates" in repr(study)
    study.run()
    assert directory.exists()


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({}, "repeats|no scenario|parameter|cannot be called"),
        ({"n": []}, "no scenario"),
        ({"n": [1, 1.0]}, "repeats the scenario"),
        ({"n": 5}, "must be a list"),
        ({"n": "abc"}, "must be a list"),
        ({"n": [float("nan")]}, "is NaN"),
        ({"n": [object()]}, "give other objects a label"),
        ({"m": [1]}, "cannot be called with the factors 'm'"),
        ({"n": [1], "seed": [2]}, "used by the study itself"),
        ({"_n": [1]}, "does not start with|do not start with"),
        ([{"n": 1}, {"m": 1}], "scenario 1 has the factors 'm'"),
        ([1, 2], "must be a dictionary of levels"),
        (5, "must be a dictionary of levels"),
    ],
)
def test_unfit_factors(factors, message):
    with pytest.raises(InputError, match=message):
        Study(lambda n, seed: {"a": n}, factors, n_replicates=1, random_state=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_replicates": 0}, "n_replicates must be an integer"),
        ({"random_state": -1}, "random_state"),
        ({"format": "csv"}, "format must be one of"),
        ({"on_change": "maybe"}, "on_change must be one of"),
        ({"common_random_numbers": ["m"]}, "common_random_numbers names 'm'"),
        ({"function": 3}, "function must be callable"),
        ({"function": lambda n: {}}, "must have a parameter 'seed'"),
        ({"function": lambda n, m, seed: {}}, "missing a required argument: 'm'"),
    ],
)
def test_unfit_options(options, message):
    options = {"function": lambda n, seed: {"a": n}, "n_replicates": 1, **options}
    with pytest.raises(InputError, match=message):
        Study(factors={"n": [1]}, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_cells": -1}, "max_cells"),
        ({"max_replicates": 5}, "target_mcse, which is missing"),
        ({"target_mcse": 0.1}, "must be a dictionary"),
        ({"target_mcse": {"a": 0}}, "must be a positive number"),
        ({"target_mcse": {"b": 0.1}}, "no output 'b'"),
        ({"target_mcse": {"text": 0.1}}, "is text"),
        ({"target_mcse": {"a": 0.1}, "max_replicates": 1}, "max_replicates"),
    ],
)
def test_unfit_run_options(options, message):
    def function(n, seed):
        return {"a": n, "text": "label"}

    with pytest.raises(InputError, match=message):
        Study(function, {"n": [1]}, n_replicates=2, random_state=0).run(**options)


def test_tiny_cells_are_batched(monkeypatch):
    """Ten thousand trivial cells must not become ten thousand dispatches."""
    from shiftlab.simulation import _study_run

    batches = []
    original = _study_run._timed

    def counted(batch, limit):
        batches.append(len(batch.cells))
        return original(batch, limit)

    monkeypatch.setattr(_study_run, "_timed", counted)
    study = Study(reject, {"share": [0.1, 0.2]}, n_replicates=5000, random_state=0)
    with joblib.parallel_config(backend="threading"):
        study.run(n_jobs=2)
    assert sum(batches) == 10_000
    assert len(batches) < 200


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_batches_of_unexpectedly_slow_cells_hand_back_the_rest(monkeypatch, n_jobs):
    """Cheap scenarios first must not lock many costly ones into one long batch."""
    from shiftlab.simulation import _study_run

    finished = []
    original = _study_run.Writer.add

    def watched(self, records):
        finished.append([r.scenario for r in records])
        original(self, records)

    def uneven(i, seed):
        time.sleep(0.02 if i >= 300 else 0)
        return {"value": np.random.default_rng(seed).normal()}

    monkeypatch.setattr(_study_run, "BATCH_LIMIT", 0.05)
    monkeypatch.setattr(_study_run.Writer, "add", watched)
    study = Study(uneven, {"i": range(320)}, n_replicates=1, random_state=0)
    with joblib.parallel_config(backend="threading"):
        result = study.run(n_jobs=n_jobs)
    costly = [sum(int(key[5:-1]) >= 300 for key in batch) for batch in finished]
    assert sum(costly) == 20
    assert max(costly) <= 3
    assert result.n_done == sum(map(len, finished)) == 320
