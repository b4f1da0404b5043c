"""Measures of two blocks of cell counts, shape (block, n_cells) each: one value per row."""

import numpy as np

__all__ = [
    "chi_square",
    "cramer_v",
    "explained_entropy",
    "hellinger",
    "kl",
    "kl_effect",
    "likelihood_ratio",
    "total_variation",
]


def kl(first: np.ndarray, second: np.ndarray, pseudocount: float) -> np.ndarray:
    """Return the Kullback-Leibler divergence per row, in nats."""
    from scipy.special import rel_entr

    p, q = _shares(first + pseudocount), _shares(second + pseudocount)
    return np.asarray(rel_entr(p, q).sum(axis=1))


def total_variation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the total variation distance per row."""
    # In integers, so that ties are exact.
    n_x, n_y = int(first[0].sum()), int(second[0].sum())
    return np.asarray(np.abs(first * n_y - second * n_x).sum(axis=1) / (2 * n_x * n_y))


def hellinger(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Hellinger distance per row."""
    difference = np.sqrt(_shares(first)) - np.sqrt(_shares(second))
    return np.asarray(np.sqrt((difference**2).sum(axis=1) / 2))


def chi_square(first: np.ndarray, second: np.ndarray, from_reference: bool = False) -> np.ndarray:
    """Return Pearson's chi-square per row, with finite-population correction for a reference."""
    n_x, n_y = int(first[0].sum()), int(second[0].sum())
    if from_reference:
        expected = second * (n_x / n_y)
        return _over(first - expected, expected) * ((n_y - 1) / (n_y - n_x))
    pooled = first + second
    expected = pooled * (n_x / (n_x + n_y))
    # Both samples miss by the same counts, so the sum over y is the sum over x times n_x / n_y.
    return _over(first - expected, expected) * (1 + n_x / n_y)


def likelihood_ratio(
    first: np.ndarray, second: np.ndarray, from_reference: bool = False
) -> np.ndarray:
    """Return the likelihood-ratio G per row, with finite-population correction for a reference."""
    from scipy.special import rel_entr

    n_x, n_y = int(first[0].sum()), int(second[0].sum())
    if from_reference:
        deviance = 2 * rel_entr(first, second * (n_x / n_y)).sum(axis=1)
        return np.asarray(deviance * ((n_y - 1) / (n_y - n_x)))
    pooled = (first + second) / (n_x + n_y)
    total = rel_entr(first, n_x * pooled).sum(axis=1) + rel_entr(second, n_y * pooled).sum(axis=1)
    return np.asarray(2 * total)


def _over(difference: np.ndarray, expected: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = difference**2 / expected
    # An empty cell that was expected empty adds nothing; one that was not makes it infinite.
    return np.asarray(np.where(difference == 0, 0.0, terms).sum(axis=1))


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def kl_effect(value: float, n_x: int, n_y: int) -> float:
    """Return sqrt(1 - exp(-KL))."""
    return float(np.sqrt(-np.expm1(-max(value, 0.0))))


def cramer_v(value: float, n_x: int, n_y: int) -> float:
    """Return Cramer's V of a chi-square value."""
    return float(np.sqrt(value / (n_x + n_y)))


def explained_entropy(value: float, n_x: int, n_y: int) -> float:
    """Return the share of the entropy of the sample label that the cells explain."""
    from scipy.special import entr

    shares = np.array([n_x, n_y]) / (n_x + n_y)
    return float(value / (2 * (n_x + n_y)) / entr(shares).sum())
