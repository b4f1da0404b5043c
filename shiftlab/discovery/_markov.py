"""What a graph claims must hold in the data: edges that its own independences ask for come back.

A weak edge into a variable of many causes is easily lost: one of dozens of tests with a few
neighbours held fixed need only overlook it. The graph that is left then claims that the pair is
independent given all causes found, and with these held fixed most noise is gone: the same test
sees the edge clearly. So every such claim is tested once, the clearest violation is mended by an
edge, and directions are found anew until none is left.
"""

import numpy as np

from shiftlab.discovery._orient import Orientation, orient
from shiftlab.discovery._search import Pair, Rules, Skeleton
from shiftlab.discovery._tests import Answers
from shiftlab.graphs._marks import ARROW, directed, undirected

__all__ = ["orient_and_restore"]


def orient_and_restore(
    skeleton: Skeleton, tests: Answers, rules: Rules, *, root: int, alpha: float
) -> Orientation:
    """Orient a skeleton, and give back the edges without which it contradicts the data.

    Parameters
    ----------
    skeleton : Skeleton
        Changed in place where edges come back.
    tests : Answers
        Answers for all nodes.
    rules : Rules
        Knowledge.
    root : int
        The environment.
    alpha : float
        Level of the search; all claims together are tested at it.

    Returns
    -------
    Orientation
    """
    state = orient(skeleton, tests, rules, root=root, alpha=alpha)
    needless: set[Pair] = set()
    while True:
        apart = [p for p in skeleton.separators if root not in p and p not in needless]
        pair = _clearest_violation(state, tests, apart, root, alpha)
        if pair is None:
            return state
        skeleton.restore(pair)
        state = orient(skeleton, tests, rules, root=root, alpha=alpha)
        while (found := _needless(skeleton, state, tests, alpha)) is not None:
            needless.add(found[0])
            skeleton.separate(*found)
            state = orient(skeleton, tests, rules, root=root, alpha=alpha)


def _clearest_violation(
    state: Orientation, tests: Answers, pairs: list[Pair], root: int, alpha: float
) -> Pair | None:
    """Return the pair that depends most strongly given all causes found."""
    order, parents = causal_order(state.marks)
    place = {node: k for k, node in enumerate(order)}
    found = []
    for pair in pairs:
        cause, effect = sorted(pair, key=place.__getitem__)
        given = [parents[effect], parents[effect] | parents[cause], _around(state, cause, effect)]
        claims = [tuple(sorted(nodes - set(pair))) for nodes in given]
        if any(tests.pvalue(*pair, claim) > alpha / len(pairs) for claim in claims):
            continue
        # One wrong direction makes wrong claims: an edge must not hinge on any single one.
        fewer = (tuple(v for v in claims[0] if v != node) for node in claims[0] if node != root)
        if all(tests.pvalue(*pair, claim) <= alpha for claim in fewer):
            found.append((-min(tests.effect(*pair, claim) for claim in claims), pair))
    return min(found)[1] if found else None


def _around(state: Orientation, cause: int, effect: int) -> set[int]:
    """Return all neighbours of two nodes but the effects of the later one."""
    near = state.marks[[cause, effect]].any(axis=0) & ~directed(state.marks)[effect]
    return set(np.flatnonzero(near).tolist())


def _needless(
    skeleton: Skeleton, state: Orientation, tests: Answers, alpha: float
) -> tuple[Pair, tuple[int, ...]] | None:
    """Return the restored edge that later ones make needless most clearly, and what separates."""
    order, parents = causal_order(state.marks)
    place = {node: k for k, node in enumerate(order)}
    found = []
    for pair in skeleton.restored:
        cause, effect = sorted(pair, key=place.__getitem__)
        given = tuple(sorted(parents[effect] - {cause}))
        pvalue = tests.pvalue(*pair, given)
        if pvalue > alpha:
            found.append((-pvalue, pair, given))
    return min(found)[1:] if found else None


def causal_order(marks: np.ndarray) -> tuple[list[int], list[set[int]]]:
    """Return an order of the nodes that the graph allows, and the parents of each in it.

    Undirected edges are directed without new colliders where that is possible.
    """
    work, left = marks.copy(), set(range(len(marks)))
    arrows, order = directed(marks), []
    while left:
        sinks = [node for node in sorted(left) if not (work[node] == ARROW).any()]
        sink = min(sinks, key=lambda node: _new_colliders(work, node))
        arrows[undirected(work)[sink], sink] = True
        work[sink] = work[:, sink] = 0
        left.remove(sink)
        order.append(sink)
    return order[::-1], [set(np.flatnonzero(column).tolist()) for column in arrows.T]


def _new_colliders(marks: np.ndarray, node: int) -> int:
    """Count the colliders that directing all open edges into a node would make."""
    others = np.flatnonzero(marks[node]).tolist()
    lines = set(np.flatnonzero(undirected(marks)[node]).tolist())
    return sum(
        not marks[a, b] and bool({a, b} & lines)
        for k, a in enumerate(others)
        for b in others[k + 1 :]
    )
