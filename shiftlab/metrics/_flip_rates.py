"""How often a new version of a model takes back what the old one got right, by group."""

from dataclasses import replace
from typing import Any

import numpy as np

from shiftlab.metrics._metric import Metric
from shiftlab.metrics._rate_metrics import selection_rate
from shiftlab.metrics._rows import read_binary

__all__ = ["negative_flip_rate"]


def negative_flip_rate(
    y_old: Any,
    y_new: Any,
    sensitive_features: Any,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Metric:
    """Share of rows that a new model version gets wrong though the old one was right, by group.

    Two versions of the same accuracy can still disagree about many persons. Without true outcomes
    the share of favourable decisions that are withdrawn is returned.

    Parameters
    ----------
    y_old, y_new : array of shape (n_rows,)
        Decisions of the old and of the new version: 0/1, booleans, or any two values with
        `pos_label`.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or mapping
        Several features define groups by their combinations.
    y_true : array of shape (n_rows,), optional
        True outcomes, coded like the decisions. With them a negative flip is a right decision that
        becomes wrong, without them a favourable one that becomes unfavourable; the share is of all
        rows.
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
        If labels are missing, lengths differ, or decisions do not have two values.

    References
    ----------
    Yan et al. (2021), Positive-congruent training: towards regression-free model updates, CVPR.

    Examples
    --------
    >>> from shiftlab.metrics import negative_flip_rate
    >>> rate = negative_flip_rate([1, 1, 0, 1], [0, 1, 1, 1], ["a", "a", "b", "b"])
    >>> rate.value, [part.value for part in rate.by_group]
    (0.25, [0.5, 0.0])
    """
    old = read_binary(y_old, "y_old", pos_label)
    new = read_binary(y_new, "y_new", pos_label, len(old))
    if y_true is None:
        flipped = (old == 1) & (new == 0)
        meaning = "share of rows whose favourable decision is withdrawn"
    else:
        truth = read_binary(y_true, "y_true", pos_label, len(old))
        flipped = (old == truth) & (new != truth)
        meaning = "share of rows decided rightly by the old version and wrongly by the new one"
    found = selection_rate(
        np.asarray(flipped).astype(np.uint8),
        sensitive_features,
        sample_weight=sample_weight,
        confidence_level=confidence_level,
        method=method,
    )
    return replace(found, name="negative_flip_rate", orientation=meaning)
