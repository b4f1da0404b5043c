"""The environment-adaptive classifier."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.validation import Labels, check_weights
from shiftlab.adaptation._base import AdaptiveBase
from shiftlab.adaptation._gram import Moments
from shiftlab.adaptation._logistic import LogisticProblem
from shiftlab.adaptation._outcomes import check_classes
from shiftlab.adaptation._problem import Problem

__all__ = ["EnvironmentAdaptiveClassifier"]

#: Subsets for which logistic models are fitted, screened by squared loss from Gram matrices.
MOST_LOGISTIC = 32


class EnvironmentAdaptiveClassifier(ClassifierMixin, AdaptiveBase):
    """Classification that adapts to each new environment from its covariates alone.

    As `EnvironmentAdaptiveRegressor`, with the logarithmic loss. Without an estimator: logistic
    models, for more than two classes multinomial ones, whose subsets and settings are screened by
    squared loss from Gram matrices.

    Parameters
    ----------
    estimator : classifier, optional
        Model with ``predict_proba`` for the strategies "auto", "select", "mix", "augment" and
        "pooled"; None for logistic models.
    strategy : {"auto", "select", "mix", "mask", "coefficients", "augment", "pooled", "causal"}, \
default "auto"
        See `EnvironmentAdaptiveRegressor`; mixtures of logistic models mix log-odds.
    candidates : {"auto", "all"} or list of sets, default "auto"
        Subsets to choose from.
    always_include : sequence of str or int, default ()
        Known causes, in every subset.
    never_include : sequence of str or int, default ()
        Covariates in no subset.
    summary : str, callable or sequence of these, default "moments"
        What is computed of a batch.
    selector : {"risk", "regret", "argmin", "network", "deepsets"} or classifier, optional
        How subsets and gates are told from a batch.
    cv : int, {"blocked", "leave_one_out"} or splitter, default 5
        Folds of environments.
    guard : {"pooled"} or None, default "pooled"
        Keep the pooled model where adapting does not beat it in left-out environments.
    outside : {"warn", "causal", "pooled", "nan", "ignore"}, default "warn"
        What to do for environments outside the training range; "nan" gives probabilities NaN, and
        the first class.
    environment : str or int, optional
        Column of X that holds the environment.
    environment_weight : {"rows", "equal"}, default "rows"
        Whether environments count by their rows or equally in fits.
    n_jobs : int, optional
        Workers of the cross-validation.
    random_state : RandomState, default 0
        Of the folds; integers also seed networks and the batches that are drawn for small sizes.
    device : str, optional
        Where torch trains ``selector="deepsets"``.

    Attributes
    ----------
    classes_ : ndarray
        Classes, sorted.
    strategy_, guard_active_, environments_, variables_, candidates_, environment_risks_
        See `EnvironmentAdaptiveRegressor`; risks are mean log-losses.

    Notes
    -----
    If the share of the classes differs between environments for reasons that covariates do not
    show, no summary can tell: a change of P(Y) moves proxies as a change of their noise does.

    Examples
    --------
    >>> from shiftlab.adaptation import EnvironmentAdaptiveClassifier, simulate_environments
    >>> train = simulate_environments("hidden_cause", 45, random_state=0)
    >>> model = EnvironmentAdaptiveClassifier(strategy="select", outside="ignore")
    >>> model = model.fit(train.X, train.y > 0, environment=train.environment)
    >>> model.predict_proba(train.X[:3], environment="new").round(1).shape
    (3, 2)
    """

    def fit(
        self, X: Any, y: Any, environment: Any = None, sample_weight: Any = None
    ) -> "EnvironmentAdaptiveClassifier":
        """Learn how classes depend on covariates in different environments.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Covariates, and the environment if the constructor names its column.
        y : array of shape (n_rows,)
            Classes.
        environment : array of shape (n_rows,), optional
            Environment of each row, if the constructor names no column.
        sample_weight : array of shape (n_rows,), optional
            Weights of the rows in all fits.

        Returns
        -------
        EnvironmentAdaptiveClassifier

        Raises
        ------
        InputError
            If the environment is not told or has missing labels, or an option is unfit.
        """
        self._fit_rows(X, y, environment, sample_weight)
        return self

    def predict_proba(self, X: Any, environment: Any = None) -> np.ndarray:
        """Probabilities of the classes; each environment is adapted to on its own.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row; without it (and without a column named in the constructor) all
            rows are one environment.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
        """
        from scipy.special import expit, softmax

        check_is_fitted(self, "variables_")
        scores = self._linear_scores(X, environment)
        if scores.ndim == 2:
            return scores if self._generic is not None else np.asarray(softmax(scores, axis=1))
        p = expit(scores)
        return np.column_stack([1 - p, p])

    def predict(self, X: Any, environment: Any = None) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        p = self.predict_proba(X, environment)
        return np.asarray(self.classes_[np.nan_to_num(p).argmax(axis=1)])

    def score(self, X: Any, y: Any, sample_weight: Any = None, environment: Any = None) -> float:
        """Share of rows whose class is predicted.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Covariates.
        y : array of shape (n_rows,)
            Classes.
        sample_weight : array of shape (n_rows,), optional
            Weights of the rows.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.

        Returns
        -------
        float
        """
        hits = self.predict(X, environment) == np.asarray(y)
        return float(np.average(hits, weights=check_weights(sample_weight, len(hits))))

    def _check_outcome(self, y: Any, n_rows: int | None) -> np.ndarray:
        self.classes_, codes = check_classes(y, n_rows, type(self).__name__)
        return codes

    def _most_sets(self) -> int:
        return MOST_LOGISTIC

    def _make_problem(self, moments: Moments, shares: np.ndarray, rows: tuple[Any, ...]) -> Problem:
        X, y, labels, weights = rows
        w = np.ones(len(y)) if weights is None else weights
        total = np.maximum(np.bincount(labels.codes, weights=w), 1e-300)
        Z = np.column_stack([np.ones(len(X)), X])
        c = len(self.classes_)
        outcomes = (y[:, None] == (np.arange(c) if c > 2 else [1])).astype(float)
        return LogisticProblem(
            Z, outcomes, labels.codes.astype(np.intp), w / total[labels.codes], shares
        )

    def _keep_residuals(self, X: np.ndarray, y: np.ndarray, labels: Labels) -> None:
        """Intervals are for numbers only."""
