r"""Statistics that are quadratic in the sample labels: MMD and energy distance.

With z the 0/1 labels of the first sample and K the Gram matrix of the pool, all means of K within
and between the samples follow from three numbers,

.. math:: q = z^\top K z, \qquad l = z^\top K 1, \qquad s = 1^\top K 1,

so that all resamples of a block of K are one matrix product, and K is visited block by block (half
of the blocks, by symmetry) and never held as a whole.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shiftlab.backends import pair_blocks, row_blocks
from shiftlab.divergence._permutation import Resampling, label_draws

__all__ = ["BlockMeans", "Design", "PairSums", "block_means", "gram_pair_sums", "resampled_means"]

#: Bound on the labels held at once (one byte per row and resample).
LABEL_BYTES = 2**27

Tile = Callable[[slice, slice], np.ndarray]


class PairSums(NamedTuple):
    """Sums of the entries of a Gram matrix, one value per labelling.

    Attributes
    ----------
    within : ndarray of shape (b,)
        Over pairs of the first sample, q.
    margin : ndarray of shape (b,)
        Over pairs of a row of the first sample and any row of the pool, l.
    total : float
        Over all pairs of the pool, s.
    """

    within: np.ndarray
    margin: np.ndarray
    total: float


class BlockMeans(NamedTuple):
    """Mean entries of a Gram matrix within and between two samples, one value per labelling."""

    within_x: np.ndarray
    within_y: np.ndarray
    between: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Within x plus within y minus twice between: the squared distance of the means."""
        return self.within_x + self.within_y - 2 * self.between


@dataclass(frozen=True)
class Design:
    """Sizes of a two-sample problem and how its pairs are averaged.

    Attributes
    ----------
    n_x, n_y : int
    from_reference : bool
        Whether the first sample is a part of the second.
    diagonal : float or None
        Value of k(x, x), left out of the means within a sample (unbiased); None keeps the pairs of
        a row with itself (the V-statistic). A part of a reference always keeps them.
    """

    n_x: int
    n_y: int
    from_reference: bool
    diagonal: float | None = None

    @property
    def n_pool(self) -> int:
        """Rows among which labels are drawn."""
        return self.n_y if self.from_reference else self.n_x + self.n_y


def block_means(sums: PairSums, design: Design) -> BlockMeans:
    """Turn sums of pairs into means within and between the samples."""
    n_x, n_y = design.n_x, design.n_y
    if design.from_reference:
        within_y = np.full_like(sums.within, sums.total / n_y**2)
        return BlockMeans(sums.within / n_x**2, within_y, sums.margin / (n_x * n_y))
    rest = sums.total - 2 * sums.margin + sums.within
    between = (sums.margin - sums.within) / (n_x * n_y)
    if design.diagonal is None:
        return BlockMeans(sums.within / n_x**2, rest / n_y**2, between)
    within_x = (sums.within - n_x * design.diagonal) / (n_x * (n_x - 1))
    within_y = (rest - n_y * design.diagonal) / (n_y * (n_y - 1))
    return BlockMeans(within_x, within_y, between)


def gram_pair_sums(tile: Tile, labels: np.ndarray) -> PairSums:
    """Sum the entries of a Gram matrix for every labelling.

    Parameters
    ----------
    tile : callable
        Takes two slices of rows of the pool and returns that block of the Gram matrix.
    labels : ndarray of uint8, shape (b, n_pool)
        1 for the rows of the first sample.
    """
    n_pool = labels.shape[1]
    within = np.zeros(len(labels))
    row_sums = np.zeros(n_pool)
    for rows, columns in pair_blocks(n_pool):
        block = tile(rows, columns)
        product = labels[:, rows].astype(np.float64) @ block
        product *= labels[:, columns]
        within += (1 + (rows != columns)) * product.sum(axis=1)
        row_sums[rows] += block.sum(axis=1)
        if rows != columns:
            row_sums[columns] += block.sum(axis=0)
    margin = np.zeros(len(labels))
    for rows in row_blocks(n_pool, 8 * len(labels)):
        margin += labels[:, rows].astype(np.float64) @ row_sums[rows]
    return PairSums(within, margin, float(row_sums.sum()))


def resampled_means(
    sums_of: Callable[[np.ndarray], PairSums],
    design: Design,
    plan: Resampling,
    rng: np.random.Generator,
) -> tuple[BlockMeans, BlockMeans]:
    """Return the means for the samples themselves and for every resample.

    Labels of the samples come along in the same pass. For a reference, whose pool does not hold
    the rows of x, the first part is empty and left to the caller.
    """
    empty = BlockMeans(np.empty(0), np.empty(0), np.empty(0))
    chunks = label_chunks(design, plan, rng)
    parts = [empty, *(block_means(sums_of(labels), design) for labels in chunks)]
    joined = [np.concatenate(values) for values in zip(*parts, strict=True)]
    n_observed = 0 if design.from_reference else 1
    return BlockMeans(*(v[:n_observed] for v in joined)), BlockMeans(
        *(v[n_observed:] for v in joined)
    )


def label_chunks(
    design: Design, plan: Resampling, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield labels in chunks below the memory bound; those of the samples themselves come first."""
    pending = []
    if not design.from_reference:
        pending.append(np.zeros((1, design.n_pool), dtype=np.uint8))
        pending[0][0, : design.n_x] = 1
    for block in label_draws(design.n_pool, design.n_x, plan.n_resamples, rng):
        pending.append(block)
        if sum(labels.nbytes for labels in pending) >= LABEL_BYTES:
            yield np.concatenate(pending)
            pending = []
    if pending:
        yield np.concatenate(pending)
