"""Maximum mean discrepancy and energy distance: kernel means compared over all pairs of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from shiftlab._core.random import RandomState, as_generator, spawn_seeds
from shiftlab._core.validation import check_integer, check_option
from shiftlab.backends import row_blocks, sum_over_pairs
from shiftlab.divergence._permutation import Measure, Resampling, as_resampling, report
from shiftlab.divergence._quadratic import (
    BlockMeans,
    Design,
    PairSums,
    block_means,
    gram_pair_sums,
    resampled_means,
)
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.divergence._samples import read_samples
from shiftlab.divergence._univariate import energy_of_column
from shiftlab.exceptions import InputError
from shiftlab.kernels import Gaussian, Kernel, Laplace, fourier_factor, median_bandwidth

__all__ = ["choose_kernel", "energy_test", "mmd_fourier_test", "mmd_test"]

KERNELS: dict[str, tuple[Any, Any]] = {
    "gaussian": (Gaussian, "euclidean"),
    "laplace": (Laplace, "cityblock"),
}
EFFECT = "share of the similarity within samples that is missing between them, 0 to 1"

Gram = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mmd_test(
    x: Any,
    y: Any,
    *,
    kernel: str | Kernel = "gaussian",
    scale: str = "standard",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Maximum mean discrepancy over all pairs of rows.

    .. math:: MMD^2 = \mathrm{mean}_{i \ne j} k(x_i, x_j) + \mathrm{mean}_{i \ne j} k(y_i, y_j)
              - 2\, \mathrm{mean}_{ij} k(x_i, y_j)

    unbiased, so it can be slightly negative. (For a sample drawn from the reference y, pairs of a
    row with itself are kept.) Costs n^2 kernel values in blocks and, for the permutations, n^2
    `n_resamples` multiplications; memory stays bounded. `mmd_fourier_test` is linear in n.

    Parameters
    ----------
    x, y : table or array with the same columns
        Numbers and categories. A category counts as indicator columns, so that two labels are at
        distance 0 or 1 and the kernel has two values in it (a delta kernel plus a constant).
    kernel : {"gaussian", "laplace"} or Kernel, default "gaussian"
        A name takes the median distance between pooled rows as bandwidth; a kernel object of
        `shiftlab.kernels` is used as it is.
    scale : {"standard", "none"}, default "standard"
        Divide numbers by their pooled standard deviation, or keep their units.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `statistic` is the squared discrepancy; `effect` divides it by the mean similarity within
        the samples: 0 for equal distributions, 1 if no row of x resembles any row of y.

    Raises
    ------
    InputError
        If columns differ or cells are missing.
    DegenerateDataError
        If a sample has one row or no column varies.

    References
    ----------
    Gretton, Borgwardt, Rasch, Schölkopf and Smola (2012), A kernel two-sample test, JMLR 13.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.divergence import mmd_test
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(60, 3)), rng.normal(size=(80, 3)) + 1.0
    >>> result = mmd_test(x, y, random_state=0)
    >>> result.pvalue, result.pvalue_method
    (0.001, 'permutation, 999 resamples')
    """
    plan = as_resampling(n_resamples)
    samples = read_samples(x, y, plan)
    rows = samples.matrix(scale)
    chosen, note = choose_kernel(kernel, rows[samples.pool])
    diagonal = _constant_diagonal(chosen, rows)
    design = Design(samples.n_x, samples.n_y, plan.from_reference, diagonal)
    means, null = _gram_means(chosen, rows, design, plan, random_state)
    measure = Measure(
        "squared maximum mean discrepancy",
        float(means.difference[0]),
        similarity_effect(means),
        EFFECT,
        samples.n_x,
        samples.n_y,
        (note,),
    )
    return report(measure, null.difference, plan)


