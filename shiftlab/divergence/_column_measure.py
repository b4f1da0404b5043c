"""Tests and effects of one column against all environments."""

from typing import Any

import numpy as np

from shiftlab._core.frames import Column
from shiftlab._core.validation import Labels
from shiftlab.divergence._cells import cell_of_sorted, count_cells, cut_column, robust_spread
from shiftlab.divergence._column_effects import number_shifts
from shiftlab.divergence._column_intervals import Interval, ks_intervals, tv_intervals
from shiftlab.divergence._column_result import ColumnSummary
from shiftlab.divergence._column_tests import (
    chi_square_pvalues,
    group_rare_cells,
    ks_pvalues,
    log_factorials,
)

__all__ = ["measure_block"]

#: Cells per number: the resolution of tests, intervals and stored summaries.
MAX_CELLS = 64


def measure_block(
    columns: tuple[Column, ...], shared: tuple[Labels, int | None, np.ndarray, float]
) -> list[tuple[ColumnSummary, list[dict[str, Any]]]]:
    labels, baseline, paths, level = shared
    log_factorial = log_factorials(len(labels.codes))
    return [_measure(column, labels, baseline, paths, level, log_factorial) for column in columns]


def _measure(
    column: Column,
    labels: Labels,
    baseline: int | None,
    paths: np.ndarray,
    level: float,
    log_factorial: np.ndarray,
) -> tuple[ColumnSummary, list[dict[str, Any]]]:
    """Summary and tests of one column against all environments."""
    missing_rows = column.missing
    missing = np.bincount(labels.codes[missing_rows], minlength=len(labels))
    if column.is_number:
        counts, values, test = _measure_number(column, labels, baseline)
    else:
        cells = cut_column(column, MAX_CELLS)
        counts, values = count_cells(cells, labels), cells.values
        test = {"test": "chi-square", "distance": _total_variation(counts, baseline)}
    other = _others(counts, baseline)
    if column.is_number:
        test["pvalue"] = ks_pvalues(counts, other, log_factorial)
        interval = ks_intervals(counts, other, paths, level)
    else:
        grouped = group_rare_cells(counts, other)
        test["pvalue"] = chi_square_pvalues(*grouped, log_factorial)
        interval = tv_intervals(*grouped, level)
    tests = [_finish(column, test, counts, other, interval)]
    if missing.any() and missing.sum() < len(missing_rows):
        tests.append(_measure_missing(column, missing, labels, baseline, level, log_factorial))
    return ColumnSummary(
        column.name, column.kind, counts, values, column.categories, missing
    ), tests


def _measure_number(
    column: Column, labels: Labels, baseline: int | None
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    observed = np.flatnonzero(~np.isnan(column.values))
    order = observed[np.argsort(column.values[observed], kind="stable")]
    ordered, codes = column.values[order], labels.codes[order]
    cell = cell_of_sorted(ordered, MAX_CELLS)
    n_cells = int(cell[-1]) + 1 if len(cell) else 0
    k = len(labels)
    counts = np.bincount(codes * max(n_cells, 1) + cell, minlength=k * n_cells)
    counts = counts.reshape(k, n_cells) if n_cells else np.zeros((k, 0), dtype=np.int64)
    sizes = np.maximum(counts.sum(axis=0), 1)
    values = np.bincount(cell, weights=ordered, minlength=n_cells) / sizes
    shift = number_shifts(ordered, codes, k, baseline)
    spread, sd = robust_spread(ordered), float(ordered.std()) if len(ordered) else 0.0
    return (
        counts,
        values,
        {
            "test": "kolmogorov-smirnov",
            "distance": shift.ks,
            "wasserstein": shift.wasserstein / spread if spread > 0 else shift.wasserstein * 0.0,
            "mean_difference": shift.mean_difference / sd
            if sd > 0
            else shift.mean_difference * 0.0,
        },
    )


def _measure_missing(
    column: Column,
    missing: np.ndarray,
    labels: Labels,
    baseline: int | None,
    level: float,
    log_factorial: np.ndarray,
) -> dict[str, Any]:
    counts = np.stack([labels.counts - missing, missing], axis=1)
    other = _others(counts, baseline)
    test = {
        "test": "missing cells",
        "distance": _total_variation(counts, baseline),
        "pvalue": ks_pvalues(counts, other, log_factorial),
    }
    return _finish(column, test, counts, other, tv_intervals(counts, other, level))


def _others(counts: np.ndarray, baseline: int | None) -> np.ndarray:
    if baseline is None:
        return counts.sum(axis=0) - counts
    return np.broadcast_to(counts[baseline], counts.shape)


def _total_variation(counts: np.ndarray, baseline: int | None) -> np.ndarray:
    other = _others(counts, baseline)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
        return 0.5 * np.abs(shares - other / other.sum(axis=1, keepdims=True)).sum(axis=1)


def _finish(
    column: Column,
    test: dict[str, Any],
    counts: np.ndarray,
    other: np.ndarray,
    interval: Interval,
) -> dict[str, Any]:
    """Add sizes and interval; an environment with fewer than two observed cells has no test."""
    n, m = counts.sum(axis=1), other.sum(axis=1)
    pvalue = np.where((n >= 2) & (m >= 2), test["pvalue"], np.nan)
    return {
        "wasserstein": np.full(len(n), np.nan),
        "mean_difference": np.full(len(n), np.nan),
        **test,
        "column": column.name,
        "kind": column.kind,
        "n": n,
        "n_other": m,
        "effect": interval.effect,
        "effect_low": interval.low,
        "effect_high": interval.high,
        "pvalue": pvalue,
    }
