"""`shift_report`: what changed between environments, how much, and for whom."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeAlias

from shiftlab._core.progress import Progress, Ticker, progress_ticker
from shiftlab._core.results import to_plain
from shiftlab.reporting._distances import distances_section
from shiftlab.reporting._document import Document
from shiftlab.reporting._fairness import fairness_section, read_decisions
from shiftlab.reporting._options import ReportOptions, Source, read_options
from shiftlab.reporting._outcome import outcome_section
from shiftlab.reporting._overview import overview_section
from shiftlab.reporting._prepare import Prepared, prepare
from shiftlab.reporting._provenance import provenance_section, table_fingerprint
from shiftlab.reporting._sections import Section
from shiftlab.reporting._shifts import shifts_section

__all__ = ["SCHEMA", "ShiftReport", "shift_report"]

SCHEMA = "shiftlab.shift_report/1"
Builder: TypeAlias = Callable[[Progress], Section]


@dataclass(frozen=True, repr=False)
class ShiftReport(Document):
    """A finished report.

    Attributes
    ----------
    sections : tuple of Section
        In reading order; each carries its data, findings and figures.

    Examples
    --------
    >>> from shiftlab.datasets import load_lending
    >>> from shiftlab.reporting import shift_report
    >>> report = shift_report(load_lending().frame, environment="region")
    >>> report.to_dict()["overview"]["n_environments"]
    6
    """

    schema: ClassVar[str] = SCHEMA
    heading: ClassVar[str] = "What changed between environments?"
    optional: ClassVar[tuple[str, ...]] = ("outcome", "fairness")

    @property
    def subject(self) -> str:
        """What the report is about: the name of its input and what tells environments apart."""
        return f"{super().subject} by {self.to_dict()['overview']['environment']}"


def shift_report(
    data: Any,
    environment: Any,
    *,
    outcome: str | None = None,
    decision: str | None = None,
    sensitive_features: Any = None,
    reference: Any = None,
    **options: Any,
) -> ShiftReport:
    """Compare the environments of a table: what changed, how much, and for whom.

    Parameters
    ----------
    data : data frame of shape (n_rows, n_columns)
        pandas, polars or pyarrow; also a mapping of columns or an array.
    environment : str, sequence of str, or array of shape (n_rows,)
        The environment of each row: a column, several columns (their combinations), or labels.
    outcome : str, optional
        Column that a model would predict; adds covariate shift against concept shift.
    decision : str, optional
        Column with the decision that was taken, 1 = favourable unless `pos_label` says otherwise;
        adds selection rates and fairness measures together with `sensitive_features`.
    sensitive_features : str, sequence of str, or array, optional
        Protected attributes.
    reference : label, optional
        Environment that the others are compared with; by default each is compared with the rest.
    **options
        Any of the options below.

    Returns
    -------
    ShiftReport

    Other Parameters
    ----------------
    pos_label, outcome_pos_label : label, optional
        The favourable decision and the positive outcome, where they are not coded 0/1.
    exclude : sequence of str, default ()
        Columns to leave out, for instance parts of the outcome.
    kinds : mapping of str to {"numeric", "categorical"}, optional
        Kinds of columns that would be guessed wrongly.
    correction : {"bh", "holm"}, default "bh"
        Adjustment of the p-values over all columns and environments.
    alpha : float, default 0.05
        Significance level.
    confidence_level : float, default 0.95
        Level of the intervals.
    n_resamples : int, default 199
        Permutations behind each Monte-Carlo p-value.
    max_rows : int, default 20000
        Rows used where the cost grows faster than the rows (models, distances between rows); a
        seeded sample is drawn beyond it, and its size is reported.
    min_count : int, default 10
        Groups with fewer rows are suppressed in the fairness section.
    reference_group : mapping of str to label, optional
        For a sensitive feature, the group that the others are compared with, for instance
        ``{"race": "White"}``; by default the group with the highest rate.
    random_state : int, default 0
        Seed; the same seed gives the same report for any `n_jobs`.
    n_jobs : int, optional
        Workers, as in joblib.
    progress : bool or callable, default False
        True draws a progress bar; a callable gets (done, total, description).
    source : Source, optional
        File, hash and command for the provenance.

    Raises
    ------
    InputError
        If a column is missing, an environment or sensitive feature has missing labels, roles
        collide, or nothing is left to compare.

    Examples
    --------
    >>> from shiftlab.datasets import load_lending
    >>> from shiftlab.reporting import shift_report
    >>> report = shift_report(load_lending().frame, environment="region", reference="north")
    >>> report.to_dict()["schema"]
    'shiftlab.shift_report/1'
    """
    settings = read_options(options)
    started, clock = datetime.now(UTC), _Clock()
    prepared = prepare(
        data,
        environment,
        outcome=outcome,
        decision=decision,
        sensitive_features=sensitive_features,
        kinds=settings.kinds,
        exclude=settings.exclude,
    )
    if reference is not None:
        reference = prepared.environment.categories[prepared.environment.index(reference)]
    decisions = read_decisions(prepared, settings) if decision is not None else None
    builders: list[tuple[str, Builder]] = [
        ("overview", lambda _: overview_section(prepared)),
        ("shifts", lambda tell: shifts_section(prepared, reference, settings, tell)),
        ("distances", lambda tell: distances_section(prepared, settings, tell)),
    ]
    if outcome is not None:
        builders.append(
            ("outcome", lambda tell: outcome_section(prepared, reference, settings, tell))
        )
    if decisions is not None:
        builders.append(("fairness", lambda _: fairness_section(prepared, decisions, settings)))
    sections = _run(builders, settings, clock)
    provenance = provenance_section(
        source=to_plain(settings.source or _describe_source(data, prepared)),
        options=_recorded_options(prepared, reference, settings),
        rows=_rows(prepared, sections),
        started=started,
        seconds=clock.seconds,
    )
    return ShiftReport((*sections, provenance))


class _Clock:
    """Wall time of each section."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def _run(
    builders: list[tuple[str, Builder]], settings: ReportOptions, clock: _Clock
) -> list[Section]:
    sections = []
    clock.lap("reading")
    with progress_ticker(len(builders), "report", settings.progress) as ticker:
        for name, build in builders:
            ticker.step(0, name)
            sections.append(build(_teller(ticker, name)))
            clock.lap(name)
            ticker.step()
    return sections


def _teller(ticker: Ticker, name: str) -> Callable[[int, int, str], None]:
    """Return a listener that shows the steps inside a section beside the section's name."""

    def tell(done: int, total: int, what: str) -> None:
        ticker.step(0, f"{name}: {what} {done}/{total}")

    return tell


def _describe_source(data: Any, prepared: Prepared) -> Source:
    kind = type(data)
    return Source(
        name=f"{kind.__module__.split('.')[0]}.{kind.__name__}",
        sha256=table_fingerprint(prepared.table),
        sha256_of="the table's names, kinds and values",
    )


def _recorded_options(
    prepared: Prepared, reference: Any, settings: ReportOptions
) -> dict[str, Any]:
    roles = {
        "environment": prepared.environment.name,
        "outcome": prepared.outcome,
        "decision": prepared.decision,
        "sensitive_features": [labels.name for labels in prepared.sensitive],
        "reference": None if reference is None else str(reference),
    }
    return to_plain(roles | settings.recorded())


def _rows(prepared: Prepared, sections: list[Section]) -> dict[str, Any]:
    aside = [
        {"section": section.title, **item}
        for section in sections
        for item in section.data.get("rows_set_aside", [])
    ]
    return {"read": prepared.table.n_rows, "used": prepared.table.n_rows, "set_aside": aside}
