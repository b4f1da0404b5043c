"""The nearest data set in Wasserstein distance that meets a ratio of selection rates."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_length, check_option
from shiftlab._core.frames import as_table
from shiftlab._core.validation import check_sensitive_features
from shiftlab.auditing._boundary import boundary_projection
from shiftlab.auditing._entropic_cells import Levels
from shiftlab.auditing._entropic_rows import Decisions, check_target, read_decisions
from shiftlab.auditing._wasserstein_coordinates import Coordinates, cell_steps, read_coordinates
from shiftlab.auditing._wasserstein_dual import solve_transport
from shiftlab.auditing._wasserstein_neighbours import nearest_in_cells
from shiftlab.auditing._wasserstein_result import WassersteinProjection
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

__all__ = ["wasserstein_projection"]

SUPPORTS = ("cells", "data", "free", "columns")


@dataclass(frozen=True, eq=False)
class _Plan:
    """Points with their cells, masses and costs, and the share of each that goes to each cell."""

    costs: np.ndarray
    mass: np.ndarray
    origin: np.ndarray
    shares: np.ndarray
    gap: float


def wasserstein_projection(
    y_pred: Any,
    sensitive_features: Any = None,
    X: Any = None,
    *,
    target: float = 0.8,
    p: float = 1,
    support: str | None = None,
    model: Any = None,
    margin: str = "free",
    scale: str = "standard",
    pos_label: Any = None,
) -> WassersteinProjection:
    r"""Move rows until selection rates meet a ratio, as little as possible.

    .. math:: \min_Q W_p(Q, Q_n) \quad \text{s.t. lowest rate} \ge t \cdot \text{highest rate}

    Parameters
    ----------
    y_pred : array of shape (n_rows,), GroupCounts or None
        Decisions; counts of them are enough for moves between cells, and with a `model` None asks
        the model.
    sensitive_features : str, sequence of str or array of shape (n_rows,) or (n_rows, k), optional
        Needed with rows. A column of `X` may be named; it then is no coordinate.
    X : table of shape (n_rows, d), optional
        What else makes rows near or far; needed unless moves are between cells.
    target : float, default 0.8
        Wanted ratio of the lowest to the highest selection rate.
    p : {1, 2}, default 1
        Power of the distance between rows: W1 or W2.
    support : {"cells", "data", "free", "columns"}, optional
        Where rows may go. "cells": rows change decision or group, nothing else (the default without
        `X`). "data": each row becomes another row of the data (the default with `X`). "free": rows
        cross the decision boundary of `model` (the default with one); groups stay, and integer,
        boolean and categorical columns keep to values that they take in the data. "columns": the
        same, and every column keeps to its observed values.
    model : object, optional
        What decides: a linear classifier, decision tree or multi-layer perceptron of scikit-learn
        (also after a scaler in a pipeline), a `DenseNetwork`, a `TorchNetwork`, any object with
        ``predict``, or a callable that returns decisions.
    margin : {"free", "fixed"}, default "free"
        Whether rows may change group ("cells" and "data").
    scale : {"standard", "none"}, default "standard"
        Whether numeric columns are divided by their standard deviation.
    pos_label : object, optional
        The favourable decision; 1 by default.

    Returns
    -------
    WassersteinProjection

    Raises
    ------
    InputError
        If arguments do not fit together, the target is not in (0, 1], a cell is missing, `y_pred`
        is not what the model decides, or the target cannot be reached.
    DegenerateDataError
        If a group has no rows or no decision is favourable.

    Notes
    -----
    The distance between two rows is Euclidean in the coordinates, with a step of 1 for another
    group and 1 for another decision ("cells", "data"). With the highest rate fixed, the problem on
    the data is a linear program over the nearest rows of each cell, solved through its few
    multipliers; the highest rate itself is found by a search. Nearest rows are found in blocks, so
    memory grows as the number of rows.

    Through a model, the distance of each candidate to the boundary is exact for linear models and
    trees, a local optimum for networks and an upper bound for black boxes. Given these distances,
    the rows to move are chosen optimally by one sorted scan. The ratio is recomputed from the
    decisions of the model at the moved rows.

    References
    ----------
    Lafargue et al. (2025), Exposing the illusion of fairness, arXiv 2507.20708.

    Examples
    --------
    >>> from shiftlab.auditing import wasserstein_projection
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["F", "M"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> projection = wasserstein_projection(GroupCounts.from_frame(table, "sex"))
    >>> print(f"{projection.distance:.5f}")
    0.05002
    """
    check_target(target)
    check_option(margin, ("free", "fixed"), "margin")
    if p not in (1, 2):
        raise InputError(f"p must be 1 or 2, found {p!r}.")
    support = _support(support, X, model)
    if support in ("free", "columns"):
        return boundary_projection(
            y_pred,
            sensitive_features,
            X,
            model=model,
            target=float(target),
            p=float(p),
            on_columns=support == "columns",
            scale=scale,
            pos_label=pos_label,
        )
    if support == "cells":
        decisions = read_decisions(y_pred, sensitive_features, pos_label=pos_label)
        return _between_cells(decisions, float(target), float(p), margin)
    if isinstance(y_pred, GroupCounts):
        raise InputError("support='data' needs rows; counts were given.")
    table = as_table(X)
    check_length(y_pred, len(table), "y_pred")
    features, used = check_sensitive_features(sensitive_features, table)
    decisions = read_decisions(y_pred, features, pos_label=pos_label)
    coordinates = read_coordinates(table, len(table), scale=scale, leave_out=used)
    return _within_data(decisions, coordinates, float(target), float(p), margin)


def _support(support: str | None, X: Any, model: Any) -> str:
    if support is None:
        support = "cells" if X is None else "data" if model is None else "free"
    check_option(support, SUPPORTS, "support")
    through_model = support in ("free", "columns")
    if through_model and model is None:
        raise InputError(f"support={support!r} moves rows through a model: pass model.")
    if model is not None and not through_model:
        raise InputError(f"model is not used with support={support!r}; use 'free' or 'columns'.")
    if X is None and support != "cells":
        raise InputError(f"support={support!r} needs X, the columns that make rows near or far.")
    return support


def _costs(squared: np.ndarray, origin: np.ndarray, p: float, margin: str) -> np.ndarray:
    costs = squared if p == 2 else np.sqrt(squared)
    if margin == "fixed":
        other = np.arange(costs.shape[1]) // 2 != (origin // 2)[:, None]
        costs = np.where(other, np.inf, costs)
    return costs


def _top_range(rates: np.ndarray) -> tuple[float, float]:
    """Range of the highest rate: none is lifted above what the data show."""
    return max(float(rates.min()), 1e-3 * float(rates.max())), float(rates.max())


def _between_cells(
    decisions: Decisions, target: float, p: float, margin: str
) -> WassersteinProjection:
    mass = decisions.mass.sum(axis=1).ravel()
    origin = np.arange(len(mass))
    steps = cell_steps(len(decisions.groups), 1.0, 1.0)
    costs = _costs(steps, origin, p, margin)
    plan = _solve(costs, mass, origin, decisions, target)
    return _result(decisions, plan, target, p)


def _within_data(
    decisions: Decisions, coordinates: Coordinates, target: float, p: float, margin: str
) -> WassersteinProjection:
    if decisions.codes is None or decisions.selected is None:
        raise InputError("support='data' needs rows; counts were given.")
    origin = decisions.codes * 2 + decisions.selected
    n_cells = 2 * len(decisions.groups)
    distances, rows = nearest_in_cells(coordinates.points, origin, n_cells)
    squared = distances**2 + cell_steps(len(decisions.groups), 1.0, 1.0)[origin]
    costs = _costs(squared, origin, p, margin)
    mass = np.full(len(origin), 1.0 / len(origin))
    plan = _solve(costs, mass, origin, decisions, target)
    return _result(decisions, plan, target, p, rows=rows, coordinates=coordinates)


def _solve(
    costs: np.ndarray, mass: np.ndarray, origin: np.ndarray, decisions: Decisions, target: float
) -> _Plan:
    band = Levels("ratio", target)
    rates = decisions.rates
    if band.holds(rates):
        return _Plan(costs, mass, origin, np.eye(costs.shape[1])[origin], 0.0)
    solved = solve_transport(costs, mass, origin, band, _top_range(rates))
    return _Plan(costs, mass, origin, solved.shares, solved.gap)


def _result(
    decisions: Decisions,
    plan: _Plan,
    target: float,
    p: float,
    *,
    rows: np.ndarray | None = None,
    coordinates: Coordinates | None = None,
) -> WassersteinProjection:
    costs, mass, origin, shares = plan.costs, plan.mass, plan.origin, plan.shares
    moved = shares > 1e-12
    moved[np.arange(len(origin)), origin] = False
    points, cells = np.nonzero(moved)
    amount = mass[points] * shares[points, cells]
    step = costs[points, cells] ** (1 / p)
    arrived = rows[points, cells] if rows is not None else cells
    before = decisions.mass.sum(axis=1)
    after = (mass @ shares).reshape(before.shape)
    cost = float(amount @ costs[points, cells])
    starts = ends = None
    if coordinates is not None:
        starts = coordinates.points[points] * coordinates.scale
        ends = coordinates.points[arrived] * coordinates.scale
    return WassersteinProjection(
        distance=cost ** (1 / p),
        cost=cost,
        p=p,
        support="cells" if rows is None else "data",
        target=target,
        value_before=_ratio(before),
        value_after=_ratio(after),
        features=decisions.features,
        groups=decisions.groups,
        mass_before=before,
        mass_after=after,
        rows_from=points,
        rows_to=arrived,
        cells_from=origin[points],
        cells_to=cells,
        mass=amount,
        steps=step,
        starts=starts,
        ends=ends,
        columns=() if coordinates is None else coordinates.names,
        duality_gap=plan.gap,
        unreached=0.0,
        n_rows=0 if rows is None else len(origin),
    )


def _ratio(mass: np.ndarray) -> float:
    rates = mass[:, 1] / mass.sum(axis=1)
    return float(rates.min() / rates.max())
