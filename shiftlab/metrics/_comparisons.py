"""Comparisons of rates: which pairs, their values, and the interval of the most extreme one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shiftlab.metrics._counts import GroupCounts
from shiftlab.metrics._inference import Inference, compare, interval, percentiles, resample_rates
from shiftlab.metrics._rates import RateSums, rate_sums

__all__ = ["Comparisons", "Family", "each_limits", "limits", "pair_all", "pair_each"]


@dataclass(frozen=True)
class Family:
    """One rate in the groups where it is defined, then in the complement of each of them.

    Attributes
    ----------
    rate : str
        Name of the rate.
    groups : ndarray of int, shape (k,)
        Positions of these groups among all groups.
    sums : RateSums
        `k` entries for the groups, `k` for their complements.
    """

    rate: str
    groups: np.ndarray
    sums: RateSums

    @classmethod
    def of(cls, counts: GroupCounts, rate: str) -> "Family":
        """Collect the groups that have rows to take the rate over."""
        sums = rate_sums(counts, rate)
        groups = np.flatnonzero(sums.trials > 0)
        own = sums.take(groups)
        return cls(rate, groups, own.followed_by(own.rest()))

    @property
    def rows(self) -> int:
        """Number of rows that the rate is taken over."""
        return int(self.sums.rows[: len(self.groups)].sum())

    def rows_of(self, group: int) -> int:
        """Return the number of rows of one group that the rate is taken over."""
        found = np.flatnonzero(self.groups == group)
        return int(self.sums.rows[found[0]]) if len(found) else 0

    def can_compare(self, reference: str | int) -> bool:
        """Tell whether there are two groups, and the named reference is one of them."""
        return len(self.groups) >= 2 and (isinstance(reference, str) or reference in self.groups)

    def against_reference(self, group: int, reference: str | int) -> np.ndarray:
        """Return the pair (group, its reference), or no pair where the group has no rate."""
        found = np.flatnonzero(self.groups == group)
        if len(found) == 0:
            return np.empty((0, 2), dtype=np.intp)
        k = len(self.groups)
        rates = self.sums.rate[:k]
        if isinstance(reference, int):
            other = np.flatnonzero(self.groups == reference)[0]
        elif reference == "rest":
            other = 1 - found[0] if k == 2 else found[0] + k
        else:
            other = rates.argmax() if reference == "highest" else rates.argmin()
        return np.array([[found[0], other]])

    def draw(self, options: Inference, stream: int) -> np.ndarray | None:
        """Bootstrap replicates of every entry, or None for another method."""
        if options.method != "bootstrap":
            return None
        k = len(self.groups)
        own = self.sums.take(np.arange(k))
        draws = resample_rates(own, options.n_resamples, options.seed(stream))
        successes = own.trials[:, None] * draws
        others = np.maximum(own.trials.sum() - own.trials, np.finfo(float).tiny)
        rest = (successes.sum(axis=0) - successes) / others[:, None]
        return np.concatenate([draws, rest])


def pair_all(family: Family) -> np.ndarray:
    """Return every ordered pair of groups."""
    return np.argwhere(~np.eye(len(family.groups), dtype=bool))


def pair_each(family: Family, reference: str | int) -> np.ndarray:
    """Return each group with its reference, the reference itself left out."""
    pairs = np.concatenate([family.against_reference(int(g), reference) for g in family.groups])
    return pairs[pairs[:, 0] != pairs[:, 1]]


@dataclass(frozen=True)
class Comparisons:
    """Pairs of entries, by family, and which extreme of their comparison is wanted.

    Attributes
    ----------
    pairs : ndarray of int, shape (n, 3)
        Family, entry of the group, entry of what it is compared with.
    kind : {"ratio", "difference"}
        How two rates are compared.
    largest : bool
        Whether the largest comparison is the metric, or the smallest.
    neutral : float or None
        Bound of the metric: the comparison of a group with itself, where that is a candidate.
    exhaustive : bool
        Whether these are all ordered pairs of groups of each family.
    """

    pairs: np.ndarray
    kind: str
    largest: bool
    neutral: float | None
    exhaustive: bool

    @classmethod
    def of(
        cls,
        pairs: Sequence[np.ndarray],
        kind: str,
        largest: bool,
        neutral: float | None,
        both_orders: bool,
    ) -> "Comparisons":
        """Join the pairs of the families; `both_orders` makes the largest gap one without sign."""
        parts = [np.insert(pair, 0, i, axis=1) for i, pair in enumerate(pairs)]
        joined = np.concatenate(parts)
        if both_orders:
            joined = np.concatenate([joined, joined[:, [0, 2, 1]]])
        return cls(joined, kind, largest, neutral, neutral is not None and not both_orders)

    @property
    def n_limits(self) -> int:
        """Number of limits that may err; the two orders of a single pair err together."""
        ordered = np.column_stack([self.pairs[:, 0], np.sort(self.pairs[:, 1:], axis=1)])
        return 1 if (ordered == ordered[0]).all() else len(self.pairs)

    def bound(self, low: float, high: float) -> tuple[float, float]:
        """Keep the limits on the side where the metric must lie."""
        if self.neutral is None:
            return low, high
        if self.largest:
            return max(low, self.neutral), max(high, self.neutral)
        return min(low, self.neutral), min(high, self.neutral)


def limits(
    comparisons: Comparisons,
    families: Sequence[Family],
    draws: Sequence[np.ndarray | None],
    options: Inference,
) -> tuple[float, float, float, tuple[int, int, int]]:
    """Value, interval and pair (family, entry, entry) of the most extreme comparison."""
    sums, group, against = _entries(comparisons, families)
    values = compare(sums.rate[group], sums.rate[against], comparisons.kind)
    best = 0
    if not np.isnan(values).all():
        best = int(np.nanargmax(values) if comparisons.largest else np.nanargmin(values))
    family, i, j = (int(part) for part in comparisons.pairs[best])
    known = [draw for draw in draws if draw is not None]
    if known:
        low, high = _from_draws(comparisons, np.concatenate(known), group, against, options)
    else:
        low, high = _simultaneous(comparisons, sums.take(group), sums.take(against), options)
    return float(values[best]), low, high, (family, i, j)


def each_limits(
    comparisons: Comparisons,
    families: Sequence[Family],
    draws: Sequence[np.ndarray | None],
    options: Inference,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value and interval of each comparison on its own."""
    sums, group, against = _entries(comparisons, families)
    kind = comparisons.kind
    values = compare(sums.rate[group], sums.rate[against], kind)
    known = [draw for draw in draws if draw is not None]
    if known:
        joined, level = np.concatenate(known), options.confidence_level
        pairs = zip(group, against, strict=True)
        own = [percentiles(compare(joined[i], joined[j], kind), level) for i, j in pairs]
        low, high = np.array(own).T
    else:
        low, high = interval(
            sums.take(group), sums.take(against), kind, options.method, options.confidence_level
        )
    # A group against itself is exactly neutral.
    same = group == against
    return values, np.where(same, values, low), np.where(same, values, high)


