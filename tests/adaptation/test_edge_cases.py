"""Every bad or odd input of the edge-case table, and the invariances."""

import warnings

import numpy as np
import pandas as pd
import pytest

from shiftlab.adaptation import (
    EnvironmentAdaptiveClassifier,
    EnvironmentAdaptiveRegressor,
    simulate_environments,
)
from shiftlab.exceptions import InputError, InputWarning, SmallSampleWarning

DATA = simulate_environments("hidden_cause", 45, n_rows=40, random_state=0)
NEW = simulate_environments("hidden_cause", 9, n_rows=40, random_state=1)


def adaptive(**options):
    return EnvironmentAdaptiveRegressor(
        **{"strategy": "coefficients", "outside": "ignore", **options}
    )


MODEL = adaptive().fit(DATA.X, DATA.y, DATA.environment)


def few(n):
    rows = np.isin(DATA.environment, np.unique(DATA.environment)[:n])
    return DATA.X[rows], DATA.y[rows], DATA.environment[rows]


@pytest.mark.parametrize("n", [1, 4])
def test_too_few_environments_do_not_adapt(n):
    X, y, environment = few(n)
    with pytest.warns(SmallSampleWarning, match="does not adapt"):
        model = adaptive().fit(X, y, environment)
    assert model.guard_active_
    assert model.strategy_ == "pooled"
    plain = adaptive(strategy="pooled").fit(X, y, environment)
    np.testing.assert_allclose(model.predict(X), plain.predict(X))
    assert model.select(X).to_frame()["covariates"].tolist() == ["c2, x"]
    assert "environments are too few" in model.identifiability().verdict


def test_too_few_environments_with_known_causes_use_them():
    X, y, environment = few(3)
    with pytest.warns(SmallSampleWarning):
        model = adaptive(always_include=["c2"]).fit(X, y, environment)
    assert model.strategy_ == "causal"
    assert model.coefficients(X)["x"].tolist() == [0.0]


def test_one_best_set_everywhere_is_a_constant_choice():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = X @ [3.0, 2.0]
    environment = np.repeat(np.arange(12), 50)
    for selector in (None, "argmin", "regret"):
        model = adaptive(strategy="select", guard=None, selector=selector)
        model.fit(X, y, environment)
        chosen = model.select(X, environment).to_frame()["covariates"]
        assert set(chosen) == {"x0, x1"}


def test_environments_of_one_row_help_the_pooled_fit_only():
    X = pd.concat([DATA.X, DATA.X.iloc[:3]])
    y = np.append(DATA.y, DATA.y[:3] + 50)
    environment = np.append(DATA.environment, ["one", "two", "three"])
    model = adaptive(strategy="pooled").fit(X, y, environment)
    without = adaptive(strategy="pooled").fit(DATA.X, DATA.y, DATA.environment)
    assert np.abs(model.predict(NEW.X) - without.predict(NEW.X)).max() > 1e-3
    adapted = adaptive().fit(X, y, environment)
    assert np.isfinite(adapted.predict(NEW.X, NEW.environment)).all()
    assert len(adapted.environments_) == 48


def test_a_batch_of_one_row_gets_the_pooled_model():
    pooled = adaptive(strategy="pooled").fit(DATA.X, DATA.y, DATA.environment)
    one = NEW.X.iloc[[0]]
    assert MODEL.predict(one) == pytest.approx(pooled.predict(one))
    assert MODEL.select(one).to_frame()["fallback"].tolist() == ["pooled (too few rows)"]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_small_batches_are_drawn_to_the_training_mean(n):
    predicted = MODEL.predict(NEW.X.iloc[:n])
    assert np.isfinite(predicted).all()
    far = MODEL.coefficients(NEW.X.iloc[:n]).to_numpy()
    full = MODEL.coefficients(NEW.X.iloc[:40]).to_numpy()
    assert np.isfinite(far).all()
    assert np.isfinite(full).all()


