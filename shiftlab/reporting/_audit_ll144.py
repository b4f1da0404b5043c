"""The page of a bias audit under New York City's Local Law 144."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from shiftlab._core.results import to_plain
from shiftlab.auditing import ImpactRatioTable
from shiftlab.reporting._audit_sections import inputs_section
from shiftlab.reporting._document import Document
from shiftlab.reporting._options import Source
from shiftlab.reporting._provenance import provenance_section
from shiftlab.reporting._sections import Section, number_text

__all__ = ["ImpactRatioReport", "impact_ratio_report"]


@dataclass(frozen=True, repr=False)
class ImpactRatioReport(Document):
    """Report of impact ratios, made by `impact_ratio_report`.

    Attributes
    ----------
    sections : tuple of Section
        In reading order.
    """

    schema: ClassVar[str] = "shiftlab.impact-ratios/1"
    heading: ClassVar[str] = "Bias audit: selection rates and impact ratios"
    stem: ClassVar[str] = "ll144"


def impact_ratio_report(
    table: ImpactRatioTable,
    *,
    tool: str = "",
    distributed: str = "",
    explanation: str = "",
    inputs: Sequence[Mapping[str, Any]] = (),
    command: str = "",
    started: datetime | None = None,
) -> ImpactRatioReport:
    """Make the summary of results that Local Law 144 asks to publish.

    Parameters
    ----------
    table : ImpactRatioTable
        Made by `impact_ratios`.
    tool : str, default ""
        Name of the automated employment decision tool.
    distributed : str, default ""
        Its distribution date.
    explanation : str, default ""
        Source and explanation of the data.
    inputs : sequence of mapping, optional
        Files that were read: ``role``, ``name``, ``sha256``, ``rows``.
    command : str, default ""
        Command line that made the report.
    started : datetime, optional
        Date of the audit, with a time zone; now by default.

    Returns
    -------
    ImpactRatioReport

    Raises
    ------
    InputError
        If the numbers cannot be written.

    Examples
    --------
    >>> from shiftlab.auditing import impact_ratios
    >>> from shiftlab.metrics import GroupCounts
    >>> from shiftlab.reporting import impact_ratio_report
    >>> counts = {"sex": ["Male", "Female"], "n": [92, 76], "selected": [50, 34]}
    >>> table = impact_ratios(GroupCounts.from_frame(counts, "sex"), "sex")
    >>> impact_ratio_report(table).findings[0]
    'sex: the lowest impact ratio is 0.823 (Female).'
    """
    when = started or datetime.now(UTC)
    data = {
        "tool": tool,
        "distributed": distributed,
        "explanation": explanation,
        "date": when.date().isoformat(),
        **to_plain(table.to_dict()),
    }
    section = Section("impact_ratios", "Impact ratios", data, _findings(table))
    name = inputs[0]["name"] if inputs else "counts or rows in memory"
    digest = inputs[0].get("sha256", "") if inputs else ""
    provenance = provenance_section(
        source=to_plain(Source(name, digest or "", "the file" if digest else "", command)),
        options={},
        rows={"read": table.n, "used": table.n, "set_aside": []},
        started=when,
        seconds={},
    )
    return ImpactRatioReport((section, inputs_section(inputs, ()), provenance))


def _findings(table: ImpactRatioTable) -> tuple[str, ...]:
    findings = []
    for feature in dict.fromkeys(line.feature for line in table.lines):
        rated = [line for line in table.lines if line.feature == feature and line.ratio is not None]
        if rated:
            worst = min(rated, key=lambda line: line.ratio or 0.0)
            findings.append(
                f"{feature}: the lowest impact ratio is {number_text(worst.ratio)} "
                f"({worst.category})."
            )
    return tuple(findings)
