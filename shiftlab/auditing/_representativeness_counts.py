"""The counts of a sample beside those of the population that it claims to represent.

Everything about (group, outcome, decision) is a table of a few cells. Under the null hypothesis the
sample is a simple random sample, so its table is multivariate hypergeometric given the table of
the population. If all that is known is an independent random reference, the two together take the
place of the population: given the pooled table, the sample is again multivariate hypergeometric.
One piece of mathematics therefore serves both regimes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

__all__ = ["COUNT_REGIMES", "Cells", "align_cells", "draw_tables"]

#: Regimes in which the decisions of the reference are known.
COUNT_REGIMES = ("full", "independent")
#: NumPy's hypergeometric generators need smaller populations; beyond, draws are with replacement.
_LARGEST_POPULATION = 10**9


@dataclass(frozen=True, eq=False)
class Cells:
    """Sample and population in the same cells.

    Attributes
    ----------
    names : tuple of str
        Sensitive features.
    groups : tuple of tuple
        Labels of each group.
    population, sample : ndarray of int64, shape (n_groups, 1 or 2, 2)
        Rows by group, outcome (if known) and decision; under regime "independent" the population
        is reference and sample together.
    n_reference : int
        Rows of the reference.
    regime : {"full", "independent"}
        What the reference is.
    """

    names: tuple[str, ...]
    groups: tuple[tuple[Any, ...], ...]
    population: np.ndarray
    sample: np.ndarray
    n_reference: int
    regime: str

    @property
    def m(self) -> int:
        """Rows of the sample."""
        return int(self.sample.sum())

    @property
    def n(self) -> int:
        """Rows of the population."""
        return int(self.population.sum())

    @cached_property
    def fpc(self) -> float:
        """Finite-population correction of the variance."""
        return max(self.n - self.m, 0) / max(self.n - 1, 1)

    @cached_property
    def impossible(self) -> bool:
        """Whether the sample holds rows that the population does not have."""
        return bool((self.sample > self.population).any())

    @property
    def expected(self) -> np.ndarray:
        """Expected table of a random sample."""
        return np.asarray(self.population * (self.m / self.n))


def align_cells(sample: GroupCounts, reference: GroupCounts, regime: str = "full") -> Cells:
    """Put two tables of counts into the same cells.

    Raises
    ------
    InputError
        If the regime is unknown, the features differ, a table is weighted, or one is empty.
    """
    check_option(regime, COUNT_REGIMES, "regime")
    for name, counts in (("sample", sample), ("reference", reference)):
        _check_counts(counts, name)
    if sample.names != reference.names:
        raise InputError(
            f"sample and reference have different sensitive features: {join_names(sample.names)} "
            f"and {join_names(reference.names)}. Count both by the same ones."
        )
    outcome = sample.has_outcome and reference.has_outcome
    labels = {tuple(map(str, group)): group for group in sample.groups}
    labels |= {tuple(map(str, group)): group for group in reference.groups}
    if not {tuple(map(str, g)) for g in sample.groups} & {
        tuple(map(str, g)) for g in reference.groups
    }:
        raise InputError(
            f"sample and reference share no group of {sample.feature!r}: "
            f"{join_names(sample.labels)} and {join_names(reference.labels)}. "
            "Code the sensitive features alike."
        )
    keys = sorted(labels)
    drawn, known = (_lay_out(counts, keys, outcome) for counts in (sample, reference))
    population = known + drawn if regime == "independent" else known
    groups = tuple(labels[key] for key in keys)
    return Cells(sample.names, groups, population, drawn, int(known.sum()), regime)


def _check_counts(counts: Any, name: str) -> None:
    if not isinstance(counts, GroupCounts):
        raise InputError(
            f"{name} must be a GroupCounts, found {type(counts).__name__}. Count rows with "
            "GroupCounts.from_rows(y_pred, sensitive_features)."
        )
    if counts.weights is not None:
        raise InputError(
            f"{name} has weights. A weighted table is no simple random sample, so nothing can be "
            "tested against it: draw rows with these weights, or leave the weights out."
        )
    if counts.n.sum() == 0:
        raise InputError(f"{name} has no rows.")


def _lay_out(counts: GroupCounts, keys: list[tuple[str, ...]], outcome: bool) -> np.ndarray:
    table = counts.counts if outcome else counts.counts.sum(axis=1, keepdims=True)
    laid = np.zeros((len(keys), *table.shape[1:]), dtype=np.int64)
    position = {key: i for i, key in enumerate(keys)}
    for group, cells in zip(counts.groups, table, strict=True):
        laid[position[tuple(map(str, group))]] += cells
    return laid


def draw_tables(
    population: np.ndarray, m: int, size: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw flattened tables of random samples without replacement, shape (size, n_cells)."""
    flat = population.ravel()
    if flat.sum() < _LARGEST_POPULATION:
        return generator.multivariate_hypergeometric(flat, m, size=size, method="marginals")
    return generator.multinomial(m, flat / flat.sum(), size=size)
