"""Training data and new batches in one form: a matrix, environments, moments, summaries."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.channels import split_channel
from shiftlab._core.validation import Labels, check_environment
from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._gram import Moments, build_moments
from shiftlab.adaptation._known import SetRows
from shiftlab.adaptation._summaries import SummarySpec

__all__ = [
    "MIN_BATCH_ROWS",
    "MIN_TRAINING_ROWS",
    "Batches",
    "one_environment",
    "read_batches",
    "read_labels",
    "summarise",
]

#: Training environments with fewer rows help to fit, but are not summarised.
MIN_TRAINING_ROWS = 5
#: A batch with fewer rows gets the pooled model.
MIN_BATCH_ROWS = 2


@dataclass(frozen=True)
class Batches:
    """Rows of one or several environments, without labels.

    Attributes
    ----------
    X : ndarray of shape (n, p)
        Covariates in standard units.
    labels : Labels
        Environment of each row.
    moments : Moments
        Of (1, x); the outcome is zero.
    summaries : ndarray of shape (m, d)
        Not standardised.
    unseen : ndarray of bool, shape (m,)
        Whether a category occurs that training did not have.
    """

    X: np.ndarray
    labels: Labels
    moments: Moments
    summaries: np.ndarray
    unseen: np.ndarray

    @property
    def n_rows(self) -> np.ndarray:
        """Rows of each environment."""
        return np.asarray(self.labels.counts, dtype=np.float64)

    def sets(self) -> SetRows:
        """Rows by environment, for rules that read them."""
        return SetRows.of(self.X, self.labels)


def read_labels(X: Any, column: Any, environment: Any) -> tuple[Any, Any]:
    """Return covariates and the environment of each row; None if nobody tells.

    A single label, instead of one per row, says that all rows come from one environment.
    """
    scalar = environment is not None and (
        isinstance(environment, (str, bytes)) or not hasattr(environment, "__len__")
    )
    if scalar:
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        environment = np.full(n, environment)
    return split_channel(X, column, environment, "environment")


def one_environment(n_rows: int) -> Labels:
    """Label all rows as one batch."""
    return Labels("environment", np.zeros(n_rows, dtype=np.int32), ("batch",))


def read_batches(
    covariates: Any,
    values: Any,
    encoder: Encoder,
    centre: np.ndarray,
    scale: np.ndarray,
    spec: SummarySpec,
) -> Batches:
    """Encode new rows and summarise each environment on its own."""
    matrix, missing, unseen = encoder.encode(covariates)
    n = len(matrix)
    labels = one_environment(n)
    if values is not None:
        labels, _ = check_environment(values, n_rows=n, minimum=1)
    X = (matrix - centre) / scale
    moments = build_moments(X, np.zeros(n), labels)
    summaries, _ = summarise(spec, moments, labels, X, matrix, missing)
    odd = np.bincount(labels.codes, weights=unseen.any(axis=1), minlength=len(labels)) > 0
    return Batches(X, labels, moments, summaries, odd)


def summarise(
    spec: SummarySpec,
    moments: Moments,
    labels: Labels,
    X: np.ndarray | None,
    raw: np.ndarray | None,
    missing: np.ndarray | None,
) -> tuple[np.ndarray, list[int]]:
    """Summarise every environment; returns how many numbers each function gave, too."""
    known = spec.from_moments(labels.counts.astype(float), moments.gram)
    if not spec.needs_rows or X is None or raw is None:
        return known, []
    order = np.argsort(labels.codes, kind="stable")
    sizes: list[int] = []
    found = []
    for rows in np.split(order, np.cumsum(labels.counts)[:-1]):
        gaps = None if missing is None else missing[rows]
        value, sizes = spec.from_rows(X[rows], gaps, raw[rows])
        found.append(value)
    return np.hstack([known, np.array(found)]), sizes
