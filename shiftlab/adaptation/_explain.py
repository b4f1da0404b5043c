"""Answers about new environments and about the fit, from what the estimators have learned."""

from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.random import as_generator
from shiftlab._core.validation import Labels
from shiftlab.adaptation._batches import Batches, summarise
from shiftlab.adaptation._gram import build_moments
from shiftlab.adaptation._known import SetRows
from shiftlab.adaptation._results import (
    EnvironmentSummary,
    Identifiability,
    Selection,
    ShiftExplanation,
)
from shiftlab.adaptation._rungs import Rung

if TYPE_CHECKING:
    from shiftlab.adaptation._tell import Telling

__all__ = ["explain", "identify", "select", "summarise_batches"]


def select(model: "Telling", batches: Batches, n_bootstrap: int) -> Selection:
    """Answer `select` of the estimators."""
    fitted, design = model._fitted, model._design
    names = design.encoder.names
    _, fallback, pvalues, outside = model._vectors(batches)
    m = len(batches.summaries)
    chosen = np.repeat(fitted.sets[[fitted.sets.sum(axis=1).argmax()]], m, axis=0)
    probability, frequency, gain = np.full(m, np.nan), np.full(m, np.nan), np.zeros(m)
    rows = batches.sets()
    for rung, some in fitted.by_size(batches.n_rows):
        rule, part = rung.selector, rows.take(some)
        if rule is None:
            continue
        z = rung.scale.standardise(batches.summaries[some], batches.n_rows[some])
        best = rule.choose(z, part)
        chosen[some] = rule.sets(design.encoder.groups)[best]
        at = (np.arange(len(some)), best)
        probability[some] = rule.probabilities(z, part)[at]
        gain[some] = -rule.differences(z, part)[at]
        frequency[some] = [
            _bootstrap_frequency(model, rung, batches.X[batches.labels.rows(e)], k, n_bootstrap)
            for e, k in zip(some, best, strict=True)
        ]
    covariates = [
        ", ".join(n for n, c in zip(names, row, strict=True) if c) or "(none)" for row in chosen
    ]
    records = {
        "environment": list(batches.labels.categories),
        "n_rows": batches.labels.counts.tolist(),
        "covariates": covariates,
        "probability": probability.tolist(),
        "bootstrap_frequency": frequency.tolist(),
        "predicted_gain": gain.tolist(),
        "pvalue_outside": pvalues.tolist(),
        "outside": outside.tolist(),
        "fallback": fallback,
    }
    return Selection(records, names, chosen, model.strategy_)


def _bootstrap_frequency(
    model: "Telling", rung: Rung, X: np.ndarray, best: int, n_bootstrap: int
) -> float:
    """How often resampled rows of a batch lead to the same set."""
    design = model._design
    n = len(X)
    picked = as_generator(0).integers(n, size=(n_bootstrap, n)).ravel()
    labels = Labels("draw", np.repeat(np.arange(n_bootstrap), n), tuple(range(n_bootstrap)))
    drawn = X[picked]
    moments = build_moments(drawn, np.zeros(len(picked)), labels)
    raw = drawn * design.scale + design.centre
    values, _ = summarise(design.spec, moments, labels, drawn, raw, None)
    z = rung.scale.standardise(values, np.full(n_bootstrap, float(n)))
    assert rung.selector is not None  # noqa: S101
    return float((rung.selector.choose(z, SetRows.of(drawn, labels)) == best).mean())


def summarise_batches(model: "Telling", batches: Batches) -> EnvironmentSummary:
    """Answer `environment_summary` of the estimators."""
    fitted, design = model._fitted, model._design
    pvalues, _ = model._outside(batches)
    records: dict[str, list[Any]] = {
        "environment": list(batches.labels.categories),
        "n_rows": batches.labels.counts.tolist(),
        "pvalue_outside": pvalues.tolist(),
    }
    for j, name in enumerate(design.summary_names):
        records[name] = batches.summaries[:, j].tolist()
    scale = fitted.choice.scale
    points = scale.standardise(batches.summaries, batches.n_rows, clip=False)
    usable = np.flatnonzero(design.summaries.usable)
    training = design.summaries.standardised(scale, usable)
    return EnvironmentSummary(records, points, training, design.summary_names)


