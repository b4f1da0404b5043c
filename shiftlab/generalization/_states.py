"""Paths of domain parameters as linear-Gaussian state spaces, many at once, rolled forward in time.

Each path is seen with known sampling error. Its form (a level, a slope that fades sooner, later or
never, a slope that turns at random, a curvature, a swing), the rate of the form, and the variances
of steps and starting values are chosen by the likelihood of one-step-ahead predictions, at a price
for each free number; variances are then improved by EM. The grid of variances holds zero, so that
what does not drift is taken as constant, and an effect that is none as zero.
"""

from dataclasses import dataclass

import numpy as np

from shiftlab.generalization._kalman import (
    ACCELERATING,
    DAMPED,
    HARMONIC,
    PathModel,
    filter_paths,
    slope_steps,
    smooth,
)

__all__ = ["DAMPING", "StatePaths", "fit_paths"]

#: Rate at which a slope fades unless the data say otherwise: 15 % per length of the source period.
DAMPING = float(-np.log(0.85))
#: Rates that are tried otherwise: a slope for good, and slopes that end within the period.
RATES = (0.0, 1.0, 3.0, 9.0)
#: Periods of swings, in lengths of the source period.
LEAST_PERIOD, MOST_PERIOD, N_PERIODS = 0.2, 3.0, 30
#: Twice the log-likelihood that one more free variance must gain, and one more free form.
PENALTY, FORM_PENALTY = 2.0, 6.0
#: Domains below which no other form than the default is tried.
LEAST_TIMES = 8
STEP_GRID = (0.0, 0.3, 3.0, 30.0)
SLOPE_GRID = (0.0, 1.0, 30.0)
#: Variance of the random steps of a slope, in units of its square.
TURN_GRID = (0.3, 3.0, 30.0)
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
    model : PathModel
        Forms and variances.
    log_likelihood : ndarray of shape (n_paths,)
        Of the one-step-ahead predictions of the observations.
    rate_error : ndarray of shape (n_paths,)
        Standard error of the rate of the form, where it is fitted.
    """

    times: np.ndarray
    values: np.ndarray
    noise: np.ndarray
    model: PathModel
    log_likelihood: np.ndarray
    rate_error: np.ndarray

    @property
    def drifts(self) -> np.ndarray:
        """Whether a path is more than a constant."""
        return np.asarray(self.model.start[:, 1:].any(axis=1) | self.model.step.any(axis=1))

    @property
    def forms(self) -> list[str]:
        """Names of the forms."""
        return [_name(self.model.take(np.array([i]))) for i in range(len(self.log_likelihood))]

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and variances of the paths at any times, each (n_times, n_paths)."""
        wanted, where = np.unique(times, return_inverse=True)
        union = np.union1d(self.times, wanted)
        values = np.zeros((len(union), self.values.shape[1]))
        noise = np.full_like(values, np.inf)
        seen = np.searchsorted(union, self.times)
        values[seen], noise[seen] = self.values, self.noise
        rows = np.searchsorted(union, wanted)[where]
        means, covariances, *_ = smooth(filter_paths(union, values, noise, self.model))
        variance = np.maximum(covariances[rows, :, 0, 0], 0)
        if self.rate_error.any():
            ends = [
                smooth(filter_paths(union, values, noise, self.model.with_rate(rate)))[0][rows]
                for rate in (self.model.rate - self.rate_error, self.model.rate + self.rate_error)
            ]
            variance = variance + ((ends[1] - ends[0])[..., 0] / 2) ** 2
        return means[rows, :, 0], variance


def _name(model: PathModel) -> str:
    if model.form[0] == HARMONIC:
        return f"swing of period {2 * np.pi / model.rate[0]:.2f}"
    if model.form[0] == ACCELERATING:
        return "accelerating"
    if model.step[0, 1] > 0:
        return "turning trend"
    if model.start[0, 1] > 0:
        return "trend" if model.rate[0] == 0 else f"trend fading at {model.rate[0]:.2f}"
    return "walk" if model.step[0, 0] > 0 else "constant"


