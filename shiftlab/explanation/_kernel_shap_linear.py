"""Values of coalitions for linear models without a single call of the model.

The margin of a coalition is a sum over its members, and its value is the mean over the background
of the logistic function of that sum plus a constant: a smooth function of one number per coalition.
It is expanded in Chebyshev polynomials once and evaluated by Clenshaw's recurrence, which replaces
one exponential per row, coalition and background row.
"""

import numpy as np

from shiftlab.explanation._lime_reference import Reference
from shiftlab.explanation._models_linear import LinearForm

__all__ = ["linear_values"]

#: Beyond this half-width the expansion would need too many terms.
MAX_HALF_WIDTH = 32.0
TOLERANCE = 1e-11
#: Cells of one evaluation: a few arrays of this size stay in the cache.
MAX_CELLS = 16_384


def linear_values(
    form: LinearForm,
    reference: Reference,
    rows: np.ndarray,
    background: np.ndarray,
    masks: np.ndarray,
) -> np.ndarray:
    """Return the value of each coalition at each row, shape (n, m).

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
    moved = own @ members
    start = form.intercept + centre.sum()
    if not form.logistic:
        return np.asarray(start + moved)  # absent members are at the mean of the background
    offsets = start + other.sum(axis=1)[:, None] - other @ members
    half = float(np.ceil(np.abs(moved).max() + 1e-9))
    if half > MAX_HALF_WIDTH or len(rows) * len(background) < 4 * _degree(half):
        return _direct(moved, offsets)
    return _expanded(moved, offsets, half)


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


def _expanded(moved: np.ndarray, offsets: np.ndarray, half: float) -> np.ndarray:
    from scipy.fft import dct
    from scipy.special import expit

    n = _degree(half)
    nodes = half * np.cos((2 * np.arange(n) + 1) * np.pi / (2 * n))
    at_nodes = np.array([expit(node + offsets).mean(axis=0) for node in nodes])
    coefficients = dct(at_nodes, type=2, axis=0) / n
    coefficients[0] /= 2
    values = np.empty_like(moved)
    size = max(1, MAX_CELLS // moved.shape[1])
    for begin in range(0, len(moved), size):
        part = moved[begin : begin + size] / half
        values[begin : begin + size] = _clenshaw(part, coefficients)
    return values


def _clenshaw(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    twice, before, last, product = 2 * x, np.zeros_like(x), np.zeros_like(x), np.empty_like(x)
    for row in coefficients[:0:-1]:
        # In place: the older of the two sums becomes the newer one.
        np.subtract(row, before, out=before)
        np.multiply(twice, last, out=product)
        before += product
        before, last = last, before
    return np.asarray(coefficients[0] - before + x * last)
