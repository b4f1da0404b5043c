"""The path of other models than linear ones, in the terms of the linear path."""

from typing import Any

import numpy as np

from shiftlab._core.validation import Labels
from shiftlab.adaptation._choose import Choice
from shiftlab.adaptation._fit import Design, Fitted, Options, range_of, usable_folds
from shiftlab.adaptation._generic import GenericFit, fit_generic
from shiftlab.adaptation._rules import PooledRule
from shiftlab.adaptation._rungs import Rung
from shiftlab.adaptation._task import Setting, Task

__all__ = ["fit_clones"]


def fit_clones(
    estimator: Any,
    rows: tuple[np.ndarray, np.ndarray, Labels, np.ndarray | None],
    design: Design,
    sets: np.ndarray,
    task: Task,
    options: Options,
) -> tuple[GenericFit, Fitted]:
    """Fit clones, and describe the result as the linear path does."""
    folds = usable_folds(design, options)
    strategy = options.strategy
    if folds is None:
        folds, strategy = [], "pooled"
    fit, scale = fit_generic(
        estimator, rows, design.summaries, task.columns[:, 1:], (task.pooled, task.causal), folds,
        strategy=strategy, guard=options.guard, n_jobs=options.n_jobs,
    )  # fmt: skip
    q = task.columns.shape[1]
    held_out = np.full((len(design.moments), q), np.nan)
    nothing = np.zeros(q)
    best = int(fit.weights.argmax())
    forced = strategy != options.strategy
    choice = Choice(
        fit.settings[best], PooledRule(nothing), scale, fit.settings, fit.losses, fit.weights,
        held_out, fit.guard_active or forced, _proposed(fit),
    )  # fmt: skip
    rungs = (Rung(0, scale, choice.rule, fit.rule),)
    return fit, Fitted(choice, rungs, sets, range_of(design, scale), nothing, nothing, fit.risks)


def _proposed(fit: GenericFit) -> Setting:
    means = np.array([np.nanmean(row) if np.isfinite(row).any() else np.inf for row in fit.losses])
    return fit.settings[int(means.argmin())]
