"""Studies: cells, seeds, resumption, workers, summaries, reports, figures, bad input."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from shiftlab.exceptions import InputError
from shiftlab.explanation import (
    ConceptShiftWorld,
    CovariateShiftWorld,
    ExplanationDisparityStudy,
    GlobalSurrogate,
    KernelShapExplainer,
    LimeExplainer,
    MechanismWorld,
    NetworkClassifier,
    TableWorld,
    fidelity_gap,
    one_at_a_time,
)
from shiftlab.explanation._study_cell import evaluate_cell, explain_world
from shiftlab.explanation._study_measures import measure_rows

WORLD = ConceptShiftWorld(n_train=300, n_test=80)
GRID = {"beta": [-0.5, 1.5], "include_sensitive": [False, True]}
LIME = LimeExplainer(n_samples=60, n_blocks=5, standard_errors=False)
LIME_WIDE = LimeExplainer(n_samples=80, n_blocks=2, standard_errors=False)


def small(grid=GRID, **options):
    options = {"explainers": {"lime": LIME}, "n_replicates": 3, "random_state": 0, **options}
    world = options.pop("world", WORLD)
    return ExplanationDisparityStudy(world, grid, **options)


@pytest.fixture(scope="module")
def result():
    return small().run()


class Failing(ClassifierMixin, BaseEstimator):
    """A black box that fails on some draws."""

    def fit(self, X, y):
        if X[0, 0] > 0:
            raise RuntimeError("the first value is positive")
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0] ** 2 / 50, X[:, 0] ** 2 / 50])


def test_one_row_per_cell_and_metric(result):
    table = result.to_frame()
    assert len(table) == 4 * 3 * 3
    assert list(dict.fromkeys(table["metric"])) == ["accuracy", "auroc", "mae"]
    assert (table["n_0"] + table["n_1"] == 80).all()
    np.testing.assert_allclose(table["mean_gap"], table["signed_gap"].abs())
    np.testing.assert_allclose(table["excess_gap"], table["mean_gap"] - table["null_gap"])
    assert result.errors().empty


def test_rows_are_the_fidelity_gaps_of_the_cell():
    study = small()
    cell = study.replay({"beta": -0.5, "include_sensitive": True}, 1)
    rows = cell.to_frame().set_index("metric")
    recorded = study.run().to_frame()
    recorded = recorded.query("beta == -0.5 and include_sensitive and replicate == 1")
    recorded = recorded.set_index("metric")
    for name in rows:
        np.testing.assert_array_equal(rows[name].astype(float), recorded[name])
    for metric in ("accuracy", "mae"):
        for kind in ("mean", "max"):
            gap = fidelity_gap(cell.explanation, cell.data.groups_test, metric=metric, kind=kind)
            assert rows.loc[metric, f"{kind}_gap"] == pytest.approx(gap, abs=1e-12)
    assert cell.explanation.names == ("C", "L", "M")
    assert cell.world.beta == -0.5
    predicted = cell.model.predict_proba(cell.data.X_test.to_numpy())[:, 1]
    np.testing.assert_allclose(predicted, cell.explanation.prediction, rtol=1e-12)


def test_replay_raises_what_the_cell_raised():
    study = small(models={"failing": Failing()}, n_replicates=12)
    found = study.run()
    assert 0 < found.study.n_failed < found.study.n_cells
    first = found.errors().iloc[0]
    scenario = {name: first[name] for name in ("beta", "include_sensitive")}
    with pytest.raises(RuntimeError, match="first value is positive"):
        study.replay(scenario, int(first["replicate"]))
    assert "RuntimeError | the first value is positive" in found.ademp()
    assert (found.summary()["n_failed"] > 0).any()


def test_a_new_level_never_changes_old_rows():
    old = small(n_replicates=2, metrics=["mae"]).run().to_frame()
    grid = {"beta": [2.7, -0.5, 1.5], "include_sensitive": [True, False]}
    grown = small(grid, n_replicates=3, metrics=["mae"],
                  models={"other": LogisticRegression(C=0.1), "logistic": LogisticRegression()},
                  explainers={"wide": LIME_WIDE, "lime": LIME})  # fmt: skip
    new = grown.run().to_frame()
    keys = ["beta", "include_sensitive", "model", "explainer", "replicate", "metric"]
    both = old.merge(new, on=keys, suffixes=("", "_new"))
    assert len(both) == len(old)
    for name in ("signed_gap", "null_gap", "group_0"):
        np.testing.assert_array_equal(both[name], both[f"{name}_new"])


def test_common_random_numbers_share_the_draws():
    grid = {"beta": [-0.5, 1.5]}
    common, own = (small(grid, common_random_numbers=crn) for crn in (True, False))
    shared = [common.replay({"beta": b}, 2).data.X_test for b in (-0.5, 1.5)]
    pd.testing.assert_frame_equal(*shared)
    apart = [own.replay({"beta": b}, 2).data.X_test for b in (-0.5, 1.5)]
    assert not shared[0].equals(apart[0])
    assert not apart[0].equals(apart[1])
    paired = [
        small(grid, metrics=["mae"], n_replicates=8, common_random_numbers=crn).run()
        for crn in (True, False)
    ]
    contrast = [r.contrast("beta", 1.5, ["group_1"])["mcse"].item() for r in paired]
    assert contrast[0] < contrast[1]


def test_data_model_and_explainer_have_streams_of_their_own():
    lime = [LIME, LIME_WIDE]
    cells = [small({"beta": [1.5]}, explainers={"e": e}).replay({"beta": 1.5}, 0) for e in lime]
    np.testing.assert_array_equal(*(c.explanation.prediction for c in cells))
    fixed = LimeExplainer(n_samples=60, random_state=3)
    seeded = small({"beta": [1.5]}, explainers={"e": fixed}, world=WORLD)
    a, b = (seeded.replay({"beta": 1.5}, 0).explanation.values for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_workers_do_not_change_a_bit(result, backend):
    with joblib.parallel_config(backend=backend):
        found = small().run(n_jobs=2)
    pd.testing.assert_frame_equal(found.to_frame(), result.to_frame(), check_exact=True)


SCRIPT = textwrap.dedent(
    """
    import sys
    from shiftlab.explanation import ConceptShiftWorld, ExplanationDisparityStudy, LimeExplainer
    from shiftlab.explanation import NetworkClassifier

    def study(directory):
        return ExplanationDisparityStudy(
            ConceptShiftWorld(n_train=200, n_test=60),
            {"beta": [-0.5, 1.5], "include_sensitive": [False, True]},
            models={"network": NetworkClassifier((8,), epochs=4)},
            explainers={"lime": LimeExplainer(n_samples=40, n_blocks=5)},
            n_replicates=10, random_state=7, directory=directory, format="jsonl",
        )

    if __name__ == "__main__":
        study(sys.argv[1]).run(n_jobs=int(sys.argv[2]))
    """
)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "disparity_script.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL and process groups")
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_at_forty_percent_and_resumed(tmp_path, script, n_jobs):
    spec = importlib.util.spec_from_file_location("disparity_script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    whole = module.study(None).run()
    folder = tmp_path / "study"
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(n_jobs)], start_new_session=True
    )
    deadline = time.monotonic() + 120
    study = module.study(folder)
    while study.study.result().n_done < 16 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = study.result().study.n_done
    assert 16 <= kept < 40
    resumed = study.resume(n_jobs=n_jobs)
    pd.testing.assert_frame_equal(resumed.to_frame(), whole.to_frame(), check_exact=True)


def test_a_study_of_a_table_resumes_in_its_directory(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=400), "sex": rng.choice(["f", "m"], 400)})
    frame["z"], frame["y"] = rng.normal(size=400), (frame["x"] > 0).astype(int)
    world = TableWorld(frame=frame, outcome="y", group="sex", zero="f", n_train=200, n_test=60)
    grid = {"omit": [(), ("z",)], "relabel": {"none": None, "half": ("z", 0.5)}}
    options = {"world": world, "directory": tmp_path, "format": "jsonl", "metrics": ["mae"]}
    first = small(grid, **options).run(max_cells=5)
    assert first.study.n_pending == 7
    again = small(grid, **options).resume()
    whole = small(grid, **options | {"directory": None}).run()
    pd.testing.assert_frame_equal(again.to_frame(), whole.to_frame(), check_exact=True)
    assert set(again.to_frame()["relabel"]) == {"none", "half"}
    other = replace(world, frame=frame.assign(x=-frame["x"]))
    with pytest.raises(InputError, match="changed"):
        small(grid, **options | {"world": other}).run()


def test_resume_needs_a_beginning(tmp_path):
    with pytest.raises(InputError, match="no cell of study 'explanation disparity' is finished"):
        small(directory=tmp_path).resume()


def test_plan_counts_fits_and_explanations():
    study = small()
    plan = study.plan(n_pilot=1)
    assert plan["n_fits"].tolist() == [3] * 4
    assert plan["n_explanations"].tolist() == [240] * 4
    assert (plan["seconds_pending"] > 0).all()
    study.run(max_cells=4)
    assert study.plan(n_pilot=0)["n_explanations"].sum() == 8 * 80
    varied = small({"n_test": [20, 40]}).plan(n_pilot=0)
    assert varied["n_explanations"].tolist() == [60, 120]


def test_adaptive_stop():
    grid = {"beta": [-0.5, 1.5], "include_sensitive": [True]}
    study = small(grid, metrics=["mae"], n_replicates=4)
    found = study.run(target_mcse=0.003, max_replicates=40)
    counts = found.to_frame().groupby("beta")["replicate"].size()
    assert counts[-0.5] > counts[1.5] >= 4
    table = found.summary(["signed_gap"]).query("statistic == 'mean'")
    assert (table["mcse"] <= 0.003).all()
    first = small(grid, metrics=["mae"], n_replicates=4).run().to_frame()
    both = first.merge(found.to_frame(), on=["beta", "replicate"])
    np.testing.assert_array_equal(both["signed_gap_x"], both["signed_gap_y"])


def test_several_worlds_are_a_factor():
    worlds = {"clean": WORLD, "published": WORLD.varied(published=True)}
    found = small({"beta": [-0.5]}, world=worlds).run()
    assert set(found.to_frame()["world"]) == {"clean", "published"}
    assert found.factors == ("world", "beta", "model", "explainer")
    assert "World 'published'" in found.ademp()


def test_scenarios_can_be_listed():
    scenarios = one_at_a_time(
        {"beta": 1.5, "include_sensitive": False}, {"beta": [-0.5], "include_sensitive": [True]}
    )
    table = small(scenarios, metrics=["mae"], n_replicates=1).run().to_frame()
    found = set(zip(table["beta"], table["include_sensitive"], strict=True))
    assert found == {(1.5, False), (-0.5, False), (1.5, True)}
    with pytest.raises(InputError, match="'form'"):
        one_at_a_time({"beta": 1}, {"form": ["step"]})


def test_a_summary_has_monte_carlo_errors(result):
    table = result.summary(["signed_gap"])
    rows = result.to_frame().query("beta == -0.5 and include_sensitive and metric == 'mae'")
    line = table.query("beta == -0.5 and include_sensitive and metric == 'mae'")
    mean = line[line["statistic"] == "mean"].iloc[0]
    assert mean["value"] == pytest.approx(rows["signed_gap"].mean())
    assert mean["mcse"] == pytest.approx(rows["signed_gap"].std() / np.sqrt(3))
    assert set(result.summary()["measure"]) >= {"signed_gap", "mean_gap", "excess_gap"}


def test_the_published_product_is_perturbed_without_a_warning():
    for published, n_features in ((True, 4), (False, 3)):
        world = WORLD.varied(include_sensitive=True, published=published)
        cell = small({"beta": [-0.5]}, world=world).replay({"beta": -0.5}, 0)
        assert cell.explanation.values.shape == (80, n_features)


def test_an_explainer_keeps_what_it_was_told():
    data = WORLD.varied(include_sensitive=True).draw(0)
    model = LogisticRegression().fit(data.X_train.to_numpy(), data.y_train)
    told = LimeExplainer(n_samples=60, categorical=[2], derived={3: product}, random_state=1)
    seeds = [np.random.SeedSequence(s) for s in (1, 2)]
    first, second = (explain_world(told, model, data, seed) for seed in seeds)
    np.testing.assert_array_equal(first.values, second.values)
    assert told.get_params()["categorical"] == [2]


def test_other_explainers_serve_as_well():
    explainers = {
        "surrogate": GlobalSurrogate(balance="groups"),
        "shapley": KernelShapExplainer(n_background=10),
    }
    study = small(
        {"include_sensitive": [True]},
        explainers=explainers,
        metrics=["mae", "truncated_mae"],
        n_replicates=1,
    )
    table = study.run().to_frame().set_index(["explainer", "metric"])
    assert table.loc[("surrogate", "mae"), "overall"] > 0
    assert np.isnan(table.loc[("shapley", "mae"), "overall"])
    assert table.loc[("shapley", "truncated_mae"), "overall"] >= 0


def product(X):
    return X[:, 1] * X[:, 2]


def test_measures_of_an_undefined_group_and_of_additive_explanations():
    cell = small({"beta": [1.5]}).replay({"beta": 1.5}, 0)
    groups = cell.data.groups_test
    flat = replace(cell.explanation, prediction=np.where(groups == 0, 0.9, 0.2))
    row = measure_rows(flat, groups, ["auroc"])[0]
    assert np.isnan(row["signed_gap"])
    assert np.isnan(row["group_0"])
    additive = replace(cell.explanation, additive=True)
    with pytest.raises(InputError, match="add up to the prediction"):
        measure_rows(additive, groups, ["mae", "accuracy"])
    rows = measure_rows(additive, groups, ["mae", "truncated_mae"])
    assert np.isnan(rows[0]["mean_gap"])
    assert rows[1]["mean_gap"] >= 0


def test_the_noise_floor_is_the_gap_of_random_groups():
    rng = np.random.default_rng(0)
    cell = small({"beta": [1.5]}).replay({"beta": 1.5}, 0)
    groups = cell.data.groups_test
    noise = rng.normal(0, 0.2, len(groups))
    noisy = replace(cell.explanation, surrogate_prediction=cell.explanation.prediction + noise)
    for metric in ("mae", "auroc"):
        floor = measure_rows(noisy, groups, [metric])[0]["null_gap"]
        gaps = [
            measure_rows(noisy, rng.permutation(groups), [metric])[0]["mean_gap"] for _ in range(60)
        ]
        assert floor > 0
        assert abs(floor - np.mean(gaps)) < 5 * np.std(gaps) / np.sqrt(25)


def test_excess_gap_vanishes_without_a_mechanism_and_not_with_one():
    grid = {"beta": [-0.5, 1.5], "include_sensitive": [True]}
    study = small(grid, metrics=["mae"], n_replicates=16, world=WORLD.varied(n_test=160))
    table = study.run().summary(["excess_gap", "signed_gap"]).query("statistic == 'mean'")
    values = table.set_index(["beta", "measure"])
    null = values.loc[(1.5, "signed_gap")]
    assert abs(null["value"]) < 3.5 * null["mcse"] + 1e-3
    shifted = values.loc[(-0.5, "excess_gap")]
    assert shifted["value"] > 3 * shifted["mcse"]


def test_the_report_has_all_parts(result):
    text = result.ademp()
    for title in ("Aims", "Data-generating mechanisms", "Estimands", "Methods",
                  "Performance measures", "Failures", "Seeds and software"):  # fmt: skip
        assert f"## {title}\n" in text
    assert "LogisticRegression()" in text
    assert "`beta`: -0.5, 1.5" in text
    assert text.count("| -0.5 |") == 2 * 3
    with pytest.raises(InputError, match="no finished cell"):
        small().result().ademp()


def test_json_and_repr(result):
    document = json.loads(result.to_json())
    assert document["protocol"]["metrics"] == ["accuracy", "auroc", "mae"]
    assert document["n_done"] == 12
    assert "12 of 12 cells done" in repr(result)
    assert "4 scenarios x 3 replicates" in repr(small())


@pytest.mark.parametrize("measure", ["mean_gap", "signed_gap", "max_gap"])
def test_small_multiples(result, measure):
    axes = result.plot("beta", measure=measure)
    assert [a.get_title() for a in axes] == ["accuracy", "auroc", "mae"]
    line = axes[2].containers[0][0]
    table = result.summary([measure]).query("statistic == 'mean' and metric == 'mae'")
    expected = table[~table["include_sensitive"].astype(bool)].sort_values("beta")
    np.testing.assert_allclose(line.get_ydata(), expected["value"])
    has_band = any(isinstance(c, PolyCollection) for c in axes[2].collections)
    assert has_band == (measure != "max_gap")
    plt.close("all")


def test_nested_loops(result):
    ax = result.plot_nested(metric="mae")
    texts = [t.get_text() for t in ax.texts]
    assert texts == ["beta: -0.5, 1.5", "include_sensitive: False, True"]
    assert ax.get_xlim() == (0, 4)
    plt.close("all")
    single = result.plot("include_sensitive", metric="mae")
    assert len(single) == 1
    assert [t.get_text() for t in single[0].get_xticklabels()] == ["False", "True"]
    plt.close("all")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.plot("gamma"), "x must be one of"),
        (lambda r: r.plot(measure="gap"), "measure must be one of"),
        (lambda r: r.plot(metric="r2"), "metric must be one of"),
        (lambda r: r.plot(ax=plt.figure().subplots()), "3 metric"),
        (lambda r: r.plot_nested(["beta", "beta"]), "order must name different factors"),
        (lambda r: r.summary(["gap"]), "not a numeric output"),
        (lambda r: r.contrast("beta", 7), "reference"),
    ],
)
def test_bad_questions_to_a_result(result, call, message):
    with pytest.raises(InputError, match=message):
        call(result)
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"world": "concept"}, "world must be a World"),
        ({"world": {"a": 3}}, "found int for 'a'"),
        ({"world": {}}, "empty dictionary"),
        ({"grid": {"gamma": [1]}}, "no field 'gamma'"),
        ({"grid": {"beta": 1.5}}, "must be a list"),
        ({"grid": {"beta": [float("nan")]}}, "beta must be a finite number"),
        ({"grid": {"model": ["a"]}}, "'model' is a factor already"),
        ({"grid": [{"beta": 1}, {"form": "step"}]}, "everywhere"),
        ({"grid": {"beta": [1.5, 1.5]}}, "repeats the scenario"),
        ({"metrics": []}, "metrics is empty"),
        ({"metrics": ["speed"]}, "metrics must be one of"),
        ({"models": LogisticRegression()}, "models must be a dictionary"),
        ({"models": {"a": LogisticRegression}}, "'a' must be an instance"),
        ({"explainers": {}}, "explainers must be a dictionary"),
        ({"explainers": {"a": LogisticRegression()}}, "get_params and explain"),
        ({"n_replicates": 0}, "n_replicates"),
        ({"format": "csv"}, "format"),
    ],
)
def test_bad_studies_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        small(options.pop("grid", GRID), **options)


def test_bad_scenarios_to_replay():
    study = small()
    with pytest.raises(InputError, match="2 scenarios of the study have these levels"):
        study.replay({"beta": -0.5}, 0)
    with pytest.raises(InputError, match="replicate"):
        study.replay({"beta": -0.5, "include_sensitive": True}, -1)


def test_a_cell_needs_no_study():
    seed = np.random.SeedSequence(1)
    rows = evaluate_cell(
        world=WORLD, model=LogisticRegression(), explainer=LIME, metrics=("mae",), seed=seed
    )
    assert rows[0]["metric"] == "mae"


def test_every_kind_of_world_runs():
    cut = CovariateShiftWorld(threshold=0.45, published=True, n_train=400, n_test=80)
    assert small({}, world=cut, n_replicates=1).run().study.n_failed == 0
    mechanisms = MechanismWorld(n_train=300, n_test=80)
    found = small({"concept": [True]}, world=mechanisms, n_replicates=1).run()
    assert found.study.n_failed == 0


@pytest.mark.slow
def test_concept_shift_and_the_network():
    """The strongest published finding, with half of the rows and of the epochs."""
    world = ConceptShiftWorld(published=True, n_train=7000, n_test=1500)
    study = ExplanationDisparityStudy(
        world,
        {"beta": [-0.5, 1.5]},
        models={"network": NetworkClassifier(), "logistic": LogisticRegression()},
        n_replicates=3,
        random_state=5,
    )
    table = study.run().summary(["mean_gap", "signed_gap"]).query("statistic == 'mean'")
    value = table.set_index(["beta", "model", "metric", "measure"])["value"]
    assert value[-0.5, "network", "accuracy", "mean_gap"] > 0.15
    assert 0.11 < value[-0.5, "network", "mae", "signed_gap"] < 0.20
    assert abs(value[1.5, "network", "mae", "signed_gap"]) < 0.02
    assert value[-0.5, "logistic", "accuracy", "mean_gap"] < 0.003
