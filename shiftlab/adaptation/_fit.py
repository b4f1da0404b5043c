"""The linear path of the estimators: from checked data to a chosen rule and what goes with it."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.random import RandomState
from shiftlab._core.threads import single_threaded
from shiftlab._core.validation import Labels
from shiftlab.adaptation._batches import MIN_TRAINING_ROWS, summarise
from shiftlab.adaptation._choose import Choice, choose_rule, environment_folds, screen
from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._features import SummaryScale
from shiftlab.adaptation._gram import Moments
from shiftlab.adaptation._known import Known, Summaries
from shiftlab.adaptation._labels import LabelRule
from shiftlab.adaptation._outside import RangeTest, fit_range
from shiftlab.adaptation._problem import Problem
from shiftlab.adaptation._rules import PooledRule, SubsetRule
from shiftlab.adaptation._rungs import Rung, TrainingRows, fit_rungs, fit_selector, rung_of
from shiftlab.adaptation._summaries import SummarySpec
from shiftlab.adaptation._task import Setting, Task
from shiftlab.exceptions import SmallSampleWarning

__all__ = [
    "Design",
    "Fitted",
    "Options",
    "fit_linear",
    "range_of",
    "summary_table",
    "usable_folds",
]

#: Fewer environments than this cannot tell what a new one needs.
MIN_ENVIRONMENTS = 5
#: What "auto" compares.
AUTO = ("pooled", "causal", "select", "mix", "mask", "coefficients")


@dataclass(frozen=True)
class Design:
    """Training data in standard units.

    Attributes
    ----------
    encoder : Encoder
    centre, scale : ndarray of shape (p,)
        Of the encoded columns.
    labels : Labels
        Of rows, or of Gram matrices with their counts.
    moments : Moments
        In standard units.
    spec : SummarySpec
    summaries : Summaries
    summary_names : tuple of str
    by_label : ndarray of int
        Environments are ordered by what they hold; their places in the order of the labels.
    """

    encoder: Encoder
    centre: np.ndarray
    scale: np.ndarray
    labels: Labels
    moments: Moments
    spec: SummarySpec
    summaries: Summaries
    summary_names: tuple[str, ...]
    by_label: np.ndarray


@dataclass(frozen=True)
class Options:
    """Options of the estimators that fitting needs.

    Attributes
    ----------
    strategy, cv, guard, n_jobs, random_state
        As in `EnvironmentAdaptiveRegressor`; `guard` as a boolean.
    """

    strategy: str
    cv: Any
    guard: bool
    n_jobs: int | None
    random_state: RandomState


@dataclass(frozen=True)
class Fitted:
    """Everything that is learned.

    Attributes
    ----------
    choice : Choice
    rungs : tuple of Rung
        What is used for batches of some size; the last is for whole environments.
    sets : ndarray of bool, shape (K, variables)
        Candidates of the selector.
    range_test : RangeTest or None
    pooled, causal : ndarray of shape (q,)
        Fallbacks.
    risks : ndarray of shape (E, K)
        Risk of each candidate's pooled fit in each environment.
    """

    choice: Choice
    rungs: tuple[Rung, ...]
    sets: np.ndarray
    range_test: RangeTest | None
    pooled: np.ndarray
    causal: np.ndarray
    risks: np.ndarray

    @property
    def selector(self) -> SubsetRule | LabelRule | None:
        """The explainable rule for whole environments, fitted whatever strategy predicts."""
        return self.rungs[-1].selector

    def by_size(self, n_rows: np.ndarray) -> Iterator[tuple[Rung, np.ndarray]]:
        """Yield what is used for which of the batches with n rows."""
        places = rung_of(n_rows, np.array([rung.n_rows for rung in self.rungs[:-1]]))
        for place in np.unique(places):
            yield self.rungs[place], np.flatnonzero(places == place)


def summary_table(
    spec: SummarySpec,
    moments: Moments,
    labels: Labels,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
) -> tuple[Summaries, tuple[str, ...]]:
    """Summarise the training environments; `rows` holds standardised X, raw X, missing cells."""
    X, raw, missing = rows if rows is not None else (None, None, None)
    values, sizes = summarise(spec, moments, labels, X, raw, missing)
    variance = np.maximum(
        np.einsum("eii->ei", moments.gram)[:, 1:] - moments.gram[:, 0, 1:] ** 2, 0
    )
    extra = np.zeros(sum(sizes))
    noise = np.concatenate([spec.noise(variance.mean(axis=0)), extra])
    lost = np.concatenate([spec.lost_rows(), extra])
    n_rows = labels.counts.astype(float)
    usable = n_rows >= MIN_TRAINING_ROWS
    return Summaries(values, n_rows, noise, lost, usable), spec.names(sizes)


def fit_linear(
    known: Known,
    design: Design,
    sets: np.ndarray,
    task: Task,
    options: Options,
    rows: TrainingRows | None,
) -> Fitted:
    """Compare strategies, weigh them, and fit what explains them; on one thread per worker."""
    with single_threaded():
        return _fit_linear(known, design, sets, task, options, rows)


def _fit_linear(
    known: Known,
    design: Design,
    sets: np.ndarray,
    task: Task,
    options: Options,
    rows: TrainingRows | None,
) -> Fitted:
    vectors = known.problem.fit_subsets(task.columns)
    risks = known.problem.risks(vectors)
    folds = usable_folds(design, options)
    if folds is None:
        fixed = options.strategy in ("pooled", "causal")
        plain = "causal" if task.open_columns.any() else "pooled"
        name = options.strategy if fixed else plain
        choice = _fixed(known.problem, design, task, name, vectors, forced=not fixed)
        rungs = [Rung(0, choice.scale, choice.rule, None)]
    else:
        families = _families(options.strategy, has_causes=bool(task.open_columns.any()))
        if "coefficients" in families and known.problem.squared():
            task = screen(known, task, folds, options.n_jobs)
        choice = choose_rule(
            known, task, families, folds, guard=options.guard,
            pooled_allowed=options.strategy in ("auto", "pooled"), n_jobs=options.n_jobs,
        )  # fmt: skip
        selector = fit_selector(known, task, choice.scale, choice.rule)
        rungs = [
            *fit_rungs(known, task, choice, rows), Rung(0, choice.scale, choice.rule, selector),
        ]  # fmt: skip
    return Fitted(
        choice, tuple(rungs), sets, range_of(design, choice.scale), vectors[task.pooled],
        vectors[task.causal], risks,
    )  # fmt: skip


def usable_folds(design: Design, options: Options) -> list[np.ndarray] | None:
    """Folds of environments; None, with a warning, if there are too few to learn from."""
    n_usable = int(design.summaries.usable.sum())
    if n_usable >= MIN_ENVIRONMENTS:
        by_label = design.by_label
        labels = [design.labels.categories[code] for code in by_label]
        folds = environment_folds(options.cv, labels, np.argsort(by_label), options.random_state)
        usable = np.flatnonzero(design.summaries.usable)
        folds = [np.intersect1d(by_label[fold], usable) for fold in folds]
        return [fold for fold in folds if len(fold)]
    if options.strategy not in ("pooled", "causal"):
        warnings.warn(
            f"Only {n_usable} environment(s) have at least {MIN_TRAINING_ROWS} rows; at least "
            f"{MIN_ENVIRONMENTS} are needed to learn how to adapt. The model does not adapt.",
            SmallSampleWarning,
            stacklevel=6,
        )
    return None


def range_of(design: Design, scale: SummaryScale) -> RangeTest | None:
    """Learn the range of the training summaries."""
    usable = np.flatnonzero(design.summaries.usable)
    if len(usable) < 2:
        return None
    return fit_range(design.summaries.standardised(scale, usable))


def _families(strategy: str, *, has_causes: bool) -> list[str]:
    if strategy == "auto":
        return [name for name in AUTO if name != "causal" or has_causes]
    return ["pooled"] if strategy == "pooled" else ["pooled", strategy]


def _fixed(
    problem: Problem, design: Design, task: Task, name: str, vectors: np.ndarray, *, forced: bool
) -> Choice:
    """Keep one vector for all environments, without any comparison."""
    vector = vectors[task.causal if name == "causal" else task.pooled]
    setting = Setting(name, "no comparison")
    every = np.flatnonzero(design.summaries.usable)
    if not len(every):
        every = np.arange(len(problem))
    losses = problem.own_risks(np.tile(vector, (len(problem), 1)))[None]
    held_out = np.full((len(problem), problem.n_coefficients), np.nan)
    return Choice(
        setting, PooledRule(vector), design.summaries.scale(every), (setting,), losses,
        np.ones(1), held_out, forced, setting,
    )  # fmt: skip
