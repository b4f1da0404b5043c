"""Which library an array belongs to, and the only places where arrays move.

Precision: float64 is the rule. `to_device` turns everything into float64 unless float32 is asked
for; code below it keeps the precision of the arrays it is given.
"""

from typing import Any, TypeAlias

import array_api_compat
import numpy as np

from shiftlab._core.optional import import_optional
from shiftlab._core.validation import check_option
from shiftlab.exceptions import InputError

__all__ = [
    "Array",
    "array_namespace",
    "check_matrix",
    "check_same_columns",
    "to_device",
    "to_numpy",
]

#: Any array of a library that follows the Python array API.
Array: TypeAlias = Any


def array_namespace(*arrays: Any) -> Any:
    """Return the array-API namespace that the arrays share.

    Parameters
    ----------
    *arrays : array, sequence, number or None
        Lists, numbers and None have no namespace of their own and follow the others.

    Returns
    -------
    namespace
        A module with the functions of the array API; NumPy's if nothing else is there.

    Raises
    ------
    InputError
        If arrays of different libraries are mixed.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import array_namespace
    >>> xp = array_namespace(np.ones(2), [1.0, 2.0], None)
    >>> xp.__name__
    'array_api_compat.numpy'
    """
    owned = [a for a in arrays if array_api_compat.is_array_api_obj(a)]
    if not owned:
        return array_api_compat.array_namespace(np.empty(0))
    try:
        return array_api_compat.array_namespace(*owned)
    except TypeError as error:
        found = sorted({type(a).__module__.split(".")[0] for a in owned})
        raise InputError(
            f"The arrays come from different libraries: {', '.join(found)}. "
            "Convert them to one of these first, for instance with shiftlab.backends.to_device."
        ) from error


def to_device(
    x: Any, device: str | None = None, *, dtype: str = "float64", name: str = "x"
) -> Array:
    """Put numbers where they shall be computed on.

    Parameters
    ----------
    x : array or sequence of any shape
        The numbers.
    device : str, optional
        None leaves torch and other array-API arrays where they are and turns everything else into
        NumPy; "cpu", "cuda", "cuda:1" give a PyTorch tensor on that device.
    dtype : {"float64", "float32", "input"}, default "float64"
        Precision of the result; "input" keeps float32 and float64 and turns everything else into
        float64.
    name : str, default "x"
        What the argument is called in error messages.

    Returns
    -------
    array
        The same object if nothing has to change.

    Raises
    ------
    MissingDependencyError
        If a device is named and PyTorch is not installed.
    InputError
        If the device does not exist or the values are not real numbers.

    Examples
    --------
    >>> from shiftlab.backends import to_device
    >>> to_device([1, 2, 3])
    array([1., 2., 3.])
    """
    check_option(dtype, ("float64", "float32", "input"), "dtype")
    if not array_api_compat.is_array_api_obj(x) or isinstance(x, np.ndarray):
        x = _as_numpy_numbers(x, name)
    xp = array_namespace(x)
    if device is not None:
        return _to_torch(x, device, dtype, name)
    return xp.astype(x, _float_type(xp, x, dtype, name), copy=False)


def to_numpy(x: Any) -> np.ndarray:
    """Return a NumPy array with the same values; tensors are detached and copied to the host.

    Parameters
    ----------
    x : array or sequence of any shape
        NumPy and other host arrays are not copied.

    Returns
    -------
    ndarray
        With the shape and precision of `x`.

    Examples
    --------
    >>> from shiftlab.backends import to_numpy
    >>> to_numpy([0.5, 1.5])
    array([0.5, 1.5])
    """
    if array_api_compat.is_torch_array(x):
        return np.asarray(x.detach().cpu())
    return np.asarray(x)


def check_matrix(x: Any, name: str = "x") -> Array:
    """Read rows of real numbers as a finite matrix, in the library they came in.

    Parameters
    ----------
    x : array of shape (n_rows,) or (n_rows, n_columns)
        One-dimensional input becomes one column.
    name : str, default "x"
        What the argument is called in error messages.

    Returns
    -------
    array of shape (n_rows, n_columns)
        float32 stays float32, other numbers become float64.

    Raises
    ------
    InputError
        If the shape is wrong, there are no rows or columns, or a value is missing or infinite.

    Examples
    --------
    >>> from shiftlab.backends import check_matrix
    >>> check_matrix([1, 2]).shape
    (2, 1)
    """
    x = to_device(x, dtype="input", name=name)
    xp = array_namespace(x)
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2:
        raise InputError(f"{name} must be a matrix (rows by columns), found {x.ndim} dimensions.")
    if 0 in x.shape:
        raise InputError(
            f"{name} needs at least one row and one column, found shape {tuple(x.shape)}."
        )
    if not bool(xp.all(xp.isfinite(x))):
        n_bad = int(xp.sum(xp.astype(~xp.isfinite(x), xp.int64)))
        raise InputError(
            f"{name} has {n_bad} missing or infinite value(s). "
            "Remove these rows or fill the cells first; shiftlab never drops them silently."
        )
    return x


def check_same_columns(x: Array, y: Array, names: tuple[str, str] = ("x", "y")) -> int:
    """Check that two matrices live in one library and have the same number of columns.

    Parameters
    ----------
    x : array of shape (n_x, d)
        First matrix.
    y : array of shape (n_y, d)
        Second matrix.
    names : tuple of two str, default ("x", "y")
        What the arguments are called in error messages.

    Returns
    -------
    int
        The number of columns.

    Raises
    ------
    InputError
        If they do not.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import check_same_columns
    >>> check_same_columns(np.ones((3, 2)), np.ones((5, 2)))
    2
    """
    array_namespace(x, y)
    if x.shape[1] != y.shape[1]:
        raise InputError(
            f"{names[0]} has {x.shape[1]} column(s), but {names[1]} has {y.shape[1]}; "
            "both must hold the same variables."
        )
    return int(x.shape[1])


def _as_numpy_numbers(x: Any, name: str) -> np.ndarray:
    array = np.asarray(x)
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{name} must hold numbers, found other objects. Encode categories first: as "
                "integers for a delta kernel, as indicator columns for a distance."
            ) from error
    return array


def _float_type(xp: Any, x: Array, dtype: str, name: str) -> Any:
    if not xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
        raise InputError(f"{name} must hold real numbers, found the type {x.dtype}.")
    if dtype == "float32" or (dtype == "input" and x.dtype == xp.float32):
        return xp.float32
    return xp.float64


def _to_torch(x: Array, device: str, dtype: str, name: str) -> Array:
    torch = import_optional("torch", extra="torch", purpose=f"device={device!r}")
    try:
        target = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"device must be None, 'cpu', 'cuda' or 'cuda:<number>', found {device!r}."
        ) from error
    if target.type == "cuda" and (target.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device={device!r} was asked for, but PyTorch sees {torch.cuda.device_count()} CUDA "
            "device(s). Use device='cpu' or None."
        )
    tensor = x if array_api_compat.is_torch_array(x) else torch.asarray(np.array(to_numpy(x)))
    kind = _float_type(array_namespace(tensor), tensor, dtype, name)
    return tensor.to(device=target, dtype=kind)
