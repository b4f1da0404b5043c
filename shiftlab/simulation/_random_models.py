"""Random graphs and random models, for studies of how well a method recovers the truth."""

from collections.abc import Sequence

import networkx as nx
import numpy as np

from shiftlab._core.random import RandomState, as_generator, spawn_seeds
from shiftlab._core.validation import check_integer, check_option
from shiftlab.exceptions import InputError
from shiftlab.simulation._compositions import GaussianProcess, Sum, random_tree
from shiftlab.simulation._functions import SHAPES, Function, Linear, Nonlinear
from shiftlab.simulation._mechanisms import Additive
from shiftlab.simulation._model import StructuralModel
from shiftlab.simulation._node import Node
from shiftlab.simulation._noise import Gaussian, Noise
from shiftlab.simulation._sampling import evaluate
from shiftlab.simulation._shifts import (
    CoefficientShift,
    MeanShift,
    MechanismShift,
    NoiseScaleShift,
    Shift,
)
from shiftlab.simulation._spec import check_choice, check_number

__all__ = ["random_dag", "random_model"]

CHANGES = ("coefficient", "mean", "noise_scale")
COEFFICIENT_RANGE = (0.5, 1.5)
#: Standard deviation of a changing coefficient, mean and logarithm of the noise scale.
CHANGE_SD = {"coefficient": 0.6, "mean": 1.0, "noise_scale": 0.4}
PATH_LENGTH_SCALE = 0.3
PILOT_ROWS = 2000


def random_dag(
    n_nodes: int,
    *,
    expected_degree: float = 2.0,
    kind: str = "erdos-renyi",
    random_state: RandomState = None,
) -> nx.DiGraph:
    """Draw a directed acyclic graph with nodes ``X0, X1, ...``, whose causal order is random.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    expected_degree : float, default 2.0
        Expected number of edges at a node, both directions counted; at most ``n_nodes - 1``.
    kind : {"erdos-renyi", "scale-free"}, default "erdos-renyi"
        Every pair with the same probability, or hubs by preferential attachment, where the degree
        is approximate: every node is joined to ``expected_degree / 2`` (rounded) earlier ones.
    random_state : int, SeedSequence, Generator or None
        Seed.

    Returns
    -------
    networkx.DiGraph

    Raises
    ------
    InputError
        If an argument is out of range.

    References
    ----------
    .. [1] Barabasi and Albert (1999), "Emergence of scaling in random networks", Science 286.

    Examples
    --------
    >>> graph = random_dag(5, random_state=0)
    >>> sorted(graph)
    ['X0', 'X1', 'X2', 'X3', 'X4']
    """
    n_nodes = check_integer(n_nodes, "n_nodes")
    check_number(expected_degree, "expected_degree", minimum=0)
    check_option(kind, ("erdos-renyi", "scale-free"), "kind")
    if expected_degree > max(n_nodes - 1, 0):
        raise InputError(
            f"expected_degree must be at most n_nodes - 1 = {n_nodes - 1}, found {expected_degree}."
        )
    rng = as_generator(random_state)
    rank = rng.permutation(n_nodes)
    if kind == "erdos-renyi":
        share = expected_degree / (n_nodes - 1) if n_nodes > 1 else 0.0
        earlier, later = np.triu_indices(n_nodes, k=1)
        kept = rng.random(len(earlier)) < share
        pairs = list(zip(earlier[kept].tolist(), later[kept].tolist(), strict=True))
    else:
        pairs = _preferential_attachment(n_nodes, max(1, round(expected_degree / 2)), rng)
    graph = nx.DiGraph()
    graph.add_nodes_from(f"X{i}" for i in range(n_nodes))
    graph.add_edges_from((f"X{rank[a]}", f"X{rank[b]}") for a, b in pairs)
    return graph


