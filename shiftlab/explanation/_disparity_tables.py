"""From resamples to the tables of an audit: intervals, p-values, noise floor, equivalence."""

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.validation import Labels
from shiftlab.divergence._adjustment import adjust_pvalues
from shiftlab.explanation._fidelity import gaps_of, label_table
from shiftlab.explanation._inference import Permuted, Spread

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DisparityTables", "build_tables"]

PAIR_COLUMNS = [
    "metric", "group", "reference", "difference", "se", "low", "high", "pvalue",
    "pvalue_adjusted", "margin", "equivalence_pvalue",
]  # fmt: skip
GAP_COLUMNS = [
    "metric", "kind", "value", "low", "high", "null_mean", "null_high", "excess", "pvalue", "group",
    "n_undefined",
]  # fmt: skip


@dataclass(frozen=True)
class DisparityTables:
    """What the tables are made of.

    Attributes
    ----------
    groups : Labels
        The groups.
    spread : dict of str to Spread
        Standard errors by metric.
    permuted : Permuted
        Values under permuted labels; the first line holds the observed ones.
    better : dict of str to (bool or None)
        Whether a higher value of a metric is better.
    n_blocks : int
        Number of blocks, 0 for independent rows.
    confidence_level : float
        Coverage of each interval.
    adjust : str
        Correction of p-values.
    margins : dict of str to float
        Equivalence margins, NaN where there is none.
    """

    groups: Labels
    spread: dict[str, Spread]
    permuted: Permuted
    better: dict[str, bool | None]
    n_blocks: int
    confidence_level: float
    adjust: str
    margins: dict[str, float]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of groups."""
        return list(combinations(range(len(self.groups)), 2))

    def freedom(self, *codes: int) -> float:
        """Degrees of freedom of an interval: of the blocks, and of the smallest group."""
        counts = [int(self.groups.counts[code]) for code in codes] or [len(self.groups.codes)]
        least = min(counts) if self.n_blocks == 0 else min(self.n_blocks, *counts)
        return max(least - 1, 1)

    def quantile(self, freedom: float, n_intervals: int = 1) -> float:
        """Return the t quantile for intervals that hold together."""
        from scipy.special import stdtrit

        tail = (1 - self.confidence_level) / (2 * n_intervals)
        return float(stdtrit(freedom, 1 - tail))


def build_tables(parts: DisparityTables) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    """Return the tables of groups, pairs and gaps."""
    import pandas as pd

    groups = [line for metric in parts.spread for line in _group_lines(parts, metric)]
    pairs = [line for metric in parts.spread for line in _pair_lines(parts, metric)]
    gaps = [line for metric in parts.spread for line in _gap_lines(parts, metric)]
    pair_table = pd.DataFrame(pairs, columns=PAIR_COLUMNS)
    pair_table["pvalue_adjusted"] = _adjusted(parts, pair_table["pvalue"].to_numpy())
    return label_table(groups), pair_table, label_table(gaps)[GAP_COLUMNS]


def _group_lines(parts: DisparityTables, metric: str) -> list[dict[str, Any]]:
    values, errors = parts.permuted.values[metric][0], parts.spread[metric].by_group
    names = [*parts.groups.categories, None]
    counts = [*parts.groups.counts.tolist(), len(parts.groups.codes)]
    lines = []
    for k, (name, n) in enumerate(zip(names, counts, strict=True)):
        freedom = parts.freedom(k) if name is not None else parts.freedom()
        half = parts.quantile(freedom) * errors[k]
        lines.append(
            {
                "metric": metric, "group": name, "n": n, "value": values[k],
                "low": values[k] - half, "high": values[k] + half,
            }
        )  # fmt: skip
    return lines


def _pair_lines(parts: DisparityTables, metric: str) -> list[dict[str, Any]]:
    values = parts.permuted.values[metric][0]
    statistics = _statistics(parts, metric)
    lines = []
    for k, (a, b) in enumerate(parts.pairs):
        difference, se = values[a] - values[b], parts.spread[metric].pairs[a, b]
        freedom = parts.freedom(a, b)
        half = parts.quantile(freedom) * se
        margin = parts.margins[metric]
        lines.append(
            {
                "metric": metric, "group": parts.groups.categories[a],
                "reference": parts.groups.categories[b], "difference": difference, "se": se,
                "low": difference - half, "high": difference + half,
                "pvalue": _pvalue(np.abs(statistics[:, k])), "pvalue_adjusted": np.nan,
                "margin": margin,
                "equivalence_pvalue": _equivalence(difference, se, margin, freedom),
            }
        )  # fmt: skip
    return lines


def _statistics(parts: DisparityTables, metric: str) -> np.ndarray:
    """Return differences over their standard errors, shape (R, n_pairs)."""
    values, errors = parts.permuted.values[metric], parts.permuted.errors.get(metric)
    columns = []
    for a, b in parts.pairs:
        difference = values[:, a] - values[:, b]
        known = parts.spread[metric].pairs[a, b]
        se = np.full(len(difference), known) if errors is None else errors[:, a, b]
        # Without any spread a difference is either nothing or beyond doubt.
        tiny = 1e-12 * (1 + np.abs(values[:, -1]))
        columns.append(np.where(np.abs(difference) <= tiny, 0.0, difference / np.maximum(se, tiny)))
    return np.column_stack(columns)


def _pvalue(statistic: np.ndarray) -> float:
    """Share of permutations at least as extreme as the first line, which is the observation."""
    if not np.isfinite(statistic[0]):
        return float("nan")
    others = statistic[1:][np.isfinite(statistic[1:])]
    reached = (others >= statistic[0] * (1 - 1e-9)).sum()
    return float((1 + reached) / (1 + len(others)))


def _equivalence(difference: float, se: float, margin: float, freedom: float) -> float:
    """Return the p-value of two one-sided tests that the difference lies within the margin."""
    from scipy.special import stdtr

    if not np.isfinite(margin) or not np.isfinite(se):
        return float("nan")
    distance = margin - abs(difference)
    if se == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(freedom, -distance / se))


def _gap_lines(parts: DisparityTables, metric: str) -> list[dict[str, Any]]:
    values, better = parts.permuted.values[metric], parts.better[metric]
    mean, largest, worst = gaps_of(values, better)
    n_undefined = int(np.isnan(values[0, :-1]).sum())
    group = parts.groups.categories[int(worst[0])] if worst[0] >= 0 else None
    lines = []
    for kind, gap, name in (("mean", mean, None), ("max", largest, group)):
        null = gap[1:][np.isfinite(gap[1:])]
        known = len(null) > 0
        floor = float(null.mean()) if known else float("nan")
        low, high = _gap_interval(parts, metric, kind)
        lines.append(
            {
                "metric": metric, "kind": kind, "value": gap[0], "low": low, "high": high,
                "null_mean": floor,
                "null_high": float(np.quantile(null, parts.confidence_level)) if known else np.nan,
                "excess": gap[0] - floor, "pvalue": _pvalue(gap), "group": name,
                "n_undefined": n_undefined,
            }
        )  # fmt: skip
    return lines


def _gap_interval(parts: DisparityTables, metric: str, kind: str) -> tuple[float, float]:
    """Return an interval for an absolute gap, from signed intervals that hold together."""
    values, spread, better = (
        parts.permuted.values[metric][0],
        parts.spread[metric],
        parts.better[metric],
    )
    n_groups = len(parts.groups)
    if kind == "mean":
        a, b = np.array(parts.pairs).T
        centre, se = values[a] - values[b], spread.pairs[a, b]
        freedom = [parts.freedom(i, j) for i, j in parts.pairs]
    else:
        centre, se = values[:-1] - values[-1], spread.from_all
        freedom = [parts.freedom(j) for j in range(n_groups)]
    half = np.array([parts.quantile(f, len(freedom)) for f in freedom]) * se
    if kind == "max" and better is not None:
        signed = -centre if better else centre
        return _largest(signed - half), _largest(signed + half)
    low = np.maximum(np.abs(centre) - half, 0.0)
    high = np.abs(centre) + half
    if kind == "max":
        return _largest(low), _largest(high)
    known = np.isfinite(low)
    return (
        (float(low[known].mean()), float(high[known].mean())) if known.any() else (np.nan, np.nan)
    )


def _largest(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")


def _adjusted(parts: DisparityTables, pvalues: np.ndarray) -> np.ndarray:
    if parts.adjust != "max-t":
        return adjust_pvalues(pvalues, parts.adjust)
    statistics = np.abs(np.column_stack([_statistics(parts, m) for m in parts.spread]))
    known = np.isfinite(statistics[0])
    adjusted = np.full(len(pvalues), np.nan)
    if known.any():
        largest = np.nanmax(np.where(np.isfinite(statistics), statistics, -np.inf), axis=1)[1:]
        reached = (largest[:, None] >= statistics[0, known] * (1 - 1e-9)).sum(axis=0)
        adjusted[known] = (1 + reached) / (1 + len(largest))
    return adjusted
