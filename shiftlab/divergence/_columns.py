"""Which columns shifted, in which environment, by how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.frames import Column
from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.results import Result, to_plain
from shiftlab._core.validation import Labels, check_fraction, check_integer, check_option
from shiftlab.divergence._adjustment import adjust_pvalues
from shiftlab.divergence._cells import cell_of_sorted, covariates_and_labels, robust_spread
from shiftlab.divergence._column_effects import (
    Interval,
    bridge_paths,
    ks_intervals,
    number_shifts,
    tv_intervals,
)
from shiftlab.divergence._column_tests import chi_square_pvalues, ks_pvalues, log_factorials

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["ColumnShifts", "ColumnSummary", "column_shifts"]

#: Cells per number: the resolution of tests, intervals and stored summaries.
MAX_CELLS = 64
FIELDS = (
    "n",
    "n_other",
    "effect",
    "effect_low",
    "effect_high",
    "distance",
    "mean_difference",
    "wasserstein",
    "pvalue",
)


@dataclass(frozen=True)
class ColumnSummary:
    """Counts of one column by environment, enough to draw it without the rows.

    Attributes
    ----------
    name : str
        Name of the column.
    kind : str
        "numeric", "datetime", "categorical" or "boolean".
    counts : ndarray of int, shape (n_environments, n_cells)
        Rows by environment and cell.
    values : ndarray of shape (n_cells,)
        Numbers: mean of the cell. Otherwise 0, 1, ...
    categories : tuple
        Labels of the cells of a categorical column.
    missing : ndarray of int, shape (n_environments,)
        Missing cells by environment.
    """

    name: str
    kind: str
    counts: np.ndarray
    values: np.ndarray
    categories: tuple[Any, ...]
    missing: np.ndarray


@dataclass(frozen=True)
class ColumnShifts(Result):
    """Shift of each column in each environment; see `column_shifts`.

    Attributes
    ----------
    environment : str
        Name of the environment.
    environments : tuple
        Labels.
    n_rows : ndarray of int
        Rows of each environment.
    reference : object or None
        Label that the others are compared with; None for "all other rows".
    records : mapping of str to ndarray
        The table that `to_frame` returns, as columns, sorted by effect.
    summaries : tuple of ColumnSummary
        Counts by environment; left out of `to_dict`.
    correction, alpha, confidence_level
        As asked for.
    notes : tuple of str
        What was set aside, and why.
    """

    environment: str
    environments: tuple[Any, ...]
    n_rows: np.ndarray
    reference: Any
    records: Mapping[str, np.ndarray]
    summaries: tuple[ColumnSummary, ...]
    correction: str
    alpha: float
    confidence_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> "pd.DataFrame":
        """One row per column, environment and test, largest effect first."""
        import pandas as pd

        return pd.DataFrame(dict(self.records))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the summaries, as JSON types."""
        names = list(self.records)
        rows = zip(*(to_plain(self.records[name]) for name in names), strict=True)
        header = {
            name: to_plain(getattr(self, name))
            for name in self.__dataclass_fields__
            if name not in ("records", "summaries")
        }
        return {**header, "shifts": [dict(zip(names, row, strict=True)) for row in rows]}

    def columns_ranked(self) -> "pd.DataFrame":
        """One row per column and test, largest effect first.

        Columns of the frame: ``column, kind, test, max_effect, mean_effect, environment`` (where
        the effect is largest), ``n_environments`` (tested), ``n_shifted`` (adjusted p-value at
        most alpha), ``min_pvalue_adjusted``.
        """
        import pandas as pd

        frame = self.to_frame()
        rows = []
        for (column, test), part in frame.groupby(["column", "test"], sort=False):
            first = part.iloc[0]
            rows.append(
                {
                    "column": column,
                    "kind": first["kind"],
                    "test": test,
                    "max_effect": first["effect"],
                    "mean_effect": part["effect"].mean(),
                    "environment": first["environment"],
                    "n_environments": int(part["pvalue"].notna().sum()),
                    "n_shifted": int(part["shifted"].sum()),
                    "min_pvalue_adjusted": part["pvalue_adjusted"].min(),
                }
            )
        return pd.DataFrame(rows)

    def plot(self, top: int = 6, *, figure: "Figure | None" = None) -> "Figure":
        """Draw the most shifted columns: each environment's distribution against the others.

        Parameters
        ----------
        top : int, default 6
            Number of columns.
        figure : matplotlib Figure, optional
            Where to draw; a new figure by default.
        """
        from shiftlab.divergence._column_plots import plot_columns

        return plot_columns(self, top, figure)

    def __repr__(self) -> str:
        shifted = int(np.sum(self.records["shifted"]))
        return (
            f"ColumnShifts({len(self.summaries)} columns, {len(self.environments)} environments, "
            f"{shifted} of {len(self.records['shifted'])} tests significant at {self.alpha} "
            f"after {self.correction})"
        )


