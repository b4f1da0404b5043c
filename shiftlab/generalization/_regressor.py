"""Counterfactually fair regression in domains that evolve."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from shiftlab._core.frames import check_frame
from shiftlab.generalization._base import FairGeneralizer
from shiftlab.generalization._conformal import number_limits

__all__ = ["CounterfactuallyFairRegressor"]


class CounterfactuallyFairRegressor(RegressorMixin, FairGeneralizer):
    """Predict numbers in later domains from what is a row's own, not of its group or time.

    See `CounterfactuallyFairClassifier`, which works in the same way.

    Parameters
    ----------
    estimator : regressor, optional
        Learns the outcome from the terms; by default a ridge regression on the semantic terms.
    sensitive_features : str, int or sequence of these, optional
        Columns of X with the protected attributes, which are then no covariates.
    environment : str or int, optional
        Column of X with the time of each row: a number or a date.
    drift : {"auto", "flow", "trend", "none"}, default "auto"
        What may change over time.
    effect : {"auto", "location", "location-scale", "quantile"}, default "auto"
        What the attributes may change in the features.
    validation_fraction : float, default 0.25
        Share of the source domains, the last ones, on which choices are made.
    fairness_tolerance : float, default 0.02
        Largest gap between mean predictions of groups, in standard deviations of the predictions,
        beyond the smallest of all choices.
    random_state : int, SeedSequence or Generator, optional
        Seed for an `estimator` whose ``random_state`` is not set.

    Attributes
    ----------
    drift_ : str
        Drift model that was chosen.
    selection_ : Selection
        All choices with loss and gap on the later source domains.
    abduction_ : Abduction
        Fitted effects of time and attributes.
    semantic_features_ : ndarray of int
        Terms that the regressor uses.
    n_features_in_ : int
        Number of columns of X.

    Examples
    --------
    >>> from shiftlab.generalization import CounterfactuallyFairRegressor
    >>> from shiftlab.simulation import make_drifting_gaussian
    >>> data = make_drifting_gaussian(target="number", random_state=0)
    >>> source, target = data.split(10)
    >>> model = CounterfactuallyFairRegressor()
    >>> model = model.fit(source.X, source.y, source.sensitive_features, source.environment)
    >>> r2 = model.score(target.X, target.y, target.sensitive_features, target.environment)
    >>> 0.5 < r2 < 0.9
    True
    """

    def fit(self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None) -> Self:
        """Fit to the rows of source domains.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Numeric features, and the columns that the constructor names.
        y : array of shape (n_rows,)
            Outcomes.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), or data frame, optional
            Attributes, unless the constructor names columns of X.
        environment : array of shape (n_rows,), optional
            Times, unless the constructor names a column of X.

        Returns
        -------
        CounterfactuallyFairRegressor
            The fitted estimator.

        Raises
        ------
        InputError
            If attributes are missing, times have no order, or a length is wrong.
        DegenerateDataError
            If there is a single group.
        """
        check_frame(X)
        check_consistent_length(X, y)
        y = check_array(
            column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y"
        )
        self._fit_task(X, y, sensitive_features, environment, None)
        self.semantic_features_ = self.predictor_.columns
        return self

    def predict(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return predictions.

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
        ndarray of shape (n_rows,)
        """
        return self._scores(X, sensitive_features, environment)

    def predict_interval(
        self,
        X: Any,
        sensitive_features: Any = None,
        environment: Any = None,
        *,
        alpha: float = 0.1,
    ) -> np.ndarray:
        """Return conformal intervals that hold the outcome with probability 1 - alpha.

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
        ndarray of shape (n_rows, 2)

        Raises
        ------
        InputError
            If no source domains were set aside in fit.
        """
        values, coded, time = self._rows(X, sensitive_features, environment)
        predicted = self._score_terms(self.abduction_.terms(values, coded, time), time)
        relative = self.abduction_.relative(time)
        centre, half = number_limits(self.calibration_, coded.group, relative, alpha)
        return np.column_stack([predicted + centre - half, predicted + centre + half])

    def score(
        self, X: Any, y: Any, sensitive_features: Any = None, environment: Any = None
    ) -> float:
        """Return the share of variance explained; parameters as in `predict`."""
        y = np.asarray(y, dtype=float)
        error = y - self.predict(X, sensitive_features, environment)
        return float(1 - (error @ error) / max(float(((y - y.mean()) ** 2).sum()), 1e-300))