def test_small_batches_do_not_hurt_on_average():
    new = simulate_environments("hidden_cause", 300, n_rows=3, random_state=5)
    model = EnvironmentAdaptiveRegressor(outside="ignore")
    train = simulate_environments("hidden_cause", 90, random_state=6)
    pooled = adaptive(strategy="pooled").fit(train.X, train.y, train.environment)
    model.fit(train.X, train.y, train.environment)
    errors = [((new.y - m.predict(new.X, new.environment)) ** 2).mean() for m in (model, pooled)]
    assert errors[0] < errors[1]


def test_constant_and_collinear_columns():
    X = DATA.X.assign(constant=3.0, twice=2 * DATA.X["c2"], again=DATA.X["x"])
    for strategy in ("select", "coefficients", "mask", "pooled"):
        model = adaptive(strategy=strategy).fit(X, DATA.y, DATA.environment)
        assert np.isfinite(model.predict(X, DATA.environment)).all()
    pooled = adaptive(strategy="pooled").fit(X, DATA.y, DATA.environment)
    plain = adaptive(strategy="pooled").fit(DATA.X, DATA.y, DATA.environment)
    np.testing.assert_allclose(pooled.predict(X), plain.predict(DATA.X), atol=1e-5)


def test_more_than_fifteen_covariates():
    rng = np.random.default_rng(0)
    more = pd.DataFrame(rng.normal(size=(len(DATA.y), 16)), columns=[f"z{i}" for i in range(16)])
    X = pd.concat([DATA.X, more], axis=1)
    with pytest.raises(InputError, match=r"2\^18 subsets"):
        adaptive(candidates="all").fit(X, DATA.y, DATA.environment)
    model = adaptive(strategy="select", guard=None, summary="paper")
    model.fit(X, DATA.y, DATA.environment)
    assert 1 < len(model.candidates_) <= 64
    assert model.candidates_.all(axis=1).any()
    assert np.isfinite(model.predict(X, DATA.environment)).all()


class TestCategories:
    rng = np.random.default_rng(3)
    X = DATA.X.assign(kind=rng.choice(["u", "v", "w"], len(DATA.y)), flag=DATA.y > 0)

    def test_a_variable_is_selected_as_a_whole(self):
        model = adaptive(strategy="select", guard=None).fit(self.X, DATA.y, DATA.environment)
        assert model.variables_ == ("c2", "x", "kind", "flag")
        assert model.candidates_.shape == (16, 4)
        columns = model.coefficients(self.X, DATA.environment).columns.tolist()
        assert columns[3:6] == ["kind=u", "kind=v", "kind=w"]

    def test_an_unseen_category_is_flagged(self):
        model = adaptive().fit(self.X, DATA.y, DATA.environment)
        new = self.X.iloc[:40].assign(kind="unknown")
        assert np.isfinite(model.predict(new)).all()
        assert model.select(new).to_frame()["outside"].tolist() == [True]


class TestMissing:
    X = DATA.X.where(np.random.default_rng(4).random(DATA.X.shape) > 0.1)

    def test_is_an_error(self):
        with pytest.raises(InputError, match="'c2', 'x'"):
            adaptive().fit(self.X, DATA.y, DATA.environment)
        with pytest.raises(InputError, match="NaN"):
            MODEL.predict(self.X)

    def test_or_a_summary(self):
        model = adaptive(summary=["moments", "missing"])
        model.fit(self.X, DATA.y, DATA.environment)
        assert np.isfinite(model.predict(self.X, DATA.environment)).all()
        summary = model.environment_summary(self.X, DATA.environment).to_frame()
        assert summary["missing(x)"].mean() == pytest.approx(0.1, abs=0.02)
        array = adaptive(summary=["moments", "missing"])
        array.fit(self.X.to_numpy(), DATA.y, DATA.environment)
        assert np.isfinite(array.predict(self.X.to_numpy(), DATA.environment)).all()


def test_unseen_labels_are_the_normal_case():
    renamed = np.char.add("new ", NEW.environment.astype(str))
    np.testing.assert_allclose(
        MODEL.predict(NEW.X, renamed), MODEL.predict(NEW.X, NEW.environment), atol=1e-12
    )


@pytest.mark.parametrize("bad", [None, np.nan])
def test_a_missing_label_is_an_error(bad):
    environment = DATA.environment.astype(object).copy()
    environment[3] = bad
    with pytest.raises(InputError, match="missing label"):
        adaptive().fit(DATA.X, DATA.y, environment)


