"""Everything a caller may set about a report besides its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from shiftlab._core.frames import ColumnKind
from shiftlab._core.names import join_names
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState
from shiftlab._core.validation import check_fraction, check_integer, check_option
from shiftlab.exceptions import InputError

__all__ = ["CORRECTIONS", "ReportOptions", "Source", "read_options"]

CORRECTIONS = {"bh": "Benjamini-Hochberg", "holm": "Holm"}


@dataclass(frozen=True)
class Source:
    """Where a table came from, for the provenance of a report.

    Attributes
    ----------
    name : str
        File name, or the type of the object.
    sha256 : str
        Hash of the file's bytes, or of the table's contents.
    sha256_of : str
        What was hashed.
    command : str
        Command line that made the report, if any.
    """

    name: str
    sha256: str = ""
    sha256_of: str = ""
    command: str = ""


@dataclass(frozen=True)
class ReportOptions:
    """Options of `shift_report`; see there for their meaning."""

    pos_label: Any = None
    outcome_pos_label: Any = None
    exclude: Sequence[str] = ()
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    correction: str = "bh"
    alpha: float = 0.05
    confidence_level: float = 0.95
    n_resamples: int = 199
    max_rows: int = 20_000
    min_count: int = 10
    reference_group: Mapping[str, Any] = field(default_factory=dict)
    random_state: RandomState = 0
    n_jobs: int | None = None
    progress: Progress = False
    source: Source | None = None

    def recorded(self) -> dict[str, Any]:
        """Return the options that influence the numbers."""
        silent = {"n_jobs", "progress", "source"}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in silent}


def read_options(options: Mapping[str, Any]) -> ReportOptions:
    """Check keyword options and fill in the defaults.

    Parameters
    ----------
    options : mapping
        Names and values.

    Returns
    -------
    ReportOptions

    Raises
    ------
    TypeError
        If a name is unknown.
    InputError
        If a value is out of range.
    """
    known = [f.name for f in fields(ReportOptions)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(
            f"shift_report() got unexpected option(s) {join_names(unknown)}; "
            f"known are {join_names(known, 20)}"
        )
    read = ReportOptions(**options)
    check_option(read.correction, list(CORRECTIONS), "correction")
    check_fraction(read.alpha, "alpha")
    check_fraction(read.confidence_level, "confidence_level")
    check_integer(read.n_resamples, "n_resamples", minimum=19)
    check_integer(read.max_rows, "max_rows", minimum=500)
    check_integer(read.min_count, "min_count", minimum=1)
    if isinstance(read.exclude, str):
        raise InputError("exclude must be a list of column names, found one string.")
    return read
