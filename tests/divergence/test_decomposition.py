"""Shift decomposition: identity, invariances, known worlds, bad and odd input, result and plot."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss
from sklearn.tree import DecisionTreeRegressor

from shiftlab.divergence import shift_decomposition
from shiftlab.divergence._content_order import share_rows
from shiftlab.divergence._crossfit import encode
from shiftlab.divergence._shared_space import Nuisance, shared_space
from shiftlab.exceptions import ColumnNotFoundError, DegenerateDataError, InputError

PARTS = ("covariate_home", "concept", "covariate_here")


class Zero(RegressorMixin, BaseEstimator):
    """Always predicts 0, so that the loss is the squared outcome and its mean is known."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.zeros(len(X))


def make_world(n, shift=0.0, concept=0.0, seed=0, sites=("home", "here")):
    """One home and one shifted environment, three normal covariates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * n, 3))
    here = np.repeat([False, True], n)
    x[here, 0] += shift
    y = 0.7 * x[:, 0] + rng.normal(size=2 * n) + np.where(here, concept, 0.0) * (x[:, 1] > 0)
    return pd.DataFrame(
        {**{f"x{i}": x[:, i] for i in range(3)}, "y": y, "site": np.array(sites)[here * 1]}
    )


@pytest.fixture(scope="module")
def mixed_frame():
    """Four environments of different size, all kinds of columns, missing cells, a class outcome."""
    rng = np.random.default_rng(5)
    n = 700
    site = rng.choice(["a", "b", "c", "d"], size=n, p=[0.4, 0.3, 0.2, 0.1])
    x = rng.normal(size=n) + (site == "b")
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.1, np.nan, x),
            "count": rng.poisson(3, size=n),
            "label": rng.choice([f"k{i}" for i in range(300)], size=n),
            "flag": rng.random(n) < 0.3,
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, n), unit="D"),
            "site": site,
        }
    )
    frame.loc[rng.random(n) < 0.1, "label"] = None
    frame["y"] = x + frame["flag"] + rng.normal(size=n)
    frame["kind"] = np.where(x + rng.normal(size=n) > 0, "yes", "no")
    frame["three"] = np.where(x > 0.7, "high", np.where(x < -0.7, "low", "middle"))
    return frame


@pytest.fixture(scope="module")
def base(mixed_frame):
    return shift_decomposition(
        mixed_frame.drop(columns=["kind", "three"]), "site", outcome="y", n_folds=2, random_state=3
    )


def numbers(result):
    frame = result.to_frame().sort_values("n").drop(columns=["environment", "note"])
    return frame.to_numpy(dtype=float)


def test_parts_add_up_to_the_total(base):
    frame = base.to_frame()
    np.testing.assert_allclose(frame[list(PARTS)].sum(axis=1), frame["total"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(frame["loss_here"] - frame["loss_home"], frame["total"], atol=1e-12)
    assert (frame["total"].diff().dropna() <= 0).all()


def test_limits_enclose_the_values(base):
    frame = base.to_frame()
    for name in ("loss_home", "loss_here", "total", "loss_within", *PARTS):
        assert (frame[f"{name}_low"] < frame[name]).all()
        assert (frame[name] < frame[f"{name}_high"]).all()


def test_rows_are_counted(base, mixed_frame):
    frame = base.to_frame().set_index("environment")
    assert frame["n"].to_dict() == mixed_frame["site"].value_counts().to_dict()
    assert (frame["n"] + frame["n_home"] == len(mixed_frame)).all()
    assert base.n_used == base.n_rows == len(mixed_frame)


def test_order_of_rows_and_names_of_environments_do_not_matter(base, mixed_frame):
    frame = mixed_frame.drop(columns=["kind", "three"]).sample(frac=1, random_state=1)
    frame["site"] = frame["site"].map({"a": "z", "b": "y", "c": "w", "d": "v"})
    np.testing.assert_array_equal(
        numbers(shift_decomposition(frame, "site", outcome="y", n_folds=2, random_state=3)),
        numbers(base),
    )


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_number_of_workers_does_not_matter(backend):
    frame = make_world(100, shift=0.5)
    trees = DecisionTreeRegressor(splitter="random")
    arguments = {"estimator": trees, "random_state": 1}
    one = shift_decomposition(frame, "site", outcome="y", **arguments, n_jobs=1)
    with joblib.parallel_config(backend):
        two = shift_decomposition(frame, "site", outcome="y", **arguments, n_jobs=2)
    other = shift_decomposition(frame, "site", outcome="y", estimator=trees, random_state=2)
    assert one.to_json() == two.to_json() != other.to_json()


def test_scaling_the_outcome_scales_the_squares():
    frame = make_world(200, shift=0.5, concept=1.0)
    scaled = frame.assign(y=frame["y"] * 1024.0)  # a power of two: exact in floating point
    options = {"reference": "home", "n_folds": 2, "random_state": 1}
    small, large = (shift_decomposition(f, "site", outcome="y", **options) for f in (frame, scaled))
    for name in ("loss_home", "total", *PARTS):
        np.testing.assert_allclose(
            large.to_frame()[name], 1024.0**2 * small.to_frame()[name], rtol=1e-6, atol=1.0
        )
        np.testing.assert_allclose(
            large.to_frame("share")[name], small.to_frame("share")[name], rtol=1e-6, atol=1e-6
        )


def test_swapping_home_and_here_reverses_the_parts():
    rng = np.random.default_rng(0)
    home, here = rng.exponential(size=80), rng.exponential(size=50) + 1
    at_home, at_here = (Nuisance(*rng.uniform(0.1, 0.9, size=(3, n))) for n in (80, 50))

    def flip(nuisance):
        return Nuisance(1 - nuisance.domain, nuisance.loss_here, nuisance.loss_home)

    forth = shared_space(home, here, at_home, at_here)
    back = shared_space(here, home, flip(at_here), flip(at_home))
    assert back.total.value == pytest.approx(-forth.total.value)
    assert back.concept.value == pytest.approx(-forth.concept.value)
    assert back.covariate_home.low == pytest.approx(-forth.covariate_here.high)
    assert back.ess_here == pytest.approx(forth.ess_home)


def test_concept_is_the_residual_on_residual_coefficient():
    """With equal sample sizes the concept part is Robinson's coefficient."""
    rng = np.random.default_rng(1)
    loss, e = rng.exponential(size=(2, 60)), rng.uniform(0.1, 0.9, size=(2, 60))
    mu = rng.exponential(size=(2, 2, 60))
    space = shared_space(loss[0], loss[1], Nuisance(e[0], *mu[0]), Nuisance(e[1], *mu[1]))
    domain = np.repeat([0.0, 1.0], 60) - e.ravel()
    mixture = (1 - e) * mu[:, 0] + e * mu[:, 1]
    expected = domain @ (loss - mixture).ravel() / (domain @ domain)
    assert space.concept.value == pytest.approx(expected)


