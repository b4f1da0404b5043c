"""Reading the two samples of a transport problem: NumPy or torch, finite, equal columns."""

from typing import Any

import numpy as np

from shiftlab._core.validation import check_weights
from shiftlab.backends import array_namespace, check_matrix, check_same_columns
from shiftlab.exceptions import InputError

__all__ = ["check_power", "read_mass", "read_pair"]


def read_pair(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return both samples as matrices of one floating type, and their array namespace.

    Parameters
    ----------
    x, y : array of shape (n,) or (n, d)
        NumPy arrays (or what NumPy can read), or torch tensors on one device. float32 stays
        float32, other numbers become float64.

    Returns
    -------
    x, y : array of shape (n_x, d), (n_y, d)
    xp : array namespace

    Raises
    ------
    InputError
        If the libraries or columns differ, or a value is missing, infinite or no number.
    """
    x, y = check_matrix(x), check_matrix(y, "y")
    xp = array_namespace(x, y)
    check_same_columns(x, y)
    dtype = xp.result_type(x, y)
    return xp.astype(x, dtype, copy=False), xp.astype(y, dtype, copy=False), xp


def read_mass(weights: Any, n_rows: int, name: str) -> np.ndarray | None:
    """Read row weights and scale them to sum 1; None stays None (equal weights)."""
    mass = check_weights(weights, n_rows, name)
    return None if mass is None else mass / mass.sum()


def check_power(p: Any) -> float:
    """Check the power of the ground distance: a finite number of at least 1."""
    is_number = isinstance(p, (int, float, np.number)) and not isinstance(p, bool)
    if not is_number or not np.isfinite(p) or p < 1:
        raise InputError(f"p must be a finite number of at least 1, found {p!r}.")
    return float(p)
