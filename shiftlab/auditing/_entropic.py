"""The nearest reweighting of decisions that meets fairness constraints."""

from typing import Any

import numpy as np

from shiftlab._core.frames import as_table
from shiftlab._core.names import join_names
from shiftlab._core.validation import check_length, check_option
from shiftlab.auditing._entropic_constraints import Constraint, read_constraints
from shiftlab.auditing._entropic_moments import ACCEPTED, effective_share, warn_unsolved
from shiftlab.auditing._entropic_result import EntropicProjection
from shiftlab.auditing._entropic_rows import Decisions, read_decisions
from shiftlab.auditing._entropic_solve import (
    RowProblem,
    Solution,
    check_solvable,
    solve_closed,
    solve_moments,
)
from shiftlab.exceptions import DegenerateDataError, InputError

__all__ = ["entropic_projection"]

MARGINS = ("fixed", "free")
SPLITS = ("optimal", "balanced", "proportional")


def entropic_projection(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    constraints: Any = None,
    y_true: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    keep: Any = None,
    keep_by_group: bool = False,
    margin: str = "fixed",
    split: str = "optimal",
) -> EntropicProjection:
    r"""Reweight decisions so that they meet fairness constraints, as close to the data as possible.

    .. math:: \min_Q \mathrm{KL}(Q \,\|\, Q_n) \quad \text{s.t. each constraint holds under } Q

    This is the cheapest manipulation that touches no row, and the yardstick of every detection: a
    sample of m rows drawn from Q differs from an honest one by ``m KL`` nats.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame or Labels, optional
        Needed with rows; the groups of several features are their intersections.
    constraints : mapping of str to float, optional
        Targets by name, ``{"disparate_impact": 0.8}`` by default. Ratios (lowest rate / highest
        rate) of at least the target: ``disparate_impact``, ``equal_opportunity_ratio`` (true
        positive rates), ``equalized_odds_ratio`` (true and false positive rates). Gaps of at most
        the target: ``demographic_parity_difference``, ``equal_opportunity_difference``,
        ``equalized_odds_difference``. An ``accuracy`` of at least the target. Several hold at once.
    y_true : array of shape (n_rows,), optional
        True outcomes, for constraints that condition on them.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows before the projection.
    pos_label : object, optional
        The favourable value; 1 by default.
    keep : table of shape (n_rows, k), optional
        Columns whose means must not change; categories count as indicators.
    keep_by_group : bool, default False
        Whether to keep their means within each group instead of overall.
    margin : {"fixed", "free"}, default "fixed"
        Whether the shares of the groups (of group and outcome, for constraints that condition on
        outcomes) stay.
    split : {"optimal", "balanced", "proportional"}, default "optimal"
        How the change is split between two groups: at the smallest divergence, an equal number of
        changed units in both, or an equal change of both rates.

    Returns
    -------
    EntropicProjection

    Raises
    ------
    InputError
        If a name or target is not known, labels are missing, or no reweighting meets the
        constraints.
    DegenerateDataError
        If a group has no rows, or none with the outcome that a constraint conditions on.

    Warns
    -----
    ConvergenceWarning
        If a constraint is still violated by more than 1e-9.

    Notes
    -----
    One constraint on rates has a closed form: within a group the weight depends on the decision,
    rates are clipped to a band, and one number is searched for. Several constraints, and kept
    columns, are solved by damped Newton on the dual; inequalities that hold anyway get multiplier
    zero. If the data meet the constraints already, they are their own projection.

    References
    ----------
    Bachoc, Gamboa, Halford, Loubes, Risser (2023), Explaining machine learning models using
    entropic variable projection, Information and Inference 12. Lafargue et al. (2025), Exposing the
    illusion of fairness, arXiv 2507.20708 (the two splits).

    Examples
    --------
    >>> from shiftlab.auditing import entropic_projection
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["F", "M"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> projection = entropic_projection(GroupCounts.from_frame(table, "sex"))
    >>> print(f"{projection.kl:.10f}")
    0.0245081721
    """
    check_option(margin, MARGINS, "margin")
    check_option(split, SPLITS, "split")
    if split != "optimal" and margin != "fixed":
        raise InputError("The published splits keep the shares of the groups: use margin='fixed'.")
    decisions = read_decisions(
        y_pred,
        sensitive_features,
        y_true=y_true,
        sample_weight=sample_weight,
        pos_label=pos_label,
    )
    wanted = {"disparate_impact": 0.8} if constraints is None else constraints
    named = read_constraints(wanted, decisions.has_outcome)
    _check_strata(decisions, named)
    before = tuple(constraint.value(decisions.mass) for constraint in named)
    kept = None if keep is None else _kept_columns(keep, decisions, keep_by_group)
    if all(c.holds(value, 1e-15) for c, value in zip(named, before, strict=True)):
        solution = Solution(decisions.mass.copy(), 0.0, 0.0, 0.0, "none needed")
    elif check_solvable(named, margin, split) and kept is None:
        solution = solve_closed(decisions.mass, named[0], margin, split)
    elif kept is None:
        solution = solve_moments(decisions.mass, named)
    else:
        check_solvable((*named, *named), margin, split)
        problem = RowProblem(decisions.cell_of_row(), _row_mass(decisions), kept)
        solution = solve_moments(decisions.mass, named, problem)
    return _result(decisions, named, before, solution, margin, split)


