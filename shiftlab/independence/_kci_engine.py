"""What the exact and the low-rank form of `KCI` share: columns, kernels, widths, ridge."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from shiftlab.independence._cache import ByteCache
from shiftlab.independence._nulls import gamma_pvalue
from shiftlab.independence._protocol import Outcome
from shiftlab.independence._variables import Variable
from shiftlab.kernels import Delta, Gaussian, Kernel, ProductKernel, median_bandwidth

if TYPE_CHECKING:
    from shiftlab.independence._kci import KCI

__all__ = ["KciEngine"]

CACHE_BYTES = 2**30
#: Ridges among which generalised cross-validation chooses.
RIDGES = np.exp(np.linspace(np.log(1e-4), np.log(1e3), 40))


class KciEngine(ABC):
    """What both forms share: standardised columns, kernels, caches."""

    effect_name = "normalised kernel cross-covariance, bias-corrected, 0 to 1"

    def __init__(self, options: "KCI", variables: tuple[Variable, ...]) -> None:
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

    def _kernel(self, widths: dict[int, float]) -> Kernel:
        """Return a Gaussian of all numbers, with a width for each member, times all deltas."""
        lengths: list[float] = []
        numbers: list[int] = []
        labels: list[int] = []
        place = 0
        for k, width in widths.items():
            n_columns = self._standardised(k).shape[1]
            n_numbers = n_columns - self._n_labels(k)
            numbers += range(place, place + n_numbers)
            lengths += [width] * n_numbers
            labels += range(place + n_numbers, place + n_columns)
            place += n_columns
        parts: list[tuple[Kernel, list[int]]] = []
        if numbers:
            parts.append((Gaussian(tuple(lengths)), numbers))
        parts += [(Delta(), [c]) for c in labels]
        return ProductKernel(parts)

    def _widths(self, k: int, given: tuple[int, ...], *, joint: bool) -> dict[int, float]:
        """Widths of the kernel of x or y; a joint one has z at half its scale."""
        if not given:
            return {k: self._width((k,), conditional=False)}
        of_z = self._width(given, conditional=True)
        own = self._options.bandwidth == "own_median"
        widths = {k: self._width((k,), conditional=True) if own else of_z}
        return widths | (dict.fromkeys(given, of_z / 0.5) if joint else {})

    def _width(self, members: tuple[int, ...], *, conditional: bool) -> float:
        """Width for standardised columns."""
        bandwidth = self._options.bandwidth
        if not isinstance(bandwidth, str):
            return float(bandwidth)
        matrix = self._matrix(members)
        n_numbers = matrix.shape[1] - sum(self._n_labels(k) for k in members)
        if bandwidth != "rule":
            return median_bandwidth(matrix[:, :n_numbers]) if n_numbers else 1.0
        steps = ((200, 1.2), (1199, 0.7)) if conditional else ((199, 0.8), (1199, 0.5))
        last = 0.4 if conditional else 0.3
        base = next((w for most, w in steps if self._n <= most), last)
        return float(base * max(n_numbers, 1) ** (0.5 if conditional else -0.5))

    def _ridge(self, values: np.ndarray, energies: np.ndarray, total: float) -> float:
        """Return the ridge: the option, or what minimises generalised cross-validation.

        `values` are eigenvalues of the kernel of z, `energies` the squared lengths of the features
        along its eigenvectors, `total` their squared length along all.
        """
        reg = self._options.reg
        if not isinstance(reg, str):
            return float(reg)
        left = RIDGES[:, None] / (np.maximum(values, 0.0) + RIDGES[:, None])
        squares = (total - energies.sum()) + left**2 @ energies
        degrees = (1 - left).sum(axis=1)
        loss = squares / np.maximum(1 - degrees / self._n, 1e-3) ** 2
        return float(RIDGES[np.argmin(loss)])

    def _outcome(self, statistic: float, mean: float, variance: float, sizes: float) -> Outcome:
        effect = float(np.sqrt(np.clip((statistic - mean) / max(sizes, 1e-300), 0.0, 1.0)))
        return Outcome(statistic, gamma_pvalue(statistic, mean, variance), effect)
