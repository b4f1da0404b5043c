"""The recorded definition of a study, and whether a directory belongs to it."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.simulation._study_design import Scenario
from shiftlab.simulation._study_fingerprint import fingerprint

__all__ = ["Definition", "agree"]

LAYOUT = 1
#: Changes of these alter the seeds, so that old and new cells do not belong together.
SEED_FIELDS = ("entropy", "common_random_numbers")


@dataclass(frozen=True)
class Definition:
    """What determines the outcome of a cell.

    Attributes
    ----------
    layout : int
        Version of the layout of the directory.
    name : str
        Name of the study; not compared.
    function : str
        Qualified name of the function; not compared on its own.
    function_fingerprint : str
        Hash of the function.
    entropy : str
        Entropy of the study.
    common_random_numbers : list of str
        Factors that the seeds ignore.
    objects : dict
        Fingerprints of labelled levels, by factor and label.
    software : dict
        Versions; not compared.
    """

    layout: int
    name: str
    function: str
    function_fingerprint: str
    entropy: str
    common_random_numbers: list[str]
    objects: dict[str, dict[str, str]]
    software: dict[str, str]

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        entropy: str,
        common: Sequence[str],
        name: str,
        scenarios: Sequence[Scenario],
    ) -> "Definition":
        """Describe a study."""
        from shiftlab import __version__

        return cls(
            layout=LAYOUT,
            name=name,
            function=getattr(function, "__qualname__", type(function).__qualname__),
            function_fingerprint=fingerprint(function),
            entropy=entropy,
            common_random_numbers=sorted(common),
            objects=_object_fingerprints(scenarios),
            software={
                "shiftlab": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
            },
        )

    def merged_with(self, found: dict[str, Any] | None) -> dict[str, Any]:
        """Return what to record: this definition and labels recorded earlier."""
        merged = asdict(self)
        for factor, labels in ((found or {}).get("objects") or {}).items():
            merged["objects"][factor] = labels | merged["objects"].get(factor, {})
        return merged


def agree(
    found: dict[str, Any] | None, definition: Definition, on_change: str, directory: Path
) -> str:
    """Decide whether recorded cells can be used: "keep" or "overwrite".

    Raises
    ------
    InputError
        If the definition changed and `on_change` does not settle it.
    """
    if found is None:
        return "keep"
    if found.get("layout") != LAYOUT:
        raise InputError(
            f"directory: {directory} has layout {found.get('layout')!r}, this version of shiftlab "
            f"reads layout {LAYOUT}. Use a new directory."
        )
    changes = _changes(found, definition)
    if not changes:
        return "keep"
    affects_seeds = any(found.get(name) != getattr(definition, name) for name in SEED_FIELDS)
    if on_change == "overwrite" or (on_change == "keep" and not affects_seeds):
        return on_change
    keep = "" if affects_seeds else ', on_change="keep" if the change does not alter any result'
    raise InputError(
        f"directory: {directory} holds results of another definition: {'; '.join(changes)}. "
        f'Use a new directory, on_change="overwrite" to delete the old results{keep}.'
    )


def _changes(found: dict[str, Any], definition: Definition) -> list[str]:
    changes = []
    if found["function_fingerprint"] != definition.function_fingerprint:
        changes.append(f"the function {definition.function!r} changed")
    if found["entropy"] != definition.entropy:
        changes.append("random_state is another one")
    if found["common_random_numbers"] != definition.common_random_numbers:
        changes.append(
            f"common_random_numbers was {found['common_random_numbers']}, "
            f"now {definition.common_random_numbers}"
        )
    for factor, labels in definition.objects.items():
        known = found["objects"].get(factor, {})
        for label, content in labels.items():
            if known.get(label, content) != content:
                changes.append(f"the object labelled {label} of factor {factor!r} changed")
    return changes


def _object_fingerprints(scenarios: Sequence[Scenario]) -> dict[str, dict[str, str]]:
    objects: dict[str, dict[str, str]] = {}
    for scenario in scenarios:
        for factor in scenario.labelled:
            labels = objects.setdefault(factor, {})
            label = repr(scenario.shown[factor])
            if label not in labels:
                labels[label] = fingerprint(scenario.values[factor])
    return objects
