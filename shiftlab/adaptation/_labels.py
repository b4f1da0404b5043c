"""Selection by a classifier of the best subset, as published, and weighted by what errors cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._rules import SubsetRule

__all__ = ["LabelRule", "fit_labels"]


@dataclass(frozen=True)
class LabelRule:
    """A choice among pooled fits by a classifier of the best one.

    Attributes
    ----------
    inner : SubsetRule
        Candidates; its risk regression is not used.
    classifier : estimator or None
        Predicts the index of the best candidate; None if one was best everywhere.
    classes : ndarray of int
        Candidates that were best somewhere.
    pooled : int
        Index of the pooled model.
    soft : bool
        Mix by probability.
    """

    inner: SubsetRule
    classifier: Any
    classes: np.ndarray
    pooled: int
    soft: bool

    @property
    def columns(self) -> np.ndarray:
        """Columns of each candidate."""
        return self.inner.columns

    @property
    def vectors(self) -> np.ndarray:
        """Coefficients of each candidate."""
        return self.inner.vectors

    def sets(self, groups: np.ndarray) -> np.ndarray:
        """Variables that each candidate uses."""
        return self.inner.sets(groups)

    def names(self, encoder: Encoder) -> list[str]:
        """Name each candidate by its covariates."""
        return self.inner.names(encoder)

    def probabilities(self, z: np.ndarray) -> np.ndarray:
        """Probability that each candidate is the best."""
        found = np.zeros((len(z), len(self.inner.vectors)))
        found[:, self.classes] = 1.0 if self.classifier is None else (
            self.classifier.predict_proba(z)
        )  # fmt: skip
        return found

    def differences(self, z: np.ndarray) -> np.ndarray:
        """Probability of the pooled model minus that of each candidate, in place of risks."""
        p = self.probabilities(z)
        return np.asarray(p[:, [self.pooled]] - p)

    def choose(self, z: np.ndarray) -> np.ndarray:
        """Index of the most probable candidate."""
        return np.asarray(self.probabilities(z).argmax(axis=1))

    def weights(self, z: np.ndarray) -> np.ndarray:
        """Weight of each candidate in the prediction."""
        if self.soft:
            return self.probabilities(z)
        return np.asarray(np.eye(len(self.inner.vectors))[self.choose(z)])

    def coefficients(self, z: np.ndarray) -> np.ndarray:
        """Coefficients of each environment."""
        return np.asarray(self.weights(z) @ self.inner.vectors)


def fit_labels(
    selector: Any, inner: SubsetRule, risks: np.ndarray, z: np.ndarray, pooled: int, soft: bool
) -> LabelRule:
    """Fit a classifier of the candidate with the least risk; the first (smallest) of equals."""
    best = risks.argmin(axis=1)
    classes = np.unique(best)
    if len(classes) == 1:
        return LabelRule(inner, None, classes, pooled, soft)
    from sklearn.linear_model import LogisticRegression

    from shiftlab._core.random import seeded_clone

    named = isinstance(selector, str)
    classifier = LogisticRegression(max_iter=2000) if named else seeded_clone(selector, 0)
    if selector == "regret":
        cost = np.partition(risks, 1, axis=1)[:, 1] - risks.min(axis=1)
        cost = np.maximum(risks[:, pooled] - risks.min(axis=1), cost)
        classifier.fit(z, best, sample_weight=np.maximum(cost, 1e-9) / max(cost.mean(), 1e-12))
    else:
        classifier.fit(z, best)
    return LabelRule(inner, classifier, classes, pooled, soft)
