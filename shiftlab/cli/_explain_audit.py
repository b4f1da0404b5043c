"""Steps of ``shiftlab explain audit``: inputs, explanations, comparison, report."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftlab.cli._shared import (
    existing_columns,
    file_source,
    lending_example,
    read_named_table,
)
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.reporting import ExplanationReport

__all__ = ["AuditInputs", "audit", "read_inputs"]


@dataclass(frozen=True)
class AuditInputs:
    """What an audit starts from.

    Attributes
    ----------
    frame : pandas.DataFrame
        Rows to explain.
    train : pandas.DataFrame
        Table for the scales of the explainer.
    model : object or None
        The black box; None if predictions come with the table.
    model_name : str
        The same in words.
    features : list of str
        Inputs of the model.
    sensitive : list of str
        Columns of the groups.
    source : dict
        Name and hash of the table.
    """

    frame: "pd.DataFrame"
    train: "pd.DataFrame"
    model: Any
    model_name: str
    features: list[str]
    sensitive: list[str]
    source: dict[str, str]


def read_inputs(options: argparse.Namespace) -> AuditInputs:
    """Read table and model, and find out which columns are what."""
    if options.example:
        return _example(options)
    if options.table is not None and not options.sensitive:
        raise InputError("--sensitive is needed: the column(s) that tell the groups apart.")
    frame = read_named_table(options)
    names = [str(name) for name in frame.columns]
    sensitive = existing_columns(options.sensitive, names, "--sensitive")
    model, model_name = _model(options)
    features = _features(options, model, names, sensitive) if model is not None else []
    train = frame
    if options.train:
        from shiftlab._core.files import read_table

        train = read_table(options.train, missing=options.missing, encoding=options.encoding)
    source = file_source(options.table)
    for name in features:
        if name not in train:
            raise InputError(f"--train: the table has no column {name!r}.")
    frame = _draw(frame, options)
    return AuditInputs(frame, train, model, model_name, features, sensitive, source)


def _draw(frame: "pd.DataFrame", options: argparse.Namespace) -> "pd.DataFrame":
    if options.max_rows < 1:
        raise InputError(f"--max-rows must be at least 1, found {options.max_rows}.")
    if len(frame) <= options.max_rows:
        return frame
    import numpy as np

    rng = np.random.default_rng(options.seed)
    rows = np.sort(rng.choice(len(frame), options.max_rows, replace=False))
    return frame.iloc[rows].reset_index(drop=True)


def _model(options: argparse.Namespace) -> tuple[Any, str]:
    from shiftlab.cli._explain_models import CommandModel, load_black_box

    if options.model and options.scorer:
        raise InputError("--model and --scorer exclude each other.")
    if options.model:
        return load_black_box(options.model, options.trusted), Path(options.model).name
    if options.scorer:
        return CommandModel(options.scorer), f"the command {options.scorer!r}"
    if options.prediction and options.surrogate:
        return None, f"the column {options.prediction!r}"
    raise InputError(
        "give the model: --model FILE (skops or ONNX) or --scorer COMMAND; or, for explanations "
        "that exist already, --prediction COL and --surrogate COL."
    )


def _features(
    options: argparse.Namespace, model: Any, names: list[str], sensitive: list[str]
) -> list[str]:
    if options.features:
        return existing_columns(options.features, names, "--features")
    known = getattr(model, "feature_names_in_", None)
    known = getattr(model, "features", None) if known is None else known
    if known is not None:
        missing = [name for name in known if name not in names]
        if missing:
            raise InputError(f"--model needs the column {missing[0]!r}, which the table lacks.")
        return [str(name) for name in known]
    excluded = {*existing_columns(options.exclude, names, "--exclude"), *sensitive}
    excluded |= {name for name in (options.prediction, options.surrogate) if name}
    rest = [name for name in names if name not in excluded]
    if not rest:
        raise InputError("--exclude leaves no column as an input of the model.")
    return rest


def _example(options: argparse.Namespace) -> AuditInputs:
    """Train a model on the simulated table; the second half of the rows is explained."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame, source = lending_example(options)
    outside = ("repaid", "approved", "sex", "region")
    features = [
        name for name in frame.columns if name not in outside and frame[name].dtype.kind in "fi"
    ]
    half = len(frame) // 2
    train, test = frame.iloc[:half], frame.iloc[half:].reset_index(drop=True)
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    model.fit(train[features], train["repaid"])
    options.max_rows = min(options.max_rows, 600)
    return AuditInputs(
        _draw(test, options), train, model, "boosted trees", features, ["sex"], source
    )


def audit(
    inputs: AuditInputs, options: argparse.Namespace
) -> "tuple[ExplanationReport, pd.DataFrame]":
    """Explain, compare and write up; return the report and one line per row."""
    from shiftlab.explanation import explanation_disparity
    from shiftlab.reporting import Source, explanation_report

    groups = inputs.frame[inputs.sensitive]
    metrics = [part.strip() for word in options.metrics for part in word.split(",")] or None
    common = {"metrics": metrics, "random_state": options.seed}
    explanation, prediction, explainer = _explain(inputs, options)
    disparity = explanation_disparity(
        explanation,
        groups,
        prediction=prediction,
        threshold=options.threshold,
        n_resamples=options.resamples,
        confidence_level=options.confidence,
        adjust=options.adjust,
        equivalence_margin=options.margin,
        **common,
    )
    report = explanation_report(
        disparity,
        explanation=explanation if inputs.model is not None else None,
        **_causes_and_cures(inputs, options, explanation, explainer, metrics),
        model=inputs.model_name,
        options={"seed": options.seed, "metrics": metrics, "explainer": repr(explainer)},
        source=Source(command=options.command, **inputs.source),
    )
    return report, _per_row(inputs, explanation, prediction)


