"""Regressions on conditioning sets, made once for each set and shared by the tests."""

from typing import NamedTuple

import numpy as np

from shiftlab.backends import Array, to_device
from shiftlab.independence._cache import ByteCache
from shiftlab.independence._categories import Categories
from shiftlab.independence._directions import Directions
from shiftlab.independence._expansion import degrees_up_to, rank_for
from shiftlab.independence._features import column_scores, product_features
from shiftlab.independence._smoother import Smoother
from shiftlab.independence._variables import Variable, joint_codes, spread_rows

__all__ = ["Given", "RegressionOptions", "Regressions"]

#: Width of the kernel whose eigenfunctions regress on z: wide, so that low degrees are nearly
#: polynomials; how fast their prior variances fall is chosen from the data.
Z_WIDTH = 3.0
#: Rows that stand for all where gradients and leverages are averaged.
PROBED_ROWS = 200


class RegressionOptions(NamedTuple):
    """How to regress: see `KernelTest`."""

    n_features: int = 170
    selection: str = "gcv"
    reg: float | None = None
    device: str | None = None


class Given(NamedTuple):
    """A conditioning set: normal scores of the numbers, rows of each category, codes."""

    scores: Array
    groups: list[np.ndarray]
    codes: np.ndarray | None


class Regressions:
    """Scores by variable, conditioning sets and regressions by set; all in one cache."""

    def __init__(
        self, variables: tuple[Variable, ...], options: RegressionOptions, cache: ByteCache
    ) -> None:
        self.variables = variables
        self.n_rows = variables[0].n_rows
        self.options = options
        self._cache = cache

    def smoother(self, given: tuple[int, ...]) -> Smoother:
        """Return the regression on a set."""

        def make() -> tuple[Smoother, int]:
            categories = Categories(self._codes(given), self.n_rows)
            scores = categories.sorted(self._joined_scores(given))
            features, degrees, directions, probe = None, np.empty(0, dtype=int), None, None
            if scores.shape[1]:
                table, degrees = degrees_up_to(scores.shape[1], self._most(scores.shape[1]))
                features = to_device(product_features(scores, table, Z_WIDTH), self.options.device)
                order = np.argsort(scores.sum(axis=1), kind="stable")
                probe = spread_rows(order, PROBED_ROWS)
                directions = Directions(scores, table, Z_WIDTH, probe)
            found = Smoother(
                features,
                degrees,
                categories,
                criterion=self.options.selection,
                ridge=self.options.reg,
                directions=directions,
                probe=probe,
            )
            return found, found.nbytes

        made: Smoother = self._cache.get(("smoother", given), make)
        return made

    def given(self, given: tuple[int, ...]) -> Given:
        """Return a conditioning set."""

        def make() -> tuple[Given, int]:
            scores, codes = self._joined_scores(given), self._codes(given)
            groups: list[np.ndarray] = []
            if codes is not None:
                order = np.argsort(codes, kind="stable")
                groups = np.split(order, np.cumsum(np.bincount(codes))[:-1])
            found = Given(to_device(scores, self.options.device), groups, codes)
            return found, scores.nbytes + 16 * self.n_rows

        made: Given = self._cache.get(("given", given), make)
        return made

    def scores(self, k: int) -> np.ndarray:
        """Return the normal scores of one variable."""

        def make() -> tuple[np.ndarray, int]:
            found = column_scores(self.variables[k])
            return found, found.nbytes

        made: np.ndarray = self._cache.get(("scores", k), make)
        return made

    def _most(self, d: int) -> int:
        """How many functions of d numbers so many rows can bear: fast at first, then slower."""
        n = self.n_rows
        wanted = rank_for(n) if d == 1 else min(self.options.n_features, 100 + n // 40)
        return min(wanted, max(n // 4, 2))

    def _joined_scores(self, given: tuple[int, ...]) -> np.ndarray:
        parts = [self.scores(k) for k in given]
        return np.hstack(parts) if parts else np.empty((self.n_rows, 0))

    def _codes(self, given: tuple[int, ...]) -> np.ndarray | None:
        labels = [c for k in given if (c := self.variables[k].codes) is not None and c.max() > 0]
        return joint_codes(labels) if labels else None
