"""What a strategy may ask of the training environments, for a squared or a logistic loss.

Both losses offer the same five questions: pooled fits of subsets, risks of common coefficients,
risks of one coefficient vector per environment with their gradient, and the fit of coefficients
that move with regressors of the environment. Strategies are written against these alone.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from shiftlab.adaptation._gram import Moments
from shiftlab.adaptation._subsets import SINGULAR, solve_subsets

__all__ = [
    "Problem",
    "SquaredProblem",
    "solve_varying",
    "varying_normal",
]


class Problem(Protocol):
    """Training environments seen through a loss."""

    @property
    def n_coefficients(self) -> int:
        """Length of a coefficient vector, the intercept first."""

    def __len__(self) -> int:
        """Return the number of environments."""

    def take(self, environments: np.ndarray) -> "Problem":
        """Keep some environments."""

    def fit_subsets(self, columns: np.ndarray) -> np.ndarray:
        """Pooled coefficients of each set of columns, shape (K, q)."""

    def risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Risk of common coefficients, shape (E, K)."""

    def own_risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Risk of each environment's own coefficients, shape (E,)."""

    def own_gradient(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Risks and their gradients, shapes (E,) and (E, q)."""

    def fit_varying(
        self, regressors: np.ndarray, penalties: np.ndarray, used: np.ndarray
    ) -> list[np.ndarray]:
        """Coefficients of used columns that move with regressors: (1 + d, used) per penalty."""

    def shares(self) -> np.ndarray:
        """Weight of each environment in pooled fits; sums to 1."""


@dataclass(frozen=True)
class SquaredProblem:
    """Squared loss, from second moments alone.

    Attributes
    ----------
    moments : Moments
        Of (1, x, y), x standardised.
    weight : ndarray of shape (E,)
        Weight of each environment in pooled fits.
    """

    moments: Moments
    weight: np.ndarray

    @property
    def n_coefficients(self) -> int:
        """Length of a coefficient vector, the intercept first."""
        return int(self.moments.gram.shape[1])

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, environments: np.ndarray) -> "SquaredProblem":
        """Keep some environments."""
        return SquaredProblem(self.moments.take(environments), self.weight[environments])

    def shares(self) -> np.ndarray:
        """Weight of each environment in pooled fits; sums to 1."""
        return np.asarray(self.weight / self.weight.sum())

    def fit_subsets(self, columns: np.ndarray) -> np.ndarray:
        """Pooled least-squares coefficients of each set of columns."""
        return solve_subsets(*self.moments.pooled(self.weight), columns)

    def risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean squared error of common coefficients."""
        return self.moments.all_risks(coefficients)

    def own_risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean squared error of each environment's own coefficients."""
        return self.moments.risks(coefficients)

    def own_gradient(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared errors and their gradients."""
        product = np.einsum("eij,ej->ei", self.moments.gram, coefficients)
        risks = self.moments.square + ((product - 2 * self.moments.cross) * coefficients).sum(1)
        return risks, 2 * (product - self.moments.cross)

    def fit_varying(
        self, regressors: np.ndarray, penalties: np.ndarray, used: np.ndarray
    ) -> list[np.ndarray]:
        """Minimise the weighted risks plus a ridge on how coefficients move."""
        phi = np.column_stack([np.ones(len(regressors)), regressors])
        gram = self.moments.gram[:, used[:, None], used]
        normal = varying_normal(phi, gram, self.shares())
        right = (phi * self.shares()[:, None]).T @ self.moments.cross[:, used]
        return solve_varying(normal, right, penalties)


def varying_normal(phi: np.ndarray, gram: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Sum of share * (phi phi') (x) gram over environments, as a square matrix."""
    d, q = phi.shape[1], gram.shape[1]
    i, j = np.triu_indices(d)
    upper = (phi[:, i] * phi[:, j] * share[:, None]).T @ gram.reshape(len(gram), -1)
    blocks = np.empty((d, d, q, q))
    blocks[i, j] = upper.reshape(-1, q, q)
    blocks[j, i] = blocks[i, j]
    return np.asarray(blocks.transpose(0, 2, 1, 3).reshape(d * q, d * q))


def solve_varying(normal: np.ndarray, right: np.ndarray, penalties: np.ndarray) -> list[np.ndarray]:
    """Solve for every penalty; the first row, what all environments share, is not penalised."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    d, q = right.shape
    flat = right.ravel()
    own = np.zeros(d * q)
    own[q:] = 1.0
    own[1:q] = SINGULAR * 1e-2  # collinear columns: the shortest of equal solutions
    found = []
    for penalty in penalties:
        ridge = normal.copy()
        ridge[range(d * q), range(d * q)] += own * np.where(np.arange(d * q) < q, 1.0, penalty)
        try:
            solution = cho_solve(cho_factor(ridge), flat)
        except LinAlgError:  # singular to working precision: the shortest of equal solutions
            solution = np.linalg.lstsq(ridge, flat, rcond=None)[0]
        found.append(solution.reshape(d, q))
    return found
