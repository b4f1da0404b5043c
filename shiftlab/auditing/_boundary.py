"""Wasserstein projection through a model: rows cross its boundary, and the model confirms it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Table, as_table
from shiftlab._core.validation import check_binary, check_length, check_sensitive_features
from shiftlab.auditing._boundary_black_box import cross_black_box
from shiftlab.auditing._boundary_choice import GroupMoves, choose_moves
from shiftlab.auditing._boundary_crossing import Space, cross
from shiftlab.auditing._boundary_models import Shape, decide, read_shape
from shiftlab.auditing._boundary_tables import as_frame, with_numbers, with_parts
from shiftlab.auditing._entropic_cells import Levels
from shiftlab.auditing._entropic_rows import Decisions, read_decisions
from shiftlab.auditing._wasserstein_coordinates import Coordinates, read_coordinates
from shiftlab.auditing._wasserstein_result import WassersteinProjection
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

__all__ = ["BoundaryMoves", "boundary_moves", "boundary_projection"]

#: Relative lengthening tried when the model, in its own precision, does not see a row as crossed.
_NUDGES = (0.0, 1e-6, 1e-5, 1e-4, 1e-3)


@dataclass(frozen=True, eq=False)
class _Problem:
    """Everything that the search for crossings reads."""

    X: Any
    table: Table
    model: Any
    pos_label: Any
    coordinates: Coordinates
    used: tuple[str, ...]
    on_columns: bool
    shape: Shape | None

    def ask(self, favourable: bool) -> Callable[[Any], np.ndarray]:
        return lambda rows: decide(self.model, rows, self.pos_label) == favourable


@dataclass(frozen=True, eq=False)
class _Crossings:
    """Candidate rows of one group and decision, where they end, and at what distance."""

    rows: np.ndarray
    ends: np.ndarray
    distance: np.ndarray
    n_tried: int
    n_found: int
    build: Callable[[np.ndarray], Any]


@dataclass(frozen=True, eq=False)
class BoundaryMoves:
    """A projection, the rows that move, and what they become in the caller's kind of table."""

    projection: WassersteinProjection
    rows: np.ndarray
    tables: tuple[Any, ...]
    decisions: Decisions


def boundary_projection(
    y_pred: Any, sensitive_features: Any, X: Any, **options: Any
) -> WassersteinProjection:
    """Move rows across the decision boundary of a model; see `wasserstein_projection`."""
    return boundary_moves(y_pred, sensitive_features, X, **options).projection


def boundary_moves(
    y_pred: Any,
    sensitive_features: Any,
    X: Any,
    *,
    model: Any,
    target: float,
    p: float = 1.0,
    on_columns: bool = False,
    scale: str = "standard",
    pos_label: Any = None,
) -> BoundaryMoves:
    """Choose the rows that cross, and return them in the caller's kind of table.

    Raises
    ------
    InputError
        If `y_pred` is not what the model decides, or the target cannot be reached.
    """
    X = as_frame(X)
    table = as_table(X)
    features, used = check_sensitive_features(sensitive_features, table)
    decided = decide(model, X, pos_label)
    _check_agreement(y_pred, decided, pos_label)
    decisions = read_decisions(decided.astype(int), features)
    coordinates = read_coordinates(table, len(table), scale=scale, leave_out=used)
    plain = all(column.is_number or column.kind == "boolean" for column in table)
    shape = read_shape(model, len(table.names), pos_label) if plain else None
    problem = _Problem(X, table, model, pos_label, coordinates, tuple(used), on_columns, shape)
    band = Levels("ratio", target)
    candidates = [] if band.holds(decisions.rates) else _search(problem, decisions, band)
    chosen = _choose(decisions, candidates, band, p) if candidates else []
    return _assemble(decisions, coordinates, chosen, candidates, target, p, on_columns)


def _check_agreement(y_pred: Any, decided: np.ndarray, pos_label: Any) -> None:
    if y_pred is None:
        return
    if isinstance(y_pred, GroupCounts):
        raise InputError("Moves through a model need rows; counts were given.")
    given = check_binary(y_pred, "y_pred", pos_label=pos_label)[0]
    check_length(given, len(decided), "y_pred")
    n_different = int((given != decided).sum())
    if n_different:
        raise InputError(
            f"y_pred differs from the decisions of model in {n_different} of {len(given)} rows. "
            "Pass the model that made them, or y_pred=None."
        )


