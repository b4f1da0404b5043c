"""One test per column: Kolmogorov-Smirnov for numbers, chi-square for a few values or labels.

The sample is compared with the population (or, with an independent reference, with both together,
see `_representativeness_counts`), so both statistics carry the finite-population correction.
Columns of few values get the chi-square test, exact by draws where an expected count is small.
Numbers with ties have a Kolmogorov statistic that is smaller than the classical tables assume; its
limit is drawn as the largest value of a Brownian bridge over the positions of the distinct values.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from scipy.special import chdtrc, kolmogorov

from shiftlab._core.columns import Column
from shiftlab._core.random import as_generator
from shiftlab.auditing._reference import Reference
from shiftlab.auditing._reference_values import ValueCounts
from shiftlab.auditing._representativeness_cells import SMALL_EXPECTED, chi_square_statistic
from shiftlab.auditing._representativeness_counts import draw_tables
from shiftlab.auditing._representativeness_result import RepresentativenessTest

__all__ = ["column_outcomes"]

#: Up to this many distinct values a column is tested as labels.
MOST_LABELS = 12
_DRAWS, _GRID = 9999, 512


def column_outcomes(
    table: Any, reference: Reference, regime: str, generator: np.random.Generator
) -> list[RepresentativenessTest]:
    """Test each covariate of a table that has the columns of the reference."""
    outcomes = []
    for column in reference.roles.covariates(table):
        own = ValueCounts()
        own.add(column)
        known = reference.values[column.name]
        pooled = _joined(known, own) if regime == "independent" else known
        outcome = _test(column, own, pooled, generator)
        requires = f"column {column.name} of the reference"
        outcomes.append(replace(outcome, n_reference=reference.n_rows, requires=requires))
    return outcomes


def _joined(known: ValueCounts, own: ValueCounts) -> ValueCounts:
    both = ValueCounts()
    both._parts = [part.numbers for part in (known, own) if len(part.numbers[0])]
    for part in (known, own):
        for label, count in part.labels.items():
            both.labels[label] = both.labels.get(label, 0) + count
    return both


def _test(
    column: Column, own: ValueCounts, population: ValueCounts, generator: np.random.Generator
) -> RepresentativenessTest:
    values, counts = population.numbers
    n_distinct = len(values) + len(population.labels)
    n = int(counts.sum()) + sum(population.labels.values())
    m = len(column.values)
    fpc = max(n - m, 0) / max(n - 1, 1)
    if n_distinct <= MOST_LABELS or len(values) < len(population.labels):
        return _test_labels(column.name, own, population, (m, n, fpc), generator)
    return _test_numbers(column.name, _with_labels(own), _with_labels(population), (m, n, fpc))


def _with_labels(values: ValueCounts) -> tuple[np.ndarray, np.ndarray]:
    """Count missing cells, and labels among numbers, as one value below all numbers."""
    numbers, counts = values.numbers
    n_labels = sum(values.labels.values())
    if n_labels == 0:
        return numbers, counts
    return np.concatenate([[-np.inf], numbers]), np.concatenate([[n_labels], counts])


def _test_labels(
    name: str,
    own: ValueCounts,
    population: ValueCounts,
    sizes: tuple[int, int, float],
    generator: np.random.Generator,
) -> RepresentativenessTest:
    m, n, fpc = sizes
    values, counts = population.numbers
    own_values, own_counts = own.numbers
    labels = list(population.labels)
    others = np.array([population.labels[label] for label in labels], dtype=np.int64)
    known = np.concatenate([counts, others])
    seen = np.zeros(len(known), dtype=np.int64)
    place = np.searchsorted(values, own_values)
    found = np.flatnonzero(place < len(values))
    found = found[values[place[found]] == own_values[found]]
    seen[place[found]] = own_counts[found]
    seen[len(values) :] = [own.labels.get(label, 0) for label in labels]
    df = len(known) - 1
    effect = float(np.abs(seen / m - known / n).sum() + (1 - seen.sum() / m)) / 2
    if seen.sum() < m or (seen > known).any():
        value, pvalue, how = float("inf"), 0.0, "values that the population does not have"
    elif fpc == 0 or df == 0:
        value, pvalue, how = 0.0, 1.0, "nothing is left to chance"
    else:
        expected = known * (m / n)
        value = float(chi_square_statistic(seen, expected)) / fpc
        if expected.min() >= SMALL_EXPECTED:
            pvalue, how = float(chdtrc(df, value)), f"chi-square with {df} degrees of freedom"
        else:
            null = chi_square_statistic(draw_tables(known, m, _DRAWS, generator), expected) / fpc
            pvalue = (1 + int((null >= value * (1 - 1e-12)).sum())) / (1 + _DRAWS)
            how = f"exact, {_DRAWS} multivariate hypergeometric draws"
    return _outcome(name, (value, pvalue, how), (effect, "total variation"), sizes, df)


def _test_numbers(
    name: str,
    own: tuple[np.ndarray, np.ndarray],
    known: tuple[np.ndarray, np.ndarray],
    sizes: tuple[int, int, float],
) -> RepresentativenessTest:
    fpc = sizes[2]
    values, counts = known
    height = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    reached = np.concatenate([[0], np.cumsum(own[1])]) / own[1].sum()
    # Between values of the sample only the population rises: look at them, and just before them.
    at = height[np.searchsorted(values, own[0], "right")]
    before = height[np.searchsorted(values, own[0], "left")]
    distance = float(max(np.abs(reached[1:] - at).max(), np.abs(reached[:-1] - before).max()))
    if fpc == 0:
        return _outcome(
            name, (0.0, 1.0, "nothing is left to chance"), (distance, "KS distance"), sizes
        )
    value = np.sqrt(own[1].sum() / fpc) * distance
    pvalue = float(kolmogorov(value))
    how = "Kolmogorov distribution"
    if counts.max() > 2 * counts.sum() / _GRID:
        drawn = _bridge_pvalue(value, height[1:-1])
        pvalue, how = min(pvalue, drawn), "Brownian bridge over the distinct values"
    return _outcome(name, (value, pvalue, how), (distance, "KS distance"), sizes)


def _bridge_pvalue(value: float, heights: np.ndarray) -> float:
    """Probability that a Brownian bridge exceeds a value at one of some positions."""
    cells = np.unique(np.clip(np.rint(heights * _GRID).astype(int), 1, _GRID - 1))
    largest = np.abs(_bridges()[cells - 1]).max(axis=0)
    return (1 + int((largest >= value).sum())) / (1 + _DRAWS)


@cache
def _bridges() -> np.ndarray:
    """Brownian bridges on a grid, shape (grid points, draws); a fixed table like any other."""
    steps = as_generator(20_507_208).standard_normal((_GRID, _DRAWS), dtype=np.float32)
    paths = np.cumsum(steps / np.sqrt(_GRID), axis=0)
    ramp = (np.arange(1, _GRID + 1) / _GRID).astype(np.float32)[:, None]
    return np.asarray((paths - ramp * paths[-1])[:-1])


def _outcome(
    column: str,
    result: tuple[float, float, str],
    effect: tuple[float, str],
    sizes: tuple[int, int, float],
    df: int | None = None,
) -> RepresentativenessTest:
    value, pvalue, how = result
    return RepresentativenessTest(
        name=f"column:{column}",
        statistic=float(value),
        pvalue=pvalue,
        method=how,
        effect=effect[0],
        effect_name=effect[1],
        n_sample=sizes[0],
        n_reference=sizes[1],
        fpc=sizes[2],
        requires=f"column {column} of the reference",
        df=df,
    )
