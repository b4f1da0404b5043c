"""The search on data: recovery, invariance, reasons, scikit-learn."""

import runpy
import warnings
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab._core.persist import load_model, save_model
from shiftlab.discovery import CDNOD, BootstrapDiscovery
from shiftlab.graphs import MixedGraph, compare_graphs

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WORLDS = runpy.run_path(str(BENCHMARKS / "discovery_worlds.py"))


def world(d=5, n=400, mode="domain", seed=0):
    data, surrogate, adjacency, changing = WORLDS["draw_world"](d, n, mode, seed=seed)
    names = [f"v{i}" for i in range(d)]
    truth = MixedGraph(names, [(names[i], names[j]) for i, j in np.argwhere(adjacency)])
    return pd.DataFrame(data, columns=names), surrogate, truth, [names[i] for i in changing]


@pytest.fixture(scope="module")
def fitted():
    frame, site, truth, changing = world()
    return CDNOD().fit(frame, environment=site), frame, site, truth, changing


def test_recovers_a_small_world(fitted):
    model, _, _, truth, changing = fitted
    found = compare_graphs(model.graph_, truth)
    assert found.skeleton_f1 >= 0.85
    assert found.direction_precision >= 0.7
    assert set(model.changing_) >= set(changing)
    assert len(model.changing_) <= len(changing) + 1
    assert not model.graph_.has_cycle


def test_names_of_environments_and_order_of_rows_and_columns_play_no_part(fitted):
    model, frame, site, *_ = fitted
    rng = np.random.default_rng(1)
    names = np.array([f"{k}" for k in rng.permutation(site.max() + 1)])
    rows, columns = rng.permutation(len(frame)), rng.permutation(frame.columns)
    other = CDNOD().fit(frame.iloc[rows][columns], environment=names[site[rows]])
    assert other.graph_.subgraph(frame.columns) == model.graph_
    assert set(other.changing_) == set(model.changing_)
    assert other.n_tests_ == model.n_tests_
    by_name = {r.edge: r for r in other.result_.edges}
    for reason in model.result_.edges:
        assert by_name[reason.edge].pvalue == pytest.approx(reason.pvalue, rel=1e-6, abs=1e-12)


def test_time_is_read_in_any_order_of_rows():
    frame, time, *_ = world(4, 400, "time", seed=2)
    rows = np.random.default_rng(0).permutation(len(frame))
    first = CDNOD().fit(frame, environment=time)
    second = CDNOD().fit(frame.iloc[rows], environment=1000 + 50 * time[rows])
    assert first.graph_ == second.graph_
    assert first.changing_ == second.changing_


def test_reasons_cover_every_edge_and_tests_are_counted(fitted):
    model, *_ = fitted
    edges = model.augmented_graph_.edges
    assert {(e.source, e.target) for e in edges} == set(model.edge_reasons_)
    for edge in edges:
        reason = model.edge_reasons_[edge.source, edge.target]
        assert bool(reason.rule) == edge.is_directed
        assert reason.pvalue <= model.alpha
        assert reason.text
    assert sum(model.tests_by_size_.values()) == model.n_tests_
    assert model.seconds_ > 0
    absent = {frozenset((a, b)) for a in model.augmented_graph_.nodes
              for b in model.augmented_graph_.nodes if a != b}  # fmt: skip
    absent -= {frozenset(e[:2]) for e in edges}
    assert absent == set(model.separating_sets_)


def test_forces_follow_the_changing_variables(fitted):
    model, _, site, *_ = fitted
    for name in model.changing_:
        force = model.driving_force(name)
        assert force.points == tuple(range(site.max() + 1))
        assert force.components.shape == force.standard_error.shape == (10, 3)
        assert force.parents == model.graph_.parents(name)
        assert sum(force.explained) <= 1 + 1e-9


def test_false_discoveries_are_controlled_on_noise():
    rng = np.random.default_rng(3)
    extra = {"none": 0, "fdr": 0}
    for _ in range(5):
        frame = pd.DataFrame(rng.normal(size=(200, 12)))
        site = np.repeat(np.arange(4), 50)
        for correction in extra:
            model = CDNOD("fisher_z", 0.1, correction=correction).fit(frame, environment=site)
            extra[correction] += len(model.augmented_graph_.edges)
    assert extra["none"] > 15
    assert extra["fdr"] <= 3


def test_bootstrap_counts_what_searches_find():
    frame, site, *_ = world()
    model = BootstrapDiscovery(CDNOD("fisher_z"), n_resamples=4, random_state=0)
    first = model.fit(frame, environment=site).support_
    with joblib.parallel_config(backend="threading"):
        second = clone(model).set_params(n_jobs=2).fit(frame, environment=site).support_
    assert first.to_json() == second.to_json()
    for pair in first.pairs:
        assert pair.edge == pytest.approx(pair.forward + pair.backward + pair.undirected)
        assert pair.edge * 4 == round(pair.edge * 4)
    strong = first.consensus(0.9)
    assert {e[:2] for e in strong.skeleton().edges} <= {(p.a, p.b) for p in first.pairs}


def test_bootstrap_with_a_column_and_halves():
    frame, site, *_ = world()
    search = CDNOD("fisher_z", environment="site")
    model = BootstrapDiscovery(search, n_resamples=3, resampling="subsample", random_state=0)
    support = model.fit(frame.assign(site=site)).support_
    assert support.graph.nodes == tuple(frame.columns)
    assert set(support.changing) == set(frame.columns)


def test_survives_the_disk(fitted, tmp_path):
    frame, site, *_ = world()
    model = CDNOD("fisher_z").fit(frame, environment=site)
    pytest.importorskip("skops")
    path = save_model(model, tmp_path / "model.skops")
    again = load_model(path)
    assert again.graph_ == model.graph_
    assert again.changing_ == model.changing_


def test_fit_leaves_its_input_alone(fitted):
    _, frame, site, *_ = fitted
    before = frame.copy(), site.copy()
    CDNOD("fisher_z").fit(frame, environment=site)
    pd.testing.assert_frame_equal(frame, before[0])
    np.testing.assert_array_equal(site, before[1])


EXPECTED = {
    "check_fit1d": "one column is a table of one variable",
    "check_estimators_nan_inf": "the error speaks of missing cells and the option that uses them",
    "check_estimators_empty_data_messages": "the error speaks of a table without columns",
    "check_estimator_sparse_tag": "sparse tables are refused",
    "check_estimator_sparse_array": "sparse tables are refused in our own words",
    "check_estimator_sparse_matrix": "sparse tables are refused in our own words",
    "check_complex_data": "refused in our own words",
}


if version("scikit-learn").startswith("1.6."):
    EXPECTED["check_positive_only_tag_during_fit"] = "the check itself subtracts into integers"


@pytest.mark.filterwarnings("ignore::shiftlab.exceptions.ShiftlabWarning")
@parametrize_with_checks(
    [CDNOD("fisher_z"), BootstrapDiscovery(CDNOD("fisher_z"), n_resamples=2, random_state=0)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learn_conventions(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        parameters = str(estimator.get_params())
        check(estimator)
        assert str(estimator.get_params()) == parameters
