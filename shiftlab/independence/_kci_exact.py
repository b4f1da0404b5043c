"""The exact form of `KCI`: matrices of n x n."""

from itertools import pairwise

import numpy as np
from scipy import linalg

from shiftlab.independence._kci_engine import KciEngine
from shiftlab.independence._nulls import weighted_chi_square_pvalue
from shiftlab.independence._protocol import Outcome

__all__ = ["ExactEngine"]


class ExactEngine(KciEngine):
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
        statistic = float(product.sum())
        if self._options.drop:
            product = _leading(left, self._options.drop) * _leading(right, self._options.drop)
        mean = float(np.trace(product))
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
            kernel = self._kernel(self._widths(k, given, joint=joint))
            gram = _centre(kernel(self._matrix(members)))
            if given:
                residual = self._residual_maker(given, gram)
                gram = _symmetric_product(residual @ gram, residual)
            return gram, gram.nbytes

        made: np.ndarray = self._cache.get(("gram", k, given, joint), make)
        return made

    def _given_gram(self, given: tuple[int, ...]) -> np.ndarray:
        width = self._width(given, conditional=True)
        return _centre(self._kernel(dict.fromkeys(given, width))(self._matrix(given)))

    def _residual_maker(self, given: tuple[int, ...], gram: np.ndarray) -> np.ndarray:
        if not isinstance(self._options.reg, str):
            return self._fixed_maker(given, float(self._options.reg))
        values, vectors = self._spectrum(given)
        energies = np.einsum("ij,ij->j", vectors, gram @ vectors)
        ridge = self._ridge(values, energies, float(energies.sum()))
        return np.asarray((vectors * (ridge / (np.maximum(values, 0.0) + ridge))) @ vectors.T)

    def _spectrum(self, given: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        def make() -> tuple[tuple[np.ndarray, np.ndarray], int]:
            values, vectors = np.linalg.eigh(self._given_gram(given))
            return (values, vectors), vectors.nbytes

        made: tuple[np.ndarray, np.ndarray] = self._cache.get(("spectrum", given), make)
        return made

    def _fixed_maker(self, given: tuple[int, ...], reg: float) -> np.ndarray:
        def make() -> tuple[np.ndarray, int]:
            gram = self._given_gram(given)
            gram.flat[:: self._n + 1] += reg
            factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
            inverse, _ = linalg.lapack.dpotri(factor, lower=1)
            inverse = np.tril(inverse) + np.tril(inverse, -1).T
            inverse *= reg
            return inverse, inverse.nbytes

        made: np.ndarray = self._cache.get(("residual", given), make)
        return made


def _leading(gram: np.ndarray, drop: float) -> np.ndarray:
    """Return a kernel without its smallest eigenvalues."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > drop * values[-1]
    return np.asarray((vectors[:, kept] * values[kept]) @ vectors[:, kept].T)


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
