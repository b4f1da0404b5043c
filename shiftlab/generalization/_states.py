"""Paths of domain parameters as linear-Gaussian state spaces, many at once, rolled forward in time.

Each path is a level with a slope, ``level' = level + slope dt`` and ``slope' = d slope``, both with
random steps, seen with known sampling error. Variances of steps and of starting values are first
chosen on a grid that holds zero (so that what does not drift is taken as constant, and an effect
that is none as zero), then improved by EM. All eigenvalues of the transition are at most 1.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

__all__ = ["StatePaths", "fit_paths"]

#: What is left of a slope after the time between the first and the last domain.
DAMPING = 0.85
#: Twice the log-likelihood that one more free variance must gain.
PENALTY = 2.0
STEP_GRID = (0.0, 0.3, 3.0, 30.0)
SLOPE_GRID = (0.0, 1.0, 30.0)
#: Prior variance that leaves a level to the data, in units of the largest square.
DIFFUSE = 1e4


@dataclass(frozen=True, eq=False)
class StatePaths:
    """Fitted paths.

    Attributes
    ----------
    times : ndarray of shape (n_times,)
        Times of the observations, increasing.
    values, noise : ndarray of shape (n_times, n_paths)
        Observations and their sampling variances (infinite where nothing was seen).
    level, slope, step : ndarray of shape (n_paths,)
        Prior variances of the starting level and slope, variance of the steps per unit of time.
    log_likelihood : ndarray of shape (n_paths,)
        Of the observations.
    """

    times: np.ndarray
    values: np.ndarray
    noise: np.ndarray
    level: np.ndarray
    slope: np.ndarray
    step: np.ndarray
    log_likelihood: np.ndarray

    @property
    def drifts(self) -> np.ndarray:
        """Whether a path is more than a constant."""
        return (self.slope > 0) | (self.step > 0)

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and variances of the paths at any times, each (n_times, n_paths)."""
        wanted, where = np.unique(times, return_inverse=True)
        union = np.union1d(self.times, wanted)
        values = np.zeros((len(union), self.values.shape[1]))
        noise = np.full_like(values, np.inf)
        seen = np.searchsorted(union, self.times)
        values[seen], noise[seen] = self.values, self.noise
        means, covariances, *_ = _smooth(union, values, noise, self.level, self.slope, self.step)
        rows = np.searchsorted(union, wanted)[where]
        return means[rows, :, 0], covariances[rows, :, 0, 0]


def fit_paths(
    times: np.ndarray,
    values: np.ndarray,
    noise: np.ndarray,
    *,
    centred: bool = False,
    constant: bool = False,
    n_iter: int = 10,
) -> StatePaths:
    """Fit one path to each column of values.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Increasing, of order 1 in total.
    values, noise : ndarray of shape (n_times, n_paths)
        Observations and sampling variances; infinite noise marks what was not seen.
    centred : bool, default False
        Whether a level of exactly zero is the natural state (effects) or no state is (means).
    constant : bool, default False
        Forbid drift.
    n_iter : int, default 10
        Steps of EM.

    Returns
    -------
    StatePaths
    """
    n_paths = values.shape[1]
    seen = np.isfinite(noise)
    values = np.where(seen, values, 0.0)
    scale = np.where(seen, noise, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1) + 1e-300
    largest = np.maximum((values**2).max(axis=0), scale)
    weight = np.where(seen, 1 / np.where(seen, np.maximum(noise, 1e-300), 1), 0)
    mean = (weight * values).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-300)
    levels = [DIFFUSE * largest]
    if centred:
        levels = [np.zeros(n_paths), np.maximum(mean**2, 1e-300)]
    steps = STEP_GRID[:1] if constant or len(times) < 3 else STEP_GRID
    slopes = SLOPE_GRID[:1] if constant or len(times) < 3 else SLOPE_GRID
    best = np.full(n_paths, -np.inf)
    chosen = [levels[0].copy(), np.zeros(n_paths), np.zeros(n_paths)]
    for level, slope, step in product(levels, slopes, steps):
        parameters = (level, slope * scale, step * scale)
        gained = _smooth(times, values, noise, *parameters, filter_only=True)[-1]
        free = (slope > 0) + (step > 0) + (centred and bool(level.any()))
        score = 2 * gained - PENALTY * free
        for kept, offered in zip(chosen, parameters, strict=True):
            kept[score > best] = offered[score > best]
        best = np.maximum(best, score)
    level, slope, step = chosen
    for _ in range(n_iter if (slope.any() or step.any() or centred) else 0):
        level, slope, step = _improve(times, values, noise, (level, slope, step), centred)
    likelihood = _smooth(times, values, noise, level, slope, step, filter_only=True)[-1]
    return StatePaths(times, values, noise, level, slope, step, likelihood)