def fit_paths(
    times: np.ndarray,
    values: np.ndarray,
    noise: np.ndarray,
    *,
    centred: bool = False,
    constant: bool = False,
    forms: str = "all",
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
    forms : {"all", "default"}, default "all"
        Whether other forms than a slope that fades slowly are tried.
    n_iter : int, default 10
        Steps of EM.

    Returns
    -------
    StatePaths
    """
    seen = np.isfinite(noise)
    values = np.where(seen, values, 0.0)
    weight = np.where(seen, 1 / np.where(seen, np.maximum(noise, 1e-300), 1), 0)
    moving = not constant and len(times) >= 3
    tried = [*_plain(values, noise, weight, centred=centred, moving=moving)]
    if moving and forms == "all" and len(times) >= LEAST_TIMES:
        tried += _others(times, values, noise, weight, centred=centred)
    model = _best(times, values, noise, tried)
    if moving and forms == "all":
        model = _refine(times, values, noise, model)
    for _ in range(n_iter if (model.start[:, 1:].any() or model.step.any() or centred) else 0):
        model = _improve(times, values, noise, model, centred=centred)
    likelihood = filter_paths(times, values, noise, model).log_likelihood
    error = _rate_errors(times, values, noise, model, likelihood)
    return StatePaths(times, values, noise, model, likelihood, error)


#: Candidate: a model of all paths, and the price of each path.
_Tried = tuple[PathModel, np.ndarray]


def _scales(values: np.ndarray, noise: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean sampling variance, diffuse variance and squared mean of each path."""
    seen = np.isfinite(noise)
    scale = np.where(seen, noise, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1) + 1e-300
    diffuse = DIFFUSE * np.maximum((values**2).max(axis=0), scale)
    mean = (weight * values).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-300)
    return scale, diffuse, np.maximum(mean**2, 1e-300)


def _plain(
    values: np.ndarray, noise: np.ndarray, weight: np.ndarray, *, centred: bool, moving: bool
) -> list[_Tried]:
    """Offer levels with slopes that fade slowly, and random steps."""
    n = values.shape[1]
    scale, diffuse, square = _scales(values, noise, weight)
    found = []
    for level in (np.zeros(n), square) if centred else (diffuse,):
        for slope in SLOPE_GRID if moving else SLOPE_GRID[:1]:
            for step in STEP_GRID if moving else STEP_GRID[:1]:
                start = np.column_stack([level, slope * scale, np.zeros(n)])
                steps = np.column_stack([step * scale, np.zeros(n)])
                model = PathModel(np.full(n, DAMPED), np.full(n, DAMPING), start, steps)
                free = (slope > 0) + (step > 0) + (centred and bool(level.any()))
                found.append((model, np.full(n, PENALTY * free)))
    return found


def _others(
    times: np.ndarray, values: np.ndarray, noise: np.ndarray, weight: np.ndarray, *, centred: bool
) -> list[_Tried]:
    """Offer the other forms; starting variances are squares of what least squares finds."""
    n = values.shape[1]
    t = times - times[0]
    scale, diffuse, square = _scales(values, noise, weight)
    level = square if centred else diffuse
    found: list[_Tried] = []

    def offer(form: int, rate: float, states: np.ndarray, turn: float, n_free: int) -> None:
        for step in STEP_GRID[:3]:
            start = np.column_stack([level, states])
            steps = np.column_stack([step * scale, turn * states[:, 0]])
            model = PathModel(np.full(n, form), np.full(n, rate), start, steps)
            price = FORM_PENALTY + PENALTY * (n_free + (step > 0) + centred)
            found.append((model, np.full(n, price)))

    for rate in (*RATES, DAMPING):
        basis = -np.expm1(-rate * t) / rate if rate else t
        squares = _squares(basis[:, None], values, weight, scale)
        states = np.column_stack([squares, np.zeros(n)])
        offer(DAMPED, rate, states, 0.0, 1 + (rate > 0))
        if rate == 0:
            for turn in TURN_GRID:
                offer(DAMPED, rate, states, turn, 2)
    offer(
        ACCELERATING, 0.0, _squares(np.column_stack([t, t**2 / 2]), values, weight, scale), 0.0, 2
    )
    shortest = max(LEAST_PERIOD, 4 * float(np.median(np.diff(times))))
    for period in np.geomspace(shortest, MOST_PERIOD, N_PERIODS):
        angle = 2 * np.pi * t / period
        both = _squares(np.column_stack([np.cos(angle), np.sin(angle)]), values, weight, scale)
        mean = np.repeat(both.mean(axis=1, keepdims=True), 2, axis=1)
        offer(HARMONIC, 2 * np.pi / period, mean, 0.0, 3)
    return found


