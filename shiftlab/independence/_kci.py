"""The kernel test of Zhang et al. with fixed widths and ridge: exact, or low-rank by Nystroem."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import linalg

from shiftlab._core.checks import check_integer, check_option
from shiftlab.exceptions import InputError
from shiftlab.independence._base import DataTest
from shiftlab.independence._cache import ByteCache
from shiftlab.independence._nulls import gamma_pvalue, weighted_chi_square_pvalue
from shiftlab.independence._protocol import Engine, Outcome
from shiftlab.independence._variables import Variable
from shiftlab.kernels import (
    Delta,
    Gaussian,
    Kernel,
    LandmarkFactor,
    ProductKernel,
    median_bandwidth,
)

__all__ = ["KCI"]

#: Landmarks of one column (quantiles) and of several (random rows).
LANDMARKS, JOINT_LANDMARKS = 60, 200
#: Rows that estimate the variance under independence of the low-rank form.
SAMPLED_ROWS = 400
CACHE_BYTES = 2**30


@dataclass(frozen=True)
class KCI(DataTest):
    r"""Kernel conditional-independence test with fixed kernel widths and ridge.

    The reference of the literature. With R = reg (K_z + reg I)^-1 the statistic is the sum of all
    entries of (R K_xz R) o (R K_y R), and its mean and variance under independence are the trace
    and twice the squared Frobenius norm of the same elementwise product, so that one Cholesky
    factor and no eigenvalue is needed. The exact form takes time n^3 and memory n^2.

    Its level is not kept with several conditioning variables and more than about 1,200 rows,
    where the ridge becomes too small; `KernelTest` is the test to use, this one is for comparison.

    Parameters
    ----------
    method : {"exact", "low_rank"}, default "exact"
        "low_rank" takes the same kernels through Nystroem features, in time linear in n.
    bandwidth : {"rule", "median"} or float, default "rule"
        Width of the Gaussian kernels on standardised columns: by the number of rows as in the
        authors' code, the median distance, or a number. Categories have a delta kernel.
    reg : float, default 1e-3
        Ridge of the regressions on z.
    null : {"gamma", "weighted"}, default "gamma"
        "weighted" takes the eigenvalues of the product and a saddlepoint approximation.
    random_state : int, default 0
        Seed of the random landmarks of several columns.

    References
    ----------
    .. [1] K. Zhang, J. Peters, D. Janzing, B. Schölkopf, "Kernel-based conditional independence
       test and application in causal discovery", UAI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import KCI
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=200)
    >>> x, y = z + rng.normal(size=200), z + rng.normal(size=200)
    >>> KCI().test(x, y).pvalue < 0.01, KCI().test(x, y, z).pvalue > 0.05
    (True, True)
    """

    method: str = "exact"
    bandwidth: str | float = "rule"
    reg: float = 1e-3
    null: str = "gamma"
    random_state: int = 0

    def __post_init__(self) -> None:
        check_option(self.method, ("exact", "low_rank"), "method")
        check_option(self.null, ("gamma", "weighted"), "null")
        if isinstance(self.bandwidth, str):
            check_option(self.bandwidth, ("rule", "median"), "bandwidth")
        for name in ("bandwidth", "reg"):
            value = getattr(self, name)
            if not isinstance(value, str) and not 0 < value < float("inf"):
                raise InputError(f"{name} must be positive and finite, found {value!r}.")
        check_integer(self.random_state, "random_state", minimum=0)

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "kci" if self.method == "exact" else "kci_low_rank"

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        engine: Any = _ExactEngine if self.method == "exact" else _LowRankEngine
        made: Engine = engine(self, variables)
        return made


class _KciEngine(ABC):
    """What both forms share: standardised columns, kernels, caches."""

    effect_name = "normalised kernel cross-covariance, bias-corrected, 0 to 1"

    def __init__(self, options: KCI, variables: tuple[Variable, ...]) -> None:
        self._options = options
        self._variables = variables
        self._n = variables[0].n_rows
        self._cache = ByteCache(CACHE_BYTES)
        self.pvalue_method = (
            "gamma approximation" if options.null == "gamma" else "weighted chi-square, saddlepoint"
        )

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        if self._n < 6:
            return Outcome(0.0, 1.0, 0.0, (f"too few rows ({self._n})",))
        if any(self._matrix((k,)).shape[1] == 0 for k in (i, j)):
            return Outcome(0.0, 1.0, 0.0, ("a variable is constant",))
        return self._compare(i, j, tuple(k for k in given if self._standardised(k).shape[1]))

    @abstractmethod
    def _compare(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer a question about variables that vary."""

    def _matrix(self, members: tuple[int, ...]) -> np.ndarray:
        """Return standardised numbers and codes of all columns that vary."""
        parts = [self._standardised(k) for k in members]
        return np.hstack(parts) if parts else np.empty((self._n, 0))

    def _standardised(self, k: int) -> np.ndarray:
        def make() -> tuple[np.ndarray, int]:
            variable = self._variables[k]
            numbers = variable.numbers
            numbers = numbers[:, numbers.std(axis=0) > 0]
            numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0, ddof=1)
            labels = np.empty((self._n, 0))
            if variable.codes is not None and variable.codes.max() > 0:
                labels = variable.codes[:, None].astype(np.float64)
            found = np.hstack([numbers, labels])
            return found, found.nbytes

        made: np.ndarray = self._cache.get(("columns", k), make)
        return made

    def _n_labels(self, k: int) -> int:
        codes = self._variables[k].codes
        return int(codes is not None and codes.max() > 0)

    def _kernel(self, members: tuple[int, ...], width: float, scale: dict[int, float]) -> Kernel:
        """Return a Gaussian of all numbers (divided by a scale) times deltas of all labels."""
        lengths: list[float] = []
        numbers: list[int] = []
        labels: list[int] = []
        place = 0
        for k in members:
            n_columns = self._standardised(k).shape[1]
            n_numbers = n_columns - self._n_labels(k)
            numbers += range(place, place + n_numbers)
            lengths += [width / scale.get(k, 1.0)] * n_numbers
            labels += range(place + n_numbers, place + n_columns)
            place += n_columns
        parts: list[tuple[Kernel, list[int]]] = []
        if numbers:
            parts.append((Gaussian(tuple(lengths)), numbers))
        parts += [(Delta(), [c]) for c in labels]
        return ProductKernel(parts)

    def _width(self, members: tuple[int, ...], *, conditional: bool) -> float:
        """Width for standardised columns; that of z serves x and y too."""
        if isinstance(self._options.bandwidth, float | int):
            return float(self._options.bandwidth)
        matrix = self._matrix(members)
        n_numbers = matrix.shape[1] - sum(self._n_labels(k) for k in members)
        if self._options.bandwidth == "median":
            return median_bandwidth(matrix[:, :n_numbers]) if n_numbers else 1.0
        steps = ((200, 1.2), (1199, 0.7)) if conditional else ((199, 0.8), (1199, 0.5))
        last = 0.4 if conditional else 0.3
        base = next((w for most, w in steps if self._n <= most), last)
        return float(base * max(n_numbers, 1) ** (0.5 if conditional else -0.5))

    def _outcome(self, statistic: float, mean: float, variance: float, sizes: float) -> Outcome:
        effect = float(np.sqrt(np.clip((statistic - mean) / max(sizes, 1e-300), 0.0, 1.0)))
        return Outcome(statistic, gamma_pvalue(statistic, mean, variance), effect)


