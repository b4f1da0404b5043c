"""``shiftlab report``: compare the environments of a table and write a page and a document."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from shiftlab.cli._shared import (
    add_output,
    add_reading,
    file_source,
    lending_example,
    make_folder,
    read_named_table,
    reference_groups,
    split_columns,
)

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.reporting import ShiftReport

__all__ = ["add_parser"]

#: More workers than this cost memory and start-up time and gain little.
MAX_JOBS = 4
EPILOG = """\
examples:
  shiftlab report --example
  shiftlab report hospital.csv --environment site --outcome readmitted
  shiftlab report loans.parquet --environment region,year --outcome repaid \\
      --decision approved --sensitive sex,ethnicity --reference "north / 2023"

Several columns are joined by commas or named by repeating the option. The files report.html and
report.json are written to the folder --out. Exit codes: 0 done, 2 usage or input error,
70 internal error.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line.

    Parameters
    ----------
    verbs : argparse subparsers
        Where the verb is added.
    """
    parser = verbs.add_parser(
        "report",
        help="compare the environments of a table: what changed, how much, for whom",
        description="Compare the environments of a table: what changed, how much, for whom.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument("table", nargs="?", metavar="TABLE", help="CSV (also .gz) or Parquet file")
    parser.add_argument("--example", action="store_true", help="use the simulated table 'lending'")
    _add_columns(parser.add_argument_group("columns"))
    reading = parser.add_argument_group("reading the table")
    add_reading(reading)
    reading.add_argument(
        "--label-missing",
        metavar="TEXT",
        help="label for missing cells of environment and sensitive columns",
    )
    _add_statistics(parser.add_argument_group("statistics"))
    add_output(parser)


def _add_columns(group: Any) -> None:
    def several(name: str, metavar: str, text: str) -> None:
        group.add_argument(name, action="append", default=[], metavar=metavar, help=text)

    several("--environment", "COL[,COL]", "where a row comes from: site, state, year, ...")
    group.add_argument("--outcome", metavar="COL", help="what a model would predict")
    group.add_argument("--decision", metavar="COL", help="the decision taken, 1 = favourable")
    several("--sensitive", "COL[,COL]", "protected attributes")
    group.add_argument("--reference", metavar="LABEL", help="environment to compare with")
    group.add_argument("--pos-label", metavar="VALUE", help="the favourable decision, if not 1")
    group.add_argument("--outcome-pos-label", metavar="VALUE", help="the good outcome, if not 1")
    group.add_argument(
        "--reference-group",
        action="append",
        default=[],
        metavar="COL=GROUP",
        help="group of a sensitive column to compare with (default: that of the highest rate)",
    )
    several("--exclude", "COL[,COL]", "columns to leave out (parts of the outcome, ...)")
    several("--numeric", "COL[,COL]", "columns to read as numbers")
    several("--categorical", "COL[,COL]", "columns to read as categories")


def _add_statistics(group: Any) -> None:
    group.add_argument(
        "--correction", choices=("bh", "holm"), default="bh", help="of p-values (default: bh)"
    )
    group.add_argument("--alpha", type=float, default=0.05, help="significance level (0.05)")
    group.add_argument("--resamples", type=int, default=199, help="permutations (default: 199)")
    group.add_argument("--max-rows", type=int, default=20_000, help="for models (default: 20000)")
    group.add_argument(
        "--min-count", type=int, default=10, help="suppress smaller groups (default: 10)"
    )
    group.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    group.add_argument("--jobs", type=int, help="parallel workers (default: cores, at most 4)")


def run(options: argparse.Namespace) -> None:
    """Make the report and write it.

    Parameters
    ----------
    options : Namespace
        The parsed command line.

    Raises
    ------
    InputError
        If the table or an option is not usable.
    """
    from shiftlab.reporting import Source, shift_report

    frame, source = _example(options) if options.example else _read(options)
    names = [str(name) for name in frame.columns]
    make_folder(options.out)
    report = shift_report(
        frame,
        split_columns(options.environment, names),
        outcome=options.outcome,
        decision=options.decision,
        sensitive_features=split_columns(options.sensitive, names) or None,
        reference=options.reference,
        source=Source(command=options.command, **source),
        **_settings(options, names),
    )
    _write(report, options)


def _settings(options: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    kinds = dict.fromkeys(split_columns(options.numeric, names), "numeric")
    kinds |= dict.fromkeys(split_columns(options.categorical, names), "categorical")
    return {
        "pos_label": options.pos_label,
        "outcome_pos_label": options.outcome_pos_label,
        "exclude": split_columns(options.exclude, names),
        "kinds": kinds,
        "correction": options.correction,
        "alpha": options.alpha,
        "n_resamples": options.resamples,
        "max_rows": options.max_rows,
        "min_count": options.min_count,
        "reference_group": reference_groups(options.reference_group),
        "random_state": options.seed,
        "n_jobs": _workers(options.jobs),
        "progress": not options.quiet,
    }


def _workers(jobs: int | None) -> int:
    from shiftlab.exceptions import InputError

    if jobs is None:
        return min(os.cpu_count() or 1, MAX_JOBS)
    if jobs < 1:
        raise InputError(f"--jobs must be at least 1, found {jobs}.")
    return jobs


def _read(options: argparse.Namespace) -> "tuple[pd.DataFrame, dict[str, str]]":
    from shiftlab.exceptions import InputError

    if options.table is not None and not options.environment:
        raise InputError(
            "--environment is needed: the column that tells where each row comes from."
        )
    frame = read_named_table(options)
    if options.label_missing is not None:
        for name in split_columns([*options.environment, *options.sensitive], list(frame.columns)):
            if name in frame:
                column = frame[name].astype(object)
                frame[name] = column.where(column.notna(), options.label_missing)
    return frame, file_source(options.table)


def _example(options: argparse.Namespace) -> "tuple[pd.DataFrame, dict[str, str]]":
    options.environment = options.environment or ["region"]
    options.outcome = options.outcome or "repaid"
    options.decision = options.decision or "approved"
    options.sensitive = options.sensitive or ["sex"]
    return lending_example(options)


def _write(report: "ShiftReport", options: argparse.Namespace) -> None:
    from shiftlab.exceptions import InputError

    try:
        html, document = report.write(options.out)
    except OSError as error:
        raise InputError(f"--out: cannot write to '{options.out}': {error.strerror}.") from error
    if not options.quiet:
        print("\n".join(f"- {finding}" for finding in report.findings))
    print(f"wrote {html} and {document}", file=sys.stderr if options.quiet else sys.stdout)
