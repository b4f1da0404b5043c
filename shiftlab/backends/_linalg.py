"""Linear algebra that can fail, wrapped once: what was repaired is said, never hidden."""

import warnings
from typing import Any

import array_api_compat
import numpy as np

from shiftlab.backends._arrays import Array, array_namespace, to_numpy
from shiftlab.exceptions import DegenerateDataError, InputError, NumericalWarning

__all__ = ["cholesky_psd", "cholesky_solve", "eigh_psd", "logsumexp"]

#: Jitters that are tried in turn, relative to the mean of the diagonal.
JITTERS = (0.0, 1e-12, 1e-10, 1e-8, 1e-6)


def cholesky_psd(matrix: Array) -> tuple[Array, float]:
    """Factor a symmetric positive semidefinite matrix as ``L @ L.T``.

    If the matrix is singular to rounding, the smallest sufficient of the jitters 1e-12 to 1e-6
    times the mean diagonal is added to the diagonal and reported.

    Parameters
    ----------
    matrix : array of shape (n, n)
        Only its lower triangle is read.

    Returns
    -------
    factor : array of shape (n, n)
        Lower triangular.
    jitter : float
        What was added to the diagonal; 0.0 if nothing was.

    Raises
    ------
    DegenerateDataError
        If the largest jitter does not help: the matrix is not positive semidefinite.

    Warns
    -----
    NumericalWarning
        If a jitter was added.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import cholesky_psd
    >>> factor, jitter = cholesky_psd(np.array([[4.0, 2.0], [2.0, 2.0]]))
    >>> factor
    array([[2., 0.], [1., 1.]])
    >>> jitter
    0.0
    """
    xp = array_namespace(matrix)
    _check_square(matrix)
    diagonal = to_numpy(xp.linalg.diagonal(matrix))
    scale = float(abs(diagonal).mean()) or 1.0
    identity = xp.eye(matrix.shape[0], dtype=matrix.dtype, device=matrix.device)
    for jitter in JITTERS:
        repaired = matrix if jitter == 0 else matrix + jitter * scale * identity
        factor = _try_cholesky(xp, repaired)
        if factor is None:
            continue
        if jitter:
            warnings.warn(
                f"A matrix was singular to rounding; {jitter:.0e} times its mean diagonal was "
                "added to the diagonal. Results depend on directions that carry no information.",
                NumericalWarning,
                stacklevel=2,
            )
        return factor, jitter * scale
    raise DegenerateDataError(
        "A matrix that should be positive semidefinite is not: adding 1e-06 times its mean "
        "diagonal did not help. Look for duplicated or constant columns, or increase reg."
    )


def cholesky_solve(matrix: Array, right: Array) -> Array:
    """Solve ``matrix @ solution = right`` for a symmetric positive semidefinite matrix.

    Parameters
    ----------
    matrix : array of shape (n, n)
        Symmetric; repaired as in `cholesky_psd` if it is singular.
    right : array of shape (n,) or (n, k)

    Returns
    -------
    array with the shape of `right`

    Raises
    ------
    DegenerateDataError
        If the matrix is not positive semidefinite.

    Warns
    -----
    NumericalWarning
        If a jitter was added.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import cholesky_solve
    >>> cholesky_solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 2.0]))
    array([1. , 0.5])
    """
    xp = array_namespace(matrix, right)
    factor, _ = cholesky_psd(matrix)
    columns = right[:, None] if right.ndim == 1 else right
    half = _solve_triangular(xp, factor, columns, upper=False)
    solution = _solve_triangular(xp, xp.matrix_transpose(factor), half, upper=True)
    return solution[:, 0] if right.ndim == 1 else solution


