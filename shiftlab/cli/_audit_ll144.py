"""``shiftlab audit ll144``: the table of New York City's Local Law 144."""

import argparse
from typing import Any

from shiftlab.cli._audit_shared import add_columns, input_entry, new_parser, read_counts, read_frame
from shiftlab.cli._shared import add_reading, split_columns, write_text

__all__ = ["add_parser"]

EPILOG = """\
example:
  shiftlab audit ll144 applicants.csv --decision selected --sensitive sex,race --html ll144.html

Two sensitive columns give the intersections as well. --score takes the share above the median of a
score instead of a decision.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb below ``shiftlab audit``."""
    parser = new_parser(verbs, "ll144", "impact ratios as Local Law 144 asks for them", EPILOG)
    parser.set_defaults(run=run)
    parser.add_argument("data", metavar="DATA", help="CSV or Parquet file; or -")
    add_columns(parser)
    add_reading(parser)
    parser.add_argument("--score", metavar="COL", help="score, instead of a decision")
    parser.add_argument(
        "--exclude-below", type=float, default=0.02, help="share left out of ratios (default: 0.02)"
    )
    parser.add_argument("--min-count", type=int, default=0, help="suppress smaller groups")
    parser.add_argument(
        "--unknown", action="append", default=[], metavar="TEXT", help="label that means unknown"
    )
    parser.add_argument("--tool", default="", help="name of the tool that is audited")
    parser.add_argument("--distributed", default="", help="distribution date of the tool")
    parser.add_argument("--explanation", default="", help="source and explanation of the data")
    parser.add_argument("--out", metavar="FILE", help="JSON document; - for standard output")
    parser.add_argument("--html", metavar="FILE", help="self-contained page")


def run(options: argparse.Namespace) -> int:
    """Make the table and write it."""
    from shiftlab.auditing import impact_ratios
    from shiftlab.exceptions import InputError
    from shiftlab.reporting import impact_ratio_report

    if not options.sensitive:
        raise InputError("--sensitive is needed: the columns with the categories.")
    if options.counts:
        data: Any = read_counts(options.data, options)
        features = list(data.names)
    else:
        data = read_frame(options.data, options)
        features = split_columns(options.sensitive, list(data.columns))
    table = impact_ratios(
        data,
        features,
        decision=options.decision,
        score=options.score,
        pos_label=options.pos_label,
        exclude_below=options.exclude_below,
        min_count=options.min_count,
        unknown=options.unknown or ("unknown",),
    )
    report = impact_ratio_report(
        table,
        tool=options.tool,
        distributed=options.distributed,
        explanation=options.explanation,
        inputs=[input_entry("data", options.data, options, table.n)],
        command=options.command,
    )
    if options.out:
        write_text(options.out, report.to_json() + "\n")
    if options.html:
        write_text(options.html, report.to_html())
    if options.out != "-":
        print(table)
    return 0
