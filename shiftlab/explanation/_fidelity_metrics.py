"""Fidelity of explanations per group, under any number of row weightings at once.

A metric is evaluated for a matrix of weights, one line per weighting, so that the table, its
bootstrap and its permutations are the same few matrix products.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError

__all__ = [
    "METRICS",
    "SCORES",
    "FidelityData",
    "MetricInfo",
    "evaluate",
    "metric_info",
    "row_scores",
]

GroupFunction: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class MetricInfo:
    """What a metric measures.

    Attributes
    ----------
    name : str
        Name in arguments and tables.
    higher_is_better : bool or None
        None for the signed error, of which neither direction is better.
    label : str
        For figures and pages.
    """

    name: str
    higher_is_better: bool | None
    label: str


METRICS = {
    info.name: info
    for info in (
        MetricInfo("mae", False, "mean absolute error"),
        MetricInfo("mse", False, "mean squared error"),
        MetricInfo("signed", None, "mean signed error (model minus surrogate)"),
        MetricInfo("accuracy", True, "agreement of labels"),
        MetricInfo("auroc", True, "AUROC of the surrogate for the label of the model"),
        MetricInfo("r2", True, "R2 of the surrogate over the rows"),
    )
}
#: Metrics that need labels, and so probabilities and a threshold.
LABEL_METRICS = ("accuracy", "auroc")


@dataclass(frozen=True)
class FidelityData:
    """What metrics are computed from.

    Attributes
    ----------
    prediction, surrogate : ndarray of shape (n,)
        Black box and explanation at each row.
    codes : ndarray of int, shape (n,)
        Group of each row.
    n_groups : int
        Number of groups.
    threshold : float
        From here on a prediction is a positive label.
    scores : mapping of str to ndarray of shape (n,)
        Further measures, already one number per row.
    """

    prediction: np.ndarray
    surrogate: np.ndarray
    codes: np.ndarray
    n_groups: int
    threshold: float
    scores: Mapping[str, np.ndarray]

    @property
    def membership(self) -> np.ndarray:
        """One column per group and a last one for everybody, shape (n, n_groups + 1)."""
        inside = np.zeros((len(self.codes), self.n_groups + 1))
        inside[np.arange(len(self.codes)), self.codes] = 1.0
        inside[:, -1] = 1.0
        return inside


def metric_info(name: str, scores: Mapping[str, np.ndarray] | None = None) -> MetricInfo:
    """Return what is known of a metric; scores of the caller count as losses unless known."""
    if name in METRICS:
        return METRICS[name]
    if scores is not None and name in scores:
        return SCORES.get(name, MetricInfo(name, False, name))
    known = [*METRICS, *(scores or ())]
    raise InputError(f"metrics: there is no metric {name!r}. Known: {join_names(known, 20)}.")


#: Measures of an explanation that are one number per row.
SCORES = {
    info.name: info
    for info in (
        MetricInfo("local_r2", True, "R2 of the surrogate in its neighbourhood"),
        MetricInfo("complexity", False, "effective number of features"),
        MetricInfo("mc_noise", False, "Monte-Carlo error of the values"),
        MetricInfo("truncated_mae", False, "error with the largest terms only"),
        MetricInfo("neighbourhood_mae", False, "error in the neighbourhood"),
        MetricInfo("neighbourhood_r2", True, "R2 on fresh perturbations"),
        MetricInfo("instability", False, "change under small changes of the row"),
        MetricInfo("inconsistency", False, "spread over explainer seeds"),
        MetricInfo("prediction_gap_important", True, "change when important features change"),
        MetricInfo("prediction_gap_unimportant", False, "change when unimportant features change"),
        MetricInfo("top_k_agreement", True, "agreement with the true top features"),
        MetricInfo("rank_correlation", True, "rank correlation with the true importance"),
        MetricInfo("sign_agreement", True, "agreement with the true signs"),
    )
}


def row_scores(metric: str, data: FidelityData) -> np.ndarray | None:
    """Return the value of each row if a metric is a plain mean over rows, else None."""
    if metric in data.scores:
        return np.asarray(data.scores[metric])
    error = data.prediction - data.surrogate
    if metric == "mae":
        return np.abs(error)
    if metric == "mse":
        return error**2
    if metric == "signed":
        return error
    if metric == "accuracy":
        return _agree(data).astype(float)
    return None


def _agree(data: FidelityData) -> np.ndarray:
    return np.asarray((data.prediction >= data.threshold) == (data.surrogate >= data.threshold))


def evaluate(
    metric: str, data: FidelityData, weights: np.ndarray, *, only_everybody: bool = False
) -> np.ndarray:
    """Evaluate a metric by group and over everybody.

    Parameters
    ----------
    metric : str
        Name of a metric or of a score.
    data : FidelityData
        Predictions, surrogate and groups.
    weights : ndarray of shape (B, n)
        One weighting of the rows per line.
    only_everybody : bool, default False
        Whether to leave the groups out.

    Returns
    -------
    ndarray of shape (B, n_groups + 1), or (B, 1)
        The last column holds the value over everybody; NaN where it is not defined.
    """
    values = row_scores(metric, data)
    if values is not None:
        inside = np.ones((len(values), 1)) if only_everybody else data.membership
        return _weighted_mean(values, inside, weights)
    function = _auroc if metric == "auroc" else _r_squared
    if only_everybody:
        found = function(data.prediction, data.surrogate, weights, data.threshold)
        return np.asarray(found[:, None])
    return _by_group(function, data, weights)


def _weighted_mean(values: np.ndarray, inside: np.ndarray, weights: np.ndarray) -> np.ndarray:
    defined = np.isfinite(values)
    inside = inside * defined[:, None]
    values = np.where(defined, values, 0.0)
    total = weights @ inside
    sums = weights @ (inside * values[:, None])
    return np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)


def _by_group(function: GroupFunction, data: FidelityData, weights: np.ndarray) -> np.ndarray:
    columns = []
    for code in range(data.n_groups + 1):
        rows = slice(None) if code == data.n_groups else np.flatnonzero(data.codes == code)
        columns.append(
            function(data.prediction[rows], data.surrogate[rows], weights[:, rows], data.threshold)
        )
    return np.column_stack(columns)


def _auroc(
    prediction: np.ndarray, surrogate: np.ndarray, weights: np.ndarray, threshold: float
) -> np.ndarray:
    """Weighted probability that a positive row scores above a negative one, ties half."""
    positive = prediction >= threshold
    _, level = np.unique(surrogate, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    ordered = weights[:, order]
    up = np.add.reduceat(ordered * positive[order], starts, axis=1)
    down = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    both = up.sum(axis=1) * down.sum(axis=1)
    wins = (up * below).sum(axis=1)
    return np.divide(wins, both, out=np.full(len(both), np.nan), where=both > 0)


def _r_squared(
    prediction: np.ndarray, surrogate: np.ndarray, weights: np.ndarray, threshold: float
) -> np.ndarray:
    total = weights.sum(axis=1)
    safe = np.where(total > 0, total, 1.0)
    mean = weights @ prediction / safe
    spread = weights @ prediction**2 / safe - mean**2
    error = weights @ (prediction - surrogate) ** 2 / safe
    defined = (total > 0) & (spread > 1e-12 * (1 + mean**2))
    return np.where(defined, 1 - error / np.where(defined, spread, 1.0), np.nan)
