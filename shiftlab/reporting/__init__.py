"""Reports: sections over results, canonical JSON, self-contained HTML."""

from shiftlab.reporting._adaptation import AdaptationReport, adaptation_report
from shiftlab.reporting._audit import AuditReport, audit_report, audit_schema
from shiftlab.reporting._audit_ll144 import ImpactRatioReport, impact_ratio_report
from shiftlab.reporting._discovery import DiscoveryReport, discovery_report
from shiftlab.reporting._explanation import ExplanationReport, explanation_report
from shiftlab.reporting._generalization import GeneralizationReport, generalization_report
from shiftlab.reporting._options import Source
from shiftlab.reporting._report import ShiftReport, shift_report
from shiftlab.reporting._study import StudyReport, study_report

__all__ = [
    "AdaptationReport",
    "AuditReport",
    "DiscoveryReport",
    "ExplanationReport",
    "GeneralizationReport",
    "ImpactRatioReport",
    "ShiftReport",
    "Source",
    "StudyReport",
    "adaptation_report",
    "audit_report",
    "audit_schema",
    "discovery_report",
    "explanation_report",
    "generalization_report",
    "impact_ratio_report",
    "shift_report",
    "study_report",
]
