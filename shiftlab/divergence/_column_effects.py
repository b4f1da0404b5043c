"""Effect sizes of a column's shift: exact distances from one sort, intervals from counts."""

from typing import NamedTuple

import numpy as np

__all__ = [
    "Interval",
    "NumberShift",
    "bridge_paths",
    "ks_intervals",
    "number_shifts",
    "tv_intervals",
]

#: Resolution of the simulated Brownian bridges.
BRIDGE_STEPS = 1024


class Interval(NamedTuple):
    """Bias-corrected effect with its confidence limits, one per environment."""

    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray


class NumberShift(NamedTuple):
    """Distances of each environment from its comparison, one per environment, NaN if undefined."""

    ks: np.ndarray
    wasserstein: np.ndarray
    mean_difference: np.ndarray


def number_shifts(
    ordered: np.ndarray, codes: np.ndarray, n_environments: int, reference: int | None
) -> NumberShift:
    """Exact KS and 1-Wasserstein distance of every environment from the rest or the reference.

    Work is proportional to the rows, not to rows times environments: between two neighbouring rows
    of an environment its distribution function is constant and the other one is monotone, so the
    largest gap lies at an end and the area between them has a closed form.

    Parameters
    ----------
    ordered : ndarray of shape (n,)
        Observed values, sorted.
    codes : ndarray of int, shape (n,)
        Environment of each value.
    n_environments : int
        Number of environments.
    reference : int or None
        Code of the environment to compare with; None for all other rows.

    Returns
    -------
    NumberShift
        The Wasserstein distance and the mean difference are in units of the values.
    """
    member = np.ones(len(ordered), dtype=bool) if reference is None else codes == reference
    sizes = np.bincount(codes, minlength=n_environments)
    n_other = int(member.sum())
    ks = np.full(n_environments, np.nan)
    area = np.full(n_environments, np.nan)
    if n_other:
        present = np.flatnonzero(sizes)
        ks[present], area[present] = _gaps(ordered, codes, sizes[present], member)
    # The pool contains the environment itself: F - F_rest = (F - F_pool) n / (n - n_e).
    rest = len(ordered) - sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        blow = np.where(rest > 0, len(ordered) / rest, np.nan) if reference is None else 1.0
    centre = float(np.median(ordered)) if len(ordered) else 0.0
    difference = _mean_differences(ordered - centre, codes, sizes, reference)
    return NumberShift(np.minimum(ks * blow, 1.0), area * blow, difference)


def _mean_differences(
    values: np.ndarray, codes: np.ndarray, sizes: np.ndarray, reference: int | None
) -> np.ndarray:
    sums = np.bincount(codes, weights=values, minlength=len(sizes))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / sizes
        if reference is not None:
            return mean - mean[reference]
        return mean - (sums.sum() - sums) / (sizes.sum() - sizes)


