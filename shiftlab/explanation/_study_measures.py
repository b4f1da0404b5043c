"""What a study records of the explanations of two groups or more, metric by metric."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._fidelity import gaps_of
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
    groups : ndarray of int, shape (n_rows,)
        0 for the group that the mechanisms touch, 1, 2, ... for the others.
    metrics : sequence of str
        Names in `STUDY_METRICS`. At the row itself an additive explanation is exact by
        construction, so metrics of that error are NaN for it.

    Returns
    -------
    list of dict
        ``metric``, ``overall``, ``group_0``, ``group_1``, ..., ``signed_gap`` (positive where group
        0 is explained worse than the others on average), ``mean_gap`` (average over pairs of groups
        of the absolute difference), ``max_gap`` (of the worst group from the average),
        ``null_gap`` (expected ``mean_gap`` if the groups meant nothing), ``excess_gap``
        (``mean_gap - null_gap``), ``n_0``, ``n_1``, ... (rows).

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
    values = evaluate(metric, data, np.ones((1, len(data.codes))))
    null = _null_gap(metric, data)
    if is_trivial:
        values, null = np.full_like(values, math.nan), math.nan
    higher = metric_info(metric, data.scores).higher_is_better
    # The sign of a signed error is that of a loss.
    mean, largest, _ = gaps_of(values, bool(higher))
    groups = values[0, :-1]
    sign = 1.0 if higher else -1.0
    return {
        "metric": metric,
        "overall": values[0, -1],
        **{f"group_{k}": value for k, value in enumerate(groups)},
        "signed_gap": sign * (groups[1:].mean() - groups[0]),
        "mean_gap": mean[0],
        "max_gap": largest[0],
        "null_gap": null,
        "excess_gap": mean[0] - null,
        **{f"n_{k}": n for k, n in enumerate(np.bincount(data.codes, minlength=data.n_groups))},
    }


def _null_gap(metric: str, data: FidelityData) -> float:
    """Return the mean absolute gap to expect between groups drawn at random."""
    values = row_scores(metric, data)
    if values is not None:
        # Differences of two means: close to normal, so that their mean absolute value is known.
        share = 1 / np.bincount(data.codes, minlength=data.n_groups)
        apart = [math.sqrt(a + b) for a, b in combinations(share, 2)]
        return float(np.nanstd(values, ddof=1) * np.mean(apart) * math.sqrt(2 / math.pi))
    rng = np.random.default_rng(len(data.codes))
    weights = np.ones((1, len(data.codes)))
    shuffled = [replace(data, codes=rng.permutation(data.codes)) for _ in range(N_RELABELLED)]
    gaps = [gaps_of(evaluate(metric, one, weights), True)[0][0] for one in shuffled]
    return float(np.mean(gaps))
