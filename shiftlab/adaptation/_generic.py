"""Any scikit-learn model inside: clones on subsets of covariates, and on covariates with summaries.

Flexible models remember their training rows, so every risk here is that of models which were fitted
without the environment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.parallel import parallel_map
from shiftlab._core.random import seeded_clone
from shiftlab._core.validation import Labels
from shiftlab.adaptation._choose import setting_weights
from shiftlab.adaptation._features import SummaryScale
from shiftlab.adaptation._known import Summaries
from shiftlab.adaptation._rules import SubsetRule
from shiftlab.adaptation._strategies import risk_regression
from shiftlab.adaptation._task import Setting

__all__ = [
    "MOST_MODELS",
    "GenericFit",
    "fit_generic",
]

#: Candidate subsets for which clones are fitted.
MOST_MODELS = 8


@dataclass(frozen=True)
class GenericFit:
    """Fitted clones and how they are combined.

    Attributes
    ----------
    models : list of estimator
        One per candidate subset.
    columns : ndarray of bool, shape (K, p)
        Columns of each.
    augmented : estimator or None
        Fitted to covariates and summaries.
    rule : SubsetRule or None
        Weights of the candidates.
    pooled : int
        Index of the model of all covariates.
    settings : tuple of Setting
    weights : ndarray
        Of the settings "pooled", "select", "mix", "augment".
    losses : ndarray of shape (settings, E)
    risks : ndarray of shape (E, K)
        Of the candidates in left-out environments.
    guard_active : bool
    causal : int
        Index of the model of the known causes.
    """

    models: list[Any]
    columns: np.ndarray
    augmented: Any
    rule: SubsetRule | None
    pooled: int
    settings: tuple[Setting, ...]
    weights: np.ndarray
    losses: np.ndarray
    risks: np.ndarray
    guard_active: bool
    causal: int

    def plain(self, X: np.ndarray, name: str) -> np.ndarray:
        """Predictions of the pooled or causal model."""
        k = self.causal if name.startswith("causal") else self.pooled
        return _respond(self.models[k], X[:, self.columns[k]])

    def predict(self, X: np.ndarray, codes: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Predictions of rows whose environments have the standardised summaries z."""
        by_setting = dict(zip((s.strategy for s in self.settings), self.weights, strict=True))
        k = len(self.models)
        share = np.zeros((len(z), k))
        share[:, self.pooled] += by_setting.get("pooled", 0.0)
        if self.rule is not None and by_setting.get("select", 0.0):
            share += by_setting["select"] * np.eye(k)[self.rule.choose(z)]
        if self.rule is not None and by_setting.get("mix", 0.0):
            share += by_setting["mix"] * self.rule.probabilities(z)
        total = None
        for model, used, weight in zip(self.models, self.columns, share[codes].T, strict=True):
            if weight.any():
                part = _respond(model, X[:, used])
                part = part * (weight if part.ndim == 1 else weight[:, None])
                total = part if total is None else total + part
        if by_setting.get("augment", 0.0):
            part = by_setting["augment"] * _respond(self.augmented, np.hstack([X, z[codes]]))
            total = part if total is None else total + part
        assert total is not None  # noqa: S101
        return total


def fit_generic(
    estimator: Any,
    rows: tuple[np.ndarray, np.ndarray, Labels, np.ndarray | None],
    summaries: Summaries,
    columns: np.ndarray,
    plain: tuple[int, int],
    folds: Sequence[np.ndarray],
    *,
    strategy: str,
    guard: bool,
    n_jobs: int | None,
) -> tuple[GenericFit, SummaryScale]:
    """Fit clones in every fold and to everything, and weigh the strategies.

    Parameters
    ----------
    estimator : estimator
        Template.
    rows : tuple
        Covariates, outcome (codes of classes for a classifier), environments, weights.
    summaries : Summaries
    columns : ndarray of bool, shape (K, p)
        Candidates.
    plain : tuple of int
        The candidates with all covariates and with the known causes.
    folds : sequence of ndarray
        Environments.
    strategy, guard, n_jobs
        As in the estimators.
    """
    X, y, labels, weights = rows
    pooled, causal = plain
    chosen = np.flatnonzero(summaries.usable)
    scale = summaries.scale(chosen if len(chosen) else np.arange(len(labels)))
    z = np.zeros((len(labels), summaries.values.shape[1]))
    if len(chosen):
        z[chosen] = summaries.standardised(scale, chosen)
    augment = strategy in ("auto", "augment")
    data = (X, y, labels.codes, weights, z)
    jobs = [(estimator, data, columns, fold, augment) for fold in folds]
    parts = parallel_map(_fit_without, jobs, n_jobs=n_jobs)
    risks = np.full((len(labels), len(columns) + augment), np.nan if folds else 0.0)
    for fold, found in zip(folds, parts, strict=True):
        risks[fold] = found
    names = _settings(strategy) if folds else ["pooled"]
    losses = _setting_losses(risks, z, columns, pooled, chosen, folds, names)
    allowed = np.array([strategy == "auto" or n == strategy for n in names])
    found = setting_weights(losses[:, chosen], allowed, sharp=True) if folds else np.ones(1)
    best = int(found.argmax())
    active = False
    if guard and names[best] != "pooled":
        gain = (losses[0] - losses[best])[chosen]
        active = bool(gain.mean() <= 0.5 * gain.std(ddof=1) / np.sqrt(len(gain)))
        found = np.eye(len(names))[0] if active else found
    rule = None if not folds else risk_regression(
        risks[chosen][:, : len(columns)], np.zeros(columns.shape), _with_intercept(columns),
        pooled, z[chosen], soft=False,
    )  # fmt: skip
    models = [_fit_clone(estimator, X[:, used], y, weights) for used in columns]
    more = _fit_clone(estimator, np.hstack([X, z[labels.codes]]), y, weights) if augment else None
    settings = tuple(Setting(name, type(estimator).__name__) for name in names)
    fit = GenericFit(
        models, columns, more, rule, pooled, settings, found, losses, risks[:, : len(columns)],
        active, causal,
    )  # fmt: skip
    return fit, scale