def eigh_psd(
    matrix: Array, *, rank: int | None = None, rtol: float | None = None
) -> tuple[Array, Array]:
    """Eigenvalues (largest first) and vectors of a symmetric positive semidefinite matrix.

    Eigenvalues below ``rtol`` times the largest are dropped, so that no negative and no
    meaningless direction is left.

    Parameters
    ----------
    matrix : array of shape (n, n)
        Symmetric.
    rank : int, optional
        Keep at most so many.
    rtol : float, optional
        Default n times the machine precision.

    Returns
    -------
    values : array of shape (r,)
        Positive, decreasing; r may be 0.
    vectors : array of shape (n, r)
        Orthonormal columns.

    Raises
    ------
    InputError
        If the matrix is not square.

    Warns
    -----
    NumericalWarning
        If a negative eigenvalue is larger than rounding can explain.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import eigh_psd
    >>> values, vectors = eigh_psd(np.array([[2.0, 2.0], [2.0, 2.0]]))
    >>> values.round(12), vectors.shape
    (array([4.]), (2, 1))
    """
    xp = array_namespace(matrix)
    _check_square(matrix)
    n = matrix.shape[0]
    values, vectors = xp.linalg.eigh((matrix + xp.matrix_transpose(matrix)) / 2)
    largest = float(xp.max(xp.abs(values)))
    precision = float(xp.finfo(matrix.dtype).eps)
    # Thousandfold room: a Gram matrix carries rounding of its own beside that of eigh.
    if float(values[0]) < -1e3 * n * precision * largest:
        warnings.warn(
            f"A matrix that should be positive semidefinite has the eigenvalue "
            f"{float(values[0]):.2e} (largest {largest:.2e}); negative eigenvalues were set aside.",
            NumericalWarning,
            stacklevel=2,
        )
    threshold = (n * precision if rtol is None else rtol) * largest
    kept = int(xp.sum(xp.astype(values > float(threshold), xp.int64)))
    kept = kept if rank is None else min(kept, rank)
    return xp.flip(values[n - kept :]), xp.flip(vectors[:, n - kept :], axis=1)


def logsumexp(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Logarithm of a sum of exponentials without overflow; a sum of nothing but zeros is -inf.

    Parameters
    ----------
    x : array
        Logarithms; -inf stands for a zero.
    axis : int, optional
        Axis to sum over; None sums over all.
    keepdims : bool, default False
        Keep the summed axis with length 1.

    Returns
    -------
    array

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.backends import logsumexp
    >>> round(float(logsumexp(np.array([1000.0, 1000.0]))) - 1000.0, 6)
    0.693147
    """
    xp = array_namespace(x)
    largest = xp.max(x, axis=axis, keepdims=True)
    shift = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
    total = xp.sum(xp.exp(x - shift), axis=axis, keepdims=True)
    # log(0) would warn in NumPy, although -inf is the wanted answer.
    positive = xp.where(total > 0, total, xp.ones_like(total))
    result = xp.where(total > 0, xp.log(positive) + shift, -xp.inf * xp.ones_like(total))
    if keepdims:
        return result
    return xp.reshape(result, ()) if axis is None else xp.squeeze(result, axis=axis)


def _try_cholesky(xp: Any, matrix: Array) -> Array | None:
    try:
        factor = xp.linalg.cholesky(matrix)
    except (np.linalg.LinAlgError, RuntimeError):  # torch raises a kind of RuntimeError
        return None
    pivots = xp.linalg.diagonal(factor) ** 2
    threshold = 10 * matrix.shape[0] * xp.finfo(matrix.dtype).eps * float(xp.max(pivots))
    return factor if float(xp.min(pivots)) > threshold else None


def _solve_triangular(xp: Any, factor: Array, right: Array, *, upper: bool) -> Array:
    if array_api_compat.is_numpy_namespace(xp):
        from scipy.linalg import solve_triangular

        return solve_triangular(factor, right, lower=not upper)
    if array_api_compat.is_torch_namespace(xp):
        return xp.linalg.solve_triangular(factor, right, upper=upper)
    return xp.linalg.solve(factor, right)


def _check_square(matrix: Array) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"A square matrix is needed, found shape {tuple(matrix.shape)}.")
