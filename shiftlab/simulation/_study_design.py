"""What a study consists of: scenarios with a content key, and one seed per cell.

A scenario is identified by its content, never by its position in the grid: its key is the canonical
JSON of its levels, and the seed of a cell is a hash of the study's entropy, that key and the number
of the replicate. Adding a level or a replicate therefore leaves every other cell as it was.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError

__all__ = ["EXACT_INTEGER", "Scenario", "cell_seed", "expand_factors", "scenario_key"]

#: Names that the tables of a study use for themselves.
RESERVED = frozenset(
    {"replicate", "row", "seed", "random_state", "measure", "statistic", "value", "mcse"}
    | {"n_replicates", "n_missing", "n_failed"}
)
EXACT_INTEGER = 2**53


@dataclass(frozen=True)
class Scenario:
    """One combination of levels.

    Attributes
    ----------
    values : dict
        What the function receives.
    shown : dict
        What tables show: the level itself, or the label of a labelled level.
    key : str
        Canonical JSON of the levels; identifies the scenario.
    labelled : tuple of str
        Factors whose level is an object known by a label.
    """

    values: dict[str, Any]
    shown: dict[str, Any]
    key: str
    labelled: tuple[str, ...] = ()

    def seed_key(self, ignored: Sequence[str]) -> str:
        """Return the part of the key that the seeds depend on: the factors not ignored."""
        return _dumps({k: v for k, v in json.loads(self.key).items() if k not in set(ignored)})


def cell_seed(entropy: str, seed_key: str, replicate: int) -> np.random.SeedSequence:
    """Return the seed of a cell, a pure function of its content."""
    text = f"shiftlab.study.1\n{entropy}\n{seed_key}\n{replicate}"
    return np.random.SeedSequence(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))


def scenario_key(levels: Mapping[str, Any]) -> str:
    """Return canonical JSON of named levels; numbers of equal value are the same level."""
    return _dumps({name: _plain_level(value, name) for name, value in levels.items()})


def expand_factors(
    factors: Any, exclude: Callable[[dict[str, Any]], bool] | None = None
) -> tuple[tuple[str, ...], list[Scenario]]:
    """Turn a grid, a list of scenarios or a frame into scenarios.

    Parameters
    ----------
    factors : mapping, sequence of mappings, or data frame
        A mapping from names to levels is crossed in full, the last factor varying fastest.
    exclude : callable, optional
        Gets the levels of a scenario as a dictionary; True leaves it out.

    Returns
    -------
    names : tuple of str
        The factors.
    scenarios : list of Scenario

    Raises
    ------
    InputError
        If there is no scenario, one occurs twice, or a level has no content key.
    """
    if isinstance(factors, Mapping):
        rows = _cross(factors)
    else:
        rows = [_labelled(row) for row in _scenario_rows(factors)]
    scenarios = [_scenario(row) for row in rows]
    if exclude is not None:
        scenarios = [s for s in scenarios if not exclude(dict(s.shown))]
    if not scenarios:
        raise InputError("factors gives no scenario; every factor needs at least one level.")
    names = tuple(scenarios[0].shown)
    _check_names(names)
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.key in seen:
            raise InputError(f"factors repeats the scenario {scenario.key}; remove one of them.")
        seen.add(scenario.key)
    return names, scenarios


def _cross(factors: Mapping[str, Any]) -> list[dict[str, tuple[Any, Any]]]:
    levels = {name: _levels(name, given) for name, given in factors.items()}
    return [
        dict(zip(levels, combination, strict=True))
        for combination in itertools.product(*levels.values())
    ]


def _levels(name: str, given: Any) -> list[tuple[Any, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise InputError(
            f"factors: the levels of {name!r} must be a list, or a dictionary from labels to "
            f"objects; found {type(given).__name__}. A single level goes into a list."
        )
    return [(level, level) for level in given]


def _scenario_rows(factors: Any) -> list[dict[str, Any]]:
    import narwhals.stable.v2 as nw

    if nw.dependencies.is_into_dataframe(factors):
        return list(nw.from_native(factors, eager_only=True).rows(named=True))
    if isinstance(factors, Sequence) and not isinstance(factors, str):
        rows = list(factors)
        if all(isinstance(row, Mapping) for row in rows):
            return _same_names([dict(row) for row in rows])
    raise InputError(
        "factors must be a dictionary of levels, a list of scenario dictionaries or a data frame "
        f"with one scenario per row, found {type(factors).__name__}."
    )


def _same_names(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for number, row in enumerate(rows):
        if set(row) != set(rows[0]):
            raise InputError(
                f"factors: scenario {number} has the factors {join_names(sorted(row))}, "
                f"scenario 0 has {join_names(sorted(rows[0]))}; give all of them the same ones."
            )
    return rows


def _labelled(row: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (value, value) for name, value in row.items()}


def _scenario(row: Mapping[str, tuple[Any, Any]]) -> Scenario:
    return Scenario(
        values={name: _native(value) for name, (_, value) in row.items()},
        shown={name: _shown(label) for name, (label, _) in row.items()},
        key=scenario_key({name: label for name, (label, _) in row.items()}),
        labelled=tuple(name for name, (label, value) in row.items() if label is not value),
    )


def _check_names(names: tuple[str, ...]) -> None:
    for name in names:
        if not isinstance(name, str) or not name or name.startswith("_"):
            raise InputError(
                f"factors: names must be text that does not start with '_', found {name!r}."
            )
        if name in RESERVED:
            raise InputError(
                f"factors: the name {name!r} is used by the study itself; rename the factor. "
                f"Reserved: {join_names(sorted(RESERVED), 20)}."
            )


def _native(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _shown(label: Any) -> Any:
    label = _native(label)
    if isinstance(label, (list, tuple)):
        return tuple(_shown(item) for item in label)
    return _dumps(_plain_level(label, "")) if isinstance(label, Mapping) else label


def _plain_level(value: Any, name: str) -> Any:
    value = _native(value)
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float) and not np.isnan(value):
        return int(value) if value.is_integer() and abs(value) < EXACT_INTEGER else value
    if isinstance(value, (list, tuple)):
        return [_plain_level(item, name) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain_level(item, name) for key, item in value.items()}
    found = "NaN" if isinstance(value, float) else type(value).__name__
    raise InputError(
        f"factors: a level of {name!r} is {found}, which has no content key. Levels are numbers, "
        "text, booleans, None, or lists and dictionaries of these; give other objects a label: "
        f"factors={{{name!r}: {{'label': object}}}}."
    )


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
