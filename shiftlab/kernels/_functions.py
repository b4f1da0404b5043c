"""Kernel functions: small frozen objects that turn rows into Gram matrices.

Every kernel works on matrices whose rows are observations, keeps the array library and the
precision of its input, and is symmetric and positive semidefinite.
"""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import array_api_compat
import numpy as np

from shiftlab.backends import Array, array_namespace, check_matrix, check_same_columns
from shiftlab.exceptions import InputError

__all__ = ["Bandwidth", "Delta", "Energy", "Gaussian", "Kernel", "Laplace", "RationalQuadratic"]

#: One length for all columns, or one per column.
Bandwidth: TypeAlias = float | tuple[float, ...]


@runtime_checkable
class Kernel(Protocol):
    """What tests, distances and low-rank factors ask of a kernel."""

    def __call__(self, x: Array, y: Array | None = None) -> Array:
        """Return the Gram matrix of shape (n_x, n_y); `y` is `x` if it is not given."""

    def diagonal(self, x: Array) -> Array:
        """Return k(x_i, x_i) for each row, shape (n_x,)."""

    def with_bandwidth(self, bandwidth: Bandwidth) -> "Kernel":
        """Return the same kernel with another bandwidth."""


@dataclass(frozen=True)
class _ScaledKernel:
    """A kernel of the columns divided by a bandwidth; children say what they do with them."""

    bandwidth: Bandwidth = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "bandwidth", _check_bandwidth(self.bandwidth))

    def __call__(self, x: Array, y: Array | None = None) -> Array:
        """Return the Gram matrix of shape (n_x, n_y).

        Parameters
        ----------
        x : array of shape (n_x, d) or (n_x,)
            Finite numbers.
        y : array of shape (n_y, d), optional
            Default `x`.

        Returns
        -------
        array of shape (n_x, n_y)

        Raises
        ------
        InputError
            If values are missing or the columns do not match each other or the bandwidth.
        """
        left = self._scaled(x, "x")
        if y is None:
            return self._evaluate(left, left)
        right = self._scaled(y, "y")
        check_same_columns(left, right)
        return self._evaluate(left, right)

    def diagonal(self, x: Array) -> Array:
        """Return k(x_i, x_i) for each row: ones, or what the kernel says otherwise."""
        x = check_matrix(x)
        return array_namespace(x).ones_like(x[:, 0])

    def with_bandwidth(self, bandwidth: Bandwidth) -> Self:
        """Return the same kernel with another bandwidth."""
        return replace(self, bandwidth=bandwidth)

    def _scaled(self, x: Array, name: str) -> Array:
        x = check_matrix(x, name)
        if not isinstance(self.bandwidth, tuple):
            return x / self.bandwidth
        if len(self.bandwidth) != x.shape[1]:
            raise InputError(
                f"bandwidth has {len(self.bandwidth)} lengths, but {name} has {x.shape[1]} "
                "column(s); give one length, or one per column."
            )
        xp = array_namespace(x)
        return x / xp.asarray(self.bandwidth, dtype=x.dtype, device=x.device)

    def _evaluate(self, x: Array, y: Array) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class Gaussian(_ScaledKernel):
    """Gaussian kernel ``exp(-|x - y|^2 / (2 bandwidth^2))``.

    Parameters
    ----------
    bandwidth : float or tuple of float, default 1.0
        Length in the units of the columns; a tuple gives one per column.

    Examples
    --------
    >>> from shiftlab.kernels import Gaussian
    >>> Gaussian(bandwidth=2.0)([0.0, 2.0]).round(4)
    array([[1.    , 0.6065],
           [0.6065, 1.    ]])
    """

    def _evaluate(self, x: Array, y: Array) -> Array:
        distances = squared_distances(x, y)
        distances *= -0.5
        return _in_place("exp", distances)


@dataclass(frozen=True)
class Laplace(_ScaledKernel):
    """Laplace kernel ``exp(-sum_j |x_j - y_j| / bandwidth)``, less smooth than the Gaussian.

    The city-block distance makes it a product over columns, and random Fourier features simple.

    Parameters
    ----------
    bandwidth : float or tuple of float, default 1.0
        Length in the units of the columns; a tuple gives one per column.

    Examples
    --------
    >>> from shiftlab.kernels import Laplace
    >>> Laplace()([0.0, 1.0])[0].round(4)
    array([1.    , 0.3679])
    """

    def _evaluate(self, x: Array, y: Array) -> Array:
        distances = city_block_distances(x, y)
        distances *= -1.0
        return _in_place("exp", distances)


@dataclass(frozen=True)
class RationalQuadratic(_ScaledKernel):
    """Rational quadratic kernel ``(1 + |x - y|^2 / (2 shape bandwidth^2))^(-shape)``.

    A mixture of Gaussian kernels over bandwidths; large `shape` gives the Gaussian kernel.

    Parameters
    ----------
    bandwidth : float or tuple of float, default 1.0
        Length in the units of the columns; a tuple gives one per column.
    shape : float, default 1.0
        Decay of the tail; positive.

    Examples
    --------
    >>> from shiftlab.kernels import RationalQuadratic
    >>> RationalQuadratic(shape=0.5)([0.0, 2.0])[0].round(4)
    array([1.    , 0.4472])
    """

    shape: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "shape", _check_positive(self.shape, "shape"))

    def _evaluate(self, x: Array, y: Array) -> Array:
        distances = squared_distances(x, y)
        distances *= 0.5 / self.shape
        distances += 1.0
        distances **= -self.shape
        return distances


