r"""Maximum mean discrepancy over blocks of rows: time linear in the number of rows.

Rows are paired, (x_i, y_i), and cut into blocks of b pairs. With

.. math:: h_{ij} = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)

a block's discrepancy is the mean of h over its pairs i != j, and exchanging x_i and y_i changes the
sign of h_ij for every j. If both samples have one distribution, all such exchanges are equally
likely: random signs give the exact null distribution from the same numbers h. Its moments are
known without drawing any: with h set to 0 on the diagonal, the sum of s_i s_j h_ij over random
signs s has mean 0, variance 2 sum h_ij^2 and third moment 8 tr(h^3).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab._core.validation import check_integer
from shiftlab.divergence._kernel import choose_kernel
from shiftlab.divergence._permutation import Measure, Resampling, as_resampling, report
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.divergence._samples import read_samples
from shiftlab.exceptions import InputError
from shiftlab.kernels import Kernel

__all__ = ["mmd_block_test"]

#: Pairs that are evaluated together; small blocks are gathered up to this size.
TILE_ROWS = 64
#: Below this skewness the gamma distribution is the normal one to six digits.
MIN_SKEWNESS = 1e-4


def mmd_block_test(
    x: Any,
    y: Any,
    *,
    kernel: str | Kernel = "gaussian",
    block_size: int | None = None,
    scale: str = "standard",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Maximum mean discrepancy averaged over blocks of rows.

    Costs n times `block_size` kernel values. Larger blocks have more power; `block_size` 2 is the
    linear-time statistic. Both samples are put into random order first. If they differ in size,
    the surplus rows of the larger one enter the bandwidth only, and a note says so;
    `mmd_fourier_test` uses all rows in linear time.

    Parameters
    ----------
    x, y : table or array with the same columns
        As in `mmd_test`.
    kernel : {"gaussian", "laplace"} or Kernel, default "gaussian"
        As in `mmd_test`.
    block_size : int, optional
        Pairs per block, at least 2; by default the square root of the number of pairs.
    scale : {"standard", "none"}, default "standard"
        Divide numbers by their pooled standard deviation, or keep their units.
    n_resamples : int or Resampling, default 999
        0 gives a p-value without draws: the gamma distribution with the mean, the variance and the
        skewness that all exchanges of pairs have together. It serves few blocks as well as many.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        As in `mmd_test`.

    Raises
    ------
    InputError
        If columns differ, cells are missing, or there are fewer than `block_size` pairs.
    DegenerateDataError
        If a sample has one row or no column varies.

    References
    ----------
    Zaremba, Gretton and Blaschko (2013), B-tests: low variance kernel two-sample tests. Gretton et
    al. (2012), A kernel two-sample test, section 6 (linear time). Berry and Mielke (1983),
    Computation of finite population parameters and approximate probability values for
    multi-response permutation procedures (three moments instead of draws).

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.divergence import mmd_block_test
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(400, 3)), rng.normal(size=(400, 3)) + 0.5
    >>> mmd_block_test(x, y, random_state=0).pvalue
    0.001
    """
    plan = as_resampling(n_resamples)
    if plan.from_reference:
        raise InputError(
            "mmd_block_test compares independent samples only; use mmd or mmd_fourier with "
            "sampling='without_replacement'."
        )
    samples = read_samples(x, y, plan)
    rows = samples.matrix(scale)
    chosen, note = choose_kernel(kernel, rows)
    n_pairs = min(samples.n_x, samples.n_y)
    size = _block_size(block_size, n_pairs)
    order, signs = (np.random.default_rng(seed) for seed in spawn_seeds(random_state, 2))
    first = rows[: samples.n_x][order.permutation(samples.n_x)[:n_pairs]]
    second = rows[samples.n_x :][order.permutation(samples.n_y)[:n_pairs]]
    bounds = np.linspace(0, n_pairs, n_pairs // size + 1).astype(np.intp)
    # One byte per sign; drawn pair after pair, so the tiles they are used in do not matter.
    flips = signs.integers(0, 2, size=(n_pairs, plan.n_resamples), dtype=np.int8) * 2 - 1
    found = _evaluate(chosen, first, second, bounds, flips)
    discrepancy = found.blocks.mean()
    unused = abs(samples.n_x - samples.n_y)
    measure = Measure(
        f"squared maximum mean discrepancy, {len(found.blocks)} blocks of about {size} pairs",
        float(discrepancy),
        float(discrepancy / found.similarity.mean()),
        "share of the similarity within samples that is missing between them, 0 to 1",
        samples.n_x,
        samples.n_y,
        (note, f"{unused} surplus rows of the larger sample not compared") if unused else (note,),
        _gamma_pvalue(float(discrepancy), found.variance, found.third_moment),
    )
    result = report(measure, found.null, plan)
    if not plan.n_resamples:
        return result
    return replace(result, pvalue_method=f"exchange of pairs, {plan.n_resamples} resamples")


def _block_size(block_size: int | None, n_pairs: int) -> int:
    if block_size is None:
        return max(2, round(np.sqrt(n_pairs)))
    size = check_integer(block_size, "block_size", minimum=2)
    if size > n_pairs:
        raise InputError(
            f"block_size must not exceed the rows of the smaller sample ({n_pairs}), found {size}."
        )
    return size


class Evaluated(NamedTuple):
    """Discrepancy and similarity of each block, and the null of the mean discrepancy.

    `null` has one value per resample; `variance` and `third_moment` are those of all exchanges.
    """

    blocks: np.ndarray
    similarity: np.ndarray
    null: np.ndarray
    variance: float
    third_moment: float


def _evaluate(
    kernel: Kernel,
    first: np.ndarray,
    second: np.ndarray,
    bounds: np.ndarray,
    flips: np.ndarray,
) -> Evaluated:
    null, squares, cubes = np.zeros(flips.shape[1]), 0.0, 0.0
    blocks, similarity = [], []
    for start, stop in _tiles(bounds):
        block = np.searchsorted(bounds, np.arange(start, stop), side="right")
        sizes = np.diff(bounds)[block - 1]
        # Weights turn sums over a tile into sums of the means over each of its blocks.
        same = (block[:, None] == block[None, :]) / (sizes * (sizes - 1.0))
        np.fill_diagonal(same, 0.0)
        a, b = first[start:stop], second[start:stop]
        within = (np.asarray(kernel(a)) + np.asarray(kernel(b))) * same
        between = np.asarray(kernel(a, b)) * same
        h = within - between - between.T
        signs = flips[start:stop].astype(np.float64)
        null += (signs * (h @ signs)).sum(axis=0)
        squares += 2 * float((h * h).sum())
        cubes += 8 * float(((h @ h) * h).sum())
        position = block - block[0]
        blocks.append(np.bincount(position, h.sum(axis=1)))
        similarity.append(np.bincount(position, within.sum(axis=1)))
    values = np.concatenate(blocks)
    n = len(values)
    return Evaluated(values, np.concatenate(similarity), null / n, squares / n**2, cubes / n**3)


def _tiles(bounds: np.ndarray) -> Iterator[tuple[int, int]]:
    start = 0
    while start < bounds[-1]:
        # As many whole blocks as fit, but at least one.
        inside = bounds[(bounds > start) & (bounds <= start + TILE_ROWS)]
        stop = int(inside[-1]) if len(inside) else int(bounds[bounds > start][0])
        yield start, stop
        start = stop


def _gamma_pvalue(value: float, variance: float, third_moment: float) -> tuple[str, float] | None:
    """P(gamma >= value) for the shifted gamma distribution with mean 0 and the given moments."""
    from scipy.special import gammaincc, ndtr

    if variance == 0:
        return None
    name = "three moments of the exchange of pairs"
    skewness = third_moment / variance**1.5
    score = value / variance**0.5
    if abs(skewness) < MIN_SKEWNESS:
        return name, float(ndtr(-score))
    shape = 4 / skewness**2
    # The gamma variable with this shape, from the side of its long tail.
    position = max(shape + np.sign(skewness) * score * shape**0.5, 0.0)
    upper = float(gammaincc(shape, position))
    return name, upper if skewness > 0 else 1.0 - upper
