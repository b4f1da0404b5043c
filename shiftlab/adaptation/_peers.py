"""Other methods behind one interface, as baselines for studies: none of them sees the new batch."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.checks import check_length, check_option
from shiftlab._core.random import RandomState
from shiftlab._core.validation import Labels, check_environment
from shiftlab.adaptation._batches import read_labels
from shiftlab.adaptation._encode import fit_encoder
from shiftlab.adaptation._gram import Moments, build_moments
from shiftlab.adaptation._outcomes import check_numbers
from shiftlab.adaptation._subsets import full_enumeration, solve_subsets, to_columns
from shiftlab.adaptation._summarizer import EnvironmentSummarizer
from shiftlab.exceptions import InputError

__all__ = [
    "BASELINES",
    "BaselineRegressor",
]

BASELINES = (
    "pooled", "causal", "lasso", "anchor", "icp", "group_dro", "vrex", "boosting",
    "boosting_summaries",
)  # fmt: skip
GAMMAS = np.array([1.0, 2.0, 5.0, 10.0])
LEVEL = 0.05


class BaselineRegressor(RegressorMixin, BaseEstimator):
    """A published method of prediction across environments, for comparison.

    Parameters
    ----------
    method : {"pooled", "causal", "lasso", "anchor", "icp", "group_dro", "vrex", "boosting", \
"boosting_summaries"}, default "pooled"
        "pooled": least squares on all covariates; "causal": on `always_include`; "lasso": the
        penalty by cross-validation over environments; "anchor": anchor regression with
        environments as anchors; "icp": invariant causal prediction, least squares on the
        intersection of the accepted sets; "group_dro": least weighted risk of the worst
        environments; "vrex": mean risk plus the variance of risks; "boosting": gradient boosting on
        the covariates; "boosting_summaries": on covariates and the summary of the batch.
    strength : float, optional
        Of the method: gamma of "anchor" (chosen by cross-validation if None), penalty of "vrex"
        (default 10), temperature of "group_dro" in units of the mean risk (default 0.05).
    always_include : sequence of str or int, default ()
        Known causes.
    environment : str or int, optional
        Column of X that holds the environment.
    random_state : RandomState, default 0
        Of boosting.

    Attributes
    ----------
    accepted_ : list of tuple
        Sets that "icp" did not reject.
    strength_ : float or None
        The strength that was used.

    References
    ----------
    Rothenhaeusler et al. (2021), anchor regression. Peters et al. (2016), invariant causal
    prediction. Sagawa et al. (2020), group distributionally robust optimisation. Krueger et al.
    (2021), variance risk extrapolation.

    Examples
    --------
    >>> from shiftlab.adaptation import BaselineRegressor, simulate_environments
    >>> train = simulate_environments("hidden_cause", 30, random_state=0)
    >>> model = BaselineRegressor("anchor", strength=5.0)
    >>> model = model.fit(train.X, train.y, environment=train.environment)
    >>> model.predict(train.X).shape
    (3000,)
    """

    __metadata_request__fit = {"environment": True}  # noqa: RUF012
    __metadata_request__predict = {"environment": True}  # noqa: RUF012

    def __init__(
        self,
        method: str = "pooled",
        *,
        strength: float | None = None,
        always_include: Any = (),
        environment: str | int | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.method = method
        self.strength = strength
        self.always_include = always_include
        self.environment = environment
        self.random_state = random_state

    def fit(self, X: Any, y: Any, environment: Any = None) -> "BaselineRegressor":
        """Fit the method.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Covariates.
        y : array of shape (n_rows,)
            Outcome.
        environment : array of shape (n_rows,), optional
            Environment of each row; needed by methods that use it.

        Returns
        -------
        BaselineRegressor

        Raises
        ------
        InputError
            If the method is not known or needs environments.
        """
        check_option(self.method, BASELINES, "method")
        if hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True)
        elif self.environment is not None:
            X = validate_data(self, X, dtype=None, ensure_all_finite=False)
        else:
            X = validate_data(self, X)
        covariates, values = read_labels(X, self.environment, environment)
        y = check_numbers(y, None, type(self).__name__)
        self._encoder = fit_encoder(covariates)
        matrix = self._encoder.encode(covariates)[0]
        check_length(y, len(matrix), "y")
        if values is None:
            if self.method not in ("pooled", "causal", "boosting"):
                raise InputError(f"environment is needed by method={self.method!r}.")
            values = np.zeros(len(y))
        labels, _ = check_environment(values, n_rows=len(y), minimum=1)
        self.strength_ = self.strength
        self._boosted: Any = None
        if self.method.startswith("boosting"):
            self._fit_boosting(matrix, y, labels)
        else:
            self._fit_linear(matrix, y, labels)
        return self

    def predict(self, X: Any, environment: Any = None) -> np.ndarray:
        """Predict outcomes.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row; only "boosting_summaries" uses it.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        check_is_fitted(self, "strength_")
        if hasattr(X, "columns"):
            validate_data(self, X, reset=False, skip_check_array=True)
        elif self.environment is not None:
            X = validate_data(self, X, reset=False, dtype=None, ensure_all_finite=False)
        else:
            X = validate_data(self, X, reset=False)
        covariates, values = read_labels(X, self.environment, environment)
        matrix = self._encoder.encode(covariates)[0]
        if self._boosted is not None:
            return np.asarray(self._boosted.predict(self._expanded(matrix, values)))
        Z = np.column_stack([np.ones(len(matrix)), (matrix - self._centre) / self._scale])
        return np.asarray(Z @ self._vector)

    def _fit_boosting(self, matrix: np.ndarray, y: np.ndarray, labels: Labels) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        from shiftlab._core.random import as_seed_sequence, integer_seed

        values = np.array(labels.categories, dtype=object)[labels.codes]
        self._summarizer = None
        if self.method == "boosting_summaries":
            self._summarizer = EnvironmentSummarizer().fit(matrix, environment=values)
        seed = integer_seed(as_seed_sequence(self.random_state))
        model = HistGradientBoostingRegressor(random_state=seed)
        self._boosted = model.fit(self._expanded(matrix, values), y)

    def _expanded(self, matrix: np.ndarray, values: Any) -> np.ndarray:
        if self._summarizer is None:
            return matrix
        return self._summarizer.transform(matrix, environment=values)

    def _fit_linear(self, matrix: np.ndarray, y: np.ndarray, labels: Labels) -> None:
        middle = matrix.mean(axis=0)
        moments = build_moments(matrix - middle, y, labels)
        moments, offset, self._scale = moments.standardised()
        self._centre = middle + offset
        q = moments.gram.shape[1]
        always = self._encoder.positions(self.always_include, "always_include")
        if self.method in ("pooled", "causal"):
            chosen = np.ones_like(always) if self.method == "pooled" else always
            self._vector = _least_squares(moments, to_columns(chosen[None], self._encoder.groups))
        elif self.method == "lasso":
            self._vector, self.strength_ = _lasso(moments)
        elif self.method == "anchor":
            self._vector, self.strength_ = _anchor(moments, self.strength)
        elif self.method == "icp":
            standard = (matrix - self._centre) / self._scale
            self._vector, self.accepted_ = _icp(moments, standard, y, labels, self._encoder)
        else:
            self.strength_ = self.strength or (10.0 if self.method == "vrex" else 0.05)
            self._vector = _robust(moments, self.method, self.strength_, np.zeros(q))