def test_known_loss_models_and_equal_domains_give_plain_means():
    """Without any covariate difference (e = 1/2) the covariate parts vanish identically."""
    rng = np.random.default_rng(2)
    home, here = rng.normal(size=70), rng.normal(size=40)
    flat = [Nuisance(np.full(n, 0.5), np.full(n, 0.3), np.full(n, 0.8)) for n in (70, 40)]
    space = shared_space(home, here, *flat)
    assert space.concept.value == pytest.approx(here.mean() - home.mean())
    assert space.covariate_home.value == pytest.approx(0.0, abs=1e-12)
    assert space.overlap == pytest.approx(1.0)
    assert (space.ess_home, space.ess_here) == pytest.approx((70, 40))


@pytest.mark.parametrize(
    ("shift", "concept", "zero", "not_zero"),
    [
        (1.0, 0.0, ["concept"], "covariate_here"),
        (0.0, 2.0, ["covariate_home", "covariate_here"], "concept"),
    ],
)
def test_pure_shifts_are_told_apart(shift, concept, zero, not_zero):
    frame = make_world(1200, shift=shift, concept=concept, seed=11)
    item = shift_decomposition(
        frame, "site", outcome="y", reference="home", estimator=Zero(), random_state=0
    ).environments[0]
    for name in zero:
        assert getattr(item, name).low <= 0 <= getattr(item, name).high
    assert getattr(item, not_zero).low > 0


