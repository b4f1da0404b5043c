r"""Stealthily biased sampling: weights that bias the decisions and hardly move the covariates.

Among all weights with given totals of the cells, and none above ``1 / n_samples`` (a row can be
drawn once), the ones at the smallest squared Wasserstein distance from the uniform weights on the
covariates. The transport is restricted to near rows of each cell, which makes it a sparse linear
program; where the near rows cannot take the mass, more are allowed.
"""

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from shiftlab.auditing._strategies_data import Source
from shiftlab.auditing._strategies_sampling import Draw
from shiftlab.auditing._wasserstein_neighbours import nearest_rows
from shiftlab.exceptions import InputError

__all__ = ["stealthy_shares"]

#: Near rows of each cell that the mass of a row can go to; more where these cannot take it.
_NEIGHBOURS = (8, 24, 72)
#: In larger tables mass goes to fewer rows, and only to cells that gain: the cost was found 0.1 %
#: higher, the program is several times smaller.
_WIDE_ROWS = 6000


def stealthy_shares(source: Source, base: Draw, n_samples: int) -> Draw:
    """Spread given shares of the cells over their rows, as close to the data as possible.

    Raises
    ------
    InputError
        If a cell has too few rows for a sample of this size.
    """
    n = source.n_rows
    cap = 1.0 / n_samples
    if (base.shares > source.counts * cap + 1e-12).any():
        raise InputError(
            f"n_samples: a cell has too few rows for {n_samples} distinct rows with these shares."
        )
    wide = n <= _WIDE_ROWS
    open_cells = np.flatnonzero(wide | (base.shares >= source.counts / n))
    for k in _NEIGHBOURS if wide else (4, *_NEIGHBOURS):
        start, end, cost = _arcs(source, k, open_cells)
        found = _solve(source, start, end, cost, base.shares, cap)
        if found is not None:
            flow, value = found
            weights = np.bincount(end, flow, minlength=n)
            return Draw(base.shares, float(np.sqrt(value)), "W2 on covariates", weights)
    raise InputError("The near rows cannot take the mass of this sample; take a smaller n_samples.")


def _arcs(
    source: Source, k: int, open_cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return arcs from every row to itself and to its k nearest rows in the open cells."""
    points = source.coordinates.points
    rows = np.arange(source.n_rows)
    start, end, cost = [rows], [rows], [np.zeros(source.n_rows)]
    for cell in open_cells[source.counts[open_cells] > 0]:
        members = np.flatnonzero(source.cells == cell)
        near, distance = nearest_rows(points, points[members], k=k)
        ends = members[near]
        other = ends != rows[:, None]
        start.append(np.repeat(rows, near.shape[1])[other.ravel()])
        end.append(ends[other])
        cost.append(distance[other] ** 2)
    return np.concatenate(start), np.concatenate(end), np.concatenate(cost)


def _solve(
    source: Source,
    start: np.ndarray,
    end: np.ndarray,
    cost: np.ndarray,
    shares: np.ndarray,
    cap: float,
) -> tuple[np.ndarray, float] | None:
    n, n_arcs = source.n_rows, len(start)
    arcs, ones = np.arange(n_arcs), np.ones(n_arcs)
    leaving = coo_array((ones, (start, arcs)), shape=(n, n_arcs))
    arriving = coo_array((ones, (end, arcs)), shape=(n, n_arcs))
    totals = coo_array((ones, (source.cells[end], arcs)), shape=(len(shares), n_arcs))
    # In units of one row, so that the tolerance of the solver is small against every number.
    found = linprog(
        cost,
        A_ub=arriving.tocsr(),
        b_ub=np.full(n, cap * n),
        A_eq=_stacked(leaving, totals),
        b_eq=np.concatenate([np.ones(n), shares[:-1] * n]),
        method="highs",
    )
    if found.status != 0:
        return None
    return np.maximum(found.x, 0.0) / n, float(found.fun) / n


def _stacked(upper: coo_array, lower: coo_array) -> coo_array:
    from scipy.sparse import vstack

    # One balance is implied by the others.
    return vstack([upper, lower.tocsr()[:-1]]).tocsr()
