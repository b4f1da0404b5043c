"""Distances of all pairs of environments and their noise, from mean features."""

from typing import NamedTuple

import numpy as np

from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab.divergence._environment_features import Features

__all__ = ["PairStatistics", "choose_null", "pair_statistics"]

#: Above this many multiplications, or numbers held, one pooled null serves all pairs.
PAIR_WORK = 4e9
PAIR_NUMBERS = 1.5e8
#: Rows behind the pooled null, and its smallest number of draws.
POOLED_ROWS = 20_000
POOLED_DRAWS = 1999
BLOCK_NUMBERS = 4_000_000


class PairStatistics(NamedTuple):
    """Symmetric matrices over environments; NaN where a pair is not tested."""

    distance: np.ndarray
    noise_95: np.ndarray
    pvalue: np.ndarray


def choose_null(n_environments: int, n_features: int, n_resamples: int) -> str:
    """Return "pairwise", or "pooled" where the former would cost too much."""
    draws = float(n_resamples) * n_features
    pairs = n_environments * (n_environments - 1) / 2
    cheap = pairs * draws <= PAIR_WORK and n_environments * draws <= PAIR_NUMBERS
    return "pairwise" if cheap else "pooled"


def pair_statistics(
    features: Features,
    null: str,
    n_resamples: int,
    seed: np.random.SeedSequence,
    n_jobs: int | None = None,
    progress: Progress = False,
) -> PairStatistics:
    """Distance, 95 % quantile of its null and p-value of every pair."""
    distance = _distances(features)
    if null == "pooled":
        noise, pvalue = _pooled_null(features, distance, n_resamples, seed)
    else:
        noise, pvalue = _pairwise_null(features, distance, n_resamples, seed, n_jobs, progress)
    lonely = features.n_rows.max(axis=1) < 2
    for matrix in (noise, pvalue):
        matrix[lonely, :] = matrix[:, lonely] = np.nan
        np.fill_diagonal(matrix, np.nan)
    if features.power == 2:
        distance, noise = np.sqrt(distance), np.sqrt(noise)
    return PairStatistics(distance, noise, pvalue)


def _norm(values: np.ndarray, weights: np.ndarray, power: int) -> np.ndarray:
    return (np.abs(values) if power == 1 else values * values) @ weights


def _pair_weights(features: Features, a: int, others: np.ndarray) -> np.ndarray:
    """Weights of each pair, divided by the number of columns that both environments have."""
    if features.power == 2:
        return np.broadcast_to(features.weights, (len(others), len(features.weights)))
    have = ~np.isnan(features.means)
    both = have[a] & have[others]
    n_columns = np.maximum(both[:, features.starts].sum(axis=1, keepdims=True), 1)
    return both * features.weights / n_columns


def _distances(features: Features) -> np.ndarray:
    k = len(features.means)
    if features.power == 2:
        # Centred, so that the expansion of the square loses no digits.
        scaled = (features.means - features.means.mean(axis=0)) * np.sqrt(features.weights)
        squares = (scaled**2).sum(axis=1)
        result = np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0.0)
        np.fill_diagonal(result, 0.0)
        symmetric: np.ndarray = (result + result.T) / 2
        return symmetric
    result = np.zeros((k, k))
    for a in range(k - 1):
        others = np.arange(a + 1, k)
        gap = np.nan_to_num(features.means[others] - features.means[a], nan=0.0)
        result[a, others] = (np.abs(gap) * _pair_weights(features, a, others)).sum(axis=1)
        result[others, a] = result[a, others]
    return result


def _pairwise_null(
    features: Features,
    distance: np.ndarray,
    n_resamples: int,
    seed: np.random.SeedSequence,
    n_jobs: int | None,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray]:
    k = len(features.means)
    *seeds, common = seed.spawn(k + 1)
    sample = features.sample
    draws = np.zeros((k, n_resamples, len(features.weights)), dtype=np.float32)
    for e, child in zip(sample.environments, seeds, strict=True):
        if len(sample.positions[e]) > 1:
            rng = np.random.default_rng(child)
            draws[e] = features.noise(sample.positions[e], n_resamples, rng)
    between = np.random.default_rng(common).standard_normal(n_resamples).astype(np.float32)
    noise, pvalue = np.full((k, k), np.nan), np.full((k, k), np.nan)
    found = parallel_map(
        _null_of_row,
        [(features, draws, between, distance[a], a) for a in range(k - 1)],
        n_jobs=n_jobs,
        progress=progress,
        description="environments",
    )
    for a, (row_noise, row_pvalue) in enumerate(found):
        noise[a, a + 1 :] = noise[a + 1 :, a] = row_noise
        pvalue[a, a + 1 :] = pvalue[a + 1 :, a] = row_pvalue
    return noise, pvalue