def random_model(
    graph: int | nx.DiGraph,
    *,
    environments: int | Sequence[float] = 1,
    shapes: Sequence[str] = ("identity",),
    noises: Sequence[Noise] = (Gaussian(),),
    change_probability: float = 0.5,
    changes: Sequence[str] = CHANGES,
    random_state: RandomState = None,
) -> StructuralModel:
    """Draw a model whose mechanisms change between environments or along time.

    Each variable is the sum over its parents of a coefficient (magnitude 0.5 to 1.5, random sign)
    times a shape of the parent, plus noise, brought to mean 0 and standard deviation 1 in the
    unchanged model, so that no method can read the causal order off the variances [2]_.

    Parameters
    ----------
    graph : int or networkx.DiGraph
        The graph, or a number of nodes for a `random_dag`. Nodes with a true attribute ``hidden``
        are left out of the observed table.
    environments : int or sequence of float, default 1
        A number of environments ``0, 1, ...``, changed independently of each other; or times, along
        which changes follow a smooth random path (length scale 0.3 of the time span).
    shapes : sequence of str, default ("identity",)
        Shapes of `Nonlinear`, ``"gp"`` (a `GaussianProcess` draw) or ``"tree"``; one is drawn for
        each variable.
    noises : sequence of Noise, default (Gaussian(),)
        One is drawn for each variable.
    change_probability : float, default 0.5
        Probability that a variable changes at all.
    changes : sequence of {"coefficient", "mean", "noise_scale"}, default all three
        What changes: coefficients (standard deviation 0.6; a linear term is added where a function
        has no coefficients), mean (1.0), logarithm of the noise scale (0.4).
    random_state : int, SeedSequence, Generator or None
        Seed.

    Returns
    -------
    StructuralModel

    Raises
    ------
    InputError
        If the graph has a cycle or an option does not exist.

    References
    ----------
    .. [1] Huang, Zhang, Zhang, Ramsey, Sanchez-Romero, Glymour and Schoelkopf (2020), "Causal
       discovery from heterogeneous/nonstationary data", JMLR 21(89): simulations of this kind.
    .. [2] Reisach, Seiler and Weichwald (2021), "Beware of the simulated DAG!", NeurIPS.

    Examples
    --------
    >>> model = random_model(4, environments=10, shapes=["tanh", "sinc"], random_state=1)
    >>> model.sample(50, random_state=0).frame.shape
    (500, 5)
    """
    times, smooth = _check_times(environments)
    _check_options(shapes, noises, change_probability, changes)
    graph_seed, node_seed, change_seed = spawn_seeds(random_state, 3)
    if not isinstance(graph, nx.DiGraph):
        n_nodes = check_integer(graph, "graph")
        graph = random_dag(n_nodes, expected_degree=min(2.0, n_nodes - 1), random_state=graph_seed)
    if not nx.is_directed_acyclic_graph(graph):
        raise InputError("graph has a cycle; a directed acyclic graph is expected.")
    nodes = _draw_nodes(graph, list(shapes), list(noises), np.random.default_rng(node_seed))
    rng = np.random.default_rng(change_seed)
    shifts: dict[float, list[Shift]] = {time: [] for time in times}
    for name, node in nodes.items():
        if rng.random() < change_probability:
            for time, changed in _draw_changes(name, node, times, smooth, changes, rng).items():
                shifts[time] += changed
    return StructuralModel(nodes, {time: tuple(listed) for time, listed in shifts.items()})


def _check_times(environments: int | Sequence[float]) -> tuple[list[float], bool]:
    """Return the environment labels, and whether they are times."""
    if np.ndim(environments) == 0:
        return list(range(check_integer(environments, "environments"))), False
    times = [float(time) for time in environments]  # type: ignore[union-attr]
    if not times:
        raise InputError("environments names no time.")
    return times, True


def _check_options(
    shapes: Sequence[str],
    noises: Sequence[Noise],
    change_probability: float,
    changes: Sequence[str],
) -> None:
    for name, listed in {"shapes": shapes, "noises": noises}.items():
        if not len(listed):
            raise InputError(f"{name} must not be empty.")
    for shape in shapes:
        check_choice(shape, [*SHAPES, "gp", "tree"], "shapes")
    for change in changes:
        check_option(change, CHANGES, "changes")
    check_number(change_probability, "change_probability", minimum=0)
    if change_probability > 1:
        raise InputError(f"change_probability must be at most 1, found {change_probability!r}.")