def _settings(strategy: str) -> list[str]:
    if strategy == "auto":
        return ["pooled", "select", "mix", "augment"]
    return ["pooled"] if strategy == "pooled" else ["pooled", strategy]


def _setting_losses(
    risks: np.ndarray,
    z: np.ndarray,
    columns: np.ndarray,
    pooled: int,
    chosen: np.ndarray,
    folds: Sequence[np.ndarray],
    names: Sequence[str],
) -> np.ndarray:
    """Risk of each strategy in left-out environments; a mixture counts the mean of the risks."""
    k = len(columns)
    losses = np.full((len(names), len(risks)), np.nan)
    losses[0] = risks[:, pooled]
    for i, name in enumerate(names):
        if name == "augment":
            losses[i] = risks[:, k]
        elif name in ("select", "mix"):
            for fold in folds:
                rest, test = np.setdiff1d(chosen, fold), np.intersect1d(chosen, fold)
                if not len(test):
                    continue
                rule = risk_regression(
                    risks[rest][:, :k], np.zeros(columns.shape), _with_intercept(columns), pooled,
                    z[rest], soft=name == "mix",
                )  # fmt: skip
                losses[i, test] = (rule.weights(z[test]) * risks[test][:, :k]).sum(axis=1)
    return losses


def _with_intercept(columns: np.ndarray) -> np.ndarray:
    return np.hstack([np.ones((len(columns), 1), dtype=bool), columns])


def _fit_without(
    estimator: Any,
    data: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray],
    columns: np.ndarray,
    fold: np.ndarray,
    augment: bool,
) -> np.ndarray:
    """Risk of every candidate in the environments of a fold, fitted to the others."""
    X, y, codes, weights, z = data
    tested = np.isin(codes, fold)
    designs = [X[:, used] for used in columns]
    if augment:
        designs.append(np.hstack([X, z[codes]]))
    found = np.empty((len(fold), len(designs)))
    w = None if weights is None else weights[~tested]
    for k, design in enumerate(designs):
        model = _fit_clone(estimator, design[~tested], y[~tested], w)
        loss = _row_loss(model, _respond(model, design[tested]), y[tested])
        for i, code in enumerate(fold):
            found[i, k] = loss[codes[tested] == code].mean()
    return found


def _fit_clone(estimator: Any, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Any:
    if X.shape[1] == 0:
        from sklearn.base import is_classifier
        from sklearn.dummy import DummyClassifier, DummyRegressor

        estimator = DummyClassifier(strategy="prior") if is_classifier(estimator) else (
            DummyRegressor()
        )  # fmt: skip
        X = np.zeros((len(X), 1))
    model = seeded_clone(estimator, 0)
    if weights is None:
        return model.fit(X, y)
    return model.fit(X, y, sample_weight=weights)


def _respond(model: Any, X: np.ndarray) -> np.ndarray:
    X = X if X.shape[1] else np.zeros((len(X), 1))
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X), dtype=np.float64)
    return np.asarray(model.predict(X), dtype=np.float64)


def _row_loss(model: Any, response: np.ndarray, y: np.ndarray) -> np.ndarray:
    if response.ndim == 1:
        return np.asarray((y - response) ** 2)
    place = np.searchsorted(model.classes_, y)
    place = np.minimum(place, len(model.classes_) - 1)
    p = np.where(model.classes_[place] == y, response[np.arange(len(y)), place], 0.0)
    return np.asarray(-np.log(np.maximum(p, 1e-15)))
