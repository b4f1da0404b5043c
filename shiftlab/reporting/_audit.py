"""The report of an audit: canonical JSON with a published schema, one page without scripts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, ClassVar

from shiftlab._core.checks import check_option
from shiftlab._core.results import to_plain
from shiftlab.auditing import AuditRecord, Frontier
from shiftlab.exceptions import InputError
from shiftlab.reporting._audit_sections import (
    annex_section,
    inputs_section,
    integrity_section,
    limits_section,
    manipulation_section,
    rates_section,
    verdict_section,
)
from shiftlab.reporting._document import Document
from shiftlab.reporting._options import Source
from shiftlab.reporting._provenance import provenance_section

__all__ = ["AuditReport", "audit_report", "audit_schema"]

FORMATS = ("plain", "annex-iv")


@dataclass(frozen=True, repr=False)
class AuditReport(Document):
    """Report of an audit, made by `audit_report`.

    Attributes
    ----------
    sections : tuple of Section
        In reading order.
    """

    schema: ClassVar[str] = "shiftlab.audit/1"
    heading: ClassVar[str] = "Does the sample comply, and can it be believed?"
    stem: ClassVar[str] = "audit"
    optional: ClassVar[tuple[str, ...]] = ("representativeness", "manipulation", "annex_iv")


def audit_report(
    record: AuditRecord,
    *,
    roles: Mapping[str, Any] | None = None,
    frontier: Frontier | None = None,
    inputs: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    arguments: Sequence[str] = (),
    source: Source | None = None,
    started: datetime | None = None,
    format: str = "plain",
) -> AuditReport:
    """Make the report of an audit.

    Parameters
    ----------
    record : AuditRecord
        Outcome of the audit.
    roles : mapping, optional
        Which column is what.
    frontier : Frontier, optional
        Frontier to show beside the tests.
    inputs : sequence of mapping, optional
        Files that were read: ``role``, ``name``, ``sha256``, ``rows``.
    options : mapping, optional
        Options of the audit, for the provenance.
    arguments : sequence of str, optional
        Words of the command line by which ``shiftlab audit replay`` repeats the audit.
    source : Source, optional
        Where the sample came from.
    started : datetime, optional
        Time to be recorded, with a time zone; now by default.
    format : {"plain", "annex-iv"}, default "plain"
        Whether to add the headings of Annex IV of the AI Act, with pointers to the sections that
        answer them and places left open for what only the provider knows.

    Returns
    -------
    AuditReport

    Raises
    ------
    InputError
        If the format is unknown.

    Examples
    --------
    >>> from shiftlab.auditing import audit_metrics
    >>> from shiftlab.metrics import GroupCounts
    >>> from shiftlab.reporting import audit_report
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> report = audit_report(audit_metrics(GroupCounts.from_frame(table, "sex")))
    >>> report.to_dict()["verdict"]["compliance"]
    'fail'
    """
    check_option(format, FORMATS, "format")
    sections = [verdict_section(record), rates_section(record, roles or {})]
    if record.representativeness is not None:
        sections.append(integrity_section(record))
    if record.outlook or frontier is not None:
        sections.append(manipulation_section(record, frontier))
    sections.append(limits_section(record))
    if format == "annex-iv":
        sections.append(annex_section(record))
    sections.append(inputs_section(inputs, arguments))
    sections.append(
        provenance_section(
            source=to_plain(source or Source(name="counts or rows in memory")),
            options=to_plain(dict(options or {})),
            rows={"read": record.n_sample, "used": record.n_sample, "set_aside": []},
            started=started or datetime.now(UTC),
            seconds={},
        )
    )
    return AuditReport(tuple(sections))


def audit_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that every audit report satisfies.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If the installed package lacks its schema file.

    Examples
    --------
    >>> from shiftlab.reporting import audit_schema
    >>> audit_schema()["properties"]["schema"]["const"]
    'shiftlab.audit/1'
    """
    path = files("shiftlab.reporting").joinpath("schemas/audit-1.schema.json")
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        raise InputError("The schema file is missing; install shiftlab again.") from error
