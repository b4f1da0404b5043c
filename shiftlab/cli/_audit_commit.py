"""``shiftlab audit commit`` and ``shiftlab audit draw``: a sample that nobody can steer."""

import argparse
from typing import TYPE_CHECKING, Any

from shiftlab.cli._audit_shared import new_parser, read_frame
from shiftlab.cli._shared import add_reading, write_text

if TYPE_CHECKING:
    from shiftlab.auditing import Commitment

__all__ = ["add_parser"]

COMMIT_EPILOG = """\
example:
  shiftlab audit commit population.csv --out commitment.json --secret secret.txt

The commitment is published, the secret kept by whoever holds the data.
"""
DRAW_EPILOG = """\
examples:
  shiftlab audit draw --commitment commitment.json --beacon "pulse 1234567" --m 2000
  shiftlab audit draw population.csv --commitment commitment.json --secret secret.txt \\
      --beacon "pulse 1234567" --m 2000 --out sample.csv --openings openings.json
  shiftlab audit draw sample.csv --commitment commitment.json --beacon "pulse 1234567" \\
      --openings openings.json --check

The first tells which rows to hand in, the second hands them in with their openings, the third
checks them; exit code 5 if a row was not committed to or not drawn.
"""


def add_parser(verbs: Any) -> None:
    """Add both verbs below ``shiftlab audit``."""
    parser = new_parser(verbs, "commit", "commit to the rows of a table", COMMIT_EPILOG)
    parser.set_defaults(run=run_commit)
    parser.add_argument("data", metavar="POPULATION", help="CSV or Parquet file; or -")
    add_reading(parser)
    parser.add_argument("--out", metavar="FILE", default="-", help="commitment (default: -)")
    parser.add_argument("--secret", metavar="FILE", required=True, help="where the secret goes")

    parser = new_parser(verbs, "draw", "draw rows by a public beacon, and check them", DRAW_EPILOG)
    parser.set_defaults(run=run_draw)
    parser.add_argument("data", nargs="?", metavar="TABLE", help="population, or sample to check")
    add_reading(parser)
    parser.add_argument("--commitment", metavar="FILE", required=True, help="the commitment")
    parser.add_argument("--beacon", required=True, help="public value from after the commitment")
    parser.add_argument("--m", type=int, metavar="N", help="rows to draw")
    parser.add_argument("--secret", metavar="FILE", help="secret of the commitment")
    parser.add_argument("--openings", metavar="FILE", help="openings to write, or to check")
    parser.add_argument("--check", action="store_true", help="check a sample")
    parser.add_argument(
        "--out", metavar="FILE", default="-", help="sample or positions (default: -)"
    )


def run_commit(options: argparse.Namespace) -> int:
    """Commit to a table."""
    from shiftlab.auditing import commit_table
    from shiftlab.exceptions import InputError

    if options.secret == "-":  # noqa: S105 - the name of standard output
        raise InputError("--secret: name a file, so that the secret is not published.")
    commitment, secret = commit_table(read_frame(options.data, options))
    write_text(options.secret, secret + "\n")
    write_text(options.out, commitment.to_json(indent=1) + "\n")
    return 0


def run_draw(options: argparse.Namespace) -> int:
    """Draw, hand in or check."""
    from shiftlab.auditing import draw_rows
    from shiftlab.exceptions import InputError

    commitment = _read_commitment(options.commitment)
    if options.check:
        return _check(commitment, options)
    if options.m is None:
        raise InputError("--m is needed: the number of rows to draw.")
    rows = draw_rows(commitment, options.beacon, options.m)
    if options.data is None:
        write_text(options.out, "row\n" + "".join(f"{row}\n" for row in rows))
        return 0
    return _hand_in(commitment, rows, options)


def _hand_in(commitment: "Commitment", rows: Any, options: argparse.Namespace) -> int:
    from pathlib import Path

    from shiftlab._core.results import canonical_json
    from shiftlab.auditing import commit_table, open_rows
    from shiftlab.exceptions import InputError

    if not (options.secret and options.openings):
        raise InputError("--secret and --openings are needed to hand rows in.")
    frame = read_frame(options.data, options)
    try:
        secret = Path(options.secret).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"--secret: cannot read '{options.secret}'.") from error
    if commit_table(frame, secret=secret)[0] != commitment:
        print("mismatch: the table is not the one that was committed to")
        return 5
    openings = [opening.to_dict() for opening in open_rows(frame, secret, rows)]
    write_text(options.out, frame.iloc[rows].to_csv(index=False))
    write_text(options.openings, canonical_json(openings) + "\n")
    return 0


def _check(commitment: "Commitment", options: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from shiftlab.auditing import Opening, commitment_test
    from shiftlab.exceptions import InputError

    if options.data is None or options.openings is None:
        raise InputError("--check needs the sample and --openings.")
    try:
        entries = json.loads(Path(options.openings).read_text(encoding="utf-8"))
        openings = [Opening(e["index"], e["salt"], tuple(e["path"])) for e in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--openings: '{options.openings}' holds no openings.") from error
    frame = read_frame(options.data, options)
    result = commitment_test(frame, openings, commitment, beacon=options.beacon)
    if result.statistic:
        print(f"mismatch: {result.statistic:.0f} row(s) were not committed to or not drawn")
        return 5
    print(f"every one of {result.n_sample} rows was committed to and drawn")
    return 0


def _read_commitment(path: str) -> "Commitment":
    import json
    from pathlib import Path

    from shiftlab.auditing import Commitment
    from shiftlab.exceptions import InputError

    try:
        entry = json.loads(Path(path).read_text(encoding="utf-8"))
        return Commitment(str(entry["root"]), int(entry["n_rows"]), tuple(entry["columns"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--commitment: '{path}' holds no commitment.") from error