def column_shifts(
    table: Any,
    environment: Any,
    *,
    reference: Any = None,
    correction: str = "bh",
    confidence_level: float = 0.95,
    alpha: float = 0.05,
    n_resamples: int = 400,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress = False,
) -> ColumnShifts:
    """Test and measure the shift of every column in every environment.

    Each environment is compared with all other rows (or with `reference`). Effects are on one
    scale from 0 to 1, readable as the share of rows that would have to change: the
    Kolmogorov-Smirnov distance for numbers, the total variation for categories, the difference of
    the missing shares for missingness. Effects are bias-corrected, because the plug-in distance of
    two samples of one distribution is not zero.

    Parameters
    ----------
    table : data frame, array, mapping of columns or Table
        Rows with their covariates; cells may be missing. Each test uses the observed cells, and
        missingness is tested on its own where it occurs.
    environment : str, sequence of str, array of shape (n_rows,) or Labels
        Column name(s) of `table`, or the label of each row.
    reference : label, optional
        Compare with this environment instead of with all other rows.
    correction : {"bh", "holm", "bonferroni", "none"}, default "bh"
        Adjustment over all tests of the call.
    confidence_level : float, default 0.95
        Of the interval of each effect (two-sided, not adjusted for the number of tests).
    alpha : float, default 0.05
        A test counts as shifted if its adjusted p-value is at most alpha.
    n_resamples : int, default 400
        Simulated noise paths behind the intervals of numbers. P-values need none.
    random_state : int, SeedSequence, Generator, RandomState or None
        Seed of the noise paths.
    n_jobs : int, optional
        Workers, as in joblib; the result does not depend on it.
    progress : bool or callable, default False
        Report finished blocks of columns.

    Returns
    -------
    ColumnShifts

    Raises
    ------
    InputError
        If there are fewer than two environments, no covariate, or an option is unknown.

    Notes
    -----
    Numbers: the p-value is that of the Kolmogorov-Smirnov distance over at most 64 cells with
    about equally many rows, exact under permutation of the rows, ties included (values under about
    1e-8 are upper bounds). The reported ``distance`` and ``wasserstein`` use every value, the
    latter in units of the pooled interquartile range / 1.349; ``mean_difference`` is in pooled
    standard deviations. Categories: Pearson's chi-square with rare categories grouped until each
    expects five rows; two groups are compared by the exact permutation null.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["a", "b", "c"], 200)
    >>> table = {"age": rng.normal(size=600), "dose": rng.normal(size=600) + (site == "c")}
    >>> result = column_shifts(table, site, random_state=0)
    >>> best = result.columns_ranked().iloc[0]
    >>> best["column"], best["environment"]
    ('dose', 'c')
    """
    data, labels = covariates_and_labels(table, environment)
    check_option(correction, ("bh", "holm", "bonferroni", "none"), "correction")
    level = check_fraction(confidence_level, "confidence_level")
    check_fraction(alpha, "alpha")
    check_integer(n_resamples, "n_resamples", minimum=100)
    baseline = None if reference is None else labels.index(reference)
    paths = bridge_paths(n_resamples, as_seed_sequence(random_state))
    shared = (labels, baseline, paths, level)
    blocks = [data.columns[i : i + 8] for i in range(0, len(data.columns), 8)]
    parts = parallel_map(
        _measure_block,
        [(block, shared) for block in blocks],
        n_jobs=n_jobs,
        progress=progress,
        description="columns",
    )
    found = [item for part in parts for item in part]
    tests = [test for _, column_tests in found for test in column_tests]
    return ColumnShifts(
        environment=labels.name,
        environments=labels.categories,
        n_rows=labels.counts,
        reference=None if baseline is None else labels.categories[baseline],
        records=_records(tests, labels, baseline, correction, alpha),
        summaries=tuple(summary for summary, _ in found),
        correction=correction,
        alpha=alpha,
        confidence_level=level,
        notes=_notes(data.columns, labels, [summary for summary, _ in found]),
    )


