"""Studies from a configuration: what a TOML file says, as an `ExplanationDisparityStudy`."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.explanation._study import ExplanationDisparityStudy
from shiftlab.explanation._worlds_base import World
from shiftlab.explanation._worlds_mechanisms import MechanismWorld
from shiftlab.explanation._worlds_objectives import (
    ConceptShiftWorld,
    CovariateShiftWorld,
    OmittedVariableWorld,
    SampleImbalanceWorld,
)
from shiftlab.explanation._worlds_table import TableWorld, adult_world

__all__ = ["ConfiguredStudy", "study_from_config"]

WORLDS: dict[str, Callable[..., World]] = {
    "sample_imbalance": SampleImbalanceWorld,
    "covariate_shift": CovariateShiftWorld,
    "concept_shift": ConceptShiftWorld,
    "omitted_variable": OmittedVariableWorld,
    "mechanisms": MechanismWorld,
}
TABLES = ("study", "world", "grid", "scenarios", "models", "explainers")
STUDY_KEYS = (
    "name", "replicates", "seed", "directory", "format", "metrics", "common_random_numbers",
    "target_mcse", "max_replicates",
)  # fmt: skip


@dataclass(frozen=True)
class ConfiguredStudy:
    """A study and how a configuration wants it to be run.

    Attributes
    ----------
    study : ExplanationDisparityStudy
        The study, with a directory for its cells.
    directory : Path
        That directory.
    run_options : dict
        Arguments of `ExplanationDisparityStudy.run`: ``target_mcse`` and ``max_replicates``.
    """

    study: ExplanationDisparityStudy
    directory: Path
    run_options: dict[str, Any]


def study_from_config(
    config: Mapping[str, Any], *, base: str | os.PathLike[str] = ".", on_change: str = "error"
) -> ConfiguredStudy:
    """Build a study from the content of a TOML file.

    Parameters
    ----------
    config : mapping
        Tables ``study`` (name, replicates, seed, directory, format, metrics,
        common_random_numbers, target_mcse, max_replicates), ``world`` (kind and its fields),
        ``grid`` or a list ``scenarios``, ``models`` and ``explainers`` (one table per label with a
        kind and its parameters).
    base : path, default "."
        Folder that the paths in the configuration refer to.
    on_change : {"error", "overwrite", "keep"}, default "error"
        As in `ExplanationDisparityStudy`.

    Returns
    -------
    ConfiguredStudy

    Raises
    ------
    InputError
        If a table, key, kind or value is unknown or unfit.

    Notes
    -----
    Worlds are "sample_imbalance", "covariate_shift", "concept_shift", "omitted_variable",
    "mechanisms", "adult" (Adult census data) and "table" (a CSV or Parquet file named by
    ``path``). Models are "logistic", "network", "boosting" and "forest"; explainers "lime",
    "kernel_shap" and "surrogate".

    Examples
    --------
    >>> from shiftlab.explanation import study_from_config
    >>> config = {
    ...     "study": {"replicates": 5, "seed": 1, "metrics": ["mae"]},
    ...     "world": {"kind": "concept_shift", "n_train": 300, "n_test": 60},
    ...     "grid": {"beta": [-0.5, 1.5]},
    ...     "models": {"lr": {"kind": "logistic", "C": 0.5}},
    ... }
    >>> study_from_config(config).study.study.factors
    ('beta', 'model', 'explainer')
    """
    _check_keys(config, TABLES, "configuration")
    settings = _table(config, "study")
    _check_keys(settings, STUDY_KEYS, "[study]")
    for name in ("replicates", "seed"):
        if not isinstance(settings.get(name), int) or isinstance(settings.get(name), bool):
            raise InputError(f"[study]: {name} must be given, as an integer.")
    if "grid" in config and "scenarios" in config:
        raise InputError("configuration: give [grid] or [[scenarios]], not both.")
    folder = Path(base)
    name = str(settings.get("name", "study"))
    directory = folder / str(settings.get("directory", f"{name}-cells"))
    passed = {k: settings[k] for k in ("metrics", "common_random_numbers") if k in settings}
    study = ExplanationDisparityStudy(
        _world(_table(config, "world"), folder),
        _grid(config),
        models=_parts(config, "models", _model_kinds()),
        explainers=_parts(config, "explainers", _explainer_kinds()),
        n_replicates=settings["replicates"],
        random_state=settings["seed"],
        directory=directory,
        name=name,
        format=settings.get("format", "jsonl"),
        on_change=on_change,
        **passed,
    )
    options = {k: settings[k] for k in ("target_mcse", "max_replicates") if k in settings}
    return ConfiguredStudy(study, directory, options)


def _grid(config: Mapping[str, Any]) -> Any:
    if "scenarios" in config:
        listed = config["scenarios"]
        if not isinstance(listed, Sequence) or not all(isinstance(s, Mapping) for s in listed):
            raise InputError("configuration: write each scenario as a table [[scenarios]].")
        return list(listed)
    return dict(_table(config, "grid", needed=False))


def _world(table: Mapping[str, Any], folder: Path) -> World:
    fields = dict(table)
    kind = _kind(fields, (*WORLDS, "adult", "table"), "[world]")
    make = WORLDS.get(kind)
    if kind == "adult":
        from shiftlab.datasets import fetch_adult

        _check_keys(fields, TableWorld.knobs(), "[world]")
        return adult_world(fetch_adult(), **_tuples(fields))
    if kind == "table":
        return _table_world(fields, folder)
    _check_keys(fields, make.knobs(), "[world]")  # type: ignore[union-attr]
    return make(**fields)  # type: ignore[misc]


def _table_world(fields: dict[str, Any], folder: Path) -> TableWorld:
    from shiftlab._core.files import read_table

    _check_keys(fields, ("path", *TableWorld.knobs()), "[world]")
    needed = [name for name in ("path", "outcome", "group", "zero") if name not in fields]
    if needed:
        raise InputError(f"[world]: a table needs {join_names(needed)}.")
    frame = read_table(str(folder / str(fields.pop("path"))))
    return TableWorld(frame=frame, **_tuples(fields))


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def _model_kinds() -> dict[str, Callable[..., Any]]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    from shiftlab.explanation._network import NetworkClassifier

    return {
        "logistic": LogisticRegression,
        "network": NetworkClassifier,
        "boosting": HistGradientBoostingClassifier,
        "forest": RandomForestClassifier,
    }


def _explainer_kinds() -> dict[str, Callable[..., Any]]:
    from shiftlab.explanation._kernel_shap import KernelShapExplainer
    from shiftlab.explanation._lime import LimeExplainer
    from shiftlab.explanation._surrogates import GlobalSurrogate

    return {
        "lime": LimeExplainer,
        "kernel_shap": KernelShapExplainer,
        "surrogate": GlobalSurrogate,
    }


def _parts(
    config: Mapping[str, Any], name: str, kinds: Mapping[str, Callable[..., Any]]
) -> dict[str, Any] | None:
    tables = _table(config, name, needed=False)
    parts = {}
    for label, table in tables.items():
        if not isinstance(table, Mapping):
            raise InputError(f"[{name}]: write each as a table [{name}.LABEL], found {label!r}.")
        where, parameters = f"[{name}.{label}]", dict(table)
        make = kinds[_kind(parameters, tuple(kinds), where)]
        known = [p for p in inspect.signature(make).parameters if p != "self"]
        _check_keys(parameters, known, where)
        parts[label] = make(**parameters)
    return parts or None


def _table(config: Mapping[str, Any], name: str, *, needed: bool = True) -> Mapping[str, Any]:
    found = config.get(name, None if needed else {})
    if not isinstance(found, Mapping):
        raise InputError(f"configuration: the table [{name}] is missing.")
    return found


def _kind(fields: dict[str, Any], kinds: Sequence[str], where: str) -> str:
    kind = fields.pop("kind", None)
    if kind not in kinds:
        raise InputError(f"{where}: kind must be one of {join_names(kinds, 12)}, found {kind!r}.")
    return str(kind)


def _check_keys(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in given:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {join_names(known, 20)}."
            raise InputError(f"{where}: unknown key {key!r}; {hint}")
