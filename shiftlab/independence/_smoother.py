"""Regression on a conditioning set: residuals of features, with ridge and width from the data.

Numbers enter through products of the eigenfunctions of `_expansion`; a ridge for each feature
and a decay common to all (the width of the kernel) minimise generalised cross-validation or the
negative marginal likelihood. Categories are taken out exactly; then the numbers are regressed
over all rows, once more on functions that `_directions` makes for the variable, and once more
within each category, so that a relation may differ between environments as far as the data ask
for it.

The regressions over all rows are done with second moments of the columns as they are: neither the
functions of z nor their parts without the first ones are ever made row by row.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from shiftlab.backends import Array, array_namespace, to_numpy
from shiftlab.independence._categories import Categories
from shiftlab.independence._directions import Directions
from shiftlab.independence._ridge import Ridge, best, uncorrelated
from shiftlab.independence._within import Stage, Within

__all__ = ["Residuals", "Smoother"]

#: Decays of the prior variance from one degree to the next: from wide to narrow kernels.
DECAYS = (0.4, 0.75)


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
    left : ndarray of shape (s, r)
        Share of the noise's variance that is left in each of some rows, the same rows for every
        variable; s may be 0.
    rows : ndarray of int, shape (s,)
        These rows.
    """

    values: Array
    kept: Array
    basis: tuple[Any, ...]
    own: Array
    left: np.ndarray
    rows: np.ndarray

    @property
    def is_within_categories(self) -> bool:
        """Whether z has categories."""
        return bool(self.basis) and self.basis[0] > 1

    @classmethod
    def of_nothing(cls, values: Array) -> "Residuals":
        """Return centred columns as they are: nothing is given."""
        xp = array_namespace(values)
        none = xp.zeros((0, values.shape[1]), dtype=values.dtype, device=values.device)
        return cls(values, none, (), none, np.empty((0, values.shape[1])), np.arange(0))

    def select(self, columns: np.ndarray) -> "Residuals":
        """Return some of the columns, by a boolean mask."""
        parts = {
            name: getattr(self, name)[:, columns] for name in ("values", "kept", "own", "left")
        }
        return replace(self, **parts)


class _Fit(NamedTuple):
    """The first regression of some columns.

    Attributes
    ----------
    which : int
        The decay that won.
    projected, shares : array of shape (m, r)
        Coefficients along the uncorrelated directions, and the share of each that is taken out.
    left : array of shape (r,)
        Mean squares of the residuals.
    """

    which: int
    projected: Array
    shares: Array
    left: Array


class _Further(NamedTuple):
    """The second regression: functions of z, what to take off them and off the first features."""

    functions: Array
    own: Array
    shared: Array
    kept: Array
    taken: Array


