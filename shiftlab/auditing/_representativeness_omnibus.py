"""Omnibus tests on whole rows: sliced Wasserstein, kernel discrepancy, Hotelling.

The mean of the features of a random sample is asymptotically normal with the covariance of the
population, so the kernel statistic is a weighted sum of chi-squares whose weights are eigenvalues
computed once, and Hotelling's statistic is chi-square. The sliced Wasserstein statistic has no
such form; its null distribution is drawn by sampling rows of the reference.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from shiftlab._core.frames import Table
from shiftlab.auditing._reference import Reference
from shiftlab.auditing._reference_moments import Sums, row_sums
from shiftlab.auditing._representativeness_result import RepresentativenessTest
from shiftlab.transport import random_directions

__all__ = ["OMNIBUS", "omnibus_outcomes"]

OMNIBUS = ("sliced_wasserstein", "mmd_median", "mmd_small", "hotelling")
#: Directions and quantile levels of the sliced distance.
_DIRECTIONS, _LEVELS = 32, 200
_KERNEL_DRAWS = 4999


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Encoded rows of a sample beside a reference, and how variances shrink."""

    rows: np.ndarray
    reference: Reference
    regime: str

    @property
    def sizes(self) -> tuple[int, int]:
        return len(self.rows), self.reference.n_rows

    @property
    def factor(self) -> float:
        """Variance of the difference of two means, in units of the variance of one row."""
        m, kept, n = len(self.rows), len(self.reference.kept.rows), self.reference.n_rows
        if self.regime == "independent":
            return 1 / m + 1 / kept
        own = (n - m) / (n - 1) / m if n > 1 else 0.0
        return max(own, 0.0) + (n - kept) / max(n - 1, 1) / kept


def omnibus_outcomes(
    table: Table,
    reference: Reference,
    regime: str,
    tests: tuple[str, ...],
    n_resamples: int,
    generator: np.random.Generator,
) -> list[RepresentativenessTest]:
    """Run the omnibus tests that are asked for on a table with the reference's columns."""
    rows = reference.kept.encoder.encode(reference.roles.features(table))
    comparison = _Comparison(rows, reference, regime)
    outcomes = []
    if "sliced_wasserstein" in tests:
        outcomes.append(_sliced(comparison, n_resamples, generator))
    if set(tests) - {"sliced_wasserstein"}:
        own = row_sums(rows, reference.kept.fourier)
        known = reference.kept.sums
        for index, name in ((1, "mmd_median"), (2, "mmd_small")):
            if name in tests:
                outcomes.append(_mmd(comparison, own[index], known[index], index, generator))
        if "hotelling" in tests:
            outcomes.append(_hotelling(comparison, own[0], known[0]))
    return outcomes


def _population(comparison: _Comparison, own: Sums, known: Sums) -> Sums:
    """Return the sums from which the null covariance is taken."""
    return known.joined(own) if comparison.regime == "independent" else known


def _mmd(
    comparison: _Comparison,
    own: Sums,
    known: Sums,
    index: int,
    generator: np.random.Generator,
) -> RepresentativenessTest:
    gap = own.mean - known.mean
    value = float(gap @ gap)
    weights = np.linalg.eigvalsh(_population(comparison, own, known).covariance)
    weights = weights[weights > 1e-9 * max(weights.max(), 1e-300)] * comparison.factor
    if len(weights) == 0 or weights.sum() == 0:
        pvalue, how = 1.0, "nothing is left to chance"
    else:
        normal = generator.standard_normal((_KERNEL_DRAWS, len(weights)), dtype=np.float32)
        null = normal**2 @ weights.astype(np.float32)
        pvalue = (1 + int((null >= value).sum())) / (1 + _KERNEL_DRAWS)
        how = "weighted sum of chi-squares"
    bandwidth = comparison.reference.kept.fourier.bandwidths[index - 1]
    name = ("mmd_median", "mmd_small")[index - 1]
    note = f"bandwidth {bandwidth:.3g}"
    return _outcome(comparison, name, (value, pvalue, how), (value, "squared MMD"), note=note)


def _hotelling(comparison: _Comparison, own: Sums, known: Sums) -> RepresentativenessTest:
    gap = own.mean - known.mean
    covariance = _population(comparison, own, known).covariance
    values, vectors = np.linalg.eigh(covariance)
    # Indicators of all categories add up to 1: directions without variance carry nothing.
    kept = values > 1e-8 * max(values.max(), 1e-300)
    df = int(kept.sum())
    scaled = (vectors[:, kept].T @ gap) / np.sqrt(values[kept])
    distance = float(scaled @ scaled)
    if comparison.factor == 0 or df == 0:
        result = (0.0, 1.0, "nothing is left to chance")
    else:
        value = distance / comparison.factor
        result = (value, float(chdtrc(df, value)), f"chi-square with {df} degrees of freedom")
    return _outcome(
        comparison, "hotelling", result, (distance, "squared Mahalanobis distance"), df=df
    )


def _sliced(
    comparison: _Comparison, n_resamples: int, generator: np.random.Generator
) -> RepresentativenessTest:
    rows, kept = comparison.rows, comparison.reference.kept.rows
    m = len(rows)
    directions = random_directions(rows.shape[1], _DIRECTIONS, generator).astype(np.float32)
    # One line per direction: sorting along contiguous memory is several times faster.
    drawn, target = directions.T @ rows.T, directions.T @ kept.T
    pool = np.hstack([target, drawn]) if comparison.regime == "independent" else target
    n_pool = pool.shape[1]
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    quantiles = _quantiles(pool, levels)
    value = _distance(drawn, quantiles, levels)
    if m >= n_pool:
        same = comparison.factor == 0
        pvalue, how = 1.0, "nothing is left to chance" if same else "too few reference rows"
    else:
        chosen = (generator.choice(n_pool, m, replace=False) for _ in range(n_resamples))
        null = np.array([_distance(pool[:, take], quantiles, levels) for take in chosen])
        pvalue = (1 + int((null >= value * (1 - 1e-12)).sum())) / (1 + n_resamples)
        how = f"{n_resamples} random samples of the reference"
    result = (value, pvalue, how)
    return _outcome(comparison, "sliced_wasserstein", result, (value, "sliced Wasserstein"))


def _distance(projected: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> float:
    """Mean distance of quantiles over levels and directions."""
    return float(np.abs(_quantiles(projected, levels) - quantiles).mean())


def _quantiles(projected: np.ndarray, levels: np.ndarray) -> np.ndarray:
    n = projected.shape[1]
    return np.asarray(np.sort(projected, axis=1)[:, (levels * n).astype(int)])


def _outcome(
    comparison: _Comparison,
    name: str,
    result: tuple[float, float, str],
    effect: tuple[float, str],
    *,
    df: int | None = None,
    note: str = "",
) -> RepresentativenessTest:
    m, n = comparison.sizes
    value, pvalue, how = result
    return RepresentativenessTest(
        name=name,
        statistic=value,
        pvalue=pvalue,
        method=how,
        effect=effect[0],
        effect_name=effect[1],
        n_sample=m,
        n_reference=n,
        fpc=min(comparison.factor * m, 1.0),
        requires="rows of the reference",
        df=df,
        note=note,
    )
