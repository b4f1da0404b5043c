"""``shiftlab audit metrics``: rates, disparities and the verdict on compliance."""

import argparse
from typing import TYPE_CHECKING, Any

from shiftlab.cli._audit_shared import (
    add_columns,
    add_judgement,
    add_output,
    exit_code,
    input_entry,
    new_parser,
    read_counts,
    replay_words,
    write_report,
)
from shiftlab.cli._shared import add_reading, reference_groups, split_columns

if TYPE_CHECKING:
    from shiftlab.auditing import AuditRecord
    from shiftlab.reporting import AuditReport

__all__ = ["add_parser", "build"]

EPILOG = """\
examples:
  shiftlab audit metrics loans.parquet --decision approved --sensitive sex,race
  shiftlab audit metrics table.csv --counts --sensitive sex --out audit.json --html audit.html
  cat loans.csv | shiftlab audit metrics - --decision approved --sensitive sex --out -
"""


def add_parser(verbs: Any) -> None:
    """Add the verb below ``shiftlab audit``."""
    parser = new_parser(verbs, "metrics", "rates and disparities with intervals", EPILOG)
    parser.set_defaults(run=run, build=build)
    parser.add_argument("data", metavar="DATA", help="CSV or Parquet file; - for standard input")
    add_columns(parser)
    add_judgement(parser)
    add_reading(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Judge compliance and write the report."""
    record, report = build(options)
    write_report(report, options)
    return exit_code(record)


def build(options: argparse.Namespace) -> "tuple[AuditRecord, AuditReport]":
    """Make record and report, for `run` and for a replay."""
    from shiftlab.auditing import audit_metrics
    from shiftlab.reporting import Source, audit_report

    counts = read_counts(options.data, options)
    settings = {
        "metric": options.metric,
        "threshold": options.threshold,
        "reference_group": reference_groups(options.reference_group) or None,
        "confidence_level": options.level,
        "min_count": options.min_count,
    }
    record = audit_metrics(counts, **settings)
    entry = input_entry("data", options.data, options, int(counts.n.sum()))
    words = replay_words(options)
    report = audit_report(
        record,
        roles={
            "decision": options.decision,
            "sensitive_features": split_columns(options.sensitive, counts.names),
            "label": options.label,
        },
        inputs=[entry],
        options=settings,
        arguments=words,
        source=Source(
            entry["name"], entry["sha256"], "the file", "shiftlab audit " + " ".join(words)
        ),
        started=getattr(options, "started", None),
        format=options.format,
    )
    return record, report
