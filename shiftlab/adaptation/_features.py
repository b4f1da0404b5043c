"""Summaries as regressors: standardised, clipped to the training range, shrunk if noisy."""

from dataclasses import dataclass

import numpy as np

__all__ = ["FeatureMap", "SummaryScale", "fit_map", "fit_scale"]

#: Landmarks of the smooth map, and its bandwidth in root mean squared distances of a coordinate.
N_LANDMARKS = 40
BANDWIDTH = 1.5
#: At least this share of the spread between environments is taken to be more than noise.
SMALLEST_RELIABILITY = 0.05


@dataclass(frozen=True)
class SummaryScale:
    """Centre, spread and range of the training summaries, and how noisy each coordinate is.

    Attributes
    ----------
    mean, spread, low, high : ndarray of shape (d,)
        Of the training environments; the range is that of standardised values.
    kappa : ndarray of shape (d,)
        Rows at which a coordinate is half noise, half difference between environments.
    lost : ndarray of shape (d,)
        Rows that a coordinate uses up before it says anything.
    typical : float
        Median number of rows of a training environment.
    """

    mean: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    kappa: np.ndarray
    lost: np.ndarray
    typical: float

    def standardise(self, U: np.ndarray, n: np.ndarray, *, clip: bool = True) -> np.ndarray:
        """Return standardised summaries of batches with n rows.

        A coordinate from fewer rows than training environments had is drawn to the training mean
        in proportion to its reliability, as regression on a noisier regressor asks for.
        """
        z = (U - self.mean) / self.spread
        z = z * np.minimum(self._reliability(n[:, None]) / self._reliability(self.typical), 1.0)
        return np.clip(z, self.low, self.high) if clip else z

    def _reliability(self, n: np.ndarray | float) -> np.ndarray:
        left = np.maximum(n - self.lost, 0.0)
        return np.asarray((left + 1e-12) / (left + self.kappa + 1e-12))


def fit_scale(U: np.ndarray, n: np.ndarray, noise: np.ndarray, lost: np.ndarray) -> SummaryScale:
    """Learn the scale from the summaries of training environments."""
    mean, variance = U.mean(axis=0), U.var(axis=0)
    constant = variance <= 1e-18 * np.maximum(mean**2, 1.0)
    spread = np.sqrt(np.where(constant, 1.0, variance))
    z = (U - mean) / spread
    z[:, constant] = 0.0
    rows = np.maximum(n[:, None] - lost, 1.0)
    sampling = noise * (1 / rows).mean(axis=0)
    between = np.maximum(variance - sampling, SMALLEST_RELIABILITY * np.maximum(variance, 1e-300))
    kappa = np.where(constant, 0.0, noise / between)
    typical = float(np.median(n)) if len(n) else 1.0
    return SummaryScale(mean, spread, z.min(axis=0), z.max(axis=0), kappa, lost, typical)


@dataclass(frozen=True)
class FeatureMap:
    """A map of standardised summaries to regressors of coefficients or risks.

    Attributes
    ----------
    kind : {"linear", "quadratic", "smooth"}
        The coordinates; with their products; with smooth functions around landmarks.
    chosen : ndarray of int
        Coordinates that are used.
    landmarks : ndarray
        Points of the smooth map.
    whiten : ndarray
        Turns kernel values at landmarks into orthogonal functions.
    """

    kind: str
    chosen: np.ndarray
    landmarks: np.ndarray
    whiten: np.ndarray

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return regressors, without a constant."""
        z = z[:, self.chosen]
        if self.kind == "quadratic":
            i, j = np.triu_indices(z.shape[1])
            return np.hstack([z, z[:, i] * z[:, j] / np.sqrt(2)])
        if self.kind == "smooth":
            return np.hstack([z, _kernel(z, self.landmarks) @ self.whiten])
        return z


def fit_map(kind: str, z: np.ndarray, chosen: np.ndarray) -> FeatureMap:
    """Make a map; landmarks are spread over the training summaries, whatever their order."""
    nothing = np.zeros((0, len(chosen)))
    if kind != "smooth":
        return FeatureMap(kind, chosen, nothing, np.zeros((0, 0)))
    points = z[:, chosen]
    landmarks = points[_spread_out(points, N_LANDMARKS)]
    values, vectors = np.linalg.eigh(_kernel(landmarks, landmarks))
    kept = values > 1e-8 * values[-1]
    # Unit variance of the functions would be sqrt(d) for the linear part: 3 balances the two.
    whiten = vectors[:, kept] / np.sqrt(values[kept]) * 3.0
    return FeatureMap(kind, chosen, landmarks, whiten)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-squared / (2 * BANDWIDTH**2 * max(a.shape[1], 1))))


def _spread_out(points: np.ndarray, size: int) -> np.ndarray:
    """Pick points far from each other (pivoted Cholesky), the most central one first."""
    first = int((points**2).sum(axis=1).argmin())
    chosen = [first]
    factors = np.zeros((len(points), min(size, len(points))))
    left = np.ones(len(points))
    for k in range(factors.shape[1]):
        pivot = first if k == 0 else int(left.argmax())
        if left[pivot] < 1e-10:
            break
        if k:
            chosen.append(pivot)
        column = _kernel(points, points[[pivot]])[:, 0] - factors[:, :k] @ factors[pivot, :k]
        factors[:, k] = column / np.sqrt(left[pivot])
        left = np.maximum(left - factors[:, k] ** 2, 0.0)
        left[chosen] = 0.0
    return np.array(chosen)