def _least_squares(moments: Moments, columns: np.ndarray) -> np.ndarray:
    return np.asarray(solve_subsets(*moments.pooled(moments.weight), columns)[0])


def _folds(moments: Moments) -> list[np.ndarray]:
    n = len(moments)
    return [np.arange(n)[k::5] for k in range(min(5, n))]


def _by_environments(moments: Moments, path: Any, grid: np.ndarray) -> float:
    """Choose the strength with the least mean risk in left-out environments."""
    risks = np.zeros(len(grid))
    for fold in _folds(moments):
        train = moments.take(np.setdiff1d(np.arange(len(moments)), fold))
        risks += moments.take(fold).all_risks(path(train, grid)).sum(axis=0)
    return float(grid[int(risks.argmin())])


def _lasso(moments: Moments) -> tuple[np.ndarray, float]:
    gram, cross = moments.pooled(moments.weight)
    largest = float(np.abs(cross[1:] - gram[0, 1:] * cross[0]).max())
    grid = np.concatenate([largest * 10.0 ** np.arange(0, -4.01, -0.25), [0.0]])
    strength = _by_environments(moments, _lasso_path, grid)
    return _lasso_path(moments, grid[grid >= strength])[-1], strength


def _lasso_path(moments: Moments, grid: np.ndarray) -> np.ndarray:
    """Coordinate descent on the pooled moments, from strong penalties to weak ones."""
    gram, cross = moments.pooled(moments.weight)
    mean, level = gram[0, 1:], cross[0]
    covariance = gram[1:, 1:] - np.outer(mean, mean)
    target = cross[1:] - mean * level
    size = np.maximum(np.diag(covariance), 1e-12)
    beta, found = np.zeros(len(mean)), []
    for strength in grid:
        for _ in range(200):
            before = beta.copy()
            for j in range(len(beta)):
                partial = target[j] - covariance[j] @ beta + covariance[j, j] * beta[j]
                beta[j] = np.sign(partial) * max(abs(partial) - strength, 0.0) / size[j]
            if np.abs(beta - before).max() < 1e-8:
                break
        found.append(np.concatenate([[level - mean @ beta], beta]))
    return np.array(found)


