"""Section on columns: which shifted, in which environment, by how much."""

from typing import TYPE_CHECKING, Any

from shiftlab._core.progress import Progress
from shiftlab._core.results import to_plain
from shiftlab.reporting._options import CORRECTIONS, ReportOptions
from shiftlab.reporting._prepare import Prepared
from shiftlab.reporting._sections import Section, figure_to_svg, number_text, percent_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["shifts_section"]

#: Columns drawn as small multiples.
N_DRAWN = 6


def shifts_section(
    prepared: Prepared, reference: Any, settings: ReportOptions, progress: Progress = False
) -> Section:
    """Test and measure the shift of every column in every environment.

    Parameters
    ----------
    prepared : Prepared
        The table as understood.
    reference : label or None
        Environment to compare with; None compares each environment with all other rows.
    settings : ReportOptions
        Options of the report.
    progress : bool or callable, default False
        Who is told about finished steps.

    Returns
    -------
    Section
    """
    from shiftlab.divergence import column_shifts

    result = column_shifts(
        prepared.table.select(prepared.compared),
        prepared.environment,
        reference=reference,
        correction=settings.correction,
        confidence_level=settings.confidence_level,
        alpha=settings.alpha,
        random_state=settings.random_state,
        n_jobs=settings.n_jobs,
        progress=progress,
    )
    tests, ranked = result.to_frame(), result.columns_ranked()
    roles = {note.name: note.role for note in prepared.columns}
    data = {
        "environment": prepared.environment.name,
        "reference": None if reference is None else str(reference),
        "correction": settings.correction,
        "correction_name": CORRECTIONS[settings.correction],
        "alpha": settings.alpha,
        "confidence_level": settings.confidence_level,
        "n_tests": int(tests["pvalue"].notna().sum()),
        "n_shifted": int(tests["shifted"].sum()),
        "columns": _records(ranked, roles),
        "tests": _records(tests, roles),
        "notes": list(result.notes),
    }
    figures = {"top": figure_to_svg(lambda: result.plot(top=N_DRAWN))} if len(ranked) else {}
    return Section("shifts", "Which columns shifted", to_plain(data), _findings(data), figures)


def _records(frame: "pd.DataFrame", roles: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    return [
        row | {"environment": str(row["environment"]), "role": roles[row["column"]]} for row in rows
    ]


def _findings(data: dict[str, Any]) -> tuple[str, ...]:
    if not data["n_tests"]:
        return ("No environment has rows enough to test whether a column shifted.",)
    against = (
        f"environment {data['reference']}" if data["reference"] is not None else "all other rows"
    )
    top = data["tests"][0]
    findings = [
        f"{data['n_shifted']:,} of {data['n_tests']:,} tests of one column in one environment "
        f"against {against} are significant (level {data['alpha']:g}, adjusted by "
        f"{data['correction_name']}). With many rows even a trifling shift is significant: go by "
        "the effect."
    ]
    if data["n_shifted"]:
        what = "missing cells of " if top["test"] == "missing cells" else ""
        findings.append(
            f"The largest shift is that of {what}{top['column']} in {top['environment']}: effect "
            f"{number_text(top['effect'], 2)} (interval {number_text(top['effect_low'], 2)} to "
            f"{number_text(top['effect_high'], 2)}), that is, {percent_text(top['effect'])} of "
            "the rows would have to change for the difference to vanish."
        )
    return tuple(findings)
