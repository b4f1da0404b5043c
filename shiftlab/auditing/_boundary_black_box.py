"""Moves across the boundary of a model that only returns decisions.

A row is given the columns of a near row with the wanted decision; then each column goes back to
where it was if the decision allows it, the largest change first; what is left of the real-valued
columns goes back as far as it can.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab.auditing._boundary_tables import with_parts
from shiftlab.auditing._wasserstein_coordinates import Coordinates
from shiftlab.auditing._wasserstein_neighbours import nearest_rows

__all__ = ["BlackBoxMoves", "cross_black_box"]

_NEIGHBOURS = 5
_BISECTIONS = 14


@dataclass(frozen=True, eq=False)
class BlackBoxMoves:
    """Moves as mixtures of rows: which columns of which donor, and how much of each."""

    donors: np.ndarray
    taken: np.ndarray
    share: np.ndarray
    found: np.ndarray
    tried: np.ndarray

    def ends(self, rows: np.ndarray, coordinates: Coordinates) -> np.ndarray:
        """Return the points that rows are moved to."""
        starts = coordinates.points[rows]
        weight = (self.taken * self.share)[:, coordinates.owner]
        return np.asarray(starts + weight * (coordinates.points[self.donors] - starts))


def cross_black_box(
    ask: Callable[[Any], np.ndarray],
    X: Any,
    rows: np.ndarray,
    donors: np.ndarray,
    coordinates: Coordinates,
    *,
    needed: int,
    n_columns: int,
    on_columns: bool,
) -> BlackBoxMoves:
    """Find a near point with the wanted decision for each row.

    Parameters
    ----------
    ask : callable
        Tells for a table whether each row has the wanted decision.
    X : table
        The caller's.
    rows, donors : ndarray of int
        Rows to move, and rows that have the wanted decision.
    coordinates : Coordinates
        Of all rows.
    needed : int
        Only the nearest ``2 * needed`` rows are moved.
    n_columns : int
        Number of columns of `X`.
    on_columns : bool
        Whether real-valued columns keep to observed values too.

    Returns
    -------
    BlackBoxMoves
    """
    movable = np.isin(np.arange(n_columns), coordinates.owner)
    taken = np.tile(movable, (len(rows), 1))
    share = np.ones(taken.shape)
    found, tried = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    chosen = np.zeros(len(rows), dtype=np.intp)
    if len(donors) and len(rows):
        points = coordinates.points
        near, distance = nearest_rows(points[rows], points[donors], k=_NEIGHBOURS)
        tried[np.argsort(distance[:, 0], kind="stable")[: 2 * needed]] = True
        for rank in range(near.shape[1]):
            pending = np.flatnonzero(tried & ~found)
            if not len(pending):
                break
            chosen[pending] = donors[near[pending, rank]]
            table = with_parts(X, rows[pending], chosen[pending], taken[pending], share[pending])
            found[pending] = ask(table)
    moves = BlackBoxMoves(chosen, taken, share, found, tried)
    crossed = np.flatnonzero(found)
    if len(crossed):
        _take_back_columns(ask, X, rows, crossed, moves, coordinates)
        if not on_columns:
            _take_back_numbers(ask, X, rows, crossed, moves, coordinates)
    return moves


def _take_back_columns(
    ask: Callable[[Any], np.ndarray],
    X: Any,
    rows: np.ndarray,
    crossed: np.ndarray,
    moves: BlackBoxMoves,
    coordinates: Coordinates,
) -> None:
    points = coordinates.points
    squared = (points[moves.donors[crossed]] - points[rows[crossed]]) ** 2
    change = np.zeros((len(crossed), moves.taken.shape[1]))
    np.add.at(change.T, coordinates.owner, squared.T)
    moves.taken[crossed] &= change > 0
    order = np.argsort(-change, axis=1, kind="stable")
    for rank in range(order.shape[1]):
        columns = order[:, rank]
        useful = np.flatnonzero(moves.taken[crossed, columns])
        if not len(useful):
            continue
        where = crossed[useful]
        trial = moves.taken[where].copy()
        trial[np.arange(len(useful)), columns[useful]] = False
        table = with_parts(X, rows[where], moves.donors[where], trial, moves.share[where])
        kept = ask(table)
        moves.taken[where[kept]] = trial[kept]


def _take_back_numbers(
    ask: Callable[[Any], np.ndarray],
    X: Any,
    rows: np.ndarray,
    crossed: np.ndarray,
    moves: BlackBoxMoves,
    coordinates: Coordinates,
) -> None:
    real = np.isin(np.arange(moves.taken.shape[1]), coordinates.owner[~coordinates.discrete])
    moving = crossed[(moves.taken[crossed] & real).any(axis=1)]
    if not len(moving):
        return
    low, high = np.zeros(len(moving)), np.ones(len(moving))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        share = np.where(real, middle[:, None], 1.0)
        table = with_parts(X, rows[moving], moves.donors[moving], moves.taken[moving], share)
        kept = ask(table)
        high, low = np.where(kept, middle, high), np.where(kept, low, middle)
    moves.share[moving] = np.where(real, high[:, None], 1.0)