def _anchor(moments: Moments, strength: float | None) -> tuple[np.ndarray, float]:
    """Least squares after stretching the means of environments by the root of gamma."""

    def fit(part: Moments, gamma: float) -> np.ndarray:
        share = part.weight / part.weight.sum()
        means = part.gram[:, 0, :]
        level = part.cross[:, 0]
        centre, middle = share @ means, share @ level
        deviation, outcome = means - centre, level - middle
        gram, cross = part.pooled(part.weight)
        between = (deviation * share[:, None]).T @ deviation
        shift = (deviation * share[:, None]).T @ outcome
        columns = np.ones((1, len(cross)), dtype=bool)
        return np.asarray(
            solve_subsets(gram + (gamma - 1) * between, cross + (gamma - 1) * shift, columns)[0]
        )

    def path(part: Moments, grid: np.ndarray) -> np.ndarray:
        return np.array([fit(part, gamma) for gamma in grid])

    gamma = strength if strength is not None else _by_environments(moments, path, GAMMAS)
    return fit(moments, gamma), gamma


def _icp(
    moments: Moments, X: np.ndarray, y: np.ndarray, labels: Labels, encoder: Any
) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Accept sets whose residuals have equal means and spreads everywhere; intersect them."""
    from scipy.stats import f_oneway, levene

    none = np.zeros(len(encoder.names), dtype=bool)
    sets = full_enumeration(len(none), none, none)
    vectors = solve_subsets(*moments.pooled(moments.weight), to_columns(sets, encoder.groups))
    accepted = []
    rows = [labels.rows(code) for code in range(len(labels))]
    for row, vector in zip(sets, vectors, strict=True):
        residual = y - vector[0] - X @ vector[1:]
        groups = [residual[r] for r in rows if len(r) > 1]
        if len(groups) > 1 and 2 * min(f_oneway(*groups)[1], levene(*groups)[1]) > LEVEL:
            accepted.append(row)
    chosen = np.logical_and.reduce(accepted) if accepted else none
    names = [tuple(n for n, c in zip(encoder.names, row, strict=True) if c) for row in accepted]
    return _least_squares(moments, to_columns(chosen[None], encoder.groups)), names


def _robust(moments: Moments, method: str, strength: float, start: np.ndarray) -> np.ndarray:
    """Minimise a function of the risks of environments."""
    from scipy.optimize import minimize
    from scipy.special import logsumexp, softmax

    unit = float(moments.square.mean()) or 1.0

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        product = moments.gram @ vector
        risks = moments.square - 2 * moments.cross @ vector + product @ vector
        slopes = 2 * (product - moments.cross)
        if method == "vrex":
            centred = risks - risks.mean()
            value = risks.mean() + strength * (centred**2).mean() / unit
            weight = (1 + 2 * strength * centred / unit) / len(risks)
        else:
            scaled = risks / (strength * unit)
            value = strength * unit * float(logsumexp(scaled))
            weight = softmax(scaled)
        return float(value), weight @ slopes

    return np.asarray(minimize(objective, start, jac=True, method="L-BFGS-B").x)
