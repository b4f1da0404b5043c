"""How far a graph is from another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftlab._core.results import Result
from shiftlab.exceptions import InputError
from shiftlab.graphs._graph import MixedGraph
from shiftlab.graphs._marks import directed, undirected
from shiftlab.graphs._separation import reachable

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GraphComparison",
    "compare_graphs",
    "structural_hamming_distance",
    "structural_intervention_distance",
]


@dataclass(frozen=True)
class GraphComparison(Result):
    """How an estimated graph agrees with the true one.

    Attributes
    ----------
    skeleton_precision, skeleton_recall, skeleton_f1 : float
        Of adjacencies; an empty set of claims has precision 1.
    direction_precision, direction_recall, direction_f1 : float
        Of directed edges; an undirected edge is no claim about direction.
    hamming_distance : int
        Number of pairs of nodes whose edge (or its absence) differs.
    missing, extra, turned, undecided : tuple of str
        True edges that are absent, edges that should not be, edges that point the wrong way, and
        true edges found without direction.
    """

    skeleton_precision: float
    skeleton_recall: float
    skeleton_f1: float
    direction_precision: float
    direction_recall: float
    direction_f1: float
    hamming_distance: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    turned: tuple[str, ...]
    undecided: tuple[str, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Return precision, recall and F1 as a data frame, one row per kind of claim."""
        import pandas as pd

        rows = [
            (kind, *(getattr(self, f"{kind}_{m}") for m in ("precision", "recall", "f1")))
            for kind in ("skeleton", "direction")
        ]
        return pd.DataFrame(rows, columns=["claim", "precision", "recall", "f1"])


def compare_graphs(estimate: MixedGraph, truth: MixedGraph) -> GraphComparison:
    """Compare an estimated graph with the true one.

    Parameters
    ----------
    estimate : MixedGraph
        What was found; its nodes may be in another order.
    truth : MixedGraph
        What is true, for instance a DAG or a CPDAG.

    Returns
    -------
    GraphComparison

    Raises
    ------
    InputError
        If the graphs have different nodes.

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, compare_graphs
    >>> truth = MixedGraph("abc", ["a -> b", "b -> c"])
    >>> found = compare_graphs(MixedGraph("abc", ["a -> b", "b -- c", "a -> c"]), truth)
    >>> round(found.skeleton_f1, 2), found.direction_f1, found.extra, found.undecided
    (0.8, 0.5, ('a -> c',), ('b -> c',))
    """
    estimate = _aligned(estimate, truth)
    ours, theirs = directed(estimate.marks), directed(truth.marks)
    ours_any, theirs_any = np.triu(estimate.marks > 0), np.triu(truth.marks > 0)
    adjacent, true_adjacent = estimate.marks > 0, truth.marks > 0
    names = truth.nodes

    def text(mask: np.ndarray) -> tuple[str, ...]:
        return tuple(f"{names[i]} -> {names[j]}" for i, j in np.argwhere(mask))

    def edges(graph: MixedGraph, absent: np.ndarray) -> tuple[str, ...]:
        return tuple(
            str(e) for e in graph.edges if absent[graph.index(e.source), graph.index(e.target)]
        )

    return GraphComparison(
        *_rates(ours_any, theirs_any),
        *_rates(ours, theirs),
        hamming_distance=structural_hamming_distance(estimate, truth),
        missing=edges(truth, ~adjacent),
        extra=edges(estimate, ~true_adjacent),
        turned=text(ours & theirs.T),
        undecided=text(theirs & undirected(estimate.marks)),
    )


def structural_hamming_distance(a: MixedGraph, b: MixedGraph) -> int:
    """Count the pairs of nodes whose edge differs: absent, or with another mark at an end.

    Parameters
    ----------
    a, b : MixedGraph
        Graphs on the same nodes.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If the graphs have different nodes.

    References
    ----------
    Tsamardinos, Brown and Aliferis, The max-min hill-climbing algorithm (2006).

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, structural_hamming_distance
    >>> a, b = MixedGraph("abc", ["a -> b"]), MixedGraph("abc", ["b -> a", "b -> c"])
    >>> structural_hamming_distance(a, b)
    2
    """
    differs = _aligned(a, b).marks != b.marks
    return int(np.triu(differs | differs.T).sum())


def structural_intervention_distance(estimate: MixedGraph, truth: MixedGraph) -> int:
    """Count the ordered pairs whose effect of an intervention the estimate gets wrong.

    Parameters
    ----------
    estimate, truth : MixedGraph
        DAGs on the same nodes.

    Returns
    -------
    int
        Pairs (i, j) for which adjusting for the parents of i in the estimate does not give the
        distribution of j after an intervention on i.

    Raises
    ------
    InputError
        If the nodes differ or a graph is no DAG.

    References
    ----------
    Peters and Buehlmann, Structural intervention distance for evaluating causal graphs (2015).

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, structural_intervention_distance
    >>> truth, turned = MixedGraph("ab", ["a -> b"]), MixedGraph("ab", ["b -> a"])
    >>> structural_intervention_distance(turned, truth)
    2
    """
    estimate = _aligned(estimate, truth)
    for name, graph in (("estimate", estimate), ("truth", truth)):
        if not graph.is_dag:
            raise InputError(f"{name} must be a directed graph without cycles.")
    marks, arrows = truth.marks, directed(estimate.marks)
    below = [{truth.index(n) for n in truth.descendants(name)} for name in truth.nodes]
    wrong = 0
    for i in range(len(marks)):
        parents = {int(p) for p in np.flatnonzero(arrows[:, i])}
        wrong += sum(not _adjusts(marks, below, i, j, parents) for j in range(len(marks)) if j != i)
    return wrong


def _adjusts(marks: np.ndarray, below: list[set[int]], i: int, j: int, adjusted: set[int]) -> bool:
    """Tell whether adjusting gives the effect of i on j in the true DAG."""
    if j in adjusted:
        return j not in below[i]
    on_path = {k for k in below[i] if k == j or j in below[k]}
    if any(k in adjusted or below[k] & adjusted for k in on_path):
        return False
    cut = marks.copy()
    for k in on_path:
        if directed(marks)[i, k]:
            cut[i, k] = cut[k, i] = 0
    return j not in reachable(cut, {i}, adjusted)


def _aligned(graph: MixedGraph, like: MixedGraph) -> MixedGraph:
    if set(graph.nodes) != set(like.nodes):
        odd = sorted(set(graph.nodes) ^ set(like.nodes))
        raise InputError(f"The graphs have different nodes: only one of them has {odd[:6]}.")
    return graph if graph.nodes == like.nodes else graph.subgraph(like.nodes)


def _rates(found: np.ndarray, true: np.ndarray) -> tuple[float, float, float]:
    hits = int((found & true).sum())
    precision = hits / found.sum() if found.any() else 1.0
    recall = hits / true.sum() if true.any() else 1.0
    total = int(found.sum() + true.sum())
    return float(precision), float(recall), 2 * hits / total if total else 1.0
