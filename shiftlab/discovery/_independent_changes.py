"""Directions from independent changes: in the causal direction mechanisms move independently.

For a component of undirected edges between changing variables every member of its class is scored
as a whole: the mechanisms P(V | parents) of all its variables should be pairwise independent over
environments. Dependence is the bias-corrected distance correlation of the paths of two mechanisms.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from shiftlab.discovery._modules import Mechanisms
from shiftlab.graphs._marks import directed, set_directed, undirected
from shiftlab.graphs._meek import apply_meek

__all__ = ["Choice", "Dependence", "EdgeScore", "MechanismDependence", "choose_directions"]

#: Fewer environments cannot show that two mechanisms move independently.
FEWEST_POINTS = 5
#: Members of a class that are scored one by one.
MOST_GRAPHS = 2_000
N_PERMUTATIONS = 999

Parents = tuple[int, ...]


@dataclass(frozen=True)
class Dependence:
    """How two mechanisms move together.

    Attributes
    ----------
    correlation : float
        Bias-corrected squared distance correlation of their paths.
    score : float
        The same in standard deviations of independent paths.
    """

    correlation: float
    score: float


class MechanismDependence:
    """Dependence between mechanisms, each pair computed once.

    Parameters
    ----------
    mechanisms : Mechanisms
        The paths.
    """

    def __init__(self, mechanisms: Mechanisms) -> None:
        self._mechanisms = mechanisms
        self._centred: dict[tuple[int, Parents], np.ndarray] = {}
        self._known: dict[frozenset[tuple[int, Parents]], Dependence] = {}

    @property
    def n_points(self) -> int:
        """Number of environments or grid times."""
        return self._mechanisms.cells.n_points

    def __call__(self, a: int, parents_a: Parents, b: int, parents_b: Parents) -> Dependence:
        """Return the dependence of P(a | parents_a) and P(b | parents_b)."""
        keys = frozenset([(a, parents_a), (b, parents_b)])
        if keys not in self._known:
            left, right = self._matrix(a, parents_a), self._matrix(b, parents_b)
            scale = np.sqrt((left**2).sum() * (right**2).sum())
            correlation = float((left * right).sum() / scale) if scale > 0 else 0.0
            self._known[keys] = Dependence(correlation, self._standardised(left, right, scale))
        return self._known[keys]

    def pvalue(self, a: int, parents_a: Parents, b: int, parents_b: Parents) -> float:
        """Test that the two mechanisms move independently, by permutation of environments.

        Along time the shifts and reversals of one path take the place of permutations, which
        would break its smoothness.
        """
        left, right = self._matrix(a, parents_a), self._matrix(b, parents_b)
        observed = (left * right).sum()
        null = self._null(left, right)
        return float((1 + (null >= observed - 1e-12 * abs(observed)).sum()) / (1 + len(null)))

    def _matrix(self, variable: int, parents: Parents) -> np.ndarray:
        key = (variable, parents)
        if key not in self._centred:
            path = self._mechanisms.path(variable, parents)
            self._centred[key] = _centred_distances(path)
        return self._centred[key]

    def _standardised(self, left: np.ndarray, right: np.ndarray, scale: float) -> float:
        if scale == 0:
            return 0.0
        observed = float((left * right).sum())
        if not self._mechanisms.cells.is_time:
            count = self.n_points
            return observed / scale / float(np.sqrt(2.0 / (count * (count - 3))))
        null = self._null(left, right)
        return float((observed - null.mean()) / max(null.std(), 1e-300))

    def _null(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        orders = _orders(self.n_points, self._mechanisms.cells.is_time)
        return np.array([(left * right[np.ix_(order, order)]).sum() for order in orders])


def _centred_distances(path: np.ndarray) -> np.ndarray:
    """Return distances between the points of a path, centred without bias (zero diagonal)."""
    product = path @ path.T
    square = np.diag(product)
    distance = np.sqrt(np.maximum(square[:, None] + square - 2 * product, 0.0))
    np.fill_diagonal(distance, 0.0)
    count, rows = len(distance), distance.sum(axis=0)
    centred = distance - rows[:, None] / (count - 2) - rows / (count - 2)
    centred += rows.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(centred, 0.0)
    return np.asarray(centred)


def _orders(count: int, is_time: bool) -> Iterator[np.ndarray]:
    base = np.arange(count)
    if is_time:
        for shift in range(count // 10, count - count // 10):
            yield np.roll(base, shift)
            yield np.roll(base, shift)[::-1]
        return
    generator = np.random.default_rng(0)
    for _ in range(N_PERMUTATIONS):
        yield generator.permutation(count)


@dataclass(frozen=True)
class EdgeScore:
    """The two directions of one edge.

    Attributes
    ----------
    cause, effect : int
        The better direction.
    margin : float
        How much better it is, in standard deviations of independent paths.
    dependence : float
        Score of the best graph with this direction.
    """

    cause: int
    effect: int
    margin: float
    dependence: float


@dataclass(frozen=True)
class Choice:
    """What independent changes say about one component.

    Attributes
    ----------
    nodes : tuple of int
    edges : tuple of EdgeScore
    parents : dict of int to tuple of int
        Of the best graph.
    pvalue : float
        Smallest p-value of independence between two mechanisms of the best graph, times the number
        of pairs: small if no direction makes the mechanisms move independently.
    n_graphs : int
        Graphs that were scored.
    """

    nodes: tuple[int, ...]
    edges: tuple[EdgeScore, ...]
    parents: dict[int, Parents]
    pvalue: float
    n_graphs: int


def choose_directions(
    marks: np.ndarray, nodes: Sequence[int], dependence: MechanismDependence, allowed: np.ndarray
) -> Choice | None:
    """Score the directions of one component of undirected edges.

    Parameters
    ----------
    marks : ndarray of int, shape (n, n)
        The graph so far.
    nodes : sequence of int
        Changing variables joined by undirected edges.
    dependence : MechanismDependence
        Between mechanisms.
    allowed : ndarray of bool, shape (n, n)
        What knowledge allows.

    Returns
    -------
    Choice or None
        None if there are too few environments.
    """
    if dependence.n_points < FEWEST_POINTS:
        return None
    edges = [(i, j) for i, j in combinations(nodes, 2) if undirected(marks)[i, j]]
    best: dict[tuple[int, int], float] = {}
    chosen: tuple[float, dict[int, Parents]] = (np.inf, {})
    count = 0
    for graph in _members(marks, edges, allowed):
        count += 1
        arrows = directed(graph)
        parents = {v: _parents(arrows, v, len(allowed)) for v in nodes}
        score = sum(
            dependence(a, parents[a], b, parents[b]).score for a, b in combinations(nodes, 2)
        )
        if score < chosen[0]:
            chosen = (score, parents)
        for i, j in edges:
            pair = (i, j) if arrows[i, j] else (j, i)
            best[pair] = min(best.get(pair, np.inf), score)
        if count >= MOST_GRAPHS:
            break
    if not count:
        return None
    scores = [_edge_score(edge, best) for edge in edges]
    final = chosen[1]
    pvalues = [dependence.pvalue(a, final[a], b, final[b]) for a, b in combinations(nodes, 2)]
    pvalue = min(1.0, min(pvalues) * len(pvalues))
    return Choice(tuple(nodes), tuple(scores), final, pvalue, count)


def _parents(arrows: np.ndarray, node: int, n_nodes: int) -> Parents:
    """Return the parents of a node; the environment, the last node, is none of them."""
    return tuple(int(p) for p in np.flatnonzero(arrows[: n_nodes - 1, node]))


def _edge_score(edge: tuple[int, int], best: dict[tuple[int, int], float]) -> EdgeScore:
    forward, backward = best.get(edge, np.inf), best.get(edge[::-1], np.inf)
    pair = edge if forward <= backward else edge[::-1]
    margin = abs(forward - backward) if np.isfinite(forward + backward) else np.inf
    return EdgeScore(*pair, float(margin), float(min(forward, backward)))


def _members(
    marks: np.ndarray, edges: Sequence[tuple[int, int]], allowed: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the ways to direct the edges without a new collider, a cycle or a forbidden arrow."""
    lines = undirected(marks)
    left = next(((i, j) for i, j in edges if lines[i, j]), None)
    if left is None:
        yield marks
        return
    for i, j in (left, left[::-1]):
        if not allowed[i, j]:
            continue
        trial = marks.copy()
        set_directed(trial, i, j)
        before = directed(trial)
        apply_meek(trial)
        if _is_sound(trial, before, allowed):
            yield from _members(trial, edges, allowed)


def _is_sound(marks: np.ndarray, before: np.ndarray, allowed: np.ndarray) -> bool:
    """Refuse forbidden arrows that follow, and colliders that a closure could not avoid."""
    arrows = directed(marks)
    return bool(allowed[arrows & ~before].all())
