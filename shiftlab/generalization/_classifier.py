"""Counterfactually fair classification in domains that evolve."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from shiftlab._core.frames import check_frame
from shiftlab.generalization._base import FairGeneralizer
from shiftlab.generalization._conformal import class_limits

__all__ = ["CounterfactuallyFairClassifier"]


class CounterfactuallyFairClassifier(ClassifierMixin, FairGeneralizer):
    """Classify rows of later domains from what is their own, not of their group or time.

    The effects of time and of the sensitive attributes on the features are read from the source
    domains, carried on to the time of the target, and taken out of each row. What is left, the
    exogenous terms, is all that the classifier sees: the prediction for a row and for its
    counterfactual twin in another group agree as far as those effects are forecast correctly.

    Parameters
    ----------
    estimator : classifier, optional
        Learns the label from the terms; needs ``predict_proba``. By default a logistic regression
        on the semantic terms (those with a weight that differs from zero), with squares and
        products if later source domains ask for them.
    sensitive_features : str, int or sequence of these, optional
        Columns of X with the protected attributes, which are then no covariates. Otherwise pass
        them to ``fit`` and ``predict``. Categories are crossed to groups; numbers with more than
        ten values act as numbers.
    environment : str or int, optional
        Column of X with the time of each row: a number or a date.
    drift : {"auto", "flow", "trend", "none"}, default "auto"
        What may change over time: everything by a linear flow (turning, shearing) and trends; only
        means, scales and effects by trends; nothing. "auto" asks the later source domains.
    effect : {"auto", "location", "location-scale", "quantile"}, default "auto"
        What the attributes may change in the features. "auto" goes by the Bayesian information
        criterion and by tests of shape.
    validation_fraction : float, default 0.25
        Share of the source domains, the last ones, on which choices are made; the chosen model is
        then fitted to all. With 0, or fewer than six domains, nothing is chosen.
    fairness_tolerance : float, default 0.02
        A choice whose gap between mean scores of groups exceeds the smallest by more than this is
        not considered, however accurate.
    random_state : int, SeedSequence or Generator, optional
        Seed for an `estimator` whose ``random_state`` is not set.

    Attributes
    ----------
    classes_ : ndarray
        Class labels.
    drift_ : str
        Drift model that was chosen.
    selection_ : Selection
        All choices with loss and gap on the later source domains.
    abduction_ : Abduction
        Fitted effects of time and attributes.
    semantic_features_ : ndarray of int
        Terms that the classifier uses.
    n_features_in_ : int
        Number of columns of X.

    Notes
    -----
    Predictions are fair in the counterfactual sense if the attributes have no causes among the
    exogenous terms, act monotonically (location, scale or quantile-wise), and drift as modelled.
    None of this can be proven from data; `counterfactual_effects` estimates what is left, and
    `effect_bounds` says how far an unseen correlation could carry it.

    References
    ----------
    .. [1] Kusner, Loftus, Russell, Silva (2017), "Counterfactual fairness", NeurIPS.
    .. [2] Lin, Zhao, Zhu, et al. (2024), "Towards counterfactual fairness-aware domain
       generalization in changing environments", IJCAI.

    Examples
    --------
    >>> from shiftlab.generalization import CounterfactuallyFairClassifier
    >>> from shiftlab.simulation import make_rotating_circles
    >>> source, target = make_rotating_circles(rotation=180.0, random_state=0).split(10)
    >>> model = CounterfactuallyFairClassifier()
    >>> model = model.fit(source.X, source.y, source.sensitive_features, source.environment)
    >>> where = {"environment": target.environment}
    >>> score = model.predict_proba(target.X, target.sensitive_features, **where)[:, 1]
    >>> twin = model.predict_proba(target.X_twin, target.sensitive_twin, **where)[:, 1]
    >>> bool(((score > 0.5) == target.y).mean() > 0.75), bool(abs(score - twin).mean() < 0.03)
    (True, True)
    """

    def fit(self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None) -> Self:
        """Fit to the rows of source domains.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Numeric features, and the columns that the constructor names.
        y : array of shape (n_rows,)
            Class labels.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), or data frame, optional
            Attributes, unless the constructor names columns of X.
        environment : array of shape (n_rows,), optional
            Times, unless the constructor names a column of X. Without any, all rows are of one
            domain.

        Returns
        -------
        CounterfactuallyFairClassifier
            The fitted estimator.

        Raises
        ------
        InputError
            If attributes are missing, times have no order, or a length is wrong.
        DegenerateDataError
            If there is a single group.
        """
        check_frame(X)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(X, y)
        self.classes_ = np.unique(y)
        self._fit_task(X, y, sensitive_features, environment, self.classes_)
        self.semantic_features_ = self.predictor_.columns
        return self

    def predict_proba(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes, unless the constructor names columns of X; abduction needs them.
        environment : scalar or array of shape (n_rows,), optional
            Times, unless the constructor names a column of X.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
        """
        return self._scores(X, sensitive_features, environment)

    def predict(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return class labels; parameters as in `predict_proba`."""
        scores = self._scores(X, sensitive_features, environment)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def predict_set(
        self,
        X: Any,
        sensitive_features: Any = None,
        environment: Any = None,
        *,
        alpha: float = 0.1,
    ) -> np.ndarray:
        """Return conformal sets of classes that hold the label with probability 1 - alpha.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes, unless the constructor names columns of X.
        environment : scalar or array of shape (n_rows,), optional
            Times, unless the constructor names a column of X.
        alpha : float, default 0.1
            One minus the coverage aimed at, in each group; it is kept as far as the drift beyond
            the source domains is like that within them.

        Returns
        -------
        ndarray of bool, shape (n_rows, n_classes)

        Raises
        ------
        InputError
            If no source domains were set aside in fit.
        """
        values, coded, time = self._rows(X, sensitive_features, environment)
        scores = self._score_terms(self.abduction_.terms(values, coded, time), time)
        relative = self.abduction_.relative(time)
        scores, limits = class_limits(self.calibration_, scores, coded.group, relative, alpha)
        return np.asarray(1 - scores <= limits[:, None] + 1e-12)

    def score(
        self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None
    ) -> float:
        """Return the accuracy; parameters as in `predict_proba`."""
        return float(np.mean(self.predict(X, sensitive_features, environment) == np.asarray(y)))
