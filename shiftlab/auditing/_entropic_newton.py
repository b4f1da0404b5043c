r"""Damped Newton on the dual of the entropic projection.

The projection of a weighted sample onto ``E phi = t`` reweights row i by ``exp <xi, phi_i - t>``,
where xi minimises the convex function ``H(xi) = log E exp <xi, phi - t>``. Its gradient is the
residual of the moments, its Hessian their covariance, and ``-H`` is a lower bound of the divergence
of every feasible reweighting. A bound above what any reweighting can reach (minus the logarithm of
the smallest weight) therefore proves that none is feasible.

Inequalities ``E phi >= t`` keep ``xi >= 0``. Those that hold anyway are left out of the Newton
step (the active set), and the step is cut where a multiplier would change its sign.
"""

from dataclasses import dataclass

import numpy as np

from shiftlab.backends import row_blocks
from shiftlab.exceptions import InputError

__all__ = ["Tilt", "solve_tilt"]

#: Bytes of a block of rows: it stays in the cache between being scaled and being multiplied.
_BLOCK_BYTES = 2**20
#: Smallest curvature that a Newton step divides by, as a share of the largest.
_CURVATURE_FLOOR = 1e-12
_ARMIJO = 1e-4


@dataclass(frozen=True)
class Tilt:
    """The solved dual: row weights (sum 1), multipliers, and how good they are.

    `residual` is the largest violation of a moment, in standard deviations of that moment.
    """

    weights: np.ndarray
    multipliers: np.ndarray
    moments: np.ndarray
    kl: float
    dual_value: float
    residual: float
    n_iter: int


