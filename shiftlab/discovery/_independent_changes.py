"""Directions from independent changes: in the causal direction mechanisms move independently.

For a component of undirected edges between changing variables every member of its class is scored
as a whole: for each variable the paths of P(V | parents) and of P(parents) over environments should
be independent. Dependence is the bias-corrected squared distance correlation of the two paths; the
score of a graph is its sum.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from shiftlab.discovery._modules import Group, Mechanisms
from shiftlab.graphs._marks import directed, set_directed, undirected
from shiftlab.graphs._meek import apply_meek

__all__ = [
    "FEWEST_POINTS",
    "MOST_GRAPHS",
    "Choice",
    "EdgeScore",
    "MechanismDependence",
    "choose_directions",
]

#: Fewer environments cannot show that two mechanisms move independently.
FEWEST_POINTS = 5
#: Members of a class that are scored one by one.
MOST_GRAPHS = 2_000
#: With so few independent movements the deviation is larger than any difference.
FEWEST_MOVEMENTS = 3.5
N_PERMUTATIONS = 999


class MechanismDependence:
    """Dependence between P(V | parents) and P(parents) over environments, each computed once.

    Parameters
    ----------
    mechanisms : Mechanisms
        The paths.
    """

    def __init__(self, mechanisms: Mechanisms) -> None:
        self._mechanisms = mechanisms
        self._centred: dict[tuple[Group, Group], np.ndarray] = {}
        self._known: dict[tuple[int, Group], float] = {}

    @property
    def n_points(self) -> int:
        """Number of environments or grid times."""
        return self._mechanisms.cells.n_points

    @property
    def is_time(self) -> bool:
        """Whether the paths lie along time."""
        return self._mechanisms.cells.is_time

    def correlation(self, variable: int, parents: Group) -> float:
        """Return the squared distance correlation, without bias: about 0 if independent."""
        key = (variable, parents)
        if key not in self._known:
            left, right, scale = self._pair(variable, parents)
            self._known[key] = float((left * right).sum() / scale)
        return self._known[key]

    def deviation(self, variable: int, parents: Group) -> float:
        """Return the standard deviation of that correlation for independent paths.

        Along time the points are many, but a smooth path has few movements that are independent
        of each other: their number takes the place of that of the environments.
        """
        count: float = self.n_points
        if self.is_time:
            paths = (self._mechanisms.path((variable,), parents), self._mechanisms.path(parents))
            count = max(_independent_movements(*paths), FEWEST_MOVEMENTS)
        return float(np.sqrt(2.0 / (count * (count - 3))))

    def pvalue(self, variable: int, parents: Group) -> float:
        """Test that the two move independently, by permutation of environments.

        Along time the shifts and reversals of one path take the place of permutations, which
        would break its smoothness.
        """
        left, right, _ = self._pair(variable, parents)
        observed = (left * right).sum()
        null = _shifted_products(left, right) if self.is_time else _permuted_products(left, right)
        return float((1 + (null >= observed - 1e-12 * abs(observed)).sum()) / (1 + len(null)))

    def _pair(self, variable: int, parents: Group) -> tuple[np.ndarray, np.ndarray, float]:
        left, right = self._matrix((variable,), parents), self._matrix(parents, ())
        scale = float(np.sqrt((left**2).sum() * (right**2).sum()))
        return left, right, max(scale, 1e-300)

    def _matrix(self, variables: Group, parents: Group) -> np.ndarray:
        key = (variables, parents)
        if key not in self._centred:
            self._centred[key] = _centred_distances(self._mechanisms.path(variables, parents))
        return self._centred[key]


def _independent_movements(left: np.ndarray, right: np.ndarray) -> float:
    """Return how many independent points are worth as much as two smooth paths.

    Bartlett's formula for the correlation of two series: the number of points over the sum, over
    all lags, of the products of their autocorrelations.
    """
    count = len(left)
    product = np.ones(count)
    for path in (left, right):
        gram = path - path.mean(axis=0)
        gram = gram @ gram.T
        along = np.array([np.trace(gram, offset=lag) for lag in range(count)])
        product *= along / max(float(along[0]), 1e-300)
    return float(count / max(2 * product.sum() - 1, 1e-300))


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


def _permuted_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    generator = np.random.default_rng(0)
    orders = (generator.permutation(len(left)) for _ in range(N_PERMUTATIONS))
    return np.array([(left * right[np.ix_(order, order)]).sum() for order in orders])


def _shifted_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the products for all shifts of one path but the shortest, forwards and backwards."""
    count = len(left)
    spectrum = np.conj(np.fft.fft2(left))
    products = [
        np.diag(np.fft.ifft2(spectrum * np.fft.fft2(turned)).real)
        for turned in (right, right[::-1, ::-1])
    ]
    return np.concatenate([p[count // 10 : count - count // 10] for p in products])


@dataclass(frozen=True)
class EdgeScore:
    """The two directions of one edge.

    Attributes
    ----------
    cause, effect : int
        The better direction.
    margin : float
        How much better it is, in standard deviations of the correlation of independent paths.
    """

    cause: int
    effect: int
    margin: float


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
        Smallest p-value of independence in the best graph, times the number of tests: small if no
        direction makes the mechanisms move independently.
    n_graphs : int
        Graphs that were scored.
    """

    nodes: tuple[int, ...]
    edges: tuple[EdgeScore, ...]
    parents: dict[int, Group]
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
        None if there is no way to direct them that knowledge allows.
    """
    edges = [(i, j) for i, j in combinations(nodes, 2) if undirected(marks)[i, j]]
    best: dict[tuple[int, int], float] = {}
    lowest: float = np.inf
    final: dict[int, Group] = {}
    count, scored = 0, set()
    for graph in islice(_members(marks, edges, allowed), MOST_GRAPHS):
        count += 1
        arrows = directed(graph)
        parents = {v: _parents(arrows, v, len(allowed)) for v in nodes}
        tested = [(v, given) for v, given in parents.items() if given]
        scored.update(tested)
        score = sum(dependence.correlation(*item) for item in tested)
        if score < lowest:
            lowest, final = score, parents
        for i, j in edges:
            pair = (i, j) if arrows[i, j] else (j, i)
            best[pair] = min(best.get(pair, np.inf), score)
    tested = [(v, given) for v, given in final.items() if given]
    if not tested:
        return None
    unit = np.sqrt(np.mean([dependence.deviation(*item) ** 2 for item in sorted(scored)]))
    scores = [_edge_score(edge, best, float(unit)) for edge in edges]
    pvalue = min(1.0, len(tested) * min(dependence.pvalue(*item) for item in tested))
    return Choice(tuple(nodes), tuple(scores), final, pvalue, count)


def _parents(arrows: np.ndarray, node: int, n_nodes: int) -> Group:
    """Return the parents of a node; the environment, the last node, is none of them."""
    return tuple(int(p) for p in np.flatnonzero(arrows[: n_nodes - 1, node]))


def _edge_score(
    edge: tuple[int, int], best: dict[tuple[int, int], float], unit: float
) -> EdgeScore:
    forward, backward = best.get(edge, np.inf), best.get(edge[::-1], np.inf)
    pair = edge if forward <= backward else edge[::-1]
    difference = abs(forward - backward) if np.isfinite(forward + backward) else np.inf
    return EdgeScore(*pair, float(difference / max(unit, 1e-300)))


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
