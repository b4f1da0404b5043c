"""Which strategy: cross-validation over environments, and the guard against doing harm."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.parallel import parallel_map
from shiftlab._core.random import RandomState, as_generator
from shiftlab.adaptation._features import SummaryScale
from shiftlab.adaptation._known import Known
from shiftlab.adaptation._problem import Problem
from shiftlab.adaptation._rules import AverageRule, Rule
from shiftlab.adaptation._strategies import FAMILIES
from shiftlab.adaptation._task import Setting, Task
from shiftlab.exceptions import InputError

__all__ = [
    "Choice",
    "choose_rule",
    "environment_folds",
    "fit_weighted",
    "screen",
    "setting_weights",
]

#: Below this many environments every one is left out in turn; up to the second, ten folds are made.
LEAVE_ONE_OUT, TEN_FOLDS = 10, 40
#: Standard errors by which adapting must beat the pooled model.
GUARD = 0.5
#: Settings with less than this share of the largest weight are left out.
SMALLEST_WEIGHT = 0.02


@dataclass(frozen=True)
class Choice:
    """The chosen rule and the cross-validation behind it.

    Attributes
    ----------
    setting : Setting
        The one with the largest weight; "pooled" where the guard was active.
    rule : Rule
        Fitted to all environments.
    scale : SummaryScale
        Of all usable environments.
    settings : tuple of Setting
        Every setting that was compared.
    losses : ndarray of shape (S, E)
        Risk of each setting in each environment when that was left out; NaN where not usable.
    weights : ndarray of shape (S,)
        Of the settings in the prediction.
    held_out : ndarray of shape (E, q)
        Coefficients that the weighted settings gave each environment when that was left out.
    guard_active : bool
        Whether the pooled model was kept because adapting did not pay.
    proposed : Setting
        What would have been chosen without the guard.
    """

    setting: Setting
    rule: Rule
    scale: SummaryScale
    settings: tuple[Setting, ...]
    losses: np.ndarray
    weights: np.ndarray
    held_out: np.ndarray
    guard_active: bool
    proposed: Setting


def environment_folds(
    cv: Any, labels: Sequence[Any], order: np.ndarray, random_state: RandomState
) -> list[np.ndarray]:
    """Deal environments into folds.

    Parameters
    ----------
    cv : int, "blocked", "leave_one_out", a splitter or a list of (train, test)
        Random folds, contiguous blocks of sorted labels, each environment alone, an object
        whose ``split(X, groups=labels)`` yields them, or the folds themselves.
    labels : sequence
        Sorted labels of the environments.
    order : ndarray of int
        Environments ordered by what they hold, so that random folds do not depend on labels.
    random_state : RandomState
        Of random folds.
    """
    n = len(labels)
    if not isinstance(cv, str) and hasattr(cv, "split"):
        groups = np.empty(n, dtype=object)
        groups[:] = labels
        return [np.asarray(test) for _, test in cv.split(np.zeros((n, 1)), groups=groups)]
    if cv == "blocked":
        return np.array_split(np.arange(n), min(5, n))
    if cv == "leave_one_out":
        return [np.array([e]) for e in range(n)]
    if isinstance(cv, str):
        raise InputError(
            f"cv must be a number, 'blocked', 'leave_one_out' or a splitter, found {cv!r}."
        )
    if isinstance(cv, (list, tuple)):
        return [np.asarray(test) for _, test in cv]
    n_folds = check_integer(cv, "cv", minimum=2)
    if n < LEAVE_ONE_OUT:
        return [np.array([e]) for e in order]
    n_folds = max(n_folds, 10) if n <= TEN_FOLDS else n_folds
    dealt = order[as_generator(random_state).permutation(n)]
    return [np.sort(dealt[k::n_folds]) for k in range(min(n_folds, n))]


def choose_rule(
    known: Known,
    task: Task,
    families: Sequence[str],
    folds: Sequence[np.ndarray],
    *,
    guard: bool,
    pooled_allowed: bool = True,
    n_jobs: int | None = None,
) -> Choice:
    """Fit every setting of the families without each fold, weigh them, and fit them to all.

    Without `pooled_allowed` the pooled model is there for the guard alone.
    """
    usable = known.usable
    tasks = [(known, task, tuple(families), np.intersect1d(fold, usable)) for fold in folds]
    parts = parallel_map(_fit_fold, [t for t in tasks if len(t[-1])], n_jobs=n_jobs)
    settings = max((part[0] for part in parts), key=len)
    slots, problem = len(settings), known.problem
    shape = (slots, len(problem))
    losses = np.full(shape, np.nan)
    vectors = np.full((*shape, problem.n_coefficients), np.nan)
    for found, fold, risks, coefficients in parts:
        losses[:, fold] = _aligned(settings, found, risks, np.inf)
        vectors[:, fold] = _aligned(settings, found, coefficients, 0.0)
    chosen = np.flatnonzero(np.isfinite(losses).any(axis=0))
    allowed = np.array([pooled_allowed or s.strategy != "pooled" for s in settings])
    if not allowed.any():
        raise InputError(
            f"strategy: {problem.n_coefficients - 1} columns (each category counts as one) are too "
            f"many to fit {' and '.join(map(repr, families[1:]))}. Leave out columns with many "
            "categories, join rare ones, or use strategy='auto'."
        )
    weights = setting_weights(losses[:, chosen], allowed)
    held_out = np.einsum("s,seq->eq", weights, vectors)
    active = guard and _does_not_pay(problem, settings, losses, held_out, chosen)
    proposed = settings[int(weights.argmax())]
    reference = [s.strategy for s in settings].index("pooled")
    if active:
        weights = np.eye(slots)[reference]
        held_out = vectors[reference]
    scale = known.summaries.scale(usable)
    rule, weights = fit_weighted(known, task, scale, settings, weights)
    return Choice(
        settings[int(weights.argmax())], rule, scale, settings, losses, weights, held_out,
        active, proposed,
    )  # fmt: skip


def screen(known: Known, task: Task, folds: Sequence[np.ndarray], n_jobs: int | None) -> Task:
    """Keep forms and penalties that a squared loss, quick to fit, does not rule out.

    The neighbours of each penalty stay, too.
    """
    losses: list[np.ndarray] = []
    settings: tuple[Setting, ...] = ()
    for problem in known.problem.squared():
        twin = replace(known, problem=problem, rows=None)
        jobs = [(twin, task, ("coefficients",), fold) for fold in folds]
        parts = parallel_map(_fit_fold, jobs, n_jobs=n_jobs)
        settings = max((part[0] for part in parts), key=len)
        losses.append(np.hstack([_aligned(settings, f, r, np.inf) for f, _, r, _ in parts]))
    total = np.sum(losses, axis=0)
    chosen = setting_weights(total, np.isfinite(total).all(axis=1)) > 0
    kept = chosen | np.append(chosen[1:], False) | np.append(False, chosen[:-1])
    return replace(
        task, wanted=Setting.by_strategy(s for s, k in zip(settings, kept, strict=True) if k)
    )


def setting_weights(losses: np.ndarray, allowed: np.ndarray, *, sharp: bool = False) -> np.ndarray:
    """Weigh settings by how clearly the best one beats them: exp(-loss / standard error).

    With few environments many settings are as good as the best for all that is known; their mean is
    steadier than any of them. With `sharp` the best one gets all.
    """
    means = np.where(allowed, losses.mean(axis=1), np.inf)
    best = int(means.argmin())
    with np.errstate(invalid="ignore"):
        behind = losses - losses[best]
        error = behind.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    lost = np.where(np.isfinite(means), means - means[best], np.inf)
    ratio = np.divide(lost, error, out=np.where(lost > 0, np.inf, 0.0), where=error > 0)
    weights = np.where(allowed, np.exp(-np.where(np.isfinite(lost), ratio, np.inf)), 0.0)
    if sharp:
        weights = np.where(np.arange(len(means)) == best, 1.0, 0.0)
    weights[weights < SMALLEST_WEIGHT * weights.max()] = 0.0
    return np.asarray(weights / weights.sum())


def _does_not_pay(
    problem: Problem,
    settings: Sequence[Setting],
    losses: np.ndarray,
    held_out: np.ndarray,
    chosen: np.ndarray,
) -> bool:
    """Whether adapting fails to beat the pooled model by a share of the standard error."""
    reference = [s.strategy for s in settings].index("pooled")
    own = problem.take(chosen).own_risks(held_out[chosen])
    gain = losses[reference, chosen] - own
    return bool(gain.mean() <= GUARD * gain.std(ddof=1) / np.sqrt(len(gain)))


def fit_weighted(
    known: Known, task: Task, scale: SummaryScale, settings: Sequence[Setting], weights: np.ndarray
) -> tuple[Rule, np.ndarray]:
    """Fit the settings that carry weight to all environments."""
    carried = [s for s, w in zip(settings, weights, strict=True) if w > 0]
    task = replace(task, wanted=Setting.by_strategy(carried))
    sample = known.sample(known.usable, scale)
    fitted: dict[tuple[str, str], Rule] = {}
    for name in dict.fromkeys(s.strategy for s in carried):
        # Environments too small for a summary still count in the pooled fit.
        alone = name in ("pooled", "causal")
        part = replace(sample, problem=known.problem) if alone else sample
        fitted |= {s.slot: rule for s, rule in FAMILIES[name](part, task)}
    there = np.array([s.slot in fitted for s in settings])
    weights = np.where(there, weights, 0.0)
    weights = weights / weights.sum()
    used = np.flatnonzero(weights > 0)
    rules = [fitted[settings[int(i)].slot] for i in used]
    return (rules[0] if len(rules) == 1 else AverageRule(rules, weights[used])), weights


def _fit_fold(
    known: Known, task: Task, families: tuple[str, ...], fold: np.ndarray
) -> tuple[tuple[Setting, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Return settings, fold, risks (S, fold) and coefficients (S, fold, n_coefficients)."""
    rest = np.setdiff1d(known.usable, fold)
    scale = known.summaries.scale(rest)
    train, test = known.sample(rest, scale), known.sample(fold, scale)
    fitted = [pair for name in families for pair in FAMILIES[name](train, task)]
    vectors = np.array([rule.coefficients(test.z, test.rows) for _, rule in fitted])
    risks = np.array([test.problem.own_risks(v) for v in vectors])
    return tuple(setting for setting, _ in fitted), fold, risks, vectors


def _aligned(
    settings: Sequence[Setting], found: Sequence[Setting], values: np.ndarray, absent: float
) -> np.ndarray:
    """Put values in the order of `settings`; a form that a fold was too small for is `absent`."""
    place = {s.slot: i for i, s in enumerate(found)}
    nothing = np.full(values.shape[1:], absent)
    return np.array([values[place[s.slot]] if s.slot in place else nothing for s in settings])
