"""A family of tests that a sample was drawn at random, with one level for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer, check_option
from shiftlab._core.frames import Table
from shiftlab._core.random import RandomState, as_generator, spawn_seeds
from shiftlab.auditing._reference import Reference
from shiftlab.auditing._representativeness_cells import cell_distance_test, run_cells
from shiftlab.auditing._representativeness_columns import column_outcomes
from shiftlab.auditing._representativeness_counts import COUNT_REGIMES, align_cells
from shiftlab.auditing._representativeness_directional import run_directional
from shiftlab.auditing._representativeness_omnibus import OMNIBUS, omnibus_outcomes
from shiftlab.auditing._representativeness_result import (
    Representativeness,
    RepresentativenessTest,
)
from shiftlab.auditing._representativeness_rows import membership_outcome, multiplicity_outcome
from shiftlab.divergence._adjustment import adjust_pvalues
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

__all__ = ["DEFAULT_TESTS", "REGIMES", "TESTS", "representativeness_tests"]

REGIMES = ("full", "independent", "features")
PROOFS = ("membership", "multiplicity")
CELLS = ("cells_g", "cells_chi_square", "cells_wasserstein", "cells_kl", "cells_mmd", "directional")
TESTS = (*PROOFS, *CELLS, "columns", *OMNIBUS)
DEFAULT_TESTS = {
    "full": (*PROOFS, "cells_g", "directional", "columns"),
    "independent": ("cells_g", "directional", "columns"),
    "features": (*PROOFS, "columns", "mmd_median", "hotelling"),
}
_MORE = {
    "full": (*DEFAULT_TESTS["full"], *OMNIBUS),
    "independent": (*DEFAULT_TESTS["independent"], *OMNIBUS),
    "features": (*PROOFS, "columns", *OMNIBUS),
}


@dataclass(frozen=True)
class _Options:
    """What the tests share."""

    regime: str
    metric: str
    reference_group: Any
    n_resamples: int
    seeds: dict[str, np.random.SeedSequence]

    def generator(self, test: str) -> np.random.Generator:
        """Return the generator of one test, the same whichever other tests run."""
        return as_generator(self.seeds[test])


def representativeness_tests(
    sample: Any,
    reference: Reference | GroupCounts,
    *,
    regime: str = "full",
    tests: str | Sequence[str] = "default",
    metric: str = "disparate_impact",
    reference_group: Any = None,
    alpha: float = 0.05,
    correction: str = "holm",
    n_resamples: int = 999,
    random_state: RandomState = 0,
) -> Representativeness:
    """Test in several ways whether a sample was drawn at random from a reference.

    Parameters
    ----------
    sample : data frame, mapping of columns, array or GroupCounts
        The submitted rows, with the columns of the reference, or counts of them.
    reference : Reference or GroupCounts
        What the sample claims to represent. With counts only the tests on cells can run.
    regime : {"full", "independent", "features"}, default "full"
        "full" if the reference is the population itself; "independent" if it is a random sample of
        it; "features" if it is the population without decisions.
    tests : {"default", "all"} or sequence of str, default "default"
        Which tests; "default" are those that catch the known manipulations with the least loss to
        the correction, "all" adds the omnibus tests. Names: "membership", "multiplicity",
        "cells_g", "cells_chi_square", "cells_wasserstein", "cells_kl", "cells_mmd", "directional",
        "columns", "sliced_wasserstein", "mmd_median", "mmd_small", "hotelling".
    metric : str, default "disparate_impact"
        The claimed metric, for the directional test (see `directional_test`).
    reference_group : object or mapping, optional
        Group that the others are compared with in that metric; with several sensitive features a
        mapping from feature to group.
    alpha : float, default 0.05
        Level of the family.
    correction : {"holm", "bonferroni", "none"}, default "holm"
        Correction of the p-values; proofs have no false alarms and stay outside.
    n_resamples : int, default 999
        Draws of the sliced Wasserstein test; tests on counts take ten times as many.
    random_state : int, SeedSequence, Generator or None, default 0
        Seed; fixed, so that an audit can be repeated.

    Returns
    -------
    Representativeness

    Raises
    ------
    InputError
        If columns differ, the sample is weighted, or an option is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.auditing import Reference, representativeness_tests
    >>> rng = np.random.default_rng(0)
    >>> table = {"x": rng.normal(size=2000), "s": rng.integers(0, 2, 2000)}
    >>> table["yhat"] = (table["x"] + table["s"] > 0.8).astype(int)
    >>> reference = Reference(decision="yhat", sensitive_features="s").fit(table)
    >>> rows = rng.choice(2000, 200, replace=False)
    >>> honest = {name: column[rows] for name, column in table.items()}
    >>> representativeness_tests(honest, reference).reject
    False
    """
    check_option(regime, REGIMES, "regime")
    check_option(correction, ("holm", "bonferroni", "none"), "correction")
    chosen = _chosen(tests, regime)
    level = check_fraction(alpha, "alpha")
    draws = check_integer(n_resamples, "n_resamples")
    seeds = dict(zip(TESTS, spawn_seeds(random_state, len(TESTS)), strict=True))
    options = _Options(regime, metric, reference_group, draws, seeds)
    if isinstance(reference, GroupCounts):
        outcomes, columns, skipped = _count_tests(sample, reference, chosen, options)
        asked = tests if not isinstance(tests, str) else ()
        skipped += [f"{t}: needs rows, and counts were given" for t in asked if t not in CELLS]
    else:
        outcomes, columns, skipped = _row_tests(sample, reference, chosen, options)
    outcomes = _adjust(outcomes, correction)
    reject = any(t.adjusted is not None and t.adjusted <= level for t in outcomes)
    mismatch = any(t.proof and t.statistic > 0 for t in outcomes)
    return Representativeness(
        tests=tuple(outcomes),
        regime=regime,
        alpha=level,
        correction=correction,
        reject=reject,
        mismatch=mismatch,
        skipped=tuple(skipped),
        columns=tuple(columns),
    )


def _chosen(tests: str | Sequence[str], regime: str) -> tuple[str, ...]:
    if isinstance(tests, str):
        check_option(tests, ("default", "all"), "tests")
        return DEFAULT_TESTS[regime] if tests == "default" else _MORE[regime]
    for name in tests:
        check_option(name, TESTS, "tests")
    if not tests:
        raise InputError("tests is empty: name at least one test.")
    return tuple(dict.fromkeys(tests))


def _count_tests(
    sample: Any, reference: GroupCounts, tests: Sequence[str], options: _Options
) -> tuple[list[RepresentativenessTest], list[RepresentativenessTest], list[str]]:
    wanted = [test for test in tests if test in CELLS]
    if options.regime not in COUNT_REGIMES:
        return [], [], [f"{test}: the reference has no decisions" for test in wanted]
    cells = align_cells(sample, reference, options.regime)
    outcomes: list[RepresentativenessTest] = []
    n_draws = 10 * options.n_resamples
    for test in wanted:
        generator = options.generator(test)
        if test == "directional":
            outcomes += _directional(sample, reference, options, n_draws, generator)
        elif test in ("cells_g", "cells_chi_square"):
            statistic = test.removeprefix("cells_")
            outcomes.append(
                run_cells(
                    cells,
                    statistic=statistic,
                    method="auto",
                    n_resamples=n_draws,
                    generator=generator,
                )
            )
        else:
            outcomes.append(
                cell_distance_test(
                    sample,
                    reference,
                    distance=test.removeprefix("cells_"),
                    regime=options.regime,
                    n_resamples=n_draws,
                    random_state=generator,
                )
            )
    return outcomes, [], []


def _directional(
    sample: GroupCounts,
    reference: GroupCounts,
    options: _Options,
    n_draws: int,
    generator: np.random.Generator,
) -> list[RepresentativenessTest]:
    """One test per sensitive feature: each has a metric of its own."""
    outcomes = []
    for name in reference.names:
        group = options.reference_group
        group = group.get(name) if isinstance(group, Mapping) else group
        cells = align_cells(sample.margin(name), reference.margin(name), options.regime)
        outcome = run_directional(cells, options.metric, group, n_draws, generator)
        several = f"{outcome.name}:{name}" if len(reference.names) > 1 else outcome.name
        outcomes.append(replace(outcome, name=several))
    return outcomes


def _row_tests(
    sample: Any, reference: Reference, tests: Sequence[str], options: _Options
) -> tuple[list[RepresentativenessTest], list[RepresentativenessTest], list[str]]:
    if (options.regime == "features") != reference.features_only:
        raise InputError(
            'regime "features" goes with Reference(features_only=True), the other regimes need a '
            "reference with decisions."
        )
    table = reference.read_sample(sample)
    outcomes: list[RepresentativenessTest] = []
    skipped: list[str] = []
    if options.regime == "independent":
        skipped += [f"{t}: needs the whole population" for t in tests if t in PROOFS]
    else:
        if "membership" in tests:
            outcomes.append(membership_outcome(table, reference))
        if "multiplicity" in tests:
            outcomes.append(multiplicity_outcome(table, reference))
    counts = reference.roles.count(table, known=True)
    if set(tests) & set(CELLS):
        if counts is None or reference.counts is None:
            skipped.append("tests on cells: no decision or no sensitive feature is named")
        else:
            found, _, left = _count_tests(counts, reference.counts, tests, options)
            outcomes, skipped = outcomes + found, skipped + left
    columns = _columns(table, reference, tests, options)
    outcomes += [_worst(columns)] if columns else []
    wanted = tuple(test for test in OMNIBUS if test in tests)
    for test in wanted:
        outcomes += omnibus_outcomes(
            table,
            reference,
            options.regime,
            (test,),
            options.n_resamples,
            options.generator(test),
        )
    return outcomes, columns, skipped


def _columns(
    table: Table, reference: Reference, tests: Sequence[str], options: _Options
) -> list[RepresentativenessTest]:
    if "columns" not in tests:
        return []
    return column_outcomes(table, reference, options.regime, options.generator("columns"))


def _worst(columns: Sequence[RepresentativenessTest]) -> RepresentativenessTest:
    """One p-value for all columns: the smallest, times their number."""
    worst = min(columns, key=lambda column: column.pvalue)
    name = worst.name.removeprefix("column:")
    return replace(
        worst,
        name="columns",
        pvalue=min(1.0, len(columns) * worst.pvalue),
        method=f"smallest of {len(columns)} p-values times their number; {worst.method}",
        requires="covariates of the reference",
        note=f"column {name!r}",
    )


def _adjust(
    outcomes: list[RepresentativenessTest], correction: str
) -> list[RepresentativenessTest]:
    """Adjust over the tests that have a level."""
    levels = np.array([np.nan if t.proof else t.pvalue for t in outcomes])
    adjusted = adjust_pvalues(levels, correction)
    return [
        test if test.proof else replace(test, adjusted=float(value))
        for test, value in zip(outcomes, adjusted, strict=True)
    ]