def test_mixed_shift_meets_the_truth_of_known_densities():
    frame = make_world(2000, shift=1.0, concept=2.0, seed=4)
    item = shift_decomposition(
        frame, "site", outcome="y", reference="home", estimator=Zero(), random_state=0
    ).environments[0]
    rng = np.random.default_rng(8)
    x = rng.normal(size=1_000_000)
    weight = 1 / (1 + np.exp(-(x - 0.5)))
    at_home = 0.49 * x**2 + 1
    # The mean square gains E[2 * 0.7 x * 2 * 1/2 + 4 * 1/2] where the second covariate is positive.
    gain = 1.4 * x + 2.0
    shared = np.average(at_home, weights=weight)
    truth = {
        "covariate_home": shared - at_home.mean(),
        "concept": np.average(gain, weights=weight),
        "total": np.mean(0.49 * (x + 1) ** 2 + 1 + 1.4 * (x + 1) + 2.0) - at_home.mean(),
    }
    for name, value in truth.items():
        estimate = getattr(item, name)
        assert estimate.low - 0.005 < value < estimate.high + 0.005
        assert estimate.value == pytest.approx(value, abs=0.3)


def test_disjoint_covariates_are_not_decomposed():
    frame = make_world(300, shift=30.0)
    result = shift_decomposition(frame, "site", outcome="y", reference="home", random_state=0)
    item = result.environments[0]
    assert np.isnan([getattr(item, name).value for name in PARTS]).all()
    assert "hardly any shared covariates" in item.note
    assert item.auc > 0.99
    assert np.isfinite(item.total.value)


def test_weak_overlap_is_noted_and_the_limits_can_be_set():
    frame = make_world(400, shift=3.0)
    item = shift_decomposition(
        frame, "site", outcome="y", reference="home", random_state=0
    ).environments[0]
    assert item.note.startswith("few shared covariates")
    assert np.isfinite(item.concept.value)
    strict = shift_decomposition(
        frame, "site", outcome="y", reference="home", random_state=0, min_overlap=0.9
    )
    assert "hardly any shared covariates" in strict.environments[0].note
    assert np.isnan(strict.environments[0].concept.value)


def test_binary_outcome_uses_the_brier_score(mixed_frame):
    frame = mixed_frame[["x", "flag", "kind", "site"]]
    result = shift_decomposition(
        frame, "site", outcome="kind", estimator=LogisticRegression(), reference="a", random_state=0
    )
    assert (result.task, result.loss) == ("classification", "Brier score")
    yes = frame["kind"] == "yes"
    n = len(frame)
    share = brier_score_loss(yes, np.full(n, yes.mean())) * n / (n - 1)
    assert result.loss_constant == pytest.approx(share)
    assert all(0 < item.loss_here.value < item.loss_constant for item in result.environments)


def test_three_classes_and_booleans(mixed_frame):
    pair = mixed_frame[mixed_frame["site"].isin(["a", "b"])]
    three = shift_decomposition(
        pair[["x", "three", "site"]], "site", outcome="three", estimator=LogisticRegression()
    )
    assert (three.task, len(three.environments)) == ("classification", 2)
    assert all(0 <= item.loss_here.value < 0.5 for item in three.environments)
    flag = shift_decomposition(pair[["x", "flag", "site"]], "site", outcome="flag", reference="a")
    assert flag.task == "classification"


def test_class_that_one_environment_lacks():
    rng = np.random.default_rng(0)
    x = rng.normal(size=240)
    site = np.repeat(["a", "b", "c"], 80)
    y = np.where(site == "c", "no", np.where(x > 0, "yes", "no"))
    data = {"x": x, "y": y, "site": site}
    result = shift_decomposition(data, "site", outcome="y", n_folds=2, random_state=0)
    item = next(item for item in result.environments if item.environment == "c")
    assert item.loss_constant == 0.0
    assert item.loss_within.value == 0.0
    assert item.loss_here.value > 0.3
    alone = shift_decomposition(data, "site", outcome="y", reference="c", n_folds=2, random_state=0)
    # A model that has seen "no" only is wrong whenever the answer is "yes".
    b = next(item for item in alone.environments if item.environment == "b")
    assert b.loss_here.value == pytest.approx(np.mean(y[site == "b"] == "yes"))


