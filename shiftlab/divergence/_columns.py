"""Which columns shifted, in which environment, by how much."""

from typing import Any

import numpy as np

from shiftlab._core.frames import Column
from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.validation import Labels, check_fraction, check_integer, check_option
from shiftlab.divergence._adjustment import CORRECTIONS, adjust_pvalues
from shiftlab.divergence._cells import covariates_and_labels, lonely_notes
from shiftlab.divergence._column_intervals import bridge_paths
from shiftlab.divergence._column_measure import measure_block
from shiftlab.divergence._column_result import ColumnShifts, ColumnSummary

__all__ = ["ColumnShifts", "ColumnSummary", "column_shifts"]

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
    expects five rows in the smaller sample; two groups are compared by the exact permutation null.
    Their effect is the total variation over the same groups, ``distance`` the plug-in one over all
    categories.

    Intervals of numbers: the observed differences of the distribution functions, scaled, plus the
    noise of both; the upper limit is the observed distance plus the largest pointwise error. They
    cover at least at the stated level, with most of the error on the lower side.

    References
    ----------
    .. [1] Schroeer & Trenkler (1995), Comput. Statist. Data Anal. 20 (exact Kolmogorov-Smirnov
       distribution with ties). Agresti & Caffo (2000), Amer. Statist. 54. Hoeffding (1963),
       J. Amer. Statist. Assoc. 58.

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
    check_option(correction, CORRECTIONS, "correction")
    level = check_fraction(confidence_level, "confidence_level")
    check_fraction(alpha, "alpha")
    check_integer(n_resamples, "n_resamples", minimum=100)
    baseline = None if reference is None else labels.index(reference)
    paths = bridge_paths(n_resamples, as_seed_sequence(random_state))
    shared = (labels, baseline, paths, level)
    blocks = [data.columns[i : i + 8] for i in range(0, len(data.columns), 8)]
    parts = parallel_map(
        measure_block,
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


def _records(
    tests: list[dict[str, Any]],
    labels: Labels,
    baseline: int | None,
    correction: str,
    alpha: float,
) -> dict[str, np.ndarray]:
    """Stack the tests into columns, adjust the p-values and sort.

    Shifted ones come first, then those whose effect is certainly large: the lower limit of the
    interval ranks, so that environments of a few rows with their noisy effects do not lead.
    """
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
    keys = [-np.nan_to_num(records[k], nan=-1.0) for k in ("distance", "effect", "effect_low")]
    order = np.lexsort((*keys, ~records["shifted"]))
    return {name: values[order] for name, values in records.items()}


def _notes(
    columns: tuple[Column, ...], labels: Labels, summaries: list[ColumnSummary]
) -> tuple[str, ...]:
    notes = list(lonely_notes(labels))
    for summary in summaries:
        filled = int((summary.counts.sum(axis=0) > 0).sum())
        if filled == 0:
            notes.append(f"Column {summary.name!r} has no observed cell.")
        elif filled == 1:
            notes.append(f"Column {summary.name!r} is constant.")
    notes += [f"Column {column.name!r}: {column.note}." for column in columns if column.note]
    return tuple(notes)
