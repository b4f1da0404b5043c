"""Gram matrices, their centring, and reductions of them that never form n x n numbers."""

from typing import Any

from shiftlab.backends import (
    Array,
    array_namespace,
    check_matrix,
    default_max_bytes,
    pair_blocks,
    to_device,
)
from shiftlab.exceptions import InputError
from shiftlab.kernels._functions import Delta, Kernel
from shiftlab.kernels._shortcuts import category_trace, shortcut_product

__all__ = ["centre_features", "centre_gram", "gram", "gram_product", "gram_sum", "gram_trace"]


def gram(kernel: Kernel, x: Any, y: Any = None, *, device: str | None = None) -> Array:
    """Return the full Gram matrix; it takes 8 n_x n_y bytes.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    x : array of shape (n_x, d) or (n_x,)
        Finite numbers; converted to float64.
    y : array of shape (n_y, d), optional
        Default `x`.
    device : str, optional
        None computes where `x` lives; "cpu", "cuda", "cuda:1" with PyTorch there.

    Returns
    -------
    array of shape (n_x, n_y)

    Raises
    ------
    InputError
        If values are missing, the columns do not match, or the device does not exist.

    Examples
    --------
    >>> from shiftlab.kernels import Gaussian, gram
    >>> gram(Gaussian(), [0.0, 1.0]).round(4)
    array([[1.    , 0.6065],
           [0.6065, 1.    ]])
    """
    left = check_matrix(to_device(x, device))
    right = None if y is None else check_matrix(to_device(y, device, name="y"), "y")
    return kernel(left, right)


