"""Directional test: whether the sample looks fairer than a random sample would.

Given how many rows of each group were drawn, the favourable decisions of each group are
hypergeometric and independent of those of other groups. For two groups the probability of a
metric at least as good as the one observed is therefore a sum over one of the two counts, exact
at any size; for more groups it is drawn. No normal approximation is made anywhere, so the test
keeps its level with a handful of positives in a group.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.random import RandomState, as_generator
from shiftlab.auditing._hypergeometric import hypergeometric_window
from shiftlab.auditing._representativeness_cells import REQUIRES
from shiftlab.auditing._representativeness_counts import Cells, align_cells
from shiftlab.auditing._representativeness_result import RepresentativenessTest
from shiftlab.exceptions import DegenerateDataError, InputError
from shiftlab.metrics import GroupCounts

__all__ = [
    "METRICS",
    "Rates",
    "check_threshold",
    "directional_test",
    "exact_pvalue",
    "metric_rates",
    "metric_value",
    "run_directional",
]

#: Metric: the rows over which its rate is taken, and how two rates are compared.
METRICS = {
    "disparate_impact": ("all", "ratio"),
    "demographic_parity_difference": ("all", "difference"),
    "true_positive_rate_ratio": ("positive", "ratio"),
    "equal_opportunity_difference": ("positive", "difference"),
}


def check_threshold(threshold: Any, metric: str) -> float:
    """Read the least value of a metric that complies."""
    ratio = METRICS[metric][1] == "ratio"
    low, high = (0.0, 1.0) if ratio else (-1.0, 0.0)
    try:
        value = float(threshold)
    except (TypeError, ValueError):
        value = float("nan")
    if not low <= value <= high or (ratio and value == 0.0):
        allowed = "above 0 and at most 1" if ratio else "between -1 and 0"
        hint = f" Did you mean {value / 100:g}?" if ratio and 1 < value <= 100 else ""
        raise InputError(
            f"threshold of {metric} must be a number {allowed}, found {threshold!r}.{hint}"
        )
    return value


@dataclass(frozen=True, eq=False)
class Rates:
    """What a metric is computed from.

    Attributes
    ----------
    trials, successes : ndarray of int64, shape (2, n_groups)
        Rows that the rate is taken over and those with a favourable decision, in the population
        (first line) and in the sample.
    comparison : {"ratio", "difference"}
        How the rates of a group and of the reference group are compared.
    reference : int
        Position of the reference group.
    """

    trials: np.ndarray
    successes: np.ndarray
    comparison: str
    reference: int

    def value(self, line: int) -> float:
        """Metric of the population (0) or of the sample (1)."""
        return float(
            metric_value(self.successes[line], self.trials[line], self.comparison, self.reference)
        )


def directional_test(
    sample: GroupCounts,
    reference: GroupCounts,
    *,
    metric: str = "disparate_impact",
    regime: str = "full",
    reference_group: Any = None,
    n_resamples: int = 19_999,
    random_state: RandomState = None,
) -> RepresentativenessTest:
    """Test whether a random sample would look as fair as this one.

    Parameters
    ----------
    sample : GroupCounts
        Counts of the submitted sample.
    reference : GroupCounts
        Counts of what it claims to represent.
    metric : str, default "disparate_impact"
        "disparate_impact" (ratio of selection rates), "demographic_parity_difference",
        "true_positive_rate_ratio" or "equal_opportunity_difference"; the last two need outcomes.
    regime : {"full", "independent"}, default "full"
        As in `cell_test`.
    reference_group : object, optional
        Group that the others are compared with; by default that of the highest rate in the
        reference. The metric is the value of the worst other group.
    n_resamples : int, default 19999
        Number of draws, used with more than two groups only.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the draws.

    Returns
    -------
    RepresentativenessTest
        The statistic is the metric of the sample, the effect its excess over the reference.

    Raises
    ------
    InputError
        If the tables do not fit together, the metric or the group is unknown, or outcomes are
        needed and absent.
    DegenerateDataError
        If fewer than two groups have rows to take the rate over.

    Notes
    -----
    The test is conditional on the group sizes of the sample; `cell_test` sees those. It is the most
    powerful of the tests here against samples that claim a metric which the population lacks.

    Examples
    --------
    >>> from shiftlab.auditing import directional_test
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> claim = {"sex": ["f", "m"], "n": [40, 85], "selected": [9, 22]}
    >>> population, sample = (GroupCounts.from_frame(t, "sex") for t in (table, claim))
    >>> result = directional_test(sample, population)
    >>> print(round(result.statistic, 3), round(result.pvalue, 4))
    0.869 0.0031
    """
    check_integer(n_resamples, "n_resamples")
    cells = align_cells(sample, reference, regime)
    return run_directional(cells, metric, reference_group, n_resamples, as_generator(random_state))


def run_directional(
    cells: Cells,
    metric: str,
    reference_group: Any,
    n_resamples: int,
    generator: np.random.Generator,
) -> RepresentativenessTest:
    """Run `directional_test` on tables that are already in the same cells."""
    rates = metric_rates(cells, metric, reference_group)
    claimed, honest = rates.value(1), rates.value(0)
    note = ""
    if cells.impossible:
        pvalue, how = 0.0, "more rows in a cell than the population has"
    elif claimed != claimed:
        pvalue, how = 1.0, "not tested"
        note = "a group has no rows in the sample, or no group a favourable decision"
    elif len(rates.trials[0]) == 2:
        pvalue, how = exact_pvalue(rates), "exact, conditional on the group sizes"
    else:
        pvalue = _drawn_pvalue(rates, claimed, n_resamples, generator)
        how = f"exact, {n_resamples} hypergeometric draws"
    return RepresentativenessTest(
        name=f"directional_{metric}",
        statistic=claimed,
        pvalue=pvalue,
        method=how,
        effect=claimed - honest,
        effect_name=f"{metric} above the reference",
        n_sample=cells.m,
        n_reference=cells.n_reference,
        fpc=cells.fpc,
        requires=REQUIRES[cells.regime],
        note=note,
    )


def metric_rates(cells: Cells, metric: str, reference_group: Any = None) -> Rates:
    """Pick the rows that a metric is about and find its reference group."""
    check_option(metric, tuple(METRICS), "metric")
    rows, comparison = METRICS[metric]
    if rows == "positive" and cells.population.shape[1] == 1:
        raise InputError(f"metric {metric!r} needs the true outcome in sample and reference.")
    tables = np.stack([cells.population, cells.sample])
    table = tables[:, :, 1] if rows == "positive" else tables.sum(axis=2)
    kept = table[0].sum(axis=-1) > 0
    if kept.sum() < 2:
        raise DegenerateDataError(f"{metric} compares groups, and fewer than two have rows.")
    table = table[:, kept]
    groups = [group for group, keep in zip(cells.groups, kept, strict=True) if keep]
    trials, successes = table.sum(axis=-1), table[..., 1]
    best = int((successes[0] / trials[0]).argmax())
    if reference_group is not None:
        best = _find_group(groups, reference_group)
    return Rates(trials, successes, comparison, best)


def _find_group(groups: list[tuple[Any, ...]], wanted: Any) -> int:
    parts = wanted if isinstance(wanted, (tuple, list)) else str(wanted).split(" / ")
    keys = [tuple(map(str, group)) for group in groups]
    if tuple(map(str, parts)) not in keys:
        raise InputError(f"reference_group: there is no group {wanted!r} with rows to compare.")
    return keys.index(tuple(map(str, parts)))


def metric_value(
    successes: np.ndarray, trials: np.ndarray, comparison: str, reference: int
) -> np.ndarray:
    """Metric of the worst group over the last axis: the smallest ratio or (signed) difference.

    A ratio whose two rates are 0 is not defined (NaN), like a rate over no rows.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = successes / trials
        base = rate[..., reference][..., None]
        compared = rate / base if comparison == "ratio" else rate - base
    return np.asarray(np.delete(compared, reference, axis=-1).min(axis=-1))


