"""Resampling for gaps of fidelity: blocks, rows, and group labels within blocks.

Rows of one block share the random draws of the explainer, so they are not independent. Intervals
therefore resample whole blocks; because a few dozen blocks tell their own variance only roughly,
the variance from resampling rows, which is always present too, bounds it from below. Tests permute
group labels within blocks, which leaves what the rows of a block share where it is; differences are
divided by the same kind of standard error before and after, so that its excess does not cost power.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shiftlab.explanation._fidelity_metrics import FidelityData, evaluate, row_scores

__all__ = ["Permuted", "Spread", "block_codes", "permute", "resample"]

#: Cells of the weight matrices held at once.
MAX_CELLS = 4_000_000


@dataclass(frozen=True)
class Spread:
    """Standard errors of a metric.

    Attributes
    ----------
    by_group : ndarray of shape (G + 1,)
        Of the value of each group and of everybody.
    pairs : ndarray of shape (G, G)
        Of the difference of two groups.
    from_all : ndarray of shape (G,)
        Of the difference of a group from everybody.
    """

    by_group: np.ndarray
    pairs: np.ndarray
    from_all: np.ndarray


@dataclass(frozen=True)
class Permuted:
    """Metrics under permuted labels.

    Attributes
    ----------
    values : dict of str to ndarray of shape (R, G + 1)
        Value of each group and of everybody.
    errors : dict of str to ndarray of shape (R, G, G)
        Standard error of the difference of each pair, for metrics that are means over rows: the
        larger one of that from rows and that from blocks, as for the labels as they are.
    """

    values: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]


def block_codes(block: np.ndarray) -> np.ndarray | None:
    """Return consecutive codes of the blocks; None if rows are independent."""
    if (block < 0).all():
        return None
    return np.asarray(np.unique(block, return_inverse=True)[1])


def resample(
    metrics: Sequence[str],
    data: FidelityData,
    weights: np.ndarray,
    blocks: np.ndarray | None,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Spread]:
    """Return standard errors of each metric by the two-way bootstrap.

    Parameters
    ----------
    metrics : sequence of str
        What to evaluate.
    data : FidelityData
        Predictions, surrogate and groups.
    weights : ndarray of shape (n,)
        Weights of the rows.
    blocks : ndarray of int, shape (n,), or None
        Block of each row, None if rows are independent.
    n_resamples : int
        Resamples of blocks, and as many of rows.
    rng : Generator
        Source of the draws.
    """
    by_rows = _variances(metrics, data, _row_weights(data, weights, n_resamples, rng))
    found = by_rows
    if blocks is not None:
        n_blocks = int(blocks.max()) + 1
        by_blocks = _variances(metrics, data, _block_weights(blocks, weights, n_resamples, rng))
        correction = n_blocks / max(n_blocks - 1, 1)
        found = {
            m: tuple(
                np.fmax(correction * b, r) for b, r in zip(by_blocks[m], by_rows[m], strict=True)
            )
            for m in metrics
        }
    return {m: Spread(*map(np.sqrt, found[m])) for m in metrics}


def _row_weights(
    data: FidelityData, weights: np.ndarray, n_resamples: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield weights that draw rows within their groups."""
    rows = [np.flatnonzero(data.codes == code) for code in range(data.n_groups)]
    for size in _chunks(n_resamples, len(weights)):
        counts = np.zeros((size, len(weights)))
        for members in rows:
            counts[:, members] = rng.multinomial(
                len(members), np.full(len(members), 1 / len(members)), size
            )
        yield counts * weights


