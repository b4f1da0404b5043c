"""Reports: sections over results, canonical JSON, self-contained HTML."""

from shiftlab.reporting._explanation import ExplanationReport, explanation_report
from shiftlab.reporting._options import Source
from shiftlab.reporting._report import ShiftReport, shift_report
from shiftlab.reporting._study import StudyReport, study_report

__all__ = [
    "ExplanationReport",
    "ShiftReport",
    "Source",
    "StudyReport",
    "explanation_report",
    "shift_report",
    "study_report",
]
