"""Evolving domains with exact counterfactual twins: the common part of the ``make_*`` worlds.

A world draws exogenous terms and a sensitive attribute, and emits features and a label from them at
a time. Emitting once more with the attribute changed and everything else kept gives the twin of
each row: no estimate, but the definition of a counterfactual.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.results import Result
from shiftlab._core.validation import check_integer
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Columns",
    "Draw",
    "Emit",
    "EvolvingData",
    "evolving_data",
    "name_columns",
    "normal_terms",
    "sign_of",
]

TIME, GROUP, TARGET = "time", "group", "y"
Columns = dict[str, np.ndarray]
#: Exogenous terms from a generator and the attribute (the terms may be correlated with it).
Draw = Callable[[np.random.Generator, np.ndarray], Columns]
#: Features and label from exogenous terms, attribute and relative time (0 first, 1 last domain).
Emit = Callable[[Columns, np.ndarray, float], tuple[Columns, np.ndarray]]


@dataclass(frozen=True, eq=False, repr=False)
class EvolvingData(Result):
    """Rows from domains in order of time, with what each row would be in another group.

    Attributes
    ----------
    frame : DataFrame
        Columns "time", "group", the features and "y".
    twins : DataFrame
        The same rows with the attribute changed and the exogenous terms kept: exact
        counterfactuals of features and label.
    exogenous : DataFrame
        The exogenous terms of each row.
    world : str
        Name of the generator.
    knobs : dict
        Its arguments.

    Examples
    --------
    >>> from shiftlab.simulation import make_rotating_circles
    >>> data = make_rotating_circles(n_domains=6, n_per_domain=50, random_state=0)
    >>> data
    EvolvingData 'rotating_circles': 300 rows, 6 domains, 6 features, 2 groups
    >>> source, target = data.split(2)
    >>> len(source.y), len(target.y)
    (200, 100)
    >>> float((data.y != data.y_twin).mean()) > 0.1
    True
    """

    frame: "pd.DataFrame"
    twins: "pd.DataFrame"
    exogenous: "pd.DataFrame"
    world: str
    knobs: dict[str, Any]

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        return [c for c in self.frame.columns if c not in (TIME, GROUP, TARGET)]

    @property
    def X(self) -> "pd.DataFrame":
        """The features."""
        return self.frame[self.features]

    @property
    def y(self) -> np.ndarray:
        """The label."""
        return np.asarray(self.frame[TARGET])

    @property
    def environment(self) -> np.ndarray:
        """The time of each row."""
        return np.asarray(self.frame[TIME])

    @property
    def sensitive_features(self) -> np.ndarray:
        """The sensitive attribute of each row."""
        return np.asarray(self.frame[GROUP])

    @property
    def X_twin(self) -> "pd.DataFrame":
        """The features that each row would have in the other group."""
        return self.twins[self.features]

    @property
    def y_twin(self) -> np.ndarray:
        """The label that each row would have in the other group."""
        return np.asarray(self.twins[TARGET])

    @property
    def sensitive_twin(self) -> np.ndarray:
        """The attribute of the twin."""
        return np.asarray(self.twins[GROUP])

    def split(self, n_target: int) -> "tuple[EvolvingData, EvolvingData]":
        """Separate the last domains from those before.

        Parameters
        ----------
        n_target : int
            Number of domains at the end.

        Returns
        -------
        source, target : EvolvingData

        Raises
        ------
        InputError
            If there are not more domains than that.
        """
        times = np.unique(self.environment)
        check_integer(n_target, "n_target", minimum=1)
        if n_target >= len(times):
            raise InputError(f"n_target must be below the {len(times)} domains, found {n_target}.")
        late = self.environment >= times[-n_target]
        return self.take(~late), self.take(late)

    def take(self, rows: np.ndarray) -> "EvolvingData":
        """Keep rows, given as indices or as a boolean mask."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        parts = (self.frame, self.twins, self.exogenous)
        kept = [part.iloc[rows].reset_index(drop=True) for part in parts]
        return EvolvingData(kept[0], kept[1], kept[2], self.world, self.knobs)

    def to_frame(self) -> "pd.DataFrame":
        """Return the observed table."""
        return self.frame

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the world, without its rows."""
        return {
            "world": self.world,
            "knobs": {k: v for k, v in self.knobs.items() if v is not None},
            "n_rows": len(self.frame),
            "n_domains": len(np.unique(self.environment)),
            "features": self.features,
            "exogenous": list(self.exogenous.columns),
            "label_changes": float(np.mean(self.y != self.y_twin)),
        }

    def __repr__(self) -> str:
        n_groups = len(np.unique(self.sensitive_features))
        return (
            f"EvolvingData {self.world!r}: {len(self.frame):,} rows, "
            f"{len(np.unique(self.environment))} domains, {len(self.features)} features, "
            f"{n_groups} groups"
        )


def evolving_data(
    world: str,
    draw: Draw,
    emit: Emit,
    *,
    n_domains: int,
    n_per_domain: int,
    knobs: dict[str, Any],
    random_state: RandomState,
    n_groups: int = 2,
) -> EvolvingData:
    """Draw all domains of a world, and the twins (group + 1, cyclically) of all rows."""
    import pandas as pd

    check_integer(n_domains, "n_domains", minimum=2)
    check_integer(n_per_domain, "n_per_domain", minimum=1)
    check_integer(n_groups, "n_groups", minimum=2)
    seeds = as_seed_sequence(random_state).spawn(n_domains)
    blocks: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for t, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        group = rng.integers(0, n_groups, n_per_domain)
        terms = draw(rng, group)
        relative = t / (n_domains - 1)
        for block, value in ((blocks[0], group), (blocks[1], (group + 1) % n_groups)):
            features, label = emit(terms, value, relative)
            block.append(pd.DataFrame({TIME: t, GROUP: value, **features, TARGET: label}))
        blocks[2].append(pd.DataFrame(terms))
    frame, twins, exogenous = (pd.concat(block, ignore_index=True) for block in blocks)
    return EvolvingData(frame, twins, exogenous, world, knobs)


def sign_of(group: np.ndarray) -> np.ndarray:
    """Return -1 for group 0 and 1 for group 1."""
    return np.asarray(2.0 * group - 1.0)


def normal_terms(rng: np.random.Generator, names: list[str], n: int, scale: float) -> Columns:
    """Draw independent centred normal terms."""
    return {name: scale * rng.standard_normal(n) for name in names}


def name_columns(columns: list[Any]) -> Columns:
    """Name columns x0, x1, ..."""
    return {f"x{i}": column for i, column in enumerate(columns)}
