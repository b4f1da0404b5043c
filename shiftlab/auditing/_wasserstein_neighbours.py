"""Nearest row of every cell, in blocks of rows: no array over all pairs is held."""

import numpy as np

from shiftlab.backends import row_blocks

__all__ = ["nearest_in_cells", "nearest_rows"]


def nearest_in_cells(
    points: np.ndarray, cells: np.ndarray, n_cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest row of each cell for every row.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
        Coordinates.
    cells : ndarray of int, shape (n,)
        Cell of each row.
    n_cells : int
        Number of cells.

    Returns
    -------
    distances : ndarray of shape (n, n_cells)
        Euclidean; 0 for the row's own cell, infinite for empty cells.
    rows : ndarray of int, shape (n, n_cells)
        The row that attains it; the row itself in its own cell.
    """
    n = len(points)
    distances = np.full((n, n_cells), np.inf)
    rows = np.repeat(np.arange(n)[:, None], n_cells, axis=1)
    own = np.arange(n)
    distances[own, cells] = 0.0
    for cell in range(n_cells):
        members = np.flatnonzero(cells == cell)
        others = np.flatnonzero(cells != cell)
        if len(members) and len(others):
            found, there = nearest_rows(points[others], points[members])
            distances[others, cell] = there
            rows[others, cell] = members[found]
    return distances, rows


def nearest_rows(
    points: np.ndarray, candidates: np.ndarray, *, k: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest candidate, or the k nearest in order, of each point.

    Returns
    -------
    index, distance : ndarray of shape (n,), or (n, k) with `k`
    """
    k_wanted = 1 if k is None else min(k, len(candidates))
    # Distances of rows far from the origin lose digits in the expansion of the square.
    centre = candidates.mean(axis=0)
    points, candidates = points - centre, candidates - centre
    squares = np.einsum("ij,ij->i", candidates, candidates)
    index = np.empty((len(points), k_wanted), dtype=np.intp)
    for block in row_blocks(len(points), 8 * len(candidates)):
        gaps = points[block] @ candidates.T
        gaps *= -2.0
        gaps += squares
        if k_wanted == 1:
            index[block, 0] = gaps.argmin(axis=1)
        else:
            near = np.argpartition(gaps, k_wanted - 1, axis=1)[:, :k_wanted]
            order = np.argsort(np.take_along_axis(gaps, near, axis=1), axis=1, kind="stable")
            index[block] = np.take_along_axis(near, order, axis=1)
    distance = np.empty(index.shape)
    for block in row_blocks(len(points), 8 * k_wanted * max(points.shape[1], 1)):
        steps = points[block, None, :] - candidates[index[block]]
        distance[block] = np.sqrt(np.einsum("ijk,ijk->ij", steps, steps))
    return (index[:, 0], distance[:, 0]) if k is None else (index, distance)
