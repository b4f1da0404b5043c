"""What a strategy may ask of the training environments, for a squared or a logistic loss.

Both losses offer the same questions: pooled fits of subsets, risks of common coefficients, risks of
one coefficient vector per environment with their gradient, and the fit of coefficients that move
with regressors of the environment. Strategies are written against these alone.

A coefficient vector holds the intercept and the slopes of each score one after the other; numbers
and two classes have one score, more classes one for each.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from shiftlab.adaptation._gram import Moments
from shiftlab.adaptation._subsets import SINGULAR, solve_subsets

__all__ = [
    "Problem",
    "SquaredProblem",
    "pair_products",
    "solve_varying",
    "varying_normal",
]

#: Batches drawn from each environment for each batch size, where risks are those of all its rows.
DRAWS = 2


class Problem(Protocol):
    """Training environments seen through a loss."""

    @property
    def n_scores(self) -> int:
        """Scores of a row."""

    @property
    def n_coefficients(self) -> int:
        """Length of a coefficient vector."""

    @property
    def n_draws(self) -> int:
        """Batches to draw from each environment for a batch size."""

    def __len__(self) -> int:
        """Return the number of environments."""

    def take(self, environments: np.ndarray) -> "Problem":
        """Keep some environments."""

    def fit_subsets(self, columns: np.ndarray) -> np.ndarray:
        """Pooled coefficients of each set of columns, shape (K, n_coefficients)."""

    def risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Risk of common coefficients, shape (E, K)."""

    def own_risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Risk of each environment's own coefficients, shape (E,)."""

    def own_gradient(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Risks and their gradients, shapes (E,) and (E, n_coefficients)."""

    def fit_varying(
        self, regressors: np.ndarray, penalties: np.ndarray, used: np.ndarray
    ) -> list[np.ndarray]:
        """Coefficients of used columns that move with regressors, one array per penalty.

        The shape is (1 + d, n_coefficients); row 0 is what all environments share.
        """

    def standardised(self) -> tuple["Problem", float, float]:
        """Return the problem in standard units of the outcome, rounded, its centre and scale."""

    def squared(self) -> list["SquaredProblem"]:
        """Return squared losses that tell which settings are worth fitting; none if it is one."""

    def redrawn(self, rows: np.ndarray, codes: np.ndarray, origin: np.ndarray) -> "Problem":
        """Return the problem of batches: their rows, the batch of each, the environment of each."""

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
    def n_scores(self) -> int:
        """One: the prediction."""
        return 1

    @property
    def n_coefficients(self) -> int:
        """Length of a coefficient vector, the intercept first."""
        return int(self.moments.gram.shape[1])

    @property
    def n_draws(self) -> int:
        """Few, since each is judged by all rows of its environment."""
        return DRAWS

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
        normal = varying_normal(pair_products(phi), gram, self.shares())
        right = (phi * self.shares()[:, None]).T @ self.moments.cross[:, used]
        found = []
        for theta in solve_varying(normal, right, penalties):
            full = np.zeros((len(theta), self.n_coefficients))
            full[:, used] = theta
            found.append(full)
        return found

    def standardised(self) -> tuple["SquaredProblem", float, float]:
        """Return the problem with a pooled outcome of mean 0 and variance 1, rounded."""
        share = self.shares()
        centre = float(share @ self.moments.cross[:, 0])
        scale = float(np.sqrt(max(share @ self.moments.square - centre**2, 0.0))) or 1.0
        moments = self.moments.with_outcome(centre, scale).rounded()
        return replace(self, moments=moments), centre, scale

    def squared(self) -> list["SquaredProblem"]:
        """Nothing is quicker."""
        return []

    def redrawn(self, rows: np.ndarray, codes: np.ndarray, origin: np.ndarray) -> "SquaredProblem":
        """Judge each batch by all rows of its environment."""
        return self.take(origin)


def pair_products(phi: np.ndarray) -> np.ndarray:
    """Products of the columns of phi, one per pair."""
    i, j = np.triu_indices(phi.shape[1])
    return np.asarray(phi[:, i] * phi[:, j])


def varying_normal(products: np.ndarray, gram: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Sum of share * (phi phi') (x) gram over environments, as a square matrix."""
    d, q = int(np.sqrt(2 * products.shape[1])), gram.shape[1]
    i, j = np.triu_indices(d)
    upper = products.T @ (gram.reshape(len(gram), -1) * share[:, None])
    blocks = np.empty((d, q, d, q))
    each = upper.reshape(-1, q, q)
    blocks[i, :, j] = each
    blocks[j, :, i] = each
    return blocks.reshape(d * q, d * q)


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
