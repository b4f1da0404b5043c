"""Rules for the bandwidth of a kernel; each survives ties, constants and heavy tails.

A rule is computed from the data once and gives plain numbers, so it is done in NumPy whatever
library the data live in.
"""

from typing import Any, Literal, TypeAlias

import numpy as np

from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import check_option
from shiftlab.backends import Array, check_matrix, to_numpy
from shiftlab.kernels._functions import Bandwidth, Gaussian

__all__ = [
    "choose_bandwidth",
    "median_bandwidth",
    "robust_scale",
    "scott_bandwidth",
    "silverman_bandwidth",
]

Metric: TypeAlias = Literal["euclidean", "cityblock"]

#: Interquartile range of the standard normal distribution.
NORMAL_IQR = 1.3489795003921634


def median_bandwidth(
    x: Array,
    *,
    metric: Metric = "euclidean",
    max_rows: int = 1000,
    random_state: RandomState = 0,
) -> float:
    """Median of the distances between different rows.

    If more than half of the pairs are ties, the median of the positive distances is taken; if all
    rows are equal, 1.0. The rule scales with the data: ``median_bandwidth(c * x)`` is ``c`` times
    ``median_bandwidth(x)``.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns) or (n_rows,)
        Finite numbers.
    metric : {"euclidean", "cityblock"}, default "euclidean"
        City-block distances suit the Laplace kernel.
    max_rows : int, default 1000
        Larger samples are thinned: one column to evenly spaced quantiles (no randomness, and no
        dependence on the order of the rows), several columns to rows drawn at random.
    random_state : RandomState, default 0
        Seed of that draw; fixed by default, so that equal data give equal bandwidths.

    Returns
    -------
    float
        Positive.

    Raises
    ------
    InputError
        If values are missing or infinite.

    References
    ----------
    .. [1] A. Gretton, K. Borgwardt, M. Rasch, B. Schölkopf, A. Smola, "A kernel two-sample test",
       JMLR 13, 2012, section 8.

    Examples
    --------
    >>> from shiftlab.kernels import median_bandwidth
    >>> median_bandwidth([0.0, 1.0, 3.0])
    2.0
    >>> median_bandwidth([0.0, 0.0, 0.0, 0.0, 4.0]), median_bandwidth([7.0, 7.0])
    (4.0, 1.0)
    """
    from scipy.spatial.distance import pdist

    check_option(metric, ("euclidean", "cityblock"), "metric")
    rows = _thin(to_numpy(check_matrix(x)).astype(np.float64), max_rows, random_state)
    rows = rows - np.median(rows, axis=0)
    # Squares of very large or very small numbers would leave the range of floats.
    unit = float(np.abs(rows).max())
    if len(rows) < 2 or unit == 0.0:
        return 1.0
    distances = pdist(rows / unit, metric)
    median = float(np.median(distances))
    if median == 0.0:
        positive = distances[distances > 0]
        median = float(np.median(positive)) if len(positive) else 0.0
    return median * unit or 1.0


def silverman_bandwidth(x: Array) -> tuple[float, ...]:
    """Silverman's rule per column: ``0.9 scale n^(-1/5)``, in d columns with power -1/(d + 4).

    Parameters
    ----------
    x : array of shape (n_rows, n_columns) or (n_rows,)
        Finite numbers.

    Returns
    -------
    tuple of float
        One positive length per column; `robust_scale` is the scale.

    Raises
    ------
    InputError
        If values are missing or infinite.

    References
    ----------
    .. [1] B. W. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, eq. 3.31.

    Examples
    --------
    >>> from shiftlab.kernels import silverman_bandwidth
    >>> [round(b, 3) for b in silverman_bandwidth([0.0, 1.0, 2.0, 3.0, 4.0])]
    [0.967]
    """
    matrix = check_matrix(x)
    n_rows, n_columns = matrix.shape
    factor = 0.9 * n_rows ** (-1.0 / (n_columns + 4))
    return tuple(factor * scale for scale in robust_scale(matrix))