def _preferential_attachment(
    n_nodes: int, n_links: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    weight = np.ones(n_nodes)
    for later in range(1, n_nodes):
        share = weight[:later] / weight[:later].sum()
        for earlier in rng.choice(later, size=min(n_links, later), replace=False, p=share):
            pairs.append((int(earlier), later))
            weight[[earlier, later]] += 1
    return pairs


def _draw_nodes(
    graph: nx.DiGraph, shapes: list[str], noises: list[Noise], rng: np.random.Generator
) -> dict[str, Node]:
    """Draw mechanisms, causes first, and standardise each with a pilot sample."""
    nodes: dict[str, Node] = {}
    pilot: dict[str, np.ndarray] = {}
    for name in nx.lexicographical_topological_sort(graph):
        function = _draw_function(sorted(graph.predecessors(name)), shapes, rng)
        noise = noises[int(rng.integers(len(noises)))]
        drawn = {name: noise.draw(rng, PILOT_ROWS)}
        raw = evaluate({name: Node(function)}, [name], drawn, PILOT_ROWS, pilot)[name]
        mean, spread = float(raw.mean()), float(raw.std())
        pilot[name] = (raw - mean) / spread
        law = Additive(function, offset=-mean, factor=1 / spread)
        nodes[name] = Node(law, noise, hidden=bool(graph.nodes[name].get("hidden", False)))
    return {name: nodes[name] for name in graph}


def _draw_function(parents: list[str], shapes: list[str], rng: np.random.Generator) -> Function:
    shape = shapes[int(rng.integers(len(shapes)))]
    if parents and shape == "gp":
        return GaussianProcess(tuple(parents), seed=int(rng.integers(2**31)), amplitude=1.5)
    if parents and shape == "tree":
        # One tree for each parent beside the joint one: every edge of the graph is used.
        groups = [[parent] for parent in parents] + [parents] * (len(parents) > 1)
        return Sum(tuple(random_tree(group, random_state=rng) for group in groups))
    sizes = rng.uniform(*COEFFICIENT_RANGE, len(parents)) * rng.choice([-1.0, 1.0], len(parents))
    coefficients = dict(zip(parents, sizes.tolist(), strict=True))
    if shape in ("identity", "gp", "tree"):
        return Linear(coefficients)
    return Nonlinear(coefficients, shape=shape)


def _draw_changes(
    name: str,
    node: Node,
    times: Sequence[float],
    smooth: bool,
    changes: Sequence[str],
    rng: np.random.Generator,
) -> dict[float, list[Shift]]:
    """Return the shifts of one changing variable at each time."""
    shifts: dict[float, list[Shift]] = {time: [] for time in times}
    if "coefficient" in changes and node.parents:
        paths = {p: _path(times, smooth, CHANGE_SD["coefficient"], rng) for p in node.parents}
        for i, time in enumerate(times):
            shifts[time] += _coefficient_shifts(name, node, {p: paths[p][i] for p in paths})
    if "mean" in changes:
        for time, step in zip(times, _path(times, smooth, CHANGE_SD["mean"], rng), strict=True):
            shifts[time].append(MeanShift(name, step))
    if "noise_scale" in changes:
        path = _path(times, smooth, CHANGE_SD["noise_scale"], rng)
        for time, step in zip(times, path, strict=True):
            shifts[time].append(NoiseScaleShift(name, float(np.exp(step))))
    return shifts


def _coefficient_shifts(name: str, node: Node, steps: dict[str, float]) -> list[Shift]:
    function = node.law.function if isinstance(node.law, Additive) else Linear({})
    if isinstance(function, (Linear, Nonlinear)):
        return [CoefficientShift(name, parent, by=step) for parent, step in steps.items()]
    return [MechanismShift(name, Sum((function, Linear(steps))))]


def _path(
    times: Sequence[float], smooth: bool, spread: float, rng: np.random.Generator
) -> list[float]:
    """Return one value per time: independent, or along a draw from a Gaussian process."""
    if not smooth:
        return list((spread * rng.standard_normal(len(times))).tolist())
    clock = np.asarray(times, dtype=float)
    scaled = (clock - clock.min()) / (np.ptp(clock) or 1.0)
    draw = GaussianProcess(("t",), int(rng.integers(2**31)), PATH_LENGTH_SCALE, amplitude=spread)
    return list(draw({"t": scaled}).tolist())
