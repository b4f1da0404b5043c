"""Functions of z for one variable: along the directions of its fit, posteriors of its categories.

Polynomials of several variables, the same for every variable, leave the kinks and fast turns of a
function of few linear combinations of them. The gradients of a variable's first fit tell its
combinations, and functions of one number follow them to a high degree. What categories depend on
is often sharper still: the posteriors of a Gaussian discriminant rule follow it.

References
----------
.. [1] Y. Xia, H. Tong, W. K. Li, L.-X. Zhu, "An adaptive estimation of dimension reduction
   space", Journal of the Royal Statistical Society B 64, 2002 (outer products of gradients).
"""

import numpy as np
from scipy import special

from shiftlab.independence._expansion import hermite_features, hermite_slopes, rank_for

__all__ = ["Directions", "class_posteriors"]

#: Directions that are followed, and the share of the squared gradients that each needs.
MOST_DIRECTIONS, LEAST_SHARE = 2, 0.03
#: Functions of each direction but the first, and rows that each function needs.
RANK, ROWS_EACH = 16, 12
#: Width of their kernel in standard deviations.
WIDTH = 1.0
#: Posteriors are taken of at most so many categories, of so many rows each on average.
MOST_CATEGORIES, ROWS_PER_CATEGORY = 32, 8
#: Share of its mean variance that is added to a covariance.
SHRINKAGE = 0.05


class Directions:
    """A conditioning set, ready to give the functions of any variable.

    Parameters
    ----------
    scores : ndarray of shape (n, d)
        Normal scores of z.
    degrees : ndarray of shape (m, d)
        Degrees of the products of eigenfunctions in the first fit.
    width : float
        Width of their kernel.
    rows : ndarray of int
        Rows at which gradients are taken.
    """

    def __init__(
        self, scores: np.ndarray, degrees: np.ndarray, width: float, rows: np.ndarray
    ) -> None:
        self._scores = scores
        d = scores.shape[1]
        if d == 1:  # the first fit goes to a high degree already
            return
        chosen = scores[rows]
        rank = int(degrees.max()) + 1
        values, slopes = (
            [f(chosen[:, a], rank, width=width)[:, degrees[:, a]] for a in range(d)]
            for f in (hermite_features, hermite_slopes)
        )
        self._gradients = np.stack(
            [
                np.prod([(slopes if a == b else values)[b] for b in range(d)], axis=0)
                for a in range(d)
            ]
        )

    def functions(
        self, coefficients: np.ndarray, codes: np.ndarray | None, most: int | None = None
    ) -> np.ndarray:
        """Return functions of z for a variable, shape (n, q); q may be 0.

        Parameters
        ----------
        coefficients : ndarray of shape (m, r)
            The first fit of the variable's features.
        codes : ndarray of shape (n,) or None
            Its categories.
        most : int, optional
            The first so many only.
        """
        n, d = self._scores.shape
        most = n if most is None else most
        parts, wanted = [np.empty((0, n))], most
        rank = min(rank_for(n), n // ROWS_EACH)
        if d > 1 and rank > 2:
            count = int(np.clip(n // (ROWS_EACH * RANK), 1, MOST_DIRECTIONS))
            for direction in self._steepest(coefficients, count):
                if wanted <= 0:
                    break
                along = self._scores @ direction
                rank = min(rank, wanted + 1)
                parts.append(hermite_features(along / along.std(), rank, width=WIDTH).T[1:])
                wanted -= rank - 1
                rank = min(rank, RANK)
        few = min(MOST_CATEGORIES, n // ROWS_PER_CATEGORY)
        if wanted > 0 and codes is not None and 0 < codes.max() < few:
            parts.append(class_posteriors(self._scores, codes).T[:wanted])
        return np.concatenate(parts).T

    def _steepest(self, coefficients: np.ndarray, most: int) -> np.ndarray:
        """Return the leading eigenvectors of the outer products of gradients, one a row."""
        gradients = (self._gradients @ coefficients).reshape(len(self._gradients), -1)
        values, vectors = np.linalg.eigh(gradients @ gradients.T)
        kept = np.flatnonzero(values > LEAST_SHARE * values.sum())[-most:]
        return vectors[:, kept[::-1]].T


def class_posteriors(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the probabilities of k categories if z is Gaussian in each, with one covariance."""
    n, d = scores.shape
    counts = np.bincount(codes)
    sums = np.stack([np.bincount(codes, scores[:, a]) for a in range(d)], axis=1)
    means = sums / counts[:, None]
    inside = scores - means[codes]
    covariance = inside.T @ inside / n
    covariance += (SHRINKAGE * np.trace(covariance) / d + 1e-12) * np.eye(d)
    root = np.linalg.cholesky(np.linalg.inv(covariance))
    centres = means @ root
    logs: np.ndarray = (scores @ root) @ centres.T
    logs += np.log(counts) - 0.5 * (centres**2).sum(axis=1)
    return np.asarray(special.softmax(logs, axis=1))
