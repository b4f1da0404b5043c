"""Models fitted on some folds and used on the others: losses, domain probabilities, loss models.

Every prediction that the decomposition uses comes from a model that has not seen the row.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, Table
from shiftlab._core.random import integer_seed, seeded_clone
from shiftlab.divergence._shared_space import Nuisance

__all__ = ["Covariates", "Problem", "cross_fit", "encode", "held_out_losses"]

#: Labels that keep a code of their own, for trees and for the encoded matrix; the rest are pooled.
TREE_LABELS, MATRIX_LABELS = 100, 20
#: Domain probabilities are kept in [TRIM, 1 - TRIM]. The weights of the shared covariates are
#: bounded, so this is a guard and hardly matters.
TRIM = 0.01
#: Rows of the larger sample used to fit domain and loss models, per row of the smaller one. The
#: smaller sample limits what they can learn; every row is predicted nevertheless.
FIT_RATIO, FIT_MINIMUM = 4, 2000


@dataclass(frozen=True)
class Covariates:
    """The covariates in two encodings.

    Attributes
    ----------
    trees : ndarray of shape (n_rows, n_columns)
        Numbers and label codes, NaN where missing.
    categorical : ndarray of bool, shape (n_columns,)
        Which columns of `trees` are label codes.
    matrix : ndarray of shape (n_rows, n_features)
        Standardised numbers (missing: the mean), indicators of missing cells and of labels.
    n_numbers : int
        The first so many columns of `matrix` are the numbers.
    """

    trees: np.ndarray
    categorical: np.ndarray
    matrix: np.ndarray
    n_numbers: int

    def smooth(self, rows: np.ndarray) -> np.ndarray:
        """Return `matrix` and the squares of its numbers, far values drawn in."""
        numbers = np.clip(self.matrix[rows, : self.n_numbers], -4.0, 4.0)
        return np.hstack([numbers, numbers**2, self.matrix[rows, self.n_numbers :]])


@dataclass(frozen=True)
class Problem:
    """What is predicted from what, and with which model.

    Attributes
    ----------
    covariates : Covariates
    outcome : ndarray of shape (n_rows,)
        Numbers, or codes of classes.
    n_classes : int
        0 for a regression.
    estimator : object or None
        scikit-learn estimator; None means gradient boosting on `covariates.trees`.
    """

    covariates: Covariates
    outcome: np.ndarray
    n_classes: int
    estimator: Any = None

    @property
    def features(self) -> np.ndarray:
        """The encoding that the estimator reads."""
        return self.covariates.trees if self.estimator is None else self.covariates.matrix


def encode(table: Table) -> Covariates:
    """Encode a table for trees and for other models."""
    numbers = [_scaled(c.values) for c in table if c.is_number]
    trees, indicators = [], []
    for column in table:
        missing = column.missing
        if column.is_number:
            trees.append(column.values)
            if missing.any():
                indicators.append(missing.astype(np.float64)[:, None])
        else:
            trees.append(np.where(missing, np.nan, _grouped(column, TREE_LABELS)))
            indicators.append(_one_hot(_grouped(column, MATRIX_LABELS)))
    empty = np.empty((table.n_rows, 0))
    return Covariates(
        np.column_stack(trees),
        np.array([column.kind == "categorical" for column in table]),
        np.hstack([empty, *(values[:, None] for values in numbers), *indicators]),
        len(numbers),
    )


def held_out_losses(
    problem: Problem, train: np.ndarray, tests: list[np.ndarray], seed: np.random.SeedSequence
) -> list[np.ndarray]:
    """Fit the model on the training rows; return the losses of each set of test rows."""
    model = _model(problem, train, seed)
    model.fit(problem.features[train], problem.outcome[train])
    return [_losses(problem, model, rows) for rows in tests]


def cross_fit(
    covariates: Covariates,
    rows: tuple[np.ndarray, np.ndarray],
    losses: tuple[np.ndarray, np.ndarray],
    folds: tuple[np.ndarray, np.ndarray],
) -> tuple[Nuisance, Nuisance, float]:
    """Predict domain probability and expected losses of each row from the other folds.

    Boosted trees and a (logistic or ridge) regression are fitted each and combined by a regression
    of the target on their held-out predictions, which also calibrates them.

    Parameters
    ----------
    covariates : Covariates
    rows, losses, folds : pair of ndarray
        Rows, their losses and their folds, at home and here; rows are in random order.

    Returns
    -------
    at_home, at_here : Nuisance
    auc : float
        How well the covariates tell the two samples apart.
    """
    from sklearn.metrics import roc_auc_score

    both, fold = np.concatenate(rows), np.concatenate(folds)
    # Boosting keeps float32 gradients; a power of two brings losses of any size there unharmed.
    scale = 2.0 ** np.frexp(np.concatenate(losses).max())[1]
    loss = np.concatenate(losses) / scale
    here = np.repeat([False, True], [len(rows[0]), len(rows[1])])
    trees, smooth = covariates.trees[both], covariates.smooth(both)
    predicted = np.empty((3, 2, len(both)))
    for k in np.unique(fold):
        test = fold == k
        train = _limited(~test, here)
        targets = [(train, here, True), (train[~here[train]], loss, False)]
        targets.append((train[here[train]], loss, False))
        for i, (fit_rows, target, is_domain) in enumerate(targets):
            for j, features in enumerate((trees, smooth)):
                model = _learner(is_domain, j == 0, covariates.categorical)
                model.fit(features[fit_rows], target[fit_rows])
                predicted[i, j, test] = _raw(model, features[test], is_domain)
    domain = np.clip(_stack_domain(predicted[0].T, here), TRIM, 1 - TRIM)
    at_home = _stack_loss(predicted[1].T, loss, ~here) * scale
    at_here = _stack_loss(predicted[2].T, loss, here) * scale
    parts = [Nuisance(domain[s], at_home[s], at_here[s]) for s in (~here, here)]
    return parts[0], parts[1], float(roc_auc_score(here, domain))


def _scaled(values: np.ndarray) -> np.ndarray:
    known = values[~np.isnan(values)]
    spread = float(known.std()) if known.size else 0.0
    if spread <= 1e-12 * max(1.0, float(np.abs(known).max(initial=0.0))):
        return np.zeros_like(values)
    return np.nan_to_num((values - known.mean()) / spread, nan=0.0)


def _grouped(column: Column, limit: int) -> np.ndarray:
    """Codes by falling frequency; labels beyond the limit share the last one, missing too."""
    counts = np.bincount(column.values[~column.missing], minlength=len(column.categories))
    rank = np.empty(len(counts) + 1, dtype=np.intp)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    rank[-1] = limit
    return np.minimum(rank[column.values], limit)


def _one_hot(codes: np.ndarray) -> np.ndarray:
    return (codes[:, None] == np.unique(codes)[None, 1:]).astype(np.float64)


def _model(problem: Problem, train: np.ndarray, seed: np.random.SeedSequence) -> Any:
    from sklearn.dummy import DummyClassifier

    if problem.n_classes and np.ptp(problem.outcome[train]) == 0:
        return DummyClassifier(strategy="prior")
    if problem.estimator is None:
        return _boosting(bool(problem.n_classes), problem.covariates.categorical, 100, 31)
    return seeded_clone(problem.estimator, integer_seed(seed))


def _losses(problem: Problem, model: Any, rows: np.ndarray) -> np.ndarray:
    features, outcome = problem.features[rows], problem.outcome[rows]
    if not problem.n_classes:
        return (outcome - np.asarray(model.predict(features), dtype=np.float64).ravel()) ** 2
    probability = np.zeros((len(rows), problem.n_classes))
    probability[:, np.asarray(model.classes_, dtype=np.intp)] = model.predict_proba(features)
    probability[np.arange(len(rows)), outcome.astype(np.intp)] -= 1.0
    # The Brier score of two classes is by custom that of one of them.
    return (probability**2).sum(axis=1) / (2.0 if problem.n_classes == 2 else 1.0)


def _boosting(classify: bool, categorical: np.ndarray, max_iter: int, leaves: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    return kind(
        max_iter=max_iter,
        max_leaf_nodes=leaves,
        categorical_features=categorical if categorical.any() else None,
        early_stopping=False,
        random_state=0,  # nothing is drawn without early stopping
    )


def _learner(is_domain: bool, trees: bool, categorical: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if trees:
        return _boosting(is_domain, categorical, 60, 8)
    return LogisticRegression(max_iter=300, tol=1e-3) if is_domain else Ridge(1.0)


def _raw(model: Any, features: np.ndarray, is_domain: bool) -> np.ndarray:
    return np.asarray(model.decision_function(features) if is_domain else model.predict(features))


def _limited(allowed: np.ndarray, here: np.ndarray) -> np.ndarray:
    groups = [np.flatnonzero(allowed & ~here), np.flatnonzero(allowed & here)]
    limit = max(FIT_RATIO * min(map(len, groups)), FIT_MINIMUM)
    return np.concatenate([group[:limit] for group in groups])


def _balance(here: np.ndarray) -> np.ndarray:
    """Weights that give both samples the same mass, 1 on average."""
    return np.where(here, 0.5 / here.mean(), 0.5 / (1 - here.mean()))


def _stack_domain(logits: np.ndarray, here: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    # The classifiers saw the samples in their own sizes; the weights here make them equal.
    model = LogisticRegression(max_iter=1000)
    model.fit(logits, here, sample_weight=_balance(here))
    return np.asarray(model.predict_proba(logits)[:, 1])


def _stack_loss(predictions: np.ndarray, loss: np.ndarray, fit: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LinearRegression

    # Slopes are not negative: a model that has learnt nothing is left out, not turned around.
    model = LinearRegression(positive=True).fit(predictions[fit], loss[fit])
    return np.asarray(model.predict(predictions))
