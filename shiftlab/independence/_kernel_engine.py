"""The engine of `KernelTest`: what each variable and each conditioning set needs, made once."""

from typing import TYPE_CHECKING

import numpy as np

from shiftlab.backends import array_namespace, to_device
from shiftlab.independence._cache import ByteCache
from shiftlab.independence._features import (
    KernelFeatures,
    kernel_features,
)
from shiftlab.independence._kernel_pair import Pair
from shiftlab.independence._protocol import Outcome
from shiftlab.independence._regressions import RegressionOptions, Regressions
from shiftlab.independence._sampled_pairs import SampledPairs, SampledSquares
from shiftlab.independence._smoother import Residuals
from shiftlab.independence._variables import Variable

if TYPE_CHECKING:
    from shiftlab.independence._kernel import KernelTest

__all__ = ["KernelEngine"]

#: A variable with less than this share of its features' variance left is determined by z.
DETERMINED = 1e-6


class KernelEngine:
    """Features by variable, regressions by conditioning set, residuals by both."""

    effect_name = "kernel correlation of the residuals, bias-corrected, 0 to 1"

    def __init__(self, options: "KernelTest", variables: tuple[Variable, ...]) -> None:
        self._options = options
        self._variables = variables
        self._n = variables[0].n_rows
        self._cache = ByteCache(options.cache_bytes)
        self._pairs: SampledPairs | None = None
        regression = RegressionOptions(
            options.n_features, options.selection, options.reg, options.device
        )
        self._regressions = Regressions(variables, regression, self._cache)
        self.pvalue_method = {
            "gamma": "gamma approximation",
            "weighted": "weighted chi-square, saddlepoint",
            "permutation": f"{options.n_resamples} resamples",
        }[options.null]

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        if self._n < 6:
            return Outcome(0.0, 1.0, 0.0, (f"too few rows ({self._n})",))
        left, right = self._features(i), self._features(j)
        notes = tuple(dict.fromkeys(left.notes + right.notes))
        if not (left.degrees.size and right.degrees.size):
            return Outcome(0.0, 1.0, 0.0, ("a variable is constant",))
        x, y = self._residuals(i, given), self._residuals(j, given)
        if x is None or y is None:
            return Outcome(0.0, 1.0, 0.0, ("the conditioning variables determine a variable",))
        sampled = [self._squares(i, given, x), self._squares(j, given, y)]
        pair = Pair(
            x,
            y,
            (left.degrees, right.degrees),
            self._regressions.given(given),
            SampledSquares(self._sampled(), sampled[0], sampled[1], self._given_squares(given)),
        )
        return pair.outcome(self._options, notes, (i, j, given))

    def _features(self, k: int) -> KernelFeatures:
        def make() -> tuple[KernelFeatures, int]:
            found = kernel_features(
                self._variables[k], self._regressions.scores(k), self._options.width
            )
            return found, found.values.nbytes

        made: KernelFeatures = self._cache.get(("features", k), make)
        return made

    def _residuals(self, k: int, given: tuple[int, ...]) -> Residuals | None:
        def make() -> tuple[Residuals | None, int]:
            features = to_device(self._features(k).values, self._options.device)
            xp = array_namespace(features)
            if given:
                found = self._regressions.smoother(given).residuals(
                    features, self._variables[k].codes
                )
            else:
                found = Residuals.of_nothing(features)
            left = float(xp.sum(found.values**2))
            if left <= DETERMINED * float(xp.sum(features**2)):
                return None, 0
            return found, 8 * found.values.shape[0] * found.values.shape[1]

        made: Residuals | None = self._cache.get(("residuals", k, given), make)
        return made

    def _sampled(self) -> SampledPairs:
        """Pairs of rows that stand for all, chosen by what rows hold: order does not matter."""
        if self._pairs is None:
            place = np.zeros(self._n)
            for k, variable in enumerate(self._variables):
                if variable.missing.any():
                    continue
                place += self._regressions.scores(k).sum(axis=1)
                if variable.codes is not None:
                    place += np.bincount(variable.codes)[variable.codes] / self._n
            self._pairs = SampledPairs(place)
        return self._pairs

    def _squares(self, k: int, given: tuple[int, ...], x: Residuals) -> list[np.ndarray]:
        def make() -> tuple[list[np.ndarray], int]:
            found = self._sampled().squares(x.values, self._features(k).degrees)
            return found, sum(f.nbytes for f in found)

        made: list[np.ndarray] = self._cache.get(("squares", k, given), make)
        return made

    def _given_squares(self, given: tuple[int, ...]) -> list[np.ndarray] | None:
        def make() -> tuple[list[np.ndarray] | None, int]:
            found = self._sampled().given_squares(self._regressions.given(given))
            return found, 0 if found is None else sum(f.nbytes for f in found)

        made: list[np.ndarray] | None = self._cache.get(("given squares", given), make)
        return made
