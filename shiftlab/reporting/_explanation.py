"""The page of an audit of explanations: for whom they say less about the model, and why."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from shiftlab._core.results import to_plain
from shiftlab.explanation import (
    DisparityComparison,
    Explanation,
    ExplanationDisparity,
    GapDecomposition,
    GapSplit,
)
from shiftlab.reporting._document import Document
from shiftlab.reporting._options import Source
from shiftlab.reporting._provenance import provenance_section
from shiftlab.reporting._sections import Section, figure_to_svg, number_text, pvalue_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExplanationReport", "explanation_report"]

LABELS = {
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "accuracy": "agreement of labels",
    "auroc": "AUROC",
    "signed": "mean signed error",
    "r2": "R2",
}

SOURCES = {
    "sampling": "noise of the draws",
    "width": "width of the neighbourhood",
    "family": "the surrogate being a line",
}


@dataclass(frozen=True, repr=False)
class ExplanationReport(Document):
    """A finished audit of explanations.

    Attributes
    ----------
    sections : tuple of Section
        In reading order; each carries its data, findings and figures.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer, explanation_disparity
    >>> from shiftlab.reporting import explanation_report
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> explainer = LimeExplainer(n_samples=100, random_state=0).fit(X)
    >>> explanation = explainer.explain(lambda X: X[:, 0] ** 2, X)
    >>> found = explanation_disparity(explanation, X[:, 1] > 0, metrics=["mae"], random_state=0)
    >>> report = explanation_report(found, explanation=explanation)
    >>> [section.key for section in report.sections]
    ['explanation_audit', 'explanation_gaps', 'provenance']
    """

    schema: ClassVar[str] = "shiftlab.explanation_report/1"
    heading: ClassVar[str] = "Are explanations equally faithful?"
    stem: ClassVar[str] = "explanation"
    optional: ClassVar[tuple[str, ...]] = (
        "explanation_mitigations",
        "explanation_split",
        "explanation_sources",
    )


def explanation_report(
    disparity: ExplanationDisparity,
    *,
    explanation: Explanation | None = None,
    comparison: DisparityComparison | None = None,
    split: GapSplit | None = None,
    decomposition: GapDecomposition | None = None,
    model: str = "",
    options: dict[str, Any] | None = None,
    source: Source | None = None,
) -> ExplanationReport:
    """Write up an audit of explanations as a page and a document.

    Parameters
    ----------
    disparity : ExplanationDisparity
        Gaps with their inference.
    explanation : Explanation, optional
        The explanations, for a picture of the important features.
    comparison : DisparityComparison, optional
        Mitigations or sizes of the neighbourhood.
    split : GapSplit, optional
        Composition and rest of the gaps.
    decomposition : GapDecomposition, optional
        What in the explainer makes the gaps.
    model : str, default ""
        What the black box is, in words.
    options : dict, optional
        Options of the audit, for the provenance.
    source : Source, optional
        File, hash and command for the provenance.

    Returns
    -------
    ExplanationReport

    Raises
    ------
    InputError
        If a result does not fit the others.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer, explanation_disparity
    >>> from shiftlab.reporting import explanation_report
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> explainer = LimeExplainer(n_samples=100, random_state=0).fit(X)
    >>> explanation = explainer.explain(lambda X: X[:, 0] ** 2, X)
    >>> found = explanation_disparity(explanation, X[:, 1] > 0, metrics=["mae"], random_state=0)
    >>> explanation_report(found).to_dict()["explanation_gaps"]["groups"][0]["metric"]
    'mae'
    """
    n_rows = int(disparity.groups["n"].max())
    sections = [_audit_section(disparity, explanation, model), _gap_section(disparity)]
    if comparison is not None:
        sections.append(_mitigation_section(comparison))
    if split is not None:
        sections.append(_split_section(split))
    if decomposition is not None:
        sections.append(_source_section(decomposition))
    provenance = provenance_section(
        source=to_plain(source or Source(name="explanations")),
        options=options or {},
        rows={"read": n_rows, "used": n_rows, "set_aside": []},
        started=datetime.now(UTC),
        seconds={},
    )
    return ExplanationReport((*sections, provenance))


def _audit_section(
    disparity: ExplanationDisparity, explanation: Explanation | None, model: str
) -> Section:
    everybody = disparity.groups[[group is None for group in disparity.groups["group"]]]
    data: dict[str, Any] = {
        "model": model,
        "method": disparity.method,
        "features": list(explanation.names) if explanation is not None else [],
        "n_rows": int(disparity.groups["n"].max()),
        "sensitive": disparity.name,
        "n_groups": len(disparity.groups) // len(everybody) - 1,
        "n_blocks": disparity.n_blocks,
        "overall": [
            {"metric": metric, "label": LABELS.get(metric, metric), "value": value}
            for metric, value in zip(map(str, everybody["metric"]), everybody["value"], strict=True)
        ],
    }
    figures = {}
    if explanation is not None:
        figures["importance"] = figure_to_svg(explanation.plot)
    return Section("explanation_audit", "What was explained", to_plain(data), (), figures)


def _gap_section(disparity: ExplanationDisparity) -> Section:
    metrics = [str(metric) for metric in disparity.groups["metric"].unique()]
    data = {
        "groups": _records(disparity.groups),
        "pairs": _records(disparity.pairs),
        "gaps": _records(disparity.gaps),
        "confidence_level": disparity.confidence_level,
        "adjust": disparity.adjust,
        "n_resamples": disparity.n_resamples,
        "labels": LABELS,
        "metrics": metrics,
        "has_margin": bool(disparity.pairs["margin"].notna().any()),
    }
    figures = {metric: figure_to_svg(partial(disparity.plot, metric=metric)) for metric in metrics}
    return Section(
        "explanation_gaps", "For whom", to_plain(data), tuple(_findings(disparity)), figures
    )


def _findings(disparity: ExplanationDisparity) -> list[str]:
    """Say for each metric which pair differs most, and whether chance or nothing explains it."""
    sentences = []
    alpha = 1 - disparity.confidence_level
    for metric in disparity.pairs["metric"].unique():
        own = disparity.pairs[disparity.pairs["metric"] == metric]
        known = own[own["difference"].notna()]
        label = LABELS.get(metric, metric).capitalize()
        label = "AUROC" if metric == "auroc" else "R2" if metric == "r2" else label
        if known.empty:
            sentences.append(f"{label}: not defined for enough groups to be compared.")
            continue
        row = known.loc[known["difference"].abs().idxmax()]
        clear = row["pvalue_adjusted"] <= alpha
        certified = row["equivalence_pvalue"] <= alpha
        verdict = "beyond chance" if clear else "within what chance makes"
        if certified:
            verdict += f"; certified to be below {number_text(float(row['margin']))}"
        sentences.append(
            f"{label}: {row['group']} minus {row['reference']} is {row['difference']:+.4f} "
            f"(interval {row['low']:+.4f} to {row['high']:+.4f}, corrected p "
            f"{pvalue_text(float(row['pvalue_adjusted']))}), {verdict}."
        )
    return sentences


def _mitigation_section(comparison: DisparityComparison) -> Section:
    table = comparison.table
    metric = table["metric"].iloc[0]
    own = table[table["metric"] == metric]
    first, best = own.iloc[0], own.loc[own["gap"].idxmin()]
    finding = (
        f"Of {len(own)} variants of the explainer, '{best['variant']}' has the smallest gap "
        f"({LABELS.get(metric, metric)}): {best['gap']:.4f} instead of {first['gap']:.4f}, with "
        f"{best['overall']:.4f} instead of {first['overall']:.4f} over everybody."
    )
    data = {"rows": _records(table), "labels": LABELS}
    figures = {"variants": figure_to_svg(comparison.plot)}
    key, title = "explanation_mitigations", "What would help"
    return Section(key, title, to_plain(data), (finding,), figures)


def _split_section(split: GapSplit) -> Section:
    data = {
        "rows": _records(split.table),
        "labels": LABELS,
        "confidence_level": split.confidence_level,
        "effective_share": [
            {"group": str(group), "share": share} for group, share in split.effective_share.items()
        ],
    }
    figures = {"parts": figure_to_svg(split.plot)}
    return Section("explanation_split", "Composition or treatment", to_plain(data), (), figures)


def _source_section(found: GapDecomposition) -> Section:
    metric = found.table["metric"].iloc[0]
    own = found.table[found.table["metric"] == metric]
    totals = own[own["part"] == "total"]
    widest = totals.loc[totals["value"].abs().idxmax()]
    pair = own[(own["group"] == widest["group"]) & (own["reference"] == widest["reference"])]
    sources = pair[~pair["part"].isin(["total", "remainder"])]
    largest = sources.loc[sources["value"].abs().idxmax()]
    finding = (
        f"Of the gap of {widest['group']} minus {widest['reference']} "
        f"({LABELS.get(metric, metric)}) of {widest['value']:+.4f}, {SOURCES[largest['part']]} "
        f"makes most: {largest['value']:+.4f} (interval {largest['low']:+.4f} to "
        f"{largest['high']:+.4f})."
    )
    data = {
        "rows": _records(found.table),
        "labels": LABELS,
        "sources": SOURCES,
        "method": found.method,
        "confidence_level": found.confidence_level,
    }
    figures = {"parts": figure_to_svg(found.plot)}
    key, title = "explanation_sources", "What in the explainer"
    return Section(key, title, to_plain(data), (finding,), figures)


def _records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return lines as JSON types, labels of groups as text."""
    labels = ("group", "reference", "variant", "part")
    return [
        {
            str(k): str(v) if k in labels and v is not None else to_plain(v)
            for k, v in record.items()
        }
        for record in table.to_dict("records")
    ]
