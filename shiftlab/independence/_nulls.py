"""Null distributions: gamma, weighted chi-square by saddlepoint, and how p-values combine."""

import numpy as np
from scipy import optimize, special

__all__ = ["cauchy_combination", "gamma_pvalue", "leading_weights", "weighted_chi_square_pvalue"]


def gamma_pvalue(statistic: float, mean: float, variance: float) -> float:
    """Upper tail of the gamma distribution with that mean and variance."""
    if not (mean > 0 and variance > 0):
        return 1.0
    return float(special.gammaincc(mean**2 / variance, max(statistic, 0.0) * mean / variance))


def leading_weights(weights: np.ndarray, squares: float) -> np.ndarray:
    """Keep the largest of decreasing weights until their squares add up to a given sum.

    Eigenvalues of a sample spread more than those of the population; the smallest carry most of
    that excess.
    """
    weights = np.maximum(weights, 0.0)
    before = np.concatenate([[0.0], np.cumsum(weights**2)[:-1]])
    return np.sqrt(np.clip(squares - before, 0.0, weights**2))


def weighted_chi_square_pvalue(statistic: float, weights: np.ndarray) -> float:
    """Upper tail of a weighted sum of independent chi-squares with one degree of freedom.

    Lugannani-Rice saddlepoint approximation; its relative error stays small far out in the tail,
    where the gamma distribution with the same variance gives too small p-values.

    References
    ----------
    .. [1] D. Kuonen, "Saddlepoint approximations for distributions of quadratic forms in normal
       variables", Biometrika 86, 1999.
    """
    weights = weights[weights > 1e-10 * max(weights.max(initial=0.0), 1e-300)]
    if not len(weights) or statistic <= 0:
        return 1.0
    scale = float(weights.sum())
    weights, x = weights / scale, statistic / scale
    if len(weights) == 1 or weights.max() > 1 - 1e-9:
        return float(special.chdtrc(1, x))
    if abs(x - 1) < 1e-4:  # the formula is 0 / 0 at the mean: interpolate over it
        lower, upper = (weighted_chi_square_pvalue(v, weights) for v in (1 - 2e-4, 1 + 2e-4))
        return lower + (upper - lower) * (x - 1 + 2e-4) / 4e-4

    def slope(t: float) -> float:
        return float((weights / (1 - 2 * t * weights)).sum()) - x

    top = 1 / (2 * weights.max())
    low = -len(weights) / (2 * x) - 1.0
    high = top * (1 - 1e-3 / (1 + x))
    while slope(high) < 0:
        high = top - (top - high) / 10
    t = optimize.brentq(slope, low, high, xtol=1e-14)
    cumulant = -0.5 * float(np.log1p(-2 * t * weights).sum())
    curvature = 2 * float(((weights / (1 - 2 * t * weights)) ** 2).sum())
    w = np.sign(t) * np.sqrt(max(2 * (t * x - cumulant), 0.0))
    v = t * np.sqrt(curvature)
    return float(np.clip(special.ndtr(-(w + np.log(v / w) / w)), 0.0, 1.0))


def cauchy_combination(pvalues: np.ndarray) -> float:
    """Combine dependent p-values by the mean of their Cauchy quantiles.

    References
    ----------
    .. [1] Y. Liu, J. Xie, "Cauchy combination test: a powerful test with analytic p-value
       calculation under arbitrary dependency structures", JASA 115, 2020.
    """
    smallest = float(pvalues.min())
    if smallest < 1e-12:  # the tangent is 1 / (pi p) there, and would overflow
        with np.errstate(divide="ignore"):
            return float(min(1.0, len(pvalues) / (1 / np.maximum(pvalues, 1e-300)).sum()))
    quantiles = np.tan(np.pi * (0.5 - np.clip(pvalues, 0.0, 1 - 1e-12)))
    return float(0.5 - np.arctan(quantiles.mean()) / np.pi)
