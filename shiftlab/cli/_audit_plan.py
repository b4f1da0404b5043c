"""``shiftlab audit frontier`` and ``plan``: what a sample can hide, and how large it must be."""

import argparse
from typing import TYPE_CHECKING, Any

from shiftlab.cli._audit_shared import METRICS, add_columns, new_parser, read_counts
from shiftlab.cli._shared import add_reading, split_columns, write_text

if TYPE_CHECKING:
    from shiftlab.metrics import GroupCounts

__all__ = ["add_parser"]

FRONTIER_EPILOG = """\
example:
  shiftlab audit frontier population.csv --decision yhat --sensitive sex --m 500,1000,2000
"""
PLAN_EPILOG = """\
examples:
  shiftlab audit plan population.csv --decision yhat --sensitive sex --power 0.9
  shiftlab audit plan --rates 0.10,0.33 --shares 0.33,0.67 --rows 5000 --target 0.8
"""


def add_parser(verbs: Any) -> None:
    """Add both verbs below ``shiftlab audit``."""
    parser = new_parser(
        verbs, "frontier", "the best metric that a sample can show undetected", FRONTIER_EPILOG
    )
    parser.set_defaults(run=run_frontier)
    _add_population(parser)
    parser.add_argument("--m", metavar="N[,N]", help="sample sizes (default: a grid)")
    parser.add_argument("--threshold", type=float, default=0.8, help="least value that complies")
    parser.add_argument(
        "--tests", default="cells_g,directional", help="cells_g, directional or both (default)"
    )
    parser.add_argument(
        "--method",
        choices=("auto", "closed-form", "exact"),
        default="auto",
        help="for cells_g: equation, or search over whole tables",
    )
    parser.add_argument("--figure", metavar="FILE", help="picture (png, svg or pdf)")

    parser = new_parser(verbs, "plan", "the smallest sample that exposes a claim", PLAN_EPILOG)
    parser.set_defaults(run=run_plan)
    _add_population(parser)
    parser.add_argument("--target", type=float, default=0.8, help="value claimed (default: 0.8)")
    parser.add_argument("--power", type=float, default=0.9, help="of detection (default: 0.9)")
    parser.add_argument(
        "--test", choices=("directional", "cells_g"), default="directional", help="the test"
    )
    parser.add_argument(
        "--attacker",
        choices=("random", "selective", "deterministic"),
        default="random",
        help="submits any draw, only draws that show the target, or the best table",
    )
    parser.add_argument("--rates", metavar="P,P", help="selection rates, instead of a file")
    parser.add_argument("--shares", metavar="Q,Q", help="shares of the groups")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the population")
    parser.add_argument("--figure", metavar="FILE", help="picture (png, svg or pdf)")


def _add_population(parser: Any) -> None:
    parser.add_argument("data", nargs="?", metavar="POPULATION", help="CSV or Parquet file; or -")
    add_columns(parser)
    add_reading(parser)
    parser.add_argument("--metric", choices=METRICS, default=METRICS[0], help="what is claimed")
    parser.add_argument(
        "--regime",
        choices=("full", "independent"),
        default="full",
        help="whether the file is the population or an independent sample of it",
    )
    parser.add_argument("--alpha", type=float, default=0.05, help="level of the test (0.05)")
    parser.add_argument("--out", metavar="FILE", help="JSON document; - for standard output")


def run_frontier(options: argparse.Namespace) -> int:
    """Print the frontier."""
    from shiftlab.auditing import frontier
    from shiftlab.exceptions import InputError

    if options.data is None:
        raise InputError("name a file with the population.")
    counts = read_counts(options.data, options)
    result = frontier(
        counts,
        None if options.m is None else _numbers(options.m, "--m", int),
        metric=options.metric,
        threshold=options.threshold,
        tests=split_columns([options.tests]),
        regime=options.regime,
        alpha=options.alpha,
        method=options.method,
    )
    _finish(result, options)
    return 0


def run_plan(options: argparse.Namespace) -> int:
    """Print the plan."""
    from shiftlab.auditing import plan_sample_size
    from shiftlab.exceptions import InputError

    if (options.data is None) == (options.rates is None):
        raise InputError("name a file with the population, or give --rates and --shares.")
    counts = read_counts(options.data, options) if options.data else _assumed(options)
    result = plan_sample_size(
        counts,
        options.target,
        metric=options.metric,
        power=options.power,
        test=options.test,
        attacker=options.attacker,
        regime=options.regime,
        alpha=options.alpha,
    )
    _finish(result, options)
    return 0 if result.m is not None else 3


def _assumed(options: argparse.Namespace) -> "GroupCounts":
    """Make up the counts of a population that is only assumed."""
    from shiftlab.exceptions import InputError
    from shiftlab.metrics import GroupCounts

    rates = _numbers(options.rates, "--rates", float)
    shares = _numbers(options.shares, "--shares", float) if options.shares else []
    if len(rates) < 2 or len(rates) != len(shares) or abs(sum(shares) - 1) > 1e-6:
        raise InputError("--rates and --shares need one number per group, shares adding up to 1.")
    if not all(0 <= rate <= 1 for rate in rates):
        raise InputError("--rates must lie between 0 and 1.")
    sizes = [round(options.rows * share) for share in shares]
    chosen = [round(n * rate) for n, rate in zip(sizes, rates, strict=True)]
    names = [f"group {i + 1}" for i in range(len(rates))]
    return GroupCounts.from_frame({"group": names, "n": sizes, "selected": chosen}, "group")


def _numbers(text: str, name: str, kind: Any) -> list[Any]:
    from shiftlab.exceptions import InputError

    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{name}: write numbers joined by commas, found {text!r}.") from error


def _finish(result: Any, options: argparse.Namespace) -> None:
    if options.out:
        write_text(options.out, result.to_json(indent=1) + "\n")
    if options.out != "-":
        print(result)
    if options.figure:
        _draw(result, options.figure)


def _draw(result: Any, path: str) -> None:
    import matplotlib

    from shiftlab.exceptions import InputError

    matplotlib.use("Agg")
    figure = result.plot().figure
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"--figure: cannot write '{path}': {error}.") from error
