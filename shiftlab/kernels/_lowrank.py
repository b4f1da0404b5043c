"""One door to all low-rank factors, random Fourier features, and factors of products."""

from math import prod

import numpy as np

from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import check_integer, check_option
from shiftlab.backends import Array, array_namespace, check_matrix, eigh_psd, row_blocks
from shiftlab.exceptions import InputError
from shiftlab.kernels._factors import Factor, FourierFactor, ProductFactor
from shiftlab.kernels._functions import Delta, Gaussian, Kernel, Laplace, RationalQuadratic
from shiftlab.kernels._landmarks import distinct_rows
from shiftlab.kernels._nystrom import category_factor, cholesky_factor, nystrom_factor
from shiftlab.kernels._product import ProductKernel

__all__ = ["fourier_factor", "low_rank_factor", "product_factor"]

#: Largest matrix whose leading directions are sought when a product is truncated.
MAX_PRODUCT_RANK = 4096


def low_rank_factor(
    kernel: Kernel,
    x: Array,
    *,
    method: str = "auto",
    max_rank: int = 100,
    random_state: RandomState = None,
) -> Factor:
    """Fit a low-rank factor of a kernel.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    x : array of shape (n, d) or (n,)
        Rows to fit to.
    method : {"auto", "nystrom", "cholesky", "fourier", "category", "product"}, default "auto"
        "auto" takes `category_factor` for `Delta`, `product_factor` for a product whose parts are
        exact and small, and `nystrom_factor` otherwise; the other names are the functions.
    max_rank : int, default 100
        Largest number of features.
    random_state : RandomState, optional
        Seed of the methods that draw: Nystroem with several columns, and Fourier.

    Returns
    -------
    Factor
        With `transform(x)`, `rank` and `trace_error(x)`.

    Raises
    ------
    InputError
        If the method is unknown or does not suit the kernel, or values are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.kernels import Gaussian, low_rank_factor
    >>> x = np.linspace(0, 1, 500)
    >>> factor = low_rank_factor(Gaussian(0.5), x, max_rank=20)
    >>> features = factor.transform(x)
    >>> bool(abs(features @ features.T - Gaussian(0.5)(x)).max() < 1e-6)
    True
    """
    options = ("auto", "nystrom", "cholesky", "fourier", "category", "product")
    check_option(method, options, "method")
    x = check_matrix(x)
    if method == "auto":
        method = _method_for(kernel, x, max_rank)
    if method == "category":
        if not isinstance(kernel, Delta):
            raise InputError(f"method='category' needs the kernel Delta(), found {kernel!r}.")
        return category_factor(x, max_rank=max_rank)
    if method == "product":
        return product_factor(kernel, x, max_rank=max_rank, random_state=random_state)
    if method == "cholesky":
        return cholesky_factor(kernel, x, max_rank=max_rank)
    if method == "fourier":
        return fourier_factor(kernel, x, rank=max_rank, random_state=random_state)
    return nystrom_factor(kernel, x, n_landmarks=max_rank, random_state=random_state)


