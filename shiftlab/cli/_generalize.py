"""``shiftlab generalize``: fit, use and judge a counterfactually fair model of evolving domains."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftlab.cli._shared import (
    add_reading,
    check_columns,
    existing_columns,
    file_source,
    make_folder,
    read_named_table,
    write_text,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["add_parser"]

EPILOG = """\
examples:
  shiftlab generalize fit loans.csv --outcome repaid --environment month --sensitive sex \\
      --until 18 --model loans.skops
  shiftlab generalize predict loans.skops loans.csv --since 19 --out predictions.csv
  shiftlab generalize counterfactual loans.skops loans.csv --since 19 --to F --out twins.csv
  shiftlab generalize evaluate loans.skops loans.csv --since 19 --outcome repaid --out audit

Several sensitive columns are joined by commas. Rows are chosen by their time with --since and
--until, both included. Exit codes: 0 done, 2 usage or input error, 70 internal error.
"""
#: A column of text with more distinct labels than this keeps the most frequent ones.
MOST_CATEGORIES = 20
#: A numeric outcome with more values than this is predicted as a number.
MOST_CLASSES = 10


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line.

    Parameters
    ----------
    verbs : argparse subparsers
        Where the verb is added.
    """
    parser = verbs.add_parser(
        "generalize",
        help="fit and judge a counterfactually fair model of evolving domains",
        description="Fit, use and judge a counterfactually fair model of evolving domains.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(parser=parser)
    steps = parser.add_subparsers(title="steps", metavar="STEP", required=True)
    _add_fit(steps)
    _add_use(steps, "predict", "score rows", run_predict)
    twin = _add_use(steps, "counterfactual", "rows and scores in another group", run_counterfactual)
    twin.add_argument(
        "--to", required=True, metavar="GROUP[,GROUP]", help="the other group, one per attribute"
    )
    judge = _add_use(steps, "evaluate", "accuracy and fairness in each domain", run_evaluate)
    judge.add_argument("--outcome", required=True, metavar="COL", help="the true labels")
    judge.add_argument("--resamples", type=int, default=50, help="for the bounds (default: 50)")
    judge.add_argument(
        "--correlation", type=float, default=0.0, metavar="SD",
        help="unseen correlation to allow for, in standard deviations (default: 0)",
    )  # fmt: skip
    judge.add_argument("--seed", type=int, default=0, help="seed (default: 0)")


def _add_table(parser: Any) -> None:
    parser.add_argument("table", metavar="TABLE", help="CSV (also .gz) or Parquet file")
    parser.add_argument("--since", metavar="TIME", help="use rows from this time on")
    parser.add_argument("--until", metavar="TIME", help="use rows up to this time")
    add_reading(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    parser.add_argument("--debug", action="store_true", help="show a traceback on errors")


def _add_fit(steps: Any) -> None:
    parser = steps.add_parser("fit", help="fit a model to source domains")
    parser.set_defaults(run=run_fit, parser=parser)
    _add_table(parser)
    parser.add_argument("--outcome", required=True, metavar="COL", help="what is predicted")
    parser.add_argument("--environment", required=True, metavar="COL", help="time of each row")
    parser.add_argument(
        "--sensitive", required=True, action="append", metavar="COL[,COL]",
        help="protected attributes",
    )  # fmt: skip
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="COL[,COL]",
        help="columns to leave out (parts of the outcome, identifiers, ...)",
    )  # fmt: skip
    parser.add_argument("--drift", default="auto", choices=("auto", "flow", "trend", "none"))
    parser.add_argument(
        "--effect", default="auto", choices=("auto", "location", "location-scale", "quantile")
    )
    parser.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    parser.add_argument(
        "--model", default="model.skops", metavar="FILE", help="file to write (model.skops)"
    )


def _add_use(steps: Any, name: str, text: str, run: Any) -> Any:
    parser = steps.add_parser(name, help=text)
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument("model", metavar="MODEL", help="file that `fit` has written")
    _add_table(parser)
    if name == "evaluate":
        parser.add_argument("--out", default=".", metavar="DIR", help="folder (default: .)")
        return parser
    default = {"predict": "predictions.csv", "counterfactual": "twins.csv"}[name]
    parser.add_argument("--out", default=default, metavar="FILE", help=f"file ({default})")
    return parser


def run_fit(options: argparse.Namespace) -> None:
    """Fit a model and write it.

    Parameters
    ----------
    options : Namespace
        The parsed command line.

    Raises
    ------
    InputError
        If a column is missing or the table is not usable.
    """
    from shiftlab._core.persist import save_model

    frame = read_named_table(options)
    names = [str(name) for name in frame.columns]
    sensitive = existing_columns(options.sensitive, names, "--sensitive")
    excluded = existing_columns(options.exclude, names, "--exclude")
    check_columns([options.outcome], names, "--outcome")
    check_columns([options.environment], names, "--environment")
    frame = _between(frame, options.environment, options)
    y = frame[options.outcome]
    if y.isna().any():
        from shiftlab.exceptions import InputError

        raise InputError(f"--outcome: {int(y.isna().sum())} cell(s) are missing; remove the rows.")
    X = frame.drop(columns=[options.outcome, *excluded])
    number = y.dtype.kind in "if" and y.nunique() > MOST_CLASSES
    model = _pipeline(X, sensitive, options, number)
    labels = y.to_numpy(dtype=float) if number else y.to_numpy()
    model.fit(X, labels if labels.dtype != object else labels.astype(str))
    path = save_model(model, options.model)
    if not options.quiet:
        _describe(model, len(X), path)


def _pipeline(
    X: "pd.DataFrame", sensitive: list[str], options: argparse.Namespace, number: bool
) -> Any:
    """Return encoder and model as one estimator."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    from shiftlab.generalization import (
        CounterfactuallyFairClassifier,
        CounterfactuallyFairRegressor,
    )

    features = [c for c in X.columns if c not in (*sensitive, options.environment)]
    numbers = [c for c in features if X[c].dtype.kind in "iufb"]
    texts = [c for c in features if c not in numbers]
    categories = OneHotEncoder(
        handle_unknown="ignore", sparse_output=False, max_categories=MOST_CATEGORIES
    )
    encoder = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("categories", categories, texts),
            ("others", "passthrough", [*sensitive, options.environment]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    kind = CounterfactuallyFairRegressor if number else CounterfactuallyFairClassifier
    fair = kind(
        sensitive_features=sensitive,
        environment=options.environment,
        drift=options.drift,
        effect=options.effect,
        random_state=options.seed,
    )
    return Pipeline([("encoder", encoder), ("model", fair)])


def _describe(model: Any, n_rows: int, path: Path) -> None:
    fair = model[-1]
    print(
        f"fitted to {n_rows:,} rows of {len(fair.source_times_)} domains; drift: {fair.drift_}; "
        f"groups: {', '.join(map(str, fair.groups_)) or 'numeric attribute'}; "
        f"effects: {fair.abduction_.maps.kind}"
    )
    for row in fair.selection_.table:
        if "loss" in row:
            kept = "kept" if row["keep_mean"] else "taken out"
            print(
                f"  mean {kept}, degree {row['degree']}: loss {row['loss']:.3f}, "
                f"gap of groups {row['gap']:.3f}"
            )
    print(f"wrote {path}")


def run_predict(options: argparse.Namespace) -> None:
    """Score rows and write them.

    Parameters
    ----------
    options : Namespace
        The parsed command line.

    Raises
    ------
    InputError
        If the model or the table is not usable.
    """
    import pandas as pd

    model, frame = _load(options)
    fair = model[-1]
    X = frame[list(model.feature_names_in_)]
    kept = frame[[fair.environment, *fair.sensitive_features]].reset_index(drop=True)
    columns = {"y_pred": model.predict(X)}
    if hasattr(fair, "predict_proba"):
        scores = model.predict_proba(X)
        names = [f"score_{label}" for label in fair.classes_]
        columns |= dict(zip(names, scores.T, strict=True))
    _write(pd.concat([kept, pd.DataFrame(columns)], axis=1), options)


def run_counterfactual(options: argparse.Namespace) -> None:
    """Write the encoded features and scores of rows in another group.

    Parameters
    ----------
    options : Namespace
        The parsed command line.

    Raises
    ------
    InputError
        If the model, the table or the group is not usable.
    """
    model, frame = _load(options)
    fair = model[-1]
    encoded = model[:-1].transform(frame[list(model.feature_names_in_)]).reset_index(drop=True)
    names = [part.strip() for part in options.to.split(",")]
    if len(names) != len(fair.sensitive_features):
        from shiftlab.exceptions import InputError

        raise InputError(f"--to needs one group for each of {', '.join(fair.sensitive_features)}.")
    twins = fair.counterfactual(encoded, to=tuple(names))
    score = fair.predict_proba if hasattr(fair, "predict_proba") else fair.predict
    scores = {f"score_of_{k}": score(t) for k, t in (("row", encoded), ("twin", twins))}
    twins = twins.assign(**{k: v[:, -1] if v.ndim == 2 else v for k, v in scores.items()})
    _write(twins, options)


def run_evaluate(options: argparse.Namespace) -> None:
    """Judge a model on rows with known outcome; write a page and a document, print a table.

    Parameters
    ----------
    options : Namespace
        The parsed command line.

    Raises
    ------
    InputError
        If the model or the table is not usable.
    """
    import warnings

    from shiftlab.exceptions import InputError, ShiftlabWarning
    from shiftlab.generalization import evaluate_generalization

    make_folder(options.out)
    model, frame = _load(options)
    fair = model[-1]
    if not hasattr(fair, "predict_proba"):
        raise InputError("evaluate is for classifiers; predict writes the numbers of a regressor.")
    check_columns([options.outcome], list(frame.columns), "--outcome")
    encoded = model[:-1].transform(frame[list(model.feature_names_in_)]).reset_index(drop=True)
    y = frame[options.outcome].to_numpy()
    y = y.astype(fair.classes_.dtype) if y.dtype != fair.classes_.dtype else y
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ShiftlabWarning)
        found = evaluate_generalization({"fair model": fair}, encoded, y)
        told = list(dict.fromkeys(str(w.message) for w in caught))
        report = _report(fair, encoded, y, found, told, options)
    report.write(options.out)
    if not options.quiet:
        shown = found.to_frame().drop(columns=["model", "unfairness"])
        print(shown.round(3).to_string(index=False))
        print("\n".join(f"- {finding}" for finding in report.findings))
        print(f"wrote generalization.html, generalization.json to {options.out}")


def _report(
    fair: Any,
    encoded: "pd.DataFrame",
    y: Any,
    found: Any,
    told: list[str],
    options: argparse.Namespace,
) -> Any:
    """Add effects, bounds and forecasts to the evaluation and write it up."""
    import numpy as np

    from shiftlab.generalization import counterfactual_bounds, counterfactual_effects
    from shiftlab.reporting import Source, generalization_report

    common = {"n_resamples": options.resamples, "random_state": options.seed}
    effects = bounds = None
    if fair.groups_:
        effects = counterfactual_effects(fair, encoded, correlation=options.correlation, **common)
    if fair.groups_ and len(fair.classes_) == 2:
        bounds = counterfactual_bounds(fair, encoded, y=y, **common)
    judged = sorted({row["domain"] for row in found.rows})
    chosen = dict(vars(fair.selection_.chosen))
    return generalization_report(
        found,
        effects=effects,
        bounds=bounds,
        forecast=fair.forecast(np.union1d(fair.source_times_, judged)),
        trajectories=fair.trajectories(np.union1d(fair.source_times_, judged)),
        warnings=told,
        options=chosen | {"effect": fair.abduction_.maps.kind, "outcome": options.outcome},
        source=Source(command=options.command, **file_source(options.table)),
    )


def _load(options: argparse.Namespace) -> tuple[Any, "pd.DataFrame"]:
    from shiftlab._core.persist import load_model
    from shiftlab.exceptions import InputError

    model = load_model(options.model)
    fair = model[-1] if hasattr(model, "steps") else None
    if fair is None or not hasattr(fair, "abduction_"):
        raise InputError(f"MODEL: {options.model} was not written by `shiftlab generalize fit`.")
    frame = read_named_table(options)
    check_columns(model.feature_names_in_, list(frame.columns), "TABLE")
    return model, _between(frame, fair.environment, options)


def _between(frame: "pd.DataFrame", column: str, options: argparse.Namespace) -> "pd.DataFrame":
    from shiftlab.exceptions import InputError
    from shiftlab.generalization._times import read_times

    times = read_times(frame[column], len(frame))
    keep = times == times
    if options.since is not None:
        keep &= times >= read_times(options.since, 1)[0]
    if options.until is not None:
        keep &= times <= read_times(options.until, 1)[0]
    if not keep.any():
        raise InputError("--since and --until leave no rows.")
    return frame[keep].reset_index(drop=True)


def _write(frame: "pd.DataFrame", options: argparse.Namespace) -> None:
    write_text(options.out, frame.to_csv(index=False))
    if not options.quiet:
        print(f"wrote {len(frame):,} rows to {options.out}")
