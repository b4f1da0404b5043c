"""Section on decisions: selection rates and fairness measures by group and environment."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.names import missing_column_message
from shiftlab._core.results import to_plain
from shiftlab._core.validation import Labels, check_binary
from shiftlab.exceptions import InputError
from shiftlab.reporting._fairness_figure import draw_fairness
from shiftlab.reporting._options import ReportOptions
from shiftlab.reporting._prepare import Prepared
from shiftlab.reporting._sections import Section, figure_to_svg, number_text

__all__ = ["FOUR_FIFTHS", "Decisions", "fairness_section", "read_decisions"]

#: Selection-rate ratio below which United States guidelines see evidence of adverse impact.
FOUR_FIFTHS = 0.8
POOLED = "pooled"


@dataclass(frozen=True)
class Decisions:
    """Decisions and outcomes as 0 and 1, checked before any long computation starts.

    Attributes
    ----------
    decision : ndarray of uint8, shape (n_rows,)
        1 is favourable.
    pos_label : object
        The value that counts as favourable.
    outcome : ndarray of int8, shape (n_rows,), or None
        1 is positive, -1 missing; None if there is no outcome of two values.
    outcome_pos_label : object
        The value that counts as positive.
    outcome_note : str
        Why there is none; may be empty.
    reference_group : dict of str to object
        For some features, the group that the others are compared with.
    """

    decision: np.ndarray
    pos_label: Any
    outcome: np.ndarray | None
    outcome_pos_label: Any
    outcome_note: str
    reference_group: dict[str, Any]


def read_decisions(prepared: Prepared, settings: ReportOptions) -> Decisions:
    """Read the decision and, where it has two values, the outcome.

    Parameters
    ----------
    prepared : Prepared
        The table as understood.
    settings : ReportOptions
        Options of the report.

    Returns
    -------
    Decisions

    Raises
    ------
    InputError
        If no sensitive feature was named, or the decision does not have two values.
    """
    assert prepared.decision is not None  # noqa: S101 - the caller asks only then
    if not prepared.sensitive:
        raise InputError(
            "decision: name at least one sensitive feature to compare decisions by "
            "(--sensitive on the command line)."
        )
    decision, pos_label = check_binary(
        prepared.table[prepared.decision], prepared.decision, pos_label=settings.pos_label
    )
    reference = _reference_groups(prepared, settings)
    outcome, outcome_pos_label, note = _binary_outcome(prepared, settings)
    return Decisions(
        decision.astype(np.uint8), pos_label, outcome, outcome_pos_label, note, reference
    )


def _reference_groups(prepared: Prepared, settings: ReportOptions) -> dict[str, Any]:
    features = {labels.name: labels for labels in prepared.sensitive}
    for name in settings.reference_group:
        if name not in features:
            raise InputError(missing_column_message(name, list(features), "reference_group"))
    return {
        name: features[name].categories[features[name].index(group, "reference_group")]
        for name, group in settings.reference_group.items()
    }


def fairness_section(prepared: Prepared, decisions: Decisions, settings: ReportOptions) -> Section:
    """Compare the decisions on groups of the sensitive features.

    Parameters
    ----------
    prepared : Prepared
        The table as understood.
    decisions : Decisions
        Decisions and outcomes; with outcomes, error rates are compared too.
    settings : ReportOptions
        Options of the report.

    Returns
    -------
    Section
    """
    from shiftlab.metrics import group_fairness

    outcome = decisions.outcome
    n_rows = prepared.table.n_rows
    rows = np.arange(n_rows) if outcome is None else np.flatnonzero(outcome >= 0)
    result = group_fairness(
        decisions.decision[rows],
        [_take(labels, rows) for labels in prepared.sensitive],
        y_true=None if outcome is None else outcome[rows].astype(np.uint8),
        environment=_take(prepared.environment, rows),
        reference=decisions.reference_group or "highest",
        confidence_level=settings.confidence_level,
        min_count=settings.min_count,
        random_state=settings.random_state,
    )
    aside = {"n": n_rows - len(rows), "reason": f"{prepared.outcome} is missing"}
    data = {
        "decision": prepared.decision,
        "pos_label": str(decisions.pos_label),
        "outcome": None if outcome is None else prepared.outcome,
        "outcome_pos_label": None if outcome is None else str(decisions.outcome_pos_label),
        "outcome_note": decisions.outcome_note,
        "reference_group": {str(k): str(v) for k, v in decisions.reference_group.items()},
        "features": [labels.name for labels in prepared.sensitive],
        "confidence_level": settings.confidence_level,
        "min_count": settings.min_count,
        "four_fifths": FOUR_FIFTHS,
        "n_rows": len(rows),
        **_tables(result.to_dict()),
        "rows_set_aside": [aside] if aside["n"] else [],
    }
    figures = {"disparate_impact": figure_to_svg(lambda: draw_fairness(data))}
    return Section("fairness", "Decisions: for whom", to_plain(data), _findings(data), figures)


def _take(labels: Labels, rows: np.ndarray) -> Labels:
    """Restrict labels to rows; categories that no longer occur are left out."""
    present, codes = np.unique(labels.codes[rows], return_inverse=True)
    categories = tuple(labels.categories[i] for i in present)
    return Labels(labels.name, codes.astype(np.int32), categories)


def _binary_outcome(
    prepared: Prepared, settings: ReportOptions
) -> tuple[np.ndarray | None, Any, str]:
    """Return the outcome as 0, 1 and -1 (missing) with its positive label, or why there is none."""
    if prepared.outcome is None:
        return None, None, ""
    column = prepared.table[prepared.outcome]
    observed = ~column.missing
    try:
        positive, pos_label = check_binary(
            column.take(observed), prepared.outcome, pos_label=settings.outcome_pos_label
        )
    except InputError as error:
        if settings.outcome_pos_label is not None:
            raise
        note = str(error).replace("pos_label", "outcome_pos_label")
        return None, None, f"Error rates are left out: {note}"
    values = np.full(len(observed), -1, dtype=np.int8)
    values[observed] = positive
    return values, pos_label, ""


def _tables(result: dict[str, Any]) -> dict[str, Any]:
    def text(row: dict[str, Any]) -> dict[str, Any]:
        labels = ("environment", "group", "reference")
        return row | {k: str(row[k]) for k in labels if row.get(k) is not None}

    return {key: [text(row) for row in result[key]] for key in ("groups", "metrics")}


def _findings(data: dict[str, Any]) -> tuple[str, ...]:
    findings = []
    for feature in data["features"]:
        ratios = [
            row
            for row in data["metrics"]
            if row["feature"] == feature and row["metric"] == "disparate_impact"
            if row["value"] is not None
        ]
        pooled = [row for row in ratios if row["environment"] == POOLED]
        inside = [row for row in ratios if row["environment"] != POOLED]
        if not pooled:
            continue
        text = f"Decisions ({data['decision']}) by {feature}: {_ratio(pooled[0])} over all rows"
        if inside:
            # By the upper limit: the ratio that is certainly low, not the one of fewest rows.
            lowest = min(inside, key=lambda row: row["high"])
            text += (
                f"; lowest, out of {len(inside)} environments, in {lowest['environment']}: "
                f"{_ratio(lowest)}"
            )
        findings.append(text + ".")
    return tuple(findings)


def _ratio(row: dict[str, Any]) -> str:
    return (
        f"selection rate of {row['group']} is {number_text(row['value'], 2)} times that of "
        f"{row['reference']} (interval {number_text(row['low'], 2)} to "
        f"{number_text(row['high'], 2)})"
    )