def exact_pvalue(rates: Rates) -> float:
    """Probability of a metric at least as good, for two groups.

    A comparison of two counts is made in whole numbers, so that ties are ties.
    """
    i, j = 1 - rates.reference, rates.reference
    (n_i, n_j), (m_i, m_j) = rates.trials[:, [i, j]].tolist()
    (a_i, a_j), (x_i, x_j) = rates.successes[:, [i, j]].tolist()
    group, group_weights = hypergeometric_window(n_i, a_i, m_i, x_i)
    other, weights = hypergeometric_window(n_j, a_j, m_j, x_j)
    if rates.comparison == "ratio":
        needed = -(-x_i * other // x_j) if x_j > 0 else np.where(other == 0, 1, m_i + 1)
        # 0 / 0 is the least extreme of all, x / 0 the most.
        needed = np.where(other == 0, np.maximum(needed, 1), needed)
    else:
        gap = x_i * m_j - x_j * m_i
        needed = -(-(gap + other * m_i) // m_j)
    tails = np.append(np.cumsum(group_weights[::-1])[::-1], 0.0)
    position = np.clip(needed - group[0], 0, len(group))
    return float(min(weights @ tails[position], 1.0))


def _drawn_pvalue(
    rates: Rates, claimed: float, n_resamples: int, generator: np.random.Generator
) -> float:
    drawn = np.stack(
        [
            generator.hypergeometric(a, n - a, m, size=n_resamples)
            for n, a, m in zip(rates.trials[0], rates.successes[0], rates.trials[1], strict=True)
        ],
        axis=1,
    )
    null = metric_value(drawn, rates.trials[1], rates.comparison, rates.reference)
    reached = int((null >= claimed * (1 - np.sign(claimed) * 1e-12)).sum())
    return (1 + reached) / (1 + n_resamples)
