"""Meek's rules: what follows from the directions that are known."""

from collections.abc import Callable

import numpy as np

from shiftlab.graphs._graph import MixedGraph
from shiftlab.graphs._marks import directed, set_directed, undirected

__all__ = ["apply_meek", "meek_closure"]

Note = Callable[[int, int, str], None]


def meek_closure(graph: MixedGraph) -> MixedGraph:
    """Direct every undirected edge whose direction follows from the directed ones.

    Parameters
    ----------
    graph : MixedGraph
        Directed and undirected edges; edges with other marks are left alone.

    Returns
    -------
    MixedGraph

    Raises
    ------
    InputError
        Never for a valid graph.

    Notes
    -----
    A rule is not applied where it would close a directed cycle, which can only happen if the
    directions given contradict each other.

    References
    ----------
    Meek, Causal inference and causal explanation with background knowledge (1995), rules 1 to 4.

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, meek_closure
    >>> meek_closure(MixedGraph(["a", "b", "c"], ["a -> b", "b -- c"])).edges[1].is_directed
    True
    """
    marks = graph.marks.copy()
    apply_meek(marks)
    return MixedGraph.from_marks(graph.nodes, marks)


def apply_meek(
    marks: np.ndarray,
    note: Note | None = None,
    *,
    allowed: Callable[[int, int], bool] | None = None,
) -> int:
    """Apply the four rules in place until nothing changes.

    Parameters
    ----------
    marks : ndarray of int, shape (n, n)
        Marks, changed in place.
    note : callable, optional
        Called as ``note(i, j, rule)`` for each new direction ``i -> j``.
    allowed : callable, optional
        ``allowed(i, j)`` says whether ``i -> j`` may be set.

    Returns
    -------
    int
        Number of edges directed.
    """
    count, changed = 0, True
    while changed:
        changed = False
        for i, j in np.argwhere(undirected(marks)):
            rule = _rule(marks, i, j)
            blocked = allowed is not None and not allowed(int(i), int(j))
            if not rule or blocked or _leads_to(directed(marks), j, i):
                continue
            set_directed(marks, i, j)
            count, changed = count + 1, True
            if note is not None:
                note(int(i), int(j), rule)
            break  # one at a time: later ones follow from the new state
    return count


def _rule(marks: np.ndarray, i: int, j: int) -> str:
    """Return the number of the rule that directs ``i -> j``, or an empty text."""
    arrows, lines, adjacent = directed(marks), undirected(marks), marks > 0
    if (arrows[:, i] & ~adjacent[:, j] & (np.arange(len(marks)) != j)).any():
        return "Meek 1"  # k -> i -- j without k ~ j: no new collider at i
    if (arrows[i] & arrows[:, j]).any():
        return "Meek 2"  # i -> k -> j: no cycle
    through = np.flatnonzero(lines[i] & arrows[:, j])
    if len(through) > 1 and not adjacent[np.ix_(through, through)].all(
        where=~np.eye(len(through), dtype=bool)
    ):
        return "Meek 3"  # i -- k -> j and i -- l -> j with k, l apart
    for k in np.flatnonzero(adjacent[i] & arrows[:, j]):
        if (lines[i] & arrows[:, k] & ~adjacent[:, j]).any():
            return "Meek 4"  # i -- l -> k -> j with l, j apart
    return ""


def _leads_to(arrows: np.ndarray, start: int, end: int) -> bool:
    seen, stack = {int(start)}, [int(start)]
    while stack:
        for k in np.flatnonzero(arrows[stack.pop()]):
            if int(k) == end:
                return True
            if int(k) not in seen:
                seen.add(int(k))
                stack.append(int(k))
    return False
