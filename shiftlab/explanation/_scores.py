"""Measures of explanations, one number per row, beyond the error at the row itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.random import RandomState, as_seed_sequence, integer_seed
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_encoding import Encoding, learn_encoding
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._lime_reference import learn_reference
from shiftlab.explanation._models import ModelFunction, as_model_function

__all__ = ["explanation_scores", "truth_scores"]

SCORES = (
    "neighbourhood_mae",
    "instability",
    "inconsistency",
    "prediction_gap_important",
    "prediction_gap_unimportant",
)
#: Size of a small change of a row, in standard deviations.
SMALL = 0.05
N_SEEDS = 3


def explanation_scores(
    explainer: Any,
    model: Any,
    X: Any,
    *,
    scores: Sequence[str] = SCORES,
    k: int = 3,
    n_samples: int = 50,
    radius: float = 0.5,
    random_state: RandomState = None,
) -> dict[str, np.ndarray]:
    """Measure the explanations of each row; made for the `scores` of `explanation_disparity`.

    Parameters
    ----------
    explainer : LimeExplainer, KernelShapExplainer or another with ``explain``
        Fitted.
    model : callable, fitted estimator, torch module or ModelFunction
        The black box.
    X : array or data frame of shape (n_rows, n_columns)
        Rows to explain.
    scores : sequence of str, default all
        "neighbourhood_mae": error of the surrogate, moved along its slopes, on fresh perturbations
        (slopes only, so not for additive explanations). "instability": relative change of the
        values under small changes of the row. "inconsistency": relative spread of the values over
        seeds of the explainer. "prediction_gap_important" and "prediction_gap_unimportant": change
        of the prediction when the `k` most important columns are perturbed, or all others.
    k : int, default 3
        Number of important columns.
    n_samples : int, default 50
        Perturbations per row.
    radius : float, default 0.5
        Size of the perturbations, in standard deviations of the rows.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the perturbations.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,)

    Raises
    ------
    InputError
        If a score is unknown, or not defined for the explainer.

    References
    ----------
    Agarwal, C. et al. (2022). OpenXAI: towards a transparent evaluation of model explanations.
    NeurIPS 35 (prediction gaps, stability).

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer, explanation_scores
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> explainer = LimeExplainer(n_samples=200, random_state=0).fit(X)
    >>> found = explanation_scores(explainer, lambda X: X[:, 0], X[:5], k=1, random_state=0,
    ...                            scores=["prediction_gap_unimportant"])
    >>> found["prediction_gap_unimportant"].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    for name in scores:
        check_option(name, SCORES, "scores")
    check_integer(k, "k")
    check_integer(n_samples, "n_samples")
    explanation = explainer.explain(model, X)
    if "neighbourhood_mae" in scores and explanation.additive:
        raise InputError("scores: 'neighbourhood_mae' needs slopes; this explanation is additive.")
    probe = _Probe(explainer, as_model_function(model), X, explanation, radius)
    seeds = dict(zip(SCORES, as_seed_sequence(random_state).spawn(len(SCORES)), strict=True))
    found = {}
    for name in scores:
        rng = np.random.default_rng(seeds[name])
        if name == "neighbourhood_mae":
            found[name] = probe.neighbourhood(n_samples, rng)
        elif name == "instability":
            found[name] = probe.instability(rng)
        elif name == "inconsistency":
            found[name] = probe.inconsistency(seeds[name])
        else:
            found[name] = probe.prediction_gap(k, n_samples, rng, name.endswith("_important"))
    return found


