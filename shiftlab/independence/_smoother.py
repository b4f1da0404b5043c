"""Regression on a conditioning set: residuals of features, with ridge and width from the data.

Numbers enter through products of the eigenfunctions of `_expansion`; a ridge for each feature
and a decay common to all (the width of the kernel) minimise generalised cross-validation or the
negative marginal likelihood. Categories are taken out exactly; then the numbers are regressed
over all rows, once more on functions that `_directions` makes for the variable, and once more
within each category, so that a relation may differ between environments as far as the data ask
for it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from shiftlab.backends import Array, array_namespace, to_numpy
from shiftlab.independence._directions import Directions

__all__ = ["Residuals", "Smoother"]

#: Ridges that are tried, relative to the number of rows (within a category: to the mean size).
RIDGES = np.exp(np.linspace(np.log(1e-7), np.log(30.0), 26))
#: Decays of the prior variance from one degree to the next: from wide to narrow kernels.
DECAYS = (0.4, 0.75)
#: A category needs so many rows for a regression of its own.
MIN_OWN_ROWS = 8
#: Functions of a single number in it.
SINGLE_OWN = 14
#: Generalised cross-validation counts each degree of freedom of the regression over all rows as
#: so many: errors of the two regressions multiply, so a test wants less smoothing than prediction.
POOLED_COST = 0.5


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals of the features of one variable on one conditioning set.

    Attributes
    ----------
    values : array of shape (n, r)
    kept : array of shape (m, r)
        Squared share of the noise that is left along each direction of the regression.
    basis : tuple
        Which directions these are; only equal bases can be compared direction by direction.
    own : array of shape (k, r)
        The same along directions that are this variable's own.
    """

    values: Array
    kept: Array
    basis: tuple[Any, ...]
    own: Array


class _Fit(NamedTuple):
    """First regression of some features: coefficients, shares kept, and the decay that won."""

    coefficients: Array
    kept: Array
    which: int


