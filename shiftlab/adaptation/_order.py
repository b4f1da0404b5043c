"""One order of rows and environments, whatever the order of the table and the names of the labels.

Sums then have the same last bits, random draws pick the same rows, and an iterative optimiser takes
the same path. Units change last bits, too: what an optimiser gets is rounded first.
"""

import numpy as np

from shiftlab._core.validation import Labels

__all__ = ["environment_rank", "in_order_of_content", "rounded"]


#: Numbers in standard units are rounded to this before an iterative optimiser sees them.
GRAIN = 2.0**-24


def rounded(values: np.ndarray) -> np.ndarray:
    """Round numbers in standard units, so that those of another table in other units are equal."""
    return np.asarray(np.round(values / GRAIN) * GRAIN)


def environment_rank(keys: np.ndarray) -> np.ndarray:
    """Place of each environment when they are ordered by the first column, then the second, ..."""
    order = np.lexsort(keys.T[::-1])
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return rank


def in_order_of_content(
    raw: np.ndarray,
    y: np.ndarray,
    missing: np.ndarray,
    labels: Labels,
    weights: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Labels, np.ndarray | None, np.ndarray]:
    """Sort environments, and rows within them, by what they hold.

    Equal outcomes are ordered by the first covariate, and so on; units do not matter.

    Returns
    -------
    raw, y, missing, labels, weights
        Sorted.
    by_label : ndarray of int
        New code of each environment, in the order of the labels.
    """
    y = np.asarray(y)
    order = np.lexsort((*raw.T[::-1], y, labels.codes))
    starts = np.searchsorted(labels.codes[order], np.arange(len(labels)))
    values = np.column_stack([y, raw]).astype(np.float64)[order]
    rank = environment_rank(np.add.reduceat(values, starts, axis=0) / labels.counts[:, None])
    order = order[np.argsort(rank[labels.codes[order]], kind="stable")]
    categories = tuple(labels.categories[code] for code in np.argsort(rank))
    sorted_labels = Labels(labels.name, rank[labels.codes[order]].astype(np.int32), categories)
    return (
        raw[order], y[order], missing[order], sorted_labels,
        None if weights is None else weights[order], rank,
    )  # fmt: skip
