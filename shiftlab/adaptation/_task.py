"""What is asked of the strategies: candidates, causes, selectors, and the settings they compare."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Setting", "Task"]


@dataclass(frozen=True)
class Setting:
    """A strategy with its settings, to be compared with others.

    Attributes
    ----------
    strategy : str
        Family.
    detail : str
        The settings, in words.
    """

    strategy: str
    detail: str

    @property
    def slot(self) -> tuple[str, str]:
        """What tells settings apart; select and mix choose their form themselves in each fold."""
        alone = self.strategy in ("select", "mix")
        return self.strategy, "" if alone else self.detail

    @staticmethod
    def by_strategy(settings: Iterable["Setting"]) -> dict[str, frozenset[tuple[str, str]]]:
        """Slots of settings, for `Task.wanted`."""
        listed = [setting.slot for setting in settings]
        return {name: frozenset(s for s in listed if s[0] == name) for name, _ in listed}


@dataclass(frozen=True)
class Task:
    """What is common to all environments.

    Attributes
    ----------
    columns : ndarray of bool, shape (K, q)
        Candidates as columns, the intercept among them; the pooled model has the index `pooled`.
    pooled, causal : int
        Index of the pooled model, and of the known causes alone.
    is_mean : ndarray of bool, shape (d,)
        Summaries that are means.
    open_columns : ndarray of bool, shape (q - 1,)
        Columns of known causes.
    selector : str, classifier or None
        See `EnvironmentAdaptiveRegressor`.
    gates : tuple of (str, bool)
        Kinds of gates that "mask" compares, and whether the intercept moves, too.
    seed : SeedSequence
        Of the first weights of networks.
    device : str or None
        Where torch computes.
    wanted : dict of str to frozenset, or None
        Slots of the settings to fit, by strategy; all of a strategy that is not named.
    """

    columns: np.ndarray
    pooled: int
    causal: int
    is_mean: np.ndarray
    open_columns: np.ndarray
    selector: Any
    gates: tuple[tuple[str, bool], ...]
    seed: np.random.SeedSequence
    device: str | None = None
    wanted: dict[str, frozenset[tuple[str, str]]] | None = None

    def wants(self, setting: Setting) -> bool:
        """Whether a setting is to be fitted."""
        named = None if self.wanted is None else self.wanted.get(setting.strategy)
        return named is None or setting.slot in named

    def generator(self) -> np.random.Generator:
        """Return a fresh generator: every fit of a network starts from the same weights."""
        return np.random.default_rng(self.seed)