def test_a_wrong_length_is_an_error():
    with pytest.raises(InputError, match="environment has"):
        adaptive().fit(DATA.X, DATA.y, DATA.environment[1:])
    with pytest.raises(InputError, match="environment has"):
        MODEL.predict(NEW.X, NEW.environment[1:])


def test_weights_count_as_repetition():
    weights = np.random.default_rng(5).integers(1, 4, len(DATA.y))
    weighted = adaptive(strategy="pooled").fit(DATA.X, DATA.y, DATA.environment, weights)
    rows = np.repeat(np.arange(len(DATA.y)), weights)
    repeated = adaptive(strategy="pooled")
    repeated.fit(DATA.X.iloc[rows], DATA.y[rows], DATA.environment[rows])
    np.testing.assert_allclose(weighted.predict(NEW.X), repeated.predict(NEW.X), rtol=1e-9)
    with pytest.raises(InputError, match="zero"):
        adaptive().fit(DATA.X, DATA.y, DATA.environment, np.zeros(len(DATA.y)))


def test_the_whole_batch_is_one_environment_unless_told():
    part = NEW.environment == NEW.environment[0]
    np.testing.assert_array_equal(
        MODEL.predict(NEW.X[part]), MODEL.predict(NEW.X[part], NEW.environment[part])
    )
    np.testing.assert_array_equal(MODEL.predict(NEW.X), MODEL.predict(NEW.X, "all of them"))


class TestOutside:
    far = NEW.X.iloc[:40].assign(c2=30.0 + NEW.X["c2"], x=NEW.X["x"] - 40.0)

    def test_warns(self):
        model = adaptive(outside="warn").fit(DATA.X, DATA.y, DATA.environment)
        with pytest.warns(InputWarning, match="outside the training range"):
            model.predict(self.far)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict(NEW.X.iloc[:40])

    def test_falls_back(self):
        pooled = adaptive(strategy="pooled").fit(DATA.X, DATA.y, DATA.environment)
        model = adaptive(outside="pooled").fit(DATA.X, DATA.y, DATA.environment)
        np.testing.assert_allclose(model.predict(self.far), pooled.predict(self.far))
        assert model.select(self.far).to_frame()["fallback"].tolist() == ["pooled"]
        causal = adaptive(outside="causal", always_include=["c2"])
        causal.fit(DATA.X, DATA.y, DATA.environment)
        assert causal.coefficients(self.far)["x"].tolist() == [0.0]
        nothing = adaptive(outside="nan").fit(DATA.X, DATA.y, DATA.environment)
        both = pd.concat([NEW.X.iloc[:40], self.far])
        predicted = nothing.predict(both, np.repeat(["near", "far"], 40))
        assert np.isnan(predicted[40:]).all()
        assert np.isfinite(predicted[:40]).all()

    def test_pvalues_are_uniform_inside(self):
        train = simulate_environments("hidden_cause", 120, random_state=7)
        new = simulate_environments("hidden_cause", 240, random_state=8)
        model = adaptive(strategy="pooled").fit(train.X, train.y, train.environment)
        p = model.select(new.X, new.environment, n_bootstrap=1).to_frame()["pvalue_outside"]
        assert (p <= 0.1).mean() < 0.16
        assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.12)


def test_unknown_options():
    for options in (
        {"strategy": "best"}, {"outside": "stop"}, {"guard": "causal"}, {"summary": "median"},
        {"selector": "nearest"}, {"environment_weight": "size"}, {"cv": "random"},
        {"strategy": "augment"},
    ):  # fmt: skip
        with pytest.raises(InputError):
            adaptive(**options).fit(DATA.X, DATA.y, DATA.environment)


def test_one_class_and_other_outcomes():
    with pytest.raises(ValueError, match="1 class"):
        EnvironmentAdaptiveClassifier().fit(DATA.X, np.ones(len(DATA.y)), DATA.environment)
    with pytest.raises(ValueError, match="NaN"):
        adaptive().fit(DATA.X, np.full(len(DATA.y), np.nan), DATA.environment)
