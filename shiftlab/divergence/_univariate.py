"""Tests for one column of numbers, from cumulative counts over the pooled sort.

The pooled values are sorted once. A resample is then a vector of counts over the distinct values,
and its distribution functions are cumulative sums: rows are never sorted again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from shiftlab._core.random import RandomState, as_generator
from shiftlab.divergence._permutation import (
    Measure,
    Resampling,
    as_resampling,
    count_draws,
    label_draws,
    report,
)
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.divergence._samples import read_samples
from shiftlab.transport._one_dimensional import sorted_cost
from shiftlab.transport._samples import check_power

__all__ = ["energy_of_column", "ks_test", "wasserstein_of_column"]

#: Takes counts of the first sample up to each distinct value, one row per resample.
Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ladder:
    """Distinct values of a column in rising order and how often they occur.

    Attributes
    ----------
    values : ndarray of float64, shape (n_values,)
    counts_x : ndarray of int64
        In the sample x.
    counts_pool : ndarray of int64
        In the pool from which resamples are drawn: x and y, or the reference y.
    n_y : int
        Number of rows of y.
    """

    values: np.ndarray
    counts_x: np.ndarray
    counts_pool: np.ndarray
    n_y: int

    @classmethod
    def of(cls, stacked: np.ndarray, n_x: int, plan: Resampling) -> "Ladder":
        """Sort the stacked values once."""
        order = np.argsort(stacked)
        rising = stacked[order]
        ends = np.flatnonzero(np.append(np.diff(rising) != 0, True))
        counts_x = np.diff(np.cumsum(order < n_x)[ends], prepend=0)
        counts = np.diff(ends, prepend=-1)
        counts_pool = counts - counts_x if plan.from_reference else counts
        return cls(rising[ends], counts_x, counts_pool, len(stacked) - n_x)

    @property
    def n_x(self) -> int:
        """Number of rows of x."""
        return int(self.counts_x.sum())

    @property
    def counts_y(self) -> np.ndarray:
        """Counts in the sample y."""
        is_pool = self.n_pool == self.n_y
        return self.counts_pool if is_pool else self.counts_pool - self.counts_x

    @property
    def n_pool(self) -> int:
        """Number of rows of the pool."""
        return int(self.counts_pool.sum())

    def observed(self, statistic: Statistic) -> float:
        """Evaluate a statistic on the samples themselves."""
        return float(statistic(np.cumsum(self.counts_x)[None])[0])

    def null(self, statistic: Statistic, plan: Resampling, random_state: Any) -> np.ndarray:
        """Evaluate it on every resample."""
        blocks = self._draws(plan.n_resamples, as_generator(random_state))
        return np.concatenate([np.empty(0), *(statistic(block) for block in blocks)])

    def differences(self, cumulative: np.ndarray) -> np.ndarray:
        """Return F_x - F_y at each value, times n_x n_y: whole numbers, so that ties are exact."""
        steps = np.multiply(cumulative, float(self.n_pool))
        steps -= np.cumsum(self.counts_pool) * float(self.n_x)
        return steps

    def _draws(self, n_resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        counts = self.counts_pool
        if 4 * len(counts) <= self.n_pool:
            for drawn in count_draws(counts, self.n_x, n_resamples, rng):
                yield np.cumsum(drawn, axis=1)
            return
        # Labels in the order of the values, read off where each value ends.
        ends = np.cumsum(counts)
        for labels in label_draws(self.n_pool, self.n_x, n_resamples, rng):
            cumulative = np.cumsum(labels, axis=1, dtype=np.int32)
            if (counts != 1).any():
                cumulative = np.where(ends > 0, cumulative[:, ends - 1], 0)
            yield cumulative


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
    ladder = Ladder.of(stacked, samples.n_x, plan)
    statistic = partial(_largest_gap, ladder=ladder)
    gap = ladder.observed(statistic)
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
    return report(measure, ladder.null(statistic, plan, random_state), plan)


def wasserstein_of_column(
    stacked: np.ndarray, n_x: int, p: float, plan: Resampling, random_state: RandomState
) -> tuple[float, np.ndarray]:
    """Return the p-Wasserstein distance of one column, and its null distribution."""
    p = check_power(p)
    ladder = Ladder.of(stacked, n_x, plan)
    statistic: Statistic
    if p == 1:
        statistic = partial(_area, ladder=ladder)
    else:
        statistic = partial(_quantile_distance, ladder=ladder, p=p, plan=plan)
    return ladder.observed(statistic), ladder.null(statistic, plan, random_state)


def energy_of_column(
    stacked: np.ndarray, n_x: int, plan: Resampling, random_state: RandomState
) -> tuple[float, float, np.ndarray]:
    r"""Return the energy distance of one column, the mean distance between the samples, the null.

    On the line the energy distance is :math:`2 \int (F_x - F_y)^2`, which needs no pairs.
    """
    ladder = Ladder.of(stacked, n_x, plan)
    statistic = partial(_squared_area, ladder=ladder)
    share_x, share_y = (np.cumsum(c)[:-1] / c.sum() for c in (ladder.counts_x, ladder.counts_y))
    gaps = np.diff(ladder.values)
    between = float((share_x * (1 - share_y) + share_y * (1 - share_x)) @ gaps)
    return ladder.observed(statistic), between, ladder.null(statistic, plan, random_state)


def _largest_gap(cumulative: np.ndarray, ladder: Ladder) -> np.ndarray:
    steps = ladder.differences(cumulative)
    return np.asarray(np.abs(steps, out=steps).max(axis=1) / (ladder.n_x * ladder.n_y))


def _area(cumulative: np.ndarray, ladder: Ladder) -> np.ndarray:
    steps = ladder.differences(cumulative)
    areas = np.abs(steps, out=steps)[:, :-1] @ np.diff(ladder.values)
    return np.asarray(areas / (ladder.n_x * ladder.n_y))


def _squared_area(cumulative: np.ndarray, ladder: Ladder) -> np.ndarray:
    steps = ladder.differences(cumulative)
    steps /= ladder.n_x * ladder.n_y
    return np.asarray(2 * (np.square(steps, out=steps)[:, :-1] @ np.diff(ladder.values)))


def _quantile_distance(
    cumulative: np.ndarray, ladder: Ladder, p: float, plan: Resampling
) -> np.ndarray:
    first = np.diff(cumulative, axis=1, prepend=0)
    pool = np.broadcast_to(ladder.counts_pool, first.shape)
    second = pool if plan.from_reference else pool - first
    rows = [_repeat_values(ladder.values, counts) for counts in (first, second)]
    return np.asarray(sorted_cost(rows[0], rows[1], p, np) ** (1 / p))


def _repeat_values(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Write out the sorted samples that the counts stand for, one per column."""
    written = np.repeat(np.broadcast_to(values, counts.shape).ravel(), counts.ravel())
    return written.reshape(len(counts), -1).T


def _ks_pvalue(x: np.ndarray, y: np.ndarray) -> tuple[str, float]:
    from scipy import stats

    # The rule of scipy's method="auto", repeated to be able to name it.
    method: Any = "exact" if max(len(x), len(y)) <= 10_000 else "asymp"
    pvalue = float(stats.ks_2samp(x, y, method=method).pvalue)
    return ("exact for data without ties" if method == "exact" else "asymptotic", pvalue)
