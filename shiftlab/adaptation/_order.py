"""One order of rows and environments, whatever the order of the table and the names of the labels.

Sums then have the same last bits, random draws pick the same rows, and an iterative optimiser takes
the same path.
"""

import numpy as np

from shiftlab._core.validation import Labels

__all__ = ["environment_rank", "in_order_of_content"]


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

    Ties between outcomes are broken by distances from medians, which do not depend on units.

    Returns
    -------
    raw, y, missing, labels, weights
        Sorted.
    by_label : ndarray of int
        New code of each environment, in the order of the labels.
    """
    y = np.asarray(y)
    distance = np.abs(raw - np.median(raw, axis=0))
    order = np.lexsort((*distance.T[::-1], y, labels.codes))
    starts = np.searchsorted(labels.codes[order], np.arange(len(labels)))
    values = np.column_stack([y, distance]).astype(np.float64)[order]
    rank = environment_rank(np.add.reduceat(values, starts, axis=0) / labels.counts[:, None])
    order = order[np.argsort(rank[labels.codes[order]], kind="stable")]
    categories = tuple(labels.categories[code] for code in np.argsort(rank))
    sorted_labels = Labels(labels.name, rank[labels.codes[order]].astype(np.int32), categories)
    return (
        raw[order], y[order], missing[order], sorted_labels,
        None if weights is None else weights[order], rank,
    )  # fmt: skip
