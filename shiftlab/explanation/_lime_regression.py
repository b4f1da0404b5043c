"""Weighted ridge regressions that share one design: factored once, applied to many responses."""

from dataclasses import dataclass
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
    """The linear operator from responses at the perturbations to the slopes of the surrogate.

    Attributes
    ----------
    operator : ndarray of shape (p, S)
        Slopes are ``operator @ responses``.
    gram : ndarray of shape (p, p)
        Weighted covariance of the design.
    deviations : ndarray of shape (S, p)
        Design minus its weighted mean.
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

    operator: np.ndarray
    gram: np.ndarray
    deviations: np.ndarray
    at_row: np.ndarray
    weights: np.ndarray
    ridge: float
    n_pairs: int
    quadratic: "LocalRegression | None" = None

    @property
    def effective_samples(self) -> float:
        """Kish's effective number of perturbations."""
        return float(1.0 / (self.weights**2).sum())

    def fit(self, responses: np.ndarray, *, with_variance: bool = True) -> LocalFit:
        """Fit one surrogate per row of `responses`, of shape (n, S)."""
        coef, mean = responses @ self.operator.T, responses @ self.weights
        centre = mean + coef @ self.at_row
        richer = np.full(len(mean), np.nan)
        if self.quadratic is not None:
            richer = mean + responses @ (self.quadratic.at_row @ self.quadratic.operator)
        centred = responses - mean[:, None]
        total = centred**2 @ self.weights
        # The normal equations give the residual without the fitted values.
        explained = ((coef @ self.gram) * coef).sum(axis=1) + 2 * self.ridge * (coef**2).sum(axis=1)
        residual = np.maximum(total - explained, 0.0)
        variance = np.full(coef.shape, np.nan)
        if with_variance:
            variance = self._variance(centred - coef @ self.deviations.T)
        return LocalFit(coef, centre, total, residual, variance, richer)

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
        Coordinates of the perturbations.
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
    mean = w @ design
    deviations = design - mean
    weighted = deviations * w[:, None]
    gram = weighted.T @ deviations
    operator = np.linalg.solve(gram + ridge * np.eye(len(gram)), weighted.T)
    return LocalRegression(operator, gram, deviations, at_row - mean, w, ridge, n_pairs)
