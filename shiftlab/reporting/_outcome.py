"""Section on the outcome: covariate shift against concept shift, risk in an unseen environment."""

import math
from typing import TYPE_CHECKING, Any

from shiftlab._core.progress import Progress
from shiftlab._core.results import to_plain
from shiftlab.exceptions import DegenerateDataError
from shiftlab.reporting._options import ReportOptions
from shiftlab.reporting._prepare import Prepared
from shiftlab.reporting._sections import Section, figure_to_svg, number_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shiftlab.divergence import ShiftDecomposition

__all__ = ["outcome_section"]

TITLE = "Outcome: covariate or concept shift?"
#: A loss below this share of the best constant's suggests that a column gives the outcome away.
LEAK = 0.05
LOSSES = {
    "regression": "unexplained share of the variance",
    "classification": "Brier score",
}


def outcome_section(
    prepared: Prepared, reference: Any, settings: ReportOptions, progress: Progress = False
) -> Section:
    """Decompose the loss of a model trained elsewhere.

    Parameters
    ----------
    prepared : Prepared
        The table as understood.
    reference : label or None
        Environment the model is trained on; None trains on all others.
    settings : ReportOptions
        Options of the report.
    progress : bool or callable, default False
        Who is told about finished steps.

    Returns
    -------
    Section
    """
    try:
        result = _decompose(prepared, reference, settings, progress)
    except DegenerateDataError as error:
        # Too few rows for this section is no reason to withhold the others.
        reason = str(error)
        empty: dict[str, Any] = {
            "outcome": prepared.outcome,
            "skipped": reason,
            "rows_set_aside": [],
        }
        finding = f"The section on the outcome is empty: {reason}"
        return Section("outcome", TITLE, to_plain(empty), (finding,))
    data = _describe(result, reference)
    figures = {"parts": figure_to_svg(lambda: _draw(result, data["scale"]))}
    findings = (*_findings(data), *_warnings(data))
    return Section("outcome", TITLE, to_plain(data), findings, figures)


def _decompose(
    prepared: Prepared, reference: Any, settings: ReportOptions, progress: Progress
) -> "ShiftDecomposition":
    from shiftlab.divergence import shift_decomposition

    assert prepared.outcome is not None  # noqa: S101 - the section is asked for only then
    return shift_decomposition(
        prepared.table.select([*prepared.covariates, prepared.outcome]),
        prepared.environment,
        outcome=prepared.outcome,
        reference=reference,
        max_rows=settings.max_rows,
        confidence_level=settings.confidence_level,
        random_state=settings.random_state,
        n_jobs=settings.n_jobs,
        progress=progress,
    )


def _describe(result: "ShiftDecomposition", reference: Any) -> dict[str, Any]:
    # A squared error means little by itself; as a share of the variance it speaks for any outcome.
    scale = "share" if result.task == "regression" else "loss"
    rows: list[dict[Any, Any]] = result.to_frame(scale=scale).to_dict("records")
    return {
        "outcome": result.outcome,
        "skipped": "",
        "task": result.task,
        "loss": LOSSES[result.task],
        "scale": scale,
        "reference": None if reference is None else str(reference),
        "confidence_level": result.confidence_level,
        "loss_constant": result.loss_constant,
        "n_used": result.n_used,
        "n_split": sum(not math.isnan(row["concept"]) for row in rows),
        "notes": list(result.notes),
        "environments": [row | {"environment": str(row["environment"])} for row in rows],
        "rows_set_aside": _set_aside(result),
    }


def _set_aside(result: "ShiftDecomposition") -> list[dict[str, Any]]:
    if not result.n_without_outcome:
        return []
    return [{"n": result.n_without_outcome, "reason": f"{result.outcome} is missing"}]


def _draw(result: "ShiftDecomposition", scale: str) -> "Figure":
    from matplotlib import pyplot as plt

    n_shown = min(len(result.environments), 25)
    figure, ax = plt.subplots(figsize=(8.5, 1.6 + 0.32 * n_shown))
    result.plot(ax=ax, scale=scale)
    return figure


def _findings(data: dict[str, Any]) -> tuple[str, ...]:
    """Say where a model from elsewhere loses most, and why."""
    known = [row for row in data["environments"] if not math.isnan(row["total"])]
    if not known:
        return (
            f"No environment has rows enough to split the loss in predicting {data['outcome']}.",
        )
    # By the lower limit: where the loss is certainly larger, not where few rows make it noisy.
    worst = max(known, key=lambda row: row["total_low"])
    where = "the reference" if data["reference"] is not None else "the other environments"
    if worst["total_low"] <= 0:
        return (
            f"Predicting {data['outcome']}: a model trained on {where} loses nowhere clearly more "
            "than at home.",
        )
    text = (
        f"Predicting {data['outcome']}: a model trained on {where} does worst in "
        f"{worst['environment']}: {data['loss']} {number_text(worst['loss_here'], 2)} there, "
        f"{number_text(worst['loss_home'], 2)} at home"
    )
    if math.isnan(worst["concept"]):
        return (f"{text}. Why cannot be said ({worst['note']}).",)
    covariate = worst["covariate_home"] + worst["covariate_here"]
    return (
        f"{text}. Of the difference {_part(covariate)} comes from covariates that are distributed "
        f"differently and {_part(worst['concept'])} from another relation of the outcome to them.",
    )


def _warnings(data: dict[str, Any]) -> list[str]:
    """Say what stands in the way of reading the section: leaks, and environments left out."""
    warnings = []
    rows = data["environments"]
    homes = [row["loss_home"] for row in rows if not math.isnan(row["loss_home"])]
    constant = 1.0 if data["scale"] == "share" else data["loss_constant"]
    if homes and min(homes) < LEAK * constant:
        warnings.append(
            f"The other columns almost determine {data['outcome']}. If some of them are part of it "
            "or are known only afterwards, leave them out (--exclude on the command line)."
        )
    if data["n_split"] < len(rows):
        warnings.append(
            f"For {len(rows) - data['n_split']} of {len(rows)} environments the loss could not be "
            "split: too few rows or too little overlap (see the remarks in the table)."
        )
    return warnings


def _part(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{number_text(abs(value), 2)}"
