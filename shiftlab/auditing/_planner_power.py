"""Power of the count tests against an attacker who draws from the cheapest table."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, ndtri

from shiftlab._core.random import as_generator
from shiftlab.auditing._frontier_cost import Population, cheapest_rates
from shiftlab.auditing._frontier_search import search_directional, upper_point
from shiftlab.auditing._representativeness_cells import g_statistic
from shiftlab.auditing._representativeness_directional import Rates, exact_pvalue, metric_value

__all__ = ["Attack", "power_at"]

_DRAWS = 20_000
#: p-values that are computed one by one are computed for this many draws.
_FEW_DRAWS = 2000
#: Critical values are computed for this many group sizes and interpolated between.
_NODES = 15


@dataclass(frozen=True, eq=False)
class Attack:
    """Who submits samples, and against which test.

    Attributes
    ----------
    population : Population
        What the samples claim to represent.
    target : float
        What the attacker aims at.
    test : {"cells_g", "directional"}
        The test.
    attacker : {"random", "selective"}
        Whether every draw is submitted or only those that show the target.
    regime : {"full", "independent"}
        What the reference is.
    alpha : float
        Level of the test.
    """

    population: Population
    target: float
    test: str
    attacker: str
    regime: str
    alpha: float


def power_at(attack: Attack, m: int, *, exact: bool = False) -> float:
    """Share of submitted samples of m rows that the test detects, from draws with a fixed seed.

    Two-sample p-values of the directional test are approximated unless `exact`.
    """
    population = attack.population
    cells = population.table(cheapest_rates(population, attack.target))
    generator = as_generator(m)
    tables = generator.multinomial(m, cells, size=_DRAWS)
    k = len(population.sizes)
    trials, favourable = tables[:, :k] + tables[:, k : 2 * k], tables[:, k : 2 * k]
    values = _values(population, favourable, trials)
    if attack.attacker == "selective":
        shown = values >= attack.target
        if shown.sum() < 100:
            return 0.0
        tables, trials, favourable, values = (
            part[shown] for part in (tables, trials, favourable, values)
        )
    if attack.regime == "independent":
        return _two_sample_power(attack, tables, generator, exact)
    if attack.test == "cells_g":
        null = population.null_table
        left = max(population.n - m, 0) / max(population.n - 1, 1)
        statistic = g_statistic(tables[:, null > 0], null[null > 0] * (m / population.n))
        limit = float(chdtri(population.df, attack.alpha)) * left
        return float((statistic >= limit).mean())
    return float((values > _critical(attack, trials, m)).mean())


def _values(population: Population, favourable: np.ndarray, trials: np.ndarray) -> np.ndarray:
    values = np.full(len(trials), np.nan)
    possible = (trials > 0).all(axis=1)
    values[possible] = metric_value(
        favourable[possible], trials[possible], population.comparison, population.reference
    )
    return values


def _critical(attack: Attack, trials: np.ndarray, m: int) -> np.ndarray:
    """Best value that passes, for the group sizes of each draw."""
    population = attack.population
    if len(population.sizes) > 2:
        return np.full(len(trials), search_directional(population, m, "full", attack.alpha))
    sizes = np.unique(trials[:, 0])
    nodes = sizes
    if len(sizes) > _NODES:
        nodes = np.unique(np.linspace(sizes[0], sizes[-1], _NODES).astype(np.int64))
    total = int(np.median(trials.sum(axis=1)))
    points = []
    for size in nodes:
        pair = np.array([max(size, 1), max(total - size, 1)])
        points.append(upper_point(population, np.minimum(pair, population.sizes), attack.alpha))
    return np.asarray(np.interp(trials[:, 0], nodes, points))


def _two_sample_power(
    attack: Attack, tables: np.ndarray, generator: np.random.Generator, exact: bool
) -> float:
    population = attack.population
    null = population.null_table / population.n
    known = generator.multinomial(population.n, null, size=len(tables))
    if attack.test == "cells_g":
        pooled = tables + known
        m, n = int(tables[0].sum()), int(pooled[0].sum())
        expected = np.where(pooled > 0, pooled, 1) * (m / n)
        statistic = g_statistic(tables, expected) * (n - 1) / (n - m)
        return float((statistic >= chdtri(population.df, attack.alpha)).mean())
    own, other = _pairs(population, tables), _pairs(population, known)
    if not exact:
        return _approximate_power(attack, own, own + other)
    rejected = 0
    few = min(_FEW_DRAWS, len(tables))
    for drawn, pooled in zip(own[:few], (own + other)[:few], strict=True):
        trials, successes = np.stack([pooled.sum(axis=0), drawn.sum(axis=0)]), (pooled[1], drawn[1])
        rates = Rates(trials, np.stack(successes), population.comparison, population.reference)
        if trials[1].min() > 0 and rates.value(1) == rates.value(1):
            rejected += exact_pvalue(rates) <= attack.alpha
    return rejected / few


def _pairs(population: Population, tables: np.ndarray) -> np.ndarray:
    """Arrange cells as (draw, decision, group), without the rest."""
    k = len(population.sizes)
    return np.asarray(tables[:, : 2 * k].reshape(len(tables), 2, k))


def _approximate_power(attack: Attack, own: np.ndarray, pooled: np.ndarray) -> float:
    """Power of the conditional test with a normal instead of the hypergeometric distribution."""
    j = attack.population.reference
    i = 1 - j
    m, n = own.sum(axis=1), pooled.sum(axis=1)
    share = pooled[:, 1] / np.maximum(n, 1)
    spread = m * share * (1 - share) * (n - m) / np.maximum(n - 1, 1)
    if attack.population.comparison == "ratio":
        slope = own[:, 1, i] / np.maximum(own[:, 1, j], 0.5)
        gap = slope * m[:, j] * share[:, j] - m[:, i] * share[:, i]
    else:
        slope = m[:, i] / np.maximum(m[:, j], 1)
        gap = own[:, 1, i] - slope * own[:, 1, j] - (m[:, i] * (share[:, i] - share[:, j]))
    total = np.sqrt(np.maximum(spread[:, i] + slope**2 * spread[:, j], 1e-12))
    return float((gap / total >= ndtri(1 - attack.alpha)).mean())
