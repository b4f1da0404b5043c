"""What a graph claims must hold in the data: edges that its own independences ask for come back.

A weak edge into a variable of many causes is easily lost: one of dozens of tests with a few
neighbours held fixed need only overlook it. The graph that is left then claims that the pair is
independent given all causes found, and with these held fixed most noise is gone: the same test
sees the edge clearly. So the claims that rest on a narrow decision are tested once more, the
clearest violation is mended by an edge, and directions are found anew until none is left.
"""

from collections.abc import Iterator

import numpy as np

from shiftlab.discovery._orient import Orientation, orient
from shiftlab.discovery._search import Pair, Rules, Skeleton
from shiftlab.graphs._marks import ARROW, directed, undirected
from shiftlab.independence import IndexedTest

__all__ = ["orient_and_restore"]

#: A pair whose separation has a p-value of less than this many times alpha was a narrow decision.
NARROW = 5.0


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
        Level of the search; the claims that are tested again share it.

    Returns
    -------
    Orientation
    """
    state = orient(skeleton, tests, rules, root=root, alpha=alpha)
    needless: set[Pair] = set()
    while True:
        narrow = [
            pair
            for pair, given in skeleton.separators.items()
            if root not in pair
            and pair not in needless
            and alpha < tests.pvalue(*pair, given) <= NARROW * alpha
        ]
        pair = _clearest_violation(state, tests, narrow, root, alpha)
        if pair is None:
            return state
        skeleton.restore(pair)
        state = orient(skeleton, tests, rules, root=root, alpha=alpha)
        while (found := _needless(skeleton, state, tests, alpha)) is not None:
            needless.add(found[0])
            skeleton.separate(*found)
            state = orient(skeleton, tests, rules, root=root, alpha=alpha)


def _clearest_violation(
    state: Orientation, tests: IndexedTest, pairs: list[Pair], root: int, alpha: float
) -> Pair | None:
    """Return the pair that depends most strongly given all causes found."""
    order, parents = causal_order(state.marks)
    place = {node: k for k, node in enumerate(order)}
    found = []
    for pair in pairs:
        cause, effect = sorted(pair, key=place.__getitem__)
        claims = (parents[effect], parents[effect] | parents[cause] - {effect})
        if any(tests.pvalue(*pair, tuple(given)) > alpha / len(pairs) for given in claims):
            continue
        if any(tests.pvalue(*pair, given) > alpha for given in _without_one(parents[effect], root)):
            continue  # it hinges on the direction of a single edge
        found.append((-min(tests.test(*pair, tuple(given)).effect for given in claims), pair))
    return min(found)[1] if found else None


def _without_one(nodes: set[int], root: int) -> Iterator[tuple[int, ...]]:
    return (tuple(sorted(nodes - {node})) for node in nodes if node != root)


def _needless(
    skeleton: Skeleton, state: Orientation, tests: IndexedTest, alpha: float
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
