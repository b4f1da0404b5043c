"""An order of the rows that depends on what they hold, not on where they stand.

Folds and subsamples are drawn after the rows have been put into this order, so the same seed gives
the same result however the rows are shuffled and whatever the environments are called.
"""

from collections.abc import Sequence

import numpy as np

from shiftlab._core.frames import Table

__all__ = ["content_order", "draw_rows", "share_rows"]


def content_order(
    covariates: Table, outcome: np.ndarray, codes: np.ndarray, n_codes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Order environments, and the rows inside them, by their content.

    The outcome only breaks ties, so that its units do not matter.

    Parameters
    ----------
    covariates : Table
    outcome : ndarray of shape (n_rows,)
        Numbers or codes.
    codes : ndarray of int, shape (n_rows,)
        Environment of each row.
    n_codes : int
        Number of environments.

    Returns
    -------
    environments : ndarray of shape (n_codes,)
        Codes of the environments in the order of their content.
    order : ndarray of shape (n_rows,)
        Row indices: environment by environment, and by content inside each. Rows that tie are
        equal in every column.
    """
    import pandas as pd

    frame = pd.DataFrame({i: column.values for i, column in enumerate(covariates)})
    keys = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    frame["outcome"] = outcome
    totals = np.zeros((2, n_codes), dtype=np.uint64)
    # Unsigned sums wrap around and do not depend on the order of the rows.
    np.add.at(totals[0], codes, keys)
    np.add.at(totals[1], codes, pd.util.hash_pandas_object(frame, index=False).to_numpy())
    environments = np.lexsort((totals[1], totals[0]))
    rank = np.empty(n_codes, dtype=np.intp)
    rank[environments] = np.arange(n_codes)
    return environments, np.lexsort((outcome, keys, rank[codes]))


def share_rows(counts: np.ndarray, max_rows: int | None, floor: int) -> np.ndarray:
    """Tell how many rows each environment keeps so that about `max_rows` remain.

    Shares are proportional to the counts, but no environment is cut below `floor` rows (or below
    an equal share of `max_rows`, if that is less).
    """
    if max_rows is None or counts.sum() <= max_rows:
        return counts
    least = np.minimum(counts, min(floor, max_rows // len(counts)))
    held = np.zeros(len(counts), dtype=bool)
    while True:
        share = (max_rows - least[held].sum()) / counts[~held].sum()
        keep = np.where(held, least, (counts * share).astype(np.intp))
        if (keep >= least).all():
            return keep
        held |= keep < least


def draw_rows(
    order: np.ndarray,
    counts: np.ndarray,
    keep: np.ndarray,
    seeds: Sequence[np.random.SeedSequence],
) -> np.ndarray:
    """Draw ``keep[i]`` of the ``counts[i]`` rows of environment i, in random order."""
    blocks = np.split(order, np.cumsum(counts)[:-1])
    return np.concatenate(
        [
            block[np.random.default_rng(seed).permutation(len(block))[:n]]
            for block, n, seed in zip(blocks, keep, seeds, strict=True)
        ]
    )
