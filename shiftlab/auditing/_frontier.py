"""The frontier: the best metric that a sample can show without being detected.

A deterministic attacker picks the table of the sample freely, among genuine rows. Against the G
test it fails if ``2 m KL / fpc`` exceeds the critical value; the largest metric below it solves one
equation, and for two groups can be searched over whole tables. Against the directional test it is
the upper quantile of the metric in honest samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri

from shiftlab._core.checks import check_fraction, check_integer, check_option
from shiftlab._core.results import Result
from shiftlab.auditing._frontier_cost import Population, cheapest_rates
from shiftlab.auditing._frontier_search import search_directional, search_tables
from shiftlab.auditing._representativeness_directional import METRICS, check_threshold
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["TESTS", "Frontier", "FrontierPoint", "effective_size", "frontier", "highest_undetected"]

TESTS = ("cells_g", "directional")
#: Ratios are searched up to here; more is called unbounded.
_LARGEST_RATIO = 50.0
#: Larger samples have smooth frontiers: the closed form is exact to the digits shown.
_MOST_EXACT = 20_000


@dataclass(frozen=True)
class FrontierPoint:
    """Best undetected metric at one sample size.

    Attributes
    ----------
    m : int
        Rows of the sample.
    test : str
        The test to be passed.
    highest : float
        Best metric that passes; infinite if there is no bound.
    method : str
        "closed form" or "exact".
    detects_threshold : bool
        Whether every sample that shows the threshold is detected.
    """

    m: int
    test: str
    highest: float
    method: str
    detects_threshold: bool


@dataclass(frozen=True)
class Frontier(Result):
    """Best undetected metric by sample size and test.

    Attributes
    ----------
    points : tuple of FrontierPoint
        Sorted by test and sample size.
    metric : str
        The metric.
    population_value : float
        Its value in the population.
    threshold : float
        Value that complies.
    alpha : float
        Level of the test.
    regime : str
        What the reference is.
    n_reference : int
        Its rows.
    """

    points: tuple[FrontierPoint, ...]
    metric: str
    population_value: float
    threshold: float
    alpha: float
    regime: str
    n_reference: int

    def __repr__(self) -> str:
        lines = [f"  m = {p.m}: {p.highest:.4g} ({p.test}, {p.method})" for p in self.points[:20]]
        head = (
            f"Frontier of {self.metric} (population {self.population_value:.4g}, regime "
            f"{self.regime!r}, alpha {self.alpha:g})"
        )
        return "\n".join([head, *lines])

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per sample size and test."""
        import pandas as pd

        names = ("m", "test", "highest", "method", "detects_threshold")
        return pd.DataFrame([{name: getattr(p, name) for name in names} for p in self.points])

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the frontier with the threshold and the value of the population.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        from shiftlab.auditing._frontier_plot import plot_frontier

        return plot_frontier(self, ax)


def frontier(
    counts: GroupCounts,
    m: int | Sequence[int] | None = None,
    *,
    metric: str = "disparate_impact",
    threshold: float = 0.8,
    tests: str | Sequence[str] = TESTS,
    regime: str = "full",
    alpha: float = 0.05,
    method: str = "auto",
) -> Frontier:
    """Compute the best metric that a sample of genuine rows can show without being detected.

    Parameters
    ----------
    counts : GroupCounts
        The population, or an independent random sample of it.
    m : int or sequence of int, optional
        Sample sizes; by default a grid from 50 rows to the whole reference.
    metric : str, default "disparate_impact"
        "disparate_impact", "demographic_parity_difference", "true_positive_rate_ratio" or
        "equal_opportunity_difference".
    threshold : float, default 0.8
        Value that complies; shown as a line.
    tests : {"cells_g", "directional"} or both, default ("cells_g", "directional")
        The test that has to be passed.
    regime : {"full", "independent"}, default "full"
        What `counts` are.
    alpha : float, default 0.05
        Level of the test.
    method : {"auto", "closed-form", "exact"}, default "auto"
        For "cells_g": the equation, or a search over whole tables (two groups); "auto" searches
        up to 20000 rows.

    Returns
    -------
    Frontier

    Raises
    ------
    InputError
        If an option is unknown, a sample size is not possible, or the metric is not defined.

    Examples
    --------
    >>> from shiftlab.auditing import frontier
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> result = frontier(GroupCounts.from_frame(table, "sex"), [500, 1000], tests="cells_g")
    >>> [round(point.highest, 3) for point in result.points]
    [0.528, 0.446]
    """
    check_option(metric, tuple(METRICS), "metric")
    threshold = check_threshold(threshold, metric)
    check_option(regime, ("full", "independent"), "regime")
    check_option(method, ("auto", "closed-form", "exact"), "method")
    level = check_fraction(alpha, "alpha")
    chosen = [tests] if isinstance(tests, str) else list(tests)
    for test in chosen:
        check_option(test, TESTS, "tests")
    population = Population.of(counts, metric)
    sizes = _sizes(m, population.n, regime)
    points = []
    for test in chosen:
        for size in sizes:
            value, how = highest_undetected(population, size, test, regime, level, method)
            points.append(FrontierPoint(size, test, value, how, value < threshold))
    return Frontier(
        points=tuple(points),
        metric=metric,
        population_value=population.value,
        threshold=threshold,
        alpha=level,
        regime=regime,
        n_reference=population.n,
    )


def _sizes(m: Any, n: int, regime: str) -> list[int]:
    if m is None:
        top = n if regime == "full" else max(10 * n, 100)
        grid = np.unique(np.geomspace(min(50, top), top, 25).astype(int))
        return [int(size) for size in grid]
    sizes = [m] if np.ndim(m) == 0 else list(m)
    sizes = sorted(check_integer(size, "m") for size in sizes)
    if regime == "full" and sizes[-1] > n:
        raise InputError(f"m must not exceed the {n} rows of the population, found {sizes[-1]}.")
    return sizes


def effective_size(m: int, n: int, regime: str) -> float:
    """Size of an infinite-population sample with the same variance."""
    if regime == "independent":
        return m * n / (m + n)
    return m * (n - 1) / (n - m) if m < n else float("inf")


def highest_undetected(
    population: Population, m: int, test: str, regime: str, alpha: float, method: str = "auto"
) -> tuple[float, str]:
    """Best metric that passes one test, and how it was found."""
    size = effective_size(m, population.n, regime)
    if not np.isfinite(size):
        return population.value, "exact"
    if test == "directional":
        return search_directional(population, m, regime, alpha), "exact"
    limit = float(chdtri(population.df, alpha))
    two_groups = len(population.sizes) == 2 and len(population.rest) == 0
    if method == "exact" and not two_groups:
        raise InputError(
            "The search over whole tables is for two groups and metrics of decisions alone; use "
            "method='closed-form'."
        )
    if method == "exact" or (method == "auto" and two_groups and m <= _MOST_EXACT):
        return search_tables(population, m, limit * m / size), "exact"
    return _closed_form(population, limit / (2 * size)), "closed form"


def _closed_form(population: Population, budget: float) -> float:
    """Largest target whose cheapest table has a divergence within the budget."""

    def excess(target: float) -> float:
        return float(population.divergence(cheapest_rates(population, target))) - budget

    low = population.value
    many = len(population.sizes) > 2
    high = (1.0 if many else _LARGEST_RATIO) if population.comparison == "ratio" else 0.0
    if population.comparison == "difference" and not many:
        high = 1.0 - 1e-9
    if not low < high:
        return low
    if excess(high) <= 0:
        return high if many or population.comparison == "difference" else float("inf")
    return float(brentq(excess, low, high, xtol=1e-9))
