"""Two variables' residuals on one conditioning set: statistic, null moments, p-values."""

from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.random import as_seed_sequence
from shiftlab.backends import Array, array_namespace, to_numpy
from shiftlab.independence._deflation import deflation
from shiftlab.independence._nulls import (
    cauchy_combination,
    gamma_pvalue,
    leading_weights,
    weighted_chi_square_pvalue,
)
from shiftlab.independence._protocol import Outcome
from shiftlab.independence._regressions import Given
from shiftlab.independence._sampled_pairs import SCALES, SampledSquares, Scale
from shiftlab.independence._smoother import Residuals

if TYPE_CHECKING:
    from shiftlab.independence._kernel import KernelTest

__all__ = ["Pair"]

#: Without k_z the variance is computed from all rows, from functions up to this degree, if that
#: makes no more than so many products.
LEADING_DEGREE, MOST_PRODUCTS = 6, 100


class Pair:
    """Residuals of two variables: statistic, moments under independence, p-values."""

    def __init__(
        self,
        x: Residuals,
        y: Residuals,
        degrees: tuple[np.ndarray, np.ndarray],
        given: Given,
        sampled: SampledSquares,
    ) -> None:
        self.x, self.y = x.values, y.values
        self.n = int(self.x.shape[0])
        self.given, self.sampled, self.degrees = given, sampled, degrees
        self.spent = deflation(x, y)
        self.squares = to_numpy(array_namespace(self.x).matrix_transpose(self.x**2) @ self.y**2)

    def outcome(self, options: "KernelTest", notes: tuple[str, ...], key: Any) -> Outcome:
        parts = self.products(self.x, self.y)
        found = [self.scale(parts, scale, options.null) for scale in SCALES]
        statistic = found[0][0]
        if options.null == "permutation":
            pvalue = self.resampled(options, [f[0] / f[1] for f in found], key)
        else:
            pvalue = cauchy_combination(np.array([f[2] for f in found]))
        return Outcome(statistic, pvalue, self.effect(parts[0]), notes)

    def products(self, x: Array, y: Array) -> list[np.ndarray]:
        """Squared sums over rows of products of residuals: plain, along scores, by category."""
        xp = array_namespace(x)
        turned = xp.matrix_transpose(x)
        plain = (turned @ y) ** 2
        along, inside = xp.zeros_like(plain), xp.zeros_like(plain)
        for k in range(self.given.scores.shape[1]):
            along += (turned @ (y * self.given.scores[:, k : k + 1])) ** 2
        for rows in self.given.groups:
            inside += (xp.matrix_transpose(x[rows, :]) @ y[rows, :]) ** 2
        return [to_numpy(part) for part in (plain, along, inside)]

    def scale(self, parts: list[np.ndarray], scale: Scale, null: str) -> tuple[float, float, float]:
        """Return T, its mean under independence and the p-value for one choice of kernels."""
        first, second = (scale.decay**d for d in self.degrees)
        weights = first[:, None] * second[None, :]
        total = sum(w * p for w, p in zip((1.0, scale.along**2, scale.inside), parts, strict=True))
        statistic = float((weights * total).sum())
        factor = 1.0 + (scale.inside if self.given.groups else 0.0)
        plain = weights * (factor * self.squares + scale.along**2 * self._along_squares())
        corrected = float((plain * self.spent).sum())
        inflation = corrected / max(float(plain.sum()), 1e-300)
        if null == "permutation":
            return statistic, max(corrected, 1e-300), 1.0
        off = self._off_diagonal(SCALES.index(scale), first, second) * inflation**2
        if null == "gamma":
            return statistic, corrected, gamma_pvalue(statistic, corrected, 2 * off)
        values = self.sampled.pairs.eigenvalues(self.x, self.y, (first, second), scale, self.given)
        values = values * inflation
        values = leading_weights(values, off)
        rest = max(corrected - float(values.sum()), 0.0)
        return statistic, corrected, weighted_chi_square_pvalue(statistic - rest, values)

    def _along_squares(self) -> np.ndarray:
        if self.given.scores.shape[1] == 0:
            return np.zeros_like(self.squares)
        if not hasattr(self, "_weighted"):
            xp = array_namespace(self.x)
            length = xp.sum(self.given.scores**2, axis=1)[:, None]
            self._weighted = to_numpy(xp.matrix_transpose(self.x**2) @ (self.y**2 * length))
        return self._weighted

    def _off_diagonal(self, scale: int, first: np.ndarray, second: np.ndarray) -> float:
        """Sum of the squares of k_z k_x k_y over all pairs of different rows.

        T minus its diagonal has mean 0 under independence, so only these add to its variance.
        """
        if not (self.sampled.pairs.is_sample and self._few_products()):
            return self.sampled.total(scale)
        # Without k_z the sum over all pairs is known: the sample only tells the ratio.
        return self._all_pairs(first, second) * self.sampled.ratio(scale)

    def _leading(self) -> list[np.ndarray]:
        """Positions of the features of x and of y that the variance needs."""
        return [np.flatnonzero(d <= LEADING_DEGREE) for d in self.degrees]

    def _few_products(self) -> bool:
        first, second = self._leading()
        return len(first) * len(second) <= MOST_PRODUCTS

    def _all_pairs(self, first: np.ndarray, second: np.ndarray) -> float:
        """Sum of the squares of k_x k_y over all pairs of different rows."""
        left, right = self._leading()
        if not hasattr(self, "_gram"):
            many = self.sampled.pairs.many
            u, v = to_numpy(self.x[many, :])[:, left], to_numpy(self.y[many, :])[:, right]
            products = (u[:, :, None] * v[:, None, :]).reshape(len(many), -1)
            self._gram, self._rows_squared = products.T @ products, (u**2, v**2)
        weights = np.outer(first[left], second[right]).ravel()
        lengths = (self._rows_squared[0] @ first[left]) * (self._rows_squared[1] @ second[right])
        total = float((weights[:, None] * weights * self._gram**2).sum() - (lengths**2).sum())
        m = len(lengths)
        return total * self.n * (self.n - 1) / (m * (m - 1))

    def effect(self, plain: np.ndarray) -> float:
        """Return the square root of the bias-corrected, normalised squared cross-covariance."""
        xp = array_namespace(self.x)
        sizes = [float(xp.sum((xp.matrix_transpose(a) @ a) ** 2)) ** 0.5 for a in (self.x, self.y)]
        excess = float(plain.sum() - (self.squares * self.spent).sum())
        return float(np.sqrt(np.clip(excess / max(sizes[0] * sizes[1], 1e-300), 0.0, 1.0)))

    def resampled(self, options: "KernelTest", observed: list[float], key: Any) -> float:
        """Permute (within categories), or flip signs where z holds numbers."""
        i, j, given = key
        seed = as_seed_sequence(options.random_state).generate_state(4).tolist()
        rng = np.random.default_rng([*seed, i, j, *given])
        xp = array_namespace(self.x)
        flips = self.given.scores.shape[1] > 0
        groups = self.given.groups or [np.arange(self.n)]
        larger = 0
        for _ in range(options.n_resamples):
            if flips:
                signs = 2.0 * rng.integers(0, 2, self.n) - 1.0
                y = self.y * xp.asarray(signs, dtype=self.y.dtype, device=self.y.device)[:, None]
            else:
                order = np.empty(self.n, dtype=int)
                for rows in groups:
                    order[rows] = rng.permutation(rows)
                y = self.y[order, :]
            parts = self.products(self.x, y)
            drawn = [self.scale(parts, s, "permutation") for s in SCALES]
            larger += sum(d[0] / d[1] for d in drawn) >= sum(observed) * (1 - 1e-12)
        return (1 + larger) / (1 + options.n_resamples)