def _gaps(
    ordered: np.ndarray, codes: np.ndarray, sizes: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n = len(ordered)
    first_of_tie, last_of_tie = _tie_ends(ordered)
    at_or_below = np.cumsum(member)[last_of_tie]
    below = np.concatenate([[0], np.cumsum(member)])[first_of_tie]
    support = np.flatnonzero(member)
    n_other = len(support)
    # Antiderivative of the other distribution function at each sorted position.
    rising = np.zeros(n)
    np.cumsum(at_or_below[:-1] / n_other * np.diff(ordered), out=rising[1:])
    small = codes.astype(np.int16) if codes.max(initial=0) < 2**15 else codes
    place = np.argsort(small, kind="stable")
    ends = np.cumsum(sizes)
    starts = ends - sizes
    rank = np.arange(n) - np.repeat(starts, sizes) + 1
    own = np.repeat(sizes, sizes)
    share = rank / own
    above = share - at_or_below[place] / n_other
    under = below[place] / n_other - (rank - 1) / own
    ks = np.maximum(np.maximum.reduceat(above, starts), np.maximum.reduceat(under, starts))
    crossing = support[np.minimum((rank * n_other + own - 1) // own, n_other) - 1]
    following = np.append(place[1:], 0)
    following[ends - 1] = place[ends - 1]
    turn = np.clip(crossing, place, following)
    x, g = ordered, rising
    area = share * (2 * x[turn] - x[place] - x[following])
    area += g[place] + g[following] - 2 * g[turn]
    total = np.add.reduceat(area, starts) + g[place[starts]]
    last = place[ends - 1]
    total += (x[-1] - x[last]) - (g[-1] - g[last])
    return np.maximum(ks, 0.0), np.maximum(total, 0.0)


def _tie_ends(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the first and of the last member of each value's tie group."""
    n = len(ordered)
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    first = np.flatnonzero(starts)
    group = np.cumsum(starts) - 1
    last = np.append(first[1:], n) - 1
    return first[group], last[group]


def bridge_paths(n_paths: int, seed: np.random.SeedSequence) -> np.ndarray:
    """Two independent sets of Brownian bridges on an even grid of [0, 1].

    Returns
    -------
    ndarray of float32, shape (2, BRIDGE_STEPS + 1, n_paths)
    """
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((2, BRIDGE_STEPS, n_paths)) / np.sqrt(BRIDGE_STEPS)
    walk = np.concatenate([np.zeros((2, 1, n_paths)), np.cumsum(steps, axis=1)], axis=1)
    time = np.linspace(0, 1, BRIDGE_STEPS + 1)[:, None]
    return (walk - time * walk[:, -1:, :]).astype(np.float32)


def ks_intervals(
    counts: np.ndarray, other: np.ndarray, paths: np.ndarray, level: float
) -> Interval:
    """Median-unbiased KS distance and confidence limits from counts over ordered cells.

    The observed differences of the distribution functions are scaled by s >= 0 and the noise of
    both empirical functions is added; s is chosen so that the observed distance is the median (the
    lower limit: the upper ``(1 - level) / 2`` quantile) of what would be seen. The upper limit is
    the observed distance plus the largest pointwise error: the true distance is attained at one
    cut, so only that cut's error can hide it.

    Parameters
    ----------
    counts, other : ndarray of int, shape (n_tests, n_cells)
        Counts of the two groups.
    paths : ndarray
        From `bridge_paths`.
    level : float
        Two-sided confidence level.
    """
    from scipy.special import ndtri

    n_tests = len(counts)
    effect, low, high = (np.full(n_tests, np.nan) for _ in range(3))
    z = float(ndtri(0.5 + level / 2))
    for test in range(n_tests):
        n, m = int(counts[test].sum()), int(other[test].sum())
        if n < 2 or m < 2:
            continue
        below, below_other = np.cumsum(counts[test])[:-1], np.cumsum(other[test])[:-1]
        gap = (below / n - below_other / m).astype(np.float32)
        distance = float(np.abs(gap).max(initial=0.0))
        noise = _noise(below, n, paths[0]) - _noise(below_other, m, paths[1])
        effect[test], low[test] = (
            distance * np.quantile(_reach(gap, noise, distance), [0.5, (1 - level) / 2])
            if distance > 0
            else (0.0, 0.0)
        )
        sd = np.sqrt(_variance(below, n) + _variance(below_other, m))
        high[test] = min(1.0, distance + z * float(sd.max(initial=0.0)))
    return Interval(effect, low, high)


def _noise(below: np.ndarray, n: int, paths: np.ndarray) -> np.ndarray:
    """Simulated errors of one empirical distribution function, (n_cuts, n_paths)."""
    share = (below + 2) / (n + 4)
    index = np.clip(np.rint(share * BRIDGE_STEPS), 1, BRIDGE_STEPS - 1).astype(np.intp)
    drawn = paths[index]
    on_grid = index / BRIDGE_STEPS
    scale = np.sqrt(share * (1 - share) / (on_grid * (1 - on_grid)) / n).astype(np.float32)
    return drawn * scale[:, None]


def _variance(below: np.ndarray, n: int) -> np.ndarray:
    share = (below + 2) / (n + 4)
    return share * (1 - share) / n


def _reach(gap: np.ndarray, noise: np.ndarray, distance: float) -> np.ndarray:
    """Largest s of each path with max |s gap + noise| <= distance; 0 if the noise alone is more."""
    moving = np.abs(gap) > 1e-3 * distance
    slack = distance - np.sign(gap[moving])[:, None] * noise[moving]
    reach = (slack / np.abs(gap[moving])[:, None]).min(axis=0)
    return np.where(np.abs(noise).max(axis=0) > distance, 0.0, np.maximum(reach, 0.0))


def tv_intervals(counts: np.ndarray, other: np.ndarray, level: float) -> Interval:
    """Bias-corrected total variation and confidence limits from counts over unordered cells.

    The observed differences of the shares are scaled by s >= 0; the mean and the sd of the plug-in
    distance at s follow from folded normal moments. The effect solves "observed = mean at s", the
    limits "observed = mean -+ z sd at s".

    Parameters
    ----------
    counts, other : ndarray of int, shape (n_tests, n_cells)
        Counts of the two groups.
    level : float
        Two-sided confidence level.
    """
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    n = counts.sum(axis=1, keepdims=True).astype(float)
    m = other.sum(axis=1, keepdims=True).astype(float)
    usable = ((n > 1) & (m > 1))[:, 0]
    limits = np.full((3, len(counts)), np.nan)
    if usable.any():
        kept = [array[usable] for array in (counts, other, n, m)]
        p, q = kept[0] / kept[2], kept[1] / kept[3]
        solved = [_solve_scale(p, q, kept[2], kept[3], shift) for shift in (0.0, z, -z)]
        distance = 0.5 * np.abs(p - q).sum(axis=1)
        error = 0.5 * z * np.sqrt(1 / kept[2] + 1 / kept[3])[:, 0]
        limits[:, usable] = np.stack(solved) * distance
        ceiling = np.minimum(distance + error, 1.0)
        limits[2, usable] = np.where(distance > 0, np.minimum(limits[2, usable], ceiling), ceiling)
    return Interval(limits[0], np.minimum(limits[1], limits[0]), limits[2])


def _solve_scale(
    p: np.ndarray, q: np.ndarray, n: np.ndarray, m: np.ndarray, shift: float
) -> np.ndarray:
    """Largest s with mean(s) + shift * sd(s) <= observed, by bisection; 0 if there is none."""
    observed = 0.5 * np.abs(p - q).sum(axis=1)
    low = np.zeros(len(p))
    high = 1.0 / np.maximum(observed, 1e-12)
    for _ in range(30):
        middle = 0.5 * (low + high)
        mean, sd = _plug_in_moments(middle[:, None], p, q, n, m)
        fits = mean + shift * sd <= observed
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return low


def _plug_in_moments(
    s: np.ndarray, p: np.ndarray, q: np.ndarray, n: np.ndarray, m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of half the summed absolute differences when the true shares are q + s (p - q)."""
    from scipy.special import erf

    delta = s * (p - q)
    moved = np.clip(q + delta, 0.0, 1.0)
    a, b = moved * moved / n, q * q / m
    variance = np.maximum(moved * (1 - moved) / n + q * (1 - q) / m, 1e-300)
    sigma = np.sqrt(variance)
    slope = erf(delta / (sigma * np.sqrt(2)))
    bell = np.sqrt(2 / np.pi) * np.exp(-0.5 * (delta / sigma) ** 2)
    # A share estimated from few rows is far from normal; its error cannot exceed p + q on average.
    mean = np.minimum(
        sigma * bell + delta * slope, np.abs(delta) + 2 * np.minimum(moved, q) + b + a
    )
    own = np.maximum(delta**2 + variance - mean**2, 0.0) - slope**2 * variance
    first = (slope**2 * (moved / n + q / m)).sum(axis=1)
    first -= (slope * moved).sum(axis=1) ** 2 / n[:, 0] + (slope * q).sum(axis=1) ** 2 / m[:, 0]
    # Second-order term of the covariance of two folded normals (Hermite expansion).
    curve = bell / sigma
    cross = (curve * a).sum(axis=1) ** 2 + 2 * (curve * moved * q).sum(axis=1) ** 2 / (n * m)[:, 0]
    cross += (curve * b).sum(axis=1) ** 2 - (curve**2 * (a + b) ** 2).sum(axis=1)
    total = own.sum(axis=1) + first + 0.5 * np.maximum(cross, 0.0)
    return 0.5 * mean.sum(axis=1), 0.5 * np.sqrt(np.maximum(total, 0.0))
