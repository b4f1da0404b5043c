"""Rates of the groups: selection, true and false positives, accuracy, precision."""

from typing import Any

import numpy as np

from shiftlab._core.validation import check_option
from shiftlab.exceptions import InputError
from shiftlab.metrics._counts import GroupCounts
from shiftlab.metrics._intervals import RATE_METHODS, rate_interval
from shiftlab.metrics._metric import GroupEstimate, Metric
from shiftlab.metrics._rates import rate_sums

__all__ = [
    "accuracy",
    "false_positive_rate",
    "precision",
    "read_counts",
    "selection_rate",
    "true_positive_rate",
]


def read_counts(
    y_pred: Any, sensitive_features: Any, y_true: Any = None, **rows: Any
) -> GroupCounts:
    """Take counts as they are and count rows otherwise.

    Raises
    ------
    InputError
        If counts come together with rows, or rows without sensitive features.
    """
    if isinstance(y_pred, GroupCounts):
        given = {"sensitive_features": sensitive_features, "y_true": y_true, **rows}
        extra = sorted(name for name, value in given.items() if value is not None)
        if extra:
            raise InputError(
                f"{', '.join(extra)}: the first argument already holds counts; "
                "pass either counts alone or rows."
            )
        return y_pred
    if sensitive_features is None:
        raise InputError(
            "sensitive_features is needed with rows; or pass a GroupCounts as the first argument."
        )
    return GroupCounts.from_rows(y_pred, sensitive_features, y_true=y_true, **rows)


def selection_rate(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Metric:
    """Share of favourable decisions, overall and by group.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows.
    pos_label : object, optional
        The favourable value; 1 by default.
    confidence_level : float, default 0.95
        Coverage that the interval aims at.
    method : {"wilson", "clopper-pearson"}, default "wilson"
        Interval of one proportion, see `rate_interval`.

    Returns
    -------
    Metric
        `value` is the rate over all groups, `by_group` holds the rate of each.

    Raises
    ------
    InputError
        If labels are missing, lengths differ, or there is no outcome where it is needed.

    Examples
    --------
    >>> from shiftlab.metrics import selection_rate
    >>> rate = selection_rate([1, 0, 1, 1], ["a", "a", "b", "b"])
    >>> rate.value, [part.value for part in rate.by_group]
    (0.75, [0.5, 1.0])
    """
    counts = read_counts(
        y_pred, sensitive_features, sample_weight=sample_weight, pos_label=pos_label
    )
    return _rate_metric(counts, "selection_rate", confidence_level, method)


def true_positive_rate(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Metric:
    """Share of favourable decisions among rows whose true outcome is favourable.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows.
    pos_label : object, optional
        The favourable value; 1 by default.
    confidence_level : float, default 0.95
        Coverage that the interval aims at.
    method : {"wilson", "clopper-pearson"}, default "wilson"
        Interval of one proportion, see `rate_interval`.

    Returns
    -------
    Metric
        `value` is the rate over all groups, `by_group` holds the rate of each.

    Raises
    ------
    InputError
        If labels are missing, lengths differ, or there is no outcome where it is needed.

    Examples
    --------
    >>> from shiftlab.metrics import true_positive_rate
    >>> rate = true_positive_rate([1, 0, 1, 1], ["a", "a", "b", "b"], y_true=[1, 1, 1, 0])
    >>> [part.value for part in rate.by_group]
    [0.5, 1.0]
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return _rate_metric(counts, "true_positive_rate", confidence_level, method)


def false_positive_rate(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Metric:
    """Share of favourable decisions among rows whose true outcome is unfavourable.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows.
    pos_label : object, optional
        The favourable value; 1 by default.
    confidence_level : float, default 0.95
        Coverage that the interval aims at.
    method : {"wilson", "clopper-pearson"}, default "wilson"
        Interval of one proportion, see `rate_interval`.

    Returns
    -------
    Metric
        `value` is the rate over all groups, `by_group` holds the rate of each.

    Raises
    ------
    InputError
        If labels are missing, lengths differ, or there is no outcome where it is needed.

    Examples
    --------
    >>> from shiftlab.metrics import false_positive_rate
    >>> rate = false_positive_rate([1, 0, 1, 1], ["a", "a", "b", "b"], y_true=[0, 0, 1, 0])
    >>> [part.value for part in rate.by_group]
    [0.5, 1.0]
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return _rate_metric(counts, "false_positive_rate", confidence_level, method)


def accuracy(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Metric:
    """Share of rows whose decision equals the true outcome.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows.
    pos_label : object, optional
        The favourable value; 1 by default.
    confidence_level : float, default 0.95
        Coverage that the interval aims at.
    method : {"wilson", "clopper-pearson"}, default "wilson"
        Interval of one proportion, see `rate_interval`.

    Returns
    -------
    Metric
        `value` is the rate over all groups, `by_group` holds the rate of each.

    Raises
    ------
    InputError
        If labels are missing, lengths differ, or there is no outcome where it is needed.

    Examples
    --------
    >>> from shiftlab.metrics import accuracy
    >>> rate = accuracy([1, 0, 1, 1], ["a", "a", "b", "b"], y_true=[1, 1, 1, 1])
    >>> [part.value for part in rate.by_group]
    [0.5, 1.0]
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return _rate_metric(counts, "accuracy", confidence_level, method)


def precision(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Metric:
    """Share of true favourable outcomes among rows with a favourable decision.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping, optional
        Needed with rows. Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes; needed with rows.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; the interval uses the effective number of rows.
    pos_label : object, optional
        The favourable value; 1 by default.
    confidence_level : float, default 0.95
        Coverage that the interval aims at.
    method : {"wilson", "clopper-pearson"}, default "wilson"
        Interval of one proportion, see `rate_interval`.

    Returns
    -------
    Metric
        `value` is the rate over all groups, `by_group` holds the rate of each.

    Raises
    ------
    InputError
        If labels are missing, lengths differ, or there is no outcome where it is needed.

    Examples
    --------
    >>> from shiftlab.metrics import precision
    >>> rate = precision([1, 1, 1, 1], ["a", "a", "b", "b"], y_true=[1, 0, 1, 1])
    >>> [part.value for part in rate.by_group]
    [0.5, 1.0]
    """
    counts = read_counts(
        y_pred, sensitive_features, y_true, sample_weight=sample_weight, pos_label=pos_label
    )
    return _rate_metric(counts, "precision", confidence_level, method)


def _rate_metric(counts: GroupCounts, rate: str, confidence_level: float, method: str) -> Metric:
    check_option(method, RATE_METHODS, "method")
    sums = rate_sums(counts, rate)
    total = sums.total()
    low, high = rate_interval(*sums.effective(), confidence_level=confidence_level, method=method)
    bottom, top = rate_interval(
        *total.effective(), confidence_level=confidence_level, method=method
    )
    rates, value = sums.rate, float(total.rate[0])
    return Metric(
        name=rate,
        feature=counts.feature,
        value=value,
        low=float(bottom[0]),
        high=float(top[0]),
        confidence_level=confidence_level,
        method=method,
        orientation="over all groups",
        group=None,
        reference=None,
        n=int(total.rows[0]),
        by_group=tuple(
            GroupEstimate(label, float(rates[i]), float(low[i]), float(high[i]), int(sums.rows[i]))
            for i, label in enumerate(counts.labels)
        ),
        note="0/0: there are no rows to take the rate over" if np.isnan(value) else "",
    )
