"""How strongly a regression smooths: one ridge for each column, by a criterion over a grid."""

import numpy as np

from shiftlab.backends import Array, array_namespace

__all__ = ["Ridge", "best", "uncorrelated"]

#: Ridges that are tried, relative to the number of rows (within a category: to the mean size).
RIDGES = np.exp(np.linspace(np.log(1e-7), np.log(30.0), 26))
#: What each degree of freedom of a regression costs in generalised cross-validation, with so many
#: rows: errors of the two regressions of a test multiply, so a test wants less smoothing than
#: prediction does, unless the rows are so few that what is taken of the noise hurts more.
COSTS, COST_ROWS = (1.0, 0.5), (100, 1000)
#: Directions with less than this share of the largest variance are left out.
LEAST_VARIANCE = 1e-10


class Ridge:
    """A criterion and a grid, for regressions on uncorrelated directions.

    Parameters
    ----------
    n : int
        Rows.
    criterion : {"gcv", "marginal_likelihood"}
        Generalised cross-validation, or the negative marginal likelihood.
    ridge : float, optional
        A fixed ridge instead.
    """

    def __init__(self, n: int, criterion: str, ridge: float | None) -> None:
        self._n, self._criterion = n, criterion
        self._cost = float(np.interp(np.log(n), np.log(COST_ROWS), COSTS))
        self._ridges = RIDGES if ridge is None else np.array([ridge])

    def shares(self, values: Array) -> Array:
        """Return the share that each ridge takes out along each direction."""
        xp = array_namespace(values)
        grid = xp.asarray(self._ridges, dtype=values.dtype, device=values.device)
        return values[None, :] / (values[None, :] + grid[:, None])

    def chosen(self, values: Array, projected: Array, total: Array, used: Array) -> Array:
        """Return the share that is taken out along each direction; no regression is a choice.

        Parameters
        ----------
        values : array of shape (m,)
            Prior variances along the directions.
        projected : array of shape (m, r)
            Coefficients of r columns.
        total : array of shape (r,)
            Their mean squares.
        used : array of shape (r,)
            Degrees of freedom that are spent already.
        """
        xp = array_namespace(projected)
        shares = self.shares(values)
        shares = xp.concat([shares, xp.zeros_like(shares[:1, :])], axis=0)
        loss = self.loss(shares, projected**2, total, used[None, :])
        return best(shares, loss)

    def loss(self, shares: Array, squares: Array, total: Array, used: Array | int) -> Array:
        """Criterion of each ridge and column; `squares` are those of the coefficients."""
        xp, n = array_namespace(shares), self._n
        degrees = self._cost * xp.sum(shares, axis=1)[:, None] + used
        if self._criterion == "gcv":
            left = total[None, :] - (2 * shares - shares**2) @ squares
            return xp.clip(left, min=1e-300) / xp.clip(1 - degrees / n, min=1e-3) ** 2
        # Negative log marginal likelihood with the noise variance profiled out, up to constants.
        left = total[None, :] - shares @ squares
        volume = -xp.sum(xp.log(xp.clip(1 - shares, min=1e-300)), axis=1)[:, None] / n
        return xp.exp(xp.log(xp.clip(left, min=1e-300)) + volume)


def best(shares: Array, loss: Array) -> Array:
    """Return, for each column, the shares of the ridge with the least loss."""
    xp = array_namespace(shares)
    return xp.matrix_transpose(xp.take(shares, xp.argmin(loss, axis=0), axis=0))


def uncorrelated(
    gram: Array, prior: np.ndarray | None = None, scale: float = 0.0
) -> tuple[Array, Array]:
    """Return prior variances along uncorrelated directions, and the map that gives these.

    Parameters
    ----------
    gram : array of shape (m, m)
        Second moments of functions.
    prior : ndarray of shape (m,), optional
        Prior standard deviations of their coefficients; equal by default.
    scale : float, default 0
        A size of which rounding errors are a part; directions that are too small beside it are
        left out, and always those that are too small beside the largest.
    """
    xp = array_namespace(gram)
    weights = None
    if prior is not None:
        weights = xp.asarray(prior, dtype=gram.dtype, device=gram.device)
        gram = gram * weights[:, None] * weights[None, :]
    values, vectors = xp.linalg.eigh(gram)
    least = LEAST_VARIANCE * max(float(values[-1]), scale, 1e-300)
    first = int(xp.sum(xp.astype(values <= least, xp.int64)))
    values, vectors = values[first:], vectors[:, first:] / xp.sqrt(values[first:])[None, :]
    return values, vectors if weights is None else weights[:, None] * vectors
