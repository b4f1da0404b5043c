"""Flips of the decision with the group, beyond those that happen within a group anyway."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
from scipy.stats import norm

from shiftlab._core.checks import check_fraction, check_integer, check_length, check_option
from shiftlab._core.frames import Table, as_table
from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import check_sensitive_features
from shiftlab.auditing._boundary_models import decide
from shiftlab.auditing._boundary_tables import as_frame, keep_columns, take
from shiftlab.auditing._entropic_rows import Decisions, read_decisions
from shiftlab.auditing._flip_audit_result import FlipAudit, FlipComparison
from shiftlab.auditing._flip_audit_terms import (
    Pairs,
    baseline_pairs,
    excess,
    neighbour_pairs,
    transport_pairs,
)
from shiftlab.auditing._wasserstein_coordinates import Coordinates, read_coordinates
from shiftlab.divergence._adjustment import adjust_pvalues
from shiftlab.exceptions import InputError

__all__ = ["flip_audit"]

METHODS = ("neighbour", "transport", "structural")
KINDS = ("any", "up", "down")
#: Groups with fewer rows have no baseline to speak of.
_FEWEST = 10


def flip_audit(
    y_pred: Any,
    sensitive_features: Any,
    X: Any,
    *,
    method: str = "neighbour",
    model: Any = None,
    structural_model: Any = None,
    n_baseline: int = 1,
    max_rows: int = 4000,
    confidence_level: float = 0.95,
    scale: str = "standard",
    pos_label: Any = None,
    random_state: RandomState = None,
) -> FlipAudit:
    """Compare flips of the decision between groups with flips within a group at equal distance.

    A counterpart in another group differs from a person in more than the group, and decisions
    differ between any two persons. A flip rate therefore says little by itself; what counts is its
    excess over the rate among rows of the same group that are just as far away.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or None
        Decisions; None asks the `model`.
    sensitive_features : str, sequence of str or array of shape (n_rows,) or (n_rows, k)
        A column of `X` may be named; it then is no coordinate.
    X : table of shape (n_rows, d)
        What makes persons alike.
    method : {"neighbour", "transport", "structural"}, default "neighbour"
        The counterpart of a person: the nearest row of the other group ("the same person"), the
        row that optimal transport between the groups sends it to ("the same rank"), or what the
        person would have been by a structural model.
    model : object, optional
        What decides; needed for structural counterparts and without `y_pred`.
    structural_model : object, optional
        A `shiftlab.simulation.StructuralModel`, or any object with ``counterfactual(rows, {feature:
        group})``; the sensitive feature must be a named column of `X`.
    n_baseline : int, default 1
        Rows of the same group that make the baseline of each person. More of them are less noisy,
        and less exactly as far away as the counterpart.
    max_rows : int, default 4000
        Larger groups are sampled at random, for transport only.
    confidence_level : float, default 0.95
        Coverage of each interval.
    scale : {"standard", "none"}, default "standard"
        Whether numeric columns are divided by their standard deviation.
    pos_label : object, optional
        The favourable decision; 1 by default.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the sampling of large groups.

    Returns
    -------
    FlipAudit

    Raises
    ------
    InputError
        If arguments do not fit together, a cell is missing, or a group has fewer than 10 rows.

    Notes
    -----
    The standard error accounts for rows that take part in several comparisons. Persons without a
    near counterpart are not set aside; look at the distances. No excess does not prove fairness: a
    decision may use what differs between the groups, and no counterpart then is near.

    References
    ----------
    Kusner et al. (2017), Counterfactual fairness. Black, Yeom, Fredrikson (2020), FlipTest:
    fairness testing via optimal transport. Fafchamps and Gubert (2007), for the variance over pairs
    that share a member.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.auditing import flip_audit
    >>> rng = np.random.default_rng(0)
    >>> skill, group = rng.normal(size=400), np.repeat(["a", "b"], 200)
    >>> hired = (skill + (group == "a") > 0.5).astype(int)
    >>> audit = flip_audit(hired, group, {"skill": skill})
    >>> [bool(c.low > 0) for c in audit.comparisons if c.kind == "any"]
    [True, True]
    """
    check_option(method, METHODS, "method")
    level = check_fraction(confidence_level, "confidence_level")
    k = check_integer(n_baseline, "n_baseline")
    check_integer(max_rows, "max_rows", minimum=_FEWEST)
    X = as_frame(X)
    table = as_table(X)
    features, used = check_sensitive_features(sensitive_features, table)
    _check_structural(method, model, structural_model, used)
    asked = _Asked(X, table, model, pos_label, tuple(used))
    chosen = asked.decide(X) if y_pred is None else y_pred
    check_length(chosen, len(table), "y_pred")
    decisions = read_decisions(chosen, features, pos_label=None if y_pred is None else pos_label)
    coordinates = read_coordinates(table, len(table), scale=scale, leave_out=used)
    groups = _members(decisions, method, max_rows, as_generator(random_state))
    comparisons = []
    for a, b in permutations(range(len(groups)), 2):
        if method == "structural":
            cross = _structural_pairs(
                asked, structural_model, groups[a], decisions.groups[b], coordinates
            )
        else:
            pair = neighbour_pairs if method == "neighbour" else transport_pairs
            cross = pair(coordinates.points, groups[a], groups[b], _selected(decisions))
        comparisons += _compare(decisions, coordinates, (a, b), groups[a], cross, k, level)
    return FlipAudit(
        comparisons=_adjusted(comparisons),
        method=method,
        feature=" / ".join(decisions.features),
        confidence_level=level,
        n_rows=sum(map(len, groups)),
        note=_note(groups, decisions),
    )


class _Asked:
    """The model and the columns it is asked with."""

    def __init__(
        self, X: Any, table: Table, model: Any, pos_label: Any, used: tuple[str, ...]
    ) -> None:
        self.X, self.names, self.used = X, table.names, used
        self.model, self.pos_label = model, pos_label
        known = getattr(model, "feature_names_in_", None)
        self.columns = [n for n in self.names if n not in used] if known is None else list(known)

    def decide(self, rows: Any) -> np.ndarray:
        if self.model is None:
            raise InputError("Pass the decisions as y_pred, or a model that makes them.")
        given = keep_columns(rows, self.names, self.columns)
        return decide(self.model, given, self.pos_label).astype(int)


def _check_structural(method: str, model: Any, structural_model: Any, used: list[str]) -> None:
    if (method == "structural") != (structural_model is not None):
        raise InputError("structural_model and method='structural' belong together.")
    if method == "structural" and (model is None or len(used) != 1):
        raise InputError(
            "method='structural' needs the model that decides, and one sensitive feature named as "
            "a column of X."
        )


def _selected(decisions: Decisions) -> np.ndarray:
    return np.asarray(decisions.selected)


def _members(
    decisions: Decisions, method: str, max_rows: int, rng: np.random.Generator
) -> list[np.ndarray]:
    groups = []
    for code, label in enumerate(decisions.groups):
        rows = np.flatnonzero(np.asarray(decisions.codes) == code)
        if len(rows) < _FEWEST:
            raise InputError(
                f"The group {label!r} has {len(rows)} rows; a baseline within the group needs at "
                f"least {_FEWEST}. Merge groups, or leave it out."
            )
        if method == "transport" and len(rows) > max_rows:
            rows = np.sort(rng.choice(rows, max_rows, replace=False))
        groups.append(rows)
    return groups


def _structural_pairs(
    asked: _Asked, structural_model: Any, rows: np.ndarray, group: Any, coordinates: Coordinates
) -> Pairs:
    """Pair each row with itself as it would have been in the other group."""
    own = take(asked.X, rows)
    other = structural_model.counterfactual(own, {asked.used[0]: group})
    other = keep_columns(other, [str(name) for name in other.columns], asked.names)
    distance = _change(as_table(own), as_table(other), coordinates)
    weight = np.full(len(rows), 1.0 / len(rows))
    return Pairs(rows, np.full(len(rows), -1), weight, distance, asked.decide(other))


def _change(own: Table, other: Table, coordinates: Coordinates) -> np.ndarray:
    """Return how far rows are from their counterfactuals, in the metric of the coordinates."""
    squared = np.zeros(len(own))
    for position in np.unique(coordinates.owner):
        before, after = own.columns[position], other.columns[position]
        if before.is_number:
            scale = coordinates.scale[coordinates.owner == position][0]
            squared += ((after.values - before.values) / scale) ** 2
        else:
            squared += before.labels() != after.labels()
    return np.asarray(np.sqrt(squared))


def _compare(
    decisions: Decisions,
    coordinates: Coordinates,
    pair: tuple[int, int],
    rows: np.ndarray,
    cross: Pairs,
    k: int,
    level: float,
) -> list[FlipComparison]:
    selected = _selected(decisions)
    base = baseline_pairs(coordinates.points, rows, cross, selected, k)
    width = float(norm.ppf((1 + level) / 2))
    found = []
    for kind in KINDS:
        rate, baseline, error = excess(cross, base, selected, kind)
        gap = rate - baseline
        pvalue = float(2 * norm.sf(abs(gap) / error)) if error > 0 else 1.0
        found.append(
            FlipComparison(
                group=decisions.groups[pair[0]],
                other=decisions.groups[pair[1]],
                kind=kind,
                rate=rate,
                baseline=baseline,
                excess=gap,
                low=max(gap - width * error, -1.0),
                high=min(gap + width * error, 1.0),
                pvalue=pvalue,
                pvalue_adjusted=pvalue,
                distance=cross.mean_distance(),
                baseline_distance=base.mean_distance(),
                n=len(rows),
            )
        )
    return found


def _adjusted(comparisons: list[FlipComparison]) -> tuple[FlipComparison, ...]:
    pvalues = adjust_pvalues(np.array([c.pvalue for c in comparisons]), "holm")
    return tuple(
        replace(c, pvalue_adjusted=float(p)) for c, p in zip(comparisons, pvalues, strict=True)
    )


def _note(groups: list[np.ndarray], decisions: Decisions) -> str:
    n_used, n_rows = sum(map(len, groups)), len(_selected(decisions))
    return f"{n_used} of {n_rows} rows, drawn at random." if n_used < n_rows else ""
