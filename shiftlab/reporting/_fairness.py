"""Section on decisions: selection rates and fairness measures by group and environment."""

from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.frames import Column
from shiftlab._core.results import to_plain
from shiftlab._core.validation import check_binary
from shiftlab.exceptions import InputError
from shiftlab.reporting._fairness_figure import draw_fairness
from shiftlab.reporting._options import ReportOptions
from shiftlab.reporting._prepare import Prepared
from shiftlab.reporting._sections import Section, figure_to_svg, number_text

__all__ = ["FOUR_FIFTHS", "fairness_section"]

#: Selection-rate ratio below which United States guidelines see evidence of adverse impact.
FOUR_FIFTHS = 0.8
POOLED = "pooled"


def fairness_section(prepared: Prepared, settings: ReportOptions) -> Section:
    """Compare the decisions on groups of the sensitive features.

    Parameters
    ----------
    prepared : Prepared
        The table as understood; with an outcome of two values error rates are compared too.
    settings : ReportOptions
        Options of the report.

    Returns
    -------
    Section

    Raises
    ------
    InputError
        If no sensitive feature was named, or the decision does not have two values.
    """
    from shiftlab.metrics import group_fairness

    if not prepared.sensitive:
        raise InputError(
            "decision: name at least one sensitive feature to compare decisions by "
            "(--sensitive on the command line)."
        )
    assert prepared.decision is not None  # noqa: S101 - the caller asks only then
    decision, pos_label = check_binary(
        prepared.table[prepared.decision], prepared.decision, pos_label=settings.pos_label
    )
    outcome, outcome_note = _binary_outcome(prepared, settings)
    rows = np.arange(len(decision)) if outcome is None else np.flatnonzero(~outcome.missing)
    result = group_fairness(
        decision[rows].astype(np.uint8),
        [_take(labels, rows) for labels in prepared.sensitive],
        y_true=None if outcome is None else outcome.values[rows].astype(np.uint8),
        environment=_take(prepared.environment, rows),
        confidence_level=settings.confidence_level,
        min_count=settings.min_count,
        random_state=settings.random_state,
    )
    n_aside = len(decision) - len(rows)
    data = {
        "decision": prepared.decision,
        "pos_label": str(pos_label),
        "outcome": None if outcome is None else prepared.outcome,
        "outcome_note": outcome_note,
        "features": [labels.name for labels in prepared.sensitive],
        "confidence_level": settings.confidence_level,
        "min_count": settings.min_count,
        "four_fifths": FOUR_FIFTHS,
        "n_rows": len(rows),
        **_tables(result.to_dict()),
        "rows_set_aside": (
            [{"n": n_aside, "reason": f"{prepared.outcome} is missing"}] if n_aside else []
        ),
    }
    figures = {"disparate_impact": figure_to_svg(lambda: draw_fairness(data))}
    return Section("fairness", "Decisions: for whom", to_plain(data), _findings(data), figures)


def _take(labels: Any, rows: np.ndarray) -> Any:
    """Restrict labels to rows; categories that no longer occur are left out."""
    from shiftlab._core.validation import Labels

    present, codes = np.unique(labels.codes[rows], return_inverse=True)
    categories = tuple(labels.categories[i] for i in present)
    return Labels(labels.name, codes.astype(np.int32), categories)


def _binary_outcome(prepared: Prepared, settings: ReportOptions) -> tuple[Column | None, str]:
    """Return the outcome as a 0/1 column that may have missing cells, or say why not."""
    if prepared.outcome is None:
        return None, ""
    column = prepared.table[prepared.outcome]
    observed = ~column.missing
    try:
        positive, _ = check_binary(
            column.take(observed), prepared.outcome, pos_label=settings.outcome_pos_label
        )
    except InputError as error:
        if settings.outcome_pos_label is not None:
            raise
        note = str(error).replace("pos_label", "outcome_pos_label")
        return None, f"Error rates are left out: {note}"
    values = np.full(len(observed), -1, dtype=np.int32)
    values[observed] = positive
    return Column(column.name, "boolean", values, (False, True)), ""


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
            lowest = min(inside, key=lambda row: row["value"])
            text += f"; lowest in {lowest['environment']}: {_ratio(lowest)}"
        findings.append(text + ".")
    return tuple(findings)


def _ratio(row: dict[str, Any]) -> str:
    return (
        f"selection rate of {row['group']} is {number_text(row['value'], 2)} times that of "
        f"{row['reference']} (interval {number_text(row['low'], 2)} to "
        f"{number_text(row['high'], 2)})"
    )