@dataclass(frozen=True)
class Energy(_ScaledKernel):
    """Kernel of the energy distance, ``(|x| + |y| - |x - y|) / 2`` after scaling [1]_.

    Twice the squared maximum mean discrepancy with this kernel is the energy distance, and HSIC
    with it is a quarter of the squared distance covariance. Its diagonal is not constant. Centre
    columns that lie far from 0 first: nothing changes but rounding.

    Parameters
    ----------
    bandwidth : float or tuple of float, default 1.0
        The columns are divided by it.

    References
    ----------
    .. [1] D. Sejdinovic, B. Sriperumbudur, A. Gretton, K. Fukumizu, "Equivalence of distance-based
       and RKHS-based statistics in hypothesis testing", Annals of Statistics 41(5), 2013.

    Examples
    --------
    >>> from shiftlab.kernels import Energy
    >>> Energy()([-1.0, 1.0, 3.0])
    array([[1., 0., 0.],
           [0., 1., 1.],
           [0., 1., 3.]])
    """

    def diagonal(self, x: Array) -> Array:
        """Return k(x_i, x_i) for each row: the length of the scaled row."""
        return _lengths(self._scaled(x, "x"))

    def _evaluate(self, x: Array, y: Array) -> Array:
        # Lengths are added first: the order of this sum keeps the matrix symmetric to the bit.
        result = _lengths(x)[:, None] + _lengths(y)[None, :]
        result -= _in_place("sqrt", squared_distances(x, y))
        result *= 0.5
        return result


@dataclass(frozen=True)
class Delta:
    """Kernel of categories: 1 if two rows agree in every column, else 0.

    Examples
    --------
    >>> from shiftlab.kernels import Delta
    >>> Delta()([0, 1, 1])
    array([[1., 0., 0.],
           [0., 1., 1.],
           [0., 1., 1.]])
    """

    def __call__(self, x: Array, y: Array | None = None) -> Array:
        """Return the Gram matrix of shape (n_x, n_y).

        Parameters
        ----------
        x : array of shape (n_x, d) or (n_x,)
            Integer codes of categories.
        y : array of shape (n_y, d), optional
            Default `x`.

        Returns
        -------
        array of shape (n_x, n_y)

        Raises
        ------
        InputError
            If values are missing or the columns do not match.
        """
        left = check_matrix(x)
        right = left if y is None else check_matrix(y, "y")
        check_same_columns(left, right)
        equal = left[:, None, 0] == right[None, :, 0]
        for j in range(1, left.shape[1]):
            equal &= left[:, None, j] == right[None, :, j]
        return array_namespace(left).astype(equal, left.dtype)

    def diagonal(self, x: Array) -> Array:
        """Return ones, one per row."""
        x = check_matrix(x)
        return array_namespace(x).ones_like(x[:, 0])

    def with_bandwidth(self, bandwidth: Bandwidth) -> "Delta":
        """Return the kernel itself: categories have no scale."""
        return self


def squared_distances(x: Array, y: Array) -> Array:
    """Square the Euclidean distances between rows; differences first, so nothing cancels."""
    xp = array_namespace(x)
    if array_api_compat.is_numpy_namespace(xp):
        return _scipy_distances(x, y, "sqeuclidean")
    total = (x[:, 0][:, None] - y[:, 0][None, :]) ** 2
    for j in range(1, x.shape[1]):
        total += (x[:, j][:, None] - y[:, j][None, :]) ** 2
    return total


def city_block_distances(x: Array, y: Array) -> Array:
    """Add up the absolute differences of the columns, for each pair of rows."""
    xp = array_namespace(x)
    if array_api_compat.is_numpy_namespace(xp):
        return _scipy_distances(x, y, "cityblock")
    total = xp.abs(x[:, 0][:, None] - y[:, 0][None, :])
    for j in range(1, x.shape[1]):
        total += xp.abs(x[:, j][:, None] - y[:, j][None, :])
    return total


def _scipy_distances(x: np.ndarray, y: np.ndarray, metric: Any) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(x, y, metric).astype(np.result_type(x, y), copy=False)


def _in_place(function: str, values: Array) -> Array:
    """Apply a function; NumPy writes into `values`, which saves the larger part of the time."""
    xp = array_namespace(values)
    if array_api_compat.is_numpy_namespace(xp):
        return getattr(np, function)(values, out=values)
    return getattr(xp, function)(values)


def _lengths(x: Array) -> Array:
    xp = array_namespace(x)
    return xp.sqrt(xp.sum(x * x, axis=1))


def _check_bandwidth(bandwidth: Any) -> Bandwidth:
    if isinstance(bandwidth, (tuple, list, np.ndarray)) and np.ndim(bandwidth) == 1:
        return tuple(_check_positive(value, "bandwidth") for value in bandwidth)
    return _check_positive(bandwidth, "bandwidth")


def _check_positive(value: Any, name: str) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 < float(value) < np.inf:
        raise InputError(f"{name} must be a positive finite number, found {value!r}.")
    return float(value)
