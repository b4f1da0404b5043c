"""What the audit could have seen at this sample size, and what size it would need."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri, chndtr, ndtri

from shiftlab.auditing._frontier import highest_undetected
from shiftlab.auditing._frontier_cost import Population, cheapest_rates
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

__all__ = ["FeatureOutlook", "outlook_of"]


@dataclass(frozen=True)
class FeatureOutlook:
    """Frontier and required sizes for one sensitive feature.

    Attributes
    ----------
    feature : str
        The feature.
    highest_g, highest_directional : float
        Best metric that passes the test on cells, or the directional test, at this sample size.
    kl : float
        Divergence, in nats, of the cheapest table that reaches the threshold.
    m_certain : int or None
        Sample size from which on the test on cells detects every claim of the threshold.
    m_power_g, m_power_directional : int or None
        Sizes at which the tests detect a random draw from that table with the power asked for.
    power : float
        That power.
    note : str
        Why values are missing; may be empty.
    """

    feature: str
    highest_g: float
    highest_directional: float
    kl: float
    m_certain: int | None
    m_power_g: int | None
    m_power_directional: int | None
    power: float
    note: str = ""


def outlook_of(
    known: GroupCounts | None,
    counts: GroupCounts,
    *,
    metric: str,
    threshold: float,
    regime: str,
    alpha: float,
    power: float,
) -> tuple[FeatureOutlook, ...]:
    """Compute the outlook of every feature; empty where the reference has no decisions."""
    if known is None:
        return ()
    m = int(counts.n.sum())
    parts = []
    for name in known.names:
        try:
            parts.append(
                _feature(known.margin(name), name, m, (metric, threshold, regime, alpha, power))
            )
        except InputError as error:
            nan = float("nan")
            parts.append(
                FeatureOutlook(name, nan, nan, nan, None, None, None, power, note=str(error))
            )
    return tuple(parts)


def _feature(
    known: GroupCounts, name: str, m: int, options: tuple[str, float, str, float, float]
) -> FeatureOutlook:
    metric, threshold, regime, alpha, power = options
    population = Population.of(known, metric)
    m = min(m, population.n) if regime == "full" else m
    highest_g, highest_directional = (
        highest_undetected(population, m, test, regime, alpha)[0]
        for test in ("cells_g", "directional")
    )
    value = population.value
    if not value < threshold <= (1.0 if population.comparison == "ratio" else 0.0):
        note = "the reference itself reaches the threshold" if value >= threshold else ""
        nan = float("nan")
        return FeatureOutlook(
            name, highest_g, highest_directional, nan, None, None, None, power, note
        )
    rates = cheapest_rates(population, threshold)
    kl = float(population.divergence(rates))
    limit = float(chdtri(population.df, alpha))
    needed = (
        limit,
        _noncentrality(population.df, limit, power),
        _directional(population, rates, threshold, (alpha, power)) * 2 * kl,
    )
    sizes = [_finite(value / (2 * kl), population.n, regime) for value in needed]
    return FeatureOutlook(
        name, highest_g, highest_directional, kl, sizes[0], sizes[1], sizes[2], power
    )


def _noncentrality(df: int, limit: float, power: float) -> float:
    """Noncentrality at which chi-square exceeds the limit with the power asked for."""
    return float(brentq(lambda nc: 1 - chndtr(limit, df, nc) - power, 1e-6, 1e3))


def _directional(
    population: Population,
    rates: np.ndarray,
    threshold: float,
    levels: tuple[float, float],
) -> float:
    """Sample size from the normal approximation of the log ratio or of the difference."""
    alpha, power = levels
    j = population.reference
    ratio = population.comparison == "ratio"
    spreads = []
    for p in (population.rates, rates):
        p = np.clip(p, 1e-12, 1 - 1e-12)
        each = ((1 - p) / p if ratio else p * (1 - p)) / population.shares
        compared = np.delete(p / p[j] if ratio else p - p[j], j)
        worst = np.delete(np.arange(len(p)), j)[int(compared.argmin())]
        spreads.append(float(each[worst] + each[j]))
    gap = np.log(threshold / population.value) if ratio else threshold - population.value
    reach = ndtri(1 - alpha) * np.sqrt(spreads[0]) + ndtri(power) * np.sqrt(spreads[1])
    return float((reach / gap) ** 2)


def _finite(size: float, n: int, regime: str) -> int | None:
    """Correct for a finite population, or for a reference of limited size."""
    if regime == "full":
        return int(np.ceil(size / (1 + size / n)))
    return int(np.ceil(size * n / (n - size))) if size < n else None
