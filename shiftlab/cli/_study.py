"""``shiftlab study``: run a simulation study of explanation disparities from a TOML file."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftlab.cli._shared import file_source

if TYPE_CHECKING:
    from shiftlab.explanation import DisparityStudyResult

__all__ = ["add_parser"]

EXIT_PENDING = 3
EPILOG = """\
examples:
  shiftlab study run study.toml --jobs 2
  shiftlab study status study.toml
  shiftlab study resume study.toml
  shiftlab study report study.toml --out report

Finished cells are kept in the directory that the file names, so that a run that was killed
resumes and repeats at most the cells under way. The report is a page (report.html), a document
(report.json), the study written up in Markdown (ademp.md) and one line per cell and metric
(cells.csv).

a small study.toml:
  [study]
  name = "concept shift"
  replicates = 20
  seed = 1
  [world]
  kind = "concept_shift"
  [grid]
  beta = [-0.5, 1.5]
  include_sensitive = [true, false]

Exit codes: 0 done, 2 usage or input error, 3 cells are pending or failed, 70 internal error,
130 interrupted.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line.

    Parameters
    ----------
    verbs : argparse subparsers
        Where the verb is added.
    """
    parser = verbs.add_parser(
        "study",
        help="simulate how unequal explanations become under shifts between groups",
        description="Simulate how unequal explanations become under shifts between groups.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, action, text in (
        ("run", _run, "run the cells that are not finished"),
        ("resume", _resume, "go on with a study that has begun"),
        ("status", _status, "say what is finished, and how long the rest takes"),
        ("report", _report, "write up what is finished"),
    ):
        added = actions.add_parser(name, help=text, description=text.capitalize() + ".")
        added.set_defaults(run=action, parser=added)
        added.add_argument("config", metavar="CONFIG", help="TOML file that describes the study")
        added.add_argument("--debug", action="store_true", help="show a traceback on errors")
        if name in ("run", "resume"):
            _add_run_options(added)
        elif name == "status":
            added.add_argument("--pilot", type=int, default=0, help="scenarios to time (0)")
        else:
            added.add_argument("--out", default=".", metavar="DIR", help="folder to write to (.)")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=1, help="parallel workers (default: 1)")
    parser.add_argument("--max-cells", type=int, metavar="N", help="run at most N cells now")
    parser.add_argument("--retry-failed", action="store_true", help="run failed cells again")
    parser.add_argument(
        "--on-change",
        choices=("error", "overwrite", "keep"),
        default="error",
        help="what to do with cells of another definition of the study (default: error)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no table")


def _run(options: argparse.Namespace) -> int:
    return _go_on(options, "run")


def _resume(options: argparse.Namespace) -> int:
    return _go_on(options, "resume")


def _go_on(options: argparse.Namespace, method: str) -> int:
    from shiftlab.explanation import study_from_config

    if options.jobs < 1:
        _fail(f"--jobs must be at least 1, found {options.jobs}.")
    folder = Path(options.config).parent
    configured = study_from_config(_read(options.config), base=folder, on_change=options.on_change)
    result = getattr(configured.study, method)(
        n_jobs=options.jobs,
        max_cells=options.max_cells,
        retry_failed=options.retry_failed,
        progress=not options.quiet,
        **configured.run_options,
    )
    if not options.quiet:
        _print_means(result)
        print(f"cells are kept in {configured.directory}")
    return _say(result)


def _status(options: argparse.Namespace) -> int:
    from shiftlab.explanation import study_from_config

    folder = Path(options.config).parent
    study = study_from_config(_read(options.config), base=folder).study
    plan = study.plan(n_pilot=options.pilot)
    for name in ("n_cells", "n_done", "n_failed", "n_pending", "n_fits", "n_explanations"):
        print(f"{name[2:]:>13}: {int(plan[name].sum()):,}")
    seconds = plan["seconds_pending"].sum(skipna=False)
    known = "unknown (--pilot 3 times a few cells)" if seconds != seconds else f"{seconds:,.0f} s"
    print(f"{'time to go':>13}: {known}, one worker")
    return EXIT_PENDING if plan["n_pending"].sum() or plan["n_failed"].sum() else 0


def _report(options: argparse.Namespace) -> int:
    from shiftlab.explanation import study_from_config
    from shiftlab.reporting import Source, study_report

    config = Path(options.config)
    configured = study_from_config(_read(options.config), base=config.parent)
    if configured.run_options:  # further replicates of an adaptive study; nothing is run
        result = configured.study.run(max_cells=0, **configured.run_options)
    else:
        result = configured.study.result()
    source = Source(command=options.command, **file_source(str(options.config)))
    report = study_report(result, source=source)
    try:
        written = [*report.write(options.out)]
        for name, text in (
            ("ademp.md", result.ademp()),
            ("cells.csv", result.to_frame().to_csv(index=False)),
        ):
            written.append(Path(options.out) / name)
            written[-1].write_text(text, encoding="utf-8")
    except OSError as error:
        _fail(f"--out: cannot write to '{options.out}': {error.strerror}.")
    print("\n".join(f"- {finding}" for finding in report.findings))
    print("wrote " + ", ".join(map(str, written)))
    return _say(result)


def _read(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        _fail(f"CONFIG: cannot read '{path}': {error.strerror}.")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        _fail(f"CONFIG: '{path}' is not valid TOML: {error}.")
    return {}


def _print_means(result: "DisparityStudyResult") -> None:
    if result.study.n_done == 0:
        return
    table = result.summary(["signed_gap", "mean_gap"])
    table = table[table["statistic"] == "mean"].drop(columns=["statistic", "n_missing"])
    print(table.round(4).to_string(index=False))


def _say(result: "DisparityStudyResult") -> int:
    """Print what is pending or failed on standard error; return the exit code."""
    study = result.study
    print(
        f"{study.n_done:,} of {study.n_cells:,} cells done, {study.n_failed:,} failed, "
        f"{study.n_pending:,} pending",
        file=sys.stderr,
    )
    return EXIT_PENDING if study.n_failed or study.n_pending else 0


def _fail(message: str) -> None:
    from shiftlab.exceptions import InputError

    raise InputError(message)
