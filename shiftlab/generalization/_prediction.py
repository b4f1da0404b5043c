"""Predictors on exogenous terms, with an offset that follows the base rate over time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.random import seeded_clone
from shiftlab.generalization._states import StatePaths, fit_paths

__all__ = [
    "ClassPredictor",
    "NumberPredictor",
    "class_offsets",
    "fit_classes",
    "fit_numbers",
    "shift_odds",
]

#: With more terms than this all of them are kept; more rows are thinned out for the sifting.
MOST_TERMS_SIFTED, MOST_ROWS_SIFTED = 20, 10_000
LEAST_PROBABILITY = 1e-9


@dataclass(frozen=True, eq=False)
class ClassPredictor:
    """A classifier on terms and its offsets in time.

    Attributes
    ----------
    model : estimator
        Fitted, with ``predict_proba``.
    columns : ndarray of int
        Terms that it uses: the semantic ones.
    degree : int
        1, or 2 if squares and products of the terms are used too.
    scale : ndarray
        Standard deviations of the terms.
    offsets : StatePaths or None
        Paths of the log-odds of the classes beyond the model.
    classes : ndarray
        Class labels, in the order of the columns of the probabilities.
    """

    model: Any
    columns: np.ndarray
    degree: int
    scale: np.ndarray
    offsets: StatePaths | None
    classes: np.ndarray

    def scores(self, U: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return probabilities, one column for each class; times are relative."""
        return shift_odds(_probabilities(self, U), self.offsets, time)