class Smoother:
    """A regression on one conditioning set.

    Parameters
    ----------
    features : array of shape (n, m) or None
        Products of eigenfunctions of the numbers, ordered by degree.
    degrees : ndarray of shape (m,)
        Their total degrees.
    codes : ndarray of shape (n,) or None
        Category of each row, 0..k-1.
    criterion : {"gcv", "marginal_likelihood"}
        How ridge and decay are chosen.
    ridge : float, optional
        A fixed ridge instead.
    directions : Directions, optional
        What gives further functions, for each variable its own.
    """

    def __init__(
        self,
        features: Array | None,
        degrees: np.ndarray,
        codes: np.ndarray | None,
        *,
        criterion: str = "gcv",
        ridge: float | None = None,
        directions: Directions | None = None,
    ) -> None:
        self._criterion = criterion
        self._ridges = RIDGES if ridge is None else np.array([ridge])
        self._directions = directions
        self._groups = None if codes is None else _groups(codes)
        if codes is not None:
            counts = np.bincount(codes)
            order = np.argsort(codes, kind="stable")
            self._sorted = order, np.cumsum(counts) - counts, counts, codes
        self._degrees = degrees
        self._features = None if features is None else self._centred(features)
        self._bases = [] if features is None else self._make_bases()
        self._own = self._own_bases() if self._groups and features is not None else []

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return (
            0
            if self._features is None
            else int(self._features.shape[0]) * 8 * sum([self._features.shape[1]])
        )

    def residuals(self, y: Array, codes: np.ndarray | None = None) -> Residuals:
        """Return what is left of centred features y of shape (n, r).

        `codes` are the categories of the variable whose features these are.
        """
        xp = array_namespace(y)
        n_means = len(self._groups) if self._groups else 1
        values = self._centred(y)
        own = xp.zeros((0, y.shape[1]), dtype=y.dtype, device=y.device)
        kept = [xp.zeros((n_means - 1, y.shape[1]), dtype=y.dtype, device=y.device)]
        basis: tuple[Any, ...] = (n_means,)
        if self._features is not None:
            values, fit = self._pooled(values, n_means)
            kept.append(fit.kept)
            basis += (fit.which,)
            used = n_means + xp.sum(1 - fit.kept**0.5, axis=0)
            if self._directions is not None:
                values, own = self._further(values, fit, used, codes)
                used = used + xp.sum(1 - own**0.5, axis=0)
            if self._own:
                values, share = self._within(values, used)
                kept.append(share)
        return Residuals(values, xp.concat(kept, axis=0), basis, own)

    def _further(
        self, y: Array, fit: "_Fit", used: Array, codes: np.ndarray | None
    ) -> tuple[Array, Array]:
        """Regress what is left on functions of z that are made for this variable."""
        xp, features, n = array_namespace(y), self._features, y.shape[0]
        directions: Any = self._directions
        made = directions.functions(to_numpy(fit.coefficients), codes)
        if not made.shape[1]:
            return y, xp.zeros((0, y.shape[1]), dtype=y.dtype, device=y.device)
        functions = self._centred(xp.asarray(made, dtype=y.dtype, device=y.device))
        basis = self._bases[fit.which][1]
        known = xp.matrix_transpose(basis) @ (xp.matrix_transpose(features) @ functions / n)
        functions = functions - features @ (basis @ known)
        gram = xp.matrix_transpose(functions) @ functions / n
        values, turned = _directions(gram, np.zeros(made.shape[1]), 1.0)
        projected = xp.matrix_transpose(turned) @ (xp.matrix_transpose(functions) @ y / n)
        chosen = self._chosen(values, projected, xp.sum(y * y, axis=0) / n, used, n)
        return y - functions @ (turned @ (chosen * projected)), (1 - chosen) ** 2

    def _chosen(self, values: Array, projected: Array, total: Array, used: Array, n: int) -> Array:
        """Return the share that is taken out along each direction; no regression is a choice."""
        xp = array_namespace(projected)
        shrink = values[None, :] / (values[None, :] + self._grid(values)[:, None])
        shrink = xp.concat([shrink, xp.zeros_like(shrink[:1, :])], axis=0)
        loss = self._loss(shrink, projected**2, total, used[None, :], n)
        return xp.matrix_transpose(xp.take(shrink, xp.argmin(loss, axis=0), axis=0))

    def _centred(self, y: Array) -> Array:
        """Take out the mean, or the mean of each category."""
        xp = array_namespace(y)
        if not self._groups:
            return y - xp.mean(y, axis=0)
        if array_api_compat.is_numpy_namespace(xp):
            order, starts, counts, codes = self._sorted
            return y - (np.add.reduceat(y[order], starts, axis=0) / counts[:, None])[codes]
        result = xp.zeros_like(y)
        for rows in self._groups:
            part = y[rows, :]
            result[rows, :] = part - xp.mean(part, axis=0)
        return result

    def _make_bases(self) -> list[tuple[Array, Array]]:
        """Return, for each decay, eigenvalues and the map from features to directions."""
        features: Any = self._features
        n = features.shape[0]
        gram = array_namespace(features).matrix_transpose(features) @ features / n
        return [_directions(gram, self._degrees, decay) for decay in DECAYS]

    def _pooled(self, y: Array, n_means: int) -> tuple[Array, "_Fit"]:
        xp, features = array_namespace(y), self._features
        n = y.shape[0]
        moments = xp.matrix_transpose(features) @ y / n
        total = xp.sum(y * y, axis=0) / n
        found = []
        for values, directions in self._bases:
            projected = xp.matrix_transpose(directions) @ moments
            shrink = values[None, :] / (values[None, :] + self._grid(values)[:, None])
            loss = self._loss(shrink, projected**2, total, n_means, n, POOLED_COST)
            found.append((float(xp.sum(xp.min(loss, axis=0))), loss, projected, shrink))
        which = min(range(len(found)), key=lambda k: found[k][0])
        _, loss, projected, shrink = found[which]
        chosen = xp.matrix_transpose(xp.take(shrink, xp.argmin(loss, axis=0), axis=0))
        coefficients = self._bases[which][1] @ (chosen * projected)
        return y - features @ coefficients, _Fit(coefficients, (1 - chosen) ** 2, which)

    def _grid(self, like: Array) -> Array:
        return array_namespace(like).asarray(self._ridges, dtype=like.dtype, device=like.device)

    def _loss(
        self, shrink: Array, squares: Array, total: Array, used: Any, n: int, cost: float = 1.0
    ) -> Array:
        """Criterion of each ridge and feature; `squares` are the squared projections / n."""
        xp = array_namespace(shrink)
        degrees = cost * xp.sum(shrink, axis=1)[:, None] + used
        if self._criterion == "gcv":
            left = total[None, :] - (2 * shrink - shrink**2) @ squares
            return xp.clip(left, min=1e-300) / xp.clip(1 - degrees / n, min=1e-3) ** 2
        # Negative log marginal likelihood with the noise variance profiled out, up to constants.
        left = total[None, :] - shrink @ squares
        volume = -xp.sum(xp.log(xp.clip(1 - shrink, min=1e-300)), axis=1)[:, None] / n
        return xp.exp(xp.log(xp.clip(left, min=1e-300)) + volume)

    def _own_bases(self) -> list[tuple[np.ndarray, Array, Array]]:
        """Directions within each category, of the smoothest features only."""
        groups: Any = self._groups
        features: Any = self._features
        xp = array_namespace(features)
        mean_size = features.shape[0] / len(groups)
        smooth = int((self._degrees <= 3).sum())
        found = []
        for rows in groups:
            m = min(max(smooth, SINGLE_OWN), len(rows) // 4, features.shape[1], 30)
            if len(rows) < MIN_OWN_ROWS or m == 0:
                continue
            own = features[rows, :][:, :m]
            gram = xp.matrix_transpose(own) @ own / mean_size
            values, directions = _directions(gram, self._degrees[:m], DECAYS[0])
            found.append((rows, values, own @ directions / mean_size**0.5))
        return found

    def _within(self, y: Array, used: Array) -> tuple[Array, Array]:
        """Regress within each category; `used` degrees of freedom are spent already."""
        xp, n = array_namespace(y), y.shape[0]
        values = xp.concat([v for _, v, _ in self._own])
        projected = xp.concat(
            [xp.matrix_transpose(u) @ y[rows, :] for rows, _, u in self._own], axis=0
        )
        chosen = self._chosen(values, projected / n**0.5, xp.sum(y * y, axis=0) / n, used, n)
        result, start = xp.asarray(y, copy=True), 0
        for rows, v, u in self._own:
            stop = start + v.shape[0]
            result[rows, :] = y[rows, :] - u @ (chosen * projected)[start:stop, :]
            start = stop
        return result, (1 - chosen) ** 2


def _groups(codes: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])


def _directions(gram: Array, degrees: np.ndarray, decay: float) -> tuple[Array, Array]:
    """Return prior variances along uncorrelated directions, and the map that gives these."""
    xp = array_namespace(gram)
    prior = xp.asarray(decay ** (degrees / 2), dtype=gram.dtype, device=gram.device)
    values, vectors = xp.linalg.eigh(gram * prior[:, None] * prior[None, :])
    kept = int(xp.sum(xp.astype(values > 1e-10 * float(values[-1]), xp.int64)))
    first = values.shape[0] - kept
    values, vectors = values[first:], vectors[:, first:]
    return values, prior[:, None] * vectors / xp.sqrt(values)[None, :]
