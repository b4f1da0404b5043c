r"""Normal scores and the closed-form expansion of the Gaussian kernel on them.

A test of independence may transform each number by a strictly increasing function, and normal
scores (the normal quantile of the rank) make every column standard normal: heavy tails, units and
outliers are gone. On standard normal data the Gaussian kernel has known eigenfunctions, Hermite
polynomials under a Gaussian envelope, so features need no landmarks and nothing is drawn:

.. math:: e^{-(u-v)^2 / 2 w^2} = \sum_k \lambda_k h_k(u) h_k(v), \qquad \lambda_k \propto B^k.

The expansion is that of Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006,
section 4.3.1.
"""

from functools import lru_cache
from itertools import combinations, pairwise

import numpy as np
from scipy import special, stats

__all__ = [
    "degrees_up_to",
    "eigenvalue_ratio",
    "hermite_features",
    "hermite_slopes",
    "normal_scores",
    "rank_for",
]

#: What each further variable adds to the complexity of a product.
INTERACTION = 1


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the standard normal quantile of each value's rank; ties share their mean rank."""
    ranks = stats.rankdata(values)
    scores = np.asarray(special.ndtri((ranks - 0.5) / len(values)))
    return scores - scores.mean()


def eigenvalue_ratio(width: float) -> float:
    """Return B, the ratio of successive eigenvalues of the Gaussian kernel of that width."""
    _, big_a, precision = _constants(width)
    return precision / big_a


def rank_for(n_rows: int) -> int:
    """Return how many functions of one number so many rows can tell apart."""
    return int(np.clip(16 * (n_rows / 1000) ** 0.3, 16, 40))


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


def hermite_slopes(scores: np.ndarray, rank: int, *, width: float = 1.0) -> np.ndarray:
    """Return the derivatives of the first eigenfunctions, shape (n, rank)."""
    c, _, _ = _constants(width)
    values = hermite_features(scores, rank, width=width)
    slopes = -2 * (c - 0.25) * scores[:, None] * values
    slopes[:, 1:] += 2 * np.sqrt(c * np.arange(1, rank)) * values[:, :-1]
    return slopes


@lru_cache(maxsize=64)
def degrees_up_to(n_variables: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose products of eigenfunctions, all of one complexity before the next.

    The complexity of a product is its total degree plus 1 for each further variable in it, so
    that a function of one variable is followed to higher degrees than an interaction.

    Returns degrees of shape (m, n_variables) and complexities of shape (m,), the constant first;
    m is at most `n_features`, but everything of complexity 1 is there.
    """
    chosen: list[tuple[int, ...]] = []
    costs: list[int] = []
    cost = 0
    while True:
        layer = _products(n_variables, cost)
        if cost > 1 and len(chosen) + len(layer) > n_features:
            found = np.array(chosen), np.array(costs)
            for part in found:  # shared by every caller
                part.setflags(write=False)
            return found
        chosen += layer
        costs += [cost] * len(layer)
        cost += 1


def _products(n_variables: int, cost: int) -> list[tuple[int, ...]]:
    """Return the degrees of all products of one complexity."""
    if cost == 0:
        return [(0,) * n_variables]
    found = []
    for size in range(1, n_variables + 1):
        total = cost - INTERACTION * (size - 1)
        if total < size:
            break
        cuts = [(0, *cut, total) for cut in combinations(range(1, total), size - 1)]
        for members in combinations(range(n_variables), size):
            for cut in cuts:
                degrees = [0] * n_variables
                for variable, (low, high) in zip(members, pairwise(cut), strict=True):
                    degrees[variable] = high - low
                found.append(tuple(degrees))
    return found


def _constants(width: float) -> tuple[float, float, float]:
    """Return c, A = a + b + c and b of the expansion; a = 1/4 for the standard normal."""
    b = 1 / (2 * width * width)
    c = float(np.sqrt(1 / 16 + b / 2))
    return c, 0.25 + b + c, b
