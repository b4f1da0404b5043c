"""Disparities of decisions given the true outcome."""

from typing import Any, Unpack

from shiftlab.metrics._disparity import disparity
from shiftlab.metrics._inference import Inference, InferenceOptions
from shiftlab.metrics._metric import Metric
from shiftlab.metrics._rate_metrics import read_counts

__all__ = [
    "accuracy_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "false_positive_rate_difference",
]


def equal_opportunity_difference(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    reference: Any = "highest",
    **inference: Unpack[InferenceOptions],
) -> Metric:
    """Difference of true positive rates between groups.

    Group minus reference: negative where deserving members of the group are passed over more often.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
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
    >>> from shiftlab.metrics import equal_opportunity_difference
    >>> groups = ["a", "a", "b", "b"]
    >>> metric = equal_opportunity_difference([1, 0, 1, 1], groups, y_true=[1, 1, 1, 1])
    >>> metric.value, metric.group, metric.reference
    (-0.5, 'a', 'b')
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return disparity(
        counts,
        ("true_positive_rate",),
        "difference",
        "equal_opportunity_difference",
        reference,
        Inference(**inference),
    )


def false_positive_rate_difference(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    reference: Any = "highest",
    **inference: Unpack[InferenceOptions],
) -> Metric:
    """Difference of false positive rates between groups.

    Group minus reference.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
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
    >>> from shiftlab.metrics import false_positive_rate_difference
    >>> groups = ["a", "a", "b", "b"]
    >>> metric = false_positive_rate_difference([1, 0, 1, 1], groups, y_true=[0, 0, 0, 0])
    >>> metric.value, metric.group, metric.reference
    (-0.5, 'a', 'b')
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return disparity(
        counts,
        ("false_positive_rate",),
        "difference",
        "false_positive_rate_difference",
        reference,
        Inference(**inference),
    )


def accuracy_difference(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    reference: Any = "highest",
    **inference: Unpack[InferenceOptions],
) -> Metric:
    """Difference of accuracies between groups.

    Group minus reference.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
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
    >>> from shiftlab.metrics import accuracy_difference
    >>> groups = ["a", "a", "b", "b"]
    >>> metric = accuracy_difference([1, 0, 1, 1], groups, y_true=[1, 1, 1, 1])
    >>> metric.value, metric.group, metric.reference
    (-0.5, 'a', 'b')
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return disparity(
        counts,
        ("accuracy",),
        "difference",
        "accuracy_difference",
        reference,
        Inference(**inference),
    )


def equalized_odds_difference(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    reference: Any = "highest",
    **inference: Unpack[InferenceOptions],
) -> Metric:
    """Largest gap in true or false positive rates between groups.

    The larger of the two gaps, each taken without sign.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows of each group.
    pos_label : object, optional
        The favourable value; 1 by default.
    reference : {"highest", "lowest", "rest"} or group label, default "highest"
        What each group is compared with: with "highest" or "lowest" the metric is the largest gap
        between any two groups (by group: to the group with the highest or lowest rate), with
        "rest" or a named group the largest gap to that.
    **inference
        `confidence_level` (0.95), `method` ("newcombe" or "bootstrap"), and for the bootstrap
        `n_resamples` (9999) and `random_state`.

    Returns
    -------
    Metric
        `value` is the largest gap, never negative; `by_group` has the larger gap of each group.

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
    >>> from shiftlab.metrics import equalized_odds_difference
    >>> groups = ["a", "a", "a", "b", "b", "b"]
    >>> metric = equalized_odds_difference([1, 0, 0, 1, 1, 0], groups, y_true=[1, 1, 0, 1, 1, 0])
    >>> metric.value, metric.orientation
    (0.5, '|true_positive_rate(b) - true_positive_rate(a)|')
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return disparity(
        counts,
        ("true_positive_rate", "false_positive_rate"),
        "difference",
        "equalized_odds_difference",
        reference,
        Inference(**inference),
    )
