"""Strategies: how a rule is learned from training environments and their summaries.

Each family returns one rule per setting (penalty, form of the regressors), so that one
cross-validation over environments compares all settings of all families.
"""

from collections.abc import Callable

import numpy as np

from shiftlab.adaptation._features import FeatureMap, fit_map
from shiftlab.adaptation._known import Sample
from shiftlab.adaptation._labels import fit_labels
from shiftlab.adaptation._mask import fit_mask
from shiftlab.adaptation._rules import CoefficientRule, PooledRule, Rule, SubsetRule
from shiftlab.adaptation._subsets import portfolio
from shiftlab.adaptation._task import Setting, Task

__all__ = ["FAMILIES", "risk_regression"]

PENALTIES = 10.0 ** np.arange(-3.5, 1.6, 0.5)
RIDGES = 10.0 ** np.arange(-3, 3.1, 1.0)
#: Coefficients that are solved for at once (of linear forms: at most HARD_LIMIT), and candidates
#: that a choice is made from.
MOST_UNKNOWNS, HARD_LIMIT = 700, 4000
MOST_CANDIDATES = 32


Family = Callable[[Sample, Task], list[tuple[Setting, Rule]]]


def _pooled(sample: Sample, task: Task) -> list[tuple[Setting, Rule]]:
    vector = sample.problem.fit_subsets(task.columns[[task.pooled]])[0]
    return [(Setting("pooled", "all covariates"), PooledRule(vector))]


def _causal(sample: Sample, task: Task) -> list[tuple[Setting, Rule]]:
    vector = sample.problem.fit_subsets(task.columns[[task.causal]])[0]
    return [(Setting("causal", "known causes"), PooledRule(vector))]


def _subsets(sample: Sample, task: Task, soft: bool) -> list[tuple[Setting, Rule]]:
    vectors = sample.problem.fit_subsets(task.columns)
    risks = sample.problem.risks(vectors)
    kept = np.arange(len(vectors))
    if len(vectors) > MOST_CANDIDATES:
        kept = portfolio(risks, MOST_CANDIDATES, [task.pooled, task.causal])
    pooled = int(np.flatnonzero(kept == task.pooled)[0])
    rule = risk_regression(
        risks[:, kept], vectors[kept], task.columns[kept], pooled, sample.z, soft=soft
    )
    name = "mix" if soft else "select"
    if task.selector not in (None, "risk"):
        labels = fit_labels(task.selector, rule, risks[:, kept], sample, task, pooled, soft)
        return [(Setting(name, "classifier of the best subset"), labels)]
    return [(Setting(name, f"{rule.feature_map.kind} in the summaries"), rule)]


def risk_regression(
    risks: np.ndarray,
    vectors: np.ndarray,
    columns: np.ndarray,
    pooled: int,
    z: np.ndarray,
    *,
    soft: bool,
) -> SubsetRule:
    """Regress risk differences on summaries; the form with the least leave-one-out risk is kept.

    What counts is the risk of the candidate that would have been chosen, so near-ties between
    candidates, which are noise, cost nothing.
    """
    differences = risks - risks[:, [pooled]]
    everything = np.arange(z.shape[1])
    best: tuple[float, FeatureMap, np.ndarray, np.ndarray] | None = None
    kinds = ["linear"]
    if z.shape[1] * (z.shape[1] + 3) / 2 <= 0.5 * len(z):
        kinds.append("quadratic")
    if len(z) >= 40:
        kinds.append("smooth")
    for kind in kinds:
        feature_map = fit_map(kind, z, everything)
        for effect, residuals in _ridge_leave_one_out(feature_map(z), differences):
            chosen = (differences - residuals).argmin(axis=1)
            realised = float(differences[range(len(z)), chosen].mean())
            if best is None or realised < best[0] - 1e-12:
                best = (realised, feature_map, effect, residuals)
    assert best is not None  # noqa: S101
    return SubsetRule(vectors, columns, best[1], best[2], best[3], soft)


