"""What a study of explanation disparities consists of, as text and numbers for its reports."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab.explanation._worlds_base import World
from shiftlab.simulation import Study

__all__ = ["StudyProtocol"]


@dataclass(frozen=True)
class StudyProtocol:
    """The definition of a study.

    Attributes
    ----------
    name : str
        Name of the study.
    factors : tuple of str
        Factors of the grid.
    worlds : dict of str to World
        Worlds by label; one world without a label has the label "".
    models, explainers : dict of str to str
        Representations by label.
    metrics : tuple of str
        Fidelity metrics.
    n_replicates : int
        Replicates that were asked for.
    seed : str
        The seed as it was given; "drawn" if none was.
    """

    name: str
    factors: tuple[str, ...]
    worlds: dict[str, World]
    models: dict[str, str]
    explainers: dict[str, str]
    metrics: tuple[str, ...]
    n_replicates: int
    seed: str

    @classmethod
    def of(
        cls,
        study: Study,
        worlds: Mapping[str, World],
        models: Mapping[str, Any],
        explainers: Mapping[str, Any],
        metrics: Sequence[str],
        random_state: Any,
    ) -> "StudyProtocol":
        """Describe a study."""
        return cls(
            name=study.name,
            factors=study.factors,
            worlds=dict(worlds),
            models={label: _one_line(model) for label, model in models.items()},
            explainers={label: _one_line(part) for label, part in explainers.items()},
            metrics=tuple(metrics),
            n_replicates=study.n_replicates,
            seed="drawn" if random_state is None else str(random_state),
        )

    @property
    def knobs(self) -> tuple[str, ...]:
        """Factors that are fields of the world."""
        return tuple(n for n in self.factors if n not in ("world", "model", "explainer"))

    def test_rows(self, scenario: Mapping[Any, Any]) -> int:
        """Return how many rows one cell of a scenario explains."""
        if "n_test" in scenario:
            return int(scenario["n_test"])
        return self.worlds[scenario.get("world", "")].n_test

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as JSON types."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        worlds = {label: _one_line(world) for label, world in self.worlds.items()}
        return parts | {"worlds": worlds, "software": self.software()}

    def software(self) -> dict[str, str]:
        """Return the versions behind the numbers."""
        import sklearn

        from shiftlab import __version__

        return {
            "shiftlab": __version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        }


def _one_line(part: Any) -> str:
    return " ".join(repr(part).split())
