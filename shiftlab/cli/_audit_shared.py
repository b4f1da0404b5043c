"""What the audit verbs share: options, reading files, writing reports, exit codes."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from shiftlab.cli._shared import split_columns, write_text

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.auditing import AuditRecord
    from shiftlab.metrics import GroupCounts
    from shiftlab.reporting import AuditReport

__all__ = [
    "METRICS",
    "add_columns",
    "add_judgement",
    "add_output",
    "exit_code",
    "input_entry",
    "new_parser",
    "read_counts",
    "read_frame",
    "replay_words",
    "write_report",
]

#: Options that say where results go; a replay writes nothing.
OUTPUTS = ("--out", "--html", "--quiet")
METRICS = (
    "disparate_impact",
    "demographic_parity_difference",
    "true_positive_rate_ratio",
    "equal_opportunity_difference",
)


def new_parser(verbs: Any, name: str, text: str, epilog: str = "") -> Any:
    """Add the parser of one audit verb."""
    parser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(parser=parser)
    parser.add_argument("--debug", action="store_true", help="show a traceback on errors")
    return parser


def add_columns(parser: Any) -> None:
    """Add the options that name columns."""
    group = parser.add_argument_group("columns")
    group.add_argument("--decision", metavar="COL", help="the decision taken, 1 = favourable")
    group.add_argument(
        "--sensitive", action="append", default=[], metavar="COL[,COL]", help="protected attributes"
    )
    group.add_argument("--label", metavar="COL", help="the true outcome")
    group.add_argument("--pos-label", metavar="VALUE", help="the favourable decision, if not 1")
    group.add_argument("--label-pos-label", metavar="VALUE", help="the good outcome, if not 1")
    group.add_argument(
        "--counts",
        action="store_true",
        help="files hold counts: one line per group, columns n and selected",
    )


def add_judgement(parser: Any) -> None:
    """Add the options of the verdict on compliance."""
    group = parser.add_argument_group("compliance")
    group.add_argument("--metric", choices=METRICS, default=METRICS[0], help="what is claimed")
    group.add_argument(
        "--threshold", type=float, default=0.8, help="least value that complies (default: 0.8)"
    )
    group.add_argument(
        "--reference-group",
        action="append",
        default=[],
        metavar="COL=GROUP",
        help="group to compare with (default: that of the highest rate)",
    )
    group.add_argument("--level", type=float, default=0.95, help="of intervals (default: 0.95)")
    group.add_argument(
        "--min-count", type=int, default=10, help="suppress smaller groups (default: 10)"
    )


def add_output(parser: Any) -> None:
    """Add the options that say where results go."""
    group = parser.add_argument_group("output")
    group.add_argument("--out", metavar="FILE", help="JSON document; - for standard output")
    group.add_argument("--html", metavar="FILE", help="self-contained page")
    group.add_argument(
        "--format", choices=("plain", "annex-iv"), default="plain", help="of the report"
    )
    group.add_argument("--quiet", action="store_true", help="no summary")


def read_frame(path: str, options: argparse.Namespace) -> "pd.DataFrame":
    """Read a file, or standard input for ``-``."""
    import tempfile
    from pathlib import Path

    from shiftlab._core.files import read_table
    from shiftlab.exceptions import InputError

    if path != "-":
        return read_table(
            _located(path, options), missing=options.missing, encoding=options.encoding
        )
    content = getattr(options, "stdin", None) or sys.stdin.buffer.read()
    options.stdin = content
    if not content.strip():
        raise InputError("standard input is empty.")
    with tempfile.TemporaryDirectory() as folder:
        kind = ".parquet" if content.startswith(b"PAR1") else ".csv"
        file = Path(folder) / f"standard-input{kind}"
        file.write_bytes(content)
        return read_table(file, missing=options.missing, encoding=options.encoding)


def _located(path: str, options: argparse.Namespace) -> str:
    """Look a relative path up in the folder of a replay."""
    from pathlib import Path

    folder = getattr(options, "folder", None)
    return str(Path(folder) / path) if folder and not Path(path).is_absolute() else path


def input_entry(role: str, path: str, options: argparse.Namespace, rows: int) -> dict[str, Any]:
    """Describe a file that was read."""
    import hashlib
    from pathlib import Path

    from shiftlab._core.files import sha256_of_file

    if path == "-":
        digest, name = hashlib.sha256(options.stdin).hexdigest(), "standard input"
    else:
        digest, name = sha256_of_file(_located(path, options)), Path(path).name
    return {"role": role, "name": name, "sha256": digest, "rows": rows}


def read_counts(path: str, options: argparse.Namespace) -> "GroupCounts":
    """Count a file; Parquet files are scanned without being loaded."""
    from shiftlab.auditing import count_table
    from shiftlab.exceptions import InputError
    from shiftlab.metrics import GroupCounts

    if not options.sensitive:
        raise InputError("--sensitive is needed: the columns with the protected attributes.")
    if options.counts:
        frame = read_frame(path, options)
        return GroupCounts.from_frame(frame, split_columns(options.sensitive, list(frame.columns)))
    if options.decision is None:
        raise InputError("--decision is needed: the column with the decision.")
    named = {
        "label": options.label,
        "pos_label": options.pos_label,
        "label_pos_label": options.label_pos_label,
    }
    if path != "-" and path.lower().endswith((".parquet", ".pq")):
        features = split_columns(options.sensitive)
        return count_table(_located(path, options), options.decision, features, **named)
    frame = read_frame(path, options)
    features = split_columns(options.sensitive, list(frame.columns))
    return count_table(frame, options.decision, features, **named)


def replay_words(options: argparse.Namespace) -> list[str]:
    """Words of the command after ``shiftlab audit``, without those that say where results go."""
    import shlex

    words = shlex.split(options.command)[2:]
    kept: list[str] = []
    skip = False
    for word in words:
        name = word.split("=")[0]
        if skip:
            skip = False
        elif name in OUTPUTS:
            skip = name != "--quiet" and "=" not in word
        else:
            kept.append(word)
    return kept


def exit_code(record: "AuditRecord") -> int:
    """Turn the verdicts into the exit code."""
    if record.integrity == "mismatch":
        return 5
    if record.integrity == "suspect":
        return 6 if record.compliance == "fail" else 4
    return {"pass": 0, "fail": 1, "inconclusive": 3}[record.compliance]


def write_report(report: "AuditReport", options: argparse.Namespace) -> None:
    """Write what was asked for and print the findings."""
    if options.out:
        write_text(options.out, report.to_json() + "\n")
    if options.html:
        write_text(options.html, report.to_html())
    if not options.quiet and options.out != "-":
        print("\n".join(f"- {finding}" for finding in report.findings))
