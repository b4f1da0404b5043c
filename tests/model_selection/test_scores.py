"""Scores by environment, and the scorer that does not lose the environment on the way."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from shiftlab.exceptions import InputError
from shiftlab.model_selection import (
    EnvironmentKFold,
    EnvironmentScorer,
    environment_scores,
    worst_environment_score,
)

RNG = np.random.default_rng(1)
SITE = np.repeat(list("abcdef"), 20)
X = RNG.normal(size=(120, 2))
Y = X[:, 0] + RNG.normal(size=120)
LABEL = (Y > 0).astype(int)
P = 1 / (1 + np.exp(-X[:, 0]))
THEIRS = {
    "mean_squared_error": lambda y, p, w: metrics.mean_squared_error(y, p, sample_weight=w),
    "mean_absolute_error": lambda y, p, w: metrics.mean_absolute_error(y, p, sample_weight=w),
    "r2": lambda y, p, w: metrics.r2_score(y, p, sample_weight=w),
}
THEIRS_FOR_CLASSES = {
    "log_loss": lambda y, p, w: metrics.log_loss(y, p, sample_weight=w, labels=[0, 1]),
    "brier_score": lambda y, p, w: 2 * metrics.brier_score_loss(y, p, sample_weight=w),
    "accuracy": lambda y, p, w: metrics.accuracy_score(y, p > 0.5, sample_weight=w),
    "balanced_accuracy": lambda y, p, w: metrics.balanced_accuracy_score(
        y, p > 0.5, sample_weight=w
    ),
}


class MeanOfBatch(RegressorMixin, BaseEstimator):
    """Predicts the mean of the first column over the rows of an environment."""

    __metadata_request__fit = {"environment": True}  # noqa: RUF012
    __metadata_request__predict = {"environment": True}  # noqa: RUF012

    def fit(self, X, y=None, environment=None):
        self.fitted_ = True
        return self

    def predict(self, X, environment=None):
        values = np.asarray(X)[:, 0].astype(float)
        if environment is None:
            return np.full(len(values), values.mean())
        return pd.Series(values).groupby(np.asarray(environment)).transform("mean").to_numpy()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [*THEIRS, *THEIRS_FOR_CLASSES])
def test_metrics_agree_with_scikit_learn(name, weighted):
    weights = RNG.random(120) if weighted else None
    y, p = (Y, X[:, 0]) if name in THEIRS else (LABEL, P)
    theirs = (THEIRS | THEIRS_FOR_CLASSES)[name]
    ours = p > 0.5 if "accuracy" in name else p
    found = environment_scores(y, ours, SITE, metric=name, sample_weight=weights)
    for code, label in enumerate(found.environments):
        rows = label == SITE
        w = None if weights is None else weights[rows]
        assert found.scores[code] == pytest.approx(theirs(y[rows], p[rows], w), abs=1e-12)


def test_mean_and_worst():
    found = environment_scores(Y, np.zeros(120), SITE)
    assert found.mean == pytest.approx(np.mean(found.scores))
    assert found.worst == found.scores.max() == worst_environment_score(Y, np.zeros(120), SITE)
    assert found.worst_environment == found.to_frame()["environment"][0]
    gain = environment_scores(Y, X[:, 0], SITE, metric="r2")
    assert gain.worst == gain.scores.min()


def test_a_function_as_metric():
    def largest(y, p):
        return float(np.abs(y - p).max())

    found = environment_scores(Y, X[:, 0], SITE, metric=largest)
    assert found.metric == "largest"
    assert found.worst == pytest.approx(np.abs(Y - X[:, 0]).max())


def test_a_constant_outcome_has_no_r2():
    found = environment_scores(
        [1.0, 1.0, 2.0, 3.0], [1.0, 1.0, 2.0, 3.0], list("aabb"), metric="r2"
    )
    assert np.isnan(found.scores[0])


def test_bad_input():
    with pytest.raises(InputError, match="y_pred has 119"):
        environment_scores(Y, X[1:, 0], SITE)
    with pytest.raises(InputError, match="metric must be one of"):
        environment_scores(Y, X[:, 0], SITE, metric="mse")
    with pytest.raises(InputError, match="metric must be a name"):
        environment_scores(Y, X[:, 0], SITE, metric=3)
    with pytest.raises(InputError, match="3 classes"):
        environment_scores(LABEL, np.ones((120, 3)) / 3, SITE, metric="log_loss")
    with pytest.raises(InputError, match="missing label"):
        environment_scores([1, 2], [1, 2], ["a", None])
    with pytest.raises(InputError, match="average"):
        EnvironmentScorer(average="median")
    with pytest.raises(InputError, match="did not get the environment"):
        cross_val_score(MeanOfBatch(), X, Y, scoring=EnvironmentScorer(), error_score="raise")


def expected(rows):
    predicted = pd.Series(X[rows, 0]).groupby(SITE[rows]).transform("mean").to_numpy()
    return -environment_scores(Y[rows], predicted, SITE[rows]).mean


def test_scikit_learns_scorers_lose_the_environment_and_ours_does_not():
    cv = EnvironmentKFold(3)
    folds = [test for _, test in cv.split(X, groups=SITE)]
    with sklearn.config_context(enable_metadata_routing=True):
        options = {"cv": cv, "params": {"environment": SITE}}
        theirs = cross_val_score(MeanOfBatch(), X, Y, scoring="neg_mean_squared_error", **options)
        ours = cross_val_score(MeanOfBatch(), X, Y, scoring=EnvironmentScorer(), **options)
    np.testing.assert_allclose(ours, [expected(rows) for rows in folds])
    lost = [-np.mean((Y[rows] - X[rows, 0].mean()) ** 2) for rows in folds]
    np.testing.assert_allclose(theirs, lost)


@pytest.mark.parametrize("multimetric", [False, True])
def test_routing_through_a_pipeline_and_several_metrics(multimetric):
    model = make_pipeline(FunctionTransformer(), MeanOfBatch())
    scorer = EnvironmentScorer()
    scoring = {"a": scorer, "b": EnvironmentScorer(average="worst")} if multimetric else scorer
    cv = EnvironmentKFold(3)
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(model, X, Y, scoring=scoring, cv=cv, params={"environment": SITE})
    folds = [test for _, test in cv.split(X, groups=SITE)]
    key = "test_a" if multimetric else "test_score"
    np.testing.assert_allclose(found[key], [expected(rows) for rows in folds])


def test_a_column_of_x_needs_no_routing():
    frame = pd.DataFrame(X, columns=["u", "v"]).assign(site=SITE)

    class ReadsColumn(MeanOfBatch):
        def predict(self, X):
            return super().predict(X.drop(columns="site"), X["site"])

    cv = EnvironmentKFold(3, environment="site")
    search = GridSearchCV(
        ReadsColumn(), {}, cv=cv, scoring=EnvironmentScorer(environment="site")
    ).fit(frame, Y)
    folds = [test for _, test in cv.split(frame)]
    assert search.best_score_ == pytest.approx(np.mean([expected(rows) for rows in folds]))


def test_probabilities_where_a_fold_lacks_a_class():
    y = np.where(SITE == "a", 0, np.where(SITE == "b", 2, RNG.integers(0, 3, 120)))
    frame = np.column_stack([X, np.unique(SITE, return_inverse=True)[1]])
    scorer = EnvironmentScorer("log_loss", environment=2)
    model = LogisticRegression().fit(frame, y)
    rows = np.isin(SITE, ["a", "b"])
    found = scorer(model, frame[rows], y[rows])
    parts = [
        metrics.log_loss(y[s == SITE], model.predict_proba(frame[s == SITE]), labels=[0, 1, 2])
        for s in "ab"
    ]
    assert found == pytest.approx(-np.mean(parts))


def test_an_unseen_class_is_an_error():
    class Fixed(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    with pytest.raises(InputError, match="do not cover"):
        EnvironmentScorer("log_loss")(Fixed(), X, np.full(120, 7), environment=SITE)


def test_a_model_that_does_not_adapt_is_scored_too():
    model = make_pipeline(FunctionTransformer(), LogisticRegression()).fit(X, LABEL)
    found = EnvironmentScorer("accuracy")(model, X, LABEL, environment=SITE)
    assert found == environment_scores(LABEL, model.predict(X), SITE, metric="accuracy").mean


def test_repr():
    assert repr(EnvironmentScorer("r2")) == "EnvironmentScorer('r2', average='mean')"
