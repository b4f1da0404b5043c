"""The linear path of the estimators: from checked data to a chosen rule and what goes with it."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.random import RandomState
from shiftlab._core.threads import single_threaded
from shiftlab._core.validation import Labels
from shiftlab.adaptation._batches import MIN_TRAINING_ROWS, summarise
from shiftlab.adaptation._choose import Choice, Summaries, choose_rule, environment_folds
from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._features import SummaryScale
from shiftlab.adaptation._gram import Moments
from shiftlab.adaptation._labels import LabelRule
from shiftlab.adaptation._outside import RangeTest, fit_range
from shiftlab.adaptation._problem import Problem
from shiftlab.adaptation._rules import PooledRule, SubsetRule
from shiftlab.adaptation._strategies import FAMILIES, Setting, Task
from shiftlab.adaptation._subsets import to_columns
from shiftlab.adaptation._summaries import SummarySpec
from shiftlab.exceptions import SmallSampleWarning

__all__ = [
    "Design",
    "Fitted",
    "Options",
    "fit_linear",
    "make_task",
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
    """

    encoder: Encoder
    centre: np.ndarray
    scale: np.ndarray
    labels: Labels
    moments: Moments
    spec: SummarySpec
    summaries: Summaries
    summary_names: tuple[str, ...]

    def content_order(self) -> np.ndarray:
        """Environments ordered by what they hold, not by label or position."""
        keys = np.column_stack([self.moments.cross[:, 0], self.moments.gram[:, 0, 1:]])
        return np.lexsort(np.round(keys, 9).T[::-1])


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
    selector : SubsetRule, LabelRule or None
        The explainable rule, fitted whatever strategy predicts.
    sets : ndarray of bool, shape (K, variables)
        Candidates of the selector.
    range_test : RangeTest or None
    pooled, causal : ndarray of shape (q,)
        Fallbacks.
    risks : ndarray of shape (E, K)
        Risk of each candidate's pooled fit in each environment.
    """

    choice: Choice
    selector: SubsetRule | LabelRule | None
    sets: np.ndarray
    range_test: RangeTest | None
    pooled: np.ndarray
    causal: np.ndarray
    risks: np.ndarray


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


def make_task(
    sets: np.ndarray,
    encoder: Encoder,
    always: np.ndarray,
    never: np.ndarray,
    is_mean: np.ndarray,
    selector: Any = None,
) -> Task:
    """Describe the candidates in columns."""
    columns = to_columns(sets, encoder.groups)
    pooled = int(np.flatnonzero((sets == ~never).all(axis=1))[0])
    causal = np.flatnonzero((sets == always).all(axis=1))
    return Task(
        columns, pooled, int(causal[0]) if len(causal) else pooled, is_mean,
        always[encoder.groups], selector,
    )  # fmt: skip


def fit_linear(
    problem: Problem, design: Design, sets: np.ndarray, task: Task, options: Options
) -> Fitted:
    """Compare strategies, weigh them, and fit what explains them; on one thread per worker."""
    with single_threaded():
        return _fit_linear(problem, design, sets, task, options)


def _fit_linear(
    problem: Problem, design: Design, sets: np.ndarray, task: Task, options: Options
) -> Fitted:
    vectors = problem.fit_subsets(task.columns)
    risks = problem.risks(vectors)
    summaries = design.summaries
    folds = usable_folds(design, options)
    families = _families(options.strategy, has_causes=bool(task.open_columns.any()))
    if folds is None:
        fixed = options.strategy in ("pooled", "causal")
        plain = "causal" if task.open_columns.any() else "pooled"
        choice = _fixed(
            problem, design, task, options.strategy if fixed else plain, vectors, forced=not fixed
        )
        selector = None
    else:
        choice = choose_rule(
            problem, summaries, task, families, folds, guard=options.guard,
            pooled_allowed=options.strategy in ("auto", "pooled"), n_jobs=options.n_jobs,
        )  # fmt: skip
        selector = _selector(problem, summaries, task, choice)
    return Fitted(
        choice, selector, sets, range_of(design, choice.scale), vectors[task.pooled],
        vectors[task.causal], risks,
    )  # fmt: skip


def usable_folds(design: Design, options: Options) -> list[np.ndarray] | None:
    """Folds of environments; None, with a warning, if there are too few to learn from."""
    n_usable = int(design.summaries.usable.sum())
    if n_usable >= MIN_ENVIRONMENTS:
        folds = environment_folds(
            options.cv, design.labels.categories, design.content_order(), options.random_state
        )
        usable = np.flatnonzero(design.summaries.usable)
        folds = [np.intersect1d(fold, usable) for fold in folds]
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


def _selector(
    problem: Problem, summaries: Summaries, task: Task, choice: Choice
) -> SubsetRule | LabelRule:
    chosen = np.flatnonzero(summaries.usable)
    z = summaries.standardised(choice.scale, chosen)
    rule = FAMILIES["select"](problem.take(chosen), z, task)[0][1]
    assert isinstance(rule, (SubsetRule, LabelRule))  # noqa: S101
    return rule


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
