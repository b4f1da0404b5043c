"""Regressions within each category of z, with ridges that all categories share."""

from typing import Any, NamedTuple

import numpy as np

from shiftlab.backends import Array, array_namespace
from shiftlab.independence._categories import Categories
from shiftlab.independence._ridge import Ridge, uncorrelated

__all__ = ["Stage", "Within"]

#: A category needs so many rows for a regression of its own.
MIN_OWN_ROWS = 8
#: Functions in it: of a single number, the smoothest of several, or one for so many rows; of those
#: made for a variable one for so many rows.
SINGLE_OWN, SMOOTH_OWN, MOST_OWN, ROWS_EACH = 14, 30, 64, 16
#: Decay of the prior variance of their coefficients from one degree to the next.
DECAY = 0.4


class Stage(NamedTuple):
    """Residuals, shares kept along the directions of a regression, shares taken of probed rows."""

    values: Array
    kept: Array
    taken: Array


class _Own(NamedTuple):
    """A category: rows, prior variances, orthonormal directions, and their map from features."""

    rows: slice
    values: Array
    basis: Array
    turned: Array


class _Part(NamedTuple):
    """Functions of a variable in a category, less what the directions there explain of them."""

    functions: Array
    means: Array
    known: Array
    values: Array
    turned: Array


class Within:
    """The smoothest features again, in each category by itself.

    Parameters
    ----------
    features : array of shape (n, m)
        Ordered by degree, rows sorted by category.
    degrees : ndarray of shape (m,)
    categories : Categories
    ridge : Ridge
    probe : ndarray of int
        Rows in which the share that is taken is told.
    """

    def __init__(
        self,
        features: Array,
        degrees: np.ndarray,
        categories: Categories,
        ridge: Ridge,
        probe: np.ndarray,
    ) -> None:
        self._n, self._n_features = features.shape
        self._ridge = ridge
        self._mean_size = self._n / categories.n_categories
        self._n_probed = len(probe)
        self._place = np.full(self._n, -1)
        self._place[probe] = np.arange(len(probe))
        xp = array_namespace(features)
        means = categories.means(features)
        smooth = int((degrees <= 3).sum())
        self._own = []
        for k, rows in enumerate(categories.slices):
            n = rows.stop - rows.start
            wanted = max(min(smooth, SMOOTH_OWN), SINGLE_OWN, min(n // ROWS_EACH, MOST_OWN))
            m = min(wanted, n // 4, self._n_features)
            if n < MIN_OWN_ROWS or m == 0:
                continue
            own = features[rows, :m] - means[k : k + 1, :m]
            gram = xp.matrix_transpose(own) @ own / self._mean_size
            values, turned = uncorrelated(gram, DECAY ** (degrees[:m] / 2))
            turned = turned / self._mean_size**0.5
            self._own.append(_Own(rows, values, own @ turned, turned))

    @property
    def width(self) -> int:
        """Most directions of a category."""
        return max([0, *(own.basis.shape[1] for own in self._own)])

    @property
    def most_functions(self) -> int:
        """How many functions of a variable the largest category can bear."""
        sizes = [own.rows.stop - own.rows.start for own in self._own]
        return max([0, *sizes]) // ROWS_EACH

    def regress(self, y: Array, used: Array) -> tuple[Stage, list[Array]]:
        """Regress on the features; `used` degrees of freedom are spent already.

        Also return, for each category, what is left along its directions and the coefficients of
        the features.
        """
        xp = array_namespace(y)
        projected = [xp.matrix_transpose(own.basis) @ y[own.rows, :] for own in self._own]
        values = xp.concat([own.values for own in self._own])
        shares, kept = self._shares(values, projected, y, used)
        result, taken, fits = xp.asarray(y, copy=True), self._nothing(y), []
        for own, part, share in zip(self._own, projected, shares, strict=True):
            result[own.rows, :] = y[own.rows, :] - own.basis @ (share * part)
            inside, into = self._probed(own.rows)
            taken[into, :] = own.basis[inside, :] ** 2 @ (1 - (1 - share) ** 2)
            fits.append(((1 - share) * part, own.turned @ (share * part)))
        return Stage(result, kept, taken), fits

    def totals(self, coefficients: Array, fits: list[Any]) -> Array:
        """Return the coefficients of the features in each category, side by side."""
        xp = array_namespace(coefficients)
        found = []
        for _, own in fits:
            total = xp.asarray(coefficients, copy=True)
            total[: own.shape[0], :] += own
            found.append(total)
        return xp.concat(found, axis=1)

    def further(self, y: Array, functions: Array, fits: list[Any], used: Array) -> Stage | None:
        """Regress what is left on functions of z made for the variable, less the features."""
        xp = array_namespace(y)
        chosen = [
            (own, self._part(own, functions), left)
            for own, (left, _) in zip(self._own, fits, strict=True)
            if own.rows.stop - own.rows.start >= ROWS_EACH
        ]
        if not chosen:
            return None
        projected = []
        for own, part, left in chosen:
            moments = xp.matrix_transpose(part.functions) @ y[own.rows, :]
            moments = moments - xp.matrix_transpose(part.known) @ left
            projected.append(xp.matrix_transpose(part.turned) @ moments)
        values = xp.concat([part.values for _, part, _ in chosen])
        shares, kept = self._shares(values, projected, y, used)
        result, taken = xp.asarray(y, copy=True), self._nothing(y)
        for (own, part, _), own_projected, share in zip(chosen, projected, shares, strict=True):
            fit = part.turned @ (share * own_projected)
            fitted = part.functions @ fit - own.basis @ (part.known @ fit)
            result[own.rows, :] = y[own.rows, :] - (fitted - part.means @ fit)
            inside, into = self._probed(own.rows)
            directions = (part.functions[inside, :] - part.means) @ part.turned
            directions = directions - own.basis[inside, :] @ (part.known @ part.turned)
            taken[into, :] = directions**2 @ (1 - (1 - share) ** 2)
        return Stage(result, kept, taken)

    def _part(self, own: _Own, functions: Array) -> _Part:
        xp = array_namespace(functions)
        n = own.rows.stop - own.rows.start
        part = functions[own.rows, : min(functions.shape[1], n // ROWS_EACH)]
        means = xp.mean(part, axis=0)[None, :]
        known = xp.matrix_transpose(own.basis) @ part
        gram = xp.matrix_transpose(part) @ part - n * xp.matrix_transpose(means) @ means
        size = float(xp.max(xp.linalg.diagonal(gram))) / self._mean_size
        gram = (gram - xp.matrix_transpose(known) @ known) / self._mean_size
        values, turned = uncorrelated(gram, scale=size)
        return _Part(part, means, known, values, turned / self._mean_size**0.5)

    def _shares(
        self, values: Array, projected: list[Array], y: Array, used: Array
    ) -> tuple[list[Array], Array]:
        """Choose common ridges; return shares taken by category, and squared shares kept."""
        xp = array_namespace(y)
        along = xp.concat(projected, axis=0) / self._n**0.5
        chosen = self._ridge.chosen(values, along, xp.sum(y * y, axis=0) / self._n, used)
        shares, start = [], 0
        for part in projected:
            shares.append(chosen[start : start + part.shape[0], :])
            start += part.shape[0]
        return shares, (1 - chosen) ** 2

    def _nothing(self, y: Array) -> Array:
        xp = array_namespace(y)
        return xp.zeros((self._n_probed, y.shape[1]), dtype=y.dtype, device=y.device)

    def _probed(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows of a category are probed, and their places among the probed rows."""
        place = self._place[rows]
        inside = np.flatnonzero(place >= 0)
        return inside, place[inside]
