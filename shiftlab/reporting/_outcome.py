"""Section on the outcome: covariate shift against concept shift, risk in an unseen environment."""

from typing import TYPE_CHECKING, Any

from shiftlab._core.progress import Progress
from shiftlab._core.results import to_plain
from shiftlab.reporting._options import ReportOptions
from shiftlab.reporting._prepare import Prepared
from shiftlab.reporting._sections import Section, figure_to_svg, number_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shiftlab.divergence import ShiftDecomposition

__all__ = ["outcome_section"]


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
    from shiftlab.divergence import shift_decomposition

    assert prepared.outcome is not None  # noqa: S101 - the caller asks only then
    table = prepared.table.select([*prepared.covariates, prepared.outcome])
    result = shift_decomposition(
        table,
        prepared.outcome,
        prepared.environment,
        reference=reference,
        max_rows=settings.max_rows,
        confidence_level=settings.confidence_level,
        random_state=settings.random_state,
        n_jobs=settings.n_jobs,
        progress=progress,
    )
    rows = result.to_frame().to_dict("records")
    data = {
        "outcome": result.outcome,
        "task": result.task,
        "loss": result.loss,
        "reference": None if reference is None else str(reference),
        "confidence_level": result.confidence_level,
        "loss_constant": result.loss_constant,
        "n_used": result.n_used,
        "notes": list(result.notes),
        "environments": [row | {"environment": str(row["environment"])} for row in rows],
        "rows_set_aside": _set_aside(result),
    }
    figures = {"parts": figure_to_svg(lambda: _draw(result))}
    return Section(
        "outcome", "Outcome: covariate or concept shift?", to_plain(data), _findings(data), figures
    )


def _set_aside(result: "ShiftDecomposition") -> list[dict[str, Any]]:
    if not result.n_without_outcome:
        return []
    return [{"n": result.n_without_outcome, "reason": f"{result.outcome} is missing"}]


def _draw(result: "ShiftDecomposition") -> "Figure":
    from matplotlib import pyplot as plt

    n_shown = min(len(result.environments), 25)
    figure, ax = plt.subplots(figsize=(8.5, 1.6 + 0.32 * n_shown))
    result.plot(ax=ax)
    return figure


def _findings(data: dict[str, Any]) -> tuple[str, ...]:
    """Say where a model from elsewhere loses most, and why."""
    known = [r for r in data["environments"] if r["total"] is not None and r["total"] == r["total"]]
    if not known:
        return (
            f"No environment has rows enough to split the loss in predicting {data['outcome']}.",
        )
    worst = max(known, key=lambda row: row["total"])
    where = "the reference" if data["reference"] is not None else "the other environments"
    if worst["total_low"] <= 0:
        return (
            f"Predicting {data['outcome']}: a model trained on {where} loses nowhere clearly more "
            "than at home.",
        )
    covariate = worst["covariate_home"] + worst["covariate_here"]
    return (
        f"Predicting {data['outcome']}: a model trained on {where} does worst in "
        f"{worst['environment']} ({data['loss']} {number_text(worst['loss_here'])} there, "
        f"{number_text(worst['loss_home'])} at home). Of the difference "
        f"{_part(covariate)} comes from covariates that are distributed differently and "
        f"{_part(worst['concept'])} from another relation of the outcome to them.",
    )


def _part(value: float) -> str:
    return "–" if value != value else f"{'+' if value >= 0 else '−'}{number_text(abs(value))}"
