"""Factors that compare all rows with a few of them: Nystroem, pivoted Cholesky, categories."""

import warnings

import numpy as np

from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import check_integer, check_option
from shiftlab.backends import Array, array_namespace, check_matrix
from shiftlab.exceptions import InputError, NumericalWarning
from shiftlab.kernels._factors import LandmarkFactor
from shiftlab.kernels._functions import Delta, Kernel
from shiftlab.kernels._landmarks import choose_landmarks, distinct_rows, inverse_root, take_rows

__all__ = ["category_factor", "cholesky_factor", "nystrom_factor"]


def nystrom_factor(
    kernel: Kernel,
    x: Array,
    *,
    n_landmarks: int = 100,
    landmarks: str = "auto",
    random_state: RandomState = None,
) -> LandmarkFactor:
    """Nystroem factor: compare all rows with a few landmarks.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    x : array of shape (n, d) or (n,)
        Rows to fit to. If they hold no more than `n_landmarks` distinct rows, all of these become
        landmarks and the factor is exact.
    n_landmarks : int, default 100
        Largest number of landmarks, hence of features; directions without weight are dropped.
    landmarks : {"auto", "spaced", "random", "leverage"}, default "auto"
        "spaced" is for one column: denser where the data are, but less so than quantiles, which
        would miss the tails; nothing is drawn and the order of the rows does not matter. "random"
        draws rows. "leverage" draws rows in proportion to approximate ridge leverage scores [1]_,
        which spends landmarks on rare regions. "auto" is "spaced" for one column and "leverage"
        for more.
    random_state : RandomState, optional
        Seed of the draw.

    Returns
    -------
    LandmarkFactor

    Raises
    ------
    InputError
        If an option is unknown, "spaced" meets several columns, or values are missing.

    References
    ----------
    .. [1] C. Musco, C. Musco, "Recursive sampling for the Nyström method", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.kernels import Laplace, nystrom_factor
    >>> x = np.array([0.0, 1.0, 1.0, 2.0, 0.0])
    >>> factor = nystrom_factor(Laplace(), x)
    >>> factor.rank, round(factor.trace_error(x), 9)
    (3, 0.0)
    """
    x = check_matrix(x)
    check_integer(n_landmarks, "n_landmarks")
    check_option(landmarks, ("auto", "spaced", "random", "leverage"), "landmarks")
    if landmarks == "spaced" and x.shape[1] > 1:
        raise InputError(
            f"landmarks='spaced' needs one column, found {x.shape[1]}; use 'leverage' or 'random'."
        )
    if landmarks == "auto":
        landmarks = "spaced" if x.shape[1] == 1 else "leverage"
    chosen = choose_landmarks(kernel, x, n_landmarks, landmarks, as_generator(random_state))
    return LandmarkFactor(kernel, chosen, inverse_root(kernel(chosen)))


def cholesky_factor(
    kernel: Kernel, x: Array, *, max_rank: int = 100, rtol: float = 1e-6
) -> LandmarkFactor:
    """Pivoted incomplete Cholesky factor: greedy, without randomness.

    Each step adds the row that the features so far explain least. It stops when the trace of what
    is left falls to `rtol` times the trace of the kernel, or at `max_rank`; `trace_error` then
    tells what is left. Smooth kernels need few steps; with heavy tails the outliers come first,
    and `nystrom_factor` is the better choice.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    x : array of shape (n, d) or (n,)
        Rows to fit to.
    max_rank : int, default 100
        Largest number of features.
    rtol : float, default 1e-6
        Share of the trace that may be left out.

    Returns
    -------
    LandmarkFactor
        Its landmarks are the pivots.

    Raises
    ------
    InputError
        If an option is out of range or values are missing.

    References
    ----------
    .. [1] S. Fine, K. Scheinberg, "Efficient SVM training using low-rank kernel representations",
       JMLR 2, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.kernels import Gaussian, cholesky_factor
    >>> x = np.linspace(0, 1, 200)
    >>> factor = cholesky_factor(Gaussian(), x, rtol=1e-3)
    >>> factor.rank, factor.trace_error(x) <= 1e-3 * 200
    (3, True)
    """
    x = check_matrix(x)
    max_rank = min(check_integer(max_rank, "max_rank"), x.shape[0])
    if not 0 <= rtol < 1:
        raise InputError(f"rtol must lie in [0, 1), found {rtol!r}.")
    xp = array_namespace(x)
    left = xp.asarray(kernel.diagonal(x), copy=True)
    trace, largest = float(xp.sum(left)), float(xp.max(left))
    # A pivot below the square root of the precision would divide rounding by rounding.
    smallest = largest * float(xp.finfo(x.dtype).eps) ** 0.75
    features = xp.zeros((x.shape[0], max_rank), dtype=x.dtype, device=x.device)
    pivots: list[int] = []
    for k in range(max_rank):
        pivot = int(xp.argmax(left))
        if float(left[pivot]) <= smallest or float(xp.sum(left)) <= rtol * trace:
            break
        column = kernel(x, x[pivot : pivot + 1, :])[:, 0]
        column = column - features[:, :k] @ features[pivot, :k]
        features[:, k] = column / float(left[pivot]) ** 0.5
        left = xp.clip(left - features[:, k] ** 2, min=0.0)
        left[pivot] = 0.0
        pivots.append(pivot)
    indices = np.array(pivots, dtype=np.int64)
    corner = take_rows(features[:, : len(pivots)], indices)
    return LandmarkFactor(kernel, take_rows(x, indices), xp.matrix_transpose(xp.linalg.inv(corner)))


def category_factor(x: Array, *, max_rank: int | None = None) -> LandmarkFactor:
    """Exact factor of the kernel `Delta`: one indicator feature per category.

    Parameters
    ----------
    x : array of shape (n, d) or (n,)
        Codes of categories; several columns are read as one combined category. A category that
        does not occur here gets a row of zeros later.
    max_rank : int, optional
        Keep only so many categories, the most frequent ones; the others get rows of zeros, and
        `trace_error` counts them. None keeps all.

    Returns
    -------
    LandmarkFactor

    Raises
    ------
    InputError
        If values are missing or `max_rank` is no positive integer.

    Warns
    -----
    NumericalWarning
        If `max_rank` leaves categories out.

    Examples
    --------
    >>> from shiftlab.kernels import category_factor
    >>> category_factor([3, 1, 3]).transform([3, 1, 3])
    array([[0., 1.],
           [1., 0.],
           [0., 1.]])
    """
    x = check_matrix(x)
    first, counts = distinct_rows(x)
    if max_rank is not None and len(first) > check_integer(max_rank, "max_rank"):
        kept = np.sort(np.argsort(-counts, kind="stable")[:max_rank])
        warnings.warn(
            f"{len(first)} categories, but max_rank={max_rank}: the rarest "
            f"{len(first) - max_rank} of them ({counts.sum() - counts[kept].sum()} rows) carry no "
            "information in the factor.",
            NumericalWarning,
            stacklevel=2,
        )
        first = first[kept]
    return LandmarkFactor(Delta(), take_rows(x, first))
