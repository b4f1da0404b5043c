"""The skeleton: which pairs stay dependent whatever is held fixed (stable PC with a root)."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

import numpy as np

from shiftlab._core.progress import Progress, progress_ticker
from shiftlab.discovery._tests import Answers
from shiftlab.graphs import Knowledge

__all__ = ["Pair", "PairEvidence", "Rules", "Skeleton", "find_skeleton"]

#: Two nodes, the smaller first.
Pair: TypeAlias = tuple[int, int]


@dataclass
class PairEvidence:
    """What the tests said about one pair.

    Attributes
    ----------
    pvalue : float
        The largest p-value of all tests of the pair: the case against an edge.
    given : tuple of int
        The conditioning set of that test.
    n_tests : int
        Tests made.
    path : list of (int, float)
        Size of the conditioning set and p-value of each test, in order.
    """

    pvalue: float = 0.0
    given: tuple[int, ...] = ()
    n_tests: int = 0
    path: list[tuple[int, float]] = field(default_factory=list)

    def add(self, pvalue: float, given: tuple[int, ...]) -> None:
        """Take note of a test."""
        self.n_tests += 1
        self.path.append((len(given), pvalue))
        if self.n_tests == 1 or pvalue > self.pvalue:
            self.pvalue, self.given = pvalue, given


@dataclass
class Skeleton:
    """The outcome of the search.

    Attributes
    ----------
    adjacent : ndarray of bool, shape (n, n)
    separators : dict
        The set that separated a pair, by (smaller, larger) index.
    evidence : dict of PairEvidence
        By (smaller, larger) index.
    restored : list of (int, int)
        Pairs that were separated, but whose independence the graph contradicted.
    """

    adjacent: np.ndarray
    separators: dict[Pair, tuple[int, ...]]
    evidence: dict[Pair, PairEvidence]
    restored: list[Pair] = field(default_factory=list)

    def separate(self, pair: Pair, given: tuple[int, ...]) -> None:
        """Take an edge away."""
        self.adjacent[pair] = self.adjacent[pair[::-1]] = False
        self.separators[pair] = given
        if pair in self.restored:
            self.restored.remove(pair)

    def restore(self, pair: Pair) -> None:
        """Give an edge back."""
        self.adjacent[pair] = self.adjacent[pair[::-1]] = True
        del self.separators[pair]
        self.restored.append(pair)


@dataclass(frozen=True)
class Rules:
    """Knowledge in terms of positions; the root is caused by nothing.

    Attributes
    ----------
    may_cause : ndarray of bool, shape (n, n)
    required : ndarray of bool, shape (n, n)
        Pairs whose edge is not tested.
    may_precede : ndarray of bool, shape (n, n)
        Pairs that a directed path may join.
    past : ndarray of bool, shape (n,)
        Variables of earlier rows: causes only.
    """

    may_cause: np.ndarray
    required: np.ndarray
    may_precede: np.ndarray
    past: np.ndarray

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        root: int | None,
        knowledge: Knowledge,
        earlier: Collection[str] = (),
    ) -> "Rules":
        """Translate knowledge about names."""
        n = len(names)
        may_cause, required = ~np.eye(n, dtype=bool), np.zeros((n, n), dtype=bool)
        for i, a in enumerate(names):
            for j, b in enumerate(names):
                if root not in (i, j) and i != j:
                    may_cause[i, j] = knowledge.may_cause(a, b)
                    required[i, j] = knowledge.must_join(a, b)
        if root is not None:
            may_cause[:, root] = False
            for j, name in enumerate(names):
                if name in knowledge.unchanging:
                    may_cause[root, j] = False
                required[root, j] = required[j, root] = name in knowledge.changing
        past = np.array([name in earlier for name in names])
        may_cause[:, past] = False
        required[past] &= ~past
        if root is not None:
            required[root, past] = required[past, root] = False
        may_precede = may_cause.copy()
        for k in range(n):
            may_precede |= may_precede[:, [k]] & may_precede[[k]]
        return cls(may_cause, required, may_precede, past)


def find_skeleton(
    tests: Answers,
    rules: Rules,
    *,
    alpha: float,
    max_cond: int,
    correction: str = "none",
    progress: Progress = False,
) -> Skeleton:
    """Remove every edge whose ends become independent given some of their neighbours.

    Every pair is tested with one set per round, and edges go at the end of a round, so that the
    order of variables plays no part.

    Parameters
    ----------
    tests : Answers
        Answers for all nodes, the root included.
    rules : Rules
        Knowledge, obeyed from the first test on.
    alpha : float
        Level of the tests.
    max_cond : int
        Largest conditioning set.
    correction : {"none", "fdr"}, default "none"
        "fdr" keeps the edges that the procedure of Benjamini and Hochberg keeps, taking the
        largest p-value of a pair as that of its edge.
    progress : bool or callable, default False
        See `shiftlab._core.progress`.
    """
    adjacent = rules.may_cause | rules.may_cause.T | rules.required
    state = Skeleton(adjacent, {}, defaultdict(PairEvidence))
    strength = np.zeros(adjacent.shape)
    with progress_ticker(max_cond + 1, "skeleton", progress) as ticker:
        for size in range(max_cond + 1):
            open_pairs = [(i, j) for i, j in _pairs(state.adjacent) if not rules.required[i, j]]
            if not _test_depth(state, tests, rules, open_pairs, size, alpha, strength):
                break
            ticker.step(description=f"sets of {size}: {tests.n_tests} tests")
    if correction == "fdr":
        _control_false_discoveries(state, rules, alpha)
    state.evidence = dict(state.evidence)
    return state


def _pairs(adjacent: np.ndarray) -> list[Pair]:
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(adjacent, 1))]


def _test_depth(
    state: Skeleton,
    tests: Answers,
    rules: Rules,
    pairs: list[Pair],
    size: int,
    alpha: float,
    strength: np.ndarray,
) -> bool:
    """Test every pair with sets of one size, a round of one set per pair at a time.

    Returns whether there was anything to test.
    """
    waiting = {pair: _candidate_sets(state.adjacent, rules, pair, size, strength) for pair in pairs}
    tested = False
    while waiting:
        drawn = {
            pair: next((s for s in sets if _may_separate(state.adjacent, rules, pair, s)), None)
            for pair, sets in waiting.items()
        }
        queries = {pair: given for pair, given in drawn.items() if given is not None}
        tested |= bool(queries)
        values = tests.pvalues([(*pair, given) for pair, given in queries.items()])
        waiting = {pair: waiting[pair] for pair in queries}
        for (pair, given), pvalue in zip(queries.items(), values, strict=True):
            state.evidence[pair].add(pvalue, given)
            if size == 0:
                strength[pair] = strength[pair[::-1]] = tests.effect(*pair)
        for (pair, given), pvalue in zip(queries.items(), values, strict=True):
            if pvalue > alpha:
                state.separate(pair, given)
                del waiting[pair]
    return tested


def _may_separate(adjacent: np.ndarray, rules: Rules, pair: Pair, given: tuple[int, ...]) -> bool:
    """Tell whether a set still consists of possible parents of one end."""
    members = list(given)
    return any(
        rules.may_precede[other, end] and (adjacent[end] & rules.may_cause[:, end])[members].all()
        for end, other in (pair, pair[::-1])
    )


def _candidate_sets(
    adjacent: np.ndarray, rules: Rules, pair: tuple[int, int], size: int, strength: np.ndarray
) -> Iterator[tuple[int, ...]]:
    """Yield sets of possible parents of one end; the likeliest separators come first."""
    i, j = pair
    sets: dict[tuple[int, ...], float] = {}
    for end, other in ((i, j), (j, i)):
        if not rules.may_precede[other, end]:
            continue  # not a descendant of the other end, whose parents therefore separate
        pool = np.flatnonzero(adjacent[end] & rules.may_cause[:, end])
        pool = pool[pool != other]
        # What is linked to both ends can explain their dependence.
        link = np.minimum(strength[i, pool], strength[j, pool])
        worth = dict(zip(pool.tolist(), link.tolist(), strict=True))
        for chosen in combinations(worth, size):
            sets[chosen] = sum(worth[k] for k in chosen)
    return iter(sorted(sets, key=lambda chosen: (-sets[chosen], chosen)))


def _control_false_discoveries(state: Skeleton, rules: Rules, alpha: float) -> None:
    pairs = [pair for pair in state.evidence if not rules.required[pair]]
    pvalues = np.array([state.evidence[pair].pvalue for pair in pairs])
    order = np.argsort(pvalues, kind="stable")
    bound = alpha * np.arange(1, len(pairs) + 1) / max(len(pairs), 1)
    passed = np.flatnonzero(pvalues[order] <= bound)
    n_kept = int(passed[-1]) + 1 if len(passed) else 0
    for k in order[n_kept:]:
        if state.adjacent[pairs[k]]:
            state.separate(pairs[k], state.evidence[pairs[k]].given)
