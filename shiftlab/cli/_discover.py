"""``shiftlab discover``: find a causal graph in a table with environments, and write it up."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftlab.cli._shared import (
    add_output,
    add_reading,
    existing_columns,
    file_source,
    lending_example,
    make_folder,
    read_named_table,
)

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.discovery import BootstrapSupport, DiscoveryResult

__all__ = ["add_parser"]

EPILOG = """\
examples:
  shiftlab discover --example
  shiftlab discover patients.csv --environment hospital
  shiftlab discover sensors.csv --environment timestamp --environment-type time
  shiftlab discover loans.parquet --environment region,year --knowledge order.json --bootstrap 50

a small order.json (what comes later causes nothing earlier):
  {"tiers": [["age", "sex"], ["income", "debt"], ["repaid"]], "forbidden": [["debt", "income"]]}

Written to the folder --out: discovery.html (the page), discovery.json (every number), graph.json,
graph.dot, graph.graphml and edges.csv. Exit codes: 0 done, 2 usage or input error, 70 internal
error.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line.

    Parameters
    ----------
    verbs : argparse subparsers
        Where the verb is added.
    """
    parser = verbs.add_parser(
        "discover",
        help="find what causes what, and which mechanisms change between environments",
        description="Find what causes what, and which mechanisms change between environments.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    spelled = {"missing": "--missing-cells", "categorical_features": "--categorical"}
    parser.set_defaults(run=run, parser=parser, spelled=spelled)
    parser.add_argument("table", nargs="?", metavar="TABLE", help="CSV (also .gz) or Parquet file")
    parser.add_argument("--example", action="store_true", help="use the simulated table 'lending'")
    _add_columns(parser.add_argument_group("columns"))
    _add_search(parser.add_argument_group("search"))
    add_output(parser)


def _add_columns(group: Any) -> None:
    def several(name: str, text: str) -> None:
        group.add_argument(name, action="append", default=[], metavar="COL[,COL]", help=text)

    several("--environment", "where or when a row was recorded; several columns are combined")
    group.add_argument(
        "--environment-type",
        choices=("auto", "categorical", "time"),
        default="auto",
        help="how the environment is read (default: auto)",
    )
    several("--columns", "the variables (default: all other columns)")
    several("--exclude", "columns to leave out (identifiers, bookkeeping)")
    several("--categorical", "columns of numbers that are codes")
    group.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME=COL,COL",
        help="columns that form one variable together (repeat for further ones)",
    )
    group.add_argument(
        "--missing-cells",
        choices=("raise", "pairwise"),
        default="raise",
        help="pairwise: each test uses the rows complete in it (default: raise)",
    )
    add_reading(group)


def _add_search(group: Any) -> None:
    group.add_argument("--test", default="kernel", metavar="NAME", help="see the guide (kernel)")
    group.add_argument("--alpha", type=float, default=0.05, help="level of each test (0.05)")
    group.add_argument("--max-cond", type=int, default=3, help="largest conditioning set (3)")
    group.add_argument(
        "--orient",
        choices=("changes", "invariance", "skeleton"),
        default="changes",
        help="last phase of the orientation (default: changes)",
    )
    group.add_argument(
        "--margin", type=float, default=1.0, help="for directions by independent changes (1.0)"
    )
    group.add_argument(
        "--correction", choices=("none", "fdr"), default="none", help="over edges (default: none)"
    )
    group.add_argument("--knowledge", metavar="FILE", help=".json, .toml or Tetrad's text format")
    group.add_argument(
        "--bootstrap", type=int, default=0, metavar="N", help="repeat on N resamples (0)"
    )
    group.add_argument("--max-rows", type=int, metavar="N", help="use a random part of the rows")
    group.add_argument("--seed", type=int, default=0, help="of resamples and --max-rows (0)")
    group.add_argument("--jobs", type=int, default=1, help="parallel resamples (default: 1)")


def run(options: argparse.Namespace) -> None:
    """Search and write the files.

    Parameters
    ----------
    options : Namespace
        The parsed command line.

    Raises
    ------
    InputError
        If the table or an option is not usable.
    """
    from shiftlab.reporting import Source, discovery_report

    make_folder(options.out)
    frame, source = _read(options)
    n_read = len(frame)
    frame = _part(frame, options)
    result, support = _search(frame, options)
    report = discovery_report(
        result,
        support=support,
        source=Source(command=options.command, **source),
        n_rows=len(frame),
    )
    report.write(options.out)
    names = _write_graphs(result, Path(options.out))
    if not options.quiet:
        print("\n".join(f"- {finding}" for finding in report.findings))
        if n_read > len(frame):
            print(f"- {len(frame):,} of {n_read:,} rows were used (--max-rows).")
    written = ", ".join(["discovery.html", "discovery.json", *names])
    print(f"wrote {written} to {options.out}", file=sys.stderr if options.quiet else sys.stdout)


def _read(options: argparse.Namespace) -> "tuple[pd.DataFrame, dict[str, str]]":
    from shiftlab.exceptions import InputError

    if options.example:
        options.environment = options.environment or ["region"]
        options.missing_cells = "pairwise"  # some incomes are missing in it
        return lending_example(options)
    if options.table is not None and not options.environment:
        raise InputError("--environment is needed: the column that tells where a row comes from.")
    return read_named_table(options), file_source(options.table)


def _part(frame: "pd.DataFrame", options: argparse.Namespace) -> "pd.DataFrame":
    """Keep the chosen columns and, if asked for, a random part of the rows."""
    from shiftlab._core.checks import check_integer

    names = [str(name) for name in frame.columns]
    chosen = {
        option: existing_columns(getattr(options, option), names, f"--{option}")
        for option in ("environment", "columns", "exclude", "categorical")
    }
    options.environment, options.categorical = chosen["environment"], chosen["categorical"]
    kept = [
        name
        for name in names
        if name in chosen["environment"]
        or (name in (chosen["columns"] or names) and name not in chosen["exclude"])
    ]
    frame = frame[kept]
    if options.max_rows is not None and check_integer(options.max_rows, "--max-rows") < len(frame):
        frame = frame.sample(options.max_rows, random_state=options.seed).sort_index()
    return frame


def _search(
    frame: "pd.DataFrame", options: argparse.Namespace
) -> "tuple[DiscoveryResult, BootstrapSupport | None]":
    from shiftlab.discovery import CDNOD, BootstrapDiscovery
    from shiftlab.exceptions import InputError
    from shiftlab.graphs import Knowledge

    if options.bootstrap < 0:
        raise InputError(f"--bootstrap must not be negative, found {options.bootstrap}.")
    environment = options.environment
    model = CDNOD(
        options.test,
        options.alpha,
        environment=environment[0] if len(environment) == 1 else environment,
        environment_type=options.environment_type,
        max_cond=options.max_cond,
        orient=options.orient,
        margin=options.margin,
        correction=options.correction,
        knowledge=Knowledge.from_file(options.knowledge) if options.knowledge else None,
        categorical_features=options.categorical,
        missing=options.missing_cells,
        progress=not options.quiet,
    )
    groups = _groups(options.group, [str(name) for name in frame.columns])
    if not options.bootstrap:
        return model.fit(frame, groups=groups).result_, None
    repeated = BootstrapDiscovery(
        model,
        n_resamples=options.bootstrap,
        random_state=options.seed,
        n_jobs=options.jobs,
        progress=not options.quiet,
    ).fit(frame, groups=groups)
    return repeated.estimator_.result_, repeated.support_


def _groups(given: list[str], names: list[str]) -> dict[str, list[str]]:
    """Read NAME=COL,COL."""
    from shiftlab.exceptions import InputError

    found = {}
    for text in given:
        name, separator, columns = text.partition("=")
        if not (name and separator and columns):
            raise InputError(f"--group must look like NAME=COL,COL, found {text!r}.")
        if name in found:
            raise InputError(f"--group names {name!r} twice.")
        found[name] = existing_columns([columns], names, "--group")
    return found


def _write_graphs(result: "DiscoveryResult", folder: Path) -> list[str]:
    texts = {
        "graph.json": result.augmented.to_json(indent=1) + "\n",
        "graph.dot": result.augmented.to_dot() + "\n",
        "graph.graphml": result.augmented.to_graphml() + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    result.to_frame().to_csv(folder / "edges.csv", index=False)
    return [*texts, "edges.csv"]
