"""A scorer for cross-validation that knows environments and hands them to the estimator."""

from typing import Any

import numpy as np

from shiftlab._core.channels import split_channel
from shiftlab._core.validation import check_environment, check_option, check_weights
from shiftlab.exceptions import InputError
from shiftlab.model_selection._scores import METRICS, PROBABILITIES, Metric, score_by_environment

__all__ = ["EnvironmentScorer"]


class EnvironmentScorer:
    """Score of an estimator over environments, for ``scoring=`` of scikit-learn.

    The scorers of scikit-learn do not hand `environment` to ``predict``, silently: a whole
    validation fold would be taken as one environment. This one does, whether the labels travel as
    a column of X or by metadata routing, and it weighs environments instead of rows.

    Parameters
    ----------
    metric : str or callable, default "mean_squared_error"
        As in `environment_scores`.
    average : {"mean", "worst"}, default "mean"
        The mean over environments, or the worst environment.
    environment : str or int, optional
        Column of X that holds the environment. The estimator gets X as it is, so it must know that
        column too (``environment=`` of its constructor) or take it for a covariate.
    greater_is_better : bool, optional
        Direction of a metric that is a function; False by default, as for a loss. Losses are
        negated, as scikit-learn expects.
    response_method : {"predict", "predict_proba"}, optional
        Method to call; what the metric needs by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from shiftlab.model_selection import EnvironmentKFold, EnvironmentScorer
    >>> rng = np.random.default_rng(0)
    >>> X = np.column_stack([rng.normal(size=60), np.repeat(np.arange(6), 10)])
    >>> y = X[:, 0] + rng.normal(size=60)
    >>> scorer = EnvironmentScorer(average="worst", environment=1)
    >>> cv = EnvironmentKFold(3, environment=1)
    >>> cross_val_score(LinearRegression(), X, y, scoring=scorer, cv=cv).shape
    (3,)
    """

    def __init__(
        self,
        metric: Metric = "mean_squared_error",
        *,
        average: str = "mean",
        environment: str | int | None = None,
        greater_is_better: bool | None = None,
        response_method: str | None = None,
    ) -> None:
        if isinstance(metric, str):
            check_option(metric, tuple(METRICS), "metric")
        check_option(average, ("mean", "worst"), "average")
        check_option(response_method, (None, "predict", "predict_proba"), "response_method")
        self.metric = metric
        self.average = average
        self.environment = environment
        self.greater_is_better = greater_is_better
        self.response_method = response_method

    def __call__(
        self, estimator: Any, X: Any, y: Any, *, environment: Any = None, sample_weight: Any = None
    ) -> float:
        """Return the score of a fitted estimator; greater is better.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array or data frame of shape (n_rows, n_columns)
            Covariates, and the environment if the constructor names its column.
        y : array of shape (n_rows,)
            Outcomes.
        environment : array of shape (n_rows,), optional
            Environment of each row, handed on to the estimator.
        sample_weight : array of shape (n_rows,), optional
            Weights of the rows.

        Returns
        -------
        float

        Raises
        ------
        InputError
            If no channel says where the rows come from.
        """
        values = split_channel(X, self.environment, environment, "environment")[1]
        if values is None:
            raise InputError(
                "EnvironmentScorer did not get the environment. Name its column of X "
                "(environment=...), or enable metadata routing of scikit-learn and pass "
                "environment= to the function that scores."
            )
        labels, _ = check_environment(values, n_rows=len(y), minimum=1)
        method = self._method()
        passed = environment is not None and _takes_environment(estimator, method)
        options = {"environment": environment} if passed else {}
        predicted = np.asarray(getattr(estimator, method)(X, **options))
        weights = check_weights(sample_weight, len(y))
        classes = estimator.classes_ if self.metric in PROBABILITIES else None
        scores = score_by_environment(
            np.asarray(y), predicted, labels, self.metric, weights, classes
        )
        scores = scores if self._is_gain() else -scores
        return float(scores.mean() if self.average == "mean" else scores.min())

    def _method(self) -> str:
        needed = "predict_proba" if self.metric in PROBABILITIES else "predict"
        return self.response_method or needed

    def _is_gain(self) -> bool:
        if isinstance(self.metric, str):
            return METRICS[self.metric]
        return bool(self.greater_is_better)

    def get_metadata_routing(self) -> Any:
        """Return what scikit-learn's routing has to hand over: the environment."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        request.score.add_request(param="environment", alias=True)
        return request

    def __repr__(self) -> str:
        name = self.metric if isinstance(self.metric, str) else getattr(
            self.metric, "__name__", "metric"
        )  # fmt: skip
        return f"EnvironmentScorer({name!r}, average={self.average!r})"


def _takes_environment(estimator: Any, method: str) -> bool:
    """Tell whether an estimator, or one inside a pipeline, wants the environment."""
    from inspect import signature

    if "environment" in signature(getattr(estimator, method)).parameters:
        return True
    if not hasattr(estimator, "get_metadata_routing"):
        return False
    return bool(estimator.get_metadata_routing().consumes(method, {"environment"}))
