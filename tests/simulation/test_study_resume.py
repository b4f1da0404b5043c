"""Studies that are killed, interrupted, damaged or changed, and go on."""

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
import time

import joblib
import numpy as np
import pandas as pd
import pytest

from shiftlab.exceptions import InputError, InputWarning
from shiftlab.simulation import Study

SCRIPT = textwrap.dedent(
    """
    import sys, time
    import numpy as np
    from shiftlab.simulation import Study

    def slow(n, shift, log, seed):
        time.sleep(0.01)
        value = float(np.random.default_rng(seed).normal(shift, size=n).mean())
        with open(log, "a") as file:
            file.write("cell\\n")
        if value < -0.8:
            raise ValueError("low")
        return {"value": value}

    def study(directory, log, format):
        factors = {"n": [3, 4, 5], "shift": [0.0, 0.5], "log": {"log": str(log)}}
        return Study(slow, factors, n_replicates=50, random_state=3, directory=directory,
                     format=format)

    if __name__ == "__main__":
        directory, log, n_jobs, format = sys.argv[1:]
        study(directory, log, format).run(n_jobs=int(n_jobs))
    """
)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "study_script.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def study_of(script):
    spec = importlib.util.spec_from_file_location("study_script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.study


@pytest.fixture(scope="module")
def uninterrupted(study_of, tmp_path_factory):
    log = tmp_path_factory.mktemp("whole") / "log"
    with joblib.parallel_config(backend="threading", n_jobs=8):
        result = study_of(None, log, "parquet").run()
    assert n_lines(log) == 300
    return result


def n_lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def kill_at(process, log, n_cells):
    deadline = time.monotonic() + 60
    while n_lines(log) < n_cells and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL and process groups")
@pytest.mark.parametrize(("n_jobs", "format"), [(1, "parquet"), (2, "jsonl")])
def test_killed_run_resumes_to_the_same_table(
    tmp_path, script, study_of, uninterrupted, n_jobs, format
):
    log, directory = tmp_path / "log", tmp_path / "study"
    command = [sys.executable, str(script), str(directory), str(log), str(n_jobs), format]
    kill_at(subprocess.Popen(command, start_new_session=True), log, 120)
    n_before = n_lines(log)
    assert 120 <= n_before < 290
    study = study_of(directory, log, format)
    found = study.result()
    kept = found.n_done + found.n_failed
    # At most a second of computing waits to be written, plus the batches under way.
    assert 0 <= n_before - kept <= 100 + 26 * n_jobs
    assert kept > 0

    resumed = study.run(n_jobs=n_jobs)
    pd.testing.assert_frame_equal(resumed.to_frame(), uninterrupted.to_frame(), check_exact=True)
    labels = ["n", "shift", "replicate", "error", "message"]
    pd.testing.assert_frame_equal(resumed.errors()[labels], uninterrupted.errors()[labels])
    assert resumed.n_failed > 0
    assert n_lines(log) == 300 + n_before - kept  # what was kept was not run again


def draw(n, seed):
    return {"value": np.random.default_rng(seed).normal(size=n).sum()}


def make(directory, function=draw, **options):
    options = {"n_replicates": 12, "random_state": 5, **options}
    return Study(function, {"n": [2, 3]}, directory=directory, **options)


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_damaged_parts_are_reported_and_run_again(tmp_path, format, damage):
    expected = make(tmp_path, format=format).run(max_cells=10)
    whole = make(tmp_path, format=format).run().to_frame()
    path = sorted(tmp_path.glob("part-*"))[0]
    content = bytearray(path.read_bytes())
    middle = content.find(b"_value" if format == "parquet" else b"value") // 2 + 20
    if damage == "flip":
        content[middle] ^= 0xFF
    path.write_bytes(
        content[:0] if damage == "empty" else content[: -9 if damage[0] == "t" else None]
    )
    study = make(tmp_path, format=format)
    with pytest.warns(InputWarning, match=f"{path.name} .* damaged"):
        partial = study.result()
    assert partial.n_pending == expected.n_done == 10
    with pytest.warns(InputWarning, match="count as not run"):
        again = study.run()
    pd.testing.assert_frame_equal(again.to_frame(), whole, check_exact=True)
    assert path.with_name(path.name + ".damaged").exists()
    assert study.run().n_pending == 0  # no warning any more


def test_unfinished_files_are_ignored_and_removed(tmp_path):
    whole = make(tmp_path).run().to_frame()
    (tmp_path / ".unfinished-0").write_bytes(b"half a part")
    pd.testing.assert_frame_equal(make(tmp_path).run().to_frame(), whole, check_exact=True)
    assert not list(tmp_path.glob(".unfinished-*"))


def test_compact_keeps_every_cell(tmp_path):
    for _ in range(4):
        make(tmp_path).run(max_cells=6)
    whole = make(tmp_path).result().to_frame()
    assert len(list(tmp_path.glob("part-*"))) == 4
    make(tmp_path).compact()
    assert len(list(tmp_path.glob("part-*"))) == 1
    pd.testing.assert_frame_equal(make(tmp_path).result().to_frame(), whole, check_exact=True)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_interruption_keeps_finished_cells(tmp_path, n_jobs):
    trap = tmp_path / "trap"
    trap.touch()

    def trapped(n, seed):
        if trap.exists() and np.random.default_rng(seed).random() < 0.05:
            raise KeyboardInterrupt
        return draw(n, seed)

    options = {"n_replicates": 100, "random_state": 5, "directory": tmp_path / "study"}
    study = Study(trapped, {"n": [2, 3]}, **options)
    with pytest.raises(KeyboardInterrupt):
        study.run(n_jobs=n_jobs)
    assert 0 < study.result().n_done < 200
    trap.unlink()
    calls = []
    result = study.run(progress=lambda done, total, text: calls.append((done, total)))
    assert result.n_done == 200
    assert calls[-1][0] == calls[-1][1] < 200
    plain = Study(draw, {"n": [2, 3]}, n_replicates=100, random_state=5).run()
    pd.testing.assert_frame_equal(result.to_frame(), plain.to_frame(), check_exact=True)


def draw_differently(n, seed):
    return {"value": np.random.default_rng(seed).normal(size=n).mean()}


def test_changed_function_is_refused(tmp_path):
    make(tmp_path).run()
    changed = make(tmp_path, draw_differently)
    for call in (changed.run, changed.result, changed.plan):
        with pytest.raises(
            InputError, match=r"'draw_differently' changed.*on_change=\"overwrite\""
        ):
            call()
    assert make(tmp_path).result().n_done == 24
    overwritten = make(tmp_path, draw_differently, on_change="overwrite")
    assert overwritten.result().n_done == 0  # reading never deletes
    assert len(list(tmp_path.glob("part-*"))) == 1
    fresh = make(None, draw_differently).run().to_frame()
    pd.testing.assert_frame_equal(overwritten.run().to_frame(), fresh, check_exact=True)


def test_changed_function_can_be_kept(tmp_path):
    before = make(tmp_path).run().to_frame()
    kept = make(tmp_path, draw_differently, on_change="keep").run().to_frame()
    pd.testing.assert_frame_equal(kept, before, check_exact=True)


def test_comments_and_layout_are_no_change(tmp_path):
    def build(source, name):
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        space = {"__name__": name}
        exec(compile(source, str(path), "exec"), space)  # noqa: S102
        return space["f"]

    plain = build("def f(n, seed):\n    return {'a': n}\n", "one")
    spaced = build("# note\ndef f(n, seed):  # twice\n\n    return {'a':   n}\n", "two")
    other = build("def f(n, seed):\n    return {'a': n + 1}\n", "three")
    make(tmp_path / "s", plain).run()
    assert make(tmp_path / "s", spaced).run().n_pending == 0
    with pytest.raises(InputError, match="changed"):
        make(tmp_path / "s", other).run()


def test_captured_variables_and_labelled_objects_are_watched(tmp_path):
    def build(power):
        return lambda n, seed: {"a": n**power}

    make(tmp_path / "a", build(2)).run()
    assert make(tmp_path / "a", build(2)).run().n_pending == 0
    with pytest.raises(InputError, match="changed"):
        make(tmp_path / "a", build(3)).run()

    def run(**weights):
        factors = {"weights": {k: np.array(v) for k, v in weights.items()}}
        study = Study(total, factors, n_replicates=2, random_state=0, directory=tmp_path / "b")
        return study.run()

    assert run(low=[1.0, 2.0]).n_done == 2
    assert run(high=[5.0], low=[1.0, 2.0]).n_done == 4
    with pytest.raises(InputError, match="object labelled 'low' of factor 'weights' changed"):
        run(low=[1.0, 2.5])


def test_a_function_that_changes_what_it_captured_can_go_on(tmp_path):
    seen = []

    def remember(n, seed):
        seen.append(n)
        return {"n_squared": n**2}

    study = make(tmp_path, remember)
    study.run(max_cells=5)
    assert study.run().n_pending == 0
    assert len(seen) == 24


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_large_mutable_levels_are_fresh_in_every_cell(backend):
    factors = {"weights": {"large": np.ones(300_000)}}
    with joblib.parallel_config(backend=backend):
        result = Study(total, factors, n_replicates=6, random_state=0).run(n_jobs=2)
    assert result.to_frame()["total"].tolist() == [600_000.0] * 6


def total(weights, seed):
    weights += 1  # must not reach the next cell
    return {"total": weights.sum()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"random_state": 6}, "random_state is another one"),
        ({"common_random_numbers": True}, "common_random_numbers was"),
    ],
)
def test_other_seeds_are_refused_even_with_keep(tmp_path, options, message):
    make(tmp_path).run()
    for on_change in ("error", "keep"):
        with pytest.raises(InputError, match=message):
            make(tmp_path, on_change=on_change, **options).run()


def test_entropy_of_an_existing_directory_is_taken_up(tmp_path):
    first = make(tmp_path, random_state=None).run(max_cells=7)
    second = make(tmp_path, random_state=None).run()
    assert first.n_pending == 17
    assert second.n_pending == 0
    replayed = make(tmp_path, random_state=None).replay({"n": 3}, 11)
    row = second.to_frame().query("n == 3 and replicate == 11")
    assert row["value"].item() == replayed["value"]


def test_lost_or_foreign_manifest(tmp_path):
    make(tmp_path).run()
    manifest = tmp_path / "study.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"layout": 1', '"layout": 99'))
    with pytest.raises(InputError, match="layout 99"):
        make(tmp_path).run()
    manifest.write_text(text[:40])
    with pytest.raises(InputError, match="not readable"):
        make(tmp_path).run()
    manifest.unlink()
    with pytest.raises(InputError, match=r"no study\.json"):
        make(tmp_path).run()
