"""Two-valued outcomes: the logistic loss behind the same interface as the squared loss."""

from dataclasses import dataclass

import numpy as np

from shiftlab._core.validation import Labels
from shiftlab.adaptation._gram import build_moments
from shiftlab.adaptation._problem import solve_varying, varying_normal
from shiftlab.adaptation._subsets import SINGULAR

__all__ = ["LogisticProblem"]

#: Newton steps of one fit, and the change at which they stop.
MOST_STEPS, TOLERANCE = 12, 1e-8
#: Newton steps of each penalty; the next penalty starts where the last one ended.
STEPS_PER_PENALTY = 3
#: Ridge in units of the mean loss: keeps coefficients finite where classes are separable.
RIDGE = 1e-6
SMALLEST_WEIGHT = 1e-5


@dataclass(frozen=True)
class LogisticProblem:
    """Logistic loss, from rows sorted by environment.

    Attributes
    ----------
    Z : ndarray of shape (n, q)
        Rows (1, x), x standardised.
    y : ndarray of shape (n,)
        0 or 1.
    codes : ndarray of int, shape (n,)
        Environment of each row, ascending.
    row_weight : ndarray of shape (n,)
        Weights of rows; within an environment they sum to 1.
    weight : ndarray of shape (E,)
        Weight of each environment in pooled fits.
    """

    Z: np.ndarray
    y: np.ndarray
    codes: np.ndarray
    row_weight: np.ndarray
    weight: np.ndarray

    @property
    def n_coefficients(self) -> int:
        """Length of a coefficient vector, the intercept first."""
        return int(self.Z.shape[1])

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, environments: np.ndarray) -> "LogisticProblem":
        """Keep some environments."""
        environments = np.sort(environments)
        place = np.full(len(self.weight), -1)
        place[environments] = np.arange(len(environments))
        new = place[self.codes]
        kept = new >= 0
        return LogisticProblem(
            self.Z[kept], self.y[kept], new[kept], self.row_weight[kept],
            self.weight[environments],
        )  # fmt: skip

    def shares(self) -> np.ndarray:
        """Weight of each environment in pooled fits; sums to 1."""
        return np.asarray(self.weight / self.weight.sum())

    def fit_subsets(self, columns: np.ndarray) -> np.ndarray:
        """Pooled logistic coefficients of each set of columns, by Newton's method."""
        weight = self.row_weight * self.shares()[self.codes]
        fitted = np.zeros(columns.shape)
        for k, used in enumerate(columns):
            fitted[k, used] = self._newton(self.Z[:, used], weight)
        return fitted

    def _newton(self, Z: np.ndarray, weight: np.ndarray) -> np.ndarray:
        vector = np.zeros(Z.shape[1])
        ridge = RIDGE * np.append(0.0, np.ones(Z.shape[1] - 1))
        for _ in range(MOST_STEPS):
            p = _expit(Z @ vector)
            w = np.maximum(p * (1 - p), SMALLEST_WEIGHT) * weight
            slope = Z.T @ (weight * (self.y - p)) - ridge * vector
            step = np.linalg.solve((Z * w[:, None]).T @ Z + np.diag(ridge + SINGULAR), slope)
            vector = vector + np.clip(step, -4.0, 4.0)
            if np.abs(step).max() < TOLERANCE:
                break
        return vector

    def risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Log-loss of common coefficients."""
        scores = self.Z @ coefficients.T
        return self._mean(_log_loss(scores, self.y[:, None]))

    def own_risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Log-loss of each environment's own coefficients."""
        return np.asarray(self._mean(_log_loss(self._scores(coefficients), self.y)[:, None])[:, 0])

    def own_gradient(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-losses and their gradients."""
        scores = self._scores(coefficients)
        slope = self._mean((_expit(scores) - self.y)[:, None] * self.Z)
        return self._mean(_log_loss(scores, self.y)[:, None])[:, 0], slope

    def fit_varying(
        self, regressors: np.ndarray, penalties: np.ndarray, used: np.ndarray
    ) -> list[np.ndarray]:
        """Coefficients that move with regressors, from the strongest penalty to the weakest."""
        phi = np.column_stack([np.ones(len(regressors)), regressors])
        columns = np.zeros((1, self.n_coefficients), dtype=bool)
        columns[0, used] = True
        theta = np.zeros((phi.shape[1], len(used)))
        theta[0] = self.fit_subsets(columns)[0, used]
        Z = self.Z[:, used]
        labels = Labels("", self.codes, tuple(range(len(self))))
        found: dict[float, np.ndarray] = {}
        for penalty in sorted(penalties, reverse=True)[::2]:
            for _ in range(STEPS_PER_PENALTY):
                theta, moved = self._varying_step(phi, Z, theta, float(penalty), labels)
                if moved < 1e-4:
                    break
            found[float(penalty)] = theta
        nearest = [min(found, key=lambda p: abs(np.log(p / penalty))) for penalty in penalties]
        return [found[p] for p in nearest]

    def _varying_step(
        self, phi: np.ndarray, Z: np.ndarray, theta: np.ndarray, penalty: float, labels: Labels
    ) -> tuple[np.ndarray, float]:
        """Take one step of iteratively reweighted least squares."""
        vectors = phi @ theta
        scores = np.clip((Z * vectors[self.codes]).sum(axis=1), -15, 15)
        p = _expit(scores)
        w = np.maximum(p * (1 - p), SMALLEST_WEIGHT)
        target = scores + (self.y - p) / w
        moments = build_moments(Z[:, 1:], target, labels, w * self.row_weight)
        gram = moments.gram * moments.weight[:, None, None]
        cross = moments.cross * moments.weight[:, None]
        share = self.shares()
        # Squared loss has curvature 2, logistic loss at most 1/4: penalties are made comparable.
        normal = varying_normal(phi, gram, share)
        right = (phi * share[:, None]).T @ cross
        new = solve_varying(normal, right, np.array([penalty / 4]))[0]
        return new, float(np.abs(new - theta).max())

    def _scores(self, coefficients: np.ndarray) -> np.ndarray:
        return np.asarray((self.Z * coefficients[self.codes]).sum(axis=1))

    def _mean(self, values: np.ndarray) -> np.ndarray:
        starts = np.searchsorted(self.codes, np.arange(len(self)))
        return np.asarray(np.add.reduceat(values * self.row_weight[:, None], starts, axis=0))


def _expit(values: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(values))


def _log_loss(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp(0.0, scores) - y * scores)
