"""A linear flow that turns and shifts the features over time, found from the means of cells.

The means of all (group, class) cells are taken to move by one affine differential equation
``dx/dt = A x + g``. Which entries of ``A`` are not zero is chosen greedily from the equation in its
integral form, which is linear; rotations (two entries tied as ``-w`` and ``w``) count as one
parameter. An entry must explain how the differences between groups and classes turn and not only
the path of the common mean. The chosen entries are then fitted to the solution of the equation.
Features are expected in units of their standard deviation within cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shiftlab.generalization._cells import Cells
from shiftlab.generalization._clock import (
    Atom,
    clock_deviance,
    fit_clock,
    flow_generator,
    flow_maps,
)
from shiftlab.generalization._states import StatePaths

__all__ = ["Flow", "find_flow", "still"]

#: Entries beyond this many are not fitted: the domains could not tell them apart.
MAX_ATOMS = 12
#: Chi-squares (5 %; an entry of constant speed, and of one that is a cubic of time) by which an
#: entry must improve the contrasts.
CONTRAST_GAINS = {0: 3.84, 3: 9.49}
#: Largest real part of an eigenvalue, per source span: what rounding and sampling may add to 0.
GROWTH_ALLOWED = 0.05
#: Candidates that are fitted exactly in each greedy step.
N_TRIED = 8
#: Degree of the polynomial of time that the speed may follow while entries are chosen.
MOST_DEGREE = 3
#: Domains from which on a clock is fitted.
LEAST_FOR_CLOCK = 10


@dataclass(frozen=True, eq=False)
class Flow:
    """An affine flow and how it was found.

    Attributes
    ----------
    generator : ndarray of shape (n_features + 1, n_features + 1)
        Homogeneous form: the last column is the drift of the origin, the last row is zero.
    atoms : tuple
        Entries that were chosen.
    covariance : ndarray
        Covariance of the fitted parameters; empty if the clock holds what is uncertain.
    clock : StatePaths or None
        How far the flow has gone at a time, if its speed changes; None if it is constant.
    """

    generator: np.ndarray
    atoms: tuple[Atom, ...]
    covariance: np.ndarray
    clock: StatePaths | None = None

    @property
    def moves(self) -> bool:
        """Whether there is any flow."""
        return bool(self.atoms)

    def gone(self, times: np.ndarray) -> np.ndarray:
        """Return how far the flow has gone at times."""
        return times if self.clock is None else self.clock.at(times)[0][:, 0]

    def align(self, X: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Carry rows from their time back to time 0."""
        return self._carry(X, time, -1.0)

    def carry(self, Z: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Carry aligned rows from time 0 to their time."""
        return self._carry(Z, time, 1.0)

    def _carry(self, X: np.ndarray, time: np.ndarray, sign: float) -> np.ndarray:
        if not self.moves:
            return X.copy()
        moved = np.empty_like(X)
        times, where = np.unique(time, return_inverse=True)
        maps = flow_maps(self.generator, sign * self.gone(times))
        order = np.argsort(where, kind="stable")
        for rows, step in zip(
            np.split(order, np.cumsum(np.bincount(where))[:-1]), maps, strict=True
        ):
            moved[rows] = X[rows] @ step[:-1, :-1].T + step[:-1, -1]
        return moved


def still(n_features: int) -> Flow:
    """Return the flow that moves nothing."""
    return Flow(np.zeros((n_features + 1, n_features + 1)), (), np.zeros((0, 0)))


def find_flow(cells: Cells) -> Flow:
    """Find the flow of the means of cells; times should start at 0 and be of order 1."""
    n_features = cells.means.shape[2]
    if len(cells.times) < 5:
        return still(n_features)
    sets = [_choose(cells, degree) for degree in (0, MOST_DEGREE)]
    if len(cells.times) < LEAST_FOR_CLOCK or not sets[1]:
        return _steady(cells, sets[0])
    return min(_courses(cells, sets), key=lambda pair: pair[0])[1]


def _courses(cells: Cells, sets: list[list[Atom]]) -> Iterator[tuple[float, Flow]]:
    """Yield flows of steady and of changing speed with their information criteria.

    All are judged on the features that any of them moves.
    """
    touched = sorted({j for atoms in sets for j in features_of(atoms)})
    log_size = float(np.log(cells.counts.size))
    for i, atoms in enumerate(sets):
        steady = _steady(cells, atoms)
        own = features_of(steady.atoms)
        rest = _parallel(cells, [j for j in touched if j not in own])
        n_free = len(steady.atoms) + len(own)
        loss = clock_deviance(cells, steady.generator, own, cells.times) if own else 0.0
        yield loss + rest + log_size * n_free, steady
        if (i == 0 and set(atoms) == set(sets[1])) or not atoms:
            continue
        generator = np.zeros_like(steady.generator)
        found = fit_clock(cells, atoms, *_start(cells, atoms))
        if np.linalg.eigvals(found.generator).real.max() > GROWTH_ALLOWED:
            continue
        own = features_of(atoms)
        at = [*own, len(generator) - 1]
        generator[np.ix_(at, at)] = found.generator
        rest = _parallel(cells, [j for j in touched if j not in own])
        n_free = len(atoms) + len(own) + len(cells.times) - 2
        flow = Flow(generator, tuple(atoms), np.zeros((0, 0)), found.clock)
        yield found.deviance + rest + log_size * n_free, flow


def _steady(cells: Cells, atoms: list[Atom]) -> Flow:
    """Fit a flow of constant speed."""
    atoms = list(atoms)
    while atoms:
        flow = _fit(cells, atoms)
        if np.linalg.eigvals(flow.generator).real.max() <= GROWTH_ALLOWED:
            return flow
        atoms.pop()  # rolled forward, an unstable flow would leave every bound
    return still(cells.means.shape[2])


def features_of(atoms: Sequence[Atom]) -> list[int]:
    """Return the features that a flow of these entries turns or reads."""
    return sorted({i for atom in atoms for j, k, _ in atom for i in (j, k)})


def _parallel(cells: Cells, features: list[int]) -> float:
    """Return the deviance, with its price, of features whose cells move in parallel.

    Their common path is a polynomial: a feature that swings by itself asks for no flow.
    """
    if not features:
        return 0.0
    residual, _ = _IntegralForm(cells, MOST_DEGREE)._smooth
    price = (MOST_DEGREE + 1) * float(np.log(cells.counts.size))
    return float((residual[:, features] ** 2).sum()) + price * len(features)


def _start(cells: Cells, atoms: Sequence[Atom]) -> tuple[np.ndarray, np.ndarray]:
    """Return starting rates of the entries and times of the clock, from the integral form."""
    system = _IntegralForm(cells, MOST_DEGREE)
    residual, integral = system._smooth
    found = np.linalg.lstsq(_design(integral, atoms), residual.T.reshape(-1), rcond=None)[0]
    left, size, right = np.linalg.svd(found.reshape(len(atoms), -1), full_matrices=False)
    powers = np.arange(1, MOST_DEGREE + 2)
    clock = (cells.times[:, None] ** powers / powers) @ right[0]
    scale = np.sqrt(np.mean(np.diff(clock) ** 2) / np.mean(np.diff(cells.times) ** 2))
    return left[:, 0] * size[0] * scale, clock / scale


def _choose(cells: Cells, degree: int) -> list[Atom]:
    """Choose entries greedily by the Bayesian information criterion."""
    system = _IntegralForm(cells, degree)
    chosen: list[Atom] = []
    log_size = np.log(cells.counts.size) * (degree + 1)
    loss = system.loss(chosen)
    for kinds, penalty in ((_pairs, 2 * log_size), (_singles, 4 * log_size)):
        while len(chosen) < MAX_ATOMS:
            offered = [a for a in kinds(cells.means.shape[2]) if a not in chosen]
            tried = sorted(offered, key=lambda a: -system.gain(a))[:N_TRIED]
            losses = [
                (system.loss([*chosen, a]), a) for a in tried if system.turns_contrasts(a, chosen)
            ]
            if not losses or loss - min(losses)[0] < penalty:
                break
            best, atom = min(losses)
            chosen.append(atom)
            loss = best
    return chosen


def _pairs(p: int) -> list[Atom]:
    return [((j, k, 1.0), (k, j, -1.0)) for j in range(p) for k in range(j)]


def _singles(p: int) -> list[Atom]:
    return [((j, k, 1.0),) for j in range(p) for k in range(p) if j != k]


class _IntegralForm:
    """``mean(t) = constant of the cell + g(t) + A integral(c mean)``: linear in all but time.

    The speed ``c`` of the flow and the common path ``g`` are polynomials of time, of `degree` and
    one more.
    """

    def __init__(self, cells: Cells, degree: int) -> None:
        n_cells, n_domains, p = cells.means.shape
        self._weight = np.sqrt(cells.counts).reshape(-1, 1)
        self._degree = degree
        filled = _fill(cells)
        steps = np.diff(cells.times)[None, :, None]
        integrals = []
        for k in range(degree + 1):
            speed = filled * cells.times[:, None] ** k
            integral = np.zeros_like(filled)
            integral[:, 1:] = np.cumsum(0.5 * (speed[:, 1:] + speed[:, :-1]) * steps, axis=1)
            integrals.append(integral.reshape(-1, p))
        constants = np.kron(np.eye(n_cells), np.ones((n_domains, 1)))
        powers = cells.times[:, None] ** np.arange(1, degree + 2)
        base = np.column_stack([constants, np.tile(powers, (n_cells, 1))])
        free = np.column_stack([constants, np.kron(np.ones((n_cells, 1)), np.eye(n_domains))])
        self._values = self._weight * filled.reshape(-1, p)
        self._integral = self._weight[..., None] * np.stack(integrals, axis=2)
        self._smooth = self._reduced(base)
        # With a free common path only the differences between cells are left to explain.
        self._contrast = self._reduced(free)

    def _reduced(self, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project a base out of values and integrals."""
        left, size, _ = np.linalg.svd(self._weight * base, full_matrices=False)
        basis = left[:, size > 1e-9 * size[0]]
        values = self._values - basis @ (basis.T @ self._values)
        flat = self._integral.reshape(len(values), -1)
        return values, (flat - basis @ (basis.T @ flat)).reshape(self._integral.shape)

    def gain(self, atom: Atom) -> float:
        """Return roughly how much an atom lowers the loss."""
        residual, integral = self._smooth
        top = sum(s * (integral[:, k].T @ residual[:, j]) for j, k, s in atom)
        bottom = sum(integral[:, k].T @ integral[:, k] for j, k, _ in atom)
        bottom = bottom + 1e-9 * np.trace(bottom) * np.eye(self._degree + 1) + 1e-12
        return float(top @ np.linalg.lstsq(bottom, top, rcond=None)[0])

    def loss(self, atoms: Sequence[Atom]) -> float:
        """Return the weighted squared error with these atoms."""
        return self._loss(self._smooth, atoms)

    def turns_contrasts(self, atom: Atom, chosen: Sequence[Atom]) -> bool:
        """Tell whether the differences between cells also ask for an atom."""
        without = self._loss(self._contrast, chosen)
        with_atom = self._loss(self._contrast, [*chosen, atom], fitted=self._smooth)
        return without - with_atom > CONTRAST_GAINS[self._degree]

    def _loss(
        self,
        parts: tuple[np.ndarray, np.ndarray],
        atoms: Sequence[Atom],
        fitted: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> float:
        residual, integral = parts
        if not atoms:
            return float((residual**2).sum())
        design = _design(integral, atoms)
        on = (design, residual)
        if fitted is not None:
            on = (_design(fitted[1], atoms), fitted[0])
        coefficients = np.linalg.lstsq(on[0], on[1].T.reshape(-1), rcond=None)[0]
        left = residual.T.reshape(-1) - design @ coefficients
        return float(left @ left)


def _design(integral: np.ndarray, atoms: Sequence[Atom]) -> np.ndarray:
    """Return the columns of each atom, one for each power of its speed, features stacked."""
    n, p, n_powers = integral.shape
    columns = np.zeros((len(atoms), n_powers, p, n))
    for column, atom in zip(columns, atoms, strict=True):
        for j, k, sign in atom:
            column[:, j] += sign * integral[:, k].T
    return columns.reshape(len(atoms) * n_powers, -1).T


def _fill(cells: Cells) -> np.ndarray:
    """Interpolate the means of empty cells over time; they get no weight."""
    means = cells.means.copy()
    for i in np.flatnonzero((cells.counts == 0).any(axis=1)):
        seen = cells.counts[i] > 0
        for j in range(means.shape[2]):
            means[i, :, j] = np.interp(cells.times, cells.times[seen], means[i, seen, j])
    return means


def _fit(cells: Cells, atoms: Sequence[Atom]) -> Flow:
    """Fit coefficients to the solution of the equation; starting means are projected out."""
    from scipy.optimize import least_squares

    p = cells.means.shape[2]
    weight = np.sqrt(cells.counts)
    start = np.zeros(len(atoms) + p)
    system = _IntegralForm(cells, 0)
    residual, integral = system._smooth
    start[: len(atoms)] = np.linalg.lstsq(
        _design(integral, atoms), residual.T.reshape(-1), rcond=None
    )[0]

    def errors(parameters: np.ndarray) -> np.ndarray:
        maps = flow_maps(flow_generator(parameters, atoms, p), cells.times)
        parts = []
        for means, w in zip(cells.means, weight, strict=True):
            design = (w[:, None, None] * maps[:, :p, :p]).reshape(-1, p)
            target = (w[:, None] * (means - maps[:, :p, p])).reshape(-1)
            basis = np.linalg.qr(design)[0]
            parts.append(target - basis @ (basis.T @ target))
        return np.concatenate(parts)

    found = least_squares(errors, start, max_nfev=40)
    normal = found.jac.T @ found.jac
    covariance = np.linalg.pinv(normal, hermitian=True)
    return Flow(flow_generator(found.x, atoms, p), tuple(atoms), covariance)
