"""Which strategy: cross-validation over environments, and the guard against doing harm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.parallel import parallel_map
from shiftlab._core.random import RandomState, as_generator
from shiftlab.adaptation._features import SummaryScale, fit_scale
from shiftlab.adaptation._problem import Problem
from shiftlab.adaptation._rules import AverageRule, Rule
from shiftlab.adaptation._strategies import FAMILIES, Setting, Task
from shiftlab.exceptions import InputError

__all__ = ["Choice", "Summaries", "choose_rule", "environment_folds", "setting_weights"]

#: Below this many environments every one is left out in turn; up to the second, ten folds are made.
LEAVE_ONE_OUT, TEN_FOLDS = 10, 40
#: Standard errors by which adapting must beat the pooled model.
GUARD = 0.5
#: Settings with less than this share of the largest weight are left out.
SMALLEST_WEIGHT = 0.02


@dataclass(frozen=True)
class Summaries:
    """Summaries of the training environments and what is known of their noise.

    Attributes
    ----------
    values : ndarray of shape (E, d)
    n_rows : ndarray of shape (E,)
    noise, lost : ndarray of shape (d,)
        See `SummarySpec.noise` and `SummarySpec.lost_rows`.
    usable : ndarray of bool, shape (E,)
        Environments with rows enough to be summarised.
    """

    values: np.ndarray
    n_rows: np.ndarray
    noise: np.ndarray
    lost: np.ndarray
    usable: np.ndarray

    def scale(self, chosen: np.ndarray) -> SummaryScale:
        """Learn the scale from some environments."""
        return fit_scale(self.values[chosen], self.n_rows[chosen], self.noise, self.lost)

    def standardised(self, scale: SummaryScale, chosen: np.ndarray) -> np.ndarray:
        """Return the standardised summaries of some environments."""
        return scale.standardise(self.values[chosen], self.n_rows[chosen])


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
    problem: Problem,
    summaries: Summaries,
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
    usable = summaries.usable
    tasks = [
        (problem, summaries, task, tuple(families), np.intersect1d(fold, np.flatnonzero(usable)))
        for fold in folds
    ]
    parts = parallel_map(_fit_fold, [t for t in tasks if len(t[-1])], n_jobs=n_jobs)
    settings = max((part[0] for part in parts), key=len)
    slots = len(settings)
    shape = (slots, len(problem))
    losses = np.full(shape, np.nan)
    vectors = np.full((*shape, problem.n_coefficients), np.nan)
    for found, fold, risks, coefficients in parts:
        losses[:, fold] = _aligned(settings, found, risks, np.inf)
        vectors[:, fold] = _aligned(settings, found, coefficients, 0.0)
    chosen = np.flatnonzero(np.isfinite(losses).any(axis=0))
    allowed = np.array([pooled_allowed or s.strategy != "pooled" for s in settings])
    weights = setting_weights(losses[:, chosen], allowed)
    held_out = np.einsum("s,seq->eq", weights, vectors)
    active = guard and _does_not_pay(problem, settings, losses, held_out, chosen)
    proposed = settings[int(weights.argmax())]
    reference = [s.strategy for s in settings].index("pooled")
    if active:
        weights = np.eye(slots)[reference]
        held_out = vectors[reference]
    scale = summaries.scale(np.flatnonzero(usable))
    rule, weights = _fit_weighted(problem, summaries, task, scale, settings, weights)
    return Choice(
        settings[int(weights.argmax())], rule, scale, settings, losses, weights, held_out,
        active, proposed,
    )  # fmt: skip


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


def _fit_weighted(
    problem: Problem,
    summaries: Summaries,
    task: Task,
    scale: SummaryScale,
    settings: Sequence[Setting],
    weights: np.ndarray,
) -> tuple[Rule, np.ndarray]:
    """Fit the settings that carry weight to all environments."""
    chosen = np.flatnonzero(summaries.usable)
    z = summaries.standardised(scale, chosen)
    needed = dict.fromkeys(s.strategy for s, w in zip(settings, weights, strict=True) if w > 0)
    fitted: dict[tuple[str, str], Rule] = {}
    for name in needed:
        # Environments too small for a summary still count in the pooled fit.
        alone = name in ("pooled", "causal")
        part = problem if alone else problem.take(chosen)
        fitted |= {_slot(s): rule for s, rule in FAMILIES[name](part, z, task)}
    known = np.array([_slot(s) in fitted for s in settings])
    weights = np.where(known, weights, 0.0)
    weights = weights / weights.sum()
    used = np.flatnonzero(weights > 0)
    rules = [fitted[_slot(settings[int(i)])] for i in used]
    return (rules[0] if len(rules) == 1 else AverageRule(rules, weights[used])), weights


def _fit_fold(
    problem: Problem, summaries: Summaries, task: Task, families: tuple[str, ...], fold: np.ndarray
) -> tuple[tuple[Setting, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Return settings, fold, risks (S, fold) and coefficients (S, fold, q)."""
    rest = np.setdiff1d(np.flatnonzero(summaries.usable), fold)
    scale = summaries.scale(rest)
    z, held_out = summaries.standardised(scale, rest), summaries.standardised(scale, fold)
    train, test = problem.take(rest), problem.take(fold)
    fitted = [pair for name in families for pair in FAMILIES[name](train, z, task)]
    vectors = np.array([rule.coefficients(held_out) for _, rule in fitted])
    risks = np.array([test.own_risks(v) for v in vectors])
    return tuple(setting for setting, _ in fitted), fold, risks, vectors


def _slot(setting: Setting) -> tuple[str, str]:
    """Select and mix choose their form themselves, within each fold."""
    alone = setting.strategy in ("select", "mix")
    return setting.strategy, "" if alone else setting.detail


def _aligned(
    settings: Sequence[Setting], found: Sequence[Setting], values: np.ndarray, absent: float
) -> np.ndarray:
    """Put values in the order of `settings`; a form that a fold was too small for is `absent`."""
    place = {_slot(s): i for i, s in enumerate(found)}
    nothing = np.full(values.shape[1:], absent)
    return np.array([values[place[_slot(s)]] if _slot(s) in place else nothing for s in settings])
