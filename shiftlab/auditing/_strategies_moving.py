"""Strategies that change rows: their decision or group, all they hold, or their covariates."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.auditing._boundary import boundary_moves
from shiftlab.auditing._boundary_tables import keep_columns, write_rows
from shiftlab.auditing._strategies_data import Manipulated, Source
from shiftlab.auditing._wasserstein import wasserstein_projection
from shiftlab.auditing._wasserstein_result import WassersteinProjection
from shiftlab.exceptions import InputError

__all__ = ["gradient", "match", "replace_decisions"]

_RAISES = 40


def replace_decisions(source: Source, target: float, rng: np.random.Generator) -> Manipulated:
    """Change decision or group of random rows, as few as possible; covariates stay."""

    def attempt(goal: float) -> tuple[Manipulated, float]:
        plan = wasserstein_projection(source.selected, source.codes, target=goal, support="cells")
        cells = source.cells.copy()
        for origin, goes_to, mass in zip(plan.cells_from, plan.cells_to, plan.mass, strict=True):
            n_moved = int(np.ceil(mass * source.n_rows - 1e-5))
            free = np.flatnonzero((source.cells == origin) & (cells == origin))
            cells[rng.permutation(free)[:n_moved]] = goes_to
        donors = _any_row_of(source, cells)
        roles = source.position((source.decision, *source.sensitive_features))
        data = source.mix(np.arange(source.n_rows), donors, roles)
        return _moved(source, cells, data, plan.distance, "W1 on (group, decision)")

    return _raise_until(attempt, source, target)


def match(source: Source, target: float) -> Manipulated:
    """Replace rows by the nearest rows of another cell, at the smallest total distance."""
    points = source.coordinates.points

    def attempt(goal: float) -> tuple[Manipulated, float]:
        plan = wasserstein_projection(
            source.selected, source.codes, points, target=goal, scale="none"
        )
        donors = np.arange(source.n_rows)
        for row, donor in _whole_moves(plan):
            donors[row] = donor
        everything = np.ones(len(source.table.names), dtype=bool)
        data = source.mix(np.arange(source.n_rows), donors, everything)
        return _moved(source, source.cells[donors], data, plan.distance, "W1 on rows")

    return _raise_until(attempt, source, target)


def gradient(source: Source, target: float, model: Any, *, on_columns: bool) -> Manipulated:
    """Move rows across the model's decision boundary; the decision follows the model."""
    if model is None:
        raise InputError("The gradient strategies move rows through a model: pass model.")
    names, sensitive = _model_columns(source, model)
    moves = boundary_moves(
        source.table[source.decision],
        sensitive,
        keep_columns(source.data, source.table.names, names),
        model=model,
        target=target,
        on_columns=on_columns,
        scale=source.scale,
        pos_label=source.pos_label,
    )
    projection = moves.projection
    cells = source.cells.copy()
    cells[projection.rows_from] = projection.cells_to
    decided = source.position((source.decision,))
    data = source.mix(np.arange(source.n_rows), _any_row_of(source, cells), decided)
    done = 0
    for table in moves.tables:
        rows = projection.rows_from[done : done + len(table)]
        data = write_rows(data, source.table.names, rows, table, names)
        done += len(table)
    return _moved(source, cells, data, projection.distance, "W1 on covariates")[0]


def _raise_until(
    attempt: Callable[[float], tuple[Manipulated, float]], source: Source, target: float
) -> Manipulated:
    """Raise the goal by single rows until whole rows reach the target: shares were rounded."""
    goal = target
    for _ in range(_RAISES):
        manipulated, value = attempt(min(goal, 1.0))
        if value >= target or goal >= 1.0:
            break
        goal += max(target - value, 0.5 / source.n_rows)
    return manipulated


def _whole_moves(plan: WassersteinProjection) -> Iterator[tuple[int, int]]:
    """Yield moves of whole rows: a row whose mass is split goes where most of it goes."""
    best: dict[int, tuple[float, int]] = {}
    for row, arrived, mass in zip(plan.rows_from, plan.rows_to, plan.mass, strict=True):
        if int(row) not in best or mass > best[int(row)][0]:
            best[int(row)] = (float(mass), int(arrived))
    return ((row, arrived) for row, (_, arrived) in sorted(best.items()))


def _any_row_of(source: Source, cells: np.ndarray) -> np.ndarray:
    """Return for each row one with the wanted group and decision, from which to take them."""
    donors = np.arange(len(cells))
    for cell in np.unique(cells[cells != source.cells]):
        group, decision = divmod(int(cell), 2)
        same = np.flatnonzero(source.cells == cell)
        if not len(same):  # nobody of this group has this decision: group and decision separately
            raise InputError(
                f"The group {source.decisions.groups[group]!r} has no row with decision "
                f"{decision}, so none can be copied. Use another strategy, or merge groups."
            )
        donors[(cells == cell) & (source.cells != cell)] = same[0]
    return donors


def _moved(
    source: Source, cells: np.ndarray, data: Any, cost: float, name: str
) -> tuple[Manipulated, float]:
    codes, selected = np.divmod(cells, 2)
    rows = np.arange(source.n_rows)
    changed = cells != source.cells
    counts = np.bincount(cells, minlength=len(source.counts)).reshape(-1, 2)
    rates = counts[:, 1] / counts.sum(axis=1)
    value = float(rates.min() / rates.max())
    return Manipulated(rows, changed, codes, selected, cost, name, data), value


def _model_columns(source: Source, model: Any) -> tuple[list[str], Any]:
    """Return the columns that the model reads, and the sensitive features.

    A model that names its columns gets these; another gets all but decision and groups.
    """
    known = getattr(model, "feature_names_in_", None)
    roles = (source.decision, *source.sensitive_features)
    names = [n for n in source.table.names if n not in roles] if known is None else list(known)
    missing = [name for name in names if name not in source.table]
    if missing:
        raise InputError(
            f"model was fitted on column(s) {join_names(missing)}, which data does not have."
        )
    used = [name for name in source.sensitive_features if name in names]
    return names, used if len(used) == len(source.sensitive_features) else source.codes