def _entries(
    comparisons: Comparisons, families: Sequence[Family]
) -> tuple[RateSums, np.ndarray, np.ndarray]:
    """Return the sums of all families in one, and the positions of both sides of each pair."""
    sums, starts = _join(families)
    family, group, against = comparisons.pairs.T
    return sums, starts[family] + group, starts[family] + against


def _join(families: Sequence[Family]) -> tuple[RateSums, np.ndarray]:
    sums = families[0].sums
    for family in families[1:]:
        sums = sums.followed_by(family.sums)
    lengths = [2 * len(family.groups) for family in families]
    return sums, np.cumsum([0, *lengths[:-1]])


def _simultaneous(
    comparisons: Comparisons, group: RateSums, against: RateSums, options: Inference
) -> tuple[float, float]:
    n_limits = comparisons.n_limits
    level = options.confidence_level
    plain = interval(group, against, comparisons.kind, options.method, level)
    strict = plain
    if n_limits > 1:
        level = 1 - (1 - level) / n_limits
        strict = interval(group, against, comparisons.kind, options.method, level)
    if comparisons.largest:
        return comparisons.bound(float(strict[0].max()), float(plain[1].max()))
    return comparisons.bound(float(plain[0].min()), float(strict[1].min()))


def _from_draws(
    comparisons: Comparisons,
    draws: np.ndarray,
    group: np.ndarray,
    against: np.ndarray,
    options: Inference,
) -> tuple[float, float]:
    extreme = np.full(draws.shape[1], np.nan)
    reduce = np.fmax if comparisons.largest else np.fmin
    if comparisons.exhaustive:
        # The extreme pair is that of the highest and the lowest rate.
        for family in np.unique(comparisons.pairs[:, 0]):
            own = draws[np.unique(group[comparisons.pairs[:, 0] == family])]
            ends = (own.max(axis=0), own.min(axis=0))
            ends = ends if comparisons.largest else ends[::-1]
            reduce(extreme, compare(*ends, comparisons.kind), out=extreme)
        return percentiles(extreme, options.confidence_level)
    # Pair by pair: all of them at once would not fit in memory.
    for i, j in zip(group, against, strict=True):
        reduce(extreme, compare(draws[i], draws[j], comparisons.kind), out=extreme)
    return percentiles(extreme, options.confidence_level)
