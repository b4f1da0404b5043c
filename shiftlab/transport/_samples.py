"""Reading the two samples of a transport problem: NumPy or torch, finite, equal columns."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from shiftlab._core.validation import check_length
from shiftlab.exceptions import InputError

__all__ = ["check_power", "read_mass", "read_pair"]


def read_pair(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return both samples as matrices of one floating type, and their array namespace.

    Parameters
    ----------
    x, y : array of shape (n,) or (n, d)
        NumPy arrays (or what NumPy can read), or torch tensors on one device.

    Returns
    -------
    x, y : array of shape (n_x, d), (n_y, d)
    xp : array namespace
    """
    if is_torch_array(x) != is_torch_array(y):
        raise InputError("x and y must both be NumPy arrays or both be torch tensors.")
    x, y = _as_matrix(x, "x"), _as_matrix(y, "y")
    xp = array_namespace(x, y)
    if x.shape[1] != y.shape[1]:
        raise InputError(
            f"x has {x.shape[1]} column(s) and y has {y.shape[1]}; give both the same columns."
        )
    dtype = xp.result_type(x, y)
    return xp.astype(x, dtype, copy=False), xp.astype(y, dtype, copy=False), xp


def read_mass(weights: Any, n_rows: int, name: str) -> np.ndarray | None:
    """Read row weights and scale them to sum 1; None stays None (equal weights)."""
    if weights is None:
        return None
    mass = np.asarray(weights, dtype=np.float64)
    if mass.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, found shape {mass.shape}.")
    check_length(mass, n_rows, name)
    if not np.isfinite(mass).all() or (mass < 0).any() or mass.sum() <= 0:
        raise InputError(
            f"{name} must be finite, not negative and not all zero; use 0 to leave a row out."
        )
    return mass / mass.sum()


def check_power(p: Any) -> float:
    """Check the power of the ground distance: a finite number of at least 1."""
    is_number = isinstance(p, (int, float, np.number)) and not isinstance(p, bool)
    if not is_number or not np.isfinite(p) or p < 1:
        raise InputError(f"p must be a finite number of at least 1, found {p!r}.")
    return float(p)


def _as_matrix(values: Any, name: str) -> Any:
    array = values
    if not is_torch_array(values):
        try:
            array = np.asarray(values)
            if array.dtype.kind != "f":
                array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{name} must hold numbers only; encode categories first (one-hot, for instance)."
            ) from error
    xp = array_namespace(array)
    if not xp.isdtype(array.dtype, "real floating"):
        array = xp.astype(array, xp.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise InputError(f"{name} must have shape (n,) or (n, d), found {tuple(array.shape)}.")
    if 0 in array.shape:
        raise InputError(f"{name} is empty, found shape {tuple(array.shape)}.")
    if not bool(xp.all(xp.isfinite(array))):
        raise InputError(f"{name} has missing or infinite values; fill or remove these rows first.")
    return array
