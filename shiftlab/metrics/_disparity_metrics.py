"""Disparities of decisions alone: ratio and difference of selection rates."""

from typing import Any, Unpack

from shiftlab.metrics._disparity import disparity
from shiftlab.metrics._inference import Inference, InferenceOptions
from shiftlab.metrics._metric import Metric
from shiftlab.metrics._rate_metrics import read_counts

__all__ = ["demographic_parity_difference", "disparate_impact"]


def disparate_impact(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    reference: Any = "highest",
    **inference: Unpack[InferenceOptions],
) -> Metric:
    """Ratio of selection rates between groups (impact ratio).

    The four-fifths rule calls a ratio below 0.8 evidence of adverse impact.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows of each group.
    pos_label : object, optional
        The favourable value; 1 by default.
    reference : {"highest", "lowest", "rest"} or group label, default "highest"
        What each group is divided by: the group with the highest rate (the metric is the lowest
        ratio, at most 1), the one with the lowest (the highest ratio, at least 1), all other
        groups together, or a named group (the lowest ratio, which may exceed 1). For several
        features a named group is a tuple of labels.
    **inference
        `confidence_level` (0.95), `method` ("score", "katz" or "bootstrap"), and for the bootstrap
        `n_resamples` (9999) and `random_state`.

    Returns
    -------
    Metric
        `value` is the most extreme comparison, `by_group` has each group against the reference;
        `orientation` says what is divided by what.

    Raises
    ------
    InputError
        If labels are missing, lengths differ, the reference is unknown, or an option is.

    Notes
    -----
    0/0 is NaN with a note; a positive rate over 0 is infinite. With more than two groups the
    interval is simultaneous over the comparisons, at least as wide as nominal; "bootstrap" is
    narrower, but it describes the spread of the estimate and misses the truth where groups are
    nearly equal. A bootstrap replicate draws the decisions of each group given its size.

    References
    ----------
    Equal Employment Opportunity Commission (1978). Uniform guidelines on employee selection
    procedures, 29 CFR 1607.4(D).

    Examples
    --------
    >>> from shiftlab.metrics import disparate_impact
    >>> metric = disparate_impact([1, 0, 1, 1, 1, 0], ["a", "a", "b", "b", "b", "b"])
    >>> print(round(metric.value, 3), metric.orientation)
    0.667 selection_rate(a) / selection_rate(b)
    """
    counts = read_counts(
        y_pred, sensitive_features, sample_weight=sample_weight, pos_label=pos_label
    )
    return disparity(
        counts, ("selection_rate",), "ratio", "disparate_impact", reference, Inference(**inference)
    )


def demographic_parity_difference(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    reference: Any = "highest",
    **inference: Unpack[InferenceOptions],
) -> Metric:
    """Difference of selection rates between groups.

    Group minus reference: negative where the group is selected less often.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows of each group.
    pos_label : object, optional
        The favourable value; 1 by default.
    reference : {"highest", "lowest", "rest"} or group label, default "highest"
        What is subtracted from each group: the group with the highest rate (the metric is the
        lowest difference, at most 0), the one with the lowest (the highest difference, at least
        0), all other groups together, or a named group (the lowest difference, of either sign).
        For several features a named group is a tuple of labels.
    **inference
        `confidence_level` (0.95), `method` ("newcombe" or "bootstrap"), and for the bootstrap
        `n_resamples` (9999) and `random_state`.

    Returns
    -------
    Metric
        `value` is the most extreme comparison, `by_group` has each group against the reference;
        `orientation` says what is subtracted from what.

    Raises
    ------
    InputError
        If labels are missing, lengths differ, the reference is unknown, or an option is.

    Notes
    -----
    Groups without rows to take a rate over are left out and named in `note`. With more than two
    groups the interval is simultaneous over the comparisons, at least as wide as nominal;
    "bootstrap" is narrower, but it describes the spread of the estimate and misses the truth where
    groups are nearly equal.

    Examples
    --------
    >>> from shiftlab.metrics import demographic_parity_difference
    >>> metric = demographic_parity_difference([1, 0, 1, 1, 1, 0], ["a", "a", "b", "b", "b", "b"])
    >>> metric.value, metric.group, metric.reference
    (-0.25, 'a', 'b')
    """
    counts = read_counts(
        y_pred, sensitive_features, sample_weight=sample_weight, pos_label=pos_label
    )
    return disparity(
        counts,
        ("selection_rate",),
        "difference",
        "demographic_parity_difference",
        reference,
        Inference(**inference),
    )
