"""What a graph claims must hold in the data: edges that its own independences ask for come back.

A weak edge into a variable of many causes is easily lost: one of dozens of tests with a few
neighbours held fixed need only overlook it. The graph that is left then claims that the pair is
independent given all causes found, and with these held fixed most noise is gone: the same test
sees the edge clearly. So every claim of the local Markov property is tested once, the clearest
violation is mended by an edge, directions are found anew, and so on until none is left.
"""

import numpy as np

from shiftlab.discovery._orient import Orientation, orient
from shiftlab.discovery._search import Rules, Skeleton
from shiftlab.graphs._marks import ARROW, directed, undirected
from shiftlab.independence import IndexedTest

__all__ = ["orient_and_restore"]

ONLY_RESTORED = True

def orient_and_restore(
    skeleton: Skeleton, tests: IndexedTest, rules: Rules, *, root: int, alpha: float
) -> Orientation:
    """Orient a skeleton, and give back the edges without which it contradicts the data.

    Parameters
    ----------
    skeleton : Skeleton
        Changed in place where edges come back.
    tests : IndexedTest
        Answers for all nodes.
    rules : Rules
        Knowledge.
    root : int
        The environment.
    alpha : float
        Level of the search; all claims of a graph together are tested at this level.

    Returns
    -------
    Orientation
    """
    state = orient(skeleton, tests, rules, root=root, alpha=alpha)
    dropped: set[tuple[int, int]] = set()
    while True:
        pair = _clearest_violation(state, tests, rules, root, alpha, dropped)
        if pair is None:
            return state
        skeleton.join(pair)
        state = orient(skeleton, tests, rules, root=root, alpha=alpha)
        while (found := _needless(skeleton, state, tests, root, alpha)) is not None:
            skeleton.separate(*found)
            dropped.add(found[0])
            state = orient(skeleton, tests, rules, root=root, alpha=alpha)


def _needless(
    skeleton: Skeleton, state: Orientation, tests: IndexedTest, root: int, alpha: float
) -> tuple[tuple[int, int], tuple[int, ...]] | None:
    """Return the edge that the other causes found make needless most clearly, and these causes."""
    order, parents = causal_order(state.marks)
    place = {node: k for k, node in enumerate(order)}
    found = []
    pairs = skeleton.restored if ONLY_RESTORED else [(int(i),int(j)) for i,j in np.argwhere(np.triu(state.marks>0)) if root not in (i,j)]
    for pair in pairs:
        cause, effect = sorted(pair, key=place.__getitem__)
        given = tuple(sorted(parents[effect] - {cause}))
        pvalue = tests.pvalue(*pair, given)
        if pvalue > alpha:
            found.append((-pvalue, pair, given))
    return min(found)[1:] if found else None


def _clearest_violation(
    state: Orientation, tests: IndexedTest, rules: Rules, root: int, alpha: float, dropped=()
) -> tuple[int, int] | None:
    """Return the pair without edge that depends most clearly given all causes found."""
    order, parents = causal_order(state.marks)
    may_join = rules.may_cause | rules.may_cause.T
    queries = {}
    for place, j in enumerate(order):
        for i in order[:place]:
            if state.marks[i, j] or not may_join[i, j] or root in (i, j) or (min(i,j),max(i,j)) in dropped:
                continue
            own, both = parents[j], parents[j] | parents[i]
            queries[min(i, j), max(i, j)] = tuple(sorted(own)), tuple(sorted(both - {i, j}))
    found = []
    for pair, sets in queries.items():
        level = alpha / len(queries)
        if all(tests.pvalue(*pair, given) <= level for given in sets):
            effect = min(tests.test(*pair, given).effect for given in sets)
            found.append((-effect, pair))
    return min(found)[1] if found else None


def causal_order(marks: np.ndarray) -> tuple[list[int], list[set[int]]]:
    """Return an order of the nodes that the graph allows, and the parents of each in it.

    Undirected edges are directed without new colliders where that is possible.
    """
    work, left = marks.copy(), set(range(len(marks)))
    arrows, order = directed(marks), []
    while left:
        sinks = [node for node in sorted(left) if not (work[node] == ARROW).any()]
        sink = min(sinks, key=lambda node: _unmarried(work, node))
        arrows[undirected(work)[sink], sink] = True
        work[sink] = work[:, sink] = 0
        left.remove(sink)
        order.append(sink)
    return order[::-1], [set(np.flatnonzero(column).tolist()) for column in arrows.T]


def _unmarried(marks: np.ndarray, node: int) -> int:
    """Count the pairs that directing the open edges into a node would make a new collider."""
    others = np.flatnonzero(marks[node])
    lines = set(np.flatnonzero(undirected(marks)[node]).tolist())
    return sum(
        not marks[a, b]
        for k, a in enumerate(others)
        for b in others[k + 1 :]
        if a in lines or b in lines
    )