def test_rows_without_outcome_are_counted(mixed_frame):
    frame = mixed_frame[["x", "y", "site"]].copy()
    frame.loc[frame.index[:50], "y"] = np.nan
    frame.loc[frame["site"] == "d", "y"] = np.nan
    result = shift_decomposition(frame, "site", outcome="y", n_folds=2, random_state=0)
    assert result.n_without_outcome == frame["y"].isna().sum() == result.n_rows - result.n_used
    assert any("'d': left out" in note for note in result.notes)
    lost = frame["y"].isna().groupby(frame["site"]).sum()
    for item in result.environments:
        assert item.n_without_outcome == lost[item.environment]


def test_tiny_environments_are_flagged_and_share_home_models():
    rng = np.random.default_rng(3)
    n_sites = 60
    site = np.repeat(np.arange(n_sites), 10)
    x = rng.normal(size=600)
    data = {"x": x, "y": x + rng.normal(size=600), "site": site}
    calls = []
    result = shift_decomposition(
        data,
        "site",
        outcome="y",
        estimator=Ridge(),
        random_state=0,
        progress=lambda done, total, what: calls.append((done, total, what)),
    )
    assert len(result.environments) == n_sites
    assert all("fewer than 50 rows" in item.note for item in result.environments)
    assert all(np.isfinite(item.loss_here.value) for item in result.environments)
    assert any("20 groups" in note for note in result.notes)
    assert calls[-1] == (60, 60, "environments")
    assert (60, 60, "home models") in calls


def test_subsample_keeps_small_environments():
    keep = share_rows(np.array([100_000, 20_000, 400, 50]), 10_000, 300)
    assert keep.sum() == pytest.approx(10_000, abs=4)
    assert keep[3] == 50
    assert keep[2] >= 300
    assert keep[0] / keep[1] == pytest.approx(5.0, rel=0.1)
    assert share_rows(np.array([5, 6]), None, 300).tolist() == [5, 6]
    frame = make_world(600)
    result = shift_decomposition(
        frame, "site", outcome="y", max_rows=400, n_folds=2, random_state=0
    )
    assert result.n_used == 400
    assert any("400 of 1200 rows" in note for note in result.notes)


def test_reference_and_excluded_columns(mixed_frame):
    result = shift_decomposition(
        mixed_frame,
        "site",
        outcome="y",
        reference="a",
        exclude=["kind", "three", "label"],
        estimator=LinearRegression(),
        random_state=0,
    )
    assert result.reference == "a"
    assert {item.environment for item in result.environments} == {"b", "c", "d"}
    assert result.covariates == ("x", "count", "flag", "when")
    assert {item.n_home for item in result.environments} == {(mixed_frame["site"] == "a").sum()}


def test_encoded_matrix_is_complete_and_pools_rare_labels(mixed_frame):
    from shiftlab._core.frames import as_table

    encoded = encode(as_table(mixed_frame[["x", "label", "flag"]]))
    assert np.isfinite(encoded.matrix).all()
    assert encoded.matrix[:, 0].mean() == pytest.approx(0.0, abs=1e-12)
    assert np.nanmax(encoded.trees[:, 1]) == 100  # 100 frequent labels and the pooled rest
    assert np.isnan(encoded.trees[:, 1]).sum() == mixed_frame["label"].isna().sum()
    assert encoded.categorical.tolist() == [False, True, False]


def test_result_as_dictionary_frame_and_text(base):
    content = json.loads(base.to_json())
    assert content["environments"][0]["total"].keys() == {"value", "low", "high"}
    assert "ShiftDecomposition: squared error of 'y'" in repr(base)
    assert "<table" in base._repr_html_()
    shares = base.to_frame("share")
    np.testing.assert_allclose(shares["total"] * base.loss_constant, base.to_frame()["total"])
    with pytest.raises(InputError, match="scale must be one of"):
        base.to_frame("percent")