def _null_of_row(
    features: Features, draws: np.ndarray, between: np.ndarray, distance: np.ndarray, a: int
) -> tuple[np.ndarray, np.ndarray]:
    """Null of environment `a` against all later ones.

    A relabelling of the rows of a and b makes the difference of means vary with covariance
    (1/n_a + 1/n_b) N/(N-1) S, where S is the covariance of the pooled rows: a mixture of the two
    covariances plus the part between the means. The draws have exactly that covariance. Where cells
    are missing, n_a and n_b are the rows that a column observes.
    """
    others = np.arange(a + 1, len(draws))
    weights = _pair_weights(features, a, others).astype(np.float32)
    noise, pvalue = np.empty(len(others)), np.empty(len(others))
    rank = np.argsort(features.sample.environments)
    for i, b in enumerate(others):
        from_a, from_b, across = _mixture(features, a, int(b))
        gap = np.nan_to_num(features.means[a] - features.means[b], nan=0.0).astype(np.float32)
        sample = from_a * draws[a]
        sample += from_b * draws[b]
        # The sign must not depend on which of the two comes first in the alphabet.
        sign = 1 if rank[a] < rank[b] else -1
        sample += np.outer(between, sign * across * gap)
        null = _norm(sample, weights[i], features.power)
        noise[i] = np.quantile(null, 0.95)
        pvalue[i] = _tail(null, distance[b])
    return noise, pvalue


def _mixture(features: Features, a: int, b: int) -> np.ndarray:
    """Factors of the draws of a, of those of b and of the gap between their means, per feature."""
    ends = np.append(features.starts[1:], len(features.weights))
    n_a, n_b = np.maximum(features.n_rows[[a, b]].astype(float), 1.0)
    total = n_a + n_b
    scale = np.sqrt((1 / n_a + 1 / n_b) * total / (total - 1))
    shares = np.stack([np.sqrt(n_a / total), np.sqrt(n_b / total), np.sqrt(n_a * n_b) / total])
    return np.repeat(scale * shares, ends - features.starts, axis=1).astype(np.float32)


def _tail(null: np.ndarray, distance: float) -> float:
    return float(1 + np.sum(null >= distance * (1 - 1e-6))) / (len(null) + 1)


def _pooled_null(
    features: Features, distance: np.ndarray, n_resamples: int, seed: np.random.SeedSequence
) -> tuple[np.ndarray, np.ndarray]:
    """One null for all pairs: covariance of all rows pooled, scaled by sqrt(1/n_a + 1/n_b)."""
    null = _pooled_draws(features, max(n_resamples, POOLED_DRAWS), seed)
    n_rows = features.n_rows.astype(float)
    if not (n_rows == n_rows[:, :1]).all():
        return _compare_by_block(features, null, distance)
    null = np.sort(null.sum(axis=1)) / (null.shape[1] if features.power == 1 else 1)
    inverse = 1 / n_rows[:, 0]
    scale = (inverse[:, None] + inverse[None, :]) ** (features.power / 2)
    above = len(null) - np.searchsorted(null, (distance / scale * (1 - 1e-6)).ravel())
    pvalue = (1.0 + above.reshape(distance.shape)) / (len(null) + 1)
    return np.quantile(null, 0.95) * scale, pvalue


def _pooled_draws(features: Features, n_draws: int, seed: np.random.SeedSequence) -> np.ndarray:
    """Norms of draws with the covariance of one pooled row, shape (n_draws, n_blocks)."""
    choose, drawing = seed.spawn(2)
    positions = np.arange(len(features.sample.rows))
    if len(positions) > POOLED_ROWS:
        chosen = np.random.default_rng(choose).choice(len(positions), POOLED_ROWS, replace=False)
        positions = positions[np.sort(chosen)]
    rng = np.random.default_rng(drawing)
    step = max(1, BLOCK_NUMBERS // max(len(features.weights), len(positions)))
    parts = []
    for done in range(0, n_draws, step):
        noise = features.noise(positions, min(step, n_draws - done), rng)
        noise = np.abs(noise) if features.power == 1 else noise * noise
        parts.append(np.add.reduceat(noise * features.weights, features.starts, axis=1))
    return np.concatenate(parts)


def _compare_by_block(
    features: Features, null: np.ndarray, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the distances where columns have cells missing: each has its own row numbers."""
    k = len(distance)
    n_rows = features.n_rows.astype(float)
    inverse = np.divide(1.0, n_rows, out=np.full(n_rows.shape, np.inf), where=n_rows > 0)
    noise, pvalue = np.full((k, k), np.nan), np.full((k, k), np.nan)
    for a in range(k - 1):
        scale = np.sqrt(inverse[a] + inverse[a + 1 :])
        both = np.isfinite(scale)
        weights = np.where(both, scale, 0.0) / np.maximum(both.sum(axis=1, keepdims=True), 1)
        of_pairs = weights @ null.T
        noise[a, a + 1 :] = noise[a + 1 :, a] = np.quantile(of_pairs, 0.95, axis=1)
        pvalue[a, a + 1 :] = [
            _tail(row, value) for row, value in zip(of_pairs, distance[a, a + 1 :], strict=True)
        ]
        pvalue[a + 1 :, a] = pvalue[a, a + 1 :]
    return noise, pvalue
