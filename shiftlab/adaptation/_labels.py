"""Selection by a classifier of the best subset, as published, and weighted by what errors cost."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.random import seeded_clone
from shiftlab.adaptation._deepsets import SetClassifier, fit_set_classifier
from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._known import Sample, SetRows
from shiftlab.adaptation._rules import SubsetRule
from shiftlab.adaptation._task import Task

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

    def probabilities(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Probability that each candidate is the best."""
        found = np.zeros((len(z), len(self.inner.vectors)))
        if self.classifier is None:
            found[:, self.classes] = 1.0
        elif isinstance(self.classifier, SetClassifier):
            assert rows is not None  # noqa: S101
            found[:, self.classes] = self.classifier.predict_proba(rows)
        else:
            found[:, self.classes] = self.classifier.predict_proba(z)
        return found

    def differences(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Probability of the pooled model minus that of each candidate, in place of risks."""
        p = self.probabilities(z, rows)
        return np.asarray(p[:, [self.pooled]] - p)

    def choose(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Index of the most probable candidate."""
        return np.asarray(self.probabilities(z, rows).argmax(axis=1))

    def weights(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Weight of each candidate in the prediction."""
        if self.soft:
            return self.probabilities(z, rows)
        return np.asarray(np.eye(len(self.inner.vectors))[self.choose(z, rows)])

    def coefficients(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Coefficients of each environment."""
        return np.asarray(self.weights(z, rows) @ self.inner.vectors)


def fit_labels(
    selector: Any,
    inner: SubsetRule,
    risks: np.ndarray,
    sample: Sample,
    task: Task,
    pooled: int,
    soft: bool,
) -> LabelRule:
    """Fit a classifier of the candidate with the least risk; the first (smallest) of equals."""
    best = risks.argmin(axis=1)
    classes, codes = np.unique(best, return_inverse=True)
    if len(classes) == 1:
        return LabelRule(inner, None, classes, pooled, soft)
    classifier: Any
    if selector == "deepsets":
        assert sample.rows is not None  # noqa: S101
        classifier = fit_set_classifier(sample.rows, codes, task.generator(), task.device)
    elif selector == "regret":
        cost = np.partition(risks, 1, axis=1)[:, 1] - risks.min(axis=1)
        cost = np.maximum(risks[:, pooled] - risks.min(axis=1), cost)
        weights = np.maximum(cost, 1e-9) / max(cost.mean(), 1e-12)
        classifier = _logistic().fit(sample.z, best, sample_weight=weights)
    elif selector == "network":
        classifier = _network(sample.z, best)
    elif isinstance(selector, str):
        classifier = _logistic().fit(sample.z, best)
    else:
        classifier = seeded_clone(selector, 0).fit(sample.z, best)
    return LabelRule(inner, classifier, classes, pooled, soft)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000, tol=1e-10)


def _network(z: np.ndarray, best: np.ndarray) -> Any:
    """Fit the published network: 64 and 32 units."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is the paper's
        return MLPClassifier((64, 32), max_iter=2000, random_state=0).fit(z, best)
