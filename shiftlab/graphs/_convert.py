"""Graphs of other libraries: networkx and causal-learn."""

from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.graphs._graph import MixedGraph
from shiftlab.graphs._marks import ARROW, CIRCLE, TAIL, Edge

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["from_causallearn", "from_networkx", "to_causallearn", "to_networkx"]


def to_networkx(graph: MixedGraph) -> "nx.DiGraph":
    """Return a graph as a networkx ``DiGraph``.

    Parameters
    ----------
    graph : MixedGraph
        Any marks.

    Returns
    -------
    networkx.DiGraph
        Directed edges as they are; every other edge stands in both directions. Edges have the
        attributes ``kind`` ("directed", "undirected", "bidirected", "partial"), ``source_mark``
        and ``target_mark``, so that `from_networkx` gives the same graph again.

    Raises
    ------
    InputError
        Never for a valid graph.

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, to_networkx
    >>> sorted(to_networkx(MixedGraph("abc", ["a -> b", "b -- c"])).edges)
    [('a', 'b'), ('b', 'c'), ('c', 'b')]
    """
    import networkx as nx

    result: nx.DiGraph = nx.DiGraph()
    result.add_nodes_from(graph.nodes)
    for edge in graph.edges:
        marks = {"source_mark": edge.source_mark, "target_mark": edge.target_mark}
        result.add_edge(edge.source, edge.target, kind=_kind(edge), **marks)
        if not edge.is_directed:
            turned = {"source_mark": edge.target_mark, "target_mark": edge.source_mark}
            result.add_edge(edge.target, edge.source, kind=_kind(edge), **turned)
    return result


def from_networkx(graph: Any) -> MixedGraph:
    """Read a networkx graph.

    Parameters
    ----------
    graph : networkx.Graph or networkx.DiGraph
        Marks are read from the attributes ``source_mark`` and ``target_mark`` where an edge has
        them; without, edges in both directions (or of an undirected graph) are undirected.

    Returns
    -------
    MixedGraph

    Raises
    ------
    InputError
        If the graph has edges from a node to itself or several edges between two nodes.

    Examples
    --------
    >>> import networkx as nx
    >>> from shiftlab.graphs import from_networkx
    >>> from_networkx(nx.DiGraph([("a", "b"), ("b", "c")])).is_dag
    True
    """
    if graph.is_multigraph():
        raise InputError("graph has several edges between two nodes; make it a DiGraph first.")
    edges = []
    for a, b, data in graph.edges(data=True):
        if "source_mark" in data:
            edges.append(Edge(str(a), str(b), data["source_mark"], data["target_mark"]))
        elif not graph.is_directed() or graph.has_edge(b, a):
            edges.append(Edge(str(a), str(b), "tail", "tail"))
        else:
            edges.append(Edge(str(a), str(b)))
    return MixedGraph([str(node) for node in graph.nodes], edges)


def to_causallearn(graph: MixedGraph) -> Any:
    """Return a graph as a ``GeneralGraph`` of causal-learn.

    Parameters
    ----------
    graph : MixedGraph
        Any marks.

    Returns
    -------
    causallearn.graph.GeneralGraph.GeneralGraph

    Raises
    ------
    InputError
        Never for a valid graph.

    Examples
    --------
    >>> import pytest
    >>> from shiftlab.graphs import MixedGraph, from_causallearn, to_causallearn
    >>> learn = pytest.importorskip("causallearn")
    >>> graph = MixedGraph("abc", ["a -> b", "b -- c"])
    >>> from_causallearn(to_causallearn(graph)) == graph
    True
    """
    from causallearn.graph.Edge import Edge as TheirEdge
    from causallearn.graph.Endpoint import Endpoint
    from causallearn.graph.GeneralGraph import GeneralGraph
    from causallearn.graph.GraphNode import GraphNode

    ends = {"tail": Endpoint.TAIL, "arrow": Endpoint.ARROW, "circle": Endpoint.CIRCLE}
    nodes = {name: GraphNode(name) for name in graph.nodes}
    result = GeneralGraph(list(nodes.values()))
    for edge in graph.edges:
        first, second = ends[edge.source_mark], ends[edge.target_mark]
        result.add_edge(TheirEdge(nodes[edge.source], nodes[edge.target], first, second))
        # Set once more, because their method leaves out an edge with a circle and a tail.
        i, j = graph.index(edge.source), graph.index(edge.target)
        result.graph[i, j], result.graph[j, i] = first.value, second.value
    return result


def from_causallearn(graph: Any) -> MixedGraph:
    """Read a graph of causal-learn.

    Parameters
    ----------
    graph : GeneralGraph or CausalGraph
        What ``pc``, ``fci`` or ``cdnod`` return; a ``CausalGraph`` is read through its ``G``.

    Returns
    -------
    MixedGraph

    Raises
    ------
    InputError
        If the object is no graph of causal-learn.

    Examples
    --------
    >>> import pytest
    >>> from shiftlab.graphs import MixedGraph, from_causallearn
    >>> learn = pytest.importorskip("causallearn")
    >>> from_causallearn(MixedGraph("ab", ["a <-> b"]).to_causallearn()).edges[0].is_bidirected
    True
    """
    general = getattr(graph, "G", graph)
    if not hasattr(general, "graph") or not hasattr(general, "get_node_names"):
        raise InputError(f"graph must come from causal-learn, found {type(graph).__name__}.")
    ends = np.asarray(general.graph)
    # Entry (i, j) of theirs is the mark at i: -1 tail, 1 arrow, 2 circle.
    marks = np.zeros(ends.shape, dtype=np.int8)
    for theirs, ours in ((-1, TAIL), (1, ARROW), (2, CIRCLE)):
        marks[theirs == ends.T] = ours
    return MixedGraph.from_marks(general.get_node_names(), marks)


def _kind(edge: Edge) -> str:
    if edge.is_directed:
        return "directed"
    if edge.is_undirected:
        return "undirected"
    return "bidirected" if edge.is_bidirected else "partial"
