"""The rules of scikit-learn, and how the environment travels."""

from importlib.metadata import version

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab.adaptation import EnvironmentAdaptiveRegressor, simulate_environments
from shiftlab.exceptions import InputError
from shiftlab.model_selection import EnvironmentKFold, EnvironmentScorer

DATA = simulate_environments("hidden_cause", 45, n_rows=40, random_state=0)
FRAME = DATA.frame.drop(columns="y")


@parametrize_with_checks([EnvironmentAdaptiveRegressor(strategy="pooled")])
def test_scikit_learn(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


def adaptive(**options):
    return EnvironmentAdaptiveRegressor(
        **{"strategy": "coefficients", "outside": "ignore", **options}
    )


def batch_errors(fold):
    """What an estimator that takes each environment on its own is worth on a fold."""
    train, test = fold
    model = adaptive().fit(DATA.X.iloc[train], DATA.y[train], DATA.environment[train])
    predicted = model.predict(DATA.X.iloc[test], DATA.environment[test])
    lost = model.predict(DATA.X.iloc[test])
    return tuple(float(np.mean((DATA.y[test] - p) ** 2)) for p in (predicted, lost))


FOLDS = list(EnvironmentKFold(3).split(DATA.X, groups=DATA.environment))
RIGHT, LOST = np.array([batch_errors(fold) for fold in FOLDS]).T


class TestTheEnvironmentArrives:
    def test_by_column_with_any_scorer(self):
        found = cross_val_score(
            adaptive(environment="environment"), FRAME, DATA.y, cv=FOLDS,
            scoring="neg_mean_squared_error",
        )  # fmt: skip
        np.testing.assert_allclose(-found, RIGHT)

    def test_by_column_in_cross_val_predict(self):
        model = adaptive(environment="environment")
        predicted = cross_val_predict(model, FRAME, DATA.y, cv=FOLDS)
        errors = [np.mean((DATA.y[test] - predicted[test]) ** 2) for _, test in FOLDS]
        np.testing.assert_allclose(errors, RIGHT)

    def test_by_column_behind_a_transformer(self):
        from sklearn.compose import make_column_transformer

        scaler = make_column_transformer(
            (StandardScaler(), ["c2", "x"]), remainder="passthrough",
            verbose_feature_names_out=False,
        ).set_output(transform="pandas")  # fmt: skip
        model = make_pipeline(scaler, adaptive(environment="environment"))
        found = cross_val_score(model, FRAME, DATA.y, cv=FOLDS, scoring="neg_mean_squared_error")
        np.testing.assert_allclose(-found, RIGHT)

    def test_by_routing_and_our_scorer(self):
        with sklearn.config_context(enable_metadata_routing=True):
            found = cross_validate(
                adaptive(), DATA.X, DATA.y, cv=FOLDS, scoring=EnvironmentScorer(),
                params={"environment": DATA.environment},
            )  # fmt: skip
        np.testing.assert_allclose(-found["test_score"], RIGHT)

    def test_by_routing_through_a_pipeline(self):
        model = make_pipeline(StandardScaler(), adaptive())
        with sklearn.config_context(enable_metadata_routing=True):
            model.fit(DATA.X, DATA.y, environment=DATA.environment)
            inside = model.predict(DATA.X, environment=DATA.environment)
            assert model.score(DATA.X, DATA.y, environment=DATA.environment) > 0.3
        alone = adaptive().fit(DATA.X, DATA.y, DATA.environment)
        np.testing.assert_allclose(inside, alone.predict(DATA.X, DATA.environment), atol=1e-8)

    def test_the_trap_a_scorer_by_name_drops_the_keyword(self):
        with sklearn.config_context(enable_metadata_routing=True):
            found = cross_validate(
                adaptive(), DATA.X, DATA.y, cv=FOLDS, scoring="neg_mean_squared_error",
                params={"environment": DATA.environment},
            )  # fmt: skip
        np.testing.assert_allclose(-found["test_score"], LOST)
        assert (LOST > RIGHT).all()

    def test_a_search_over_strategies(self):
        search = GridSearchCV(
            EnvironmentAdaptiveRegressor(environment="environment", outside="ignore"),
            {"strategy": ["pooled", "coefficients"]},
            cv=FOLDS, scoring=EnvironmentScorer(environment="environment"),
        ).fit(FRAME, DATA.y)  # fmt: skip
        assert search.best_params_ == {"strategy": "coefficients"}

    def test_twice_is_an_error(self):
        with pytest.raises(InputError, match="twice"):
            adaptive(environment="environment").fit(FRAME, DATA.y, DATA.environment)

    def test_not_at_all_is_an_error(self):
        with pytest.raises(InputError, match="environment is needed"):
            adaptive().fit(DATA.X, DATA.y)


def test_frames_of_any_kind_and_arrays_agree():
    reference = adaptive().fit(DATA.X, DATA.y, DATA.environment)
    expected = reference.predict(DATA.X, DATA.environment)
    frame = pl.from_pandas(FRAME)
    by_polars = adaptive(environment="environment").fit(frame, DATA.y)
    np.testing.assert_allclose(by_polars.predict(frame), expected, atol=1e-12)
    if hasattr(frame, "__dataframe__") or not version("scikit-learn").startswith("1.6."):
        # scikit-learn 1.6 reads names through a protocol that polars has given up.
        assert list(by_polars.feature_names_in_) == ["environment", "c2", "x"]
    array = FRAME.to_numpy()
    by_array = adaptive(environment=0).fit(array, DATA.y)
    np.testing.assert_allclose(by_array.predict(array), expected, atol=1e-12)


def test_clone_and_repr():
    model = adaptive(environment="environment", always_include=["c2"])
    assert clone(model).get_params() == model.get_params()
    assert "coefficients" in repr(model)


def test_predict_changes_nothing_and_n_jobs_neither():
    import joblib

    model = adaptive().fit(DATA.X, DATA.y, DATA.environment)
    before = joblib.hash(vars(model))
    first = model.predict(DATA.X, DATA.environment)
    model.select(DATA.X, DATA.environment)
    model.explain_shift(DATA.X, DATA.environment)
    assert joblib.hash(vars(model)) == before
    with joblib.parallel_config(backend="threading"):
        again = adaptive(n_jobs=2).fit(DATA.X, DATA.y, DATA.environment)
    np.testing.assert_array_equal(again.predict(DATA.X, DATA.environment), first)


def test_inputs_stay_as_they_are():
    frame, y = FRAME.copy(), DATA.y.copy()
    adaptive(environment="environment").fit(frame, y).predict(frame)
    pd.testing.assert_frame_equal(frame, FRAME)
    np.testing.assert_array_equal(y, DATA.y)


def test_an_environment_among_random_numbers_does_not_break_anything():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 8, 120), rng.normal(size=(120, 3))])
    model = EnvironmentAdaptiveRegressor(environment=0, outside="ignore").fit(X, X[:, 1])
    assert np.isfinite(model.predict(X)).all()