def _ridge_leave_one_out(
    phi: np.ndarray, target: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ridge regression of every column of target; strong ridges first."""
    n = len(phi)
    centre = phi.mean(axis=0)
    u, s, vt = np.linalg.svd(phi - centre, full_matrices=False)
    mean = target.mean(axis=0)
    inner = u.T @ (target - mean)
    found = []
    for ridge in RIDGES[::-1]:
        shrink = s**2 / (s**2 + ridge * n / 10)
        fitted = mean + u @ (shrink[:, None] * inner)
        leverage = 1 / n + (u**2) @ shrink
        residuals = (target - fitted) / np.maximum(1 - leverage, 1e-6)[:, None]
        slope = vt.T @ ((s / (s**2 + ridge * n / 10))[:, None] * inner)
        found.append((np.vstack([mean - centre @ slope, slope]), residuals))
    return found


def _coefficients(sample: Sample, task: Task) -> list[tuple[Setting, Rule]]:
    found: list[tuple[Setting, Rule]] = []
    problem, z = sample.problem, sample.z
    used = np.flatnonzero(task.columns[task.pooled])
    for kind, chosen, words in _forms(z, task.is_mean):
        settings = [Setting("coefficients", f"{words}, penalty {p:.3g}") for p in PENALTIES]
        wanted = np.flatnonzero([task.wants(setting) for setting in settings])
        feature_map = fit_map(kind, z, chosen)
        phi = feature_map(z)
        few, back = _rotated(phi)
        n_unknowns = (1 + few.shape[1]) * len(used) * problem.n_scores
        if not len(wanted) or n_unknowns > (HARD_LIMIT if kind == "linear" else MOST_UNKNOWNS):
            continue
        for i, theta in zip(wanted, problem.fit_varying(few, PENALTIES[wanted], used), strict=True):
            theta = np.vstack([theta[:1], back @ theta[1:]])
            found.append((settings[i], CoefficientRule(theta, feature_map, float(PENALTIES[i]))))
    return found


def _rotated(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most as many regressors as environments, and the way back to all of them.

    The penalty is the same in every direction, so the solution lies in the span of the rows.
    """
    if phi.shape[1] <= len(phi):
        return phi, np.eye(phi.shape[1])
    u, s, vt = np.linalg.svd(phi, full_matrices=False)
    return u * s, vt.T


def _forms(z: np.ndarray, is_mean: np.ndarray) -> list[tuple[str, np.ndarray, str]]:
    everything, means = np.arange(z.shape[1]), np.flatnonzero(is_mean)
    forms = [("linear", everything, "linear")]
    if 0 < len(means) < len(everything):
        forms.append(("linear", means, "linear in means"))
    if len(means):
        forms.append(("quadratic", means, "quadratic in means"))
    if len(z) >= 40:
        forms.append(("smooth", everything, "smooth"))
        if 0 < len(means) < len(everything):
            forms.append(("smooth", means, "smooth in means"))
    return forms


def _mask(sample: Sample, task: Task) -> list[tuple[Setting, Rule]]:
    start = sample.problem.fit_subsets(task.columns[[task.pooled]])[0]
    found: list[tuple[Setting, Rule]] = []
    for form, moves in task.gates:
        words = "gates and intercept" if moves else "gates"
        setting = Setting("mask", f"{form} {words}")
        if task.wants(setting):
            rule = fit_mask(
                sample, start, task.open_columns, form, moves, task.generator(), task.device
            )
            found.append((setting, rule))
    return found


#: Every family, in the order in which equal scores are broken: the plainer first.
FAMILIES: dict[str, Family] = {
    "pooled": _pooled,
    "causal": _causal,
    "select": lambda sample, task: _subsets(sample, task, soft=False),
    "mix": lambda sample, task: _subsets(sample, task, soft=True),
    "mask": _mask,
    "coefficients": _coefficients,
}
