"""The low-rank form of `KCI`: Nystroem features instead of matrices of n x n."""

import numpy as np

from shiftlab.independence._kci_engine import KciEngine
from shiftlab.independence._protocol import Outcome
from shiftlab.kernels import LandmarkFactor

__all__ = ["LowRankEngine"]

#: Landmarks of one column (quantiles) and of several (random rows).
LANDMARKS, JOINT_LANDMARKS = 60, 200
#: Rows that estimate the variance under independence.
SAMPLED_ROWS = 400


class LowRankEngine(KciEngine):
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
            features = self._features(members, self._widths(k, given, joint=joint))
            if given:
                basis, values = self._regression(given)
                along = basis.T @ features
                energies = (along**2).sum(axis=1)
                ridge = self._ridge(values, energies, float((features**2).sum()))
                features = features - basis @ ((values / (values + ridge))[:, None] * along)
            return features, features.nbytes

        made: np.ndarray = self._cache.get(("features", k, given, joint), make)
        return made

    def _regression(self, given: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return orthonormal directions of K_z and its eigenvalues."""

        def make() -> tuple[tuple[np.ndarray, np.ndarray], int]:
            width = self._width(given, conditional=True)
            features = self._features(given, dict.fromkeys(given, width))
            values, vectors = np.linalg.eigh(features.T @ features)
            kept = values > 1e-10 * values[-1]
            values, vectors = values[kept], vectors[:, kept]
            basis = features @ (vectors / np.sqrt(values))
            return (basis, values), basis.nbytes

        made: tuple[np.ndarray, np.ndarray] = self._cache.get(("regression", given), make)
        return made

    def _features(self, members: tuple[int, ...], widths: dict[int, float]) -> np.ndarray:
        """Return centred features of a kernel, rotated to few directions."""
        matrix = self._matrix(members)
        landmarks = self._landmarks(matrix)
        kernel = self._kernel(widths)
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
