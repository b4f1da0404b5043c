"""Classes of graphs that no test of independence tells apart."""

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.graphs._graph import MixedGraph
from shiftlab.graphs._marks import ARROW, TAIL, directed, set_directed, undirected
from shiftlab.graphs._meek import apply_meek

__all__ = ["cpdag", "dag_extension", "extend"]


def cpdag(graph: MixedGraph) -> MixedGraph:
    """Return the class of a DAG: what its independences determine, the rest undirected.

    Parameters
    ----------
    graph : MixedGraph
        A DAG.

    Returns
    -------
    MixedGraph
        The completed partially directed graph.

    Raises
    ------
    InputError
        If the graph is no DAG.

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, cpdag
    >>> [str(e) for e in cpdag(MixedGraph("abc", ["a -> b", "b -> c"])).edges]
    ['a -- b', 'b -- c']
    """
    if not graph.is_dag:
        raise InputError("graph must be a directed graph without cycles.")
    arrows, adjacent = directed(graph.marks), graph.marks > 0
    marks = np.where(adjacent, TAIL, 0).astype(np.int8)
    for node in range(len(marks)):
        parents = np.flatnonzero(arrows[:, node])
        apart = ~adjacent[np.ix_(parents, parents)] & ~np.eye(len(parents), dtype=bool)
        for parent in parents[apart.any(axis=1)]:
            set_directed(marks, parent, node)
    apply_meek(marks)
    return MixedGraph.from_marks(graph.nodes, marks)


def dag_extension(graph: MixedGraph) -> MixedGraph:
    """Return a DAG with the directions and colliders of a partially directed graph.

    Parameters
    ----------
    graph : MixedGraph
        Directed and undirected edges.

    Returns
    -------
    MixedGraph

    Raises
    ------
    InputError
        If there is no such DAG, or the graph has other marks.

    References
    ----------
    Dor and Tarsi, A simple algorithm to construct a consistent extension (1992).

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, dag_extension
    >>> dag_extension(MixedGraph("abc", ["a -> b", "b -- c"])).is_dag
    True
    """
    marks = extend(graph.marks)
    if marks is None:
        raise InputError(
            "graph: no directed graph without cycles has these directions and colliders."
        )
    return MixedGraph.from_marks(graph.nodes, marks)


def extend(marks: np.ndarray) -> np.ndarray | None:
    """Return the marks of a consistent DAG, or None."""
    if ((marks > 0) & ~(directed(marks) | directed(marks).T | undirected(marks))).any():
        return None
    result, left = marks.copy(), list(range(len(marks)))
    work = marks.copy()
    while left:
        sink = next((node for node in left if _is_sink(work, node)), None)
        if sink is None:
            return None
        for other in np.flatnonzero(undirected(work)[sink]).tolist():
            set_directed(result, other, sink)
        work[sink] = work[:, sink] = 0
        left.remove(sink)
    return result


def _is_sink(marks: np.ndarray, node: int) -> bool:
    """No edge leaves the node, and those who become its parents are married already."""
    if (marks[node] == ARROW).any():
        return False
    neighbors = np.flatnonzero(marks[node])
    for other in np.flatnonzero(undirected(marks)[node]):
        if any(n != other and not marks[other, n] for n in neighbors):
            return False
    return True
