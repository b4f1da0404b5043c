"""Search over whole tables for the best metric that a test lets pass; two groups."""

import numpy as np
from scipy.special import xlogy

from shiftlab._core.random import as_generator
from shiftlab.auditing._frontier_cost import Population
from shiftlab.auditing._hypergeometric import hypergeometric_window
from shiftlab.auditing._representativeness_directional import metric_value

__all__ = ["search_directional", "search_tables", "upper_point"]

#: Standard deviations searched around the expected table.
_WIDTH = 4.5
_DRAWS = 99_999


def search_tables(population: Population, m: int, limit: float) -> float:
    """Best metric over all tables of m rows whose G statistic is within a limit.

    For each size of the group and each number of favourable decisions of the reference group, G is
    convex in the third count: the largest one within the limit is found by bisection, for all
    pairs at once.
    """
    i, j = 1 - population.reference, population.reference
    n = population.n
    sizes = population.sizes[[i, j]]
    favourable = population.favourable[[i, j]]
    expected = np.stack([sizes - favourable, favourable], axis=1) * (m / n)
    spread = np.sqrt(m * population.shares[i] * (1 - population.shares[i]))
    middle = m * population.shares[i]
    group = np.arange(
        max(int(middle - _WIDTH * spread), max(m - sizes[1], 0)),
        min(int(middle + _WIDTH * spread) + 1, min(sizes[0], m)) + 1,
    )
    top = expected[1, 1] + _WIDTH * np.sqrt(expected[1, 1]) + 1
    low = max(int(expected[1, 1] - _WIDTH * np.sqrt(expected[1, 1])) - 1, 1)
    other = np.arange(low, int(min(top, favourable[1])) + 1)
    m_i, x_j = (part.ravel() for part in np.meshgrid(group, other, indexing="ij"))
    possible = (m - m_i - x_j >= 0) & (m - m_i - x_j <= sizes[1] - favourable[1])
    m_i, x_j = m_i[possible], x_j[possible]
    rest = _g(x_j, expected[1, 1]) + _g(m - m_i - x_j, expected[1, 0])
    low_i, high_i = np.maximum(m_i - (sizes[0] - favourable[0]), 0), np.minimum(m_i, favourable[0])
    start = np.clip(np.rint(m_i * favourable[0] / sizes[0]).astype(np.int64), low_i, high_i)

    def total(x_i: np.ndarray) -> np.ndarray:
        return 2 * (_g(x_i, expected[0, 1]) + _g(m_i - x_i, expected[0, 0]) + rest)

    passes = total(start) <= limit
    if not passes.any():
        return population.value
    below, above = start, high_i + 1
    while (above - below > 1).any():
        middle_i = (below + above) // 2
        good = total(middle_i) <= limit
        below, above = np.where(good, middle_i, below), np.where(good, above, middle_i)
    rate_i, rate_j = below / np.maximum(m_i, 1), x_j / np.maximum(m - m_i, 1)
    values = rate_i / rate_j if population.comparison == "ratio" else rate_i - rate_j
    return float(values[passes].max())


def _g(observed: np.ndarray, expected: float) -> np.ndarray:
    # The sum of observed minus expected over all cells is zero, so that it may be left out.
    return np.asarray(xlogy(observed, observed) - xlogy(observed, expected))


def search_directional(population: Population, m: int, regime: str, alpha: float) -> float:
    """Best metric whose directional p-value exceeds the level.

    The test takes group sizes as given, so with two groups the attacker chooses them as well,
    within 4.5 standard deviations; with more groups they are those expected. Under regime
    "independent" the population is not known: the value is that of a sample whose claim is
    compared with a reference that shows the true rates exactly.
    """
    share = m / population.n
    trials = np.maximum(np.rint(population.sizes * share).astype(np.int64), 1)
    if regime == "full" and len(trials) == 2:
        return max(upper_point(population, sizes, alpha) for sizes in _group_sizes(population, m))
    generator = as_generator(0)
    if regime == "full":
        drawn = [
            generator.hypergeometric(a, n - a, min(k, n), size=_DRAWS)
            for a, n, k in zip(population.favourable, population.sizes, trials, strict=True)
        ]
        values = metric_value(
            np.stack(drawn, axis=1), trials, population.comparison, population.reference
        )
    else:
        sample = generator.binomial(trials, population.rates, size=(_DRAWS, len(trials)))
        known = generator.binomial(population.sizes, population.rates, size=sample.shape)
        values = _shifted(population, sample / trials, known / population.sizes)
    return float(np.quantile(values[~np.isnan(values)], 1 - alpha))


def _group_sizes(population: Population, m: int) -> list[np.ndarray]:
    """Sizes of both groups, from unusually many rows of one to unusually many of the other."""
    total = m * float(population.shares.sum())
    share = population.sizes[0] / population.sizes.sum()
    left = (population.n - m) / max(population.n - 1, 1)
    spread = np.sqrt(total * share * (1 - share) * left)
    first = np.rint(total * share + spread * np.linspace(-_WIDTH, _WIDTH, 19)).astype(np.int64)
    whole = round(total)
    low, high = max(1, whole - int(population.sizes[1])), min(whole - 1, int(population.sizes[0]))
    first = np.unique(np.clip(first, low, max(low, high)))
    return [np.array([size, max(whole - size, 1)]) for size in first]


def _shifted(population: Population, sample: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Metric of the sample, less what the reference happens to show."""
    j = population.reference
    with np.errstate(divide="ignore", invalid="ignore"):
        if population.comparison == "difference":
            gap = (sample - sample[:, [j]]) - (known - known[:, [j]])
            base = population.rates - population.rates[j]
            return np.asarray(np.delete(base + gap, j, axis=1).min(axis=1))
        gap = (sample / sample[:, [j]]) / (known / known[:, [j]])
        base = population.rates / population.rates[j]
        return np.asarray(np.delete(base * gap, j, axis=1).min(axis=1))


def upper_point(population: Population, trials: np.ndarray, alpha: float) -> float:
    """Largest attainable metric with a probability of at least that metric above the level."""
    i, j = 1 - population.reference, population.reference
    parts = [
        hypergeometric_window(
            int(population.sizes[g]), int(population.favourable[g]), int(trials[g])
        )
        for g in (i, j)
    ]
    (x_i, w_i), (x_j, w_j) = parts
    keep_i, keep_j = w_i > 1e-12, w_j > 1e-12
    x_i, w_i, x_j, w_j = x_i[keep_i], w_i[keep_i], x_j[keep_j], w_j[keep_j]
    rate_i, rate_j = x_i[:, None] / trials[i], x_j[None, :] / trials[j]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = rate_i / rate_j if population.comparison == "ratio" else rate_i - rate_j
    values = np.where(np.isnan(values), -np.inf, values).ravel()
    order = np.argsort(-values, kind="stable")
    tail = np.cumsum((w_i[:, None] * w_j[None, :]).ravel()[order])
    # Equal values belong together: the tail of a value includes all its ties.
    place = int(np.searchsorted(tail, alpha, "right"))
    return float(values[order[min(place, len(order) - 1)]])
