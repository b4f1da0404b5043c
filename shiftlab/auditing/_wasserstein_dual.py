r"""Optimal transport of a sample onto a band of selection rates, destinations given per cell.

Mass of point i goes to cell c (its nearest point of that cell) at cost ``D[i, c]``. With the
highest rate M fixed, "every rate lies between lower(M) and M" is linear in the masses of the cells,
so the problem is a linear program with few coupling constraints. For multipliers of these each
point chooses its cheapest cell on its own, which gives a lower bound (the dual) and one assignment
per origin cell. The program over mixtures of the assignments found so far gives an upper bound and
the next multipliers (Dantzig and Wolfe). Assignments do not depend on M, so the outer search over M
starts each time from all that were found before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog, minimize_scalar

from shiftlab.auditing._entropic_cells import Levels
from shiftlab.exceptions import InputError

__all__ = ["Assignment", "solve_transport"]

_GRID = 7
#: So few points (the cells themselves) cost nothing: the highest rate is found to all digits.
_FEW = 100
#: The default tolerance of the solver, 1e-7, is larger than the mass of a row.
_SOLVER = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Assignment:
    """The solved program.

    `shares[i, c]` is the share of point i's mass that goes to cell c; `gap` is the cost minus its
    lower bound at the same M.
    """

    shares: np.ndarray
    cost: float
    gap: float
    top: float


class _Program:
    """All assignments found so far, and the master program over their mixtures."""

    def __init__(
        self, costs: np.ndarray, mass: np.ndarray, origin: np.ndarray, band: Levels
    ) -> None:
        self.costs, self.mass, self.band = costs, mass, band
        self.n_cells = costs.shape[1]
        self.origins = np.unique(origin)
        self.members = [np.flatnonzero(origin == o) for o in self.origins]
        self.choices: list[tuple[int, np.ndarray]] = []
        self.known: set[tuple[int, bytes]] = set()
        self.prices: list[float] = []
        self.arrivals: list[np.ndarray] = []
        for block, cell in enumerate(self.origins):
            for target in range(self.n_cells):
                rows = self.members[block]
                chosen = np.where(np.isfinite(costs[rows, target]), target, cell)
                self.add(block, chosen)

    def add(self, block: int, chosen: np.ndarray) -> None:
        """Store where the points of one origin cell go, once."""
        rows, chosen = self.members[block], chosen.astype(np.int16)
        key = (block, chosen.tobytes())
        if key in self.known:
            return
        self.known.add(key)
        self.choices.append((block, chosen))
        self.prices.append(float(self.mass[rows] @ self.costs[rows, chosen]))
        self.arrivals.append(np.bincount(chosen, self.mass[rows], minlength=self.n_cells))

    def rules(self, top: float) -> np.ndarray:
        """Coefficients (n_cells, 2 n_groups) whose means must not be negative."""
        n_groups = self.n_cells // 2
        low = float(self.band.lower(top))
        rules = np.zeros((n_groups, 2, n_groups, 2))
        for g in range(n_groups):
            rules[g, :, g, 0] = (-low, 1 - low)
            rules[g, :, g, 1] = (top, top - 1)
        return rules.reshape(self.n_cells, 2 * n_groups)

    def master(self, top: float) -> tuple[np.ndarray, float, np.ndarray] | None:
        """Return mixture, cost and multipliers; None if no mixture meets the band."""
        rules = self.rules(top)
        blocks = np.array([block for block, _ in self.choices])
        found = linprog(
            self.prices,
            A_ub=-(np.array(self.arrivals) @ rules).T,
            b_ub=np.zeros(rules.shape[1]),
            A_eq=(blocks == np.arange(len(self.origins))[:, None]).astype(float),
            b_eq=np.ones(len(self.origins)),
            method="highs",
            options=_SOLVER,
        )
        if found.status != 0:
            return None
        return found.x, float(found.fun), -found.ineqlin.marginals

    def price(self, multipliers: np.ndarray, top: float) -> tuple[float, list[np.ndarray]]:
        """Return the lower bound at these multipliers, and the assignments that attain it."""
        reward = self.rules(top) @ multipliers
        bound, chosen = 0.0, []
        for rows in self.members:
            reduced = self.costs[rows] - reward
            chosen.append(reduced.argmin(axis=1))
            bound += float(self.mass[rows] @ reduced[np.arange(len(rows)), chosen[-1]])
        return bound, chosen

    def solve(self, top: float, tol: float) -> Assignment | None:
        best_bound = -np.inf
        while True:
            solved = self.master(top)
            if solved is None:
                return None
            mixture, cost, multipliers = solved
            bound, chosen = self.price(multipliers, top)
            best_bound = max(best_bound, bound)
            if cost - best_bound <= tol * max(cost, 1e-12):
                break
            known = len(self.choices)
            for block, assignment in enumerate(chosen):
                self.add(block, assignment)
            if len(self.choices) == known:  # as good as the arithmetic of the solver allows
                break
        return Assignment(self.mix(mixture), cost, max(cost - best_bound, 0.0), top)

    def mix(self, mixture: np.ndarray) -> np.ndarray:
        shares = np.zeros_like(self.costs)
        for weight, (block, chosen) in zip(mixture, self.choices, strict=True):
            if weight > 0:
                shares[self.members[block], chosen] += weight
        return shares


def solve_transport(
    costs: np.ndarray,
    mass: np.ndarray,
    origin: np.ndarray,
    band: Levels,
    top_range: tuple[float, float],
    *,
    tol: float = 1e-9,
) -> Assignment:
    """Move mass between cells until all rates lie in one band, at the smallest cost.

    Parameters
    ----------
    costs : ndarray of shape (n, n_cells)
        Cost per unit of mass of sending point i to cell c; infinite where that is not possible.
        Cells are ordered by group, then decision.
    mass : ndarray of shape (n,)
        Mass of each point.
    origin : ndarray of int, shape (n,)
        Cell of each point.
    band : Levels
        The band for the rates.
    top_range : (float, float)
        Smallest and largest value of the highest rate that is looked at.
    tol : float, default 1e-9
        Relative gap at which a program counts as solved.

    Returns
    -------
    Assignment

    Raises
    ------
    InputError
        If no destination allows to meet the band.
    """
    program = _Program(costs, mass, origin, band)
    low, high = top_range

    def cost(top: float) -> float:
        solved = program.solve(float(top), max(tol, 1e-7))
        return np.inf if solved is None else solved.cost

    tops = np.linspace(low, high, _GRID)
    values = [cost(top) for top in tops]
    best = int(np.argmin(values))
    if not np.isfinite(values[best]):
        raise InputError(
            "The target cannot be reached with these destinations: a group has no row with the "
            "decision that it would need more of. Merge groups, use margin='free', or move rows "
            "through a model."
        )
    bracket = (float(tops[max(best - 1, 0)]), float(tops[min(best + 1, _GRID - 1)]))
    precision = 1e-10 if len(mass) <= _FEW else 1e-6
    top = _minimise(cost, bracket, float(tops[best]), values[best], precision)
    solved = program.solve(top, tol)
    if solved is None:  # cannot happen: `top` was solved before
        raise InputError("The target cannot be reached with these destinations.")
    return solved


def _minimise(
    cost: Callable[[float], float],
    bracket: tuple[float, float],
    start: float,
    value: float,
    precision: float,
) -> float:
    if bracket[1] - bracket[0] < 1e-12:
        return start
    found = minimize_scalar(
        cost, bounds=bracket, method="bounded", options={"xatol": precision * bracket[1]}
    )
    return float(found.x) if found.fun <= value else start
