"""d-separation (m-separation with bidirected edges) by reachability."""

from collections.abc import Iterable

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.graphs._graph import MixedGraph
from shiftlab.graphs._marks import ARROW, CIRCLE, directed, undirected

__all__ = ["d_separated", "reachable"]


def d_separated(
    graph: MixedGraph, x: str | Iterable[str], y: str | Iterable[str], given: Iterable[str] = ()
) -> bool:
    """Tell whether two sets of nodes are separated by a third.

    Parameters
    ----------
    graph : MixedGraph
        Directed and bidirected edges.
    x, y : str or iterable of str
        Nodes.
    given : iterable of str, default ()
        The separating nodes.

    Returns
    -------
    bool
        True if every path between `x` and `y` is blocked.

    Raises
    ------
    InputError
        If a node is unknown, the sets overlap, or an edge is undirected or ends in a circle.

    References
    ----------
    Koller and Friedman, Probabilistic Graphical Models (2009), algorithm 3.1, with arrows at both
    ends as in Richardson (2003).

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, d_separated
    >>> graph = MixedGraph(["a", "b", "c"], ["a -> c", "b -> c"])
    >>> d_separated(graph, "a", "b"), d_separated(graph, "a", "b", ["c"])
    (True, False)
    """
    if (graph.marks == CIRCLE).any() or undirected(graph.marks).any():
        raise InputError(
            "graph: separation needs directed or bidirected edges only; this graph has undecided "
            "ones. Take one of its directed members, for instance with dag_extension."
        )
    sets = [
        {graph.index(n) for n in ([names] if isinstance(names, str) else names)}
        for names in (x, y, given)
    ]
    if sets[0] & sets[1] or (sets[0] | sets[1]) & sets[2]:
        raise InputError("x, y and given must not share nodes.")
    return not sets[1] & reachable(graph.marks, sets[0], sets[2])


def reachable(marks: np.ndarray, sources: set[int], given: set[int]) -> set[int]:
    """Return the nodes that an open path joins to the sources.

    A state is a node and whether the path came in through an arrow; colliders are open if they
    or a descendant are given.
    """
    arrows = directed(marks)
    opened = _ancestors(arrows, given)
    neighbors = [np.flatnonzero(row) for row in marks]
    into = marks == ARROW
    seen: set[tuple[int, bool]] = set()
    # A path may leave its start in any way: as if it had come in through a tail.
    stack = [(node, False) for node in sources]
    while stack:
        state = stack.pop()
        if state in seen:
            continue
        seen.add(state)
        node, through_arrow = state
        is_start = node in sources
        for other in neighbors[node]:
            collider = through_arrow and into[other, node] and not is_start
            if collider and node not in opened:
                continue
            if not collider and node in given:
                continue
            stack.append((int(other), bool(into[node, other])))
    return {node for node, _ in seen} - sources - given


def _ancestors(arrows: np.ndarray, nodes: set[int]) -> set[int]:
    found, border = set(nodes), list(nodes)
    while border:
        for parent in np.flatnonzero(arrows[:, border.pop()]):
            if int(parent) not in found:
                found.add(int(parent))
                border.append(int(parent))
    return found
