"""Seeds, parallel loops, progress, results, optional imports."""

import json
from dataclasses import dataclass
from datetime import date

import joblib
import numpy as np
import pandas as pd
import pytest

from shiftlab._core.names import join_names, missing_column_message, plot_text
from shiftlab._core.optional import import_optional, is_installed
from shiftlab._core.parallel import parallel_map, seeded_map
from shiftlab._core.progress import track
from shiftlab._core.random import (
    as_generator,
    as_seed_sequence,
    integer_seed,
    seeded_clone,
    spawn_seeds,
)
from shiftlab._core.results import Result, canonical_json, to_plain
from shiftlab._core.threads import single_threaded
from shiftlab.exceptions import InputError, MissingDependencyError


def draw(scale, seed):
    return scale * np.random.default_rng(seed).random(3)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_seeded_map_does_not_depend_on_workers(n_jobs):
    tasks = [(float(i),) for i in range(7)]
    expected = [draw(*t, seed) for t, seed in zip(tasks, spawn_seeds(3, 7), strict=True)]
    found = seeded_map(draw, tasks, random_state=3, n_jobs=n_jobs)
    np.testing.assert_array_equal(found, expected)


def test_children_do_not_depend_on_their_number():
    few, many = spawn_seeds(1, 2), spawn_seeds(1, 5)
    assert [s.spawn_key for s in few] == [s.spawn_key for s in many[:2]]


def test_every_kind_of_random_state_is_reproducible():
    sequence = np.random.SeedSequence(5)
    first, second = as_generator(sequence).random(), as_generator(sequence).random()
    assert first == second
    assert sequence.n_children_spawned == 0
    assert (
        as_generator(np.random.RandomState(2)).random()
        == as_generator(np.random.RandomState(2)).random()
    )
    generator = np.random.default_rng(0)
    assert as_seed_sequence(generator).entropy != as_seed_sequence(generator).entropy
    for bad in (-1, "a", 1.5, True):
        with pytest.raises(InputError, match="random_state"):
            as_seed_sequence(bad)


def test_progress_reports_every_step():
    seen = []
    found = parallel_map(abs, [(-1,), (-2,)], progress=lambda *step: seen.append(step))
    assert found == [1, 2]
    assert [step[:2] for step in seen] == [(1, 2), (2, 2)]


def test_progress_bar_goes_to_standard_error(capsys):
    assert list(track(range(3), 3, "counting", progress=True)) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "counting" in captured.err


def test_plain_types_have_no_nan():
    value = {
        "nan": np.float64("nan"),
        "array": np.array([[1.0, np.inf]]),
        1: (np.int64(2), np.bool_(True)),
        "date": date(2020, 1, 2),
        "stamp": np.datetime64("2020-01-02"),
    }
    assert to_plain(value) == {
        "nan": None,
        "array": [[1.0, None]],
        "1": [2, True],
        "date": "2020-01-02",
        "stamp": "2020-01-02",
    }
    assert json.loads(canonical_json(value))["array"] == [[1.0, None]]
    assert canonical_json({"b": 1, "a": 2}) == '{"a":2,"b":1}'


@dataclass(frozen=True)
class Measured(Result):
    name: str
    value: float
    table: np.ndarray


def test_results_share_their_shape():
    result = Measured("<b>", float("nan"), np.arange(2))
    assert result.to_dict() == {"name": "<b>", "value": None, "table": [0, 1]}
    assert isinstance(result.to_frame(), pd.DataFrame)
    assert "&lt;b&gt;" in result._repr_html_()
    assert json.loads(result.to_json(indent=1)) == result.to_dict()


def test_html_of_a_long_table_is_cut_and_says_so():
    class Long(Result):
        def to_frame(self):
            return pd.DataFrame({"x": range(5000)})

    text = Long()._repr_html_()
    assert text.count("<tr") < 70
    assert "5000 rows" in text


def test_optional_import_names_the_extra():
    assert is_installed("numpy")
    assert import_optional("json", extra="x", purpose="This") is json
    with pytest.raises(MissingDependencyError, match=r"shiftlab\[torch\]"):
        import_optional("no_such_library_at_all", extra="torch", purpose="The GPU path")


def test_names_in_messages_and_figures():
    assert join_names(list("abcdefgh"), 2) == "'a', 'b' and 6 more"
    assert "Its columns are: 'a', 'b'" in missing_column_message("zzz", ["a", "b"])
    assert plot_text("a\n$x_1$\t<b>") == r"a \$x_1\$ <b>"
    assert len(plot_text("x" * 100)) == 32


def thread_counts(kind):
    """Number of threads that libraries of this kind would start from the calling thread."""
    from threadpoolctl import threadpool_info

    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == kind}


def test_every_thread_is_limited_whatever_the_order_of_entry_and_exit():
    import threading

    import sklearn.ensemble  # noqa: F401  (brings OpenMP)
    from threadpoolctl import threadpool_limits

    inside, after = [], []
    gates = [threading.Event() for _ in range(3)]
    everyone = threading.Barrier(3, timeout=60)

    def work(number):
        with threadpool_limits(2, user_api="openmp"):
            with single_threaded():
                everyone.wait()
                with single_threaded():
                    inside.append((thread_counts("openmp"), thread_counts("blas")))
                everyone.wait()
                gates[number].wait(timeout=60)
                inside.append((thread_counts("openmp"), thread_counts("blas")))
            after.append(thread_counts("openmp"))

    with threadpool_limits(2, user_api="blas"):
        with single_threaded():
            threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
            for thread in threads:
                thread.start()
            for gate, thread in zip(gates, threads, strict=True):
                gate.set()  # the first to enter is not the last to leave
                thread.join(timeout=60)
        assert inside == [({1}, {1})] * 6
        assert after == [{2}] * 3
        assert thread_counts("blas") == {2}


def test_tasks_run_on_one_thread_and_leave_the_settings_as_they_were():
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2), joblib.parallel_config(backend="threading"):
        for n_jobs in (1, 3):
            found = parallel_map(thread_counts, [("openmp",), ("blas",)] * 3, n_jobs=n_jobs)
            assert found == [{1}] * 6
            assert thread_counts("openmp") == thread_counts("blas") == {2}


def test_seeded_clone_fills_in_what_is_not_set_at_any_depth():
    from sklearn.ensemble import BaggingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    original = make_pipeline(
        StandardScaler(), BaggingClassifier(DecisionTreeClassifier(random_state=3))
    )
    states = {
        name: value
        for name, value in seeded_clone(original, 7).get_params().items()
        if name.endswith("random_state")
    }
    assert states == {
        "baggingclassifier__random_state": 7,
        "baggingclassifier__estimator__random_state": 3,
    }
    assert original.get_params()["baggingclassifier__random_state"] is None


def test_integer_seeds_fit_into_31_bits_and_differ():
    seeds = [integer_seed(seed) for seed in spawn_seeds(0, 200)]
    assert len(set(seeds)) == 200
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("two\nlines", "two lines"),
        ("_hidden", " _hidden"),
        ("", "(empty)"),
        (" \t", "(empty)"),
        ("a\0b\x1b\u202e", "a�b��"),
        ("$x$", r"\$x\$"),
        ("x" * 100, "x" * 31 + "…"),
    ],
)
def test_names_in_figures_are_legible(name, text):
    assert plot_text(name) == text