def _causes_and_cures(
    inputs: AuditInputs,
    options: argparse.Namespace,
    explanation: Any,
    explainer: Any,
    metrics: list[str] | None,
) -> dict[str, Any]:
    """Return the optional results of the report."""
    from shiftlab.explanation import compare_mitigations, decompose_gap, split_gap

    if (options.split or options.decompose) and inputs.model is None:
        name = "--split" if options.split else "--decompose"
        raise InputError(f"{name} needs the model: --model or --scorer.")
    found: dict[str, Any] = {}
    X, groups = inputs.frame[inputs.features], inputs.frame[inputs.sensitive]
    seed = {"random_state": options.seed}
    if options.mitigations:
        _needs_lime(options, "--mitigations")
        own = [name for name in inputs.sensitive if name in inputs.features]
        column = own[0] if len(own) == 1 else None
        model = _black_box(inputs, options)
        found["comparison"] = compare_mitigations(
            explainer, model, X, groups, column=column, metrics=metrics, **seed
        )
    if options.split:
        found["split"] = split_gap(explanation, groups, X, **seed)
    if options.decompose:
        _needs_lime(options, "--decompose")
        found["decomposition"] = decompose_gap(
            explainer, _black_box(inputs, options), X, groups, threshold=options.threshold,
            confidence_level=options.confidence, progress=not options.quiet, **seed,
        )  # fmt: skip
    return found


def _needs_lime(options: argparse.Namespace, name: str) -> None:
    if (
        options.explainer != "lime"
        or options.mode not in ("around", "joint")
        or not (options.model or options.scorer or options.example)
    ):
        raise InputError(f"{name} needs a model, --explainer lime and --mode around or joint.")


def _black_box(inputs: AuditInputs, options: argparse.Namespace) -> Any:
    from shiftlab.explanation import ModelFunction

    target = options.target
    classes = [str(label) for label in getattr(inputs.model, "classes_", ())]
    if target is not None and target in classes:
        target = list(inputs.model.classes_)[classes.index(target)]
    elif target is not None and target.isdigit():
        target = int(target)
    return ModelFunction(inputs.model, target=target)


def _explain(inputs: AuditInputs, options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Return explanations, predictions that come with the table, and the explainer."""
    if inputs.model is None:
        for name in (options.prediction, options.surrogate):
            if name not in inputs.frame:
                raise InputError(f"the table has no column {name!r}.")
        return inputs.frame[options.surrogate], inputs.frame[options.prediction], None
    from shiftlab.explanation import KernelShapExplainer, LimeExplainer

    X, train = inputs.frame[inputs.features], inputs.train[inputs.features]
    shared = {
        "n_blocks": options.blocks, "random_state": options.seed, "n_jobs": options.jobs,
        "progress": not options.quiet,
    }  # fmt: skip
    categorical = existing_columns(options.categorical, inputs.features, "--categorical")
    explainer: Any
    if options.explainer == "lime":
        explainer = LimeExplainer(
            mode=options.mode, n_samples=options.samples, scale=options.scale,
            categorical=categorical, **shared,
        )  # fmt: skip
    else:
        explainer = KernelShapExplainer(**shared)
    model = _black_box(inputs, options)
    groups = inputs.frame[inputs.sensitive]
    explanation = explainer.fit(train).explain(model, X, stratify=groups)
    _compare_predictions(inputs, options, explanation)
    return explanation, None, explainer


def _compare_predictions(
    inputs: AuditInputs, options: argparse.Namespace, explanation: Any
) -> None:
    """Warn if the column of predictions says something else than the model."""
    if not options.prediction:
        return
    from warnings import warn

    import numpy as np

    from shiftlab.exceptions import InputWarning

    if options.prediction not in inputs.frame:
        raise InputError(f"--prediction: the table has no column {options.prediction!r}.")
    stored = inputs.frame[options.prediction].to_numpy(dtype=float)
    n = int((~np.isclose(stored, explanation.prediction, atol=1e-6)).sum())
    if n:
        warn(
            f"--prediction: {n} of {len(stored)} stored predictions differ from the model's.",
            InputWarning,
            stacklevel=2,
        )


def _per_row(inputs: AuditInputs, explanation: Any, prediction: Any) -> "pd.DataFrame":
    import pandas as pd

    groups = inputs.frame[inputs.sensitive].reset_index(drop=True)
    if prediction is None:
        return pd.concat([groups.add_prefix("group: "), explanation.to_frame()], axis=1)
    columns = {"prediction": prediction.to_numpy(), "surrogate_prediction": explanation.to_numpy()}
    return pd.concat([groups.add_prefix("group: "), pd.DataFrame(columns)], axis=1)