@dataclass(frozen=True, eq=False)
class NumberPredictor:
    """A regressor on terms and its offset in time; attributes as in `ClassPredictor`."""

    model: Any
    columns: np.ndarray
    degree: int
    scale: np.ndarray
    offsets: StatePaths | None

    def scores(self, U: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return predictions; times are relative."""
        predicted = np.asarray(self.model.predict(_inputs(self, U)), dtype=float)
        if self.offsets is None:
            return predicted
        times, where = np.unique(time, return_inverse=True)
        return predicted + self.offsets.at(times)[0][where, 0]


def shift_odds(
    probabilities: np.ndarray, offsets: StatePaths | None, time: np.ndarray
) -> np.ndarray:
    """Add the offsets of the classes at the times of rows to the logarithms of probabilities."""
    if offsets is None or probabilities.shape[1] < 2 or not len(time):
        return probabilities
    logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, 1))
    times, where = np.unique(time, return_inverse=True)
    logs = logs + offsets.at(times)[0][where]
    shifted = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _inputs(predictor: "ClassPredictor | NumberPredictor", U: np.ndarray) -> np.ndarray:
    return expand(U[:, predictor.columns] / predictor.scale, predictor.degree)


def expand(U: np.ndarray, degree: int) -> np.ndarray:
    """Append squares and products if the degree is 2."""
    if degree == 1:
        return U
    upper = np.triu_indices(U.shape[1])
    return np.column_stack([U, U[:, upper[0]] * U[:, upper[1]]])


def _probabilities(predictor: ClassPredictor, U: np.ndarray) -> np.ndarray:
    found = np.asarray(predictor.model.predict_proba(_inputs(predictor, U)), dtype=float)
    full = np.zeros((len(U), len(predictor.classes)))
    full[:, np.searchsorted(predictor.classes, predictor.model.classes_)] = found
    return full


def fit_classes(
    U: np.ndarray,
    y: np.ndarray,
    time: np.ndarray,
    *,
    classes: np.ndarray,
    estimator: Any = None,
    degree: int = 1,
    seed: int = 0,
) -> ClassPredictor:
    """Fit a classifier to terms; without an estimator a logistic regression on semantic terms."""
    scale = _scale(U)
    columns = np.arange(U.shape[1])
    if estimator is None:
        model, columns = _fit_logistic(U / scale, y, degree)
    else:
        model = seeded_clone(estimator, seed).fit(U / scale, y)
        degree = 1
    found = ClassPredictor(model, columns, degree, scale[columns], None, classes)
    offsets = class_offsets(_probabilities(found, U), y, time, classes)
    return ClassPredictor(model, columns, degree, scale[columns], offsets, classes)


def fit_numbers(
    U: np.ndarray,
    y: np.ndarray,
    time: np.ndarray,
    *,
    estimator: Any = None,
    degree: int = 1,
    seed: int = 0,
) -> NumberPredictor:
    """Fit a regressor to terms; without an estimator a ridge regression on semantic terms."""
    from sklearn.linear_model import Ridge

    scale = _scale(U)
    columns = np.arange(U.shape[1])
    if estimator is None:
        columns = _semantic(U / scale, y, degree, _gaussian_deviance)
        model = Ridge(alpha=1.0).fit(expand(U[:, columns] / scale[columns], degree), y)
    else:
        degree = 1
        model = seeded_clone(estimator, seed).fit(U / scale, y)
    found = NumberPredictor(model, columns, degree, scale[columns], None)
    residual = y - found.scores(U, time)
    times, where = np.unique(time, return_inverse=True)
    counts = np.bincount(where)
    means = np.bincount(where, residual) / counts
    noise = max(float(residual.var()), 1e-12) / counts
    offsets = fit_paths(times, means[:, None], noise[:, None], centred=True)
    return NumberPredictor(model, columns, degree, scale[columns], offsets)


def _gaussian_deviance(Z: np.ndarray, y: np.ndarray) -> float:
    full = np.column_stack([np.ones(len(Z)), Z])
    left = y - full @ np.linalg.lstsq(full, y, rcond=None)[0]
    return float(len(y) * np.log(max(left @ left / len(y), 1e-300)))


def _scale(U: np.ndarray) -> np.ndarray:
    spread = U.std(axis=0)
    return np.where(spread > 1e-10, spread, 1.0)


def _fit_logistic(U: np.ndarray, y: np.ndarray, degree: int) -> tuple[Any, np.ndarray]:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(y)) < 2:
        return DummyClassifier(strategy="prior").fit(U, y), np.arange(U.shape[1])
    codes = np.unique(y, return_inverse=True)[1]

    def fit(Z: np.ndarray, target: np.ndarray) -> Any:
        return LogisticRegression(solver="newton-cholesky", max_iter=100).fit(Z, target)

    def deviance(Z: np.ndarray, target: np.ndarray) -> float:
        p = fit(Z, target).predict_proba(Z)[np.arange(len(Z)), target]
        return float(-2 * np.log(np.clip(p, LEAST_PROBABILITY, 1)).sum())

    columns = _semantic(U, codes, degree, deviance)
    return fit(expand(U[:, columns], degree), y), columns


def _semantic(U: np.ndarray, y: np.ndarray, degree: int, deviance: Any) -> np.ndarray:
    """Leave out, one by one, the terms that the label does not miss (as in BIC)."""
    n, p = U.shape
    if p > MOST_TERMS_SIFTED or n < 10 * expand(U[:1], degree).shape[1]:
        return np.arange(p)
    step = max(n // MOST_ROWS_SIFTED, 1)
    U, y = U[::step], y[::step]
    kept = list(range(p))
    current = deviance(expand(U, degree), y)
    while len(kept) > 1:
        size = expand(U[:1, kept], degree).shape[1]
        best, least = -1, np.inf
        for j in kept:
            rest = expand(U[:, [k for k in kept if k != j]], degree)
            rise = deviance(rest, y) - current - (size - rest.shape[1]) * np.log(len(y))
            best, least = (j, rise) if rise < least else (best, least)
        if least > 0:
            break
        kept.remove(best)
        current = deviance(expand(U[:, kept], degree), y)
    return np.array(kept)


def class_offsets(
    probabilities: np.ndarray, y: np.ndarray, time: np.ndarray, classes: np.ndarray
) -> StatePaths | None:
    """Read in each domain by how much the log-odds of each class depart from probabilities."""
    times, where = np.unique(time, return_inverse=True)
    if len(times) < 2 or len(classes) < 2:
        return None
    shifts = np.zeros((len(times), len(classes)))
    noise = np.full_like(shifts, np.inf)
    for t in range(len(times)):
        p, own = probabilities[where == t], y[where == t]
        for c, label in enumerate(classes):
            information = float((p[:, c] * (1 - p[:, c])).sum())
            if information > 1.0:
                shifts[t, c] = ((own == label).sum() - p[:, c].sum()) / information
                noise[t, c] = 1 / information
    if len(classes) == 2:  # one number says it all
        shifts[:, 0], noise[:, 0] = 0.0, 1e-6
    return fit_paths(times, shifts, noise, centred=True)
