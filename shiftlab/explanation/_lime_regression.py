"""Weighted ridge regressions that share one design: factored once, applied to many responses."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

__all__ = ["LocalFit", "LocalRegression", "make_regression"]


class LocalFit(NamedTuple):
    """Surrogates of n rows.

    Attributes
    ----------
    coef : ndarray of shape (n, p)
        Slopes in the coordinates of the design.
    centre : ndarray of shape (n,)
        Surrogate at the explained row.
    total, residual : ndarray of shape (n,)
        Weighted sums of squares around the mean and around the surrogate.
    variance : ndarray of shape (n, p)
        Monte-Carlo variance of the slopes.
    quadratic : ndarray of shape (n,)
        What a surrogate with squares and products says at the explained row; NaN unless asked for.
    """

    coef: np.ndarray
    centre: np.ndarray
    total: np.ndarray
    residual: np.ndarray
    variance: np.ndarray
    quadratic: np.ndarray


@dataclass(frozen=True)
class LocalRegression:
    """The linear map from responses at the perturbations to the slopes of the surrogate.

    Attributes
    ----------
    design : ndarray of shape (S, p)
        Coordinates of the perturbations.
    weighted : ndarray of shape (S, p)
        Design times weights.
    mean : ndarray of shape (p,)
        Weighted mean of the design.
    gram, inverse : ndarray of shape (p, p)
        Weighted covariance of the design, and the inverse of it with the penalty on its diagonal.
    at_row : ndarray of shape (p,)
        Design of the explained row minus the weighted mean.
    weights : ndarray of shape (S,)
        Kernel weights, summing to one.
    ridge : float
        Penalty, on the scale of normalised weights.
    n_pairs : int
        The last 2 * n_pairs rows are antithetic: row s and row s + n_pairs belong together.
    quadratic : LocalRegression or None
        The same with squares and products as further columns, where it is asked for.
    """

    design: np.ndarray
    weighted: np.ndarray
    mean: np.ndarray
    gram: np.ndarray
    inverse: np.ndarray
    at_row: np.ndarray
    weights: np.ndarray
    ridge: float
    n_pairs: int
    quadratic: "LocalRegression | None" = None

    @property
    def effective_samples(self) -> float:
        """Kish's effective number of perturbations."""
        return float(1.0 / (self.weights**2).sum())

    @cached_property
    def operator(self) -> np.ndarray:
        """Slopes are this matrix, of shape (p, S), times the responses."""
        return self.inverse @ (self.weighted - self.weights[:, None] * self.mean).T

    def slopes(self, responses: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Return the slopes for responses of shape (n, S) with the given weighted means."""
        return np.asarray((responses @ self.weighted - mean[:, None] * self.mean) @ self.inverse)

    def fit(self, responses: np.ndarray, *, with_variance: bool = True) -> LocalFit:
        """Fit one surrogate per row of `responses`, of shape (n, S)."""
        mean = responses @ self.weights
        coef = self.slopes(responses, mean)
        richer = np.full(len(mean), np.nan)
        if self.quadratic is not None:
            richer = mean + self.quadratic.slopes(responses, mean) @ self.quadratic.at_row
        centred = responses - mean[:, None]
        total = np.einsum("ns,ns,s->n", centred, centred, self.weights)
        # The normal equations give the residual without the fitted values.
        explained = ((coef @ self.gram) * coef).sum(axis=1) + 2 * self.ridge * (coef**2).sum(axis=1)
        residual = np.maximum(total - explained, 0.0)
        variance = np.full(coef.shape, np.nan)
        if with_variance:
            centred += (coef @ self.mean)[:, None]
            variance = self._variance(centred - coef @ self.design.T)
        return LocalFit(coef, mean + coef @ self.at_row, total, residual, variance, richer)

    def _variance(self, error: np.ndarray) -> np.ndarray:
        """Sandwich estimate; the two perturbations of an antithetic pair are one draw."""
        variance = error**2 @ (self.operator**2).T
        h, p = self.n_pairs, len(self.at_row)
        if h:
            first, second = slice(-2 * h, -h), slice(-h, None)
            joint = self.operator[:, first] * self.operator[:, second]
            variance += 2 * (error[:, first] * error[:, second]) @ joint.T
        n_draws = error.shape[1] - h
        return np.maximum(variance, 0.0) * (n_draws / max(n_draws - p - 1, 1))


def make_regression(
    design: np.ndarray, at_row: np.ndarray, weights: np.ndarray, ridge: float, n_pairs: int
) -> LocalRegression:
    """Factor a design.

    Parameters
    ----------
    design : ndarray of shape (S, p)
        Coordinates of the perturbations, of the order of one.
    at_row : ndarray of shape (p,)
        Coordinates of the explained row.
    weights : ndarray of shape (S,)
        Kernel weights.
    ridge : float
        Penalty of the squared slopes, on the scale of the given weights.
    n_pairs : int
        Number of antithetic pairs at the end of the design.

    Returns
    -------
    LocalRegression
    """
    total = weights.sum()
    w, ridge = weights / total, ridge / total
    weighted = design * w[:, None]
    mean = weighted.sum(axis=0)
    gram = weighted.T @ design - np.outer(mean, mean)
    gram = (gram + gram.T) / 2
    inverse = np.linalg.inv(gram + ridge * np.eye(len(gram)))
    return LocalRegression(design, weighted, mean, gram, inverse, at_row - mean, w, ridge, n_pairs)