class Smoother:
    """A regression on one conditioning set.

    Parameters
    ----------
    features : array of shape (n, m) or None
        Products of eigenfunctions of the numbers, ordered by degree, rows sorted by category.
    degrees : ndarray of shape (m,)
        Their total degrees.
    categories : Categories
        Categories of z.
    criterion : {"gcv", "marginal_likelihood"}
        How ridge and decay are chosen.
    ridge : float, optional
        A fixed ridge instead.
    directions : Directions, optional
        What gives further functions, for each variable its own; rows sorted.
    probe : ndarray of int, optional
        Sorted rows in which the share of the noise that is left is told.
    """

    def __init__(
        self,
        features: Array | None,
        degrees: np.ndarray,
        categories: Categories,
        *,
        criterion: str = "gcv",
        ridge: float | None = None,
        directions: Directions | None = None,
        probe: np.ndarray | None = None,
    ) -> None:
        self._categories = categories
        self._directions = directions
        self._degrees = degrees
        self._features = features
        self._within: Within | None = None
        if features is None:
            return
        self._n = int(features.shape[0])
        self._ridge = Ridge(self._n, criterion, ridge)
        self._probe = np.arange(0) if probe is None else probe
        self._means = categories.means(features)
        gram = categories.centred_moments(features, features)
        self._bases = [uncorrelated(gram, decay ** (degrees / 2)) for decay in DECAYS]
        self._probed: dict[int, Array] = {}
        if categories.n_categories > 1:
            within = Within(features, degrees, categories, self._ridge, self._probe)
            self._within = within if within.width else None

    @property
    def nbytes(self) -> int:
        """Memory held."""
        if self._features is None:
            return 0
        width = self._features.shape[1] + (self._within.width if self._within else 0)
        return 8 * self._n * int(width)

    @property
    def probed_rows(self) -> np.ndarray:
        """Rows of the table in which the share of the noise that is left is told."""
        return np.asarray(self._categories.sorted(np.arange(self._n))[self._probe])

    def residuals(self, y: Array, codes: np.ndarray | None = None) -> Residuals:
        """Return what is left of centred features y of shape (n, r).

        `codes` are the categories of the variable whose features these are.
        """
        xp, sort = array_namespace(y), self._categories.sorted
        r, n_means = y.shape[1], self._categories.n_categories
        y = self._categories.centred(sort(y))
        nothing = xp.zeros((0, r), dtype=y.dtype, device=y.device)
        means = xp.zeros((n_means - 1, r), dtype=y.dtype, device=y.device)
        if self._features is None:
            values = self._categories.restored(y)
            return Residuals(values, means, (n_means,), nothing, np.empty((0, r)), np.arange(0))
        codes = None if codes is None else sort(codes)
        fit = self._pooled(y, n_means)
        kept = (1 - fit.shares) ** 2
        shared, own = [means, kept], [nothing]
        used = n_means + xp.sum(fit.shares, axis=0)
        taken = self._probed_directions(fit.which) ** 2 @ (1 - kept) / self._n
        coefficients = self._bases[fit.which][1] @ (fit.shares * fit.projected)
        further = self._further(y, fit, used, codes)
        if further is None:
            y = y - self._features @ coefficients
        else:
            own.append(further.kept)
            used, taken = used + _spent(further.kept), taken + further.taken
            y = y - self._features @ (coefficients - further.shared)
            y = y - further.functions @ further.own
        y = self._categories.centred(y)
        if self._within is not None:
            stage, fits = self._within.regress(y, used)
            shared.append(stage.kept)
            used, taken, y = used + _spent(stage.kept), taken + stage.taken, stage.values
            last = self._further_within(y, coefficients, fits, used, codes)
            if last is not None:
                own.append(last.kept)
                taken, y = taken + last.taken, last.values
        left = 1 - 1 / self._categories.counts[self._categories.codes[self._probe]][:, None]
        return Residuals(
            self._categories.restored(y),
            xp.concat(shared, axis=0),
            (n_means, fit.which),
            xp.concat(own, axis=0),
            np.clip(left - to_numpy(taken), 0.0, 1.0),
            self.probed_rows,
        )

    def _pooled(self, y: Array, n_means: int) -> _Fit:
        """Regress on the products, with one decay for all columns and a ridge for each."""
        xp, features = array_namespace(y), self._features
        moments = xp.matrix_transpose(features) @ y / self._n
        total = xp.sum(y * y, axis=0) / self._n
        found = []
        for which, (values, directions) in enumerate(self._bases):
            projected = xp.matrix_transpose(directions) @ moments
            shares = self._ridge.shares(values)
            loss = self._ridge.loss(shares, projected**2, total, n_means)
            found.append((float(xp.sum(xp.min(loss, axis=0))), which, projected, shares, loss))
        _, which, projected, shares, loss = min(found, key=lambda f: f[:2])
        chosen = best(shares, loss)
        left = total - xp.sum((2 * chosen - chosen**2) * projected**2, axis=0)
        return _Fit(which, projected, chosen, xp.clip(left, min=0.0))

    def _further(
        self, y: Array, fit: _Fit, used: Array, codes: np.ndarray | None
    ) -> _Further | None:
        """Regress what is left on functions of z made for this variable, less the products.

        The functions count with their parts that the products do not explain: H = G - F B K for
        the orthonormal products F B, where K holds the moments of these and of G.
        """
        if self._directions is None:
            return None
        xp, features = array_namespace(y), self._features
        basis = self._bases[fit.which][1]
        made = self._directions.functions(to_numpy(basis @ (fit.shares * fit.projected)), codes)
        if not made.shape[1]:
            return None
        functions = xp.asarray(made, dtype=y.dtype, device=y.device)
        known = xp.matrix_transpose(basis) @ self._categories.centred_moments(features, functions)
        gram = self._categories.centred_moments(functions, functions)
        size = float(xp.max(xp.linalg.diagonal(gram)))
        values, turned = uncorrelated(gram - xp.matrix_transpose(known) @ known, scale=size)
        moments = xp.matrix_transpose(functions) @ y / self._n
        moments = moments - xp.matrix_transpose(known) @ fit.projected
        projected = xp.matrix_transpose(turned) @ moments
        chosen = self._ridge.chosen(values, projected, fit.left, used)
        kept = (1 - chosen) ** 2
        own = turned @ (chosen * projected)
        probed = functions[self._probe, :] - self._probed_means(self._categories.means(functions))
        probed = probed @ turned - self._probed_directions(fit.which) @ (known @ turned)
        taken = probed**2 @ (1 - kept) / self._n
        return _Further(functions, own, basis @ (known @ own), kept, taken)

    def _probed_means(self, means: Array) -> Array:
        return means[self._categories.codes[self._probe], :]

    def _probed_directions(self, which: int) -> Array:
        """Uncorrelated products in the probed rows."""
        if which not in self._probed:
            features: Any = self._features
            centred = features[self._probe, :] - self._probed_means(self._means)
            self._probed[which] = centred @ self._bases[which][1]
        return self._probed[which]

    def _further_within(
        self, y: Array, coefficients: Array, fits: list[Any], used: Array, codes: np.ndarray | None
    ) -> Stage | None:
        """Do the same within each category, along the directions of the fits in all of them."""
        within: Any = self._within
        if self._directions is None or not fits:
            return None
        totals = to_numpy(within.totals(coefficients, fits))
        made = self._directions.functions(totals, codes, within.most_functions)
        if not made.shape[1]:
            return None
        functions = array_namespace(y).asarray(made, dtype=y.dtype, device=y.device)
        found: Stage | None = within.further(y, functions, fits, used)
        return found


def _spent(kept: Array) -> Array:
    """Degrees of freedom of a regression that keeps these squared shares."""
    return array_namespace(kept).sum(1 - kept**0.5, axis=0)