def _kept_columns(keep: Any, decisions: Decisions, by_group: bool) -> np.ndarray:
    """Return the moments to keep: numbers as they are, categories as indicators."""
    codes = decisions.codes
    if codes is None:
        raise InputError("keep needs rows; counts were given.")
    table = as_table(keep, name="keep")
    check_length(table, len(codes), "keep")
    columns: list[np.ndarray] = []
    for column in table:
        if column.missing.any():
            raise InputError(
                f"keep: column {column.name!r} has {int(column.missing.sum())} missing value(s)."
            )
        if column.is_number:
            columns.append(column.values)
        else:
            columns += [(column.values == code) * 1.0 for code in np.unique(column.values)[1:]]
    kept = np.column_stack([np.zeros((len(codes), 0)), *columns])
    if not by_group:
        return kept
    return np.column_stack([kept * (codes == g)[:, None] for g in range(len(decisions.groups))])


def _check_strata(decisions: Decisions, constraints: tuple[Constraint, ...]) -> None:
    for constraint in constraints:
        if constraint.rule.kind == "accuracy":
            continue
        for part in constraint.strata(decisions.mass):
            pairs = zip(decisions.groups, part.sum(axis=1), strict=True)
            empty = [group for group, share in pairs if share <= 0]
            if empty:
                raise DegenerateDataError(
                    f"constraints: {constraint.name!r} is not defined for the group(s) "
                    f"{join_names(empty)}, which have no row with the outcome it conditions on."
                )


def _row_mass(decisions: Decisions) -> np.ndarray:
    cells = decisions.cell_of_row()
    if decisions.weights is None:
        return np.full(len(cells), 1.0 / len(cells))
    return np.asarray(decisions.weights / decisions.weights.sum())


def _result(
    decisions: Decisions,
    constraints: tuple[Constraint, ...],
    before: tuple[float, ...],
    solution: Solution,
    margin: str,
    split: str,
) -> EntropicProjection:
    weights = solution.weights
    if weights is None and decisions.codes is not None:
        factor = np.divide(
            solution.mass,
            decisions.mass,
            out=np.ones_like(decisions.mass),
            where=decisions.mass > 0,
        )
        weights = _row_mass(decisions) * factor.ravel()[decisions.cell_of_row()]
    if weights is None:
        effective = effective_share(solution.mass.ravel(), decisions.mass.ravel())
    else:
        effective = effective_share(weights, _row_mass(decisions))
    warn_unsolved(solution.residual)
    return EntropicProjection(
        weights=weights,
        features=decisions.features,
        groups=decisions.groups,
        mass_before=decisions.mass,
        mass_after=solution.mass,
        constraints=tuple(constraint.name for constraint in constraints),
        targets=tuple(constraint.target for constraint in constraints),
        values_before=before,
        values_after=tuple(constraint.value(solution.mass) for constraint in constraints),
        kl=solution.kl,
        duality_gap=solution.duality_gap,
        residual=solution.residual,
        effective_sample_size=effective,
        margin=margin,
        split=split,
        method=solution.method,
        converged=solution.residual <= ACCEPTED,
        n_iter=solution.n_iter,
        note="The data meet the constraints already." if solution.method == "none needed" else "",
    )