def mmd_fourier_test(
    x: Any,
    y: Any,
    *,
    kernel: str | Kernel = "gaussian",
    n_features: int = 512,
    scale: str = "standard",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Maximum mean discrepancy with random Fourier features, linear in the number of rows.

    The kernel is replaced by an inner product of D features, so that the discrepancy is a distance
    of two feature means and a resample costs one sum of features. The level of the test is exact
    whatever D; power and accuracy of the value grow with it (error of order 1 / sqrt(D)).

    Parameters
    ----------
    x, y : table or array with the same columns
        As in `mmd_test`.
    kernel : {"gaussian", "laplace"} or Kernel, default "gaussian"
        As in `mmd_test`; must be a kernel of differences.
    n_features : int, default 512
        Number D of features.
    scale : {"standard", "none"}, default "standard"
        Divide numbers by their pooled standard deviation, or keep their units.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        As in `mmd_test`.

    Raises
    ------
    InputError
        If columns differ, cells are missing, or the kernel has no Fourier features.
    DegenerateDataError
        If a sample has one row or no column varies.

    References
    ----------
    Rahimi and Recht (2007), Random features for large-scale kernel machines. Zhao and Meng (2015),
    FastMMD: ensemble of circular discrepancy for efficient two-sample test.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.divergence import mmd_fourier_test
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(500, 3)), rng.normal(size=(500, 3)) + 0.5
    >>> mmd_fourier_test(x, y, random_state=0).pvalue
    0.001
    """
    plan = as_resampling(n_resamples)
    check_integer(n_features, "n_features", minimum=2)
    samples = read_samples(x, y, plan)
    rows = samples.matrix(scale)
    chosen, note = choose_kernel(kernel, rows[samples.pool])
    seeds = spawn_seeds(random_state, 2)
    factor = fourier_factor(chosen, rows, rank=n_features, random_state=seeds[0])
    design = Design(samples.n_x, samples.n_y, plan.from_reference, 1.0)
    # Cosine and sine of one frequency have squares that sum to 1, so k(x, x) is 1 here too.
    pool = rows[samples.pool]
    means, null = resampled_means(
        lambda labels: _feature_sums(factor.transform, pool, labels),
        design,
        plan,
        np.random.default_rng(seeds[1]),
    )
    if plan.from_reference:
        means = _features_from_reference(factor.transform, rows, design)
    measure = Measure(
        f"squared maximum mean discrepancy, {n_features} random Fourier features",
        float(means.difference[0]),
        similarity_effect(means),
        EFFECT,
        samples.n_x,
        samples.n_y,
        (note,),
    )
    return report(measure, null.difference, plan)


def energy_test(
    x: Any,
    y: Any,
    *,
    scale: str = "standard",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Energy distance between two samples, over all pairs of rows.

    .. math:: E = 2\, \mathrm{mean}_{ij} |x_i - y_j| - \mathrm{mean}_{ij} |x_i - x_j|
              - \mathrm{mean}_{ij} |y_i - y_j|

    Its square root is what ``scipy.stats.energy_distance`` returns for one column. One column of
    numbers is computed from one sort; several columns cost n^2 distances in blocks, as `mmd_test`.

    Parameters
    ----------
    x, y : table or array with the same columns
        Numbers and categories; two different labels are at distance 1.
    scale : {"standard", "none"}, default "standard"
        Divide numbers by their pooled standard deviation, or keep their units.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is the energy coefficient, E divided by twice the mean distance between the
        samples: 0 for equal samples, 1 for two different constants.

    Raises
    ------
    InputError
        If columns differ or cells are missing.
    DegenerateDataError
        If a sample has one row or no column varies.

    References
    ----------
    Székely and Rizzo (2013), Energy statistics: a class of statistics based on distances.

    Examples
    --------
    >>> from shiftlab.divergence import energy_test
    >>> result = energy_test([0.0, 0.0], [1.0, 1.0], scale="none", n_resamples=0)
    >>> result.statistic, result.effect
    (2.0, 1.0)
    """
    plan = as_resampling(n_resamples)
    samples = read_samples(x, y, plan)
    rows = samples.matrix(scale)
    if len(samples.columns) == 1 and samples.columns[0].is_number:
        line = energy_of_column(rows[:, 0], samples.n_x, plan, random_state)
        statistic, between, null = line
    else:
        design = Design(samples.n_x, samples.n_y, plan.from_reference)
        means, null_means = _gram_means(_distances, rows, design, plan, random_state)
        statistic, between = -float(means.difference[0]), float(means.between[0])
        null = -null_means.difference
    measure = Measure(
        "energy distance",
        statistic,
        statistic / (2 * between),
        "energy coefficient, 0 to 1",
        samples.n_x,
        samples.n_y,
    )
    return report(measure, null, plan)