def _block_weights(
    blocks: np.ndarray, weights: np.ndarray, n_resamples: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield weights that draw whole blocks."""
    n_blocks = int(blocks.max()) + 1
    for size in _chunks(n_resamples, len(weights)):
        counts = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size)
        yield counts[:, blocks] * weights


def _chunks(n: int, row_length: int) -> Iterator[int]:
    size = max(1, MAX_CELLS // row_length)
    for start in range(0, n, size):
        yield min(size, n - start)


def _variances(
    metrics: Sequence[str], data: FidelityData, weightings: Iterator[np.ndarray]
) -> dict[str, tuple[np.ndarray, ...]]:
    found: dict[str, list[np.ndarray]] = {m: [] for m in metrics}
    for weights in weightings:
        for metric in metrics:
            found[metric].append(evaluate(metric, data, weights))
    result: dict[str, tuple[np.ndarray, ...]] = {}
    for metric in metrics:
        values = np.concatenate(found[metric])
        groups = values[:, :-1]
        pairs = np.array([_variance(groups - groups[:, [k]]) for k in range(groups.shape[1])])
        result[metric] = (_variance(values), pairs, _variance(groups - values[:, -1:]))
    return result


def _variance(values: np.ndarray) -> np.ndarray:
    """Variance over the resamples in which a value is defined, if those are most of them."""
    defined = np.isfinite(values)
    n = defined.sum(axis=0)
    safe = np.where(n > 1, n, 2)
    filled = np.where(defined, values, 0.0)
    mean = filled.sum(axis=0) / safe
    variance = np.where(defined, (filled - mean) ** 2, 0.0).sum(axis=0) / (safe - 1)
    return np.where(n >= 0.9 * len(values), variance, np.nan)


def permute(
    metrics: Sequence[str],
    data: FidelityData,
    weights: np.ndarray,
    blocks: np.ndarray | None,
    n_resamples: int,
    rng: np.random.Generator,
) -> Permuted:
    """Evaluate each metric with group labels permuted within blocks.

    The first line of each result holds the labels as they are.
    """
    values: dict[str, list[np.ndarray]] = {m: [] for m in metrics}
    errors: dict[str, list[np.ndarray]] = {m: [] for m in metrics}
    scores = {m: row_scores(m, data) for m in metrics}
    everybody = {m: evaluate(m, data, weights[None, :])[:, -1:] for m in metrics}
    for codes in _permutations(data.codes, blocks, n_resamples, rng):
        for metric in metrics:
            per_row = scores[metric]
            if per_row is not None:
                mean, error = _group_means(per_row, codes, data.n_groups, weights, blocks)
                errors[metric].append(error)
            else:
                mean = _by_label(metric, data, codes, weights)
            whole = np.repeat(everybody[metric], len(codes), axis=0)
            values[metric].append(np.column_stack([mean, whole]))
    return Permuted(
        {m: np.concatenate(values[m]) for m in metrics},
        {m: np.concatenate(errors[m]) for m in metrics if errors[m]},
    )


def _permutations(
    codes: np.ndarray, blocks: np.ndarray | None, n_resamples: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    yield codes[None, :]
    n = len(codes)
    stratum = np.zeros(n) if blocks is None else blocks.astype(float)
    places = np.argsort(stratum, kind="stable")
    for size in _chunks(n_resamples, 2 * n):
        order = np.argsort(rng.random((size, n)) + stratum, axis=1)
        permuted = np.empty((size, n), dtype=codes.dtype)
        permuted[:, places] = codes[order]
        yield permuted


def _group_means(
    scores: np.ndarray,
    codes: np.ndarray,
    n_groups: int,
    weights: np.ndarray,
    blocks: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return means, shape (R, n_groups), and standard errors of their differences."""
    w = np.where(np.isfinite(scores), weights, 0.0)
    s = np.where(w > 0, scores, 0.0)
    shift = (w @ s) / w.sum() if w.sum() > 0 else 0.0
    s = s - shift
    columns = np.column_stack([w, w * s, w**2, w**2 * s, w**2 * s**2])
    # One column per block holds its rows: sums over a block are matrix products too.
    inside = None if blocks is None else (blocks[:, None] == np.arange(blocks.max() + 1)) * 1.0
    means, by_rows, by_block = [], [], []
    for code in range(n_groups):
        chosen = (codes == code).astype(float)
        total, first, w2, w2s, w2ss = (chosen @ columns).T
        safe = np.where(total > 0, total, 1.0)
        mean = first / safe
        variance = (w2ss - 2 * mean * w2s + mean**2 * w2) / safe**2
        means.append(np.where(total > 0, mean + shift, np.nan))
        by_rows.append(np.where(total > 0, np.maximum(variance, 0), np.nan))
        if inside is not None:
            sums = (chosen * (w * s)) @ inside - mean[:, None] * ((chosen * w) @ inside)
            by_block.append(sums / safe[:, None])
    rows = np.column_stack(by_rows)
    variance = rows[:, :, None] + rows[:, None, :]
    if by_block:
        parts = np.stack(by_block, axis=1)
        n_blocks = parts.shape[2]
        products = parts @ parts.swapaxes(1, 2)
        own = np.diagonal(products, axis1=1, axis2=2)
        apart = np.maximum(own[:, :, None] + own[:, None, :] - 2 * products, 0.0)
        variance = np.fmax(variance, apart * n_blocks / max(n_blocks - 1, 1))
    return np.column_stack(means), np.sqrt(variance)


def _by_label(
    metric: str, data: FidelityData, codes: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Evaluate a metric that is no mean over rows for each permuted label."""
    columns = [
        evaluate(metric, data, (codes == code) * weights, only_everybody=True)[:, -1]
        for code in range(data.n_groups)
    ]
    return np.column_stack(columns)
