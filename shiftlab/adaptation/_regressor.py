"""The environment-adaptive regressor."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.validation import Labels, check_weights
from shiftlab.adaptation._base import AdaptiveBase
from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._fit import Design, summary_table
from shiftlab.adaptation._gram import EnvironmentGrams, Moments
from shiftlab.adaptation._intervals import EnvironmentQuantiles, collect
from shiftlab.adaptation._known import Known
from shiftlab.adaptation._order import environment_rank
from shiftlab.adaptation._outcomes import check_numbers
from shiftlab.adaptation._problem import Problem, SquaredProblem
from shiftlab.exceptions import InputError

__all__ = ["EnvironmentAdaptiveRegressor"]


class EnvironmentAdaptiveRegressor(RegressorMixin, AdaptiveBase):
    """Regression that adapts to each new environment from its covariates alone.

    Training environments show which covariates, with which coefficients, predict best where; their
    summaries (means, spreads, partial correlations of the covariates) tell where a new batch
    without labels belongs.

    Parameters
    ----------
    estimator : estimator, optional
        Model of the outcome for ``strategy="select"`` or ``"mix"`` (and "auto"); None for exact
        least squares, which offers all strategies.
    strategy : {"auto", "select", "mix", "mask", "coefficients", "pooled", "causal"}, default "auto"
        "select": the pooled fit of one subset of covariates, the one with the least predicted risk.
        "mix": subsets mixed by their probability of being best. "mask": each coefficient times a
        gate between 0 and 1. "coefficients": coefficients move with the summaries, shrunk to those
        that all environments share. "auto": the settings of all of these, weighed by their risk in
        left-out environments. "pooled" and "causal" do not adapt.
    candidates : {"auto", "all"} or list of sets, default "auto"
        Subsets to choose from. "auto" takes all subsets of up to 15 covariates and searches among
        more.
    always_include : sequence of str or int, default ()
        Known causes, in every subset; see `observed_causes` for those of a graph.
    never_include : sequence of str or int, default ()
        Covariates in no subset.
    summary : str, callable or sequence of these, default "moments"
        "means", "moments" (means, spreads, partial correlations), "correlations" (plain instead of
        partial ones), "paper" (without means), "quantiles", "missing" (rates of missing cells,
        which are then allowed), or functions of the matrix of covariates of a batch.
    selector : {"risk", "regret", "argmin", "network", "deepsets"} or classifier, optional
        How subsets are told from a batch: by regression of risk differences on summaries (None and
        "risk"), or by a classifier of the best subset: logistic, weighted by regret or (the paper,
        "argmin") not, a network, or one of your own. "deepsets": a network that reads the rows and
        learns its own summary (needs torch). Gates of "mask" are networks for "network" and
        "deepsets", else both linear and networks are tried.
    cv : int, {"blocked", "leave_one_out"} or splitter, default 5
        Folds of environments. "blocked" for environments in time. Fewer than 10 environments are
        left out one by one, up to 40 in 10 folds.
    guard : {"pooled"} or None, default "pooled"
        Keep the pooled model where adapting does not beat it in left-out environments.
    outside : {"warn", "causal", "pooled", "nan", "ignore"}, default "warn"
        What to do for environments outside the training range.
    environment : str or int, optional
        Column of X that holds the environment; the safe channel in pipelines and searches.
    environment_weight : {"rows", "equal"}, default "rows"
        Whether environments count by their rows or equally in fits. Risks of environments always
        count equally.
    n_jobs : int, optional
        Workers of the cross-validation.
    random_state : RandomState, default 0
        Of the folds; integers also seed networks and the batches that are drawn for small sizes.
    device : str, optional
        Where torch trains ``selector="deepsets"``: "cpu" (default), "cuda".

    Attributes
    ----------
    strategy_ : str
        The strategy with the largest weight, or "pooled" where the guard was active.
    guard_active_ : bool
        Whether the pooled model was kept.
    environments_ : ndarray
        Training environments.
    variables_ : tuple of str
        Covariates.
    candidates_ : ndarray of bool, shape (K, variables)
        Subsets.
    environment_risks_ : ndarray of shape (E, K)
        Risk of the pooled fit of each subset in each training environment.

    Notes
    -----
    Which strategy is best depends on what shifts, and left-out environments tell: see
    `identifiability`. A batch without labels is one environment.

    References
    ----------
    Zuo and Wang (2026), arXiv:2601.02322, for "select" and "mask".

    Examples
    --------
    >>> from shiftlab.adaptation import EnvironmentAdaptiveRegressor, simulate_environments
    >>> train = simulate_environments("hidden_cause", 60, random_state=0)
    >>> new = simulate_environments("hidden_cause", 30, random_state=1)
    >>> model = EnvironmentAdaptiveRegressor(outside="ignore")
    >>> model = model.fit(train.X, train.y, environment=train.environment)
    >>> pooled = EnvironmentAdaptiveRegressor(strategy="pooled")
    >>> pooled = pooled.fit(train.X, train.y, environment=train.environment)
    >>> for m in (pooled, model):
    ...     print(round(((new.y - m.predict(new.X, new.environment)) ** 2).mean(), 2))
    2.42
    1.63
    """

    def fit(
        self, X: Any, y: Any, environment: Any = None, sample_weight: Any = None
    ) -> "EnvironmentAdaptiveRegressor":
        """Learn how outcomes depend on covariates in different environments.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Covariates, and the environment if the constructor names its column. Text and booleans
            of a data frame are categories.
        y : array of shape (n_rows,)
            Outcome.
        environment : array of shape (n_rows,), optional
            Environment of each row, if the constructor names no column.
        sample_weight : array of shape (n_rows,), optional
            Weights of the rows in all fits.

        Returns
        -------
        EnvironmentAdaptiveRegressor

        Raises
        ------
        InputError
            If the environment is not told or has missing labels, or an option is unfit.
        """
        self._fit_rows(X, y, environment, sample_weight)
        return self

    def fit_grams(self, grams: EnvironmentGrams) -> "EnvironmentAdaptiveRegressor":
        """Fit from Gram matrices, without any row; see `EnvironmentGrams`.

        Parameters
        ----------
        grams : EnvironmentGrams
            Second moments by environment.

        Returns
        -------
        EnvironmentAdaptiveRegressor

        Raises
        ------
        InputError
            If the summaries need rows (quantiles, missing cells, functions) or an estimator is set.
        """
        self._check_options()
        if self.estimator is not None:
            raise InputError("estimator: other models need rows; leave it None with fit_grams.")
        names = grams.feature_names_in_
        self.n_features_in_ = len(names)
        self._generic = None
        if names != tuple(f"x{j}" for j in range(len(names))):
            self.feature_names_in_ = np.array(names, dtype=object)
        encoder = Encoder(names, (None,) * len(names))
        if self.selector == "deepsets":
            raise InputError("selector='deepsets' reads rows; use fit.")
        moments, offset, scale = grams.moments_.standardised()
        rank = environment_rank(np.column_stack([moments.cross[:, 0], moments.gram[:, 0, 1:]]))
        order = np.argsort(rank)
        moments = moments.take(order).with_outcome(-grams.outcome_centre_)
        spec = self._spec(encoder)
        if spec.needs_rows:
            raise InputError("summary: quantiles, missing cells and functions need rows; use fit.")
        codes = np.repeat(np.arange(len(order)), grams.n_rows_[order]).astype(np.int32)
        labels = Labels("environment", codes, tuple(grams.environments_[e] for e in order))
        summaries, summary_names = summary_table(spec, moments, labels, None)
        design = Design(
            encoder, grams.centre_ + offset, scale, labels, moments, spec, summaries,
            summary_names, rank,
        )  # fmt: skip
        known = Known(SquaredProblem(moments, self._shares(moments)), summaries)
        self._finish(known, design, None)
        self._residuals = None
        return self

    def predict(self, X: Any, environment: Any = None) -> np.ndarray:
        """Predict outcomes; each environment is adapted to on its own.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row; labels that training did not have are the normal case. Without
            it (and without a column named in the constructor) all rows are one environment.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        return self._linear_scores(X, environment)

    def predict_interval(
        self, X: Any, environment: Any = None, *, coverage: float = 0.9
    ) -> np.ndarray:
        """Prediction intervals that hold for rows of a new environment.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.
        coverage : float, default 0.9
            Probability that a row of a new environment, drawn like the training environments, lies
            inside.

        Returns
        -------
        ndarray of shape (n_rows, 2)
            Lower and upper ends.

        Raises
        ------
        InputError
            If the coverage needs more environments, or the model was fitted from Gram matrices.

        Notes
        -----
        Half the width is a quantile of the absolute errors in left-out training environments, each
        with the weight 1 / (E + 1), and one environment of infinite errors: conformal prediction
        for hierarchical data. It needs at least 1 / (1 - coverage) - 1 environments.
        """
        check_is_fitted(self, "variables_")
        residuals: EnvironmentQuantiles | None = self._residuals
        if residuals is None:
            raise InputError(
                "predict_interval needs errors in left-out environments; fit from rows, with at "
                "least 5 environments."
            )
        half = residuals.half_width(coverage)
        centre = self.predict(X, environment)
        return np.column_stack([centre - half, centre + half])

    def score(self, X: Any, y: Any, sample_weight: Any = None, environment: Any = None) -> float:
        """Coefficient of determination of the predictions.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Covariates.
        y : array of shape (n_rows,)
            Outcomes.
        sample_weight : array of shape (n_rows,), optional
            Weights of the rows.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.

        Returns
        -------
        float
        """
        from sklearn.metrics import r2_score

        predicted = self.predict(X, environment)
        weights = check_weights(sample_weight, len(predicted))
        return float(r2_score(y, predicted, sample_weight=weights))

    def _check_outcome(self, y: Any, n_rows: int | None) -> np.ndarray:
        return check_numbers(y, n_rows, type(self).__name__)

    def _make_problem(self, moments: Moments, shares: np.ndarray, rows: tuple[Any, ...]) -> Problem:
        return SquaredProblem(moments, shares)

    def _keep_residuals(self, X: np.ndarray, y: np.ndarray, labels: Labels) -> None:
        held_out = self._fitted.choice.held_out
        known = ~np.isnan(held_out).any(axis=1)
        self._residuals = None
        if known.sum() >= 2:
            own = held_out[labels.codes]
            errors = np.abs(y - own[:, 0] - (X * own[:, 1:]).sum(axis=1))
            self._residuals = collect(errors, labels, known)