def _search(problem: _Problem, decisions: Decisions, band: Levels) -> list[_Crossings]:
    """Find crossings for each group and direction that may have to move."""
    rates, n = decisions.rates, len(problem.table)
    found = []
    codes, selected = decisions.codes, decisions.selected
    if codes is None or selected is None:
        raise InputError("Moves through a model need rows.")
    for group, rate in enumerate(rates):
        size = int((codes == group).sum())
        for favourable in (True, False):
            if favourable:
                needed = int(np.ceil(float(band.lower(rates.max())) * size - rate * size))
            else:
                needed = int(np.ceil((rate - band.top_for(float(rates.min()))) * size))
            rows = np.flatnonzero((codes == group) & (selected != favourable))
            rows = rows if needed > 0 else rows[:0]
            donors = np.flatnonzero(selected == favourable) if n else rows
            found.append(_crossings(problem, rows, donors, favourable, max(needed, 1)))
    return found


def _crossings(
    problem: _Problem, rows: np.ndarray, donors: np.ndarray, favourable: bool, needed: int
) -> _Crossings:
    if not len(rows):
        width = problem.coordinates.points.shape[1]
        return _Crossings(rows, np.empty((0, width)), np.empty(0), 0, 0, lambda _: None)
    if problem.shape is None:
        return _black_box(problem, rows, donors, favourable, needed)
    return _through_shape(problem, problem.shape, rows, favourable, needed)


def _black_box(
    problem: _Problem, rows: np.ndarray, donors: np.ndarray, favourable: bool, needed: int
) -> _Crossings:
    moves = cross_black_box(
        problem.ask(favourable),
        problem.X,
        rows,
        donors,
        problem.coordinates,
        needed=needed,
        n_columns=len(problem.table.names),
        on_columns=problem.on_columns,
    )
    ends = moves.ends(rows, problem.coordinates)
    steps = np.sqrt(((ends - problem.coordinates.points[rows]) ** 2).sum(axis=1))
    return _Crossings(
        rows,
        ends,
        np.where(moves.found, steps, np.inf),
        int(moves.tried.sum()),
        int(moves.found.sum()),
        lambda k: with_parts(problem.X, rows[k], moves.donors[k], moves.taken[k], moves.share[k]),
    )


def _through_shape(
    problem: _Problem, shape: Shape, rows: np.ndarray, favourable: bool, needed: int
) -> _Crossings:
    numbers = np.column_stack([column.values for column in problem.table]).astype(np.float64)
    space = _space(problem, numbers)
    starts = numbers[rows]
    ends, found, tried = cross(shape, starts, favourable, space, needed)
    ends, found = _verify(problem, rows, starts, ends, found, favourable, space)
    distance = np.where(found, space.distance(starts, ends), np.inf)
    points = ends[:, problem.coordinates.owner] / problem.coordinates.scale
    return _Crossings(
        rows,
        points,
        distance,
        int(tried.sum()),
        int(found.sum()),
        lambda k: with_numbers(problem.X, rows[k], ends[k]),
    )


def _space(problem: _Problem, numbers: np.ndarray) -> Space:
    scale = np.ones(numbers.shape[1])
    scale[problem.coordinates.owner] = problem.coordinates.scale
    movable = np.isin(np.arange(numbers.shape[1]), problem.coordinates.owner)
    bound = np.ones(numbers.shape[1], dtype=bool)
    if not problem.on_columns:
        bound[problem.coordinates.owner] = problem.coordinates.discrete
    values = [np.unique(numbers[:, j]) if bound[j] else np.empty(0) for j in range(len(scale))]
    return Space(scale, movable, tuple(values))


