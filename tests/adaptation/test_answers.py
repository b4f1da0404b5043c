"""What the estimators say: selection, explanations, identifiability, intervals, pictures."""

import numpy as np
import pytest

from shiftlab.adaptation import (
    EnvironmentAdaptiveRegressor,
    enumerate_subset_risks,
    observed_causes,
    simulate_environments,
)
from shiftlab.exceptions import InputError

TRAIN = simulate_environments("hidden_cause", 120, random_state=0)
NEW = simulate_environments("hidden_cause", 60, random_state=1)
MODEL = EnvironmentAdaptiveRegressor(strategy="select", outside="ignore")
MODEL.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
KIND, LEVEL = (NEW.shifts[name].to_numpy() for name in ("type", "level"))


def risk(model):
    return float(((NEW.y - model.predict(NEW.X, NEW.environment)) ** 2).mean())


class TestSelect:
    found = MODEL.select(NEW.X, NEW.environment)
    frame = found.to_frame()

    def test_chooses_the_proxy_but_where_it_is_noisy(self):
        # Theory: the proxy helps as long as its noise is below about 2 standard deviations.
        causal = (self.frame["covariates"] == "c2").to_numpy()
        assert causal[(KIND == "x") & (LEVEL > 2.6)].mean() > 0.9
        assert causal[(KIND == "c2") | (LEVEL < 1.2)].mean() < 0.1

    def test_probability_and_bootstrap_order_the_errors(self):
        sure = (self.frame["probability"] > 0.9) & (self.frame["bootstrap_frequency"] > 0.9)
        correct = (self.frame["covariates"] == "c2") == ((KIND == "x") & (LEVEL > 1.97))
        assert correct[sure].mean() > 0.97
        assert correct[sure].mean() >= correct[~sure].mean()

    def test_the_table_is_complete(self):
        assert self.frame["environment"].tolist() == sorted(set(NEW.environment))
        assert (self.frame["n_rows"] == 100).all()
        assert self.frame["fallback"].eq("").all()
        assert self.found.chosen.shape == (60, 2)

    def test_predictions_are_those_of_the_selected_fit(self):
        fits = MODEL.subset_coefficients().set_index("covariates")
        first = self.frame["covariates"][0]
        a = fits.loc[first]
        rows = NEW.environment == self.frame["environment"][0]
        X = NEW.X[rows]
        np.testing.assert_allclose(
            MODEL.predict(X), a["intercept"] + X["c2"] * a["c2"] + X["x"] * a["x"], rtol=1e-10
        )
        used = MODEL.coefficients(X).iloc[0]
        np.testing.assert_allclose(used.to_numpy(), a.to_numpy(dtype=float), rtol=1e-10)


def test_strategies_are_as_good_as_the_theory_lets_them():
    pooled = EnvironmentAdaptiveRegressor(strategy="pooled")
    pooled = risk(pooled.fit(TRAIN.X, TRAIN.y, TRAIN.environment))
    auto = EnvironmentAdaptiveRegressor(outside="ignore")
    auto.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    assert pooled == pytest.approx(2.29, abs=0.12)
    assert risk(MODEL) < pooled - 0.1
    assert risk(auto) < NEW.bayes_risk * 1.06
    assert sum(auto.strategy_weights_.values()) == pytest.approx(1)


@pytest.mark.parametrize("selector", ["argmin", "regret", "risk"])
def test_published_selectors(selector):
    model = EnvironmentAdaptiveRegressor(
        strategy="select", selector=selector, guard=None, outside="ignore", summary="paper"
    ).fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    assert risk(model) < 2.25
    probabilities = model.select(NEW.X, NEW.environment, n_bootstrap=1).to_frame()["probability"]
    assert probabilities.between(0, 1).all()


def test_a_classifier_of_the_users_choice():
    from sklearn.ensemble import RandomForestClassifier

    model = EnvironmentAdaptiveRegressor(
        strategy="mix", selector=RandomForestClassifier(30), guard=None, outside="ignore"
    ).fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    assert risk(model) < 2.25