def test_plot_draws_each_part_and_the_total(base):
    import matplotlib.pyplot as plt

    axes = base.plot(limit=3)
    assert axes.get_legend().get_texts()[0].get_text() == "total"
    assert len(axes.get_yticks()) == 3
    assert "1 more not drawn" in axes.get_title()
    bars = next(c for c in axes.containers if c.get_label().startswith("concept: "))
    bars = [bar.get_width() for bar in bars]
    drawn = {label.get_text().removesuffix(" *") for label in axes.get_yticklabels()}
    concepts = [item.concept.value for item in base.environments if item.environment in drawn]
    np.testing.assert_allclose(bars, concepts)
    plt.close(axes.figure)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"outcome": "z"}, ColumnNotFoundError, "no column 'z'"),
        ({"outcome": "site"}, InputError, "is the environment"),
        ({"outcome": "when"}, InputError, "holds dates"),
        ({"outcome": 3}, InputError, "name of a column"),
        ({"outcome": "label"}, InputError, "265 classes, at most 50"),
        ({"outcome": "kind", "task": "regression"}, InputError, "needs numbers"),
        ({"outcome": "kind", "estimator": LinearRegression()}, InputError, "no predict_proba"),
        ({"environment": "sight"}, ColumnNotFoundError, "Did you mean 'site'"),
        ({"reference": "q"}, InputError, "no label 'q'"),
        ({"task": "rank"}, InputError, "task must be one of"),
        ({"n_folds": 1}, InputError, "n_folds must be"),
        ({"max_rows": 10}, InputError, "max_rows must be"),
        ({"min_overlap": 2}, InputError, "min_overlap must be"),
        ({"confidence_level": 95}, InputError, "confidence_level must be"),
        ({"exclude": ["x", "count", "label", "flag", "when", "kind", "three"]}, InputError,
         "no covariates"),
    ],
)  # fmt: skip
def test_bad_arguments(mixed_frame, changes, error, message):
    arguments = {"outcome": "y", "environment": "site"} | changes
    with pytest.raises(error, match=message):
        shift_decomposition(mixed_frame, **arguments)


def test_data_that_cannot_be_decomposed():
    x = np.arange(120.0)
    site = np.repeat(["a", "b"], 60)
    with pytest.raises(DegenerateDataError, match="one value only"):
        shift_decomposition({"x": x, "y": np.ones(120), "site": site}, "site", outcome="y")
    y = np.where(site == "a", x, np.nan)
    with pytest.raises(DegenerateDataError, match="known in 1 environment"):
        shift_decomposition({"x": x, "y": y, "site": site}, "site", outcome="y")
    with pytest.raises(InputError, match="at least 2"):
        shift_decomposition({"x": x, "y": x, "site": np.full(120, "a")}, "site", outcome="y")
    small = np.repeat(["a", "b"], [20, 100])
    with pytest.raises(DegenerateDataError, match="reference: 20 rows"):
        shift_decomposition({"x": x, "y": x, "site": small}, "site", outcome="y", reference="a")


def test_constant_outcome_in_one_environment():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    site = np.repeat(["a", "b"], 100)
    y = np.where(site == "b", 2.0, x)
    result = shift_decomposition(
        {"x": x, "y": y, "site": site}, "site", outcome="y", random_state=0
    )
    b = next(item for item in result.environments if item.environment == "b")
    assert b.loss_constant == 0.0
    assert b.loss_within.value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("size", [9e29, 1.1e-30])
def test_the_largest_and_smallest_outcomes_that_tables_hold_are_split(size):
    rng = np.random.default_rng(0)
    site = np.repeat(["a", "b"], 100)
    x = rng.normal(size=200)
    y = np.clip(x + rng.normal(size=200), -4, 4)
    results = [
        shift_decomposition(
            {"x": x, "y": y / 4 * scale, "site": site}, "site", outcome="y",
            estimator=LinearRegression(), random_state=0,
        )
        for scale in (1.0, size)
    ]  # fmt: skip
    for part in ("total", "concept"):
        plain, scaled = (getattr(result.environments[0], part).value for result in results)
        assert scaled / size**2 == pytest.approx(plain, rel=1e-6, abs=1e-9), part
