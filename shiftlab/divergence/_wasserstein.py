"""Wasserstein distances as two-sample tests: exact, and sliced with one sort for all resamples."""

from functools import partial
from typing import Any

import numpy as np

from shiftlab._core.random import RandomState, as_generator, spawn_seeds
from shiftlab.divergence._permutation import (
    Measure,
    Resampling,
    as_resampling,
    null_from_labels,
    report,
)
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.divergence._samples import Samples, read_samples
from shiftlab.divergence._univariate import wasserstein_of_column
from shiftlab.transport import random_directions, sliced_wasserstein, wasserstein
from shiftlab.transport._exact import cost_matrix, import_pot
from shiftlab.transport._one_dimensional import sorted_cost
from shiftlab.transport._samples import check_power

__all__ = ["sliced_wasserstein_test", "wasserstein_test"]

EFFECT = "distance in pooled standard deviations"


def wasserstein_test(
    x: Any,
    y: Any,
    *,
    p: float = 1,
    scale: str = "standard",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Exact p-Wasserstein distance.

    One column of numbers is solved by sorting (all resamples from cumulative counts over one
    sort), and the distance has the units of the column. Several columns are solved exactly by
    linear programming, once per resample: choose a small `n_resamples` there (99, say), or
    `sliced_wasserstein_test`.

    Parameters
    ----------
    x, y : table or array with the same columns
        Numbers and categories; two different labels are at distance 1.
    p : float, default 1
        Power of the Euclidean ground distance, at least 1.
    scale : {"standard", "none"}, default "standard"
        For several columns: divide numbers by their pooled standard deviation, or keep their
        units.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is the distance divided by the pooled standard deviation (the root of the summed
        variances of several columns); a pure shift by d of one column has the effect d over that.

    Raises
    ------
    InputError
        If columns differ, cells are missing, or the exact problem is too large.
    DegenerateDataError
        If a sample has one row or no column varies.

    References
    ----------
    Ramdas, García Trillos and Cuturi (2017), On Wasserstein two-sample testing and related
    families of nonparametric tests.

    Examples
    --------
    >>> from shiftlab.divergence import wasserstein_test
    >>> wasserstein_test([1.0, 2.0, 4.0], [4.0, 5.0, 7.0], n_resamples=0).statistic
    3.0
    """
    plan = as_resampling(n_resamples)
    p = check_power(p)
    samples = read_samples(x, y, plan)
    notes: tuple[str, ...] = ()
    if len(samples.columns) == 1 and samples.columns[0].is_number:
        rows = samples.columns[0].values[:, None]
        distance, null = wasserstein_of_column(rows[:, 0], samples.n_x, p, plan, random_state)
    else:
        rows = samples.matrix(scale)
        exact = wasserstein(rows[: samples.n_x], rows[samples.n_x :], p)
        distance = exact.distance
        notes = (f"duality gap {exact.duality_gap:.1e}",)
        null = _exact_null(rows[samples.pool], samples, p, plan, random_state)
    measure = Measure(
        f"Wasserstein distance, p = {p:g}",
        distance,
        distance / _spread(rows[samples.pool]),
        EFFECT,
        samples.n_x,
        samples.n_y,
        notes,
    )
    return report(measure, null, plan)


def sliced_wasserstein_test(
    x: Any,
    y: Any,
    *,
    n_projections: int = 100,
    p: float = 1,
    scale: str = "standard",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Sliced p-Wasserstein distance: the mean over random directions of distances on the line.

    The pooled rows are projected and sorted once; every resample reuses that order. The level of
    the test is exact whatever the number of directions.

    Parameters
    ----------
    x, y : table or array with the same columns
        Numbers and categories; two different labels are at distance 1.
    n_projections : int, default 100
        Number of random directions.
    p : float, default 1
        Power of the ground distance, at least 1.
    scale : {"standard", "none"}, default "standard"
        Divide numbers by their pooled standard deviation, or keep their units.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is the distance divided by the root mean variance of the columns.

    Raises
    ------
    InputError
        If columns differ or cells are missing.
    DegenerateDataError
        If a sample has one row or no column varies.

    References
    ----------
    Bonneel, Rabin, Peyré and Pfister (2015), Sliced and Radon Wasserstein barycenters of measures.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.divergence import sliced_wasserstein_test
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(80, 3)), rng.normal(size=(60, 3)) + 1.0
    >>> sliced_wasserstein_test(x, y, random_state=0).pvalue
    0.001
    """
    plan = as_resampling(n_resamples)
    p = check_power(p)
    samples = read_samples(x, y, plan)
    rows = samples.matrix(scale)
    seeds = spawn_seeds(random_state, 2)
    directions = random_directions(rows.shape[1], n_projections, seeds[0])
    distance = sliced_wasserstein(
        rows[: samples.n_x], rows[samples.n_x :], p=p, directions=directions
    )
    projected = np.ascontiguousarray((rows[samples.pool] @ directions).T)
    order = np.argsort(projected, axis=1, kind="stable")
    ladder = np.take_along_axis(projected, order, axis=1)
    costs = _line_area if p == 1 else partial(_line_cost, p=p)
    null = null_from_labels(
        lambda labels: _mean_over_lines(costs, labels, order, ladder, samples) ** (1 / p),
        samples.n_pool,
        samples.n_x,
        plan,
        np.random.default_rng(seeds[1]),
    )
    measure = Measure(
        f"sliced Wasserstein distance, p = {p:g}, {directions.shape[1]} directions",
        distance,
        distance / _spread(rows[samples.pool]) * np.sqrt(rows.shape[1]),
        EFFECT,
        samples.n_x,
        samples.n_y,
    )
    return report(measure, null, plan)


def _spread(pool: np.ndarray) -> float:
    spread = float(np.sqrt(pool.var(axis=0).sum()))
    # A constant reference has no scale of its own; the distance is then reported as it is.
    return spread if spread > 0 else 1.0


def _mean_over_lines(
    costs: Any, labels: np.ndarray, order: np.ndarray, ladder: np.ndarray, samples: Samples
) -> np.ndarray:
    total = np.zeros(len(labels))
    for ranks, values in zip(order, ladder, strict=True):
        total += costs(np.take(labels, ranks, axis=1), values, samples)
    return total / len(order)


def _line_area(labels: np.ndarray, values: np.ndarray, samples: Samples) -> np.ndarray:
    # F_x - F_y at rank k is the count of x among the first k, times `step`, less k / n_y.
    n_x, n_y = samples.n_x, samples.n_y
    step = 1 / n_x if samples.from_reference else 1 / n_x + 1 / n_y
    difference = np.cumsum(labels[:, :-1], axis=1, dtype=np.int32) * step
    difference -= np.arange(1, len(values)) / n_y
    return np.asarray(np.abs(difference, out=difference) @ np.diff(values))


def _line_cost(labels: np.ndarray, values: np.ndarray, samples: Samples, p: float) -> np.ndarray:
    chosen = labels.astype(bool)
    repeated = np.broadcast_to(values, labels.shape)
    first = repeated[chosen].reshape(len(labels), -1).T
    second = repeated.T if samples.from_reference else repeated[~chosen].reshape(len(labels), -1).T
    return np.asarray(sorted_cost(first, second, p, np))


def _exact_null(
    pool: np.ndarray, samples: Samples, p: float, plan: Resampling, random_state: RandomState
) -> np.ndarray:
    if plan.n_resamples == 0:
        return np.empty(0)
    costs = cost_matrix(pool, pool, p)
    emd2 = import_pot().emd2

    def distances(labels: np.ndarray) -> np.ndarray:
        values = []
        for chosen in labels.astype(bool):
            kept = np.ones_like(chosen) if samples.from_reference else ~chosen
            values.append(emd2([], [], costs[np.ix_(chosen, kept)], numItermax=1_000_000))
        return np.asarray(values, dtype=np.float64) ** (1 / p)

    rng = as_generator(random_state)
    return null_from_labels(distances, samples.n_pool, samples.n_x, plan, rng)
