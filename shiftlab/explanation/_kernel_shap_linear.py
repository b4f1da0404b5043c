"""Values of coalitions for linear models without a single call of the model.

The margin of a coalition is a sum over its members, and its value is the mean over the background
of the logistic function of that sum plus a constant: a smooth function of one number per coalition.
It is expanded in Chebyshev polynomials once and tabulated as short polynomials on narrow cells,
which replaces one exponential per row, coalition and background row by five multiplications.
"""

from dataclasses import dataclass

import numpy as np

from shiftlab.explanation._lime_reference import Reference
from shiftlab.explanation._models_linear import LinearForm

__all__ = ["LinearGame", "make_linear_game"]

#: Beyond this half-width the expansion would need too many terms.
MAX_HALF_WIDTH = 32.0
TOLERANCE = 1e-11
#: Cells per unit of the margin, and coefficients of the polynomial on each: exact to 1e-10.
PER_UNIT, N_TERMS = 5, 6
#: Coalitions and rows evaluated at once: their part of the table and all arrays stay in the cache.
SOME_COALITIONS, SOME_ROWS = 16, 1024


@dataclass(frozen=True)
class LinearGame:
    """Values of coalitions as functions of how far their members move the margin.

    Attributes
    ----------
    own : ndarray of shape (n, d)
        What each column of each row adds to the margin, less the background.
    members : ndarray of shape (d, m)
        Coalitions as columns of zeros and ones.
    start : float
        Margin of nobody, where the prediction is the margin itself.
    offsets : ndarray of shape (b, m) or None
        What absent columns add, by row of the background; None without a link.
    half : float
        Largest move in the table.
    table : ndarray of shape (N_TERMS, m, n_cells) or None
        Coefficients of the polynomials; None where so few rows do not pay for it.
    """

    own: np.ndarray
    members: np.ndarray
    start: float
    offsets: np.ndarray | None
    half: float
    table: np.ndarray | None

    def values(self, rows: slice) -> np.ndarray:
        """Return the value of each coalition at some rows, shape (n, m)."""
        own = self.own[rows]
        if self.offsets is None:
            return np.asarray(self.start + own @ self.members)
        if self.table is None:
            return _direct(own @ self.members, self.offsets)
        n, m = len(own), self.members.shape[1]
        values = np.empty((n, m))
        for first in range(0, m, SOME_COALITIONS):
            some = slice(first, first + SOME_COALITIONS)
            members = self.members[:, some]
            table = np.ascontiguousarray(self.table[:, some]).reshape(N_TERMS, -1)
            shift = np.arange(members.shape[1]) * self.table.shape[2]
            for begin in range(0, n, SOME_ROWS):
                part = slice(begin, begin + SOME_ROWS)
                values[part, some] = self._look_up(own[part] @ members, table, shift)
        return values

    def _look_up(self, moved: np.ndarray, table: np.ndarray, shift: np.ndarray) -> np.ndarray:
        moved += self.half
        moved *= PER_UNIT
        cell = moved.astype(np.intp)
        moved -= cell
        cell += shift
        result, term = np.empty_like(moved), np.empty_like(moved)
        np.take(table[-1], cell, out=result, mode="clip")
        for row in table[-2::-1]:
            result *= moved
            np.take(row, cell, out=term, mode="clip")
            result += term
        return result


def make_linear_game(
    form: LinearForm,
    reference: Reference,
    rows: np.ndarray,
    background: np.ndarray,
    masks: np.ndarray,
) -> LinearGame:
    """Prepare the values of all coalitions.

    Parameters
    ----------
    form : LinearForm
        The model.
    reference : Reference
        Levels of the categorical columns.
    rows, background : ndarray of shape (n, d) and (b, d)
        Rows to explain, and what absent members are replaced by.
    masks : ndarray of bool, shape (m, d)
        Coalitions.
    """
    own, other = _terms(form, reference, rows), _terms(form, reference, background)
    centre = other.mean(axis=0)
    own, other = own - centre, other - centre
    members = masks.T.astype(np.float64)
    start = float(form.intercept + centre.sum())
    if not form.logistic:  # absent members are at the mean of the background
        return LinearGame(own, members, start, None, 0.0, None)
    offsets = start + other.sum(axis=1)[:, None] - other @ members
    # No coalition moves a row further than all its positive, or all its negative, columns.
    reach = np.maximum(np.maximum(own, 0).sum(axis=1), np.maximum(-own, 0).sum(axis=1))
    half = float(np.ceil(reach.max() + 1e-9))
    table = None
    if half <= MAX_HALF_WIDTH and len(rows) * len(background) >= 4 * _degree(half):
        table = _tabulate(offsets, half)
    return LinearGame(own, members, start, offsets, half, table)


def _terms(form: LinearForm, reference: Reference, rows: np.ndarray) -> np.ndarray:
    terms = rows * form.coef
    for j, table in form.tables.items():
        terms[:, j] = table[np.searchsorted(reference.levels[j], rows[:, j])]
    return terms


def _direct(moved: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.array([expit(row + offsets).mean(axis=0) for row in moved])


def _degree(half: float) -> int:
    """Return the number of terms: the series converges like rho**-k, with poles at distance pi."""
    rho = (np.pi + np.hypot(np.pi, half)) / half
    return int(np.ceil(np.log(1 / TOLERANCE) / np.log(rho))) + 2


def _tabulate(offsets: np.ndarray, half: float) -> np.ndarray:
    """Return polynomials in the position within each cell, from 0 to 1."""
    from numpy.polynomial import chebyshev
    from scipy.fft import dct
    from scipy.special import expit

    n = _degree(half)
    nodes = half * np.cos((2 * np.arange(n) + 1) * np.pi / (2 * n))
    at_nodes = np.array([expit(node + offsets).mean(axis=0) for node in nodes])
    coefficients = dct(at_nodes, type=2, axis=0) / n
    coefficients[0] /= 2
    n_cells = int(2 * half * PER_UNIT)
    within = (1 + np.cos((2 * np.arange(N_TERMS) + 1) * np.pi / (2 * N_TERMS))) / 2
    at = (np.arange(n_cells)[:, None] + within) / PER_UNIT - half
    values = chebyshev.chebvander(at.ravel() / half, n - 1) @ coefficients
    to_powers = np.linalg.inv(np.vander(within, N_TERMS, increasing=True))
    cells = values.reshape(n_cells, N_TERMS, -1)
    return np.ascontiguousarray(np.einsum("kp,cpm->kmc", to_powers, cells))