class _Probe:
    """A table in numbers, and the explanations of its rows."""

    def __init__(
        self,
        explainer: Any,
        function: ModelFunction,
        X: Any,
        explanation: Explanation,
        radius: float,
    ) -> None:
        self._explainer, self._function, self._explanation = explainer, function, explanation
        known = getattr(explainer, "_encoding", None)
        self._matrix: np.ndarray
        self._encoding: Encoding
        self._matrix, self._encoding = known.encode(X) if known else learn_encoding(X)
        fitted = getattr(explainer, "reference_", None)
        self._reference = fitted or learn_reference(self._matrix, self._encoding.coded)
        self._columns = [self._encoding.names.index(name) for name in explanation.names]
        self._radius = radius

    def _perturbed(self, rng: np.random.Generator, size: float, chosen: np.ndarray) -> np.ndarray:
        """Perturb the chosen columns (a mask by row and feature): noise, or another category."""
        rows = self._matrix.copy()
        for feature, j in enumerate(self._columns):
            now = chosen[:, feature]
            if j in self._reference.levels:
                levels, shares = self._reference.levels[j], self._reference.frequencies[j]
                drawn = levels[rng.choice(len(levels), len(rows), p=shares)]
                rows[now, j] = drawn[now]
            elif not self._reference.constant[j]:
                step = size * self._reference.scale[j] * rng.standard_normal(len(rows))
                rows[now, j] += step[now]
        return rows

    def _predict(self, rows: np.ndarray) -> np.ndarray:
        return self._function(self._encoding.decode(rows))

    def neighbourhood(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        e = self._explanation
        error = np.zeros(len(e))
        everything = np.ones(e.values.shape, dtype=bool)
        for _ in range(n_samples):
            rows = self._perturbed(rng, self._radius, everything)
            moved = np.zeros(e.values.shape)
            for feature, j in enumerate(self._columns):
                step = rows[:, j] - self._matrix[:, j]
                is_label = j in self._reference.levels
                moved[:, feature] = -(step != 0) if is_label else step / self._reference.scale[j]
            surrogate = e.surrogate_prediction + (e.values * moved).sum(axis=1)
            error += np.abs(self._predict(rows) - surrogate)
        return error / n_samples

    def prediction_gap(
        self, k: int, n_samples: int, rng: np.random.Generator, important: bool
    ) -> np.ndarray:
        magnitude = np.abs(self._explanation.values)
        rank = np.argsort(np.argsort(-magnitude, axis=1, kind="stable"), axis=1)
        chosen = (rank < k) if important else (rank >= k)
        gap = np.zeros(len(magnitude))
        for _ in range(n_samples):
            moved = self._predict(self._perturbed(rng, self._radius, chosen))
            gap += np.abs(moved - self._explanation.prediction)
        return gap / n_samples

    def instability(self, rng: np.random.Generator) -> np.ndarray:
        values = self._explanation.values
        numbers = np.array([j not in self._reference.levels for j in self._columns])
        rows = self._perturbed(rng, SMALL, np.broadcast_to(numbers, values.shape))
        moved = self._explainer.explain(self._function, self._encoding.decode(rows)).values
        return _relative(np.linalg.norm(moved - values, axis=1), values)

    def inconsistency(self, seed: np.random.SeedSequence) -> np.ndarray:
        values = [self._explanation.values]
        X = self._encoding.decode(self._matrix)
        for child in seed.spawn(N_SEEDS - 1):
            other = _reseeded(self._explainer, integer_seed(child))
            values.append(other.explain(self._function, X).values)
        spread = np.std(values, axis=0, ddof=1)
        return _relative(np.linalg.norm(spread, axis=1), np.mean(values, axis=0))


def _reseeded(explainer: Any, seed: int) -> Any:
    """Return an explainer that differs in its seed only, without fitting it again."""
    from copy import copy

    return copy(explainer).set_params(random_state=seed)


def _relative(change: np.ndarray, values: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(values, axis=1)
    return np.divide(change, size, out=np.zeros_like(change), where=size > 0)


def truth_scores(explanation: Explanation, truth: Any, *, k: int = 3) -> dict[str, np.ndarray]:
    """Agreement of explanations with importances that are known, row by row.

    Parameters
    ----------
    explanation : Explanation
        The explanations.
    truth : array of shape (d,) or (n_rows, d)
        True importance of each feature: the coefficients of a linear model per standard deviation,
        the gradient of a known world, exact Shapley values.
    k : int, default 3
        Number of top features that are compared.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,)
        "top_k_agreement" (share of the true top features that are found), "rank_correlation"
        (Spearman's, of absolute importance), "sign_agreement" (share of equal signs among the true
        top features) and "truth_rmse".

    Raises
    ------
    InputError
        If shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer, truth_scores
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> explainer = LimeExplainer(n_samples=500, random_state=0).fit(X)
    >>> explanation = explainer.explain(lambda X: X @ [3.0, 2.0, 0.0], X[:2])
    >>> truth_scores(explanation, [3.0, 2.0, 0.0], k=2)["top_k_agreement"].tolist()
    [1.0, 1.0]
    """
    values = explanation.values
    known = np.asarray(truth, dtype=np.float64)
    if known.ndim not in (1, 2) or known.shape[-1] != values.shape[1]:
        raise InputError(
            f"truth must have shape ({values.shape[1]},) or {values.shape}, found {known.shape}."
        )
    if known.ndim == 2 and known.shape != values.shape:
        raise InputError(f"truth must have shape {values.shape}, found {known.shape}.")
    known = np.broadcast_to(known, values.shape)
    k = min(check_integer(k, "k"), values.shape[1])
    top = _top(known, k)
    shared = (top & _top(values, k)).sum(axis=1) / k
    signs = ((np.sign(known) == np.sign(values)) & top).sum(axis=1) / k
    return {
        "top_k_agreement": shared,
        "rank_correlation": _spearman(np.abs(known), np.abs(values)),
        "sign_agreement": signs,
        "truth_rmse": np.sqrt(((known - values) ** 2).mean(axis=1)),
    }


def _top(values: np.ndarray, k: int) -> np.ndarray:
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k]
    mask = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(mask, order, True, axis=1)
    return mask


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    x, y = rankdata(a, axis=1), rankdata(b, axis=1)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.divide((x * y).sum(axis=1), size, out=np.full(len(a), np.nan), where=size > 0)
