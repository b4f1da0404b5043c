"""Baselines behind the interface of the fair classifiers: what there is to beat."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.checks import check_option
from shiftlab._core.optional import import_optional
from shiftlab._core.random import as_seed_sequence, integer_seed, seeded_clone
from shiftlab.exceptions import InputError
from shiftlab.generalization._attributes import read_attributes

__all__ = ["BaselineClassifier"]

METHODS = ("erm", "blind", "correlation_remover", "reductions")


class BaselineClassifier(ClassifierMixin, BaseEstimator):
    """Classify without regard to drift, by methods that users would try first.

    Parameters
    ----------
    method : {"erm", "blind", "correlation_remover", "reductions"}, default "erm"
        Empirical risk minimisation with the attribute as a feature, or without it; the linear
        correlation remover of fairlearn before the classifier; the exponentiated gradient of
        fairlearn under demographic parity. The last two need the extra ``peers``.
    estimator : classifier, optional
        By default a network with two layers of 64 units and early stopping (for the reductions a
        logistic regression on squares and products, which takes weights).
    random_state : int, SeedSequence or Generator, optional
        Seed for an `estimator` whose ``random_state`` is not set.

    Attributes
    ----------
    classes_ : ndarray
        Class labels.
    model_ : estimator
        The fitted classifier.
    n_features_in_ : int
        Number of features.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from shiftlab.generalization import BaselineClassifier
    >>> from shiftlab.simulation import make_drifting_credit
    >>> data = make_drifting_credit(n_domains=3, random_state=0)
    >>> model = BaselineClassifier("blind", estimator=LogisticRegression(max_iter=1000))
    >>> model.fit(data.X, data.y, data.sensitive_features).predict(data.X).shape
    (900,)
    """

    __metadata_request__fit: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__predict: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__predict_proba: ClassVar = {"sensitive_features": True, "environment": True}

    def __init__(
        self, method: str = "erm", *, estimator: Any = None, random_state: Any = None
    ) -> None:
        self.method = method
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None) -> Self:
        """Fit to rows.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_features)
            Numeric features.
        y : array of shape (n_rows,)
            Class labels.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes; "blind" does not need them.
        environment : array of shape (n_rows,), optional
            Not used.

        Returns
        -------
        BaselineClassifier

        Raises
        ------
        InputError
            If the method is unknown or attributes are missing.
        MissingDependencyError
            If fairlearn is needed and not installed.
        """
        check_option(self.method, METHODS, "method")
        X, y = validate_data(self, X, y, dtype=np.float64)
        self.classes_ = np.unique(y)
        seed = integer_seed(as_seed_sequence(self.random_state))
        model = seeded_clone(self.estimator or _default(self.method), seed)
        self.attributes_ = None
        if self.method != "blind":
            if sensitive_features is None:
                raise InputError(f"sensitive_features is needed by the method {self.method!r}.")
            self.attributes_, coded = read_attributes(sensitive_features, len(X))
        if self.method == "reductions":
            reductions = import_optional(
                "fairlearn.reductions", extra="peers", purpose="The reductions baseline"
            )
            model = reductions.ExponentiatedGradient(model, reductions.DemographicParity())
            part = coded.group if coded.group is not None else coded.design[:, 0] > 0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, inside fairlearn
                self.model_ = model.fit(X, y, sensitive_features=part)
            return self
        if self.method == "correlation_remover":
            peers = import_optional(
                "fairlearn.preprocessing", extra="peers", purpose="The correlation remover"
            )
            both = np.column_stack([X, coded.design])
            sensitive = list(range(X.shape[1], both.shape[1]))
            self.remover_ = peers.CorrelationRemover(sensitive_feature_ids=sensitive).fit(both)
        self.model_ = model.fit(self._inputs(X, sensitive_features), y)
        return self

    def _inputs(self, X: np.ndarray, sensitive_features: Any) -> np.ndarray:
        if self.method in ("blind", "reductions"):
            return X
        if sensitive_features is None:
            raise InputError(f"sensitive_features is needed by the method {self.method!r}.")
        assert self.attributes_ is not None  # noqa: S101  (set in fit)
        both = np.column_stack([X, self.attributes_.code(sensitive_features, len(X)).design])
        if self.method == "erm":
            return both
        return np.asarray(self.remover_.transform(both))

    def predict_proba(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class probabilities; parameters as in ``fit``.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_features)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes, where the method uses them.
        environment : array of shape (n_rows,), optional
            Not used.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        inputs = self._inputs(X, sensitive_features)
        if self.method != "reductions":
            return np.asarray(self.model_.predict_proba(inputs))
        parts = [
            weight * self.model_.predictors_[i].predict_proba(inputs)
            for i, weight in self.model_.weights_.items()
            if weight > 0
        ]
        return np.asarray(sum(parts))

    def predict(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class labels; parameters as in `predict_proba`."""
        scores = self.predict_proba(X, sensitive_features, environment)
        return np.asarray(self.classes_[scores.argmax(axis=1)])


def _default(method: str) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    if method == "reductions":
        return _Weighted(
            make_pipeline(
                PolynomialFeatures(2), StandardScaler(), LogisticRegression(max_iter=2000)
            )
        )
    return make_pipeline(
        StandardScaler(), MLPClassifier((64, 64), early_stopping=True, max_iter=300)
    )


class _Weighted(ClassifierMixin, BaseEstimator):
    """A pipeline whose last step takes the weights of rows."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        from sklearn.base import clone

        last = self.pipeline.steps[-1][0]
        self.model_ = clone(self.pipeline).fit(X, y, **{f"{last}__sample_weight": sample_weight})
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X: Any) -> Any:
        return self.model_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(X)