class _ExactEngine(_KciEngine):
    """Matrices of n x n."""

    def _compare(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        left, right = self._gram(i, given, joint=True), self._gram(j, given, joint=False)
        n = self._n
        if not given:
            statistic = float((left * right).sum())
            mean = float(np.trace(left) * np.trace(right)) / n
            squares = [float((k**2).sum()) for k in (left, right)]
            variance = 2 * squares[0] * squares[1] / n**2
            outcome = self._outcome(statistic, mean, variance, (squares[0] * squares[1]) ** 0.5)
            if self._options.null == "gamma":
                return outcome
            values = [np.linalg.eigvalsh(k)[::-1][:200] for k in (left, right)]
            weights = np.outer(*values).ravel() / n
            return outcome._replace(pvalue=weighted_chi_square_pvalue(statistic, weights))
        product = left * right
        statistic, mean = float(product.sum()), float(np.trace(product))
        size = float(np.sqrt((left**2).sum() * (right**2).sum()))
        outcome = self._outcome(statistic, mean, 2 * float((product**2).sum()), size)
        if self._options.null == "gamma":
            return outcome
        weights = np.linalg.eigvalsh(product)
        return outcome._replace(pvalue=weighted_chi_square_pvalue(statistic, weights))

    def _gram(self, k: int, given: tuple[int, ...], *, joint: bool) -> np.ndarray:
        """Return the centred kernel of a variable, regressed on z."""

        def make() -> tuple[np.ndarray, int]:
            members = (k, *given) if joint and given else (k,)
            width = self._width(given or (k,), conditional=bool(given))
            kernel = self._kernel(members, width, dict.fromkeys(given, 0.5))
            gram = _centre(kernel(self._matrix(members)))
            if given:
                residual = self._residual_maker(given)
                gram = _symmetric_product(residual @ gram, residual)
            return gram, gram.nbytes

        made: np.ndarray = self._cache.get(("gram", k, given, joint), make)
        return made

    def _residual_maker(self, given: tuple[int, ...]) -> np.ndarray:
        def make() -> tuple[np.ndarray, int]:
            reg = self._options.reg
            kernel = self._kernel(given, self._width(given, conditional=True), {})
            gram = _centre(kernel(self._matrix(given)))
            gram.flat[:: self._n + 1] += reg
            factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
            inverse, _ = linalg.lapack.dpotri(factor, lower=1)
            inverse = np.tril(inverse) + np.tril(inverse, -1).T
            inverse *= reg
            return inverse, inverse.nbytes

        made: np.ndarray = self._cache.get(("residual", given), make)
        return made


class _LowRankEngine(_KciEngine):
    """Nystroem features instead of matrices of n x n."""

    def _compare(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        x, y = self._residuals(i, given, joint=True), self._residuals(j, given, joint=False)
        n = self._n
        statistic = float(((x.T @ y) ** 2).sum())
        size = float(np.sqrt(((x.T @ x) ** 2).sum() * ((y.T @ y) ** 2).sum()))
        lengths = (x**2).sum(axis=1), (y**2).sum(axis=1)
        if not given:
            mean = float(lengths[0].sum() * lengths[1].sum()) / n
            return self._outcome(statistic, mean, 2 * size**2 / n**2, size)
        mean = float(lengths[0] @ lengths[1])
        if n <= SAMPLED_ROWS:
            rows = np.arange(n)
        else:
            rows = np.argsort(lengths[0], kind="stable")[
                ((np.arange(SAMPLED_ROWS) + 0.5) * n / SAMPLED_ROWS).astype(int)
            ]
        product = (x[rows] @ x.T) * (y[rows] @ y.T)
        squares = float((product**2).sum()) * n / len(rows)
        return self._outcome(statistic, mean, 2 * squares, size)

    def _residuals(self, k: int, given: tuple[int, ...], *, joint: bool) -> np.ndarray:
        def make() -> tuple[np.ndarray, int]:
            members = (k, *given) if joint and given else (k,)
            width = self._width(given or (k,), conditional=bool(given))
            features = self._features(members, width, dict.fromkeys(given, 0.5))
            if given:
                basis, shrink = self._regression(given)
                features = features - basis @ (shrink[:, None] * (basis.T @ features))
            return features, features.nbytes

        made: np.ndarray = self._cache.get(("features", k, given, joint), make)
        return made

    def _regression(self, given: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return orthonormal directions of K_z and how much of each is taken out."""

        def make() -> tuple[tuple[np.ndarray, np.ndarray], int]:
            features = self._features(given, self._width(given, conditional=True), {})
            values, vectors = np.linalg.eigh(features.T @ features)
            kept = values > 1e-10 * values[-1]
            values, vectors = values[kept], vectors[:, kept]
            basis = features @ (vectors / np.sqrt(values))
            return (basis, values / (values + self._options.reg)), basis.nbytes

        made: tuple[np.ndarray, np.ndarray] = self._cache.get(("regression", given), make)
        return made

    def _features(
        self, members: tuple[int, ...], width: float, scale: dict[int, float]
    ) -> np.ndarray:
        """Return centred features of a kernel, rotated to few directions."""
        matrix = self._matrix(members)
        landmarks = self._landmarks(matrix)
        kernel = self._kernel(members, width, scale)
        values, vectors = np.linalg.eigh(kernel(landmarks))
        kept = values > 1e-9 * values[-1]
        factor = LandmarkFactor(kernel, landmarks, vectors[:, kept] / np.sqrt(values[kept]))
        features: np.ndarray = factor.transform(matrix)
        features = features - features.mean(axis=0)
        values, vectors = np.linalg.eigh(features.T @ features)
        rotated: np.ndarray = features @ vectors[:, values > 1e-7 * values[-1]]
        return rotated

    def _landmarks(self, matrix: np.ndarray) -> np.ndarray:
        if matrix.shape[1] == 1:
            values = np.sort(matrix[:, 0])
            steps = np.linspace(0, self._n - 1, LANDMARKS).round().astype(int)
            return np.unique(values[steps])[:, None]
        if self._n <= JOINT_LANDMARKS:
            return np.unique(matrix, axis=0)
        rng = np.random.default_rng(self._options.random_state)
        rows = rng.choice(self._n, JOINT_LANDMARKS, replace=False)
        return np.unique(matrix[rows], axis=0)


def _centre(gram: np.ndarray) -> np.ndarray:
    means = gram.mean(axis=0)
    gram -= means[None, :]
    gram -= means[:, None]
    gram += means.mean()
    return gram


def _symmetric_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``left @ right``, known to be symmetric: blocks above the diagonal are mirrored."""
    n = len(left)
    edges = np.linspace(0, n, 1 + max(1, min(6, n // 100))).astype(int)
    result = np.empty_like(left)
    for start, stop in pairwise(edges):
        result[start:stop, :stop] = left[start:stop] @ right[:, :stop]
        result[:start, start:stop] = result[start:stop, :start].T
    return result