def choose_kernel(kernel: str | Kernel, pool: np.ndarray) -> tuple[Kernel, str]:
    """Return the kernel, and a note on its bandwidth.

    The pool is put into an order of its own first: the rule may look at some rows only, and which
    ones must not depend on the sample that a row belongs to, nor on the order of the table.
    """
    if not isinstance(kernel, str):
        if not isinstance(kernel, Kernel):
            raise InputError(
                f"kernel must be one of {sorted(KERNELS)} or a kernel of shiftlab.kernels, found "
                f"{type(kernel).__name__}."
            )
        return kernel, f"kernel {kernel!r}"
    check_option(kernel, sorted(KERNELS), "kernel")
    build, metric = KERNELS[kernel]
    bandwidth = median_bandwidth(pool[np.lexsort(pool.T)], metric=metric)
    return build(bandwidth), f"{kernel} kernel, median bandwidth {bandwidth:.4g}"


def similarity_effect(means: BlockMeans) -> float:
    """Return the discrepancy relative to the mean similarity within the samples."""
    within = float(means.within_x[0] + means.within_y[0])
    return float(means.difference[0]) / within if within > 0 else float("nan")


def _gram_means(
    function: Gram | Kernel,
    rows: np.ndarray,
    design: Design,
    plan: Resampling,
    random_state: RandomState,
) -> tuple[BlockMeans, BlockMeans]:
    pool = rows[len(rows) - design.n_pool :]

    def sums(labels: np.ndarray) -> PairSums:
        return gram_pair_sums(lambda i, j: function(pool[i], pool[j]), labels)

    means, null = resampled_means(sums, design, plan, as_generator(random_state))
    if design.from_reference:
        first = rows[: design.n_x]
        within, margin = _sum(function, first), _sum(function, first, pool)
        means = block_means(
            PairSums(np.array([within]), np.array([margin]), _sum(function, pool)), design
        )
    return means, null


def _sum(function: Gram | Kernel, first: np.ndarray, second: np.ndarray | None = None) -> float:
    other = first if second is None else second
    n_other = None if second is None else len(second)
    total = sum_over_pairs(lambda i, j: function(first[i], other[j]).sum(), len(first), n_other)
    return float(total)


def _constant_diagonal(kernel: Kernel, rows: np.ndarray) -> float:
    diagonal = np.asarray(kernel.diagonal(rows))
    if not np.allclose(diagonal, diagonal[0]):
        raise InputError(
            "kernel must give every row the same similarity with itself, as the Gaussian and "
            "Laplace kernels do; use energy_test for the energy kernel."
        )
    return float(diagonal[0])


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(first, second))


def _feature_sums(
    transform: Callable[[np.ndarray], np.ndarray], pool: np.ndarray, labels: np.ndarray
) -> PairSums:
    first: Any = 0.0
    total: Any = 0.0
    for rows in row_blocks(len(pool), 8 * len(labels), max_bytes=2**24):
        features = transform(pool[rows])
        first = first + labels[:, rows].astype(np.float64) @ features
        total = total + features.sum(axis=0)
    return PairSums((first * first).sum(axis=1), first @ total, float(total @ total))


def _features_from_reference(
    transform: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, design: Design
) -> BlockMeans:
    first, total = (
        sum(transform(part[r]).sum(axis=0) for r in row_blocks(len(part), 8192))
        for part in (rows[: design.n_x], rows[design.n_x :])
    )
    sums = PairSums(np.array([first @ first]), np.array([first @ total]), float(total @ total))
    return block_means(sums, design)
