"""Partial correlation: the classical linear test, with indicator columns for categories."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from shiftlab.independence._base import DataTest
from shiftlab.independence._protocol import Engine, Outcome
from shiftlab.independence._variables import Variable

__all__ = ["FisherZ"]

#: Directions with less than this share of a variable's variance left are explained entirely.
EXPLAINED = 1e-10


@dataclass(frozen=True)
class FisherZ(DataTest):
    """Partial correlation, for linear relations with Gaussian noise.

    Two single numbers are compared by Fisher's z-transform of their partial correlation. A
    category enters as indicator columns; two variables of several columns are compared by Wilks'
    lambda of their residuals in Rao's F-approximation, which is exact if one of them has at most
    two columns. Cheap, but blind to anything that leaves the linear correlation alone.

    References
    ----------
    .. [1] R. A. Fisher, "The distribution of the partial correlation coefficient", Metron 3, 1924.
    .. [2] C. R. Rao, "Linear Statistical Inference and its Applications", 1973, section 8c.5.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import FisherZ
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=500)
    >>> x, y = z + rng.normal(size=500), z + rng.normal(size=500)
    >>> FisherZ().test(x, y).pvalue < 0.001, FisherZ().test(x, y, z).pvalue > 0.05
    (True, True)
    """

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "fisher_z"

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        return _LinearEngine(variables)


class _LinearEngine:
    """Covariances of all columns, computed once for each pair of variables that is asked about."""

    effect_name = "partial correlation (of several columns: the square root of 1 - Wilks' lambda)"
    pvalue_method = "Fisher's z-transform, normal"

    def __init__(self, variables: tuple[Variable, ...]) -> None:
        self._variables = variables
        self._n_rows = variables[0].n_rows
        self._blocks: dict[int, np.ndarray] = {}
        self._covariances: dict[tuple[int, int], np.ndarray] = {}

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        if not (self._block(i).shape[1] and self._block(j).shape[1]):
            return Outcome(0.0, 1.0, 0.0, ("a variable is constant",))
        within = self._partial(i, j, tuple(k for k in given if self._block(k).shape[1]))
        if within is None:
            return Outcome(0.0, 1.0, 0.0, ("the conditioning variables determine a variable",))
        covariance, p, q, rank = within
        degrees = self._n_rows - rank - 3
        if degrees < max(p, q):
            return Outcome(0.0, 1.0, 0.0, (f"too few rows ({self._n_rows})",))
        if p == q == 1:
            r = float(np.clip(covariance[0, 1], -1.0, 1.0))
            score = np.sqrt(degrees) * np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
            return Outcome(float(score), float(2 * stats.norm.sf(abs(score))), r)
        lambda_ = max(float(np.linalg.det(covariance)), 0.0)
        statistic, pvalue = _rao(lambda_, p, q, self._n_rows - 1 - rank)
        method = "Rao's F-approximation of Wilks' lambda"
        return Outcome(statistic, pvalue, float(np.sqrt(1 - lambda_)), (), method)

    def _partial(
        self, i: int, j: int, given: tuple[int, ...]
    ) -> tuple[np.ndarray, int, int, int] | None:
        """Return the covariance of the residuals, whitened within both variables, and ranks."""
        own = self._joined((i, j), (i, j))
        rank = 0
        if given:
            among = self._joined(given, given)
            values, vectors = np.linalg.eigh(among)
            kept = values > EXPLAINED * max(values[-1], 1e-300)
            rank = int(kept.sum())
            cross = self._joined((i, j), given) @ (vectors[:, kept] / np.sqrt(values[kept]))
            own = own - cross @ cross.T
        first = self._block(i).shape[1]
        roots = [_inverse_root(own[:first, :first]), _inverse_root(own[first:, first:])]
        if not all(root.shape[1] for root in roots):
            return None
        between = roots[0].T @ own[:first, first:] @ roots[1]
        p, q = between.shape
        whole = np.eye(p + q)
        whole[:p, p:], whole[p:, :p] = between, between.T
        return whole, p, q, rank

    def _joined(self, left: tuple[int, ...], right: tuple[int, ...]) -> np.ndarray:
        return np.block([[self._covariance(a, b) for b in right] for a in left])

    def _covariance(self, a: int, b: int) -> np.ndarray:
        if a > b:
            return self._covariance(b, a).T
        if (a, b) not in self._covariances:
            self._covariances[a, b] = self._block(a).T @ self._block(b) / self._n_rows
        return self._covariances[a, b]

    def _block(self, k: int) -> np.ndarray:
        """Centred columns of unit variance; constant ones are left out."""
        if k not in self._blocks:
            variable = self._variables[k]
            parts = [variable.numbers]
            if variable.codes is not None:
                parts.append(np.eye(int(variable.codes.max()) + 1)[variable.codes][:, 1:])
            columns = np.hstack(parts)
            columns = columns - columns.mean(axis=0)
            spread = columns.std(axis=0)
            varying = spread > 1e-12 * np.maximum(np.abs(np.hstack(parts)).max(axis=0), 1e-300)
            self._blocks[k] = columns[:, varying] / spread[varying]
        return self._blocks[k]


def _inverse_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    kept = values > EXPLAINED  # each column has unit variance before conditioning
    return vectors[:, kept] / np.sqrt(values[kept])


def _rao(lambda_: float, p: int, q: int, n: int) -> tuple[float, float]:
    """F statistic and p-value of Wilks' lambda of p and q columns with n degrees of freedom."""
    squares = p**2 + q**2 - 5
    root = np.sqrt((p**2 * q**2 - 4) / squares) if squares > 0 else 1.0
    weight = n - (p + q + 1) / 2
    first, second = p * q, weight * root - p * q / 2 + 1
    if second <= 0:
        return 0.0, 1.0
    power = lambda_ ** (1 / root)
    if power <= 0:
        return float("inf"), 0.0
    statistic = (1 - power) / power * second / first
    return float(statistic), float(stats.f.sf(statistic, first, second))
