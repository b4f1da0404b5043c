"""Effects corrected for their upward bias, with confidence limits, from counts of two groups."""

from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "bridge_paths", "ks_intervals", "tv_intervals"]

#: Resolution of the simulated Brownian bridges.
BRIDGE_STEPS = 1024
#: Part of the pointwise error by which an observed peak is flattened.
FLATTENING = 0.5


class Interval(NamedTuple):
    """Bias-corrected effect with its confidence limits, one per environment."""

    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray


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
        sd = np.sqrt(_variance(below, n) + _variance(below_other, m))
        # The observed peak owes its sharpness to noise: a flat top leaves room for other cuts.
        peak = distance - FLATTENING * float(sd.max(initial=0.0))
        if peak > 0:
            reach = _reach(np.clip(gap, -peak, peak), noise, distance)
            effect[test], low[test] = peak * np.quantile(reach, [0.5, (1 - level) / 2])
        else:
            effect[test], low[test] = 0.0, 0.0
        high[test] = min(1.0, distance + z * float(sd.max(initial=0.0)))
    return Interval(effect, low, high)


def _noise(below: np.ndarray, n: int, paths: np.ndarray) -> np.ndarray:
    """Draw errors of one empirical distribution function, shape (n_cuts, n_paths)."""
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
    moving = np.abs(gap) > 1e-3 * float(np.abs(gap).max())
    slack = distance - np.sign(gap[moving])[:, None] * noise[moving]
    reach = (slack / np.abs(gap[moving])[:, None]).min(axis=0)
    return np.where(np.abs(noise).max(axis=0) > distance, 0.0, np.maximum(reach, 0.0))


def tv_intervals(counts: np.ndarray, other: np.ndarray, level: float) -> Interval:
    """Bias-corrected total variation and confidence limits from counts over unordered cells.

    The effect is the distance s * observed for which the plug-in distance would be as observed on
    average, if the shares differed by s times the observed differences. The limits allow for the
    largest and the smallest bias that the data leave open, so they are on the safe side where
    there are many cells. For two cells they are those of a difference of two shares
    (Agresti & Caffo 2000).

    Parameters
    ----------
    counts, other : ndarray of int, shape (n_tests, n_cells)
        Counts of the two groups, rare cells grouped before.
    level : float
        Two-sided confidence level.
    """
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    limits = np.full((3, len(counts)), np.nan)
    usable = (counts.sum(axis=1) > 1) & (other.sum(axis=1) > 1)
    if not usable.any():
        return Interval(*limits)
    a, b = counts[usable].astype(float), other[usable].astype(float)
    low, high = _tv_limits(a, b, z)
    two = ((a + b) > 0).sum(axis=1) <= 2
    if two.any():
        low[two], high[two] = _share_limits(a[two], b[two], z)
    effect = np.clip(_tv_effect(a, b), low, high)
    limits[:, usable] = effect, low, high
    return Interval(*limits)


def _shares(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n, m = a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True)
    return a / n, b / m, n, m


def _folded_bias(x: np.ndarray) -> np.ndarray:
    """E|x + Z| - |x| for a standard normal Z and x >= 0."""
    from scipy.special import ndtr

    return np.sqrt(2 / np.pi) * np.exp(-0.5 * x * x) - 2 * x * ndtr(-x)


def _tv_limits(a: np.ndarray, b: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    p, q, n, m = _shares(a, b)
    pooled = (a + b) / (n + m)
    sigma = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    gap = np.abs(p - q)
    size = gap / np.where(sigma > 0, sigma, 1.0)
    # True differences may be up to about two errors smaller, or one larger, than they look.
    most = 0.5 * (sigma * _folded_bias(np.maximum(size - 2.0, 0.0))).sum(axis=1)
    least = 0.5 * (sigma * _folded_bias(size + 1.0)).sum(axis=1)
    sign = np.sign(p - q)
    lean_p = (sign * p).sum(axis=1) * (n / (n + 4))[:, 0]
    lean_q = (sign * q).sum(axis=1) * (m / (m + 4))[:, 0]
    sd = 0.5 * np.sqrt((1 - lean_p**2) / n[:, 0] + (1 - lean_q**2) / m[:, 0])
    distance = 0.5 * gap.sum(axis=1)
    return (
        np.clip(distance - most - z * sd, 0.0, 1.0),
        np.clip(distance - least + z * sd, 0.0, 1.0),
    )


def _share_limits(a: np.ndarray, b: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of |difference of two shares|, one added success and failure per group."""
    n, m = a.sum(axis=1) + 2, b.sum(axis=1) + 2
    first = np.argmax(a + b > 0, axis=1)[:, None]
    p = (np.take_along_axis(a, first, axis=1)[:, 0] + 1) / n
    q = (np.take_along_axis(b, first, axis=1)[:, 0] + 1) / m
    single = ((a + b) > 0).sum(axis=1) <= 1
    error = z * np.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    low, high = p - q - error, p - q + error
    inner = np.where(low * high <= 0, 0.0, np.minimum(np.abs(low), np.abs(high)))
    outer = np.minimum(np.maximum(np.abs(low), np.abs(high)), 1.0)
    return np.where(single, 0.0, inner), np.where(single, 0.0, outer)


def _tv_effect(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Solve "mean plug-in distance at s = observed" by bisection; 0 if noise alone gives more."""
    p, q, n, m = _shares(a, b)
    pooled = (a + b) / (n + m)
    observed = 0.5 * np.abs(p - q).sum(axis=1)
    low, high = np.zeros(len(p)), np.ones(len(p))
    for _ in range(24):
        s = 0.5 * (low + high)
        p_s, q_s = pooled + s[:, None] * (p - pooled), pooled + s[:, None] * (q - pooled)
        sigma = np.sqrt(p_s * (1 - p_s) / n + q_s * (1 - q_s) / m)
        gap = np.abs(p_s - q_s)
        size = gap / np.where(sigma > 0, sigma, 1.0)
        mean = 0.5 * (gap + sigma * _folded_bias(size)).sum(axis=1)
        low, high = np.where(mean <= observed, s, low), np.where(mean <= observed, high, s)
    return low * observed
