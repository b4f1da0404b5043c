"""What a study accepts: worlds, grids, metrics, black boxes, explainers."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from shiftlab._core.checks import check_option
from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.explanation._study_measures import STUDY_METRICS
from shiftlab.explanation._worlds_base import World

__all__ = [
    "check_grid",
    "check_metrics",
    "check_parts",
    "check_worlds",
    "default_explainers",
    "default_models",
    "is_unwanted",
]

OWN_FACTORS = ("world", "model", "explainer")


def check_worlds(world: Any) -> dict[str, World]:
    """Return worlds by label; a single one has the label ""."""
    worlds = dict(world) if isinstance(world, Mapping) else {"": world}
    for label, found in worlds.items():
        if not isinstance(found, World):
            raise InputError(
                "world must be a World such as ConceptShiftWorld(), or a dictionary from labels to "
                f"worlds; found {type(found).__name__}" + (f" for {label!r}." if label else ".")
            )
    if not worlds:
        raise InputError("world is an empty dictionary; name at least one world.")
    return worlds


def check_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics, each once."""
    named = (metrics,) if isinstance(metrics, str) else tuple(dict.fromkeys(metrics))
    if not named:
        raise InputError(f"metrics is empty; choose among {join_names(list(STUDY_METRICS))}.")
    for metric in named:
        check_option(metric, STUDY_METRICS, "metrics")
    return named


def check_grid(
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]], worlds: Mapping[str, World]
) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    """Return the levels to cross, and the scenarios to keep (None: all)."""
    if isinstance(grid, Mapping):
        levels, wanted = dict(grid), None
    else:
        wanted = [dict(scenario) for scenario in grid]
        names = list(dict.fromkeys(name for scenario in wanted for name in scenario))
        if any(set(scenario) != set(names) for scenario in wanted):
            raise InputError(f"grid: give a level for each of {join_names(names)} everywhere.")
        levels = {name: _distinct(scenario[name] for scenario in wanted) for name in names}
    for name in levels:
        if name in OWN_FACTORS:
            raise InputError(f"grid: {name!r} is a factor already; use the argument of that name.")
    for label, world in worlds.items():
        for combination in itertools.islice(_combinations(levels, wanted), 10_000):
            try:
                world.varied(**combination)
            except InputError as error:
                text = f" of world {label!r}" if label else ""
                raise InputError(f"grid: scenario {combination}{text}: {error}") from error
    return levels, wanted


def _combinations(levels: Mapping[str, Any], wanted: list[dict[str, Any]] | None) -> Any:
    if wanted is not None:
        return iter(wanted)
    values = []
    for name, given in levels.items():
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            raise InputError(
                f"grid: the levels of {name!r} must be a list, found {type(given).__name__}."
            )
        values.append(list(given.values()) if isinstance(given, Mapping) else list(given))
    return (dict(zip(levels, combo, strict=True)) for combo in itertools.product(*values))


def _distinct(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def is_unwanted(wanted: list[dict[str, Any]], scenario: dict[str, Any]) -> bool:
    """Tell whether a scenario is not among the listed ones."""

    def plain(value: Any) -> Any:
        return tuple(map(plain, value)) if isinstance(value, (list, tuple)) else value

    return not any(
        all(plain(scenario[name]) == plain(value) for name, value in row.items()) for row in wanted
    )


def check_parts(parts: Any, argument: str, method: str) -> dict[str, Any]:
    """Return models or explainers by label."""
    if not isinstance(parts, Mapping) or not parts:
        raise InputError(
            f"{argument} must be a dictionary from labels to objects, found {type(parts).__name__}."
        )
    for label, part in parts.items():
        if isinstance(part, type) or not all(hasattr(part, m) for m in ("get_params", method)):
            raise InputError(
                f"{argument}: {label!r} must be an instance with the methods get_params and "
                f"{method}, found {type(part).__name__}."
            )
    return {str(label): part for label, part in parts.items()}


def default_models() -> dict[str, Any]:
    """Return the logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return {"logistic": LogisticRegression()}


def default_explainers() -> dict[str, Any]:
    """Return LIME as the paper sets it."""
    from shiftlab.explanation._lime import LimeExplainer

    return {"lime": LimeExplainer(n_samples=1000, standard_errors=False)}
