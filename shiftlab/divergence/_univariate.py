"""Tests for one column of numbers, from cumulative counts over the pooled sort.

The pooled values are sorted once. A resample is then a vector of counts over the distinct values,
and its distribution functions are cumulative sums: rows are never sorted again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from shiftlab._core.random import RandomState, as_generator
from shiftlab.divergence._permutation import (
    Measure,
    Resampling,
    as_resampling,
    null_from_counts,
    report,
)
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.divergence._samples import read_samples
from shiftlab.transport._one_dimensional import sorted_cost
from shiftlab.transport._samples import check_power

__all__ = ["ks_test", "wasserstein_of_column"]

CountStatistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ladder:
    """Distinct values of a column in rising order and how often each sample has them."""

    values: np.ndarray
    counts_x: np.ndarray
    counts_y: np.ndarray

    @classmethod
    def of(cls, stacked: np.ndarray, n_x: int) -> "Ladder":
        """Sort the stacked values once."""
        values, position = np.unique(stacked, return_inverse=True)
        counts_x = np.bincount(position[:n_x], minlength=len(values))
        counts_y = np.bincount(position[n_x:], minlength=len(values))
        return cls(values, counts_x, counts_y)

    def observed(self, statistic: CountStatistic) -> float:
        """Evaluate a statistic of count blocks on the samples themselves."""
        return float(statistic(self.counts_x[None], self.counts_y[None])[0])

    def null(self, statistic: CountStatistic, plan: Resampling, random_state: Any) -> np.ndarray:
        """Evaluate it on every resample."""
        rng = as_generator(random_state)
        return null_from_counts(statistic, self.counts_x, self.counts_y, plan, rng)


def ks_test(
    x: Any, y: Any, *, n_resamples: int | Resampling = 999, random_state: RandomState = None
) -> TwoSampleResult:
    r"""Kolmogorov-Smirnov test: the largest gap between two distribution functions.

    .. math:: D = \sup_t |F_x(t) - F_y(t)|

    The permutation p-value counts ties correctly, so it also holds for discrete numbers.

    Parameters
    ----------
    x, y : array of shape (n_x,), (n_y,), or table with one column of numbers
    n_resamples : int or Resampling, default 999
        0 gives the p-value of ``scipy.stats.ks_2samp`` (exact or asymptotic, for data without
        ties).
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is the statistic itself, between 0 and 1.

    Raises
    ------
    InputError
        If there are several columns, categories or missing cells.
    DegenerateDataError
        If a sample has one row or nothing varies.

    References
    ----------
    Smirnov (1939), On the estimation of the discrepancy between empirical curves of distribution.

    Examples
    --------
    >>> from shiftlab.divergence import ks_test
    >>> result = ks_test([1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9], random_state=0)
    >>> result.statistic, result.pvalue_method
    (0.5, 'permutation, 999 resamples')
    """
    plan = as_resampling(n_resamples)
    samples = read_samples(x, y, plan)
    stacked = samples.single_number("ks_test")
    ladder = Ladder.of(stacked, samples.n_x)
    gap = ladder.observed(_largest_gap)
    exact = None
    if plan.n_resamples == 0 and not plan.from_reference:
        exact = _ks_pvalue(stacked[: samples.n_x], stacked[samples.n_x :])
    measure = Measure(
        "Kolmogorov-Smirnov distance",
        gap,
        gap,
        "largest gap between distribution functions, 0 to 1",
        samples.n_x,
        samples.n_y,
        asymptotic=exact,
    )
    return report(measure, ladder.null(_largest_gap, plan, random_state), plan)


def wasserstein_of_column(
    stacked: np.ndarray, n_x: int, p: float, plan: Resampling, random_state: RandomState
) -> tuple[float, np.ndarray]:
    """Return the p-Wasserstein distance of one column, and its null distribution."""
    p = check_power(p)
    ladder = Ladder.of(stacked, n_x)
    statistic: CountStatistic
    if p == 1:
        statistic = partial(_area, gaps=np.diff(ladder.values))
    else:
        statistic = partial(_quantile_distance, values=ladder.values, p=p)
    return ladder.observed(statistic), ladder.null(statistic, plan, random_state)


def _steps(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, int]:
    # Differences of the distribution functions times n_x * n_y: integers, hence exact ties.
    n_x, n_y = int(first[0].sum()), int(second[0].sum())
    return np.cumsum(first * n_y - second * n_x, axis=1), n_x * n_y


def _largest_gap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    steps, unit = _steps(first, second)
    return np.asarray(np.abs(steps).max(axis=1) / unit)


def _area(first: np.ndarray, second: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    steps, unit = _steps(first, second)
    return np.asarray(np.abs(steps[:, :-1]) @ gaps / unit)


def _quantile_distance(
    first: np.ndarray, second: np.ndarray, values: np.ndarray, p: float
) -> np.ndarray:
    rows = [
        np.repeat(np.broadcast_to(values, counts.shape).ravel(), counts.ravel())
        .reshape(len(counts), -1)
        .T
        for counts in (first, second)
    ]
    return np.asarray(sorted_cost(rows[0], rows[1], p, np) ** (1 / p))


def _ks_pvalue(x: np.ndarray, y: np.ndarray) -> tuple[str, float]:
    from scipy import stats

    # The rule of scipy's method="auto", repeated to be able to name it.
    method: Any = "exact" if max(len(x), len(y)) <= 10_000 else "asymp"
    pvalue = float(stats.ks_2samp(x, y, method=method).pvalue)
    return ("exact for data without ties" if method == "exact" else "asymptotic", pvalue)
