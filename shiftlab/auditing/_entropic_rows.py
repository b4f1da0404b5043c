"""Decisions by group, from rows or from counts, as every projection reads them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.validation import (
    check_binary,
    check_length,
    check_sensitive_features,
    check_weights,
    combine_labels,
)
from shiftlab.exceptions import DegenerateDataError, InputError
from shiftlab.metrics import GroupCounts

__all__ = ["Decisions", "check_target", "read_decisions"]


@dataclass(frozen=True, eq=False)
class Decisions:
    """Decisions of groups of persons.

    `mass` holds the share of each cell (group, outcome if known, decision); `codes`, `selected`,
    `outcomes` and `weights` are those of the rows, or None if counts were given.
    """

    features: tuple[str, ...]
    groups: tuple[Any, ...]
    mass: np.ndarray
    codes: np.ndarray | None = None
    selected: np.ndarray | None = None
    outcomes: np.ndarray | None = None
    weights: np.ndarray | None = None

    @property
    def has_outcome(self) -> bool:
        """Whether true outcomes are known."""
        return self.mass.shape[1] == 2

    @property
    def rates(self) -> np.ndarray:
        """Selection rate of each group."""
        by_decision = self.mass.sum(axis=1)
        return np.asarray(by_decision[:, 1] / by_decision.sum(axis=1))

    def cell_of_row(self) -> np.ndarray:
        """Return the flat index of each row's cell."""
        if self.codes is None or self.selected is None:
            raise InputError("Rows are needed here, counts were given.")
        outcomes = 0 if self.outcomes is None else self.outcomes
        return np.asarray((self.codes * self.mass.shape[1] + outcomes) * 2 + self.selected)


def read_decisions(
    y_pred: Any,
    sensitive_features: Any,
    *,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
) -> Decisions:
    """Read decisions of at least two groups.

    Raises
    ------
    InputError
        If lengths differ, labels are missing, counts come together with rows, or there is one
        group only.
    DegenerateDataError
        If a group has no rows, or no decision at all is favourable.
    """
    if isinstance(y_pred, GroupCounts):
        decisions = _from_counts(y_pred, sensitive_features, y_true, sample_weight, pos_label)
    else:
        decisions = _from_rows(y_pred, sensitive_features, y_true, sample_weight, pos_label)
    if len(decisions.groups) < 2:
        raise InputError(
            f"sensitive_features: {join_names(decisions.features)} has one group only; "
            "a comparison needs at least two."
        )
    empty = [g for g, m in zip(decisions.groups, decisions.mass, strict=True) if m.sum() <= 0]
    if empty:
        raise DegenerateDataError(
            f"The group(s) {join_names(empty)} have no rows (or no weight). Leave them out."
        )
    if decisions.mass[:, :, 1].sum() <= 0:
        raise DegenerateDataError(
            "No decision is favourable, so rates cannot be compared (0/0). Check pos_label."
        )
    return decisions


def check_target(target: Any) -> float:
    """Read the wanted ratio of selection rates.

    Raises
    ------
    InputError
        If it is no number above 0 and at most 1.
    """
    is_number = isinstance(target, (int, float, np.number)) and not isinstance(target, bool)
    if not is_number or not 0 < target <= 1:
        raise InputError(
            f"target must be a number above 0 and at most 1 (lowest rate / highest rate), "
            f"found {target!r}."
        )
    return float(target)


def _from_counts(counts: GroupCounts, *rows: Any) -> Decisions:
    if any(value is not None for value in rows):
        raise InputError(
            "The first argument already holds counts; pass either counts alone or rows."
        )
    table = counts.counts if counts.weights is None else counts.weights
    table = table.astype(np.float64)
    return Decisions(counts.names, counts.labels, table / table.sum())


def _from_rows(
    y_pred: Any, sensitive_features: Any, y_true: Any, sample_weight: Any, pos_label: Any
) -> Decisions:
    if sensitive_features is None:
        raise InputError(
            "sensitive_features is needed with rows; or pass a GroupCounts as the first argument."
        )
    selected = check_binary(y_pred, "y_pred", pos_label=pos_label)[0].astype(np.intp)
    if len(selected) == 0:
        raise InputError("y_pred has no rows.")
    features, _ = check_sensitive_features(sensitive_features, n_rows=len(selected))
    labels = combine_labels(features)
    outcomes = None
    if y_true is not None:
        outcomes = check_binary(y_true, "y_true", pos_label=pos_label)[0].astype(np.intp)
        check_length(outcomes, len(selected), "y_true")
    weights = check_weights(sample_weight, len(selected))
    n_outcomes = 1 if outcomes is None else 2
    shape = (len(labels), n_outcomes, 2)
    codes = labels.codes.astype(np.intp)
    flat = (codes * n_outcomes + (0 if outcomes is None else outcomes)) * 2 + selected
    mass = np.bincount(flat, weights=weights, minlength=int(np.prod(shape))).astype(np.float64)
    return Decisions(
        tuple(feature.name for feature in features),
        labels.categories,
        (mass / mass.sum()).reshape(shape),
        codes,
        selected,
        outcomes,
        weights,
    )
