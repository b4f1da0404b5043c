"""Directions from knowledge, from the environment, from colliders, and what follows from them.

Each claim comes with its evidence. Claims are applied from the strongest to the weakest; one that
contradicts an earlier one or would close a cycle is set aside and reported.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from shiftlab.discovery._search import Rules, Skeleton
from shiftlab.discovery._tests import Answers
from shiftlab.graphs._marks import TAIL, directed, set_directed, undirected
from shiftlab.graphs._meek import apply_meek

__all__ = ["Direction", "Orientation", "open_edges", "orient"]


@dataclass(frozen=True)
class Direction:
    """Why an edge points where it points.

    Attributes
    ----------
    rule : str
        "environment", "invariance", "collider", "independent change", "knowledge", "time" or
        "Meek 1" to "Meek 4".
    pvalue : float or None
        Of the independence on which it rests.
    other : int or None
        The third node of the argument.
    given : tuple of int
        The conditioning set of that independence.
    margin : float or None
        Of independent changes: how far the two directions are apart, in standard deviations.
    """

    rule: str
    pvalue: float | None = None
    other: int | None = None
    given: tuple[int, ...] = ()
    margin: float | None = None


Claim: TypeAlias = dict[tuple[int, int], Direction]
#: A key that puts the surest claims first, and the claim.
Ranked: TypeAlias = tuple[tuple[float, ...], Claim]


@dataclass
class Orientation:
    """Marks and the reasons for them.

    Attributes
    ----------
    marks : ndarray of int, shape (n, n)
    reasons : dict of Direction
        By (cause, effect).
    conflicts : list of (cause, effect, Direction)
        Claims that were set aside.
    """

    marks: np.ndarray
    rules: Rules
    reasons: dict[tuple[int, int], Direction] = field(default_factory=dict)
    conflicts: list[tuple[int, int, Direction]] = field(default_factory=list)

    def claim(self, arrows: Claim) -> bool:
        """Direct edges all at once, or none and take note of the conflict."""
        new = {pair: reason for pair, reason in arrows.items() if not self.points(*pair)}
        for (i, j), reason in new.items():
            if self.points(j, i) or not self.rules.may_cause[i, j] or self._closes_cycle(i, j):
                self.conflicts.append((i, j, reason))
                return False
        for (i, j), reason in new.items():
            set_directed(self.marks, i, j)
            self.reasons[i, j] = reason
        return True

    def points(self, i: int, j: int) -> bool:
        """Tell whether the edge is directed from `i` to `j`."""
        return bool(directed(self.marks)[i, j])

    def close(self) -> None:
        """Apply Meek's rules; what knowledge forbids is not set."""

        def note(i: int, j: int, rule: str) -> None:
            self.reasons[i, j] = Direction(rule)

        apply_meek(self.marks, note, allowed=lambda i, j: bool(self.rules.may_cause[i, j]))

    def _closes_cycle(self, i: int, j: int) -> bool:
        arrows = directed(self.marks)
        seen = arrows[j].copy()
        for _ in range(len(arrows)):
            if seen[i]:
                return True
            wider = seen | arrows[seen].any(axis=0)
            if (wider == seen).all():
                return False
            seen = wider
        return bool(seen[i])


def orient(
    skeleton: Skeleton, tests: Answers, rules: Rules, *, root: int | None, alpha: float
) -> Orientation:
    """Orient a skeleton: knowledge, environment, invariance, colliders, Meek.

    Parameters
    ----------
    skeleton : Skeleton
        Edges and separating sets.
    tests : Answers
        For the tests that tell a collider from a chain.
    rules : Rules
        Knowledge.
    root : int or None
        The environment.
    alpha : float
        Level of the tests.

    Returns
    -------
    Orientation
    """
    marks = np.where(skeleton.adjacent, TAIL, 0).astype(np.int8)
    state = Orientation(marks, rules)
    for i, j in np.argwhere(np.triu(skeleton.adjacent)).tolist():
        for a, b in ((i, j), (j, i)):
            if not rules.may_cause[b, a]:
                rule = "environment" if a == root else "time" if rules.past[a] else "knowledge"
                state.claim({(a, b): Direction(rule)})
    triples = _triples(skeleton, tests, root, alpha)
    for _, arrows in sorted(triples, key=lambda item: item[0]):
        state.claim(arrows)
    state.close()
    return state


def _triples(skeleton: Skeleton, tests: Answers, root: int | None, alpha: float) -> list[Ranked]:
    """Return the claims of unshielded triples with a key that puts the surest first."""
    adjacent = skeleton.adjacent
    claims = []
    for k in range(len(adjacent)):
        ends = [int(i) for i in np.flatnonzero(adjacent[k])]
        for a, i in enumerate(ends):
            for j in ends[a + 1 :]:
                pair = (i, j)
                if k == root or adjacent[pair] or pair not in skeleton.separators:
                    continue
                claims += _judge(skeleton, tests, pair, k, root, alpha)
    return claims


def _judge(
    skeleton: Skeleton,
    tests: Answers,
    pair: tuple[int, int],
    k: int,
    root: int | None,
    alpha: float,
) -> list[Ranked]:
    """Decide whether `k` is a collider between the ends of a pair that was separated."""
    given = skeleton.separators[pair]
    inside = k in given
    other = tuple(v for v in given if v != k) if inside else (*given, k)
    separated = tests.pvalue(*pair, given)
    opened = tests.pvalue(*pair, other)
    if not inside and opened > separated:
        return []  # independent with and without: the data do not say
    if inside and opened > alpha:
        return []
    margin = (opened, -separated)
    if root in pair:
        end = pair[0] if pair[1] == root else pair[1]
        arrow = (k, end) if inside else (end, k)
        reason = Direction("invariance", separated, root, given)
        return [((0.0, *margin, *arrow), {arrow: reason})]
    if inside:
        return []
    arrows = {(a, k): Direction("collider", separated, b, given) for a, b in (pair, pair[::-1])}
    return [((1.0, *margin, *pair, k), arrows)]


def open_edges(state: Orientation) -> list[tuple[int, int]]:
    """Return the edges that are still undirected."""
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(undirected(state.marks)))]
