"""Blocks of rows that share their random draws.

The block of a row follows from its content and the seed alone, so explanations depend neither on
the order of the rows nor on what else is in the table. Sharing draws over *all* rows would be
fastest, but then the errors of all explanations move together and no test over rows is valid;
draws shared within many blocks keep the speed, and inference that resamples blocks stays valid.
"""

from typing import Any

import numpy as np

from shiftlab._core.validation import check_sensitive_features, combine_labels

__all__ = ["assign_blocks", "block_seed", "content_keys", "rows_by_block"]

_MIX1, _MIX2, _GOLDEN = (
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
    np.uint64(0x9E3779B97F4A7C15),
)


def content_keys(matrix: np.ndarray, seed: np.random.SeedSequence) -> np.ndarray:
    """Return a 64-bit key of each row, a function of its numbers and the seed.

    Parameters
    ----------
    matrix : ndarray of shape (n_rows, n_columns)
        Numbers; all missing ones are alike.
    seed : SeedSequence
        Other seeds give unrelated keys.

    Returns
    -------
    ndarray of uint64, shape (n_rows,)
    """
    plain = matrix + 0.0  # -0.0 becomes 0.0
    plain[np.isnan(plain)] = np.nan
    bits = np.ascontiguousarray(plain).view(np.uint64)
    keys = np.full(len(matrix), seed.generate_state(1, np.uint64)[0])
    for column in bits.T:
        keys = _mix(keys ^ (column + _GOLDEN)) + _GOLDEN
    return _mix(keys)


def _mix(keys: np.ndarray) -> np.ndarray:
    """Finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX1
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX2
    return np.asarray(keys ^ (keys >> np.uint64(31)))


def assign_blocks(keys: np.ndarray, n_blocks: int, stratify: Any = None) -> np.ndarray:
    """Return the block of each row.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n_rows,)
        From `content_keys`; equal rows have equal keys and share a block.
    n_blocks : int
        Number of blocks.
    stratify : array of shape (n_rows,) or (n_rows, k), optional
        Groups that are dealt out evenly over the blocks. The block of a row then also depends on
        which rows of its group there are, though not on their order.

    Returns
    -------
    ndarray of int64, shape (n_rows,)
    """
    if stratify is None:
        return np.asarray(keys % np.uint64(n_blocks), dtype=np.int64)
    features, _ = check_sensitive_features(stratify, n_rows=len(keys))
    groups = combine_labels(features)
    blocks = np.empty(len(keys), dtype=np.int64)
    for code in range(len(groups)):
        rows = groups.rows(code)
        _, rank = np.unique(keys[rows], return_inverse=True)
        # Groups start at different blocks, so that small ones do not all meet in the first.
        blocks[rows] = (rank + code * 7) % n_blocks
    return blocks


def rows_by_block(blocks: np.ndarray, keys: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return (block, rows), the rows in the order of their keys, however they came in."""
    order = np.lexsort((keys, blocks))
    ends = np.flatnonzero(np.diff(blocks[order])) + 1
    return [(int(blocks[rows[0]]), rows) for rows in np.split(order, ends)]


def block_seed(seed: np.random.SeedSequence, block: int) -> np.random.SeedSequence:
    """Return the seed of a block, whichever other blocks there are."""
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, block))
