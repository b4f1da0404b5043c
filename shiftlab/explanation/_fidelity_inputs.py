"""Reading predictions, surrogates, groups and metrics, and warning where they say little."""

from collections.abc import Mapping, Sequence
from typing import Any
from warnings import warn

import numpy as np

from shiftlab._core.checks import check_length
from shiftlab._core.names import join_names
from shiftlab._core.validation import Labels, check_sensitive_features, combine_labels
from shiftlab.exceptions import InputError, InputWarning, TrivialFidelityWarning
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._fidelity_metrics import FidelityData, metric_info

__all__ = ["check_metrics", "read_fidelity"]

#: Metrics of the error at the row itself, which additive explanations make vanish.
POINTWISE = ("mae", "mse", "signed", "accuracy", "auroc", "r2")
DEFAULT_METRICS = ("mae", "accuracy", "auroc", "signed")
#: What is reported instead for additive explanations.
INFORMATIVE = ("truncated_mae", "complexity")


def read_fidelity(
    explanation: Any,
    sensitive_features: Any,
    prediction: Any,
    *,
    scores: Mapping[str, Any] | None = None,
    threshold: float = 0.5,
) -> tuple[FidelityData, Labels]:
    """Read predictions, surrogate and groups, and check that they fit together."""
    own: dict[str, np.ndarray] = {}
    if isinstance(explanation, Explanation):
        if prediction is not None:
            raise InputError("prediction: the explanation already holds the predictions.")
        f, g = explanation.prediction, explanation.surrogate_prediction
        own = _own_scores(explanation)
    else:
        if prediction is None:
            raise InputError("prediction is needed: what the black box says at each row.")
        f, g = _numbers(prediction, "prediction"), _numbers(explanation, "explanation")
        check_length(g, len(f), "explanation")
    for key, values in (scores or {}).items():
        own[key] = np.asarray(values, dtype=np.float64)
        check_length(own[key], len(f), f"scores[{key!r}]")
    features, _ = check_sensitive_features(sensitive_features, n_rows=len(f))
    groups = combine_labels(features)
    return FidelityData(f, g, groups.codes, len(groups), threshold, own), groups


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numeric: probabilities or values, no labels.") from error
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = numbers[:, 0]
    if numbers.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, found shape {numbers.shape}.")
    n_bad = int((~np.isfinite(numbers)).sum())
    if n_bad:
        raise InputError(f"{name} has {n_bad} missing or infinite value(s).")
    return numbers


def _own_scores(explanation: Explanation) -> dict[str, np.ndarray]:
    """Measures of an explanation that need no further call of the model."""
    magnitude = np.abs(explanation.terms if explanation.additive else explanation.values)
    total = magnitude.sum(axis=1, keepdims=True)
    share = np.divide(magnitude, total, out=np.zeros_like(magnitude), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    few = max(1, min(3, len(explanation.names) - 1))
    return {
        "local_r2": explanation.score,
        "complexity": np.exp(-(share * logs).sum(axis=1)),
        "mc_noise": explanation.mc_se.mean(axis=1),
        "truncated_mae": np.abs(explanation.prediction - explanation.truncated(few)),
    }


def check_metrics(
    metrics: Sequence[str] | None, explanation: Any, data: FidelityData
) -> tuple[str, ...]:
    """Return the metrics to compute, and warn where one says less than it seems to."""
    is_explanation = isinstance(explanation, Explanation)
    probability = bool(((data.prediction >= 0) & (data.prediction <= 1)).all())
    if is_explanation:
        probability = explanation.is_probability
    chosen = tuple(metrics) if metrics is not None else ()
    if metrics is None:
        chosen = DEFAULT_METRICS if probability else ("mae", "r2", "signed")
    if isinstance(metrics, str):
        raise InputError(f"metrics must be a sequence of names, found the text {metrics!r}.")
    for metric in chosen:
        metric_info(metric, data.scores)
    if is_explanation and explanation.additive and set(chosen) & set(POINTWISE):
        chosen = tuple(m for m in chosen if m not in POINTWISE)
        chosen += tuple(m for m in INFORMATIVE if m not in chosen)
        warn(
            "base and values of this explanation add up to the prediction, so its error at the row "
            f"is 0 in every group by construction. Reported instead: {join_names(chosen, 9)}.",
            TrivialFidelityWarning,
            stacklevel=4,
        )
    labels = {"accuracy", "auroc"} & set(chosen)
    if labels and not probability:
        raise InputError(
            f"metrics: {join_names(sorted(labels))} need(s) probabilities, but the predictions "
            "are not within [0, 1]. Use 'mae' or 'r2'."
        )
    if np.isin(data.prediction, (0.0, 1.0)).all() and "mae" in chosen and probability:
        warn(
            "All predictions are 0 or 1: they look like labels, not probabilities. The error of "
            "labels says little; pass probabilities.",
            InputWarning,
            stacklevel=4,
        )
    return chosen
