"""Generalised covariance measure: the mean product of two regressions' residuals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.independence._base import DataTest
from shiftlab.independence._cache import ByteCache
from shiftlab.independence._deflation import deflation
from shiftlab.independence._protocol import Engine, Outcome
from shiftlab.independence._regressions import RegressionOptions, Regressions
from shiftlab.independence._smoother import Residuals
from shiftlab.independence._variables import Variable

__all__ = ["GCM"]

CACHE_BYTES = 2**28
#: Less than this share of a column's variance left means that z determines it.
DETERMINED = 1e-8


@dataclass(frozen=True)
class GCM(DataTest):
    """Generalised covariance measure.

    x and y are regressed on z (as in `KernelTest`), and the mean product of the residuals is
    studentised. It sees dependence in the conditional mean that does not average out, and nothing
    else; in exchange its level needs little from the regressions and nothing from kernels. A
    category is as many indicator columns; of several products the largest is compared with draws
    of the maximum of a Gaussian vector with their correlations.

    Parameters
    ----------
    selection : {"gcv", "marginal_likelihood"}, default "gcv"
        What the ridge minimises.
    n_features : int, default 170
        Functions of the numbers of z in the regressions, at most.
    n_resamples : int, default 2000
        Draws of the maximum.
    random_state : RandomState, default 0
        Seed of these draws.

    References
    ----------
    .. [1] R. D. Shah, J. Peters, "The hardness of conditional independence testing and the
       generalised covariance measure", Annals of Statistics 48, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import GCM
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=300)
    >>> x, y = z + rng.normal(size=300), z**2 + rng.normal(size=300)
    >>> GCM().test(x, y, z).pvalue > 0.05, GCM().test(x, y + x, z).pvalue < 0.001
    (True, True)
    """

    selection: str = "gcv"
    n_features: int = 170
    n_resamples: int = 2000
    random_state: RandomState = 0

    def __post_init__(self) -> None:
        check_option(self.selection, ("gcv", "marginal_likelihood"), "selection")
        check_integer(self.n_features, "n_features")
        check_integer(self.n_resamples, "n_resamples")
        as_seed_sequence(self.random_state)

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "gcm"

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        engine: Any = _GcmEngine(self, variables)
        return engine


class _GcmEngine:
    """Residuals of the columns themselves, by variable and conditioning set."""

    effect_name = "correlation of the residuals, of several the largest in size"
    pvalue_method = "normal"

    def __init__(self, options: GCM, variables: tuple[Variable, ...]) -> None:
        self._options = options
        self._cache = ByteCache(CACHE_BYTES)
        regression = RegressionOptions(options.n_features, options.selection)
        self._regressions = Regressions(variables, regression, self._cache)

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        n = self._regressions.n_rows
        if n < 6:
            return Outcome(0.0, 1.0, 0.0, (f"too few rows ({n})",))
        left, right = self._residuals(i, given), self._residuals(j, given)
        x, y = left.values, right.values
        if not (x.shape[1] and y.shape[1]):
            return Outcome(0.0, 1.0, 0.0, ("a variable is constant, or determined by z",))
        products = (x[:, :, None] * y[:, None, :]).reshape(n, -1)
        scores = np.sqrt(n) * products.mean(axis=0) / products.std(axis=0)
        scores = scores / np.sqrt(deflation(left, right).ravel())
        sizes = np.sqrt((x**2).sum(axis=0)[:, None] * (y**2).sum(axis=0)).ravel()
        correlations = products.sum(axis=0) / sizes
        largest = int(np.argmax(np.abs(scores)))
        statistic, effect = float(scores[largest]), float(correlations[largest])
        if len(scores) == 1:
            return Outcome(statistic, float(2 * stats.norm.sf(abs(statistic))), effect)
        pvalue = self._of_maximum(products, abs(statistic), (i, j, *given))
        method = f"maximum of a Gaussian vector, {self._options.n_resamples} draws"
        return Outcome(statistic, pvalue, effect, (), method)

    def _of_maximum(self, products: np.ndarray, largest: float, key: tuple[int, ...]) -> float:
        centred = products - products.mean(axis=0)
        centred = centred / centred.std(axis=0)
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        seed = as_seed_sequence(self._options.random_state).generate_state(4).tolist()
        rng = np.random.default_rng([*seed, *key])
        draws = np.abs(rng.normal(size=(self._options.n_resamples, len(values))) @ root.T)
        exceeding = int((draws.max(axis=1) >= largest).sum())
        return (1 + exceeding) / (1 + self._options.n_resamples)

    def _residuals(self, k: int, given: tuple[int, ...]) -> Residuals:
        def make() -> tuple[Residuals, int]:
            variable = self._regressions.variables[k]
            parts = [variable.numbers]
            if variable.codes is not None:
                parts.append(np.eye(int(variable.codes.max()) + 1)[variable.codes][:, 1:])
            columns = np.hstack(parts)
            columns = columns[:, columns.std(axis=0) > 0]
            columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
            if given and columns.shape[1]:
                found = self._regressions.smoother(given).residuals(columns, variable.codes)
            else:
                found = Residuals.of_nothing(columns)
            found = found.select((found.values**2).mean(axis=0) > DETERMINED)
            return found, found.values.nbytes

        made: Residuals = self._cache.get(("residuals", k, given), make)
        return made
