"""Hilbert-Schmidt independence criterion: dependence of two variables, nothing given."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.frames import Table
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import InputError
from shiftlab.independence._base import DataTest
from shiftlab.independence._nulls import gamma_pvalue
from shiftlab.independence._protocol import Engine, Outcome
from shiftlab.independence._variables import Variable
from shiftlab.kernels import centre_features, kernel_for, kernel_matrix, low_rank_factor

__all__ = ["HSIC"]


@dataclass(frozen=True)
class HSIC(DataTest):
    """Hilbert-Schmidt independence criterion.

    Gaussian kernels on the numbers in units of their robust scales, delta kernels on the
    categories, through low-rank features that are exact up to `max_rank` distinct values.

    Parameters
    ----------
    bandwidth : {"median", "silverman", "scott"} or float, default "median"
        Of the Gaussian kernels, in units of the robust scales.
    null : {"gamma", "permutation"}, default "gamma"
        A gamma distribution with the mean and variance under permutations to first order, or
        permutations.
    n_resamples : int, default 999
        Permutations.
    max_rank : int, default 100
        Features of a variable.
    random_state : RandomState, default 0
        Seed of landmarks and permutations.

    References
    ----------
    .. [1] A. Gretton, K. Fukumizu, C. Teo, L. Song, B. Schölkopf, A. Smola, "A kernel statistical
       test of independence", NIPS 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import HSIC
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=200)
    >>> HSIC().test(x, x**2 + rng.normal(size=200)).pvalue < 0.01
    True
    """

    bandwidth: Any = "median"
    null: str = "gamma"
    n_resamples: int = 999
    max_rank: int = 100
    random_state: RandomState = 0

    def __post_init__(self) -> None:
        if isinstance(self.bandwidth, str):
            check_option(self.bandwidth, ("median", "silverman", "scott"), "bandwidth")
        check_option(self.null, ("gamma", "permutation"), "null")
        check_integer(self.n_resamples, "n_resamples")
        check_integer(self.max_rank, "max_rank")
        as_seed_sequence(self.random_state)

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "hsic"

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        engine: Any = _HsicEngine(self, variables)
        return engine


class _HsicEngine:
    effect_name = "normalised kernel cross-covariance, bias-corrected, 0 to 1"

    def __init__(self, options: HSIC, variables: tuple[Variable, ...]) -> None:
        self._options = options
        self._variables = variables
        self._features: dict[int, np.ndarray] = {}
        self._seed = as_seed_sequence(options.random_state).generate_state(4).tolist()
        self.pvalue_method = (
            "gamma approximation"
            if options.null == "gamma"
            else f"{options.n_resamples} permutations"
        )

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        if given:
            raise InputError(
                "HSIC compares two variables with nothing given; use KernelTest for a "
                "conditioning set."
            )
        n = self._variables[0].n_rows
        if n < 6:
            return Outcome(0.0, 1.0, 0.0, (f"too few rows ({n})",))
        x, y = self._centred(i), self._centred(j)
        traces = [float((a**2).sum()) for a in (x, y)]
        if min(traces) <= 1e-10 * n:
            return Outcome(0.0, 1.0, 0.0, ("a variable is constant",))
        statistic = float(((x.T @ y) ** 2).sum()) / n
        # Exact mean under permutations, variance to first order in 1 / n.
        mean = traces[0] * traces[1] / (n * (n - 1))
        pairs = [_off_diagonal(a) for a in (x, y)]
        variance = 2 * pairs[0] * pairs[1] / (n**3 * (n - 1))
        size = float(np.sqrt(((x.T @ x) ** 2).sum() * ((y.T @ y) ** 2).sum())) / n
        effect = float(np.sqrt(np.clip((statistic - mean) / size, 0.0, 1.0)))
        if self._options.null == "gamma":
            return Outcome(statistic, gamma_pvalue(statistic, mean, variance), effect)
        rng = np.random.default_rng([*self._seed, i, j])
        drawn = [
            float(((x.T @ y[rng.permutation(n)]) ** 2).sum()) / n
            for _ in range(self._options.n_resamples)
        ]
        exceeding = int((np.array(drawn) >= statistic * (1 - 1e-12)).sum())
        return Outcome(statistic, (1 + exceeding) / (1 + len(drawn)), effect)

    def _centred(self, k: int) -> np.ndarray:
        if k not in self._features:
            variable = self._variables[k]
            table = Table(variable.columns, variable.n_rows)
            kernel = kernel_for(table, bandwidth=self._options.bandwidth)
            matrix = kernel_matrix(table)
            rng = np.random.default_rng([*self._seed, k])
            factor = low_rank_factor(
                kernel, matrix, max_rank=self._options.max_rank, random_state=rng
            )
            self._features[k] = np.asarray(centre_features(factor.transform(matrix)))
        return self._features[k]


def _off_diagonal(features: np.ndarray) -> float:
    """Sum of the squared entries of the Gram matrix off its diagonal."""
    lengths = (features**2).sum(axis=1)
    return float(((features.T @ features) ** 2).sum() - (lengths**2).sum())
