"""Sections of an audit report."""

from collections.abc import Mapping, Sequence
from typing import Any

from shiftlab._core.results import to_plain
from shiftlab.auditing import AuditRecord, Frontier
from shiftlab.reporting._audit_texts import ANNEX_IV, COMPLIANCE, INTEGRITY, METRIC_NAMES
from shiftlab.reporting._sections import Section, figure_to_svg, number_text, pvalue_text

__all__ = [
    "annex_section",
    "inputs_section",
    "integrity_section",
    "limits_section",
    "manipulation_section",
    "rates_section",
    "verdict_section",
]


def verdict_section(record: AuditRecord) -> Section:
    """Both verdicts, and the metric of each feature."""
    metric = METRIC_NAMES[record.metric]
    findings = [
        f"Compliance: {record.compliance}. {COMPLIANCE[record.compliance]}",
        f"Integrity: {record.integrity}. {INTEGRITY[record.integrity]}",
    ]
    for part in record.by_feature:
        if part.value == part.value:
            findings.append(
                f"{part.feature}: {metric} {number_text(part.value)} "
                f"({number_text(part.low)} to {number_text(part.high)}), threshold "
                f"{number_text(record.threshold)}: {part.reason}."
            )
        else:
            findings.append(f"{part.feature}: {metric} not known: {part.reason}.")
    data = {
        "compliance": record.compliance,
        "integrity": record.integrity,
        "metric": record.metric,
        "metric_name": metric,
        "threshold": record.threshold,
        "n_sample": record.n_sample,
        "n_reference": record.n_reference,
        "by_feature": to_plain(record.by_feature),
    }
    return Section("verdict", "Verdicts", to_plain(data), tuple(findings))


def rates_section(record: AuditRecord, roles: Mapping[str, Any]) -> Section:
    """Rates of the groups and the metrics that follow, small groups hidden."""
    fairness = record.fairness.to_dict()
    keys = ("feature", "group", "n", "selected", "rate", "low", "high", "suppressed")
    groups = [{key: line[key] for key in keys} for line in fairness["groups"]]
    left_out = ("environment", "n")
    metrics = [
        {key: value for key, value in line.items() if key not in left_out}
        for line in fairness["metrics"]
    ]
    data = {
        "roles": to_plain(dict(roles)),
        "groups": groups,
        "metrics": metrics,
        "confidence_level": fairness["confidence_level"],
        "min_count": fairness["min_count"],
    }
    shown = [line for line in groups if not line["suppressed"]]
    figures = {}
    if len(shown) > 1:
        figures["rates"] = figure_to_svg(record.fairness.plot)
    return Section("rates", "Rates of the groups", data, (), figures)


def integrity_section(record: AuditRecord) -> Section:
    """Show the tests that the sample represents the reference."""
    found = record.representativeness
    if found is None:
        raise AssertionError("nothing was tested")
    rejecting = [test for test in found.tests if found.rejects(test)]
    findings = tuple(
        f"Test {test.name}: "
        + (
            f"{test.statistic:.0f} of {test.n_sample} rows are an exception ({test.effect_name})."
            if test.proof
            else f"adjusted p {pvalue_text(test.adjusted)}, {test.effect_name} "
            f"{number_text(test.effect)}."
        )
        for test in rejecting
    )
    data = found.to_dict()
    for line, test in zip(data["tests"], found.tests, strict=True):
        line["rejects"] = found.rejects(test)
    data["columns"] = sorted(data["columns"], key=lambda line: (line["pvalue"], line["name"]))
    return Section("representativeness", "Is the sample representative?", to_plain(data), findings)


def manipulation_section(record: AuditRecord, frontier: Frontier | None) -> Section:
    """Show what could pass undetected, and the sample size that would expose it."""
    data = {
        "outlook": to_plain(record.outlook),
        "frontier": None if frontier is None else to_plain(frontier),
        "threshold": record.threshold,
    }
    figures = {} if frontier is None else {"frontier": figure_to_svg(frontier.plot)}
    title = "What a manipulated sample could show"
    return Section("manipulation", title, to_plain(data), (), figures)


def limits_section(record: AuditRecord) -> Section:
    """Say what the audit cannot tell."""
    return Section("limits", "What this audit cannot tell", {"sentences": list(record.limits)})


def annex_section(record: AuditRecord) -> Section:
    """Headings of Annex IV of Regulation (EU) 2024/1689, with what this audit can say to each."""
    known = {
        "n_sample": record.n_sample,
        "n_reference": record.n_reference,
        "metric": METRIC_NAMES[record.metric],
        "threshold": number_text(record.threshold),
        "compliance": record.compliance,
        "integrity": record.integrity,
    }
    lines = [
        {"heading": heading, "text": text.format(**known), "open": is_open}
        for heading, text, is_open in ANNEX_IV
    ]
    return Section("annex_iv", "Technical documentation (AI Act, Annex IV)", {"headings": lines})


def inputs_section(inputs: Sequence[Mapping[str, Any]], arguments: Sequence[str]) -> Section:
    """Files with their hashes, and how to repeat the audit."""
    files = [
        {key: entry.get(key) for key in ("role", "name", "sha256", "rows")} for entry in inputs
    ]
    data = {"files": files, "replay": list(arguments)}
    return Section("inputs", "Inputs and replay", to_plain(data))
