"""Two ways to solve an entropic projection: closed forms on the cells, Newton on moments."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr

from shiftlab.auditing._entropic_cells import (
    binary_kl,
    fixed_levels,
    free_levels,
    split_levels,
)
from shiftlab.auditing._entropic_constraints import Constraint
from shiftlab.auditing._entropic_newton import solve_tilt
from shiftlab.exceptions import InputError

__all__ = ["RowProblem", "Solution", "check_solvable", "solve_closed", "solve_moments"]

#: A constraint that is violated by more than this joins the working set.
_SLACK = 1e-13


@dataclass(frozen=True)
class RowProblem:
    """Rows to be reweighted: the cell and mass of each, and columns whose means are kept."""

    cells: np.ndarray
    mass: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class Solution:
    """Masses after the projection, and the certificate."""

    mass: np.ndarray
    kl: float
    duality_gap: float
    residual: float
    method: str
    n_iter: int = 0
    weights: np.ndarray | None = None


def solve_closed(mass: np.ndarray, constraint: Constraint, margin: str, split: str) -> Solution:
    """Clip the rates of the groups inside each outcome that is conditioned on.

    Raises
    ------
    InputError
        If the constraint cannot be reached by reweighting.
    """
    after = mass.astype(np.float64).copy()
    outcomes: tuple[int | slice, ...] = constraint.rule.outcomes or (slice(None),)
    costs = np.zeros(mass.shape[:2]) if constraint.rule.outcomes else np.zeros((len(mass), 1))
    for position, (y, part) in enumerate(zip(outcomes, constraint.strata(mass), strict=True)):
        shares = part.sum(axis=1)
        rates = part[:, 1] / shares
        if split != "optimal":
            levels = split_levels(rates, shares, constraint.band, split)
        elif margin == "fixed":
            levels = fixed_levels(rates, shares, constraint.band)
        else:
            levels = free_levels(rates, shares, constraint.band)
        for decision, level, rate in ((0, 1 - levels, 1 - rates), (1, levels, rates)):
            factor = np.divide(level, rate, out=np.ones_like(rate), where=rate > 0)
            after[:, y, decision] *= factor if isinstance(y, int) else factor[:, None]
        column = y if isinstance(y, int) else position
        costs[:, column] = binary_kl(levels, rates)
    if margin == "free":
        shrink = np.exp(-costs)
        after *= (shrink if shrink.shape[1] == after.shape[1] else shrink[:, :1])[:, :, None]
        after /= after.sum()
    kl = float(rel_entr(after, mass).sum())
    value = constraint.value(after)
    sign = 1.0 if constraint.rule.kind == "difference" else -1.0
    residual = max(sign * (value - constraint.target), 0.0)
    gap = 0.0 if split == "optimal" else np.nan
    return Solution(after, max(kl, 0.0), gap, residual, "closed form")


def solve_moments(
    mass: np.ndarray,
    constraints: Sequence[Constraint],
    rows: RowProblem | None = None,
) -> Solution:
    """Solve several constraints at once, shares of the strata fixed.

    Without rows the unknowns are the masses of the cells; with rows they are the
    weights of the rows. Pairs of groups join the
    working set as they are found violated, so that many groups need few multipliers.

    Raises
    ------
    InputError
        If no reweighting meets all constraints.
    """
    base = mass.ravel() if rows is None else rows.mass
    present = np.flatnonzero(base > 0)
    lookup = present if rows is None else rows.cells[present]
    equal = _margins(mass, constraints)[lookup]
    if rows is not None:
        equal = np.column_stack([equal, rows.kept[present]])
    targets = base[present] @ equal
    candidates = np.concatenate([c.moments(mass) for c in constraints], axis=1)
    working: list[int] = []
    n_iter = 0
    while True:
        phi = np.column_stack([equal, candidates[:, working][lookup]])
        wanted = np.concatenate([targets, np.zeros(len(working))])
        bounded = np.arange(phi.shape[1]) >= equal.shape[1]
        tilt = solve_tilt(phi, wanted, base[present], at_least=bounded)
        n_iter += tilt.n_iter
        after = np.bincount(lookup, weights=tilt.weights, minlength=mass.size)
        violation = -(after @ candidates)
        missing = [j for j in np.argsort(-violation, kind="stable") if violation[j] > _SLACK]
        missing = [j for j in missing if j not in working][: max(8, len(working))]
        if not missing:
            break
        working += [int(j) for j in missing]
    weights = None
    if rows is not None:
        weights = np.zeros(len(base))
        weights[present] = tilt.weights
    residual = max(tilt.residual, float(violation.max(initial=0.0)))
    gap = max(tilt.kl - tilt.dual_value, 0.0)
    return Solution(after.reshape(mass.shape), tilt.kl, gap, residual, "newton", n_iter, weights)


def _margins(mass: np.ndarray, constraints: Sequence[Constraint]) -> np.ndarray:
    """Return indicators of the strata whose shares are kept, all but one; shape (n_cells, k)."""
    n_groups, n_outcomes, _ = mass.shape
    group, outcome, _ = np.indices(mass.shape).reshape(3, -1)
    by_outcome = any(c.needs_outcome for c in constraints)
    stratum = group * n_outcomes + outcome if by_outcome else group
    n_strata = n_groups * n_outcomes if by_outcome else n_groups
    return np.eye(n_strata)[stratum][:, :-1]


def check_solvable(constraints: Sequence[Constraint], margin: str, split: str) -> bool:
    """Tell whether the closed form applies.

    Raises
    ------
    InputError
        If an option was asked for that only the closed form of one constraint offers.
    """
    closed = len(constraints) == 1 and constraints[0].rule.kind != "accuracy"
    if not closed and (margin != "fixed" or split != "optimal"):
        raise InputError(
            "margin='free' and the published splits exist for one constraint on rates without "
            "kept columns; use margin='fixed' and split='optimal'."
        )
    return closed
