"""Compliance: the metric of the sample with its interval, beside the threshold."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.validation import check_binary
from shiftlab.auditing._reference import Reference
from shiftlab.auditing._representativeness_directional import METRICS
from shiftlab.exceptions import InputError
from shiftlab.metrics import (
    GroupCounts,
    Metric,
    demographic_parity_difference,
    disparate_impact,
    equal_opportunity_difference,
)

__all__ = ["Compliance", "compliance_of", "count_sample", "metric_of"]


@dataclass(frozen=True)
class Compliance:
    """Verdict for one sensitive feature.

    Attributes
    ----------
    feature : str
        The feature.
    verdict : {"pass", "fail", "inconclusive"}
        "fail" if the value of the groups that can be judged is below the threshold, whatever the
        others may show (they could only lower it); "pass" if all groups can be judged and the lower
        limit reaches the threshold; else "inconclusive".
    reason : str
        Why, in words.
    value, low, high : float
        Metric of the sample with its interval.
    group, reference : object
        The groups compared.
    reference_value : float or None
        The same metric in the reference, where its decisions are known.
    """

    feature: str
    verdict: str
    reason: str
    value: float
    low: float
    high: float
    group: Any
    reference: Any
    reference_value: float | None = None


def count_sample(sample: Any, reference: Reference | GroupCounts) -> tuple[GroupCounts, Any]:
    """Count a sample, and return its decisions where it has rows."""
    if isinstance(sample, GroupCounts):
        if not isinstance(reference, GroupCounts):
            raise InputError(
                "sample: counts can only be compared with counts. Pass the rows, or "
                "reference.counts as the reference."
            )
        return sample, None
    if isinstance(reference, GroupCounts):
        raise InputError(
            "sample must be a GroupCounts where the reference is one; count its rows with "
            "GroupCounts.from_rows(y_pred, sensitive_features)."
        )
    roles = reference.sample_roles
    table = roles.read(sample, "sample")
    counts = roles.count(table, known=True)
    if counts is None:
        raise InputError(
            "An audit needs decisions and groups: name decision and sensitive_features in the "
            "Reference."
        )
    name = str(roles.decision)
    told = check_binary(table[name], name, pos_label=_positive_or_none(table[name], roles))[0]
    return counts, told


def _positive_or_none(column: Any, roles: Any) -> Any:
    labels = [str(label) for label in column.as_categorical().categories]
    return roles.pos_label if str(roles.pos_label) in labels else None


def compliance_of(
    counts: GroupCounts,
    known: GroupCounts | None,
    *,
    metric: str,
    threshold: float,
    reference_group: Any,
    confidence_level: float,
    min_count: int,
) -> Compliance:
    """Judge one feature."""
    absent = [] if known is None else _absent(counts, known)
    small = [label for label, n in zip(counts.labels, counts.n, strict=True) if 0 < n < min_count]
    # A value that rests on a small group would give its counts away.
    options = (metric, reference_group, confidence_level)
    found = metric_of(counts.keep(counts.n >= min_count), *options)
    truth = None
    if known is not None:
        truth = metric_of(known.keep(known.n >= min_count), *options).value
    unjudged = [f"no rows of group {join_names(absent)}"] if absent else []
    if small:
        unjudged.append(f"fewer than {min_count} rows in group {join_names(small)}")
    if found.value < threshold:
        # Groups that cannot be judged could only move the worst comparison further down.
        verdict = "fail"
        reason = "the value is below the threshold" + (
            ", though the interval reaches above it" if found.high >= threshold else ""
        )
        reason = "; ".join([reason, *unjudged])
    elif unjudged:
        verdict, reason = "inconclusive", "; ".join(unjudged)
    elif found.value != found.value:
        verdict, reason = "inconclusive", found.note or "the metric is not defined"
    elif found.low >= threshold:
        verdict, reason = "pass", "the lower limit reaches the threshold"
    else:
        verdict = "inconclusive"
        reason = "the value reaches the threshold, the lower limit does not"
    return Compliance(
        feature=counts.feature,
        verdict=verdict,
        reason=reason,
        value=found.value,
        low=found.low,
        high=found.high,
        group=found.group,
        reference=found.reference,
        reference_value=truth,
    )


def _absent(counts: GroupCounts, known: GroupCounts) -> list[str]:
    present = {str(label) for label in counts.labels}
    return [
        str(label)
        for label, n in zip(known.labels, known.n, strict=True)
        if n > 0 and str(label) not in present
    ]


def metric_of(
    counts: GroupCounts, metric: str, reference_group: Any, confidence_level: float
) -> Metric:
    """Compute a metric of METRICS with its interval."""
    rows = METRICS[metric][0]
    if rows == "positive" and not counts.has_outcome:
        raise InputError(f"metric {metric!r} needs the true outcome; name its column as label.")
    options = {"reference": reference_group, "confidence_level": confidence_level}
    if metric == "true_positive_rate_ratio":
        positive = replace(counts, counts=np.ascontiguousarray(counts.counts[:, 1:, :]))
        return replace(disparate_impact(positive, **options), name=metric)
    function = {
        "disparate_impact": disparate_impact,
        "demographic_parity_difference": demographic_parity_difference,
        "equal_opportunity_difference": equal_opportunity_difference,
    }[metric]
    return function(counts, **options)
