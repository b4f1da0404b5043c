"""``shiftlab audit stress``: manipulated samples, to try one's own audit on."""

import argparse
from typing import Any

from shiftlab.cli._audit_shared import add_columns, new_parser, read_frame
from shiftlab.cli._shared import add_reading, split_columns, write_text

__all__ = ["add_parser"]

STRATEGIES = ("replace", "match", "entropic", "stealthy", "case_control", "optimal")
EPILOG = """\
example:
  shiftlab audit stress population.csv --decision yhat --sensitive sex --strategy entropic \\
      --m 1000 --out attack.csv

The strategies that cross a model's boundary need the model itself: see manipulate in Python. Next
to the sample stands a file with the ending .stamp.json, which says that the sample is synthetic.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb below ``shiftlab audit``."""
    parser = new_parser(verbs, "stress", "manipulated samples to try an audit on", EPILOG)
    parser.set_defaults(run=run)
    parser.add_argument("data", metavar="POPULATION", help="CSV or Parquet file; or -")
    add_columns(parser)
    add_reading(parser)
    parser.add_argument("--strategy", choices=STRATEGIES, default="entropic", help="the attack")
    parser.add_argument("--target", type=float, default=0.8, help="impact ratio to show (0.8)")
    parser.add_argument("--m", type=int, metavar="N", help="rows of the sample")
    parser.add_argument("--tries", type=int, default=30, help="draws until it shows (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    parser.add_argument("--out", metavar="FILE", required=True, help="CSV to write; or -")


def run(options: argparse.Namespace) -> int:
    """Make a manipulated sample and write it with its stamp."""
    import sys

    from shiftlab._core.results import canonical_json
    from shiftlab.auditing import manipulate
    from shiftlab.exceptions import InputError

    if options.decision is None or not options.sensitive:
        raise InputError(
            "--decision and --sensitive are needed: the columns with decision and group."
        )
    if options.counts:
        raise InputError("stress needs rows; --counts cannot be used.")
    frame = read_frame(options.data, options)
    features = split_columns(options.sensitive, list(frame.columns))
    sample = manipulate(
        frame,
        options.target,
        strategy=options.strategy,
        decision=options.decision,
        sensitive_features=features if len(features) > 1 else features[0],
        n_samples=options.m,
        pos_label=options.pos_label,
        n_tries=options.tries,
        random_state=options.seed,
    )
    write_text(options.out, sample.data.to_csv(index=False))
    stamp = canonical_json(sample.to_dict(), indent=1) + "\n"
    if options.out == "-":
        sys.stderr.write(stamp)
    else:
        write_text(f"{options.out}.stamp.json", stamp)
        print(sample)
    return 0
