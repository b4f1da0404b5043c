"""Exact products with Gram matrices that need fewer steps than there are pairs.

Categories are counted instead of compared, and distances in one column are summed along the
sorted values.
"""

from shiftlab.backends import Array, array_namespace, row_blocks
from shiftlab.kernels._functions import Delta, Energy, Kernel
from shiftlab.kernels._landmarks import distinct_rows, take_rows

__all__ = ["category_trace", "shortcut_product"]


def shortcut_product(kernel: Kernel, x: Array, y: Array, vectors: Array) -> Array | None:
    """Return ``kernel(x, y) @ vectors`` if there is a shortcut, else None."""
    if isinstance(kernel, Delta):
        return _category_product(kernel, x, y, vectors)
    if isinstance(kernel, Energy) and x.shape[1] == 1:
        return _energy_product(kernel, x, y, vectors)
    return None


def category_trace(x: Array, y: Array, *, centred: bool) -> float | None:
    """Return the trace of the product of two delta Gram matrices from the table of counts.

    None if there are so many categories that the table of counts would exceed the rows.
    """
    n_rows = x.shape[0]
    left, right = take_rows(x, distinct_rows(x)[0]), take_rows(y, distinct_rows(y)[0])
    if left.shape[0] * right.shape[0] > 4 * n_rows:
        return None
    xp = array_namespace(x, y)
    counts = xp.zeros((left.shape[0], right.shape[0]), dtype=x.dtype, device=x.device)
    for rows in row_blocks(n_rows, 16 * (left.shape[0] + right.shape[0])):
        counts += Delta()(left, x[rows, :]) @ Delta()(y[rows, :], right)
    if centred:
        counts -= xp.sum(counts, axis=1)[:, None] * xp.sum(counts, axis=0)[None, :] / n_rows
    return float(xp.sum(counts * counts))


def _category_product(kernel: Delta, x: Array, y: Array, vectors: Array) -> Array | None:
    categories = take_rows(y, distinct_rows(y)[0])
    n_categories = categories.shape[0]
    if 4 * n_categories > y.shape[0]:
        return None
    xp = array_namespace(x, y, vectors)
    shape = (n_categories, vectors.shape[1])
    totals = xp.zeros(shape, dtype=vectors.dtype, device=vectors.device)
    for rows in row_blocks(y.shape[0], 16 * n_categories):
        totals += kernel(categories, y[rows, :]) @ vectors[rows, :]
    blocks = row_blocks(x.shape[0], 16 * n_categories)
    return xp.concat([kernel(x[rows, :], categories) @ totals for rows in blocks], axis=0)


def _energy_product(kernel: Energy, x: Array, y: Array, vectors: Array) -> Array:
    """Sum |x_i - y_j| v_j over j with cumulative sums: O(n log n) instead of O(n^2)."""
    xp = array_namespace(x, y, vectors)
    unit = kernel.bandwidth[0] if isinstance(kernel.bandwidth, tuple) else kernel.bandwidth
    left, right = x[:, 0] / unit, y[:, 0] / unit
    from_zero = xp.abs(left)[:, None] * xp.sum(vectors, axis=0)[None, :]
    from_zero = from_zero + xp.sum(xp.abs(right)[:, None] * vectors, axis=0)[None, :]
    # Distances do not see a shift, and cumulative sums of values near zero lose fewer digits.
    centre = xp.mean(right)
    left, right = left - centre, right - centre
    order = xp.argsort(right)
    right, weights = xp.take(right, order, axis=0), xp.take(vectors, order, axis=0)
    below = xp.searchsorted(right, left, side="right")
    mass = xp.cumulative_sum(weights, axis=0, include_initial=True)
    moment = xp.cumulative_sum(weights * right[:, None], axis=0, include_initial=True)
    distances = left[:, None] * (2 * xp.take(mass, below, axis=0) - mass[-1, :][None, :])
    distances = distances - (2 * xp.take(moment, below, axis=0) - moment[-1, :][None, :])
    return (from_zero - distances) / 2
