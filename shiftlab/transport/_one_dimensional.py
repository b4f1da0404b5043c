"""Wasserstein distances on the line, column by column, from sorted values.

On the line the optimal plan matches quantiles, so that sorting solves the problem exactly.
"""

from typing import Any

import numpy as np
from array_api_compat import device, is_torch_array

from shiftlab.transport._samples import check_power, read_mass, read_pair

__all__ = ["quantile_matching", "sorted_cost", "wasserstein_1d"]


def wasserstein_1d(
    x: Any, y: Any, p: float = 1, *, x_weights: Any = None, y_weights: Any = None
) -> Any:
    r"""Return the p-Wasserstein distance of each column of two samples.

    .. math:: W_p^p = \int_0^1 |F_x^{-1}(u) - F_y^{-1}(u)|^p \, du

    Parameters
    ----------
    x : array of shape (n_x,) or (n_x, d)
        NumPy or torch. A torch tensor stays on its device.
    y : array of shape (n_y,) or (n_y, d)
    p : float, default 1
        Power of the ground distance, at least 1.
    x_weights, y_weights : array of shape (n_x,), (n_y,), optional
        Row weights, scaled to sum 1; equal by default.

    Returns
    -------
    float or array of shape (d,)
        In the units of the columns; a float if both inputs are one-dimensional.

    Raises
    ------
    InputError
        If the columns differ, a value is missing, a weight is negative or `p` is below 1.

    References
    ----------
    Peyré and Cuturi (2019), Computational Optimal Transport, remark 2.30.

    Examples
    --------
    >>> from shiftlab.transport import wasserstein_1d
    >>> wasserstein_1d([0.0, 1.0, 3.0], [5.0, 6.0, 8.0])
    5.0
    >>> wasserstein_1d([0.0], [0.0, 2.0], p=2)  # half of the mass moves by 2
    1.4142135623730951
    """
    p = check_power(p)
    is_flat = getattr(x, "ndim", np.ndim(x)) == 1 and getattr(y, "ndim", np.ndim(y)) == 1
    x, y, xp = read_pair(x, y)
    a = read_mass(x_weights, x.shape[0], "x_weights")
    b = read_mass(y_weights, y.shape[0], "y_weights")
    if a is None and b is None:
        cost = sorted_cost(xp.sort(x, axis=0), xp.sort(y, axis=0), p, xp)
    else:
        a = np.full(x.shape[0], 1 / x.shape[0]) if a is None else a
        b = np.full(y.shape[0], 1 / y.shape[0]) if b is None else b
        cost = _weighted_cost(x, y, a, b, p, xp)
    distance = cost ** (1 / p)
    return float(distance[0]) if is_flat else distance


def sorted_cost(x: Any, y: Any, p: float, xp: Any) -> Any:
    """Return the cost of the optimal plan per column of two samples sorted along axis 0."""
    if x.shape[0] == y.shape[0]:
        return xp.mean(_power(xp.abs(x - y), p), axis=0)
    rows_x, rows_y, mass = quantile_matching(x.shape[0], y.shape[0])
    gaps = xp.abs(_rows(x, rows_x, xp) - _rows(y, rows_y, xp))
    return xp.sum(_power(gaps, p) * _like(mass, x, xp)[:, None], axis=0)


def quantile_matching(n_x: int, n_y: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the optimal plan between sorted samples of equal weights.

    The levels i / n_x and j / n_y are compared as integers, hence without rounding.

    Returns
    -------
    rows_x, rows_y : ndarray of int64, shape (at most n_x + n_y - 1,)
        Ranks that are matched.
    mass : ndarray of float64
        Mass that each match carries; sums to 1.
    """
    levels_x = np.arange(1, n_x + 1, dtype=np.int64) * n_y
    levels_y = np.arange(1, n_y + 1, dtype=np.int64) * n_x
    levels = np.union1d(levels_x, levels_y)
    mass = np.diff(levels, prepend=0) / (n_x * n_y)
    return (levels - 1) // n_y, (levels - 1) // n_x, mass


def _weighted_cost(x: Any, y: Any, a: np.ndarray, b: np.ndarray, p: float, xp: Any) -> Any:
    if p == 1:
        return _area_between(x, y, a, b, xp)
    columns = [_weighted_column(x[:, j], y[:, j], a, b, p, xp) for j in range(x.shape[1])]
    return xp.stack(columns)


def _area_between(x: Any, y: Any, a: np.ndarray, b: np.ndarray, xp: Any) -> Any:
    # For p = 1 the cost is the area between the distribution functions: one sort of the pool.
    pooled = xp.concat([x, y], axis=0)
    order = xp.argsort(pooled, axis=0)
    signed = _like(np.concatenate([a, -b]), x, xp)
    difference = xp.cumulative_sum(
        xp.stack([signed[order[:, j]] for j in range(x.shape[1])]), axis=1
    )
    gaps = xp.diff(xp.sort(pooled, axis=0), axis=0)
    return xp.sum(xp.abs(difference[:, :-1]) * gaps.T, axis=1)


def _weighted_column(x: Any, y: Any, a: np.ndarray, b: np.ndarray, p: float, xp: Any) -> Any:
    order_x, order_y = xp.argsort(x), xp.argsort(y)
    upper_x = xp.cumulative_sum(_like(a, x, xp)[order_x])
    upper_y = xp.cumulative_sum(_like(b, x, xp)[order_y])
    levels = xp.sort(xp.concat([upper_x, upper_y]))
    levels = xp.concat([xp.zeros_like(levels[:1]), levels])
    mass = levels[1:] - levels[:-1]
    # The middle of each step is clear of both ladders, whatever the rounding of their sums.
    middle = (levels[1:] + levels[:-1]) / 2
    rows_x = xp.clip(xp.searchsorted(upper_x, middle), 0, x.shape[0] - 1)
    rows_y = xp.clip(xp.searchsorted(upper_y, middle), 0, y.shape[0] - 1)
    return xp.sum(mass * _power(xp.abs(x[order_x][rows_x] - y[order_y][rows_y]), p))


def _power(values: Any, p: float) -> Any:
    return values if p == 1 else values**p


def _rows(values: Any, rows: np.ndarray, xp: Any) -> Any:
    if not is_torch_array(values):
        return values[rows]
    return xp.take(values, xp.asarray(rows, device=device(values)), axis=0)


def _like(values: np.ndarray, other: Any, xp: Any) -> Any:
    return xp.asarray(values, dtype=other.dtype, device=device(other))
