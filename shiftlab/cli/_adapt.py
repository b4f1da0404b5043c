"""``shiftlab adapt``: fit a model that adapts to environments, predict with it, explain it."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from shiftlab.cli._shared import (
    add_output,
    add_reading,
    check_columns,
    existing_columns,
    file_source,
    make_folder,
    read_named_table,
    split_columns,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["add_parser"]

EXIT_OUTSIDE = 3
EPILOG = """\
examples:
  shiftlab adapt fit rides.csv --outcome rentals --environment day --cv blocked --out model
  shiftlab adapt predict model/model.skops new_day.csv --out predicted --interval 0.9
  shiftlab adapt explain model/model.skops new_day.csv --out explained

The environment of new rows need not be known: a table without that column is one environment.
Several columns are joined by commas or named by repeating the option.

Exit codes: 0 done, 2 usage or input error, 3 (explain) an environment lies outside the training
range, 70 internal error, 130 interrupted.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line.

    Parameters
    ----------
    verbs : argparse subparsers
        Where the verb is added.
    """
    parser = verbs.add_parser(
        "adapt",
        help="predict in new environments with covariates and coefficients that suit them",
        description="Predict in new environments with covariates and coefficients that suit them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_fit(actions)
    for name, action, text in (
        ("predict", _predict, "predict the outcome of new rows"),
        ("explain", _explain, "tell which covariates suit new environments, and why"),
    ):
        added = actions.add_parser(name, help=text, description=text.capitalize() + ".")
        added.set_defaults(run=action, parser=added)
        added.add_argument("model", metavar="MODEL", help="file written by adapt fit")
        added.add_argument("table", metavar="TABLE", help="CSV (also .gz) or Parquet file")
        if name == "predict":
            added.add_argument(
                "--interval", type=float, metavar="COVERAGE",
                help="add prediction intervals (numbers only), for instance 0.9",
            )  # fmt: skip
        _add_common(added)


def _add_fit(actions: Any) -> None:
    parser = actions.add_parser(
        "fit", help="learn from labelled environments",
        description="Learn from labelled environments.",
    )  # fmt: skip
    parser.set_defaults(run=_fit, parser=parser)
    parser.add_argument("table", metavar="TABLE", help="CSV (also .gz) or Parquet file")
    parser.add_argument("--outcome", required=True, metavar="COL", help="what is predicted")
    parser.add_argument(
        "--environment", required=True, metavar="COL", help="where a row comes from"
    )
    parser.add_argument(
        "--task", choices=("auto", "regression", "classification"), default="auto",
        help="default: classification if the outcome is text or has two values",
    )  # fmt: skip
    parser.add_argument(
        "--strategy",
        choices=("auto", "select", "mix", "mask", "coefficients", "pooled", "causal"),
        default="auto",
        help="how to adapt (default: auto)",
    )
    for option, text in (
        ("--always", "known causes, always used"),
        ("--never", "columns of the table that are kept out of every model"),
        ("--exclude", "columns to ignore (identifiers, parts of the outcome)"),
    ):
        parser.add_argument(option, action="append", default=[], metavar="COL[,COL]", help=text)
    parser.add_argument(
        "--selector", choices=("risk", "regret", "argmin", "network", "deepsets"),
        help="how subsets and gates are told from a batch; deepsets needs torch (default: risk; "
        "mask: linear and network)",
    )  # fmt: skip
    parser.add_argument(
        "--summary", default="moments",
        help="summaries of a batch, joined by commas: means, moments, correlations, paper, "
        "quantiles, missing (default: moments)",
    )  # fmt: skip
    parser.add_argument(
        "--cv", default="5", help="folds of environments, 'blocked' or 'leave_one_out' (default: 5)"
    )
    parser.add_argument(
        "--outside", choices=("warn", "causal", "pooled", "nan", "ignore"), default="warn",
        help="for environments outside the training range (default: warn)",
    )  # fmt: skip
    parser.add_argument(
        "--no-guard", action="store_true", help="adapt even where it does not beat the pooled model"
    )
    parser.add_argument("--jobs", type=int, default=1, help="parallel workers (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    _add_common(parser)


def _add_common(parser: Any) -> None:
    add_reading(parser)
    add_output(parser, "no summary")


def _fit(options: argparse.Namespace) -> None:
    """Fit a model and write it with what was found about the strategies."""
    from shiftlab._core.persist import save_model
    from shiftlab._core.results import canonical_json

    folder = make_folder(options.out)
    frame = read_named_table(options)
    known = [str(name) for name in frame.columns]
    X, y = _split(frame, options, known)
    model = _model(options, y, known).fit(X, y)
    found = model.identifiability()
    path = save_model(model, folder / "model.skops")
    document = {
        "command": options.command,
        "table": file_source(options.table),
        "outcome": options.outcome,
        "environment": options.environment,
        "n_environments": len(model.environments_),
        "strategy": model.strategy_,
        "strategy_weights": model.strategy_weights_,
        "identifiability": found.to_dict(),
    }
    report = folder / "fit.json"
    report.write_text(canonical_json(document, indent=2) + "\n", encoding="utf-8")
    if not options.quiet:
        print(found.to_frame().to_string(index=False, float_format=lambda v: f"{v:.4g}"))
        print(f"- {found.verdict}")
    print(f"wrote {path} and {report}", file=sys.stderr if options.quiet else sys.stdout)


def _split(
    frame: "pd.DataFrame", options: argparse.Namespace, known: list[str]
) -> tuple["pd.DataFrame", Any]:
    from shiftlab.exceptions import InputError

    excluded = existing_columns(options.exclude, known, "--exclude")
    check_columns([options.outcome], known, "--outcome")
    check_columns([options.environment], known, "--environment")
    n_missing = int(frame[options.outcome].isna().sum())
    if n_missing:
        raise InputError(
            f"--outcome: {options.outcome!r} has {n_missing} missing value(s); remove these rows."
        )
    X = frame.drop(columns=[*excluded, options.outcome])
    return X, frame[options.outcome].to_numpy()


def _model(options: argparse.Namespace, y: Any, known: list[str]) -> Any:
    import numpy as np

    from shiftlab.adaptation import EnvironmentAdaptiveClassifier, EnvironmentAdaptiveRegressor
    from shiftlab.exceptions import InputError

    numeric = np.asarray(y).dtype.kind in "iuf"
    task = options.task
    if task == "auto":
        few = not numeric or len(np.unique(y)) == 2
        task = "classification" if few else "regression"
    if task == "regression" and not numeric:
        raise InputError("--outcome is text; choose --task classification.")
    kind = EnvironmentAdaptiveRegressor if task == "regression" else EnvironmentAdaptiveClassifier
    cv = int(options.cv) if options.cv.isdigit() else options.cv
    return kind(
        strategy=options.strategy, always_include=split_columns(options.always, known),
        never_include=split_columns(options.never, known), selector=options.selector,
        summary=[word.strip() for word in options.summary.split(",")], cv=cv,
        guard=None if options.no_guard else "pooled", outside=options.outside,
        environment=options.environment, n_jobs=options.jobs, random_state=options.seed,
    )  # fmt: skip


def _load(options: argparse.Namespace) -> tuple[Any, "pd.DataFrame", "pd.DataFrame"]:
    """Return the model, the table, and its covariates in the order of training."""
    from shiftlab._core.persist import load_model
    from shiftlab.exceptions import InputError

    model = load_model(options.model)
    if not hasattr(model, "explain_shift"):
        raise InputError(f"model: {options.model} holds no model of adapt fit.")
    frame = read_named_table(options)
    X = frame.copy()
    if model.environment not in X:
        X[model.environment] = "batch"
    check_columns(model.feature_names_in_, list(X.columns), "table")
    return model, frame, X[list(model.feature_names_in_)]


def _predict(options: argparse.Namespace) -> None:
    """Predict and write the table with the predictions added."""
    from shiftlab.exceptions import InputError

    model, frame, X = _load(options)
    out = frame.copy()
    if hasattr(model, "predict_proba"):
        if options.interval is not None:
            raise InputError("--interval is for outcomes that are numbers.")
        probabilities = model.predict_proba(X)
        for label, column in zip(model.classes_, probabilities.T, strict=True):
            out[f"probability_{label}"] = column
    out["prediction"] = model.predict(X)
    if options.interval is not None:
        ends = model.predict_interval(X, coverage=options.interval)
        out["prediction_low"], out["prediction_high"] = ends[:, 0], ends[:, 1]
    path = make_folder(options.out) / "predictions.csv"
    out.to_csv(path, index=False)
    print(f"wrote {path}", file=sys.stderr if options.quiet else sys.stdout)


def _explain(options: argparse.Namespace) -> int:
    """Write a page: which covariates suit which environment, what is unusual, and the evidence."""
    from shiftlab.reporting import Source, adaptation_report

    model, frame, X = _load(options)
    folder = make_folder(options.out)
    source = Source(command=options.command, **file_source(options.table))
    report = adaptation_report(model, X, source=source)
    report.write(folder)
    data = report.to_dict()
    tables = {
        "selection.csv": data["adaptation_selection"]["environments"],
        "shift.csv": data["adaptation_shift"]["deviations"],
    }
    for name, records in tables.items():
        type(frame)(records).to_csv(folder / name, index=False)
    outside = data["adaptation_space"]["outside"]
    if not options.quiet:
        print("\n".join(f"- {finding}" for finding in report.findings))
    names = "adaptation.html, adaptation.json, selection.csv and shift.csv"
    print(f"wrote {names} to {folder}", file=sys.stderr if options.quiet else sys.stdout)
    return EXIT_OUTSIDE if outside else 0
