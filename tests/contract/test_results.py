"""Every public result keeps one protocol, also with names that would upset a page or a figure."""

import copy
import json
import pickle
import random
import runpy
from dataclasses import FrozenInstanceError, fields, is_dataclass
from functools import cache
from importlib import import_module
from inspect import isclass, signature
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import shiftlab
from shiftlab._core.results import Result

#: Matplotlib would typeset the first as mathematics, and HTML would take the second as a tag.
COLUMN, LABEL = "$\\frac$ dose", "<b>north</b> $x_1$"
LEGEND = ["a_$", LABEL, "west\nside"]


def table(n=60):
    rng = np.random.default_rng(0)
    site = np.repeat(LEGEND, n)
    dose = rng.normal(size=3 * n) + (site == LABEL)
    kind = rng.choice(["$k$", "other"], size=3 * n)
    return pd.DataFrame({COLUMN: dose, "kind": kind, "site": site, "y": dose + (site == "a_$")})


def decisions():
    rng = np.random.default_rng(1)
    return rng.integers(0, 2, 300), rng.choice(LEGEND, 300), rng.integers(0, 2, 300)


def simulate(n, method, seed):
    return {"estimate_$": np.random.default_rng(seed).normal() / n, "seed": float(len(method))}


def counts():
    from shiftlab.metrics import GroupCounts

    chosen, group, outcome = decisions()
    return GroupCounts.from_rows(chosen, group, y_true=outcome)


def metric():
    from shiftlab.metrics import disparate_impact

    return disparate_impact(counts())


def study():
    from shiftlab.simulation import Study

    factors = {"n_$": [1, 2], "method": ["$a$", "<b>"]}

    def function(method, seed, **levels):
        return simulate(levels["n_$"], method, seed)

    return Study(function, factors, n_replicates=3, random_state=0).run()


def simulated():
    from shiftlab.simulation import Linear, Node, StructuralModel

    model = StructuralModel({"X": Node(), "Y": Node(Linear({"X": 1.0}))})
    return model.sample(200, random_state=0)


def divergence(name, *arguments, **options):
    return getattr(import_module("shiftlab.divergence"), name)(*arguments, **options)


MAKE = {
    "ColumnShifts": lambda: divergence(
        "column_shifts", table(), "site", n_resamples=100, random_state=0
    ),
    "Dataset": lambda: import_module("shiftlab.datasets").load_lending(),
    "EnvironmentDistances": lambda: divergence(
        "environment_distances", table(), "site", n_resamples=19, random_state=0
    ),
    "GroupCounts": counts,
    "GroupEstimate": lambda: metric().by_group[0],
    "GroupFairness": lambda: import_module("shiftlab.metrics").group_fairness(counts()),
    "Metric": metric,
    "ShiftDecomposition": lambda: divergence(
        "shift_decomposition", table(), "site", outcome="y", estimator=linear(), random_state=0
    ),
    "SimulatedData": simulated,
    "StudyResult": study,
    "TransportResult": lambda: import_module("shiftlab.transport").wasserstein(
        np.arange(5.0)[:, None], np.arange(7.0)[:, None]
    ),
    "TwoSampleResult": lambda: divergence(
        "ks_test", {COLUMN: [1, 2, 3]}, {COLUMN: [4, 5, 6]}, n_resamples=19, random_state=0
    ),
}
#: Each pillar tells how its results are made in a file of its own.
for path in sorted((Path(__file__).parent / "cases").glob("results_*.py")):
    MAKE |= runpy.run_path(str(path))["MAKE"]


def linear():
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


@cache
def result(name):
    return MAKE[name]()


def public_results():
    found = {}
    for package in shiftlab._SUBPACKAGES:
        module = import_module(f"shiftlab.{package}")
        for name in module.__all__:
            item = getattr(module, name)
            if isclass(item) and issubclass(item, Result):
                found[name] = item
    return found


def test_every_public_result_is_tested_here():
    assert set(public_results()) == set(MAKE)


def test_public_dataclasses_that_write_themselves_are_results():
    # Models are read back from their dictionaries; a report has a page instead of a table.
    from shiftlab.simulation._spec import Spec

    others = {"ShiftReport"} | {n for n in shiftlab.reporting.__all__ if n.endswith("Report")}
    loose = []
    for package in shiftlab._SUBPACKAGES:
        module = import_module(f"shiftlab.{package}")
        for name in set(module.__all__) - others:
            item = getattr(module, name)
            if isclass(item) and is_dataclass(item) and hasattr(item, "to_dict"):
                loose += [name] if not issubclass(item, (Result, Spec)) else []
    assert loose == []


@pytest.mark.parametrize("name", MAKE)
class TestProtocol:
    def test_is_frozen_and_is_what_its_name_says(self, name):
        found = result(name)
        assert type(found) is public_results()[name]
        with pytest.raises(FrozenInstanceError):
            setattr(found, fields(found)[0].name, None)

    def test_table(self, name):
        frame = result(name).to_frame()
        assert isinstance(frame, pd.DataFrame)
        assert len(frame) > 0
        assert all(isinstance(column, str) for column in frame.columns)

    def test_dictionary_and_json_agree_and_hold_no_nan(self, name):
        found = result(name)
        plain = found.to_dict()
        assert plain
        assert all(isinstance(key, str) for key in plain)
        json.dumps(plain, allow_nan=False)
        assert json.loads(found.to_json()) == json.loads(json.dumps(plain))
        assert found.to_json() == copy.deepcopy(found).to_json()

    def test_repr_is_short_and_names_what_it_is(self, name):
        text = repr(result(name))
        assert 0 < len(text) < 2500
        assert "object at 0x" not in text
        assert "array(" not in text
        assert text.count("\n") < 25

    def test_html_is_escaped_and_bounded(self, name):
        text = result(name)._repr_html_()
        assert "<table" in text
        assert "<b>north" not in text
        assert text.count("<tr") < 70

    def test_comparison_and_transport_to_a_worker(self, name):
        found = result(name)
        assert found == found
        assert isinstance(found == copy.deepcopy(found), bool)
        assert pickle.loads(pickle.dumps(found)).to_json() == found.to_json()


@pytest.mark.parametrize(
    "name", [n for n, kind in public_results().items() if hasattr(kind, "plot")]
)
class TestPictures:
    def test_is_drawn_where_it_is_asked_for(self, name):
        found = result(name)
        parameters = signature(found.plot).parameters
        assert "ax" in parameters or "figure" in parameters
        plt.close("all")
        drawn = found.plot()
        axes = np.atleast_1d(np.asarray(getattr(drawn, "axes", drawn), dtype=object))
        axes = [drawn] if isinstance(drawn, Axes) else list(axes)
        assert all(isinstance(ax, Axes) for ax in axes)
        axes[0].figure.canvas.draw()
        plt.close("all")
        if "ax" in parameters and isinstance(drawn, Axes):
            own = plt.figure().subplots()
            assert found.plot(ax=own) is own
            assert plt.get_fignums() == [own.figure.number]
            plt.close("all")


def states():
    return np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002


def test_nothing_draws_from_or_seeds_a_global_generator():
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    before = states()
    for make in MAKE.values():
        make()
    assert states() == before