def centre_gram(matrix: Array) -> Array:
    """Centre a Gram matrix in feature space: ``H K H`` with ``H = I - 1 1' / n``.

    Parameters
    ----------
    matrix : array of shape (n, n)
        Symmetric.

    Returns
    -------
    array of shape (n, n)
        Its rows and columns sum to 0.

    Raises
    ------
    InputError
        If the matrix is not square.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.kernels import centre_gram
    >>> centre_gram(np.eye(2))
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"A Gram matrix is square, found shape {tuple(matrix.shape)}.")
    xp = array_namespace(matrix)
    means = xp.mean(matrix, axis=0)
    result = matrix - (means - xp.mean(means))[None, :]
    result -= means[:, None]
    return result


def centre_features(features: Array, *, mean: Array | None = None) -> Array:
    """Subtract the mean feature, which centres ``features @ features.T``.

    Parameters
    ----------
    features : array of shape (n, r)
        From a low-rank factor.
    mean : array of shape (r,), optional
        Mean to subtract, for instance of the rows a factor was fitted to; default that of
        `features`.

    Returns
    -------
    array of shape (n, r)

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.kernels import centre_features
    >>> centre_features(np.array([[1.0], [3.0]]))
    array([[-1.],
           [ 1.]])
    """
    xp = array_namespace(features)
    return features - (xp.mean(features, axis=0) if mean is None else mean)[None, :]


def gram_product(
    kernel: Kernel,
    x: Array,
    vectors: Array,
    *,
    y: Array | None = None,
    max_bytes: int | None = None,
) -> Array:
    """Multiply a Gram matrix by vectors, block by block.

    `Delta` and, in one column, `Energy` take exact shortcuts with about n operations instead of
    n^2. Many quantities are such products: row sums (a vector of ones), group sums (indicators of
    the groups), all permutations of a two-sample statistic at once (one column each).

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    x : array of shape (n_x, d) or (n_x,)
        Rows of the Gram matrix.
    vectors : array of shape (n_y,) or (n_y, k)
        What to multiply by.
    y : array of shape (n_y, d), optional
        Columns of the Gram matrix; default `x`, and then half of the kernel values are computed.
    max_bytes : int, optional
        Bound on the memory of one block of the Gram matrix; default
        8 MiB on the host, 512 MiB on an accelerator.

    Returns
    -------
    array of shape (n_x,) or (n_x, k)

    Raises
    ------
    InputError
        If the lengths do not match or values are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.kernels import Delta, gram_product
    >>> gram_product(Delta(), [0, 1, 1], np.ones(3))
    array([1., 2., 2.])
    """
    left = check_matrix(x)
    right = left if y is None else check_matrix(y, "y")
    vectors = to_device(vectors, dtype="input", name="vectors")
    xp = array_namespace(left, right, vectors)
    columns = vectors[:, None] if vectors.ndim == 1 else vectors
    if columns.shape[0] != right.shape[0]:
        raise InputError(
            f"vectors has {columns.shape[0]} rows, but {right.shape[0]} are needed: "
            "one per column of the Gram matrix."
        )
    columns = xp.astype(columns, left.dtype, copy=False)
    result = shortcut_product(kernel, left, right, columns)
    if result is None:
        max_bytes = default_max_bytes(left) if max_bytes is None else max_bytes
        result = _blocked_product(kernel, left, None if y is None else right, columns, max_bytes)
    return result[:, 0] if vectors.ndim == 1 else result


def gram_sum(
    kernel: Kernel, x: Array, y: Array | None = None, *, max_bytes: int | None = None
) -> float:
    """Add up all entries of a Gram matrix, block by block.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    x : array of shape (n_x, d) or (n_x,)
        Rows.
    y : array of shape (n_y, d), optional
        Columns; default `x`, the diagonal included.
    max_bytes : int, optional
        Bound on the memory of one block; default
        8 MiB on the host, 512 MiB on an accelerator.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If values are missing or the columns do not match.

    Examples
    --------
    >>> from shiftlab.kernels import Delta, gram_sum
    >>> gram_sum(Delta(), [0, 1, 1])
    5.0
    """
    right = check_matrix(x if y is None else y, "x" if y is None else "y")
    ones = array_namespace(right).ones_like(right[:, 0])
    product = gram_product(kernel, x, ones, y=None if y is None else right, max_bytes=max_bytes)
    return float(array_namespace(product).sum(product))


def gram_trace(
    kernel_x: Kernel,
    x: Array,
    kernel_y: Kernel,
    y: Array,
    *,
    centred: bool = True,
    max_bytes: int | None = None,
) -> float:
    """Trace of the product of two Gram matrices over the same rows, block by block.

    Parameters
    ----------
    kernel_x : Kernel
        Kernel of `x`.
    x : array of shape (n, d_x) or (n,)
        First variable.
    kernel_y : Kernel
        Kernel of `y`.
    y : array of shape (n, d_y) or (n,)
        Second variable, row by row beside `x`.
    centred : bool, default True
        True gives ``trace(K H L H)``, which is n^2 times the biased estimate of HSIC; False gives
        ``trace(K L)``.
    max_bytes : int, optional
        Bound on the memory of a pair of blocks; default
        8 MiB on the host, 512 MiB on an accelerator.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If `x` and `y` differ in length or values are missing.

    References
    ----------
    .. [1] A. Gretton, O. Bousquet, A. Smola, B. Schölkopf, "Measuring statistical dependence with
       Hilbert-Schmidt norms", ALT 2005.

    Examples
    --------
    >>> from shiftlab.kernels import Delta, gram_trace
    >>> gram_trace(Delta(), [0, 0, 1, 1], Delta(), [0, 0, 1, 1], centred=False)
    8.0
    >>> gram_trace(Delta(), [0, 0, 1, 1], Delta(), [0, 1, 0, 1])
    0.0
    """
    left, right = check_matrix(x), check_matrix(y, "y")
    xp = array_namespace(left, right)
    n = left.shape[0]
    if right.shape[0] != n:
        raise InputError(f"x has {n} rows, but y has {right.shape[0]}; they must be paired.")
    if isinstance(kernel_x, Delta) and isinstance(kernel_y, Delta):
        counted = category_trace(left, right, centred=centred)
        if counted is not None:
            return counted
    max_bytes = default_max_bytes(left) if max_bytes is None else max_bytes
    trace = 0.0
    sums = [xp.zeros_like(left[:, 0]), xp.zeros_like(right[:, 0])]
    # Two Gram blocks are alive at once, hence twice the memory per pair.
    for rows, others in pair_blocks(n, bytes_per_pair=48, max_bytes=max_bytes):
        blocks = [kernel_x(left[rows, :], left[others, :])]
        blocks.append(kernel_y(right[rows, :], right[others, :]))
        twice = rows != others
        trace += (1 + twice) * float(xp.sum(blocks[0] * blocks[1]))
        for total, block in zip(sums, blocks, strict=True):
            total[rows] += xp.sum(block, axis=1)
            if twice:
                total[others] += xp.sum(block, axis=0)
    if not centred:
        return trace
    grand = float(xp.sum(sums[0])) * float(xp.sum(sums[1]))
    return trace - 2.0 / n * float(xp.sum(sums[0] * sums[1])) + grand / n**2


def _blocked_product(
    kernel: Kernel, x: Array, y: Array | None, vectors: Array, max_bytes: int
) -> Array:
    xp = array_namespace(x)
    right = x if y is None else y
    shape = (x.shape[0], vectors.shape[1])
    result = xp.zeros(shape, dtype=x.dtype, device=x.device)
    n_right = None if y is None else right.shape[0]
    for rows, others in pair_blocks(x.shape[0], n_right, max_bytes=max_bytes):
        block = kernel(x[rows, :], right[others, :])
        result[rows, :] += block @ vectors[others, :]
        if y is None and rows != others:
            result[others, :] += xp.matrix_transpose(block) @ vectors[rows, :]
    return result
