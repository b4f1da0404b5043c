"""The classifier, other models inside, the summarizer and the baselines."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab.adaptation import (
    BaselineRegressor,
    EnvironmentAdaptiveClassifier,
    EnvironmentAdaptiveRegressor,
    EnvironmentSummarizer,
    simulate_environments,
)
from shiftlab.adaptation._peers import BASELINES
from shiftlab.exceptions import InputError

TRAIN = simulate_environments("hidden_cause", 60, random_state=0)
NEW = simulate_environments("hidden_cause", 30, random_state=1)
SMALL = simulate_environments("hidden_cause", 45, n_rows=50, random_state=0)
LABEL, NEW_LABEL = TRAIN.y > 0, NEW.y > 0


@parametrize_with_checks([EnvironmentAdaptiveClassifier(strategy="pooled")])
def test_the_classifier_keeps_the_rules(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


@parametrize_with_checks([EnvironmentSummarizer(), BaselineRegressor()])
def test_the_others_keep_the_rules(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


class TestClassifier:
    @staticmethod
    def log_loss(strategy, **options):
        model = EnvironmentAdaptiveClassifier(strategy=strategy, outside="ignore", **options)
        model.fit(TRAIN.X, LABEL, TRAIN.environment)
        p = model.predict_proba(NEW.X, NEW.environment)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        return -np.log(p[range(len(p)), NEW_LABEL.astype(int)]).mean()

    def test_pooled_is_logistic_regression(self):
        model = EnvironmentAdaptiveClassifier(strategy="pooled")
        model.fit(TRAIN.X, LABEL, TRAIN.environment)
        theirs = LogisticRegression(C=1e9, tol=1e-10, max_iter=2000).fit(TRAIN.X, LABEL)
        np.testing.assert_allclose(
            model.predict_proba(NEW.X), theirs.predict_proba(NEW.X), atol=4e-5
        )

    def test_adapting_pays(self):
        pooled = self.log_loss("pooled")
        assert self.log_loss("select") < pooled
        assert self.log_loss("coefficients") < pooled - 0.03

    def test_selection_by_squared_loss_screens(self):
        model = EnvironmentAdaptiveClassifier(strategy="select", outside="ignore")
        model.fit(TRAIN.X, LABEL, TRAIN.environment)
        assert model.environment_risks_.shape == (60, 4)
        assert set(model.select(NEW.X).to_frame()["covariates"]) <= {"c2", "c2, x", "x", "(none)"}


class TestAnyModel:
    def test_clones_of_least_squares_agree_with_the_exact_path(self):
        exact = EnvironmentAdaptiveRegressor(strategy="pooled")
        exact.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        clones = EnvironmentAdaptiveRegressor(LinearRegression(), strategy="pooled")
        clones.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        np.testing.assert_allclose(clones.predict(NEW.X), exact.predict(NEW.X), atol=1e-9)

    def test_boosting_with_summaries_beats_boosting(self):
        def risk(strategy):
            model = EnvironmentAdaptiveRegressor(
                HistGradientBoostingRegressor(max_iter=20),
                cv=2,
                strategy=strategy,
                outside="ignore",
            ).fit(SMALL.X, SMALL.y, SMALL.environment)
            return ((NEW.y - model.predict(NEW.X, NEW.environment)) ** 2).mean(), model

        pooled, _ = risk("pooled")
        augmented, _ = risk("augment")
        best, model = risk("auto")
        assert augmented < pooled - 0.1
        assert best < pooled
        assert model.strategy_ in ("augment", "mix", "select")
        assert set(model.select(NEW.X, NEW.environment).to_frame()["covariates"]) <= {
            "c2", "c2, x", "x", "(none)",
        }  # fmt: skip
        assert model.identifiability().to_frame()["chosen"].sum() == 1

    def test_strategies_that_need_linear_models(self):
        with pytest.raises(InputError, match="with an estimator"):
            EnvironmentAdaptiveRegressor(LinearRegression(), strategy="mask").fit(
                TRAIN.X, TRAIN.y, TRAIN.environment
            )

    def test_too_few_environments(self):
        rows = TRAIN.environment < "e0003"
        with pytest.warns(UserWarning, match="does not adapt"):
            model = EnvironmentAdaptiveRegressor(LinearRegression()).fit(
                TRAIN.X[rows], TRAIN.y[rows], TRAIN.environment[rows]
            )
        assert model.guard_active_
        assert np.isfinite(model.predict(NEW.X)).all()

    def test_fallbacks(self):
        model = EnvironmentAdaptiveRegressor(
            LinearRegression(), strategy="augment", outside="pooled"
        ).fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        far = NEW.X.iloc[:50] + 60.0
        plain = LinearRegression().fit(TRAIN.X, TRAIN.y)
        np.testing.assert_allclose(model.predict(far), plain.predict(far), rtol=1e-8)


class TestSummarizer:
    def test_each_row_gets_the_summary_of_its_environment(self):
        summarizer = EnvironmentSummarizer("means", append=False)
        Z = summarizer.fit_transform(TRAIN.X, environment=TRAIN.environment)
        assert Z.shape == (len(TRAIN.y), 2)
        means = TRAIN.X.groupby(TRAIN.environment).mean().to_numpy()
        standard = (means - means.mean(axis=0)) / means.std(axis=0)
        np.testing.assert_allclose(Z[::100], standard, atol=1e-9)

    def test_in_a_pipeline_by_column(self):
        frame = TRAIN.frame.drop(columns="y")
        model = make_pipeline(
            EnvironmentSummarizer(environment="environment"), LinearRegression()
        ).fit(frame, TRAIN.y)
        new = NEW.frame.drop(columns="y")
        assert ((model.predict(new) - NEW.y) ** 2).mean() < 2.5
        names = model[0].get_feature_names_out()
        assert names[:2].tolist() == ["c2", "x"]
        assert "environment" not in names

    def test_frames_out(self):
        summarizer = EnvironmentSummarizer("means").set_output(transform="pandas")
        out = summarizer.fit(TRAIN.X, environment=TRAIN.environment).transform(
            TRAIN.X, environment=TRAIN.environment
        )
        assert list(out.columns) == ["c2", "x", "mean(c2)", "mean(x)"]


class TestBaselines:
    @pytest.mark.parametrize("method", BASELINES)
    def test_each_predicts(self, method):
        model = BaselineRegressor(method, always_include=["c2"])
        model.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        error = ((NEW.y - model.predict(NEW.X, NEW.environment)) ** 2).mean()
        assert error < 30 if method == "icp" else error < 5

    def test_anchor_with_gamma_one_and_lasso_without_penalty_are_least_squares(self):
        pooled = BaselineRegressor().fit(TRAIN.X, TRAIN.y).predict(NEW.X)
        anchor = BaselineRegressor("anchor", strength=1.0).fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        np.testing.assert_allclose(anchor.predict(NEW.X), pooled, rtol=1e-9)

    def test_anchor_protects_against_shifts_of_means(self):
        rows = np.isin(NEW.environment, NEW.shifts.query("type == 'c1'")["environment"])
        errors = [
            ((NEW.y - model.predict(NEW.X)) ** 2)[rows].mean()
            for model in (
                BaselineRegressor().fit(TRAIN.X, TRAIN.y),
                BaselineRegressor("anchor", strength=5.0).fit(TRAIN.X, TRAIN.y, TRAIN.environment),
            )
        ]
        assert errors[1] < errors[0]

    def test_icp_accepts_the_causes(self):
        rng = np.random.default_rng(1)
        environment = np.repeat(np.arange(4), 200)
        cause = rng.normal(size=800) * (1 + environment) + environment
        y = cause + rng.normal(size=800)
        effect = y + rng.normal(size=800) * (1 + environment)
        model = BaselineRegressor("icp").fit(np.column_stack([cause, effect]), y, environment)
        assert ("x0",) in model.accepted_
        assert all("x0" in names for names in model.accepted_)
        assert model.predict([[2.0, 50.0]]) == pytest.approx([2.0], abs=0.3)

    def test_robust_methods_lower_the_worst_risk(self):
        def worst(method):
            model = BaselineRegressor(method).fit(TRAIN.X, TRAIN.y, TRAIN.environment)
            errors = (TRAIN.y - model.predict(TRAIN.X)) ** 2
            return errors.reshape(60, -1).mean(axis=1).max()

        assert worst("group_dro") < worst("pooled")
        assert worst("vrex") < worst("pooled")

    def test_bad_input(self):
        with pytest.raises(InputError, match="method"):
            BaselineRegressor("magic").fit(TRAIN.X, TRAIN.y)
        with pytest.raises(InputError, match="environment is needed"):
            BaselineRegressor("anchor").fit(TRAIN.X, TRAIN.y)
