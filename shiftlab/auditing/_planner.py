"""The planner: the smallest sample that exposes a claim."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtri, ndtri

from shiftlab._core.checks import check_fraction, check_option
from shiftlab._core.results import Result
from shiftlab.auditing._frontier import TESTS, highest_undetected
from shiftlab.auditing._frontier_cost import Population, cheapest_rates
from shiftlab.auditing._planner_power import Attack, power_at
from shiftlab.auditing._representativeness_directional import METRICS
from shiftlab.exceptions import DegenerateDataError, InputError
from shiftlab.metrics import GroupCounts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ATTACKERS", "SamplePlan", "plan_for", "plan_sample_size"]

ATTACKERS = ("random", "selective", "deterministic")
_SMALLEST, _LARGEST = 10, 10**8


@dataclass(frozen=True)
class SamplePlan(Result):
    """How many rows an audit needs.

    Attributes
    ----------
    m : int or None
        Smallest sample found; None if no sample of genuine rows reaches the target at all, or none
        is large enough, and `note` says which.
    power : float
        Power at m, by simulation (1 against the deterministic attacker).
    asked : float
        Power asked for.
    metric : str
        The metric.
    target : float
        Value claimed by the attacker.
    population_value : float
        Value in the population.
    kl : float
        Divergence of the cheapest table that reaches the target, in nats.
    test : str
        The test.
    attacker : str
        Who submits.
    regime : str
        What the reference is.
    alpha : float
        Level of the test.
    curve : tuple of (int, float)
        Power at sample sizes around m.
    note : str
        What a reader has to know; may be empty.
    """

    m: int | None
    power: float
    asked: float
    metric: str
    target: float
    population_value: float
    kl: float
    test: str
    attacker: str
    regime: str
    alpha: float
    curve: tuple[tuple[int, float], ...] = ()
    note: str = ""

    def __repr__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        size = "no sample size" if self.m is None else f"m = {self.m}"
        return (
            f"{size}: {self.test} detects {self.attacker} claims of {self.metric} >= "
            f"{self.target:g} (population {self.population_value:.4g}) with power "
            f"{self.power:.3f} (regime {self.regime!r}{note})"
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per sample size of the curve, the planned one marked."""
        import pandas as pd

        lines = self.curve or ((self.m, self.power),)
        return pd.DataFrame(
            [{"m": m, "power": power, "planned": m == self.m} for m, power in lines]
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw power against sample size.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        from shiftlab.auditing._frontier_plot import plot_power

        return plot_power(self, ax)


def plan_sample_size(
    counts: GroupCounts,
    target: float = 0.8,
    *,
    metric: str = "disparate_impact",
    power: float = 0.9,
    test: str = "directional",
    attacker: str = "random",
    regime: str = "full",
    alpha: float = 0.05,
) -> SamplePlan:
    """Find the smallest sample in which a false claim is detected.

    Parameters
    ----------
    counts : GroupCounts
        The population (or an independent sample of it), or what it is assumed to be.
    target : float, default 0.8
        Value that the attacker wants to show.
    metric : str, default "disparate_impact"
        "disparate_impact", "demographic_parity_difference", "true_positive_rate_ratio" or
        "equal_opportunity_difference".
    power : float, default 0.9
        Probability of detection; not used against the deterministic attacker.
    test : {"directional", "cells_g"}, default "directional"
        The test.
    attacker : {"random", "selective", "deterministic"}, default "random"
        Draws from the entropic projection and submits any draw; submits only draws that show the
        target; or composes the best table within the acceptance region, in which case m is the
        size from which on detection is certain.
    regime : {"full", "independent"}, default "full"
        What the reference of the audit will be; with "independent" its size is that of `counts`.
    alpha : float, default 0.05
        Level of the test.

    Returns
    -------
    SamplePlan

    Raises
    ------
    InputError
        If the target does not exceed the value of the population, cannot be reached, or an option
        is unknown.
    DegenerateDataError
        If the metric is not defined in the population.

    Examples
    --------
    >>> from shiftlab.auditing import plan_sample_size
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> counts = GroupCounts.from_frame(table, "sex")
    >>> plan_sample_size(counts, test="cells_g", attacker="deterministic").m
    153
    """
    check_option(metric, tuple(METRICS), "metric")
    check_option(test, TESTS, "test")
    check_option(attacker, ATTACKERS, "attacker")
    check_option(regime, ("full", "independent"), "regime")
    wanted, level = check_fraction(power, "power"), check_fraction(alpha, "alpha")
    population = Population.of(counts, metric)
    _check_target(population, target)
    attack = Attack(population, float(target), test, attacker, regime, level)
    return plan_for(attack, wanted)


def _check_target(population: Population, target: float) -> None:
    value = population.value
    if value != value:
        raise DegenerateDataError(
            "The reference group has no favourable decision, so the metric is not defined."
        )
    best = 1.0 if population.comparison == "ratio" else 0.0
    if not value < target <= best:
        raise InputError(
            f"target must lie above the present value {value:.4g} and not above {best:g}, "
            f"found {target:g}: otherwise there is nothing to detect."
        )


def plan_for(attack: Attack, wanted: float, *, curve: bool = True) -> SamplePlan:
    """Search for the sample size."""
    population = attack.population
    kl = float(population.divergence(cheapest_rates(population, attack.target)))
    top = population.n if attack.regime == "full" else _LARGEST
    certain = attack.attacker == "deterministic"

    def detects(m: int) -> bool:
        if certain:
            found, _ = highest_undetected(population, m, attack.test, attack.regime, attack.alpha)
            return found < attack.target
        return power_at(attack, m) >= wanted

    start = int(_first_guess(population, kl, attack, wanted))
    m = _smallest(detects, min(max(start, _SMALLEST), top), top, exact=certain)
    note = "" if m is not None else "not even the largest possible sample is enough"
    m, reached = (m, 1.0) if certain else _refined(attack, m, top, wanted)
    points: tuple[tuple[int, float], ...] = ()
    if curve and not certain and m is not None:
        sizes = np.unique(np.clip(np.geomspace(m / 4, 2.5 * m, 11), _SMALLEST, top).astype(int))
        sizes = np.union1d(sizes, [m])
        points = tuple((int(size), power_at(attack, int(size))) for size in sizes)
    return SamplePlan(
        m=m,
        power=reached if m is not None or not certain else 0.0,
        asked=1.0 if certain else wanted,
        metric=population.metric,
        target=attack.target,
        population_value=population.value,
        kl=kl,
        test=attack.test,
        attacker=attack.attacker,
        regime=attack.regime,
        alpha=attack.alpha,
        curve=points,
        note=note,
    )


def _refined(attack: Attack, m: int | None, top: int, wanted: float) -> tuple[int | None, float]:
    """Power at the size found, which is enlarged if an approximation was too hopeful."""
    if m is None:
        return None, power_at(attack, top, exact=True)
    reached = power_at(attack, m, exact=True)
    for _ in range(3):
        if reached >= wanted - 0.01 or m >= top:
            break
        base = ndtri(1 - attack.alpha)
        factor = ((base + ndtri(wanted)) / (base + ndtri(min(max(reached, 0.05), 0.99)))) ** 2
        m = min(int(m * max(factor, 1.01)) + 1, top)
        reached = power_at(attack, m, exact=True)
    return m, reached


def _first_guess(population: Population, kl: float, attack: Attack, wanted: float) -> float:
    """Where the search starts: the usual formulas for an infinite population."""
    if attack.attacker == "deterministic" or attack.test == "cells_g":
        size = float(chdtri(population.df, attack.alpha)) / (2 * max(kl, 1e-12))
    else:
        size = (ndtri(1 - attack.alpha) + ndtri(wanted)) ** 2 / (2 * max(kl, 1e-12))
    return float(size / (1 + size / population.n) if attack.regime == "full" else size)


def _smallest(detects: Callable[[int], bool], start: int, top: int, *, exact: bool) -> int | None:
    """Smallest size that detects, up to half a percent unless `exact`."""
    below, above = _SMALLEST - 1, start
    while not detects(above):
        if above >= top:
            return None
        below, above = above, min(2 * above, top)
    if below < start // 2 and start // 2 > _SMALLEST and not detects(start // 2):
        below = start // 2
    step = 1 if exact else max(1, above // 200)
    while above - below > step:
        middle = (below + above) // 2
        if detects(middle):
            above = middle
        else:
            below = middle
    return above