def _measure_block(
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
        counts = _category_counts(column, labels)
        values = np.arange(counts.shape[1], dtype=float)
        test = {"test": "chi-square", "distance": _total_variation(counts, baseline)}
    other = _others(counts, baseline)
    if column.is_number:
        test["pvalue"] = ks_pvalues(counts, other, log_factorial)
        interval = ks_intervals(counts, other, paths, level)
    else:
        test["pvalue"] = chi_square_pvalues(counts, other, log_factorial)
        interval = tv_intervals(counts, other, level)
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


def _category_counts(column: Column, labels: Labels) -> np.ndarray:
    n_cells = len(column.categories)
    flat = labels.codes.astype(np.int64) * (n_cells + 1) + column.values + 1
    counts = np.bincount(flat, minlength=len(labels) * (n_cells + 1))
    return counts.reshape(len(labels), n_cells + 1)[:, 1:]


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


def _records(
    tests: list[dict[str, Any]],
    labels: Labels,
    baseline: int | None,
    correction: str,
    alpha: float,
) -> dict[str, np.ndarray]:
    """Stack the tests into columns, adjust the p-values, sort by effect."""
    kept = np.array([i for i in range(len(labels)) if i != baseline])
    names = np.empty(len(labels), dtype=object)
    names[:] = labels.categories
    repeated = {
        key: np.repeat(np.array([test[key] for test in tests], dtype=object), len(kept))
        for key in ("column", "kind", "test")
    }
    numbers = {key: np.concatenate([test[key][kept] for test in tests]) for key in FIELDS}
    records = {
        "column": repeated["column"],
        "environment": np.tile(names[kept], len(tests)),
        "test": repeated["test"],
        "kind": repeated["kind"],
        **numbers,
        "pvalue_adjusted": adjust_pvalues(numbers["pvalue"], correction),
    }
    records["shifted"] = records["pvalue_adjusted"] <= alpha
    key = np.nan_to_num(records["effect"], nan=-1.0)
    order = np.lexsort((-np.nan_to_num(records["distance"], nan=-1.0), -key))
    return {name: values[order] for name, values in records.items()}


def _notes(
    columns: tuple[Column, ...], labels: Labels, summaries: list[ColumnSummary]
) -> tuple[str, ...]:
    notes = []
    lonely = [str(c) for c, n in zip(labels.categories, labels.counts, strict=True) if n < 2]
    if lonely:
        notes.append(f"Environments with a single row are not tested: {', '.join(lonely[:20])}.")
    for summary in summaries:
        filled = int((summary.counts.sum(axis=0) > 0).sum())
        if filled == 0:
            notes.append(f"Column {summary.name!r} has no observed cell.")
        elif filled == 1:
            notes.append(f"Column {summary.name!r} is constant.")
    notes += [f"Column {column.name!r}: {column.note}." for column in columns if column.note]
    return tuple(notes)
