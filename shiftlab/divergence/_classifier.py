"""Classifier two-sample test: how well a model tells the samples apart on rows it has not seen."""

from typing import Any

import numpy as np

from shiftlab._core.parallel import parallel_map
from shiftlab._core.random import RandomState, integer_seed, seeded_clone, spawn_seeds
from shiftlab._core.validation import check_integer
from shiftlab.divergence._permutation import (
    Measure,
    Resampling,
    as_resampling,
    label_draws,
    report,
)
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.divergence._samples import read_samples
from shiftlab.exceptions import DegenerateDataError, InputError

__all__ = ["classifier_test"]


def classifier_test(
    x: Any,
    y: Any,
    *,
    classifier: Any = None,
    n_splits: int = 5,
    n_jobs: int | None = None,
    n_resamples: int | Resampling = 99,
    random_state: RandomState = None,
) -> TwoSampleResult:
    """Classifier two-sample test: cross-fitted area under the ROC curve.

    The rows are cut into folds; each fold is scored by a classifier fitted to the others, and the
    areas of the folds are averaged. For the p-value the labels are permuted and everything is
    fitted again. That costs ``n_splits * (n_resamples + 1)`` fits, and it is exact: permuting
    labels under fixed scores would ignore that the folds share training rows, and rejects too
    often.

    Parameters
    ----------
    x, y : table or array with the same columns
        The classifier sees numbers divided by their pooled standard deviation, and indicator
        columns of categories.
    classifier : scikit-learn classifier, optional
        With `decision_function` or `predict_proba`; logistic regression by default.
    n_splits : int, default 5
        Number of folds, at least 2.
    n_jobs : int, optional
        As in joblib; the result does not depend on it.
    n_resamples : int or Resampling, default 99
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional
        Seeds the folds, the permutations and the classifier.

    Returns
    -------
    TwoSampleResult
        `statistic` is the mean area under the curve; `effect` is twice its excess over 0.5, the
        rank-biserial correlation (0 for no better than chance, 1 for a perfect separation).

    Raises
    ------
    InputError
        If columns differ, cells are missing, or the classifier gives no scores.
    DegenerateDataError
        If a sample has fewer rows than there are folds, or no column varies.

    References
    ----------
    Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests. Kim, Ramdas, Singh and
    Wasserman (2021), Classification accuracy as a proxy for two-sample testing.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.divergence import classifier_test
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 1.0
    >>> classifier_test(x, y, n_resamples=39, random_state=0).pvalue
    0.025
    """
    plan = as_resampling(n_resamples)
    check_integer(n_splits, "n_splits", minimum=2)
    if plan.from_reference:
        raise InputError(
            "classifier_test compares independent samples only; use mmd, energy or "
            "sliced_wasserstein with sampling='without_replacement'."
        )
    samples = read_samples(x, y, plan)
    if min(samples.n_x, samples.n_y) < n_splits:
        raise DegenerateDataError(
            f"n_splits={n_splits} needs at least that many rows in each sample, found "
            f"{samples.n_x} and {samples.n_y}. Lower n_splits."
        )
    rows = samples.matrix()
    seeds = spawn_seeds(random_state, 2)
    fit_seed = integer_seed(seeds[0])
    model = _prepare(classifier, fit_seed)
    tasks = [(model, rows, np.arange(len(rows)) < samples.n_x, n_splits, fit_seed)]
    draws = label_draws(len(rows), samples.n_x, plan.n_resamples, np.random.default_rng(seeds[1]))
    for block in draws:
        tasks += [(model, rows, labels == 1, n_splits, fit_seed) for labels in block]
    areas = np.array(parallel_map(cross_fitted_area, tasks, n_jobs=n_jobs))
    measure = Measure(
        f"classifier two-sample test, {type(model).__name__}, {n_splits} folds",
        float(areas[0]),
        2 * float(areas[0]) - 1,
        "rank-biserial correlation, -1 to 1",
        samples.n_x,
        samples.n_y,
        ("classifier fitted again in every resample",) if plan.n_resamples else (),
    )
    return report(measure, areas[1:], plan)


def cross_fitted_area(
    model: Any, rows: np.ndarray, is_x: np.ndarray, n_splits: int, seed: int
) -> float:
    """Return the mean over folds of the area under the curve on rows not used for fitting."""
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    areas = []
    for train, test in folds.split(rows, is_x):
        fitted = clone(model).fit(rows[train], is_x[train])
        areas.append(_area(_scores(fitted, rows[test]), is_x[test]))
    return float(np.mean(areas))


def _prepare(classifier: Any, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    # One seed for all fits: the statistic must be the same function of the labels every time.
    chosen = LogisticRegression(max_iter=1000) if classifier is None else classifier
    model = seeded_clone(chosen, seed)
    if not (hasattr(model, "decision_function") or hasattr(model, "predict_proba")):
        raise InputError(
            "classifier must have decision_function or predict_proba, found "
            f"{type(model).__name__}."
        )
    return model


def _scores(model: Any, rows: np.ndarray) -> np.ndarray:
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(rows))
    return np.asarray(model.predict_proba(rows)[:, 1])


def _area(scores: np.ndarray, is_x: np.ndarray) -> float:
    from scipy.stats import rankdata

    n_x = int(is_x.sum())
    rank_sum = float(rankdata(scores)[is_x].sum())
    return (rank_sum - n_x * (n_x + 1) / 2) / (n_x * (len(is_x) - n_x))
