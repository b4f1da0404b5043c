"""Balanced uniform draws: randomised orthogonal arrays of strength two.

Among q * q draws every column has q values in each of q strata, and every pair of columns one in
each of the q * q cells. Whatever the model is of one column, or of one column given another, is
then averaged over evenly by design instead of on average; only its higher interactions leave noise.
"""

from itertools import combinations

import numpy as np

__all__ = ["balanced_draws", "interaction_noise"]

#: Strata whose means say what the model is of one column, and of a column beside another.
MOST_STRATA, MOST_TOGETHER = 16, 4


def balanced_draws(n_rows: int, n_columns: int, rng: np.random.Generator) -> np.ndarray:
    """Draw uniform numbers on [0, 1).

    Rows beyond the largest square of a prime, and all rows if there are more columns than such an
    array can have, are balanced by column only (Latin hypercube).

    Parameters
    ----------
    n_rows, n_columns : int
        Shape of the result.
    rng : Generator
        Source of the draws.

    References
    ----------
    Owen, A. B. (1992). Orthogonal arrays for computer experiments, integration and visualization.
    Statistica Sinica 2, 439-452.
    """
    q = _prime_at_most(int(np.sqrt(n_rows)))
    draws = np.empty((n_rows, n_columns))
    n_array = q * q if n_columns <= q + 1 else 0
    if n_array:
        row, column = np.divmod(np.arange(n_array), q)
        for k, factor in enumerate(rng.permutation(q + 1)[:n_columns]):
            level = column if factor == q else (row + factor * column) % q
            draws[:n_array, k] = (rng.permutation(q)[level] + rng.random(n_array)) / q
    rest = n_rows - n_array
    for k in range(n_columns):
        draws[n_array:, k] = (rng.permutation(rest) + rng.random(rest)) / max(rest, 1)
    return draws


def interaction_noise(response: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return what balanced draws leave random of a response, for the effect of each column.

    For the effect of column j that is the response without the effects of each column on its own
    and without those of j together with any other one. Squares are scaled up for the means that
    were taken out.

    Returns
    -------
    ndarray of shape (n, d)
    """
    n, d = draws.shape
    alone = _strata(draws, int(np.clip(n // (4 * d), 2, MOST_STRATA)))
    left = response - response.mean()
    left = left - sum(_stratum_means(left, stratum) for stratum in alone)
    n_together = int(np.clip(1 + np.sqrt(n / (4 * d)), 2, MOST_TOGETHER))
    together = _strata(draws, n_together)
    noise = np.repeat(left[:, None], d, axis=1)
    for j, k in combinations(range(d), 2):
        means = _stratum_means(left, together[j] * n_together + together[k])
        noise[:, j] -= means
        noise[:, k] -= means
    taken = 1 + d * (alone.max() if d else 0) + (d - 1) * (n_together - 1) ** 2
    return np.asarray(noise * np.sqrt(n / max(n - taken, 1)))


def _strata(draws: np.ndarray, n_strata: int) -> np.ndarray:
    return np.ascontiguousarray((draws * n_strata).astype(np.intp).T)


def _stratum_means(values: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    counts = np.maximum(np.bincount(stratum), 1)
    return np.asarray((np.bincount(stratum, values) / counts)[stratum])


def _prime_at_most(n: int) -> int:
    while n > 2 and any(n % k == 0 for k in range(2, int(np.sqrt(n)) + 1)):
        n -= 1
    return max(n, 1)