def _verify(
    problem: _Problem,
    rows: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    found: np.ndarray,
    favourable: bool,
    space: Space,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask the model itself about every moved row; go a little further where it disagrees."""
    ask = problem.ask(favourable)
    settled, agreed = ends.copy(), np.zeros(len(rows), dtype=bool)
    for nudge in _NUDGES:
        pending = np.flatnonzero(found & ~agreed)
        if not len(pending):
            break
        trial = space.snap(starts[pending] + (1 + nudge) * (ends[pending] - starts[pending]))
        crossed = ask(with_numbers(problem.X, rows[pending], trial))
        settled[pending[crossed]] = trial[crossed]
        agreed[pending[crossed]] = True
    return settled, agreed


def _choose(
    decisions: Decisions, candidates: list[_Crossings], band: Levels, p: float
) -> list[tuple[_Crossings, np.ndarray, int, bool]]:
    """Return for each group and direction the chosen candidates (positions)."""
    counts = _counts(decisions)
    orders = [np.argsort(c.distance, kind="stable") for c in candidates]
    groups = [
        GroupMoves(
            int(counts[g].sum()),
            int(counts[g, 1]),
            candidates[2 * g].distance[orders[2 * g]] ** p,
            candidates[2 * g + 1].distance[orders[2 * g + 1]] ** p,
        )
        for g in range(len(counts))
    ]
    lifts, lowers = choose_moves(groups, band)
    chosen = []
    for g in range(len(counts)):
        for k, count, favourable in ((2 * g, lifts[g], True), (2 * g + 1, lowers[g], False)):
            chosen.append((candidates[k], orders[k][: int(count)], g, favourable))
    return chosen


def _counts(decisions: Decisions) -> np.ndarray:
    counts = np.zeros((len(decisions.groups), 2), dtype=np.intp)
    if decisions.codes is not None and decisions.selected is not None:
        np.add.at(counts, (decisions.codes, decisions.selected), 1)
    return counts


def _assemble(
    decisions: Decisions,
    coordinates: Coordinates,
    chosen: list[tuple[_Crossings, np.ndarray, int, bool]],
    candidates: list[_Crossings],
    target: float,
    p: float,
    on_columns: bool,
) -> BoundaryMoves:
    counts = _counts(decisions)
    n = int(counts.sum())
    used = [(c, order, g, up) for c, order, g, up in chosen if len(order)]
    rows = np.concatenate([np.empty(0, dtype=np.intp), *(c.rows[k] for c, k, _, _ in used)])
    steps = np.concatenate([np.empty(0), *(c.distance[k] for c, k, _, _ in used)])
    ends = np.concatenate(
        [np.empty((0, coordinates.points.shape[1])), *(c.ends[k] for c, k, _, _ in used)]
    )
    rising = np.concatenate([np.empty(0, bool), *(np.full(len(k), up) for _, k, _, up in used)])
    group = np.concatenate([np.empty(0, np.intp), *(np.full(len(k), g) for _, k, g, _ in used)])
    after = _after_moves(counts, group, rising)
    cost = float((steps**p).sum()) / n
    tried, found = sum(c.n_tried for c in candidates), sum(c.n_found for c in candidates)
    projection = WassersteinProjection(
        distance=cost ** (1 / p),
        cost=cost,
        p=p,
        support="columns" if on_columns else "free",
        target=target,
        value_before=_ratio(counts),
        value_after=_ratio(after),
        features=decisions.features,
        groups=decisions.groups,
        mass_before=counts / n,
        mass_after=after / n,
        rows_from=rows,
        rows_to=np.full(len(rows), -1),
        cells_from=2 * group + 1 - rising,
        cells_to=2 * group + rising,
        mass=np.full(len(rows), 1.0 / n),
        steps=steps,
        starts=coordinates.points[rows] * coordinates.scale,
        ends=ends * coordinates.scale,
        columns=coordinates.names,
        duality_gap=np.nan if len(rows) else 0.0,
        unreached=1.0 - found / tried if tried else 0.0,
        n_rows=n,
    )
    tables = tuple(c.build(k) for c, k, _, _ in used)
    return BoundaryMoves(projection, rows, tables, decisions)


def _after_moves(counts: np.ndarray, group: np.ndarray, rising: np.ndarray) -> np.ndarray:
    """Count cells once each moved row has the other decision."""
    after = counts.copy()
    np.add.at(after, (group, rising.astype(np.intp)), 1)
    np.add.at(after, (group, 1 - rising.astype(np.intp)), -1)
    return after


def _ratio(counts: np.ndarray) -> float:
    rates = counts[:, 1] / counts.sum(axis=1)
    return float(rates.min() / rates.max())
