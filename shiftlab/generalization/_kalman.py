"""Kalman filter and smoother for many scalar paths at once, with a transition for each form.

A path is the first of three states; what the other two are depends on its form:

- ``damped``: a slope that fades at a rate (a rate of zero keeps it, a high one ends in a level),
- ``accelerating``: slope and curvature,
- ``harmonic``: the two phases of a swing around a level, at an angular frequency.

Level and slope may take random steps. All transitions are exact in continuous time, so that times
may lie at any distance, and no eigenvalue of a transition is above 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = [
    "ACCELERATING",
    "DAMPED",
    "HARMONIC",
    "Filtered",
    "PathModel",
    "filter_paths",
    "slope_steps",
    "smooth",
]

DAMPED, ACCELERATING, HARMONIC = 0, 1, 2


@dataclass(frozen=True, eq=False)
class PathModel:
    """Parameters of paths.

    Attributes
    ----------
    form : ndarray of int, shape (n_paths,)
        Which transition.
    rate : ndarray of shape (n_paths,)
        Rate of damping or angular frequency, per unit of time.
    start : ndarray of shape (n_paths, 3)
        Prior variances at the first time: level, and the two other states.
    step : ndarray of shape (n_paths, 2)
        Variances of random steps of level and slope, per unit of time.
    """

    form: np.ndarray
    rate: np.ndarray
    start: np.ndarray
    step: np.ndarray

    def take(self, paths: np.ndarray) -> "PathModel":
        """Keep paths, given as indices or as a mask."""
        return PathModel(self.form[paths], self.rate[paths], self.start[paths], self.step[paths])

    def with_rate(self, rate: np.ndarray) -> "PathModel":
        """Return the same with other rates."""
        return PathModel(self.form, rate, self.start, self.step)

    def transition(self, dt: float) -> np.ndarray:
        """Return the transition over a stretch of time, one matrix for each path."""
        move = np.tile(np.eye(3), (len(self.form), 1, 1))
        damped, harmonic = self.form == DAMPED, self.form == HARMONIC
        rate = self.rate[damped]
        move[damped, 0, 1] = -np.expm1(-rate * dt) / np.where(rate > 0, rate, 1.0)
        move[damped, 0, 1] += np.where(rate > 0, 0.0, dt)
        move[damped, 1, 1] = np.exp(-rate * dt)
        move[self.form == ACCELERATING] = np.array([[1, dt, 0.5 * dt**2], [0, 1, dt], [0, 0, 1]])
        cos, sin = np.cos(self.rate[harmonic] * dt), np.sin(self.rate[harmonic] * dt)
        move[harmonic, 0, 1], move[harmonic, 0, 2] = cos - 1, sin
        move[harmonic, 1, 1], move[harmonic, 1, 2] = cos, sin
        move[harmonic, 2, 1], move[harmonic, 2, 2] = -sin, cos
        return move

    def first(self) -> np.ndarray:
        """Return the covariances at the first time; a swing is part of the value of its path."""
        cov = np.zeros((len(self.form), 3, 3))
        for i in range(3):
            cov[:, i, i] = self.start[:, i]
        swing = np.where(self.form == HARMONIC, self.start[:, 1], 0.0)
        cov[:, 0, 0] += swing
        cov[:, 0, 1] += swing
        cov[:, 1, 0] += swing
        return cov

    def noise(self, dt: float) -> np.ndarray:
        """Return the covariances of the random steps over a stretch of time."""
        cov = np.zeros((len(self.form), 3, 3))
        cov[:, :2, :2] = self.step[:, 1, None, None] * slope_steps(dt)
        cov[:, 0, 0] += self.step[:, 0] * dt
        return cov


def slope_steps(dt: float) -> np.ndarray:
    """Return the covariance of level and slope after random steps of the slope."""
    return np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])


class Filtered(NamedTuple):
    """What the filter leaves for the smoother, for each time, and the log-likelihoods."""

    predicted: list[tuple[np.ndarray, np.ndarray]]
    errors: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    moves: list[np.ndarray]
    log_likelihood: np.ndarray


def filter_paths(
    times: np.ndarray, values: np.ndarray, noise: np.ndarray, model: PathModel
) -> Filtered:
    """Run the filter; infinite noise marks what was not seen.

    The log-likelihood is the sum of the log-densities of all one-step-ahead predictions.
    """
    mean, cov = np.zeros((values.shape[1], 3)), model.first()
    likelihood = np.zeros(values.shape[1])
    predicted, errors, moves = [], [], []
    known: dict[float, tuple[np.ndarray, np.ndarray]] = {}  # domains mostly lie at equal distances
    for t in range(len(times)):
        if t:
            dt = round(float(times[t] - times[t - 1]), 12)
            if dt not in known:
                known[dt] = model.transition(dt), model.noise(dt)
            move, noisy = known[dt]
            mean = (move @ mean[..., None])[..., 0]
            cov = move @ cov @ move.transpose(0, 2, 1) + noisy
            moves.append(move)
        predicted.append((mean, cov))
        total = cov[:, 0, 0] + noise[t]
        seen = np.isfinite(total) & (total > 0)
        precision = np.where(seen, 1 / np.where(seen, total, 1.0), 0.0)
        error = np.where(seen, values[t] - mean[:, 0], 0.0)
        likelihood += 0.5 * np.where(
            seen, np.log(np.where(seen, precision, 1.0) / (2 * np.pi)) - error**2 * precision, 0.0
        )
        gain = cov[:, :, 0] * precision[:, None]
        errors.append((error, precision, gain))
        mean = mean + gain * error[:, None]
        cov = cov - gain[:, :, None] * cov[:, None, 0, :]
    return Filtered(predicted, errors, moves, likelihood)


def smooth(found: Filtered) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Run the smoother, which inverts no covariance.

    Returns
    -------
    means : ndarray of shape (n_times, n_paths, 3)
    covariances : ndarray of shape (n_times, n_paths, 3, 3)
    scores, information : list of ndarray
        Derivatives of the log-likelihood by each predicted state, and their variances.
    """
    n_paths = len(found.log_likelihood)
    score, information = np.zeros((n_paths, 3)), np.zeros((n_paths, 3, 3))
    keep = np.tile(np.eye(3), (n_paths, 1, 1))
    means, covariances, scores, informations = [], [], [], []
    for t in range(len(found.predicted) - 1, -1, -1):
        mean, cov = found.predicted[t]
        error, precision, gain = found.errors[t]
        if t + 1 < len(found.predicted):
            back = found.moves[t].transpose(0, 2, 1)
            score = (back @ score[..., None])[..., 0]
            information = back @ information @ found.moves[t]
        keep[:, :, 0] = np.eye(3)[0] - gain
        score = (keep.transpose(0, 2, 1) @ score[..., None])[..., 0]
        information = keep.transpose(0, 2, 1) @ information @ keep
        score[:, 0] += error * precision
        information[:, 0, 0] += precision
        means.append(mean + (cov @ score[..., None])[..., 0])
        covariances.append(cov - cov @ information @ cov)
        scores.append(score)
        informations.append(information)
    return np.stack(means[::-1]), np.stack(covariances[::-1]), scores[::-1], informations[::-1]
