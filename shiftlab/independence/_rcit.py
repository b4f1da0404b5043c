"""Randomised conditional-independence test: random Fourier features."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.independence._base import DataTest
from shiftlab.independence._deflation import LEAST_LEFT
from shiftlab.independence._nulls import weighted_chi_square_pvalue
from shiftlab.independence._protocol import Engine, Outcome
from shiftlab.independence._variables import Variable
from shiftlab.kernels import Gaussian, fourier_factor, median_bandwidth

__all__ = ["RCIT"]

#: Rows that the median rule of a bandwidth looks at.
MEDIAN_ROWS = 500


@dataclass(frozen=True)
class RCIT(DataTest):
    """Randomised conditional-independence test.

    Few random Fourier features of (x, z) and of y are regressed on more of z; the statistic is
    the squared norm of their covariance. Seeded by the variables that are asked about, so that a
    repeated question has a repeated answer. A category is as many indicator columns.

    Parameters
    ----------
    n_features : int, default 5
        Features of x and of y.
    n_conditioning : int, default 100
        Features of z.
    random_state : RandomState, default 0
        Seed of the features.

    References
    ----------
    .. [1] E. V. Strobl, K. Zhang, S. Visweswaran, "Approximate kernel-based conditional
       independence tests for fast non-parametric causal discovery", Journal of Causal Inference
       7, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import RCIT
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=500)
    >>> x, y = z + rng.normal(size=500), z + rng.normal(size=500)
    >>> RCIT().test(x, y).pvalue < 0.001, RCIT().test(x, y, z).pvalue > 0.05
    (True, True)
    """

    n_features: int = 5
    n_conditioning: int = 100
    random_state: RandomState = 0

    def __post_init__(self) -> None:
        check_integer(self.n_features, "n_features")
        check_integer(self.n_conditioning, "n_conditioning", minimum=2)
        as_seed_sequence(self.random_state)

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "rcit"

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        engine: Any = _RcitEngine(self, variables)
        return engine


class _RcitEngine:
    effect_name = "root of the mean squared correlation of residual features, 0 to 1"
    pvalue_method = "weighted chi-square, saddlepoint"

    def __init__(self, options: RCIT, variables: tuple[Variable, ...]) -> None:
        self._options = options
        self._variables = variables
        self._seed = as_seed_sequence(options.random_state).generate_state(4).tolist()

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        n = self._variables[0].n_rows
        if n < 6:
            return Outcome(0.0, 1.0, 0.0, (f"too few rows ({n})",))
        columns = {k: _columns(self._variables[k]) for k in (i, j, *given)}
        if not (columns[i].shape[1] and columns[j].shape[1]):
            return Outcome(0.0, 1.0, 0.0, ("a variable is constant",))
        z = np.hstack([columns[k] for k in given]) if given else np.empty((n, 0))
        x = self._draw(np.hstack([columns[i], z]), self._options.n_features, (0, i, j, *given))
        y = self._draw(columns[j], self._options.n_features, (1, i, j, *given))
        left = np.ones(n)
        if z.shape[1]:
            basis = self._draw(z, min(self._options.n_conditioning, n // 2), (2, i, j, *given))
            directions = _directions(basis)
            left = np.maximum(1 - (directions**2).sum(axis=1) / n, LEAST_LEFT)
            x, y = (v - directions @ (directions.T @ v) / n for v in (x, y))
        products = (x[:, :, None] * y[:, None, :]).reshape(n, -1)
        total = products.sum(axis=0)
        statistic = float(total @ total) / n
        centred = products - products.mean(axis=0)
        # Of the noise of a row either regression leaves this share; the variance of the sum of the
        # products falls by it once, their squares fall twice.
        centred = centred / np.sqrt(left)[:, None]
        weights = np.linalg.eigvalsh(centred.T @ centred / n)
        sizes = (x**2).sum(axis=0)[:, None] * (y**2).sum(axis=0)
        effect = float(np.sqrt(np.mean(total**2 / np.maximum(sizes.ravel(), 1e-300))))
        return Outcome(statistic, weighted_chi_square_pvalue(statistic, weights), min(effect, 1.0))

    def _draw(self, columns: np.ndarray, rank: int, key: tuple[int, ...]) -> np.ndarray:
        rng = np.random.default_rng([*self._seed, *key])
        rows = columns[:: max(1, len(columns) // MEDIAN_ROWS)]
        kernel = Gaussian(median_bandwidth(rows))
        # Cosines with random phases: one column of each pair would lose half of the directions.
        waves = fourier_factor(kernel, columns, rank=2 * rank, random_state=rng).transform(columns)
        phase = rng.uniform(0, 2 * np.pi, rank)
        features = waves[:, :rank] * np.cos(phase) - waves[:, rank:] * np.sin(phase)
        spread = features.std(axis=0)
        return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _columns(variable: Variable) -> np.ndarray:
    """Return standardised numbers and indicators that vary."""
    parts = [variable.numbers]
    if variable.codes is not None:
        parts.append(np.eye(int(variable.codes.max()) + 1)[variable.codes])
    columns = np.hstack(parts)
    columns = columns[:, columns.std(axis=0) > 0]
    return (columns - columns.mean(axis=0)) / columns.std(axis=0, ddof=1)


def _directions(basis: np.ndarray) -> np.ndarray:
    """Return uncorrelated columns of variance 1 that span the same space."""
    values, vectors = np.linalg.eigh(basis.T @ basis / len(basis))
    kept = values > 1e-8 * values[-1]
    return np.asarray(basis @ (vectors[:, kept] / np.sqrt(values[kept])))