def explain(model: "Telling", batches: Batches) -> ShiftExplanation:
    """Answer `explain_shift`: set one coordinate after the other back to its training mean."""
    fitted, design, sets = model._fitted, model._design, batches.sets()
    rows: dict[str, list[Any]] = {
        key: [] for key in ("environment", "summary", "value", "training_mean", "deviation",
                            "risk_effect", "prediction_effect", "rival")
    }  # fmt: skip
    gram = batches.moments.gram
    used = {e: rung for rung, some in fitted.by_size(batches.n_rows) for e in some}
    for e, label in enumerate(batches.labels.categories):
        scale, rule, own = used[e].scale, used[e].rule, sets.take(np.array([e]))
        z = scale.standardise(batches.summaries[[e]], batches.n_rows[[e]])
        d = z.shape[1]
        reset = np.tile(z, (d, 1))
        reset[range(d), range(d)] = 0.0
        same = own.take(np.zeros(d, dtype=int))
        change = (rule.coefficients(z, own) - rule.coefficients(reset, same)).reshape(
            d, model._n_scores, -1
        )
        moved = np.sqrt(np.maximum(np.einsum("dsi,ij,dsj->d", change, gram[e], change), 0.0))
        effect, rival = _risk_effect(model, used[e].selector, (z, own), (reset, same))
        size = np.abs(effect) + moved
        for j in np.lexsort((-np.abs(z[0]), -np.round(size, 12))):
            values = (
                label, design.summary_names[j], float(batches.summaries[e, j]),
                float(scale.mean[j]), float(z[0, j]), float(effect[j]), float(moved[j]), rival,
            )  # fmt: skip
            for key, value in zip(rows, values, strict=True):
                rows[key].append(value)
    return ShiftExplanation(rows)


def _risk_effect(
    model: "Telling", selector: Any, now: tuple[Any, ...], reset: tuple[Any, ...]
) -> tuple[np.ndarray, str]:
    """Effect of each coordinate on the risk of the pooled model over its strongest rival."""
    n = len(reset[0])
    if selector is None or len(selector.columns) < 2:
        return np.zeros(n), ""
    differences = selector.differences(*now)[0]
    full = selector.columns.sum(axis=1).argmax()
    others = np.delete(np.arange(len(differences)), full)
    rival = int(others[differences[others].argmin()])
    label = selector.names(model._design.encoder)[rival]
    return selector.differences(*reset)[:, rival] - differences[rival], label


def identify(model: "Telling") -> Identifiability:
    """Answer `identifiability`: the best setting of each strategy, and the regret explained."""
    choice, fitted = model._fitted.choice, model._fitted
    usable = model._design.summaries.usable & ~np.isnan(choice.losses).all(axis=0)
    losses = choice.losses[:, usable]
    reference = next((i for i, s in enumerate(choice.settings) if s.strategy == "pooled"), 0)
    pooled = losses[reference]
    records: dict[str, list[Any]] = {
        key: [] for key in ("strategy", "setting", "risk", "standard_error", "worst_risk", "gain",
                            "gain_standard_error", "harmed", "chosen")
    }  # fmt: skip
    gains = {}
    for name in dict.fromkeys(s.strategy for s in choice.settings):
        own = [i for i, s in enumerate(choice.settings) if s.strategy == name]
        i = min(own, key=lambda k: float(losses[k].mean()))
        gain = pooled - losses[i]
        n = max(len(gain), 1)
        gains[name] = float(gain.mean())
        values = (
            name, choice.settings[i].detail, float(losses[i].mean()), _error(losses[i], n),
            float(losses[i].max()), float(gain.mean()), _error(gain, n),
            float((gain < 0).mean()), name == choice.setting.strategy,
        )  # fmt: skip
        for key, value in zip(records, values, strict=True):
            records[key].append(value)
    regret = float((pooled - np.minimum(fitted.risks[usable].min(axis=1), pooled)).mean())
    explained = _share(gains.get("select", gains.get("mix", np.nan)), regret)
    recovered = _share(gains[choice.setting.strategy], regret)
    verdict = _verdict(choice.setting.strategy, choice.guard_active, explained, recovered)
    return Identifiability(records, regret, explained, recovered, choice.guard_active, verdict)


def _error(values: np.ndarray, n: int) -> float:
    return float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def _share(gain: float, regret: float) -> float:
    return gain / regret if regret > 1e-12 else float("nan")


def _verdict(strategy: str, active: bool, explained: float, recovered: float) -> str:
    if active:
        return (
            "the covariates do not tell what a new environment needs, or environments are too few: "
            "adapting did not beat the pooled model in left-out environments, which is kept"
        )
    if strategy in ("pooled", "causal"):
        return f"the {strategy} model predicts everywhere"
    if recovered > 1:
        gain = f"gains {recovered:.1f} times what the best subset for each environment could"
    else:
        gain = f"recovers {recovered:.0%} of the regret of the pooled model"
    parts = [f"{strategy!r} {gain}"]
    if np.isfinite(explained):
        parts.append(f"choosing subsets by summaries {explained:.0%}")
    return ", ".join(parts) + ", in left-out environments"
