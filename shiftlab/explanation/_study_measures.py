"""What a study records of the explanations of two groups, metric by metric."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._fidelity_inputs import read_fidelity
from shiftlab.explanation._fidelity_metrics import (
    METRICS,
    FidelityData,
    evaluate,
    metric_info,
    row_scores,
)

__all__ = ["STUDY_METRICS", "measure_rows"]

#: Metrics that need nothing but the explanation.
STUDY_METRICS = (*METRICS, "local_r2", "complexity", "mc_noise", "truncated_mae")
#: Relabellings behind the noise floor of a metric that is not a mean over rows.
N_RELABELLED = 25


def measure_rows(
    explanation: Explanation, groups: np.ndarray, metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """Return one row per metric.

    Parameters
    ----------
    explanation : Explanation
        Of the test rows.
    groups : ndarray of shape (n_rows,)
        0 or 1.
    metrics : sequence of str
        Names in `STUDY_METRICS`. At the row itself an additive explanation is exact by
        construction, so metrics of that error are NaN for it.

    Returns
    -------
    list of dict
        ``metric``, ``overall``, ``group_0``, ``group_1``, ``signed_gap`` (positive where group 0 is
        explained worse), ``mean_gap`` (its absolute value), ``max_gap`` (of the worse group from
        the average), ``null_gap`` (expected ``mean_gap`` if the groups meant nothing),
        ``excess_gap`` (``mean_gap - null_gap``), ``n_0`` and ``n_1`` (rows).

    Raises
    ------
    InputError
        If every metric is trivial for the explanation.
    """
    data, _ = read_fidelity(explanation, groups, None)
    trivial = [m for m in metrics if explanation.additive and m in METRICS]
    if len(trivial) == len(metrics):
        raise InputError(
            f"metrics: {join_names(trivial)} say nothing about {explanation.method}, whose values "
            "add up to the prediction in every group. Add 'truncated_mae'."
        )
    return [_row(metric, data, metric in trivial) for metric in metrics]


def _row(metric: str, data: FidelityData, is_trivial: bool) -> dict[str, Any]:
    zero, one, overall = evaluate(metric, data, np.ones((1, len(data.codes))))[0]
    null = _null_gap(metric, data)
    if is_trivial:
        zero = one = overall = null = math.nan
    sign = 1.0 if metric_info(metric, data.scores).higher_is_better else -1.0
    signed = sign * (one - zero)
    counts = np.bincount(data.codes, minlength=2)
    return {
        "metric": metric,
        "overall": overall,
        "group_0": zero,
        "group_1": one,
        "signed_gap": signed,
        "mean_gap": abs(signed),
        "max_gap": max(sign * (overall - zero), sign * (overall - one)),
        "null_gap": null,
        "excess_gap": abs(signed) - null,
        "n_0": counts[0],
        "n_1": counts[1],
    }


def _null_gap(metric: str, data: FidelityData) -> float:
    """Return the absolute gap to expect between groups drawn at random."""
    values = row_scores(metric, data)
    n_zero, n_one = np.bincount(data.codes, minlength=2)
    if values is not None:
        # The difference of two means: close to normal, so that its mean absolute value is known.
        spread = np.nanstd(values, ddof=1) * math.sqrt(1 / n_zero + 1 / n_one)
        return float(spread * math.sqrt(2 / math.pi))
    rng = np.random.default_rng(len(data.codes))
    weights = np.ones((1, len(data.codes)))
    gaps = []
    for _ in range(N_RELABELLED):
        shuffled = replace(data, codes=rng.permutation(data.codes))
        zero, one, _ = evaluate(metric, shuffled, weights)[0]
        gaps.append(abs(zero - one))
    return float(np.mean(gaps))
