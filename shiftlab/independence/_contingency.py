"""Tests for categories: Pearson's chi-square and G2, stratum by stratum."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import InputError
from shiftlab.independence._base import DataTest
from shiftlab.independence._protocol import Engine, Outcome
from shiftlab.independence._variables import Variable, joint_codes

__all__ = ["ContingencyTest"]


@dataclass(frozen=True)
class ContingencyTest(DataTest):
    """Chi-square or G2 of counts, summed over the strata of the conditioning set.

    Degrees of freedom count the rows and columns that occur in each stratum. Both statistics are
    scaled so that their mean under independence, given the margins of each stratum, is exactly
    their degrees of freedom: sparse strata then keep the level.

    Parameters
    ----------
    statistic : {"chi2", "g2"}, default "chi2"
        Pearson's statistic or the likelihood ratio.
    null : {"chi2", "permutation"}, default "chi2"
        "permutation" permutes one variable within each stratum, which is exact.
    n_bins : int, optional
        Cut numbers into so many classes of equal frequency; None refuses numbers.
    n_resamples : int, default 999
        Permutations.
    random_state : RandomState, default 0
        Seed of the permutations.

    References
    ----------
    .. [1] A. Agresti, "Categorical Data Analysis", 3rd edition, 2013, section 3.2.
    .. [2] I. Campbell, "Chi-squared and Fisher-Irwin tests of two-by-two tables with small sample
       recommendations", Statistics in Medicine 26, 2007.

    Examples
    --------
    >>> from shiftlab.independence import ContingencyTest
    >>> smoker = ["yes", "no"] * 40
    >>> ill = ["yes", "no"] * 30 + ["no", "yes"] * 10
    >>> round(ContingencyTest().test(smoker, ill).statistic, 2)
    19.75
    """

    statistic: str = "chi2"
    null: str = "chi2"
    n_bins: int | None = None
    n_resamples: int = 999
    random_state: RandomState = 0

    def __post_init__(self) -> None:
        check_option(self.statistic, ("chi2", "g2"), "statistic")
        check_option(self.null, ("chi2", "permutation"), "null")
        check_integer(self.n_resamples, "n_resamples")
        if self.n_bins is not None:
            check_integer(self.n_bins, "n_bins", minimum=2)
        as_seed_sequence(self.random_state)

    @property
    def name(self) -> str:
        """Short name of the test."""
        return self.statistic

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        return _CountEngine(self, variables)


class _CountEngine:
    """Codes of the variables, made once."""

    effect_name = "Cramer's V over the strata, 0 to 1"

    def __init__(self, options: ContingencyTest, variables: tuple[Variable, ...]) -> None:
        self._options = options
        self._variables = variables
        self._codes: dict[int, np.ndarray] = {}
        by_permutation = options.null == "permutation"
        self.pvalue_method = (
            f"{options.n_resamples} permutations within strata" if by_permutation else "chi-square"
        )

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        x, y = self._coded(i), self._coded(j)
        z = joint_codes([self._coded(k) for k in given]) if given else np.zeros_like(x)
        table = _counts(x, y, z)
        observed = _Strata(table)
        if observed.degrees == 0:
            return Outcome(0.0, 1.0, 0.0, ("no stratum in which both variables vary",))
        value = observed.statistic(self._options.statistic)
        pearson = value if self._options.statistic == "chi2" else observed.statistic("chi2")
        effect = float(np.sqrt(min(1.0, pearson / observed.largest)))
        if self._options.null == "chi2":
            return Outcome(value, float(stats.chi2.sf(value, observed.degrees)), effect)
        return Outcome(value, self._permuted(x, y, z, (i, j, given), value), effect)

    def _permuted(self, x: Any, y: Any, z: Any, key: tuple[Any, ...], value: float) -> float:
        seed = as_seed_sequence(self._options.random_state)
        words = [len(key[2]), key[0], key[1], *key[2]]
        rng = np.random.default_rng([*seed.generate_state(4).tolist(), *words])
        order = np.argsort(z, kind="stable")
        x, y, z = x[order], y[order], z[order]
        larger = 0
        for _ in range(self._options.n_resamples):
            shuffled = y[np.lexsort((rng.random(len(z)), z))]
            drawn = _Strata(_counts(x, shuffled, z)).statistic(self._options.statistic)
            larger += drawn >= value * (1 - 1e-12)
        return (1 + larger) / (1 + self._options.n_resamples)

    def _coded(self, k: int) -> np.ndarray:
        if k not in self._codes:
            variable = self._variables[k]
            parts = [] if variable.codes is None else [variable.codes]
            for values in variable.numbers.T:
                if self._options.n_bins is None:
                    raise InputError(
                        f"{variable.name!r} holds numbers, which have no cells to count. Set "
                        "n_bins, turn them into categories, or use a test for numbers."
                    )
                levels = np.quantile(
                    values, np.arange(1, self._options.n_bins) / self._options.n_bins
                )
                parts.append(np.searchsorted(np.unique(levels), values, side="left"))
            self._codes[k] = joint_codes(parts)
        return self._codes[k]


class _Strata:
    """Counts of shape (n_strata, n_x, n_y) and their margins."""

    def __init__(self, counts: np.ndarray) -> None:
        rows, columns = counts.sum(axis=2), counts.sum(axis=1)
        total = rows.sum(axis=1)
        n_rows, n_columns = (rows > 0).sum(axis=1), (columns > 0).sum(axis=1)
        informative = (n_rows > 1) & (n_columns > 1)
        self.counts = counts[informative]
        self.rows, self.columns = rows[informative], columns[informative]
        self.total = total[informative]
        self.per_stratum = ((n_rows - 1) * (n_columns - 1))[informative]
        self.degrees = int(self.per_stratum.sum())
        smaller = np.minimum(n_rows, n_columns)[informative] - 1
        self.largest = float((self.total * smaller).sum())

    def statistic(self, name: str) -> float:
        if not len(self.total):
            return 0.0
        expected = self.rows[:, :, None] * self.columns[:, None, :] / self.total[:, None, None]
        if name == "chi2":
            inside = expected > 0
            parts = np.divide(
                (self.counts - expected) ** 2, expected, out=np.zeros_like(expected), where=inside
            )
            return float((parts.sum(axis=(1, 2)) * (self.total - 1) / self.total).sum())
        raw = 2 * float(
            (
                special.xlogy(self.counts, self.counts)
                - special.xlogy(self.counts, np.where(expected > 0, expected, 1.0))
            ).sum()
        )
        return raw * self.degrees / self._mean_g2()

    def _mean_g2(self) -> float:
        """Mean of G2 given the margins: each count is hypergeometric."""
        total, cache = 0.0, {}
        for r, c, n in zip(self.rows, self.columns, self.total, strict=True):
            for a in r[r > 0]:
                for b in c[c > 0]:
                    key = (min(a, b), max(a, b), n)
                    if key not in cache:
                        cache[key] = _mean_term(*key)
                    total += cache[key]
        return total


def _mean_term(a: int, b: int, n: int) -> float:
    """Mean of 2 O log(O n / (a b)) for a count O with margins a <= b out of n."""
    support = np.arange(max(0, a + b - n), a + 1)
    logs = [special.gammaln(v + 1) for v in (support, a - support, b - support)]
    logs.append(special.gammaln(n - a - b + support + 1))
    fixed = sum(special.gammaln(v + 1) for v in (a, n - a, b, n - b)) - special.gammaln(n + 1)
    weight = np.exp(fixed - sum(logs))
    terms = special.xlogy(support, support) - support * np.log(a * b / n)
    return float(2 * (weight * terms).sum())


def _counts(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    sizes = [int(v.max()) + 1 for v in (z, x, y)]
    cells = (z * sizes[1] + x) * sizes[2] + y
    return np.bincount(cells, minlength=int(np.prod(sizes))).reshape(sizes)
