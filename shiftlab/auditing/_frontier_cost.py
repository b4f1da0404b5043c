"""What a metric costs: the divergence of the nearest table that reaches it.

Rates are moved at a cost of ``pi_g kl(b_g || p_g)`` and, the shares of the groups being free, the
cheapest table that reaches a target has divergence ``-ln(sum_g pi_g exp(-kl_g) + rest)``, where
the rest are the rows that the metric does not look at. A sample of m rows with these shares has
the G statistic 2 m KL.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from shiftlab.auditing._entropic_cells import Levels, binary_kl, free_levels
from shiftlab.auditing._representativeness_counts import align_cells
from shiftlab.auditing._representativeness_directional import METRICS, metric_rates
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

__all__ = ["Population", "cheapest_rates"]


@dataclass(frozen=True, eq=False)
class Population:
    """What frontier and planner need to know of a population.

    Attributes
    ----------
    metric : str
        Name in METRICS.
    sizes, favourable : ndarray of int64, shape (n_groups,)
        Rows that the rate is taken over, and favourable decisions among them.
    rest : ndarray of int64
        Further cells of the table, which the metric does not look at.
    reference : int
        Position of the reference group.
    """

    metric: str
    sizes: np.ndarray
    favourable: np.ndarray
    rest: np.ndarray
    reference: int

    @classmethod
    def of(cls, counts: GroupCounts, metric: str) -> "Population":
        """Read counts; groups without rows are left out."""
        cells = align_cells(counts, counts)
        rates = metric_rates(cells, metric)
        rest = np.zeros(0, dtype=np.int64)
        if METRICS[metric][0] == "positive":
            rest = cells.population[:, 0, :].ravel()
        return cls(metric, rates.trials[0], rates.successes[0], rest[rest > 0], rates.reference)

    @property
    def comparison(self) -> str:
        """Ratio or difference."""
        return METRICS[self.metric][1]

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.sizes.sum() + self.rest.sum())

    @property
    def rates(self) -> np.ndarray:
        """Rate of each group."""
        return np.asarray(self.favourable / self.sizes)

    @property
    def shares(self) -> np.ndarray:
        """Share of each group in all rows."""
        return np.asarray(self.sizes / self.n)

    @property
    def value(self) -> float:
        """Metric of the population."""
        rates = self.rates
        base = rates[self.reference]
        others = np.delete(rates, self.reference)
        if self.comparison == "difference":
            return float((others - base).min())
        return float((others / base).min()) if base > 0 else float("nan")

    @property
    def df(self) -> int:
        """Degrees of freedom of the table."""
        cells = [self.favourable, self.sizes - self.favourable, self.rest]
        return int(sum((part > 0).sum() for part in cells)) - 1

    def divergence(self, rates: np.ndarray) -> np.ndarray:
        """Divergence of the table with these rates and the best shares, over the last axis."""
        kept = 1 - self.shares.sum()
        total = np.exp(-binary_kl(rates, self.rates)) @ self.shares + kept
        return np.asarray(-np.log(np.clip(total, 1e-300, 1.0)))

    def table(self, rates: np.ndarray) -> np.ndarray:
        """Cell probabilities (group by decision, then the rest) at given rates, best shares."""
        weight = self.shares * np.exp(-binary_kl(rates, self.rates))
        rest = self.rest / self.n
        cells = np.concatenate([weight * (1 - rates), weight * rates, rest])
        return np.asarray(cells / cells.sum())

    @property
    def null_table(self) -> np.ndarray:
        """Cell counts of the population in the order of `table`."""
        return np.concatenate([self.sizes - self.favourable, self.favourable, self.rest])


def cheapest_rates(population: Population, target: float) -> np.ndarray:
    """Rates of the nearest table that reaches a target.

    Raises
    ------
    InputError
        If no reweighting reaches it.
    """
    if target <= population.value:
        return population.rates
    if len(population.sizes) > 2:
        return _many_groups(population, target)
    i, j = 1 - population.reference, population.reference
    ratio = population.comparison == "ratio"
    p_i, p_j = population.rates[[i, j]]
    if p_i <= 0 or (p_j >= 1 and p_i < target):
        raise InputError(
            "A group has no favourable (or no unfavourable) decision, and a sample of genuine rows "
            "cannot have one either: no other rate can be shown for it."
        )
    low, high = (p_i / target, min(p_j, 1 / target)) if ratio else (p_i - target, p_j)
    if not ratio:
        low, high = max(low, 0.0, -target), min(high, 1.0, 1 - target)

    def rates(b: float) -> np.ndarray:
        found = np.empty(2)
        found[[i, j]] = (target * b if ratio else b + target), b
        return np.clip(found, 0.0, 1.0)

    if low >= high:
        return rates(high)
    found = minimize_scalar(
        lambda b: float(population.divergence(rates(b))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-11 * max(high, 1e-3)},
    )
    return rates(float(found.x))


def _many_groups(population: Population, target: float) -> np.ndarray:
    rates = population.rates
    if rates[population.reference] < rates.max():
        raise InputError(
            "With more than two groups the frontier compares with the group of the highest rate."
        )
    ratio = population.comparison == "ratio"
    band = Levels("ratio", target) if ratio else Levels("difference", -target)
    kept = 1 - population.shares.sum()
    # The rest shrinks like a group whose rate stays: it does not change the best rates.
    return free_levels(rates, population.shares / (1 - kept), band)
