"""Rules: from the standardised summary of an environment to its coefficients."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._features import FeatureMap
from shiftlab.adaptation._known import SetRows

__all__ = ["AverageRule", "CoefficientRule", "PooledRule", "Rule", "SubsetRule"]

#: Simulated risks are compared in blocks of about this many numbers.
BLOCK = 2**23


class Rule(Protocol):
    """Anything that turns summaries (or the rows themselves) into coefficients."""

    def coefficients(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Coefficients of each environment, shape (m, q)."""


@dataclass(frozen=True)
class PooledRule:
    """The same coefficients everywhere."""

    vector: np.ndarray

    def coefficients(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Coefficients of each environment."""
        return np.tile(self.vector, (len(z), 1))


@dataclass(frozen=True)
class SubsetRule:
    """A choice among pooled fits, by the risks that the summary predicts.

    Attributes
    ----------
    vectors : ndarray of shape (K, q)
        Pooled coefficients of the candidates.
    columns : ndarray of bool, shape (K, q)
        Columns that each uses, the intercept first.
    feature_map : FeatureMap
        Regressors of the risks.
    effect : ndarray of shape (1 + d, K)
        Predicts risk minus that of the pooled model.
    residuals : ndarray of shape (E, K)
        Leave-one-out errors of those predictions.
    soft : bool
        Mix by the probability of being best instead of taking the best.
    """

    vectors: np.ndarray
    columns: np.ndarray
    feature_map: FeatureMap
    effect: np.ndarray
    residuals: np.ndarray
    soft: bool

    def sets(self, groups: np.ndarray) -> np.ndarray:
        """Variables that each candidate uses, shape (K, variables)."""
        found = np.zeros((len(self.columns), int(groups.max()) + 1), dtype=bool)
        for column, variable in enumerate(groups):
            found[:, variable] |= self.columns[:, 1 + column]
        return found

    def names(self, encoder: Encoder) -> list[str]:
        """Name each candidate by its covariates."""
        return [
            ", ".join(n for n, c in zip(encoder.names, row, strict=True) if c) or "(none)"
            for row in self.sets(encoder.groups)
        ]

    def differences(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Predicted risk minus that of the pooled model, shape (m, K)."""
        phi = self.feature_map(z)
        return self.effect[0] + phi @ self.effect[1:]

    def probabilities(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Share of the training errors under which each candidate comes out best, shape (m, K)."""
        predicted = self.differences(z)
        found = np.empty_like(predicted)
        step = max(1, BLOCK // max(self.residuals.size, 1))
        k = predicted.shape[1]
        for start in range(0, len(z), step):
            block = predicted[start : start + step]
            best = (block[:, None, :] + self.residuals[None]).argmin(axis=2)
            for i, row in enumerate(best):
                found[start + i] = np.bincount(row, minlength=k) / len(row)
        return found

    def choose(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Index of the candidate with the least predicted risk; the first (smallest) of equals."""
        return np.asarray(self.differences(z).argmin(axis=1))

    def weights(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Weight of each candidate in the prediction, shape (m, K)."""
        if self.soft:
            return self.probabilities(z)
        return np.asarray(np.eye(len(self.effect[0]))[self.choose(z)])

    def coefficients(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Coefficients of each environment."""
        return np.asarray(self.weights(z) @ self.vectors)


@dataclass(frozen=True)
class CoefficientRule:
    """Coefficients that move with the summary, around those that all environments share.

    Attributes
    ----------
    theta : ndarray of shape (1 + d, q)
        Row 0: shared coefficients.
    feature_map : FeatureMap
        Regressors.
    penalty : float
        Ridge on how far coefficients move.
    """

    theta: np.ndarray
    feature_map: FeatureMap
    penalty: float

    def coefficients(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Coefficients of each environment."""
        return np.asarray(self.theta[0] + self.feature_map(z) @ self.theta[1:])


@dataclass(frozen=True)
class AverageRule:
    """A weighted mean of rules.

    Attributes
    ----------
    rules : list of Rule
    weights : ndarray
        Not negative; they sum to 1.
    """

    rules: list[Rule]
    weights: np.ndarray

    def coefficients(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Coefficients of each environment."""
        parts = [
            w * rule.coefficients(z, rows) for w, rule in zip(self.weights, self.rules, strict=True)
        ]
        return np.asarray(np.sum(parts, axis=0))
