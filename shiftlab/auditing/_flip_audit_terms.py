"""Counterparts, baselines of the same size, and the variance of their flips.

Every comparison of two rows is a term. The same row takes part in several terms, as the person
asked about, as somebody's counterpart and as somebody's baseline, so terms that share a row are
dependent; the variance adds up the products of all such pairs.
"""

from dataclasses import dataclass

import numpy as np

from shiftlab.auditing._wasserstein_neighbours import nearest_rows
from shiftlab.backends import row_blocks

__all__ = ["Pairs", "baseline_pairs", "excess", "neighbour_pairs", "transport_pairs"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Weighted pairs of rows (weights sum to 1) and their distances.

    `second` is -1 where the counterpart is no row of the data; `decided` are the decisions there.
    """

    first: np.ndarray
    second: np.ndarray
    weight: np.ndarray
    distance: np.ndarray
    decided: np.ndarray

    def flips(self, selected: np.ndarray, kind: str) -> np.ndarray:
        """Tell for each pair whether the decision flips: "up", "down" or "any"."""
        before = selected[self.first]
        up = (before == 0) & (self.decided == 1)
        down = (before == 1) & (self.decided == 0)
        chosen = {"up": up, "down": down, "any": up | down}[kind]
        return chosen.astype(np.float64)

    def mean_distance(self) -> float:
        """Return the weighted mean distance."""
        return float(self.weight @ self.distance)


def neighbour_pairs(
    points: np.ndarray, rows: np.ndarray, others: np.ndarray, selected: np.ndarray
) -> Pairs:
    """Pair each row with its nearest row of the other group: the same person, nearly."""
    near, distance = nearest_rows(points[rows], points[others])
    second = others[near]
    weight = np.full(len(rows), 1.0 / len(rows))
    return Pairs(rows, second, weight, distance, selected[second])


def transport_pairs(
    points: np.ndarray, rows: np.ndarray, others: np.ndarray, selected: np.ndarray
) -> Pairs:
    """Pair rows by optimal transport between the groups: the same rank among its own."""
    from shiftlab.transport import wasserstein

    plan = wasserstein(points[rows], points[others], p=2)
    first, second = rows[plan.rows_x], others[plan.rows_y]
    distance = np.sqrt(((points[first] - points[second]) ** 2).sum(axis=1))
    return Pairs(first, second, plan.mass, distance, selected[second])


def baseline_pairs(
    points: np.ndarray,
    rows: np.ndarray,
    pairs: Pairs,
    selected: np.ndarray,
    k: int,
) -> Pairs:
    """Pair each row with the k rows of its own group whose distance is closest to its pairs'."""
    position = np.full(int(points.shape[0]), -1)
    position[rows] = np.arange(len(rows))
    own = np.bincount(position[pairs.first], pairs.weight, minlength=len(rows))
    size = np.bincount(position[pairs.first], pairs.weight * pairs.distance, minlength=len(rows))
    size = np.divide(size, own, out=np.zeros(len(rows)), where=own > 0)
    k = min(k, len(rows) - 1)
    index = np.empty((len(rows), k), dtype=np.intp)
    distance = np.empty((len(rows), k))
    base = points[rows] - points[rows].mean(axis=0)
    squares = np.einsum("ij,ij->i", base, base)
    for block in row_blocks(len(rows), 24 * len(rows)):
        gaps = squares[block, None] + squares - 2 * base[block] @ base.T
        gaps = np.sqrt(np.maximum(gaps, 0.0))
        miss = np.abs(gaps - size[block, None])
        miss[np.arange(len(gaps)), np.arange(block.start, block.stop)] = np.inf
        index[block] = np.argpartition(miss, k - 1, axis=1)[:, :k]
        distance[block] = np.take_along_axis(gaps, index[block], axis=1)
    second = rows[index].ravel()
    return Pairs(
        np.repeat(rows, k), second, np.repeat(own / k, k), distance.ravel(), selected[second]
    )


def excess(
    cross: Pairs, base: Pairs, selected: np.ndarray, kind: str
) -> tuple[float, float, float]:
    """Return the flip rate of the pairs, that of the baseline, and the error of the difference."""
    flips, base_flips = cross.flips(selected, kind), base.flips(selected, kind)
    rate = float(cross.weight @ flips)
    base_rate = float(base.weight @ base_flips)
    terms = np.concatenate([cross.weight * (flips - rate), -base.weight * (base_flips - base_rate)])
    first = np.concatenate([cross.first, base.first])
    second = np.concatenate([cross.second, base.second])
    is_row = second >= 0
    by_row = np.bincount(first, terms, minlength=len(selected))
    by_row = by_row + np.bincount(second[is_row], terms[is_row], minlength=len(selected))
    shared = float((terms[is_row] ** 2).sum())
    variance = float((by_row**2).sum()) - shared
    # The estimate of a sum of products can fall below that of independent terms; never trust it.
    return rate, base_rate, float(np.sqrt(max(variance, float((terms**2).sum()))))
