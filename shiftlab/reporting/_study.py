"""The page of a study: what was simulated, the disparities found, and how sure they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from shiftlab._core.results import to_plain
from shiftlab.exceptions import InputError
from shiftlab.explanation import DisparityStudyResult
from shiftlab.reporting._document import Document
from shiftlab.reporting._options import Source
from shiftlab.reporting._provenance import provenance_section
from shiftlab.reporting._sections import Section, figure_to_svg, number_text

__all__ = ["StudyReport", "study_report"]

#: Gaps that the page shows, with their column of the summary.
SHOWN = ("signed_gap", "mean_gap", "null_gap")
NORMAL_QUANTILE = 1.96


@dataclass(frozen=True, repr=False)
class StudyReport(Document):
    """A finished report of a study of explanation disparities.

    Attributes
    ----------
    sections : tuple of Section
        In reading order; each carries its data, findings and figures.

    Examples
    --------
    >>> from shiftlab.explanation import ConceptShiftWorld, ExplanationDisparityStudy
    >>> from shiftlab.reporting import study_report
    >>> world = ConceptShiftWorld(n_train=300, n_test=60)
    >>> study = ExplanationDisparityStudy(world, n_replicates=2, random_state=0)
    >>> list(study_report(study.run()).to_dict())
    ['schema', 'study', 'study_gaps', 'provenance', 'findings']
    """

    schema: ClassVar[str] = "shiftlab.study_report/1"
    heading: ClassVar[str] = "Are explanations equally faithful?"


def study_report(result: DisparityStudyResult, *, source: Source | None = None) -> StudyReport:
    """Write up a study of explanation disparities as a page and a document.

    Parameters
    ----------
    result : DisparityStudyResult
        A study with at least one finished cell.
    source : Source, optional
        File, hash and command for the provenance.

    Returns
    -------
    StudyReport

    Raises
    ------
    InputError
        If nothing is finished.

    Examples
    --------
    >>> from shiftlab.explanation import ConceptShiftWorld, ExplanationDisparityStudy
    >>> from shiftlab.reporting import study_report
    >>> world = ConceptShiftWorld(n_train=300, n_test=60)
    >>> study = ExplanationDisparityStudy(world, n_replicates=2, random_state=0)
    >>> study_report(study.run()).to_dict()["study"]["n_done"]
    2
    """
    if result.study.n_done == 0:
        raise InputError("The study has no finished cell to report; run it first.")
    started = datetime.now(UTC)
    provenance = provenance_section(
        source=to_plain(source or Source(name=result.protocol.name)),
        options={"seed": result.protocol.seed, "metrics": list(result.protocol.metrics)},
        rows={"read": len(result.to_frame()), "used": len(result.to_frame()), "set_aside": []},
        started=started,
        seconds={"cells": float(result.study.timings["seconds"].sum())},
    )
    return StudyReport((_design_section(result), _disparity_section(result), provenance))


def _design_section(result: DisparityStudyResult) -> Section:
    protocol, study = result.protocol, result.study
    rows = result.to_frame()
    errors = result.errors()
    data = {
        "name": protocol.name,
        "n_cells": study.n_cells,
        "n_done": study.n_done,
        "n_failed": study.n_failed,
        "n_pending": study.n_pending,
        "worlds": [
            {"label": label, "kind": type(world).__name__, "equations": world.equations()}
            for label, world in protocol.worlds.items()
        ],
        "levels": {n: [str(v) for v in dict.fromkeys(rows[n])] for n in protocol.knobs},
        "models": protocol.models,
        "explainers": protocol.explainers,
        "metrics": list(protocol.metrics),
        "seed": protocol.seed,
        "errors": errors.groupby(["error", "message"])
        .size()
        .reset_index(name="n")
        .to_dict("records"),
    }
    findings = []
    if study.n_failed or study.n_pending:
        findings.append(
            f"Of {number_text(study.n_cells)} cells, {number_text(study.n_failed)} failed and "
            f"{number_text(study.n_pending)} have not been run; numbers rest on the others."
        )
    return Section("study", "Study", to_plain(data), tuple(findings))


def _disparity_section(result: DisparityStudyResult) -> Section:
    table = result.summary([*SHOWN, *result.groups])
    table = table[table["statistic"] == "mean"]
    labels = [*result.factors, "metric"]
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in table.to_dict("records"):
        key = tuple(row[name] for name in labels)
        line = lines.setdefault(
            key, {"scenario": [str(v) for v in key[:-1]], "metric": key[-1], "n_replicates": 0}
        )
        line["n_replicates"] = max(line["n_replicates"], int(row["n_replicates"]))
        line[row["measure"]] = {"value": row["value"], "mcse": row["mcse"]}
    rows = list(lines.values())
    data = {"factors": list(result.factors), "groups": result.groups, "rows": rows}
    figures = {"panels": figure_to_svg(lambda: result.plot()[0])}
    figures["nested"] = figure_to_svg(lambda: result.plot_nested(_order(result)))
    return Section("study_gaps", "Disparities", to_plain(data), _findings(result, rows), figures)


def _order(result: DisparityStudyResult) -> list[str]:
    rows = result.to_frame()
    varied = [n for n in result.protocol.knobs if rows[n].map(str).nunique() > 1]
    return varied or [result.factors[0]]


def _findings(result: DisparityStudyResult, rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Say for each metric where the gap is largest and how many gaps are beyond chance."""
    sentences = []
    for metric in result.protocol.metrics:
        own = [r for r in rows if r["metric"] == metric and _known(r["signed_gap"]["value"])]
        if not own:
            sentences.append(f"{metric}: not defined in any scenario.")
            continue
        beyond = [r for r in own if _is_beyond(r["signed_gap"])]
        worst = max(own, key=lambda r: abs(r["signed_gap"]["value"]))
        gap = worst["signed_gap"]
        named = [
            f"{name} = {level}"
            for name, level in zip(result.factors, worst["scenario"], strict=True)
        ]
        sentences.append(
            f"{metric}: the signed gap is largest, {gap['value']:+.4f} (Monte-Carlo standard error "
            f"{number_text(gap['mcse'], 2)}), with {', '.join(named)}; in {len(beyond)} of "
            f"{len(own)} scenarios it is more than 1.96 standard errors from 0."
        )
    return tuple(sentences)


def _known(value: float | None) -> bool:
    return value is not None and value == value


def _is_beyond(gap: dict[str, float]) -> bool:
    return _known(gap["mcse"]) and abs(gap["value"]) > NORMAL_QUANTILE * gap["mcse"]
