"""The steps of `shift_decomposition`: home models, their losses, and one environment at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.parallel import seeded_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import spawn_seeds
from shiftlab.divergence._crossfit import Problem, cross_fit, held_out_losses
from shiftlab.divergence._shared_space import (
    Estimate,
    SharedSpace,
    mean_difference,
    mean_estimate,
    shared_space,
)
from shiftlab.exceptions import DegenerateDataError

__all__ = ["Group", "Settings", "constant_loss", "deal_groups", "examine", "home_losses"]

#: With more environments than this, one home model serves several of them.
MAX_GROUPS = 20
#: Environments with fewer rows are not decomposed.
MIN_ROWS = 50
#: With fewer rows than this on either side, the intervals of the parts are too narrow:
#: at 100 and 100 rows those of 95% held the truth in about 85% of simulated samples.
FEW_ROWS = 300
#: With fewer effective rows on the shared covariates the parts are not reported.
MIN_EFFECTIVE_ROWS = 30
#: Below this overlap the result carries a note.
WEAK_OVERLAP = 0.2


@dataclass(frozen=True)
class Settings:
    """Numbers that govern the estimates; see `shift_decomposition`."""

    n_folds: int
    min_overlap: float
    confidence_level: float


@dataclass(frozen=True)
class Group:
    """Environments that share a home.

    Attributes
    ----------
    members : list of int
        Positions of the environments.
    home : ndarray of int
        Rows outside them, in random order.
    folds : ndarray of int
        Fold of each home row.
    """

    members: list[int]
    home: np.ndarray
    folds: np.ndarray


def deal_groups(
    position: np.ndarray, home: int | None, n_folds: int, seed: np.random.SeedSequence
) -> list[Group]:
    """Form the groups: each environment its own, or dealt out in turn if there are many.

    Parameters
    ----------
    position : ndarray of int, shape (n_rows,)
        Environment of each row.
    home : int or None
        The reference; None means that home is what lies outside the group.
    n_folds : int
    seed : SeedSequence
    """
    n = int(position.max()) + 1
    if home is None:
        members = [list(range(i, n, MAX_GROUPS)) for i in range(min(n, MAX_GROUPS))]
        homes = [np.flatnonzero(~np.isin(position, group)) for group in members]
    else:
        members = [[i for i in range(n) if i != home]]
        homes = [np.flatnonzero(position == home)]
    groups = []
    for group, rows, child in zip(members, homes, seed.spawn(len(members)), strict=True):
        if len(rows) < MIN_ROWS:
            raise DegenerateDataError(
                f"{'environment' if home is None else 'reference'}: {len(rows)} rows with a known "
                f"outcome to train the home model on, at least {MIN_ROWS} are needed. Give more "
                "rows, join small environments, or leave the outcome out."
            )
        rows = np.random.default_rng(child).permutation(rows)
        groups.append(Group(group, rows, np.arange(len(rows)) % n_folds))
    return groups


def home_losses(
    problem: Problem,
    groups: list[Group],
    position: np.ndarray,
    seed: np.random.SeedSequence,
    *,
    n_jobs: int | None,
    progress: Progress,
) -> list[np.ndarray]:
    """Losses of each group's home models: held out at home, their mean over the models elsewhere.

    Both sides then speak of the same models, those fitted on all home folds but one.
    """
    tasks, tests = [], []
    for i, group in enumerate(groups):
        elsewhere = np.flatnonzero(np.isin(position, group.members))
        for k in range(int(group.folds.max()) + 1):
            held_out = group.folds == k
            tests.append((i, group.home[held_out], elsewhere))
            tasks.append((problem, group.home[~held_out], list(tests[-1][1:])))
    found = seeded_map(
        held_out_losses,
        tasks,
        random_state=seed,
        n_jobs=n_jobs,
        progress=progress,
        description="home models",
    )
    losses = [np.zeros(len(position)) for _ in groups]
    for (i, at_home, elsewhere), (home_loss, away_loss) in zip(tests, found, strict=True):
        losses[i][at_home] = home_loss
        losses[i][elsewhere] += away_loss / (groups[i].folds.max() + 1)
    return losses


def examine(
    problem: Problem,
    group: Group,
    here: np.ndarray,
    loss: np.ndarray,
    settings: Settings,
    seed: np.random.SeedSequence,
) -> dict[str, Any]:
    """Return every field of an `EnvironmentLoss` except its label and count of missing outcomes.

    Parameters
    ----------
    problem : Problem
    group : Group
        Its home.
    here : ndarray of int
        Rows of the environment, in random order.
    loss : ndarray of shape (n_rows,)
        Losses of the home models.
    settings : Settings
    seed : SeedSequence
    """
    level = settings.confidence_level
    folds = np.arange(len(here)) % settings.n_folds
    enough = len(here) >= MIN_ROWS
    within = _within(problem, here, folds, seed) if enough else np.empty(0)
    found: dict[str, Any] = {
        "n": len(here),
        "n_home": len(group.home),
        "loss_home": mean_estimate(loss[group.home], level),
        "loss_here": mean_estimate(loss[here], level),
        "total": mean_difference(loss[group.home], loss[here], level),
        "loss_within": mean_estimate(within, level),
        "loss_constant": constant_loss(problem, here),
    }
    parts: dict[str, Any] = dict.fromkeys(
        ("covariate_home", "concept", "covariate_here"), Estimate()
    )
    parts |= dict.fromkeys(("ess_home", "ess_here", "overlap", "auc"), np.nan)
    if not enough:
        return found | parts | {"note": f"fewer than {MIN_ROWS} rows: not decomposed"}
    losses = (loss[group.home], loss[here])
    at_home, at_here, auc = cross_fit(
        problem.covariates, (group.home, here), losses, (group.folds, folds)
    )
    space = shared_space(*losses, at_home, at_here, level)
    said, note = _judge(space, min(map(len, losses)), settings)
    parts |= {name: getattr(space, name) for name in ("ess_home", "ess_here", "overlap")}
    if said:
        parts |= {name: getattr(space, name) for name in ("covariate_home", "concept")}
        parts["covariate_here"] = space.covariate_here
    return found | parts | {"auc": auc, "note": note}


def constant_loss(problem: Problem, rows: np.ndarray) -> float:
    """Loss of the best constant: the outcome's variance, or the Brier score of the class shares."""
    outcome, n = problem.outcome[rows], len(rows)
    if n < 2:
        return np.nan
    if not problem.n_classes:
        return float(outcome.var(ddof=1))
    shares = np.bincount(outcome.astype(np.intp), minlength=problem.n_classes) / n
    value = float(1 - (shares**2).sum()) * n / (n - 1)
    return value / 2 if problem.n_classes == 2 else value


def _judge(space: SharedSpace, n_rows: int, settings: Settings) -> tuple[bool, str]:
    """Decide whether the parts can be told apart, and what to say about it."""
    effective = min(space.ess_home, space.ess_here)
    if space.overlap < settings.min_overlap:
        return False, f"hardly any shared covariates (overlap {space.overlap:.3f}): not decomposed"
    if effective < MIN_EFFECTIVE_ROWS:
        return False, f"{effective:.0f} effective rows on the shared covariates: not decomposed"
    notes = []
    if space.overlap < WEAK_OVERLAP:
        notes.append(f"few shared covariates (overlap {space.overlap:.2f})")
    if n_rows < FEW_ROWS:
        notes.append(f"{n_rows} rows: intervals of the parts are too narrow")
    return True, "; ".join(notes)


def _within(
    problem: Problem, here: np.ndarray, folds: np.ndarray, seed: np.random.SeedSequence
) -> np.ndarray:
    loss = np.empty(len(here))
    for k, child in enumerate(spawn_seeds(seed, int(folds.max()) + 1)):
        test = folds == k
        loss[test] = held_out_losses(problem, here[~test], [here[test]], child)[0]
    return loss
