"""Classes as outcomes: the logistic loss behind the same interface as the squared loss."""

from dataclasses import dataclass, replace

import numpy as np

from shiftlab._core.validation import Labels
from shiftlab.adaptation._gram import Moments, build_moments
from shiftlab.adaptation._order import rounded
from shiftlab.adaptation._problem import (
    SquaredProblem,
    pair_products,
    solve_varying,
    varying_normal,
)
from shiftlab.adaptation._subsets import SINGULAR

__all__ = ["LogisticProblem"]

#: Newton steps of one fit, and the change at which they stop.
MOST_STEPS, TOLERANCE = 25, 1e-10
#: Newton steps of each penalty; the next penalty starts where the last one ended.
STEPS_PER_PENALTY = 3
#: Ridge in units of the mean loss: keeps coefficients finite where classes are separable.
RIDGE = 1e-6
SMALLEST_WEIGHT = 1e-5
#: Batches drawn from each environment for a batch size; each is judged by its own few rows.
DRAWS = 8


@dataclass(frozen=True)
class LogisticProblem:
    """Logistic loss, from rows sorted by environment.

    Attributes
    ----------
    Z : ndarray of shape (n, q)
        Rows (1, x), x standardised.
    y : ndarray of shape (n, scores)
        For two classes one column, 0 or 1; for more classes one column of 0 and 1 for each.
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
    def n_scores(self) -> int:
        """One score for two classes, else one for each class."""
        return int(self.y.shape[1])

    @property
    def n_coefficients(self) -> int:
        """Length of a coefficient vector: intercept and slopes of each score in turn."""
        return int(self.Z.shape[1] * self.n_scores)

    @property
    def n_draws(self) -> int:
        """Many, since each is judged by its own few rows."""
        return DRAWS

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, environments: np.ndarray) -> "LogisticProblem":
        """Keep some environments, in the given order."""
        bounds = np.searchsorted(self.codes, np.arange(len(self) + 1))
        counts = np.diff(bounds)[environments]
        rows = np.concatenate(
            [np.arange(bounds[e], bounds[e + 1]) for e in environments] or [np.zeros(0, dtype=int)]
        )
        return LogisticProblem(
            self.Z[rows], self.y[rows], np.repeat(np.arange(len(environments)), counts),
            self.row_weight[rows], self.weight[environments],
        )  # fmt: skip

    def redrawn(self, rows: np.ndarray, codes: np.ndarray, origin: np.ndarray) -> "LogisticProblem":
        """Judge each batch by its own rows."""
        weight = np.maximum(self.row_weight[rows], 1e-300)
        total = np.bincount(codes, weights=weight, minlength=len(origin))
        return LogisticProblem(
            self.Z[rows], self.y[rows], codes, weight / total[codes], self.weight[origin]
        )

    def standardised(self) -> tuple["LogisticProblem", float, float]:
        """Log-odds have their unit; the rows are rounded."""
        return replace(self, Z=rounded(self.Z)), 0.0, 1.0

    def squared(self) -> list[SquaredProblem]:
        """Squared losses of the columns of y: quick to fit, for a first look."""
        labels = Labels("", self.codes, tuple(range(len(self))))
        return [
            SquaredProblem(build_moments(self.Z[:, 1:], y, labels, self.row_weight), self.weight)
            for y in self.y.T
        ]

    def shares(self) -> np.ndarray:
        """Weight of each environment in pooled fits; sums to 1."""
        return np.asarray(self.weight / self.weight.sum())

    def fit_subsets(self, columns: np.ndarray) -> np.ndarray:
        """Pooled logistic coefficients of each set of columns, by Newton's method."""
        weight = self.row_weight * self.shares()[self.codes]
        fitted = np.zeros((len(columns), self.n_scores, columns.shape[1]))
        for k, used in enumerate(columns):
            fitted[k][:, used] = self._newton(self.Z[:, used], weight)
        return fitted.reshape(len(columns), -1)

    def _newton(self, Z: np.ndarray, weight: np.ndarray) -> np.ndarray:
        c, q = self.n_scores, Z.shape[1]
        vectors = np.zeros((c, q))
        ridge = np.tile(RIDGE * np.append(0.0, np.ones(q - 1)), c)
        for _ in range(MOST_STEPS):
            p = _probabilities(Z @ vectors.T)
            slope = ((self.y - p) * weight[:, None]).T @ Z
            hessian = _curvature(Z, p, weight)
            hessian[range(c * q), range(c * q)] += ridge + SINGULAR
            step = np.linalg.solve(hessian, slope.ravel() - ridge * vectors.ravel()).reshape(c, q)
            if c > 1:  # adding the same to all scores changes nothing
                step -= step.mean(axis=0)
            vectors = vectors + np.clip(step, -4.0, 4.0)
            if np.abs(step).max() < TOLERANCE:
                break
        return vectors

    def risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Log-loss of common coefficients."""
        parts = coefficients.reshape(len(coefficients), self.n_scores, -1)
        losses = [_log_loss(self.Z @ part.T, self.y) for part in parts]
        return self._mean(np.column_stack(losses))

    def own_risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Log-loss of each environment's own coefficients."""
        return self._mean(_log_loss(self._scores(coefficients), self.y)[:, None])[:, 0]

    def own_gradient(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-losses and their gradients."""
        scores = self._scores(coefficients)
        error = _probabilities(scores) - self.y
        slope = self._mean((error[:, :, None] * self.Z[:, None, :]).reshape(len(self.Z), -1))
        return self._mean(_log_loss(scores, self.y)[:, None])[:, 0], slope

    def fit_varying(
        self, regressors: np.ndarray, penalties: np.ndarray, used: np.ndarray
    ) -> list[np.ndarray]:
        """Coefficients that move with regressors, from the strongest penalty to the weakest."""
        phi = np.column_stack([np.ones(len(regressors)), regressors])
        columns = np.zeros((1, self.Z.shape[1]), dtype=bool)
        columns[0, used] = True
        theta = np.zeros((phi.shape[1], self.n_scores, self.Z.shape[1]))
        theta[0] = self.fit_subsets(columns).reshape(self.n_scores, -1)
        products = pair_products(phi)
        found: dict[float, np.ndarray] = {}
        for penalty in sorted(penalties, reverse=True):
            for _ in range(STEPS_PER_PENALTY):
                theta, moved = self._varying_step(phi, products, theta, float(penalty), used)
                if moved < 1e-4:
                    break
            found[float(penalty)] = theta.reshape(len(theta), -1)
        return [found[float(penalty)] for penalty in penalties]

    def _varying_step(
        self,
        phi: np.ndarray,
        products: np.ndarray,
        theta: np.ndarray,
        penalty: float,
        used: np.ndarray,
    ) -> tuple[np.ndarray, float]:
        """Take one step of iteratively reweighted least squares, score by score.

        With c classes, curvatures p (1 - p) c / (c - 1) of single scores stand for the whole
        matrix of second derivatives, to which they are equal where all classes are as likely.
        """
        vectors = np.einsum("ed,dcq->ecq", phi, theta)
        scores = np.clip(self._scores(vectors.reshape(len(phi), -1)), -15, 15)
        p = _probabilities(scores)
        c = self.n_scores
        w = np.maximum(p * (1 - p) * (c / (c - 1) if c > 1 else 1.0), SMALLEST_WEIGHT)
        target = scores + (self.y - p) / w
        share = self.shares()
        new = np.zeros_like(theta)
        for k in range(c):
            moments = self._weighted(target[:, k], w[:, k], used)
            gram = moments.gram * moments.weight[:, None, None]
            cross = moments.cross * moments.weight[:, None]
            # Squared loss has curvature 2, logistic loss at most 1/4: penalties made comparable.
            normal = varying_normal(products, gram, share)
            right = (phi * share[:, None]).T @ cross
            new[:, k, used] = solve_varying(normal, right, np.array([penalty / 4]))[0]
        return new, float(np.abs(new - theta).max())

    def _weighted(self, target: np.ndarray, w: np.ndarray, used: np.ndarray) -> Moments:
        labels = Labels("", self.codes, tuple(range(len(self))))
        return build_moments(self.Z[:, used[1:]], target, labels, w * self.row_weight)

    def _scores(self, coefficients: np.ndarray) -> np.ndarray:
        own = coefficients.reshape(len(coefficients), self.n_scores, -1)
        return np.column_stack(
            [(self.Z * own[:, k][self.codes]).sum(axis=1) for k in range(self.n_scores)]
        )

    def _mean(self, values: np.ndarray) -> np.ndarray:
        starts = np.searchsorted(self.codes, np.arange(len(self)))
        return np.asarray(np.add.reduceat(values * self.row_weight[:, None], starts, axis=0))


def _curvature(Z: np.ndarray, p: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Second derivatives of the mean loss by the coefficients of all scores."""
    c, q = p.shape[1], Z.shape[1]
    blocks = np.empty((c, q, c, q))
    for a in range(c):
        for b in range(a, c):
            w = p[:, a] * (1 - p[:, a]) if a == b else -p[:, a] * p[:, b]
            if a == b:
                w = np.maximum(w, SMALLEST_WEIGHT)
            blocks[a, :, b] = blocks[b, :, a] = (Z * (w * weight)[:, None]).T @ Z
    return blocks.reshape(c * q, c * q)


def _probabilities(scores: np.ndarray) -> np.ndarray:
    from scipy.special import expit, softmax

    return np.asarray(expit(scores) if scores.shape[1] == 1 else softmax(scores, axis=1))


def _log_loss(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Loss of each row."""
    from scipy.special import logsumexp

    right = (scores * y).sum(axis=1)
    if scores.shape[1] == 1:
        return np.asarray(np.logaddexp(0.0, scores[:, 0]) - right)
    return np.asarray(logsumexp(scores, axis=1) - right)