def test_explanations_name_what_shifted():
    noisy = NEW.environment == NEW.shifts["environment"].to_numpy()[-1]  # x, level 4
    found = MODEL.explain_shift(NEW.X[noisy])
    frame = found.to_frame().set_index("summary")
    assert frame.loc["sd(x)", "deviation"] > 1.5
    assert frame.loc["sd(x)", "risk_effect"] > 0
    assert frame["rival"].iloc[0] == "c2"
    moved = EnvironmentAdaptiveRegressor(strategy="coefficients", outside="ignore")
    moved.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    hidden = NEW.environment == NEW.shifts["environment"].to_numpy()[19]  # c1, level 4
    effects = moved.explain_shift(NEW.X[hidden]).to_frame()
    largest = effects.loc[effects["prediction_effect"].idxmax(), "summary"]
    assert largest == "mean(x)"


def test_identifiability_where_shifts_differ_and_where_they_look_alike():
    found = MODEL.identifiability()
    assert found.explained > 0.7
    assert not found.guard_active
    alike = simulate_environments(
        "confounded_shifts", 120, n_rows=100, types=("v", "x"), random_state=0
    )
    model = EnvironmentAdaptiveRegressor(strategy="select", outside="ignore")
    model.fit(alike.X, alike.y, alike.environment)
    blind = model.identifiability()
    assert model.guard_active_
    assert model.strategy_ == "pooled"
    assert blind.explained < 0.15
    assert blind.regret > 0.2
    assert "kept" in blind.verdict


def test_known_causes_from_a_graph():
    import networkx as nx

    graph = nx.DiGraph([("c2", "y"), ("c1", "y"), ("c1", "x"), ("c2", "x")])
    causes = observed_causes(graph, "y", observed=TRAIN.X.columns)
    assert causes == ["c2"]

    class Result:
        def to_networkx(self):
            return graph

    assert observed_causes(Result(), "y") == ["c1", "c2"]
    model = EnvironmentAdaptiveRegressor(always_include=causes, strategy="select")
    model.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    assert model.candidates_[:, 0].all()
    with pytest.raises(InputError, match="no node"):
        observed_causes(graph, "z")
    with pytest.raises(InputError, match="no node"):
        observed_causes({}, "z")
    with pytest.raises(InputError, match="graph must be"):
        observed_causes(3, "z")


class TestIntervals:
    def test_cover_rows_of_new_environments(self):
        model = EnvironmentAdaptiveRegressor(strategy="coefficients", outside="ignore")
        model.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        for coverage in (0.5, 0.9):
            ends = model.predict_interval(NEW.X, NEW.environment, coverage=coverage)
            inside = (ends[:, 0] <= NEW.y) & (NEW.y <= ends[:, 1])
            assert inside.mean() == pytest.approx(coverage, abs=0.04)

    def test_need_environments(self):
        with pytest.raises(InputError, match="at least 199 environments"):
            MODEL.predict_interval(NEW.X, coverage=0.995)
        with pytest.raises(InputError, match="coverage"):
            MODEL.predict_interval(NEW.X, coverage=1.0)


class TestPictures:
    def test_each_is_drawn(self):
        import matplotlib.pyplot as plt

        results = (
            TestSelect.found, MODEL.explain_shift(NEW.X.iloc[:100]), MODEL.identifiability(),
            MODEL.environment_summary(NEW.X, NEW.environment),
            enumerate_subset_risks(TRAIN.X, TRAIN.y, TRAIN.environment),
        )  # fmt: skip
        for result in results:
            ax = result.plot()
            assert ax.get_xlabel()
            plt.close(ax.figure)

    def test_risks_against_a_level(self):
        import matplotlib.pyplot as plt

        found = enumerate_subset_risks(TRAIN.X, TRAIN.y, TRAIN.environment)
        ax = found.plot(against=TRAIN.shifts["level"])
        assert ax.get_xlabel() == "shift level"
        assert "best of all" in [t.get_text() for t in ax.get_legend().get_texts()]
        plt.close(ax.figure)


def test_functions_as_summaries():
    def skew(X):
        centred = X - X.mean(axis=0)
        return (centred**3).mean(axis=0)

    model = EnvironmentAdaptiveRegressor(
        strategy="coefficients", summary=["quantiles", skew], outside="ignore"
    ).fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    assert risk(model) < 1.9
    names = model.environment_summary(NEW.X, NEW.environment).names
    assert names[-2:] == ("skew[0]", "skew[1]")
    assert "q50(c2)" in names
    with pytest.raises(InputError, match="missing or infinite"):
        EnvironmentAdaptiveRegressor(summary=lambda X: np.nan).fit(
            TRAIN.X, TRAIN.y, TRAIN.environment
        )
