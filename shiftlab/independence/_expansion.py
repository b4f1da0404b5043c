r"""Normal scores and the closed-form expansion of the Gaussian kernel on them.

A test of independence may transform each number by a strictly increasing function, and normal
scores (the normal quantile of the rank) make every column standard normal: heavy tails, units and
outliers are gone. On standard normal data the Gaussian kernel has known eigenfunctions, Hermite
polynomials under a Gaussian envelope, so features need no landmarks and nothing is drawn:

.. math:: e^{-(u-v)^2 / 2 w^2} = \sum_k \lambda_k h_k(u) h_k(v), \qquad \lambda_k \propto B^k.

The expansion is that of Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006,
section 4.3.1.
"""

from itertools import combinations, pairwise

import numpy as np
from scipy import special, stats

__all__ = ["degrees_up_to", "eigenvalue_ratio", "hermite_features", "normal_scores"]


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the standard normal quantile of each value's rank; ties share their mean rank."""
    ranks = stats.rankdata(values)
    scores = np.asarray(special.ndtri((ranks - 0.5) / len(values)))
    return scores - scores.mean()


def eigenvalue_ratio(width: float) -> float:
    """Return B, the ratio of successive eigenvalues of the Gaussian kernel of that width."""
    _, big_a, precision = _constants(width)
    return precision / big_a


def hermite_features(scores: np.ndarray, rank: int, *, width: float = 1.0) -> np.ndarray:
    """Return the first eigenfunctions, orthonormal under the standard normal, shape (n, rank)."""
    c, _, _ = _constants(width)
    t = np.sqrt(2 * c) * scores
    # By degree first: the recursion runs along contiguous memory.
    out = np.empty((rank, len(scores)))
    out[0] = (4 * c) ** 0.25 * np.exp(-(c - 0.25) * scores * scores)
    if rank > 1:
        out[1] = np.sqrt(2.0) * t * out[0]
    for k in range(1, rank - 1):
        out[k + 1] = np.sqrt(2 / (k + 1)) * t * out[k] - np.sqrt(k / (k + 1)) * out[k - 1]
    return out.T


def degrees_up_to(n_variables: int, n_features: int) -> np.ndarray:
    """Return degrees of products of eigenfunctions, all of a total degree before the next.

    Shape (m, n_variables) with m at most `n_features` (but all products of degree 1 at least).
    """
    chosen: list[tuple[int, ...]] = []
    total = 0
    while True:
        bars = combinations(range(total + n_variables - 1), n_variables - 1)
        layer = [_gaps(cut, total + n_variables - 1) for cut in bars]
        if total > 1 and len(chosen) + len(layer) > n_features:
            return np.array(chosen)
        chosen += layer
        total += 1


def _gaps(cuts: tuple[int, ...], end: int) -> tuple[int, ...]:
    edges = (-1, *cuts, end)
    return tuple(b - a - 1 for a, b in pairwise(edges))


def _constants(width: float) -> tuple[float, float, float]:
    """Return c, A = a + b + c and b of the expansion; a = 1/4 for the standard normal."""
    b = 1 / (2 * width * width)
    c = float(np.sqrt(1 / 16 + b / 2))
    return c, 0.25 + b + c, b
