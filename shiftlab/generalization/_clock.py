"""The clock of a flow: how far it has gone in each domain, whatever its speed.

All means of cells move along one affine flow, ``mean(d) = expm(G s_d) start``. Rates, origin and
the ``s_d`` are fitted together by nonlinear least squares with the starts projected out; the
``s_d`` with their sampling errors are then a path like any other domain parameter, whose form
(steady, fading, turning, accelerating, swinging) is chosen by `fit_paths`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shiftlab.generalization._cells import Cells
from shiftlab.generalization._states import StatePaths, fit_paths

__all__ = ["Atom", "ClockFit", "clock_deviance", "fit_clock", "flow_generator", "flow_maps"]

#: An atom is a set of entries (row, column, sign) of the generator that share one coefficient.
Atom = tuple[tuple[int, int, float], ...]
#: Terms of the series; with a norm of at most 1/4 what is left out is below 1e-17.
TAYLOR_DEGREE = 12


@dataclass(frozen=True, eq=False)
class ClockFit:
    """A flow with a clock.

    Attributes
    ----------
    generator : ndarray of shape (n_moved + 1, n_moved + 1)
        Of the features that move.
    clock : StatePaths
        The path of the clock.
    deviance : float
        Weighted squared error of the means.
    """

    generator: np.ndarray
    clock: StatePaths
    deviance: float


def flow_generator(parameters: np.ndarray, atoms: Sequence[Atom], p: int) -> np.ndarray:
    """Return the homogeneous generator from rates of atoms and drift of the origin."""
    generator = np.zeros((p + 1, p + 1))
    for atom, value in zip(atoms, parameters, strict=False):
        for j, k, sign in atom:
            generator[j, k] += sign * value
    generator[:p, p] = parameters[len(atoms) :]
    return generator


def flow_maps(generator: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the maps from time 0 to the given times: exponentials, all at once.

    Taylor series after scaling, then squaring; `scipy.linalg.expm` goes through them one by one.
    """
    norm = float(np.abs(generator).sum(axis=0).max() * np.abs(times).max(initial=0.0))
    n_squarings = max(int(np.ceil(np.log2(max(norm, 1e-300)))) + 2, 0)
    inner = (times / 2.0**n_squarings)[:, None, None] * generator
    term = maps = np.tile(np.eye(len(generator)), (len(times), 1, 1))
    for k in range(1, TAYLOR_DEGREE + 1):
        term = term @ inner / k
        maps = maps + term
    for _ in range(n_squarings):
        maps = maps @ maps
    return maps


def fit_clock(
    cells: Cells, atoms: Sequence[Atom], rates: np.ndarray, clock: np.ndarray
) -> ClockFit:
    """Fit rates, origin and clock, from starting rates and a starting clock."""
    from scipy.optimize import least_squares

    moved = sorted({i for atom in atoms for j, k, _ in atom for i in (j, k)})
    at = {feature: i for i, feature in enumerate(moved)}
    local = [tuple((at[j], at[k], sign) for j, k, sign in atom) for atom in atoms]
    part = Cells(cells.times, cells.means[:, :, moved], cells.counts)
    system = _Moving(part, local, int(np.argmax(np.abs(rates))), rates)
    start = np.concatenate([np.delete(rates, system.main), np.zeros(len(moved)), clock])
    found = least_squares(system.errors, start, jac=system.slopes, max_nfev=60, x_scale="jac")
    n_free = len(found.x) - 2
    excess = max(2 * found.cost / max(int((cells.counts > 0).sum()) * len(moved) - n_free, 1), 1.0)
    covariance = np.linalg.pinv(found.jac.T @ found.jac, rcond=1e-10, hermitian=True)
    n = len(cells.times)
    noise = excess * np.diag(covariance)[-n:, None] + 1e-12
    path = fit_paths(cells.times, found.x[-n:, None], noise)
    return ClockFit(system.generator(found.x), path, float(2 * found.cost))


class _Moving:
    """Errors of the means of cells under a flow with a free clock, and their derivatives.

    The rate of the main atom is fixed: the clock has its scale. A common shift of the clock changes
    nothing, since the starts follow it.
    """

    def __init__(self, cells: Cells, atoms: list[Atom], main: int, rates: np.ndarray) -> None:
        self.main = main
        self._cells, self._atoms, self._fixed = cells, atoms, float(rates[main])
        self._weight = np.sqrt(cells.counts)

    def generator(self, parameters: np.ndarray) -> np.ndarray:
        n_domains = len(self._cells.times)
        inner = np.insert(parameters[:-n_domains], self.main, self._fixed)
        return flow_generator(inner, self._atoms, self._cells.means.shape[2])

    def errors(self, parameters: np.ndarray) -> np.ndarray:
        maps = flow_maps(self.generator(parameters), parameters[-len(self._cells.times) :])
        return np.concatenate([part[0] for part in self._solve(maps)])

    def _solve(self, maps: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return for each cell its errors, the basis projected out, and its start."""
        p = self._cells.means.shape[2]
        found = []
        for means, w in zip(self._cells.means, self._weight, strict=True):
            design = (w[:, None, None] * maps[:, :p, :p]).reshape(-1, p)
            target = (w[:, None] * (means - maps[:, :p, p])).reshape(-1)
            basis, upper = np.linalg.qr(design)
            inner = basis.T @ target
            start = np.append(np.linalg.lstsq(upper, inner, rcond=None)[0], 1.0)
            found.append((target - basis @ inner, basis, start))
        return found

    def slopes(self, parameters: np.ndarray) -> np.ndarray:
        """Return the derivatives of the errors (with the starts held, then projected out)."""
        n = len(self._cells.times)
        p = self._cells.means.shape[2]
        generator, clock = self.generator(parameters), parameters[-n:]
        maps = flow_maps(generator, clock)
        moved = []
        for i in range(len(parameters) - n):
            nudged = parameters.copy()
            nudged[i] += 1e-6
            moved.append((flow_maps(self.generator(nudged), clock) - maps) / 1e-6)
        ahead = generator @ maps
        blocks = []
        for (_, basis, start), w in zip(self._solve(maps), self._weight, strict=True):
            columns = np.zeros((n * p, len(parameters)))
            for i, change in enumerate(moved):
                columns[:, i] = -(w[:, None] * (change @ start)[:, :p]).reshape(-1)
            step = -(w[:, None] * (ahead @ start)[:, :p])
            for j in range(p):
                columns[np.arange(n) * p + j, len(moved) + np.arange(n)] = step[:, j]
            blocks.append(columns - basis @ (basis.T @ columns))
        return np.concatenate(blocks)


def clock_deviance(
    cells: Cells, generator: np.ndarray, features: list[int], clock: np.ndarray
) -> float:
    """Return the weighted squared error of features under a known flow and clock."""
    at = [*features, len(generator) - 1]
    part = Cells(cells.times, cells.means[:, :, features], cells.counts)
    solved = _Moving(part, [], 0, np.zeros(1))._solve(flow_maps(generator[np.ix_(at, at)], clock))
    return float(sum(error @ error for error, _, _ in solved))