class _Dual:
    """Value, gradient and Hessian of the dual over blocks of rows."""

    def __init__(self, phi: np.ndarray, targets: np.ndarray, mass: np.ndarray) -> None:
        self.phi, self.targets, self.mass = phi, targets, mass
        self.blocks = list(row_blocks(len(phi), 8 * max(phi.shape[1], 1), max_bytes=_BLOCK_BYTES))
        gradient, gram = self._sums(mass)
        deviation = np.sqrt(np.maximum(np.diag(gram), 0.0))
        size = np.maximum(np.abs(gradient + targets), np.abs(targets))
        # Constant columns, which only rounding lets vary, are measured by their size.
        constant = deviation <= 1e-13 * size
        self.scale = np.where(constant, np.where(size > 0, size, 1.0), deviation)
        self.start = (gradient / self.scale, gram / np.outer(self.scale, self.scale))

    def project(self, direction: np.ndarray) -> np.ndarray:
        """Return ``<direction / scale, phi - t>`` for each row."""
        scaled = direction / self.scale
        return np.asarray(self.phi @ scaled - self.targets @ scaled)

    def value(self, eta: np.ndarray) -> float:
        top = float(eta.max())
        return top + float(np.log(self.mass @ np.exp(eta - top)))

    def weights(self, eta: np.ndarray) -> np.ndarray:
        weights = self.mass * np.exp(eta - eta.max())
        return np.asarray(weights / weights.sum())

    def moments(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the scaled residual of the moments and their covariance under `weights`."""
        gradient, gram = self._sums(weights)
        return gradient / self.scale, gram / np.outer(self.scale, self.scale)

    def _sums(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = self.phi.shape[1]
        gradient, gram = np.zeros(k), np.zeros((k, k))
        root = np.sqrt(weights)
        for rows in self.blocks:
            block = self.phi[rows] - self.targets
            block *= root[rows, None]
            gradient += root[rows] @ block
            gram += block.T @ block
        return gradient, gram - np.outer(gradient, gradient)


def solve_tilt(
    phi: np.ndarray,
    targets: np.ndarray,
    mass: np.ndarray,
    *,
    at_least: np.ndarray | None = None,
    tol: float = 1e-12,
    max_iter: int = 200,
) -> Tilt:
    """Reweight rows so that moments meet their targets, at the smallest Kullback-Leibler cost.

    Parameters
    ----------
    phi : ndarray of float64, shape (n, k)
        Value of each moment on each row.
    targets : ndarray of shape (k,)
        Wanted means.
    mass : ndarray of shape (n,)
        Positive row masses that sum to 1.
    at_least : ndarray of bool, shape (k,), optional
        Which moments only have to reach their target from above.
    tol : float, default 1e-12
        Largest violation that is accepted, in standard deviations of the moment.
    max_iter : int, default 200
        Limit on the Newton steps.

    Returns
    -------
    Tilt

    Raises
    ------
    InputError
        If no reweighting of the rows meets the targets.
    """
    n_moments = phi.shape[1]
    bounded = np.zeros(n_moments, dtype=bool) if at_least is None else at_least
    dual = _Dual(phi, targets, mass)
    ceiling = -float(np.log(mass.min()))
    xi, eta = np.zeros(n_moments), np.zeros(len(phi))
    value, best = 0.0, np.inf
    for iteration in range(max_iter + 1):
        weights = dual.weights(eta)
        gradient, hessian = dual.moments(weights) if iteration else dual.start
        residual = _violation(gradient, xi, bounded)
        stalled = residual >= 0.5 * best and residual < 1e-9
        if residual <= tol or stalled or iteration == max_iter:
            break
        best = min(best, residual)
        if -value > ceiling + 1e-6:
            raise InputError(_infeasible())
        step = _feasible_step(gradient, hessian, xi, bounded)
        xi, eta, value, moved = _search(dual, xi, eta, value, step, gradient, bounded)
        if not moved:
            break
    return _finish(dual, xi, eta, gradient, residual, iteration)


def _violation(gradient: np.ndarray, xi: np.ndarray, bounded: np.ndarray) -> float:
    satisfied = bounded & (xi <= 0)
    violation = np.where(satisfied, np.maximum(-gradient, 0.0), np.abs(gradient))
    return float(violation.max(initial=0.0))


def _feasible_step(
    gradient: np.ndarray, hessian: np.ndarray, xi: np.ndarray, bounded: np.ndarray
) -> np.ndarray:
    """Newton step on the multipliers that may move; none at its bound is pushed below it."""
    at_bound = bounded & (xi <= 0)
    free = ~(at_bound & (gradient >= 0))
    while True:
        step = _newton_step(gradient, hessian, free)
        blocked = free & at_bound & (step < 0)
        if not blocked.any():
            return step
        free &= ~blocked


def _newton_step(gradient: np.ndarray, hessian: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Solve on the free multipliers.

    Directions without curvature belong to moments that repeat others. The floor keeps the step
    finite there, and long where they ask for what the others forbid: up to the next bound.
    """
    step = np.zeros_like(gradient)
    where = np.flatnonzero(free)
    if len(where):
        values, vectors = np.linalg.eigh(hessian[np.ix_(where, where)])
        floor = max(float(values[-1]) * _CURVATURE_FLOOR, 1e-300)
        step[where] = -vectors @ ((vectors.T @ gradient[where]) / np.maximum(values, floor))
    return step


def _search(
    dual: _Dual,
    xi: np.ndarray,
    eta: np.ndarray,
    value: float,
    step: np.ndarray,
    gradient: np.ndarray,
    bounded: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """Go as far as the bounds allow, and halve until the dual falls by a share of its promise."""
    blocking = bounded & (step < 0) & (xi > 0)
    with_bound = np.where(blocking, -xi / np.where(blocking, step, 1.0), np.inf)
    size = min(1.0, float(with_bound.min(initial=np.inf)))
    # Rounding in the mean over the rows; without this slack the last steps would be refused.
    slack = 256 * np.finfo(float).eps * max(1.0, abs(value))
    slope = float(gradient @ step)
    while size > 1e-14:
        wanted = np.where(with_bound <= size, 0.0, xi + size * step)
        trial_eta = dual.project(wanted)
        trial = dual.value(trial_eta)
        if np.isfinite(trial) and trial <= value + _ARMIJO * size * slope + slack:
            return wanted, trial_eta, trial, bool(np.any(wanted != xi))
        size *= 0.5
    return xi, eta, value, False


def _finish(
    dual: _Dual,
    xi: np.ndarray,
    eta: np.ndarray,
    gradient: np.ndarray,
    residual: float,
    iteration: int,
) -> Tilt:
    weights = dual.weights(eta)
    value = dual.value(eta)
    # sum w log(w / mass) with w = mass exp(eta - value): no logarithm of a vanished weight.
    kl = float(weights @ (eta - value))
    return Tilt(
        weights=weights,
        multipliers=xi / dual.scale,
        moments=gradient * dual.scale + dual.targets,
        kl=max(kl, 0.0),
        dual_value=-value,
        residual=residual,
        n_iter=iteration,
    )


def _infeasible() -> str:
    return (
        "No reweighting of these rows meets all constraints together: their targets lie outside "
        "what the rows can reach. Loosen a target, or leave a constraint out."
    )
