"""Probabilities of the hypergeometric distribution over the counts that can occur in practice."""

import numpy as np
from scipy.special import gammaln

__all__ = ["hypergeometric_window"]

#: Standard deviations kept on either side; what is left out has a probability below 1e-30.
_WIDTH = 12.0


def hypergeometric_window(
    n: int, successes: int, m: int, include: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return counts around the mean and their probabilities.

    Parameters
    ----------
    n, successes : int
        Size of the population and number of successes in it.
    m : int
        Number of rows drawn.
    include : int, optional
        A count that the window has to contain, far out as it may be.

    Returns
    -------
    counts : ndarray of int64
        Consecutive counts.
    probabilities : ndarray of float64
        They sum to 1.
    """
    low, high = max(0, m - (n - successes)), min(m, successes)
    share = successes / n
    mean = m * share
    spread = np.sqrt(m * share * (1 - share) * (n - m) / max(n - 1, 1))
    first = max(low, int(mean - _WIDTH * spread) - 20)
    last = min(high, int(mean + _WIDTH * spread) + 20)
    if include is not None:
        first, last = max(low, min(first, include)), min(high, max(last, include))
    counts = np.arange(first, last + 1, dtype=np.int64)
    logs = -(
        gammaln(counts + 1.0)
        + gammaln(successes - counts + 1.0)
        + gammaln(m - counts + 1.0)
        + gammaln(n - successes - m + counts + 1.0)
    )
    weights = np.exp(logs - logs.max())
    return counts, weights / weights.sum()
