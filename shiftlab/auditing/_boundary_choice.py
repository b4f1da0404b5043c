"""Which rows to move across the boundary: the cheapest choice, by one scan over the highest rate.

In each group rows can be lifted to the favourable decision or lowered from it, the nearest to the
boundary first. With the highest rate M given, the number of moves in every group is given as well;
M only has to be looked at where some group's rate can stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shiftlab.auditing._entropic_cells import Levels
from shiftlab.exceptions import InputError

__all__ = ["GroupMoves", "choose_moves"]


@dataclass(frozen=True, eq=False)
class GroupMoves:
    """Sizes of a group, and the sorted costs of lifting and of lowering its rows."""

    n: int
    selected: int
    lift: np.ndarray
    lower: np.ndarray

    def lift_costs(self, counts: np.ndarray) -> np.ndarray:
        """Return the cost of that many lifts; infinite beyond the rows that can be lifted."""
        return _cumulated(self.lift, counts)

    def lower_costs(self, counts: np.ndarray) -> np.ndarray:
        """Return the cost of that many lowerings."""
        return _cumulated(self.lower, counts)


def choose_moves(groups: Sequence[GroupMoves], band: Levels) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows each group lifts and lowers, at the smallest total cost.

    Raises
    ------
    InputError
        If too few rows can be moved.
    """
    tops = _candidates(groups)
    total = np.zeros(len(tops))
    for group in groups:
        lifts, lowers = _needed(group, band, tops)
        total += group.lift_costs(lifts) + group.lower_costs(lowers)
    best = int(np.argmin(total))
    if not np.isfinite(total[best]):
        raise InputError(
            "The target cannot be reached: for too many rows no move across the model's boundary "
            "was found. Allow more columns to move (support='free'), or lower the target."
        )
    pairs = [_needed(group, band, tops[best : best + 1]) for group in groups]
    return np.array([lift[0] for lift, _ in pairs]), np.array([low[0] for _, low in pairs])


def _candidates(groups: Sequence[GroupMoves]) -> np.ndarray:
    """Return the rates that a group can have after lowerings: the optimum has one on top."""
    rates = [np.arange(group.selected + 1) / group.n for group in groups]
    tops = np.unique(np.concatenate(rates))
    highest = max(group.selected / group.n for group in groups)
    return np.asarray(tops[(tops > 0) & (tops <= highest)])


def _needed(group: GroupMoves, band: Levels, tops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lifts and lowerings that put the group's rate into the band below each top."""
    slack = 1e-9
    lowest = np.ceil(np.asarray(band.lower(tops)) * group.n - slack)
    highest = np.floor(tops * group.n + slack)
    lifts = np.maximum(lowest - group.selected, 0).astype(np.intp)
    lowers = np.maximum(group.selected - highest, 0).astype(np.intp)
    # A small group may have no whole number of favourable decisions within the band.
    impossible = lowest > highest
    return np.where(impossible, group.n + 1, lifts), lowers


def _cumulated(costs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    finite = costs[np.isfinite(costs)]
    sums = np.concatenate([[0.0], np.cumsum(finite)])
    reachable = counts < len(sums)
    return np.where(reachable, sums[np.minimum(counts, len(sums) - 1)], np.inf)
