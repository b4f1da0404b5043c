"""Batches of any size: rules that are trained on batches as small as those that they will see.

A summary of few rows is noisy. A rule that was trained on summaries of many rows trusts it too
much; one that was trained on summaries of as few rows trusts it as far as it deserves.
"""

from dataclasses import dataclass, replace

import numpy as np

from shiftlab._core.validation import Labels
from shiftlab.adaptation._batches import summarise
from shiftlab.adaptation._choose import Choice, fit_weighted
from shiftlab.adaptation._features import SummaryScale
from shiftlab.adaptation._gram import build_moments
from shiftlab.adaptation._known import Known, SetRows, Summaries
from shiftlab.adaptation._labels import LabelRule
from shiftlab.adaptation._rules import PooledRule, Rule, SubsetRule
from shiftlab.adaptation._strategies import FAMILIES
from shiftlab.adaptation._summaries import SummarySpec
from shiftlab.adaptation._task import Task

__all__ = ["Rung", "TrainingRows", "fit_rungs", "fit_selector", "rung_of"]

#: Batch sizes that rules are trained for, up to half of a typical training environment.
SIZES = (2, 3, 5, 10, 20, 40)
#: A batch this many times as large as the last of them gets the rule of whole environments.
BEYOND = 1.4
#: Settings with less than this share of the largest weight are left out for small batches.
LEAST = 0.1


@dataclass(frozen=True)
class Rung:
    """What is used for batches of some size.

    Attributes
    ----------
    n_rows : int
        The size.
    scale : SummaryScale
    rule : Rule
        Predicts.
    selector : SubsetRule, LabelRule or None
        Explains.
    """

    n_rows: int
    scale: SummaryScale
    rule: Rule
    selector: SubsetRule | LabelRule | None


@dataclass(frozen=True)
class TrainingRows:
    """Rows to draw batches from, sorted by environment.

    Attributes
    ----------
    spec : SummarySpec
    X, raw : ndarray of shape (n, p)
        In standard units, and in those of the table.
    missing : ndarray of bool
    labels : Labels
    seed : SeedSequence
        Of the draws.
    """

    spec: SummarySpec
    X: np.ndarray
    raw: np.ndarray
    missing: np.ndarray
    labels: Labels
    seed: np.random.SeedSequence

    def draw(self, known: Known, n_rows: int) -> Known:
        """Draw batches of a size from every usable environment, as environments of their own."""
        rng = np.random.default_rng(self.seed)
        codes = self.labels.codes
        starts = np.searchsorted(codes, np.arange(len(self.labels)))
        rank = np.arange(len(codes)) - starts[codes]
        place = np.full(len(self.labels), -1)
        place[known.usable] = np.arange(len(known.usable))
        rows, batch = [], []
        # Two draws at least, and not many more rows than there are.
        typical = int(np.median(known.summaries.n_rows[known.usable]))
        n_draws = min(known.problem.n_draws, max(2, typical // n_rows))
        for k in range(n_draws):
            shuffled = np.lexsort((rng.random(len(codes)), codes))
            chosen = np.sort(shuffled[(rank < n_rows) & (place[codes] >= 0)])
            rows.append(chosen)
            batch.append(place[codes[chosen]] + k * len(known.usable))
        picked = np.concatenate(rows)
        origin = np.tile(known.usable, n_draws)
        labels = Labels("batch", np.concatenate(batch).astype(np.intp), tuple(range(len(origin))))
        X = self.X[picked]
        values, _ = summarise(
            self.spec, build_moments(X, np.zeros(len(X)), labels), labels, X, self.raw[picked],
            self.missing[picked],
        )  # fmt: skip
        # Nothing is corrected for noise: the rule is to learn what the noise leaves.
        nothing = np.zeros(values.shape[1])
        usable = np.ones(len(origin), dtype=bool)
        summaries = Summaries(values, labels.counts.astype(float), nothing, nothing, usable)
        sets = None if known.rows is None else SetRows(X, labels.codes, len(origin))
        return Known(known.problem.redrawn(picked, labels.codes, origin), summaries, sets)


def fit_rungs(
    known: Known, task: Task, choice: Choice, rows: TrainingRows | None
) -> tuple[Rung, ...]:
    """Fit the chosen settings for small batches; nothing where they do not adapt."""
    if rows is None or isinstance(choice.rule, PooledRule):
        return ()
    typical = float(np.median(known.summaries.n_rows[known.usable]))
    weights = np.where(choice.weights < LEAST * choice.weights.max(), 0.0, choice.weights)
    found = []
    for size in SIZES:
        if 2 * size > typical:
            break
        drawn = rows.draw(known, size)
        scale = drawn.summaries.scale(drawn.usable)
        rule, _ = fit_weighted(drawn, task, scale, choice.settings, weights)
        found.append(Rung(size, scale, rule, fit_selector(drawn, task, scale, rule)))
    return tuple(found)


def fit_selector(
    known: Known, task: Task, scale: SummaryScale, rule: Rule
) -> SubsetRule | LabelRule:
    """Fit the choice of a subset, which explains whatever strategy predicts."""
    if not isinstance(rule, (SubsetRule, LabelRule)) or rule.soft:
        sample = known.sample(known.usable, scale)
        rule = FAMILIES["select"](sample, replace(task, wanted=None))[0][1]
    assert isinstance(rule, (SubsetRule, LabelRule))  # noqa: S101
    return rule


def rung_of(n_rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Index of the rung for batches of n rows; len(sizes) stands for whole environments."""
    found = np.searchsorted(sizes, n_rows, side="right") - 1
    beyond = n_rows >= BEYOND * sizes[-1] if len(sizes) else np.ones(len(n_rows), dtype=bool)
    return np.where(beyond | (found < 0), len(sizes), found)
