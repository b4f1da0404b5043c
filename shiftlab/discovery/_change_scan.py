"""The scan behind change points: cumulated features of residuals, permutations, resampling."""

from dataclasses import dataclass

import numpy as np

from shiftlab._core.frames import Table
from shiftlab.exceptions import InputError
from shiftlab.independence import regression_residuals

__all__ = ["Scan", "scan_features"]

#: Residuals are clipped to so many standard deviations before they are squared.
CLIP = 4.0


def scan_features(part: Table, variable: str, parents: tuple[str, ...]) -> np.ndarray:
    """Return standardised functions of residuals and parents whose means a change moves."""
    column = part[variable]
    if column.missing.any():
        raise InputError(f"Missing cells in {variable!r}. Fill them or remove these rows.")
    if column.is_number:
        values = column.values[:, None]
    else:
        values = np.eye(len(column.categories))[column.values]
    values = values[:, values.std(axis=0) > 0]
    if not values.shape[1]:
        return np.empty((part.n_rows, 0))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    given = part.select(list(parents)) if parents else None
    residuals = regression_residuals(values, given)
    spread = residuals.std(axis=0)
    residuals = residuals[:, spread > 1e-6] / spread[spread > 1e-6]
    found = [residuals]
    if column.is_number:
        found.append(np.clip(residuals, -CLIP, CLIP) ** 2)
    found += [residuals * weight[:, None] for weight in _weights(part, parents)]
    features = np.hstack(found)
    features = features - features.mean(axis=0)
    scale = features.std(axis=0)
    standardised: np.ndarray = features[:, scale > 0] / scale[scale > 0]
    return standardised


def _weights(part: Table, parents: tuple[str, ...]) -> list[np.ndarray]:
    """Functions of the parents whose products with residuals show a change of the relation."""
    found = []
    for name in parents:
        column = part[name]
        columns = column.values[:, None]
        if not column.is_number:
            columns = np.eye(len(column.categories))[column.values][:, 1:]
        for values in columns.T:
            if values.std() > 0:
                standard = (values - values.mean()) / values.std()
                found.append(np.clip(standard, -CLIP, CLIP))
    return found


@dataclass
class Scan:
    """A search for one change in a stretch of time.

    Attributes
    ----------
    min_rows : int
        Rows on each side, at least.
    n_resamples : int
    rng : Generator
    """

    min_rows: int
    n_resamples: int
    rng: np.random.Generator

    def test(self, features: np.ndarray) -> tuple[int, float]:
        """Return the rows before the best split, and the p-value of no change."""
        if not features.shape[1]:
            return self.min_rows, 1.0
        place, largest = self._best(features)
        exceeding = sum(
            self._best(features[self.rng.permutation(len(features))])[1] >= largest
            for _ in range(self.n_resamples)
        )
        return place, (1 + exceeding) / (1 + self.n_resamples)

    def interval(self, features: np.ndarray, place: int) -> tuple[int, int]:
        """Resample rows on both sides of a split, and return where 95 % of the splits fall."""
        before, after = features[:place], features[place:]
        found = np.empty(self.n_resamples, dtype=int)
        for k in range(self.n_resamples):
            left = before[self.rng.integers(0, len(before), len(before))]
            right = after[self.rng.integers(0, len(after), len(after))]
            found[k] = self._best(np.vstack([left, right]))[0]
        low, high = np.quantile(found, [0.025, 0.975], method="inverted_cdf")
        return min(int(low), place), max(int(high), place)

    def _best(self, features: np.ndarray) -> tuple[int, float]:
        """Largest standardised distance between the means on both sides, over all splits."""
        n = len(features)
        before = np.arange(self.min_rows, n - self.min_rows + 1)
        sums = np.cumsum(features, axis=0)[before - 1]
        total = features.sum(axis=0)
        gaps = sums - before[:, None] / n * total
        values = (gaps**2).sum(axis=1) * n / (before * (n - before))
        best = int(np.argmax(values))
        return int(before[best]), float(values[best])
