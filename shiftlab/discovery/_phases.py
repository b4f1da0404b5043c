"""The four phases in order, on a prepared table."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shiftlab._core.column_groups import Groups
from shiftlab._core.columns import Column
from shiftlab._core.frames import Table
from shiftlab._core.progress import Progress
from shiftlab.discovery._driving_force import DrivingForce, find_driving_force
from shiftlab.discovery._independent_changes import (
    FEWEST_POINTS,
    Choice,
    MechanismDependence,
    choose_directions,
)
from shiftlab.discovery._markov import orient_and_restore
from shiftlab.discovery._modules import Group, Mechanisms
from shiftlab.discovery._orient import Direction, Orientation, orient
from shiftlab.discovery._prepare import Prepared
from shiftlab.discovery._search import Rules, Skeleton, find_skeleton
from shiftlab.discovery._surrogate import Surrogate
from shiftlab.discovery._tests import Answers
from shiftlab.graphs import Knowledge
from shiftlab.graphs._marks import directed, undirected

__all__ = ["Findings", "Settings", "force_of", "run_phases"]

#: Components kept of each driving force.
N_COMPONENTS = 3
#: From this size of conditioning sets on the graph found is checked, with all causes held fixed.
LEAST_RESTORED = 2


@dataclass(frozen=True)
class Settings:
    """Options of the search, checked.

    Attributes
    ----------
    make_test : callable
        Prepares the independence test for a table and the columns that form a variable together.
    alpha, max_cond, correction, orient, margin
        See `shiftlab.discovery.CDNOD`.
    knowledge : Knowledge
    progress : bool or callable
    past : collection of str
        Variables of earlier rows.
    """

    make_test: Callable[[Table, Groups], Any]
    alpha: float
    max_cond: int
    correction: str
    orient: str
    margin: float
    knowledge: Knowledge
    progress: Progress = False
    past: Collection[str] = ()


@dataclass
class Findings:
    """What the phases found, in positions of the prepared table; the root comes last.

    Attributes
    ----------
    tests : Answers
    skeleton : Skeleton
    orientation : Orientation
    invariance : ndarray
        Marks before independent changes were looked at.
    choices : list of Choice
    forces : list of DrivingForce
    root : int
    notes : list of str
    """

    tests: Answers
    skeleton: Skeleton
    orientation: Orientation
    invariance: np.ndarray
    root: int
    choices: list[Choice] = field(default_factory=list)
    forces: list[DrivingForce] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def changing(self) -> list[int]:
        """Variables joined to the environment."""
        return [int(v) for v in np.flatnonzero(self.skeleton.adjacent[self.root])]


def run_phases(prepared: Prepared, settings: Settings, root_name: str) -> Findings:
    """Run all phases.

    Parameters
    ----------
    prepared : Prepared
        Table and environment.
    settings : Settings
        Options.
    root_name : str
        Name of the environment's node.
    """
    table, surrogate = prepared.table, prepared.surrogate
    names = (*prepared.nodes, root_name)
    root_column = replace(surrogate.column, name=root_name)
    if surrogate.is_constant:  # nothing can be tested against it
        root_column = Column(root_name, "numeric", np.arange(table.n_rows, dtype=float))
        knowledge = replace(settings.knowledge, changing=(), unchanging=tuple(prepared.nodes))
    else:
        knowledge = settings.knowledge
    root = len(names) - 1
    joined = {name: columns for name, columns in prepared.nodes.items() if columns != (name,)}
    whole = Table((*table.columns, root_column), table.n_rows)
    tests = Answers(settings.make_test(whole, joined))
    rules = Rules.of(names, root, knowledge, settings.past)
    skeleton = find_skeleton(
        tests,
        rules,
        alpha=settings.alpha,
        max_cond=settings.max_cond,
        correction=settings.correction,
        progress=settings.progress,
    )
    if settings.orient == "skeleton":
        state = Orientation(np.asarray(skeleton.adjacent, dtype=np.int8), rules)
        return Findings(tests, skeleton, state, state.marks.copy(), root)
    # Small sets hardly lose an edge, and whoever asks for them wants no larger ones; edges that
    # come back are no longer under the control of the false-discovery rate.
    checked = settings.max_cond >= LEAST_RESTORED and settings.correction == "none"
    state = (orient_and_restore if checked else orient)(
        skeleton, tests, rules, root=root, alpha=settings.alpha
    )
    found = Findings(tests, skeleton, state, state.marks.copy(), root)
    if found.changing:
        mechanisms = Mechanisms(
            [[table[c] for c in node] for node in prepared.nodes.values()], surrogate
        )
        if settings.orient == "changes":
            _orient_by_changes(found, mechanisms, settings.margin)
        _find_forces(found, mechanisms, surrogate)
    return found


def _orient_by_changes(found: Findings, mechanisms: Mechanisms, margin: float) -> None:
    state = found.orientation
    dependence = MechanismDependence(mechanisms)
    components = _components(state.marks, found.changing)
    if components and dependence.n_points < FEWEST_POINTS:
        found.notes.append(
            f"{dependence.n_points} environments are too few to orient edges by independent "
            f"changes; at least {FEWEST_POINTS} are needed."
        )
        return
    for nodes in components:
        choice = choose_directions(state.marks, nodes, dependence, state.rules.may_cause)
        if choice is None:
            continue
        found.choices.append(choice)
        for edge in sorted(choice.edges, key=lambda e: (-e.margin, e.cause, e.effect)):
            pair = (edge.cause, edge.effect)
            if edge.margin >= margin and undirected(state.marks)[pair]:
                state.claim({pair: Direction("independent change", margin=edge.margin)})
    state.close()


def _components(marks: np.ndarray, changing: list[int]) -> list[list[int]]:
    """Return the groups of changing variables that undirected edges join."""
    lines = undirected(marks)
    left, groups = set(changing), []
    while left:
        group, border = set(), {min(left)}
        while border:
            group |= border
            border = {
                int(j) for i in border for j in np.flatnonzero(lines[i]) if int(j) in left
            } - group
        left -= group
        if len(group) > 1:
            groups.append(sorted(group))
    return groups


def _find_forces(found: Findings, mechanisms: Mechanisms, surrogate: Surrogate) -> None:
    arrows = directed(found.orientation.marks)
    names = found.tests.names
    for variable in found.changing:
        parents = tuple(np.flatnonzero(arrows[: found.root, variable]).tolist())
        key = (variable, parents)
        force = force_of(mechanisms, surrogate, key, names, names[found.root], N_COMPONENTS)
        found.forces.append(force)


def force_of(
    mechanisms: Mechanisms,
    surrogate: Surrogate,
    mechanism: tuple[int, Group],
    names: Sequence[str],
    root_name: str,
    n_components: int,
) -> DrivingForce:
    """Compute the driving force of a mechanism, given as variable and parents, and name it."""
    variable, parents = mechanism
    components, error, shares = find_driving_force(mechanisms, variable, parents, n_components)
    cells = mechanisms.cells
    points: list[Any] = cells.points.tolist()
    if not cells.is_time:  # by label, not by the order in which environments occur
        points = [surrogate.column.categories[i] for i in points]
        order = sorted(range(len(points)), key=lambda i: _sortable(points[i]))
        points = [points[i] for i in order]
        components, error = components[order], error[order]
    elif surrogate.is_dates:
        seconds = np.round(cells.points * 86_400).astype("timedelta64[s]")
        points = [str(t) for t in np.datetime64("1970-01-01T00:00:00") + seconds]
    return DrivingForce(
        variable=names[variable],
        parents=tuple(names[p] for p in parents),
        environment=root_name,
        points=tuple(points),
        is_time=cells.is_time,
        components=components,
        standard_error=error,
        explained=shares,
    )


def _sortable(label: Any) -> tuple[int, Any]:
    return (0, label) if isinstance(label, (int, float)) else (1, str(label))