def _squares(
    basis: np.ndarray, values: np.ndarray, weight: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Return squared coefficients of paths on a basis, beside a level, at least of noise size."""
    full = np.column_stack([np.ones(len(basis)), basis])
    gram = np.einsum("ti,tn,tj->nij", full, weight, full)
    gram += 1e-9 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(full.shape[1]) + 1e-300
    right = np.einsum("ti,tn->ni", full, weight * values)
    found = np.linalg.solve(gram, right[..., None])[:, 1:, 0] ** 2
    out = np.maximum(found, scale[:, None] / len(basis))
    return np.asarray(out[:, 0] if basis.shape[1] == 1 else out)


def _best(
    times: np.ndarray, values: np.ndarray, noise: np.ndarray, tried: list[_Tried]
) -> PathModel:
    """Take for each path the candidate with the best score; all are filtered side by side."""
    n = values.shape[1]
    joined = _join([model for model, _ in tried])
    wide = np.tile(values, len(tried)), np.tile(noise, len(tried))
    gained = filter_paths(times, *wide, joined).log_likelihood.reshape(len(tried), n)
    scores = 2 * gained - np.stack([price for _, price in tried])
    return joined.take(scores.argmax(axis=0) * n + np.arange(n))


def _join(models: list[PathModel]) -> PathModel:
    parts = [(m.form, m.rate, m.start, m.step) for m in models]
    return PathModel(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _refine(
    times: np.ndarray, values: np.ndarray, noise: np.ndarray, model: PathModel
) -> PathModel:
    """Improve the rates between the points of the grid."""
    nothing = np.zeros(values.shape[1])
    free = _has_rate(model)
    for width in (0.06, 0.02, 0.007) if free.any() else ():
        factors = [np.where(free, 1 + k * width, 1.0) for k in (0, -1, 1)]
        offered = [model.with_rate(model.rate * f) for f in factors]
        model = _best(times, values, noise, [(m, nothing) for m in offered])
    return model


def _has_rate(model: PathModel) -> np.ndarray:
    """Tell which paths have a fitted rate."""
    return (model.rate > 0) & ((model.form == HARMONIC) | (model.rate != DAMPING))


def _rate_errors(
    times: np.ndarray,
    values: np.ndarray,
    noise: np.ndarray,
    model: PathModel,
    likelihood: np.ndarray,
) -> np.ndarray:
    """Return standard errors of fitted rates from the curvature of the likelihood."""
    free = _has_rate(model)
    if not free.any():
        return np.zeros(len(free))
    width = np.where(free, 0.02 * model.rate, 1.0)
    ends = [
        filter_paths(times, values, noise, model.with_rate(rate)).log_likelihood
        for rate in (model.rate - free * width, model.rate + free * width)
    ]
    curvature = (2 * likelihood - ends[0] - ends[1]) / width**2
    error = 1 / np.sqrt(np.maximum(curvature, 1e-300))
    return np.where(free, np.minimum(error, 0.5 * model.rate), 0.0)


def _improve(
    times: np.ndarray, values: np.ndarray, noise: np.ndarray, model: PathModel, *, centred: bool
) -> PathModel:
    """Take one step of EM; variances at zero stay there."""
    means, covariances, scores, information = smooth(filter_paths(times, values, noise, model))
    # A swing is part of the value: the level is what is left.
    first, cov = means[0].copy(), covariances[0].copy()
    harmonic = model.form == HARMONIC
    first[harmonic, 0] -= first[harmonic, 1]
    cov[harmonic, 0, 0] += cov[harmonic, 1, 1] - 2 * cov[harmonic, 0, 1]
    second = np.maximum(first**2 + np.einsum("nii->ni", cov), 0)
    second[harmonic, 1:] = second[harmonic, 1:].mean(axis=1, keepdims=True)
    start = np.where(model.start > 0, second, 0.0)
    if not centred:
        start[:, 0] = model.start[:, 0]
    gained = np.zeros_like(model.step)
    for t, dt in enumerate(np.diff(times), start=1):
        r, N = scores[t], information[t]
        gained[:, 0] += dt * (r[:, 0] ** 2 - N[:, 0, 0])
        Q = slope_steps(float(dt))
        gained[:, 1] += 0.5 * (
            np.einsum("ni,ij,nj->n", r[:, :2], Q, r[:, :2])
            - np.einsum("ij,nji->n", Q, N[:, :2, :2])
        )
    step = np.maximum(model.step + model.step**2 * gained / max(len(times) - 1, 1), 0)
    return PathModel(model.form, model.rate, start, np.where(model.step > 0, step, 0.0))
