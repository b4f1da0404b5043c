"""How much of a model's loss of accuracy elsewhere is covariate shift, how much concept shift."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.names import join_names
from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab._core.validation import (
    Labels,
    check_environment,
    check_fraction,
    check_integer,
    check_option,
    combine_labels,
    split_columns,
)
from shiftlab.divergence._content_order import content_order, draw_rows, share_rows
from shiftlab.divergence._crossfit import Problem, cross_fit, encode, held_out_losses
from shiftlab.divergence._decomposition_result import (
    EnvironmentLoss,
    ShiftDecomposition,
    sort_by_total,
)
from shiftlab.divergence._shared_space import Estimate, mean_estimate, shared_space
from shiftlab.exceptions import DegenerateDataError, InputError

__all__ = ["shift_decomposition"]

#: With more environments than this, one home model serves several of them.
MAX_GROUPS = 20
#: Environments with fewer rows are not decomposed; no environment is subsampled below FLOOR rows.
MIN_ROWS, FLOOR = 50, 300
MAX_CLASSES = 50


@dataclass(frozen=True)
class _Group:
    """Environments that share a home: positions of the members, home rows and their folds."""

    members: list[int]
    home: np.ndarray
    folds: np.ndarray


def shift_decomposition(
    table: Any,
    outcome: str,
    environment: Any,
    *,
    estimator: Any = None,
    task: str = "auto",
    reference: Any = None,
    exclude: Any = None,
    n_folds: int = 3,
    max_rows: int | None = 30_000,
    trim: float = 0.01,
    min_effective_rows: int = 30,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress = False,
) -> ShiftDecomposition:
    """Split the change of a model's loss between environments into covariate and concept parts.

    For each environment a model is trained on the others (or on `reference`) and its loss there is
    compared with its loss on held-out rows at home.

    Parameters
    ----------
    table : data frame, mapping of columns, or Table of shape (n_rows, n_columns)
        Covariates may have missing cells.
    outcome : str
        Column to predict. Rows without it are set aside and counted.
    environment : str, sequence of str, or array of shape (n_rows,)
        Column(s) or labels; at least two environments.

    Returns
    -------
    ShiftDecomposition
    """
    table = as_table(table, name="table")
    labels, used = check_environment(environment, table)
    _check_numbers(n_folds, max_rows, min_effective_rows, trim, confidence_level)
    target = _outcome(table, outcome, used)
    covariates = _covariates(table, [outcome, *used, *split_columns(exclude)])
    n_rows, known = table.n_rows, ~target.missing
    notes: list[str] = []
    labels, dropped = _known_labels(labels, known)
    if dropped:
        notes.append(f"no outcome at all in {join_names(dropped)}: left out")
    covariates, target = covariates.take(known), target.take(known)
    task = _task(target, estimator, task)

    seeds = spawn_seeds(random_state, 3)
    content = Table((*covariates.columns, target), covariates.n_rows)
    order, rows = content_order(content, labels.codes, len(labels))
    counts = labels.counts[order]
    keep = share_rows(counts, max_rows, FLOOR)
    rows = draw_rows(rows, counts, keep, seeds[0].spawn(len(keep)))
    if len(rows) < covariates.n_rows:
        notes.append(f"{len(rows)} of {covariates.n_rows} rows drawn at random (max_rows)")
    position = np.repeat(np.arange(len(keep)), keep)
    problem = _problem(covariates.take(rows), target.take(rows), task, estimator)
    home = None if reference is None else int(np.flatnonzero(order == labels.index(reference))[0])
    groups = _groups(position, len(keep), home, n_folds, seeds[1])
    if home is None and len(keep) > MAX_GROUPS:
        notes.append(
            f"{len(keep)} environments in {len(groups)} groups: the model for each is trained "
            "outside its group"
        )
    losses = _home_losses(problem, groups, position, n_folds, seeds[2], n_jobs, progress)
    settings = (trim, min_effective_rows, confidence_level, n_folds)
    tasks = [
        (problem, group, np.flatnonzero(position == member), loss, settings, seed)
        for group, loss in zip(groups, losses, strict=True)
        for member, seed in zip(group.members, seeds[2].spawn(len(group.members)), strict=True)
    ]
    names = [labels.categories[order[member]] for group in groups for member in group.members]
    found = parallel_map(
        _environment, tasks, n_jobs=n_jobs, progress=progress, description="environments"
    )
    return ShiftDecomposition(
        environment=labels.name,
        outcome=outcome,
        task=task,
        loss="Brier score" if problem.n_classes else "squared error",
        reference=None if home is None else labels.categories[order[home]],
        loss_constant=_constant_loss(problem, np.arange(len(rows))),
        confidence_level=confidence_level,
        n_rows=n_rows,
        n_used=len(rows),
        n_without_outcome=int(n_rows - known.sum()),
        covariates=covariates.names,
        environments=sort_by_total(
            [
                EnvironmentLoss(environment=name, **parts)
                for name, parts in zip(names, found, strict=True)
            ]
        ),
        notes=tuple(notes),
    )


def _check_numbers(
    n_folds: int, max_rows: int | None, min_effective_rows: int, trim: float, level: float
) -> None:
    check_integer(n_folds, "n_folds", minimum=2)
    check_integer(min_effective_rows, "min_effective_rows", minimum=2)
    if max_rows is not None:
        check_integer(max_rows, "max_rows", minimum=200)
    if check_fraction(trim, "trim") >= 0.5:
        raise InputError(f"trim must be below 0.5, found {trim!r}.")
    check_fraction(level, "confidence_level")


def _outcome(table: Table, outcome: str, used: list[str]) -> Column:
    column = table[outcome]
    if outcome in used:
        raise InputError(f"outcome: {outcome!r} is the environment; name another column.")
    if column.kind == "datetime":
        raise InputError(f"outcome: {outcome!r} holds dates; give numbers or labels.")
    observed = column.values[~column.missing]
    if observed.size == 0 or observed.min() == observed.max():
        raise DegenerateDataError(
            f"outcome: {outcome!r} has {'one value only' if observed.size else 'no value'}, so "
            "there is nothing to predict; name another column."
        )
    return column


def _covariates(table: Table, unwanted: list[str]) -> Table:
    covariates = table.drop(unwanted)
    if not covariates.columns:
        raise InputError(
            "table has no covariates: every column is the outcome, the environment or excluded."
        )
    return covariates


def _known_labels(labels: Labels, known: np.ndarray) -> tuple[Labels, list[Any]]:
    codes = labels.codes[known]
    dropped = [
        c
        for c, n in zip(labels.categories, np.bincount(codes, minlength=len(labels)), strict=True)
        if n == 0
    ]
    if len(labels) - len(dropped) < 2:
        raise DegenerateDataError("outcome: known in fewer than two environments.")
    kept = combine_labels([Labels(labels.name, codes, labels.categories)]) if not dropped else None
    if kept is not None:
        return kept, dropped
    present, codes = np.unique(codes, return_inverse=True)
    categories = tuple(labels.categories[i] for i in present)
    return Labels(labels.name, codes.astype(np.int32), categories), dropped


def _task(target: Column, estimator: Any, task: str) -> str:
    check_option(task, ("auto", "regression", "classification"), "task")
    if task == "auto":
        from sklearn.base import is_classifier, is_regressor

        if estimator is not None and (is_classifier(estimator) or is_regressor(estimator)):
            task = "classification" if is_classifier(estimator) else "regression"
        else:
            observed = target.values[~target.missing]
            two = target.is_number and len(np.unique(observed)) == 2
            task = "classification" if two or not target.is_number else "regression"
    if task == "regression" and target.kind == "categorical":
        raise InputError(f"outcome: {target.name!r} holds labels; task='regression' needs numbers.")
    return task


def _problem(covariates: Table, target: Column, task: str, estimator: Any) -> Problem:
    encoded = encode(covariates)
    if task == "regression":
        return Problem(encoded, target.values.astype(np.float64), 0, estimator)
    if estimator is not None and not hasattr(estimator, "predict_proba"):
        raise InputError(
            "estimator must have predict_proba to predict classes; "
            f"{type(estimator).__name__} has not."
        )
    present, codes = np.unique(target.values, return_inverse=True)
    if len(present) > MAX_CLASSES:
        raise InputError(
            f"outcome: {target.name!r} has {len(present)} classes, at most {MAX_CLASSES} are "
            "supported; pool the rare ones, or use task='regression' for a number."
        )
    return Problem(encoded, codes.astype(np.float64), max(2, len(present)), estimator)


def _groups(
    position: np.ndarray, n: int, home: int | None, n_folds: int, seed: np.random.SeedSequence
) -> list[_Group]:
    """Members are dealt out in the order of their content, so names do not matter."""
    if home is not None:
        members = [[i for i in range(n) if i != home]]
        homes = [np.flatnonzero(position == home)]
    else:
        n_groups = min(n, MAX_GROUPS)
        members = [list(range(i, n, n_groups)) for i in range(n_groups)]
        homes = [np.flatnonzero(~np.isin(position, group)) for group in members]
    groups = []
    for group, rows, child in zip(members, homes, seed.spawn(len(members)), strict=True):
        if len(rows) < MIN_ROWS:
            raise DegenerateDataError(
                f"reference: {len(rows)} rows at home, at least {MIN_ROWS} are needed."
            )
        rows = np.random.default_rng(child).permutation(rows)
        groups.append(_Group(group, rows, np.arange(len(rows)) % n_folds))
    return groups


def _home_losses(
    problem: Problem,
    groups: list[_Group],
    position: np.ndarray,
    n_folds: int,
    seed: np.random.SeedSequence,
    n_jobs: int | None,
    progress: Progress,
) -> list[np.ndarray]:
    """Losses of the home models: held-out at home, the mean over the models elsewhere."""
    seeds = seed.spawn(len(groups) * n_folds)
    elsewhere = [np.flatnonzero(np.isin(position, group.members)) for group in groups]
    tasks = []
    for i, group in enumerate(groups):
        for k in range(n_folds):
            test = group.folds == k
            tests = [group.home[test], elsewhere[i]]
            tasks.append((problem, group.home[~test], tests, seeds[i * n_folds + k]))
    found = parallel_map(
        held_out_losses, tasks, n_jobs=n_jobs, progress=progress, description="home models"
    )
    losses = []
    for i, group in enumerate(groups):
        loss = np.full(len(position), np.nan)
        folds = found[i * n_folds : (i + 1) * n_folds]
        for k, (at_home, _) in enumerate(folds):
            loss[group.home[group.folds == k]] = at_home
        loss[elsewhere[i]] = np.mean([away for _, away in folds], axis=0)
        losses.append(loss)
    return losses


def _environment(
    problem: Problem,
    group: _Group,
    here: np.ndarray,
    loss: np.ndarray,
    settings: tuple[float, int, float, int],
    seed: np.random.SeedSequence,
) -> dict[str, Any]:
    """Everything about one environment."""
    level, n_folds = settings[2:]
    parts: dict[str, Any] = {
        "n": len(here),
        "n_home": len(group.home),
        "loss_home": mean_estimate(loss[group.home], level),
        "loss_here": mean_estimate(loss[here], level),
        "loss_constant": _constant_loss(problem, here),
    }
    folds = np.arange(len(here)) % n_folds
    enough = len(here) >= MIN_ROWS
    within = _within(problem, here, folds, seed) if enough else np.empty(0)
    parts["loss_within"] = mean_estimate(within, level)
    return parts | _split(problem, group, (here, folds, loss), settings, enough)


def _split(
    problem: Problem,
    group: _Group,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    settings: tuple[float, int, float, int],
    enough: bool,
) -> dict[str, Any]:
    trim, min_effective_rows, level, _ = settings
    here, folds, loss = rows
    nothing = dict.fromkeys(("covariate_home", "concept", "covariate_here"), Estimate())
    if not enough:
        total = _difference(loss[group.home], loss[here], level)
        unknown = dict.fromkeys(("ess_home", "ess_here", "overlap", "auc"), np.nan)
        return {"total": total, **nothing, **unknown, "note": f"fewer than {MIN_ROWS} rows"}
    losses = (loss[group.home], loss[here])
    at_home, at_here, auc = cross_fit(
        problem.covariates, (group.home, here), losses, (group.folds, folds), trim
    )
    space = shared_space(*losses, at_home, at_here, level)
    found = {name: getattr(space, name) for name in (*nothing, "total")}
    effective, note = min(space.ess_home, space.ess_here), ""
    if effective < min_effective_rows:
        found |= nothing
        note = f"hardly any shared covariates: {effective:.0f} effective rows"
    elif space.overlap < 0.2:
        note = f"few shared covariates (overlap {space.overlap:.2f})"
    diagnostics = {name: getattr(space, name) for name in ("ess_home", "ess_here", "overlap")}
    return {**found, **diagnostics, "auc": auc, "note": note}


def _difference(home: np.ndarray, here: np.ndarray, level: float) -> Estimate:
    """Welch's interval for a difference of means."""
    a, b = mean_estimate(home, level), mean_estimate(here, level)
    half = np.hypot(a.high - a.value, b.high - b.value)
    value = b.value - a.value
    return Estimate(value, value - half, value + half)


def _within(
    problem: Problem, here: np.ndarray, folds: np.ndarray, seed: np.random.SeedSequence
) -> np.ndarray:
    loss = np.empty(len(here))
    for k, child in enumerate(seed.spawn(int(folds.max()) + 1)):
        test = folds == k
        loss[test] = held_out_losses(problem, here[~test], [here[test]], child)[0]
    return loss


def _constant_loss(problem: Problem, rows: np.ndarray) -> float:
    """Loss of the mean (of the class shares), unbiased for the rows' own population."""
    outcome, n = problem.outcome[rows], len(rows)
    if n < 2:
        return np.nan
    if not problem.n_classes:
        return float(outcome.var(ddof=1))
    shares = np.bincount(outcome.astype(np.intp), minlength=problem.n_classes) / n
    value = float(1 - (shares**2).sum()) * n / (n - 1)
    return value / 2 if problem.n_classes == 2 else value
