"""A linear flow that turns and shifts the features over time, found from the means of cells.

The means of all (group, class) cells are taken to move by one affine differential equation
``dx/dt = A x + g``. Which entries of ``A`` are not zero is chosen greedily from the equation in its
integral form, which is linear; rotations (two entries tied as ``-w`` and ``w``) count as one
parameter. An entry must explain how the differences between groups and classes turn and not only
the path of the common mean. The chosen entries are then fitted to the solution of the equation.
Features are expected in units of their standard deviation within cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shiftlab.generalization._cells import Cells

__all__ = ["Flow", "find_flow", "flow_generator", "flow_maps", "still"]

#: An atom is a set of entries (row, column, sign) of the generator that share one coefficient.
Atom = tuple[tuple[int, int, float], ...]
#: Entries beyond this many are not fitted: the domains could not tell them apart.
MAX_ATOMS = 12
#: Chi-square (one degree of freedom, 5 %) by which an entry must improve the contrasts.
CONTRAST_GAIN = 3.84
#: Largest real part of an eigenvalue, per source span: what rounding and sampling may add to 0.
GROWTH_ALLOWED = 0.05
#: Candidates that are fitted exactly in each greedy step.
N_TRIED = 8


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
        Covariance of the fitted parameters.
    """

    generator: np.ndarray
    atoms: tuple[Atom, ...]
    covariance: np.ndarray

    @property
    def moves(self) -> bool:
        """Whether there is any flow."""
        return bool(self.atoms)

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
        maps = flow_maps(self.generator, sign * times)
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
    atoms = _choose(cells)
    while atoms:
        flow = _fit(cells, atoms)
        if np.linalg.eigvals(flow.generator).real.max() <= GROWTH_ALLOWED:
            return flow
        atoms.pop()  # rolled forward, an unstable flow would leave every bound
    return still(n_features)


def _choose(cells: Cells) -> list[Atom]:
    """Choose entries greedily by the Bayesian information criterion."""
    system = _IntegralForm(cells)
    chosen: list[Atom] = []
    log_size = np.log(cells.counts.size)
    loss = system.loss(chosen)
    for kinds, penalty in ((_pairs, 2 * log_size), (_singles, 4 * log_size)):
        while len(chosen) < MAX_ATOMS:
            offered = [a for a in kinds(cells.means.shape[2]) if a not in chosen]
            tried = sorted(offered, key=lambda a: -system.gain(a, chosen))[:N_TRIED]
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
    """``mean(t) = constant of the cell + g t + A integral(mean)``: linear in ``A`` and ``g``."""

    def __init__(self, cells: Cells) -> None:
        n_cells, n_domains, p = cells.means.shape
        self._weight = np.sqrt(cells.counts).reshape(-1, 1)
        filled = _fill(cells)
        steps = np.diff(cells.times)[None, :, None]
        integral = np.zeros_like(filled)
        integral[:, 1:] = np.cumsum(0.5 * (filled[:, 1:] + filled[:, :-1]) * steps, axis=1)
        constants = np.kron(np.eye(n_cells), np.ones((n_domains, 1)))
        base = np.column_stack([constants, np.tile(cells.times, n_cells)])
        free = np.column_stack([constants, np.kron(np.ones((n_cells, 1)), np.eye(n_domains))])
        self._values = self._weight * filled.reshape(-1, p)
        self._integral = self._weight * integral.reshape(-1, p)
        self._smooth = self._reduced(base)
        # With a free common path only the differences between cells are left to explain.
        self._contrast = self._reduced(free)

    def _reduced(self, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project a base out of values and integrals."""
        left, size, _ = np.linalg.svd(self._weight * base, full_matrices=False)
        basis = left[:, size > 1e-9 * size[0]]
        return tuple(a - basis @ (basis.T @ a) for a in (self._values, self._integral))

    def gain(self, atom: Atom, chosen: Sequence[Atom]) -> float:
        """Return roughly how much an atom lowers the loss."""
        residual, integral = self._smooth
        top = sum(s * (integral[:, k] @ residual[:, j]) for j, k, s in atom)
        bottom = sum(integral[:, k] @ integral[:, k] for j, k, _ in atom)
        return float(top**2 / max(bottom, 1e-12))

    def loss(self, atoms: Sequence[Atom]) -> float:
        """Return the weighted squared error with these atoms."""
        return self._loss(self._smooth, atoms)

    def turns_contrasts(self, atom: Atom, chosen: Sequence[Atom]) -> bool:
        """Tell whether the differences between cells also ask for an atom."""
        without = self._loss(self._contrast, chosen)
        with_atom = self._loss(self._contrast, [*chosen, atom], fitted=self._smooth)
        return without - with_atom > CONTRAST_GAIN

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
        source, on = fitted or parts, None
        on = _design(source[1], atoms) if fitted is not None else design
        coefficients = np.linalg.lstsq(on, source[0].T.reshape(-1), rcond=None)[0]
        left = residual.T.reshape(-1) - design @ coefficients
        return float(left @ left)


def _design(integral: np.ndarray, atoms: Sequence[Atom]) -> np.ndarray:
    """Return one column for each atom, features stacked."""
    n, p = integral.shape
    columns = np.zeros((len(atoms), p, n))
    for column, atom in zip(columns, atoms, strict=True):
        for j, k, sign in atom:
            column[j] += sign * integral[:, k]
    return columns.reshape(len(atoms), -1).T


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
    system = _IntegralForm(cells)
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


def flow_generator(parameters: np.ndarray, atoms: Sequence[Atom], p: int) -> np.ndarray:
    generator = np.zeros((p + 1, p + 1))
    for atom, value in zip(atoms, parameters, strict=False):
        for j, k, sign in atom:
            generator[j, k] += sign * value
    generator[:p, p] = parameters[len(atoms) :]
    return generator


def flow_maps(generator: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the maps from time 0 to the given times."""
    from scipy.linalg import expm

    maps: np.ndarray = expm(times[:, None, None] * generator)
    return maps
