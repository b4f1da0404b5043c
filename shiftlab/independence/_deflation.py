"""By how much two regressions deflate the mean of a statistic of their residuals."""

import numpy as np

from shiftlab.backends import array_namespace, to_numpy
from shiftlab.independence._smoother import Residuals

__all__ = ["LEAST_LEFT", "deflation"]

#: No row's share of the noise counts as smaller.
LEAST_LEFT = 0.05


def deflation(x: Residuals, y: Residuals) -> np.ndarray:
    """Return the mean of (x'y)^2 to the sum of x^2 y^2 under independence, by pair of columns.

    With residuals A e and B f of independent noises, the mean of (e'A'B f)^2 is tr(A A B B) if
    all rows are equally noisy, but the sum of the products of their squares has the mean
    sum_i (A A)_ii (B B)_ii. Along the directions of a ridge regression A keeps the share `kept`;
    elsewhere it changes nothing.

    Parameters
    ----------
    x, y : Residuals
        On the same conditioning set.

    Returns
    -------
    ndarray of shape (r_x, r_y)
    """
    xp, n = array_namespace(x.values), int(x.values.shape[0])
    m, k = x.kept.shape[0], y.kept.shape[0]
    if x.basis == y.basis and m == k:
        both = n - 1 - m + xp.matrix_transpose(x.kept) @ y.kept
    else:  # The directions span nearly the same space: match them by how much they keep.
        first, second = xp.sort(x.kept, axis=0), xp.sort(y.kept, axis=0)
        few = min(m, k)
        both = n - 1 - few + xp.matrix_transpose(first[:few, :]) @ second[:few, :]
    own = [xp.sum(1 - r.own, axis=0) for r in (x, y)]
    both = to_numpy(xp.clip(both - own[0][:, None] - own[1][None, :], min=1.0))
    if len(x.left) and not x.is_within_categories:
        return both / n * _noise_weighted(x, y)
    left = [
        to_numpy(n - 1 - r.kept.shape[0] + xp.sum(r.kept, axis=0) - o)
        for r, o in zip((x, y), own, strict=True)
    ]
    return n * both / np.maximum(np.outer(*left), 1.0) / _common_leverage(x.left, y.left)


def _noise_weighted(x: Residuals, y: Residuals) -> np.ndarray:
    """Undo the deflation of each row, by the noise in it: the noisiest may be deflated most."""
    roots = [np.sqrt(np.maximum(r.left, LEAST_LEFT)) for r in (x, y)]
    squares = [to_numpy(r.values[r.rows, :]) ** 2 for r in (x, y)]
    before = (squares[0] / roots[0]).T @ (squares[1] / roots[1])
    after = squares[0].T @ squares[1]
    shares = roots[0].T @ roots[1] / len(roots[0])
    return np.asarray(before / np.maximum(after, 1e-300) / shares)


def _common_leverage(x: np.ndarray, y: np.ndarray) -> np.ndarray | float:
    """How far the rows that x's regression leaves most of are those of y's: 1 if unrelated.

    Regressions over all rows and within categories overlap, so that the shares of single rows are
    told too roughly to be undone.
    """
    if not (len(x) and len(y)):
        return 1.0
    means = np.outer(x.mean(axis=0), y.mean(axis=0))
    return np.asarray((x.T @ y / len(x)) / np.maximum(means, 1e-6))
