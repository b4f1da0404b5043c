"""The page of a fair model in domains that evolve: its worth, for whom, and how far ahead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from shiftlab._core.results import to_plain
from shiftlab.generalization import (
    CounterfactualBounds,
    CounterfactualEffects,
    DomainForecast,
    GeneralizationEvaluation,
    LatentTrajectories,
)
from shiftlab.reporting._document import Document
from shiftlab.reporting._options import Source
from shiftlab.reporting._provenance import provenance_section
from shiftlab.reporting._sections import Section, figure_to_svg

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GeneralizationReport", "generalization_report"]

#: A model that gains less than this on the constant predictor is called useless.
LEAST_GAIN = 0.01


@dataclass(frozen=True, repr=False)
class GeneralizationReport(Document):
    """A finished report of a fair model in later domains.

    Attributes
    ----------
    sections : tuple of Section
        In reading order; each carries its data, findings and figures.

    Examples
    --------
    >>> from shiftlab.generalization import CounterfactuallyFairClassifier
    >>> from shiftlab.generalization import evaluate_generalization
    >>> from shiftlab.reporting import generalization_report
    >>> from shiftlab.simulation import make_drifting_credit
    >>> source, target = make_drifting_credit(n_domains=8, random_state=0).split(2)
    >>> model = CounterfactuallyFairClassifier(drift="trend")
    >>> model = model.fit(source.X, source.y, source.sensitive_features, source.environment)
    >>> found = evaluate_generalization(
    ...     model, target.X, target.y, target.sensitive_features, target.environment
    ... )
    >>> [section.key for section in generalization_report(found).sections]
    ['fair_domains', 'provenance']
    """

    schema: ClassVar[str] = "shiftlab.generalization_report/1"
    heading: ClassVar[str] = "Right and fair in later domains?"
    stem: ClassVar[str] = "generalization"
    optional: ClassVar[tuple[str, ...]] = ("fair_effects", "fair_forecast")


def generalization_report(
    evaluation: GeneralizationEvaluation,
    *,
    effects: CounterfactualEffects | None = None,
    bounds: CounterfactualBounds | None = None,
    forecast: DomainForecast | None = None,
    trajectories: LatentTrajectories | None = None,
    warnings: Sequence[str] = (),
    options: dict[str, Any] | None = None,
    source: Source | None = None,
) -> GeneralizationReport:
    """Write up the evaluation of a fair model as a page and a document.

    Parameters
    ----------
    evaluation : GeneralizationEvaluation
        Accuracy and fairness in each domain, of one or more models.
    effects : CounterfactualEffects, optional
        Estimated effects of the attribute on the scores.
    bounds : CounterfactualBounds, optional
        What margins alone allow; shown beside the effects.
    forecast : DomainForecast, optional
        Means of the features at the times judged.
    trajectories : LatentTrajectories, optional
        Paths of the domain parameters.
    warnings : sequence of str, default ()
        What the model warned of.
    options : dict, optional
        Options of the model, for the provenance.
    source : Source, optional
        File, hash and command for the provenance.

    Returns
    -------
    GeneralizationReport

    Raises
    ------
    InputError
        If a figure cannot be drawn.

    Examples
    --------
    >>> from shiftlab.generalization import CounterfactuallyFairClassifier
    >>> from shiftlab.generalization import evaluate_generalization
    >>> from shiftlab.reporting import generalization_report
    >>> from shiftlab.simulation import make_drifting_credit
    >>> source, target = make_drifting_credit(n_domains=8, random_state=0).split(2)
    >>> model = CounterfactuallyFairClassifier(drift="trend")
    >>> model = model.fit(source.X, source.y, source.sensitive_features, source.environment)
    >>> found = evaluate_generalization(
    ...     model, target.X, target.y, target.sensitive_features, target.environment
    ... )
    >>> generalization_report(found).findings[0].startswith("CounterfactuallyFairClassifier")
    True
    """
    started = datetime.now(UTC)
    summary = evaluation.summary()
    sections = [_domain_section(evaluation, summary, effects, warnings)]
    if effects is not None or bounds is not None:
        sections.append(_effect_section(effects, bounds))
    if forecast is not None or trajectories is not None:
        sections.append(_forecast_section(forecast, trajectories))
    n_rows = int(summary["n_rows"].max())
    provenance = provenance_section(
        source=to_plain(source or Source(name="evaluation")),
        options=options or {},
        rows={"read": n_rows, "used": n_rows, "set_aside": []},
        started=started,
        seconds={},
    )
    return GeneralizationReport((*sections, provenance))


def _domain_section(
    evaluation: GeneralizationEvaluation,
    summary: "pd.DataFrame",
    effects: CounterfactualEffects | None,
    warnings: Sequence[str],
) -> Section:
    estimated = {} if effects is None else {d["domain"]: d["unfairness"] for d in effects.domains}
    rows = [
        {**row, "estimated": estimated.get(row["domain"]), "domain": f"{row['domain']:g}"}
        for row in evaluation.rows
    ]
    data: dict[str, Any] = {
        "exact": evaluation.exact,
        "has_estimate": bool(estimated),
        "one_model": len(summary) == 1,
        "summary": _records(summary),
        "rows": rows,
        "warnings": list(warnings),
    }
    figures = {"frontier": figure_to_svg(evaluation.plot)}
    findings = [_verdict(row) for row in data["summary"]] + list(warnings)
    title = "Accuracy and fairness in each domain"
    return Section("fair_domains", title, to_plain(data), tuple(findings), figures)


def _verdict(row: dict[str, Any]) -> str:
    text = (
        f"{row['model']}: accuracy {row['accuracy']:.3f}, {row['gain']:+.3f} beside the constant "
        f"predictor; demographic parity difference {row['demographic_parity']:.3f}"
    )
    if row["unfairness"] is not None and row["unfairness"] == row["unfairness"]:
        text += f", exact counterfactual unfairness {row['unfairness']:.3f}"
    if row["gain"] < LEAST_GAIN:
        text += ". It hardly predicts, so that its fairness says nothing"
    return text + "."


def _effect_section(
    effects: CounterfactualEffects | None, bounds: CounterfactualBounds | None
) -> Section:
    figures, findings = {}, []
    data: dict[str, Any] = {"effects": None, "bounds": None}
    if effects is not None:
        data["effects"] = effects.to_dict() | {"pairs_table": _records(effects.to_frame())}
        figures["effects"] = figure_to_svg(effects.plot)
        findings.append(
            f"In another group the score would move by {effects.unfairness:.3f} on average "
            f"({effects.low:.3f} to {effects.high:.3f}), as far as the effects read from these "
            "rows are the true ones."
        )
    if bounds is not None:
        data["bounds"] = bounds.to_dict()
        figures["bounds"] = figure_to_svg(bounds.plot)
        low, high = bounds.of("score")
        findings.append(
            f"Whatever the mechanism, if the groups are alike but for the attribute, the score "
            f"moves by {low:.3f} to {high:.3f}."
        )
    title = "What the attribute does to scores"
    return Section("fair_effects", title, to_plain(data), tuple(findings), figures)


def _forecast_section(
    forecast: DomainForecast | None, trajectories: LatentTrajectories | None
) -> Section:
    figures, findings = {}, []
    data: dict[str, Any] = {"forecast": None, "trajectories": None, "unsupported": []}
    if trajectories is not None:
        data["trajectories"] = trajectories.to_dict()
        figures["trajectories"] = figure_to_svg(trajectories.plot)
    if forecast is not None:
        data["forecast"] = forecast.to_dict()
        figures["forecast"] = figure_to_svg(forecast.plot)
        lost = sorted({str(r["feature"]) for r in forecast.rows if not r["supported"]})
        data["unsupported"] = lost
        if lost:
            findings.append(
                f"The drift model does not support {len(lost)} feature(s) at the times judged: "
                f"{', '.join(lost[:8])}."
            )
    title = "How domain parameters move"
    return Section("fair_forecast", title, to_plain(data), tuple(findings), figures)


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    return [{str(k): to_plain(v) for k, v in row.items()} for row in frame.to_dict("records")]
