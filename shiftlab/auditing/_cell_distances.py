"""Distances between tables on (group, outcome, decision), from counts alone.

Coordinates are coded 0 and 1, and two groups of a feature with several labels are at distance 1,
so the squared distance of two cells is the number of coordinates in which they differ.
"""

from functools import cache
from itertools import combinations

import numpy as np

__all__ = ["mmd_distance", "wasserstein_distance"]


def wasserstein_distance(shares: np.ndarray, population: np.ndarray) -> np.ndarray:
    """Wasserstein-1 distance of each table of a stack (n, ...) from one table (...)."""
    cost = np.sqrt(_squared_distances(population.shape))
    gap = shares.reshape(len(shares), -1) - population.ravel()
    if cost.shape == (4, 4):
        # The dual is a linear programme over a fixed polytope: its maximum is at a vertex.
        return np.asarray((gap @ _lipschitz_vertices().T).max(axis=1))
    from ot import emd2

    target = population.ravel() / population.sum()
    flat = shares.reshape(len(shares), -1)
    return np.array([emd2(row / row.sum(), target, cost) for row in flat])


def mmd_distance(shares: np.ndarray, population: np.ndarray) -> np.ndarray:
    """Squared maximum mean discrepancy of each table of a stack from one table."""
    kernel = np.exp(-_squared_distances(population.shape))
    gap = shares.reshape(len(shares), -1) - population.ravel()
    return np.asarray(np.einsum("ij,jk,ik->i", gap, kernel, gap))


def _squared_distances(shape: tuple[int, ...]) -> np.ndarray:
    places = np.indices(shape).reshape(len(shape), -1)
    return np.asarray((places[:, :, None] != places[:, None, :]).sum(axis=0), dtype=float)


@cache
def _lipschitz_vertices() -> np.ndarray:
    """Vertices of {f : f_0 = 0, f_i - f_j <= cost_ij} on four cells: three tight constraints."""
    cost = np.sqrt(_squared_distances((2, 2)))
    n = len(cost)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    rows = np.zeros((len(pairs), n))
    for line, (i, j) in enumerate(pairs):
        rows[line, i], rows[line, j] = 1.0, -1.0
    limits = np.array([cost[i, j] for i, j in pairs])
    chosen = np.array(list(combinations(range(len(pairs)), n - 1)))
    systems = rows[chosen][:, :, 1:]
    regular = np.abs(np.linalg.det(systems)) > 0.5
    points = np.linalg.solve(systems[regular], limits[chosen[regular]][:, :, None])[:, :, 0]
    points = np.column_stack([np.zeros(len(points)), points])
    feasible = (points @ rows.T <= limits + 1e-9).all(axis=1)
    return np.asarray(np.unique(np.round(points[feasible], 12), axis=0))