def scott_bandwidth(x: Array) -> tuple[float, ...]:
    """Scott's rule per column: ``scale n^(-1/(d + 4))``.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns) or (n_rows,)
        Finite numbers.

    Returns
    -------
    tuple of float
        One positive length per column; `robust_scale` is the scale.

    Raises
    ------
    InputError
        If values are missing or infinite.

    References
    ----------
    .. [1] D. W. Scott, "Multivariate Density Estimation", 1992, eq. 6.42.

    Examples
    --------
    >>> from shiftlab.kernels import scott_bandwidth
    >>> [round(b, 3) for b in scott_bandwidth([0.0, 1.0, 2.0, 3.0, 4.0])]
    [1.075]
    """
    matrix = check_matrix(x)
    n_rows, n_columns = matrix.shape
    return tuple(n_rows ** (-1.0 / (n_columns + 4)) * scale for scale in robust_scale(matrix))


def robust_scale(x: Array) -> tuple[float, ...]:
    """Scale of each column: the smaller of standard deviation and IQR / 1.349.

    A heavy tail inflates the standard deviation only, more than half of ties make the
    interquartile range (IQR) vanish: the one that survives is taken. A constant column has scale 1.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns) or (n_rows,)
        Finite numbers.

    Returns
    -------
    tuple of float
        Positive; the standard deviation divides by n - 1.

    Raises
    ------
    InputError
        If values are missing or infinite.

    Examples
    --------
    >>> from shiftlab.kernels import robust_scale
    >>> robust_scale([5.0, 5.0, 5.0])
    (1.0,)
    >>> round(robust_scale([0.0, 1.0, 2.0, 3.0, 1e6])[0], 3)
    1.483
    """
    matrix = to_numpy(check_matrix(x)).astype(np.float64)
    centred = matrix - np.median(matrix, axis=0)
    unit = np.abs(centred).max(axis=0)
    safe = np.where(unit > 0, unit, 1.0)
    low, high = np.quantile(centred / safe, [0.25, 0.75], axis=0)
    robust = (high - low) / NORMAL_IQR
    deviation = np.std(centred / safe, axis=0, ddof=1) if len(matrix) > 1 else np.zeros_like(unit)
    scale = np.where(robust > 0, np.minimum(robust, deviation), deviation) * safe
    return tuple(float(s) if s > 0 else 1.0 for s in scale)


def choose_bandwidth(
    x: Array,
    rule: Any = "median",
    *,
    metric: Metric = "euclidean",
    max_rows: int = 1000,
    random_state: RandomState = 0,
) -> Bandwidth:
    """Apply a bandwidth rule by name, or take a fixed bandwidth as it is.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns) or (n_rows,)
        Finite numbers.
    rule : {"median", "silverman", "scott"}, float or tuple of float, default "median"
        Name of the rule, or the bandwidth itself.
    metric, max_rows, random_state
        As in `median_bandwidth`; the other rules do not need them.

    Returns
    -------
    float or tuple of float

    Raises
    ------
    InputError
        If the rule is unknown or a fixed bandwidth is not positive.

    Examples
    --------
    >>> from shiftlab.kernels import choose_bandwidth
    >>> choose_bandwidth([0.0, 1.0, 3.0]), choose_bandwidth([0.0, 1.0], 0.5)
    (2.0, 0.5)
    """
    if not isinstance(rule, str):
        return Gaussian(rule).bandwidth
    check_option(rule, ("median", "silverman", "scott"), "bandwidth")
    if rule == "median":
        return median_bandwidth(x, metric=metric, max_rows=max_rows, random_state=random_state)
    return silverman_bandwidth(x) if rule == "silverman" else scott_bandwidth(x)


def _thin(x: np.ndarray, max_rows: int, random_state: RandomState) -> np.ndarray:
    n_rows, n_columns = x.shape
    if n_rows <= max_rows:
        return x
    if n_columns == 1:
        return np.sort(x, axis=0)[((np.arange(max_rows) + 0.5) * n_rows / max_rows).astype(int)]
    return x[as_generator(random_state).choice(n_rows, max_rows, replace=False)]