def fourier_factor(
    kernel: Kernel, x: Array, *, rank: int = 200, random_state: RandomState = None
) -> FourierFactor:
    """Random Fourier features of a Gaussian, Laplace or rational quadratic kernel.

    Parameters
    ----------
    kernel : Gaussian, Laplace or RationalQuadratic
        A kernel of differences.
    x : array of shape (n, d) or (n,)
        Only its number of columns is used.
    rank : int, default 200
        Number of features, rounded up to an even one.
    random_state : RandomState, optional
        Seed of the frequencies.

    Returns
    -------
    FourierFactor

    Raises
    ------
    InputError
        If the kernel has no spectral distribution here, or values are missing.

    References
    ----------
    .. [1] A. Rahimi, B. Recht, "Random features for large-scale kernel machines", NeurIPS 2007.

    Examples
    --------
    >>> from shiftlab.kernels import Gaussian, fourier_factor
    >>> factor = fourier_factor(Gaussian(), [0.0, 1.0], rank=4000, random_state=0)
    >>> features = factor.transform([0.0, 1.0])
    >>> (features @ features.T).round(1)
    array([[1. , 0.6],
           [0.6, 1. ]])
    """
    n_columns = check_matrix(x).shape[1]
    shape = (n_columns, (check_integer(rank, "rank") + 1) // 2)
    generator = as_generator(random_state)
    if isinstance(kernel, Gaussian):
        draws = generator.standard_normal(shape)
    elif isinstance(kernel, Laplace):
        draws = generator.standard_cauchy(shape)
    elif isinstance(kernel, RationalQuadratic):
        precision = generator.gamma(kernel.shape, 1.0 / kernel.shape, size=shape[1])
        draws = generator.standard_normal(shape) * np.sqrt(precision)
    else:
        raise InputError(
            f"Fourier features need a Gaussian, Laplace or RationalQuadratic kernel, "
            f"found {kernel!r}; use method='nystrom'."
        )
    lengths = np.broadcast_to(np.asarray(kernel.bandwidth, dtype=np.float64), n_columns)
    return FourierFactor(kernel, draws / lengths[:, None])


def product_factor(
    kernel: Kernel, x: Array, *, max_rank: int | None = None, random_state: RandomState = None
) -> ProductFactor:
    """Factor of a product kernel: all products of one feature per part.

    Parameters
    ----------
    kernel : ProductKernel
        The kernel; each part is factored by ``low_rank_factor(method="auto")``.
    x : array of shape (n, d)
        Rows to fit to.
    max_rank : int, optional
        Keep the directions with the largest weight, so many of them at most (this costs the cube
        of the product of the parts' ranks); parts of numbers have at most `max_rank` features
        themselves. None keeps all products, of parts with at most 100 features each.
    random_state : RandomState, optional
        Seed of the parts.

    Returns
    -------
    ProductFactor

    Raises
    ------
    InputError
        If the kernel is no `ProductKernel`, values are missing, or `max_rank` would have to choose
        from more than 4096 products.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.kernels import Delta, Gaussian, ProductKernel, product_factor
    >>> x = np.array([[0.0, 0], [1.0, 0], [1.0, 1]])
    >>> kernel = ProductKernel([(Gaussian(), [0]), (Delta(), [1])])
    >>> factor = product_factor(kernel, x)
    >>> features = factor.transform(x)
    >>> factor.rank, bool(np.allclose(features @ features.T, kernel(x)))
    (4, True)
    """
    if not isinstance(kernel, ProductKernel):
        raise InputError(f"A ProductKernel is needed, found {kernel!r}.")
    x = check_matrix(x)
    generator = as_generator(random_state)
    parts = []
    for (part, columns), own in zip(kernel.parts, kernel.split(x), strict=True):
        factor: Factor
        if isinstance(part, Delta):
            factor = category_factor(own)
        else:
            factor = low_rank_factor(part, own, max_rank=max_rank or 100, random_state=generator)
        parts.append((factor, columns))
    full = ProductFactor(kernel, tuple(parts))
    if max_rank is None or full.rank <= max_rank:
        return full
    if full.rank > MAX_PRODUCT_RANK:
        raise InputError(
            f"The parts have {full.rank} products of features, too many to choose from "
            f"(at most {MAX_PRODUCT_RANK}); lower max_rank or use method='nystrom'."
        )
    _, directions = eigh_psd(_second_moment(full, x), rank=max_rank)
    return ProductFactor(kernel, full.parts, directions)


def _second_moment(factor: ProductFactor, x: Array) -> Array:
    """Sum of the outer products of the features, without holding all features at once."""
    xp = array_namespace(x)
    total = None
    for rows in row_blocks(x.shape[0], 16 * factor.rank):
        features = factor.transform(x[rows, :])
        block = xp.matrix_transpose(features) @ features
        total = block if total is None else total + block
    return total


def _method_for(kernel: Kernel, x: Array, max_rank: int) -> str:
    if isinstance(kernel, Delta):
        return "category"
    if isinstance(kernel, ProductKernel):
        counts = [len(distinct_rows(own)[0]) for own in kernel.split(x)]
        return "product" if prod(counts) <= max_rank else "nystrom"
    return "nystrom"