def _improve(
    times: np.ndarray,
    values: np.ndarray,
    noise: np.ndarray,
    parameters: tuple[np.ndarray, np.ndarray, np.ndarray],
    centred: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take one step of EM; variances at zero stay there."""
    level, slope, step = parameters
    means, covariances, lagged, _ = _smooth(times, values, noise, level, slope, step)
    second = covariances + means[..., :, None] * means[..., None, :]
    new_level = second[0, :, 0, 0] if centred else level
    new_step = np.zeros_like(step)
    for t, dt in enumerate(np.diff(times)):
        cross = lagged[t] + means[t + 1][..., :, None] * means[t][..., None, :]
        row = np.array([1.0, dt])
        moved = second[t + 1, :, 0, 0] - 2 * cross[:, 0, :] @ row + (second[t] @ row) @ row
        new_step += np.maximum(moved, 0) / dt
    new_step /= max(len(times) - 1, 1)
    keep = np.where(level > 0, new_level, 0.0)
    return keep, np.where(slope > 0, second[0, :, 1, 1], 0.0), np.where(step > 0, new_step, 0.0)


def _smooth(
    times: np.ndarray,
    values: np.ndarray,
    noise: np.ndarray,
    level: np.ndarray,
    slope: np.ndarray,
    step: np.ndarray,
    *,
    filter_only: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Run the Kalman filter and the smoother over all paths at once.

    Returns smoothed means (n_times, n_paths, 2), covariances, covariances with the next time, and
    the log-likelihood of each path.
    """
    n_times, n_paths = values.shape
    span = max(times[-1] - times[0], 1e-12)
    mean, cov = np.zeros((n_paths, 2)), np.zeros((n_paths, 2, 2))
    cov[:, 0, 0], cov[:, 1, 1] = level, slope
    likelihood = np.zeros(n_paths)
    filtered, predicted, moves = [], [(mean, cov)], []
    for t in range(n_times):
        if t:
            dt = times[t] - times[t - 1]
            move = np.array([[1.0, dt], [0.0, DAMPING ** (dt / span)]])
            mean, cov = mean @ move.T, move @ cov @ move.T
            cov[:, 0, 0] += step * dt
            moves.append(move)
            predicted.append((mean, cov))
        total = cov[:, 0, 0] + noise[t]
        seen = np.isfinite(total) & (total > 0)
        total = np.where(seen, total, 1.0)
        error = np.where(seen, values[t] - mean[:, 0], 0.0)
        gain = np.where(seen[:, None], cov[:, :, 0] / total[:, None], 0.0)
        likelihood -= np.where(seen, 0.5 * (np.log(2 * np.pi * total) + error**2 / total), 0.0)
        mean = mean + gain * error[:, None]
        cov = cov - gain[:, :, None] * cov[:, None, 0, :]
        filtered.append((mean, cov))
    if filter_only:
        nothing = np.empty(0)
        return nothing, nothing, nothing, likelihood
    means, covariances, lagged = [mean], [cov], []
    for t in range(n_times - 2, -1, -1):
        m, c = filtered[t]
        ahead_mean, ahead_cov = predicted[t + 1]
        back = c @ moves[t].T @ _inverse(ahead_cov)
        mean = m + (back @ (mean - ahead_mean)[..., None])[..., 0]
        lagged.append(cov @ back.transpose(0, 2, 1))
        cov = c + back @ (cov - ahead_cov) @ back.transpose(0, 2, 1)
        means.append(mean)
        covariances.append(cov)
    joined = np.stack(lagged[::-1]) if lagged else np.empty((0, n_paths, 2, 2))
    return np.stack(means[::-1]), np.stack(covariances[::-1]), joined, likelihood


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Invert covariances of level and slope; a part without variance gets no weight."""
    a, b, c = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1]
    determinant = a * c - b * b
    full = determinant > 1e-12 * a * c
    found = np.zeros_like(matrices)
    safe = np.where(full, determinant, 1.0)
    found[:, 0, 0] = np.where(full, c / safe, np.where(a > 0, 1 / np.where(a > 0, a, 1), 0))
    found[:, 1, 1] = np.where(full, a / safe, 0)
    found[:, 0, 1] = found[:, 1, 0] = np.where(full, -b / safe, 0)
    return found
