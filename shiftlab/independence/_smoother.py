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
#: Functions in it: of a single number, the smoothest of several, or one for so many rows.
SINGLE_OWN, SMOOTH_OWN, MOST_OWN, ROWS_EACH = 14, 30, 64, 16
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
    left : ndarray of shape (s, r)
        Share of the noise's variance that is left in each of some rows, the same rows for every
        variable; s may be 0.
    """

    values: Array
    kept: Array
    basis: tuple[Any, ...]
    own: Array
    left: np.ndarray


class _Fit(NamedTuple):
    """First regression of some features: coefficients, and the decay that won."""

    coefficients: Array
    which: int


class _Stage(NamedTuple):
    """One regression: residuals, shares kept along its directions, shares taken of rows."""

    values: Array
    kept: Array
    taken: Array


class _Own(NamedTuple):
    """A category: rows, prior variances, orthonormal directions, and their map from features."""

    rows: np.ndarray
    values: Array
    basis: Array
    turned: Array


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
    probe : ndarray of int, optional
        Rows in which the share of the noise that is left is told.
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
        probe: np.ndarray | None = None,
    ) -> None:
        self._probe = np.arange(0) if probe is None else probe
        self._probed: dict[int, Array] = {}
        self._criterion = criterion
        self._ridges = RIDGES if ridge is None else np.array([ridge])
        self._directions = directions
        self._groups = None if codes is None else _groups(codes)
        if codes is not None:
            counts = np.bincount(codes)
            order = np.argsort(codes, kind="stable")
            self._sorted = order, np.cumsum(counts) - counts, counts, codes
        self._degrees = degrees
        self._n = 0 if features is None else int(features.shape[0])
        self._features = None if features is None else self._centred(features)
        self._bases = [] if features is None else self._make_bases()
        self._own: list[_Own] = []
        if self._groups and features is not None:
            self._mean_size = self._n / len(self._groups)
            self._own = self._own_bases()

    @property
    def nbytes(self) -> int:
        """Memory held."""
        if self._features is None:
            return 0
        width = self._features.shape[1] + max([0, *(o.basis.shape[1] for o in self._own)])
        return 8 * self._n * int(width)

    def residuals(self, y: Array, codes: np.ndarray | None = None) -> Residuals:
        """Return what is left of centred features y of shape (n, r).

        `codes` are the categories of the variable whose features these are.
        """
        xp = array_namespace(y)
        n_means = len(self._groups) if self._groups else 1
        nothing = xp.zeros((0, y.shape[1]), dtype=y.dtype, device=y.device)
        shared = [xp.zeros((n_means - 1, y.shape[1]), dtype=y.dtype, device=y.device)]
        if self._features is None:
            return Residuals(
                self._centred(y), shared[0], (n_means,), nothing, np.empty((0, y.shape[1]))
            )
        stage, fit = self._pooled(self._centred(y), n_means)
        stages, own = [stage], [nothing]
        shared.append(stage.kept)
        used = n_means + xp.sum(1 - stage.kept**0.5, axis=0)

        def add(stage: _Stage, where: list[Array]) -> None:
            nonlocal used
            stages.append(stage)
            where.append(stage.kept)
            used = used + xp.sum(1 - stage.kept**0.5, axis=0)

        if self._directions is not None:
            add(self._further(stage.values, fit, used, codes), own)
        if self._own:
            found, coefficients = self._within(stages[-1].values, used)
            add(found, shared)
            if self._directions is not None:
                total = np.hstack([to_numpy(fit.coefficients + c) for c in coefficients])
                add(self._further_within(found.values, total, used, codes), own)
        left = self._means_left() - sum(to_numpy(s.taken) for s in stages)
        return Residuals(
            stages[-1].values,
            xp.concat(shared, axis=0),
            (n_means, fit.which),
            xp.concat(own, axis=0),
            np.clip(left, 0.0, 1.0),
        )

    def _means_left(self) -> np.ndarray:
        """Share of the variance that the means leave in the probed rows, as a column."""
        if not self._groups:
            return np.full((len(self._probe), 1), 1 - 1 / self._n)
        _, _, counts, codes = self._sorted
        return 1 - 1 / counts[codes[self._probe]][:, None]

    def _further(self, y: Array, fit: "_Fit", used: Array, codes: np.ndarray | None) -> "_Stage":
        """Regress what is left on functions of z that are made for this variable."""
        xp, features, n = array_namespace(y), self._features, self._n
        directions: Any = self._directions
        made = directions.functions(to_numpy(fit.coefficients), codes)
        if not made.shape[1]:
            return self._unchanged(y)
        functions = self._centred(xp.asarray(made, dtype=y.dtype, device=y.device))
        basis = self._bases[fit.which][1]
        known = xp.matrix_transpose(basis) @ (xp.matrix_transpose(features) @ functions / n)
        functions = functions - features @ (basis @ known)
        gram = xp.matrix_transpose(functions) @ functions / n
        values, turned = _directions(gram, np.zeros(made.shape[1]), 1.0)
        projected = xp.matrix_transpose(turned) @ (xp.matrix_transpose(functions) @ y / n)
        chosen = self._chosen(values, projected, xp.sum(y * y, axis=0) / n, used)
        kept = (1 - chosen) ** 2
        taken = (functions[self._probe, :] @ turned) ** 2 @ (1 - kept) / n
        return _Stage(y - functions @ (turned @ (chosen * projected)), kept, taken)

    def _further_within(
        self, y: Array, coefficients: np.ndarray, used: Array, codes: np.ndarray | None
    ) -> "_Stage":
        """Do the same within each category, along the directions of the fits in all of them."""
        xp = array_namespace(y)
        directions: Any = self._directions
        made = directions.functions(coefficients, codes)
        functions = self._centred(xp.asarray(made, dtype=y.dtype, device=y.device))
        parts = []
        for own in self._own:
            q = min(made.shape[1], len(own.rows) // ROWS_EACH)
            if q == 0:
                continue
            part = functions[own.rows, :][:, :q]
            part = part - own.basis @ (xp.matrix_transpose(own.basis) @ part)
            gram = xp.matrix_transpose(part) @ part / self._mean_size
            values, turned = _directions(gram, np.zeros(q), 1.0)
            parts.append((own.rows, values, part @ turned / self._mean_size**0.5))
        return self._by_category(y, parts, used)[0] if parts else self._unchanged(y)

    def _unchanged(self, y: Array) -> "_Stage":
        xp = array_namespace(y)
        nothing = xp.zeros((0, y.shape[1]), dtype=y.dtype, device=y.device)
        return _Stage(y, nothing, xp.zeros((1, 1), dtype=y.dtype, device=y.device))

    def _chosen(self, values: Array, projected: Array, total: Array, used: Array) -> Array:
        """Return the share that is taken out along each direction; no regression is a choice."""
        xp = array_namespace(projected)
        shrink = values[None, :] / (values[None, :] + self._grid(values)[:, None])
        shrink = xp.concat([shrink, xp.zeros_like(shrink[:1, :])], axis=0)
        loss = self._loss(shrink, projected**2, total, used[None, :])
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
        gram = array_namespace(features).matrix_transpose(features) @ features / self._n
        return [_directions(gram, self._degrees, decay) for decay in DECAYS]

    def _pooled(self, y: Array, n_means: int) -> tuple["_Stage", "_Fit"]:
        xp, features, n = array_namespace(y), self._features, self._n
        moments = xp.matrix_transpose(features) @ y / n
        total = xp.sum(y * y, axis=0) / n
        found = []
        for values, directions in self._bases:
            projected = xp.matrix_transpose(directions) @ moments
            shrink = values[None, :] / (values[None, :] + self._grid(values)[:, None])
            loss = self._loss(shrink, projected**2, total, n_means, POOLED_COST)
            found.append((float(xp.sum(xp.min(loss, axis=0))), loss, projected, shrink))
        which = min(range(len(found)), key=lambda k: found[k][0])
        _, loss, projected, shrink = found[which]
        chosen = xp.matrix_transpose(xp.take(shrink, xp.argmin(loss, axis=0), axis=0))
        coefficients = self._bases[which][1] @ (chosen * projected)
        kept = (1 - chosen) ** 2
        stage = _Stage(y - features @ coefficients, kept, self._leverages(which) @ (1 - kept))
        return stage, _Fit(coefficients, which)

    def _leverages(self, which: int) -> Array:
        """Squared directions in the probed rows, divided by n."""
        if which not in self._probed:
            features: Any = self._features
            self._probed[which] = (features[self._probe, :] @ self._bases[which][1]) ** 2 / self._n
        return self._probed[which]

    def _grid(self, like: Array) -> Array:
        return array_namespace(like).asarray(self._ridges, dtype=like.dtype, device=like.device)

    def _loss(
        self, shrink: Array, squares: Array, total: Array, used: Any, cost: float = 1.0
    ) -> Array:
        """Criterion of each ridge and feature; `squares` are the squared projections / n."""
        xp, n = array_namespace(shrink), self._n
        degrees = cost * xp.sum(shrink, axis=1)[:, None] + used
        if self._criterion == "gcv":
            left = total[None, :] - (2 * shrink - shrink**2) @ squares
            return xp.clip(left, min=1e-300) / xp.clip(1 - degrees / n, min=1e-3) ** 2
        # Negative log marginal likelihood with the noise variance profiled out, up to constants.
        left = total[None, :] - shrink @ squares
        volume = -xp.sum(xp.log(xp.clip(1 - shrink, min=1e-300)), axis=1)[:, None] / n
        return xp.exp(xp.log(xp.clip(left, min=1e-300)) + volume)

    def _own_bases(self) -> list["_Own"]:
        """Directions within each category, of the smoothest features only."""
        groups: Any = self._groups
        features: Any = self._features
        xp = array_namespace(features)
        smooth = int((self._degrees <= 3).sum())
        found = []
        for rows in groups:
            wanted = max(min(smooth, SMOOTH_OWN), SINGLE_OWN, min(len(rows) // ROWS_EACH, MOST_OWN))
            m = min(wanted, len(rows) // 4, features.shape[1])
            if len(rows) < MIN_OWN_ROWS or m == 0:
                continue
            own = features[rows, :][:, :m]
            gram = xp.matrix_transpose(own) @ own / self._mean_size
            values, turned = _directions(gram, self._degrees[:m], DECAYS[0])
            turned = turned / self._mean_size**0.5
            found.append(_Own(rows, values, own @ turned, turned))
        return found

    def _within(self, y: Array, used: Array) -> tuple["_Stage", list[Array]]:
        """Regress within each category; `used` degrees of freedom are spent already."""
        xp = array_namespace(y)
        parts = [(own.rows, own.values, own.basis) for own in self._own]
        stage, fits = self._by_category(y, parts, used)
        coefficients = []
        for own, fit in zip(self._own, fits, strict=True):
            padded = xp.zeros((len(self._degrees), y.shape[1]), dtype=y.dtype, device=y.device)
            padded[: own.turned.shape[0], :] = own.turned @ fit
            coefficients.append(padded)
        return stage, coefficients

    def _by_category(
        self, y: Array, parts: list[tuple[np.ndarray, Array, Array]], used: Array
    ) -> tuple["_Stage", list[Array]]:
        """Regress on orthonormal directions of the rows of each category, with common ridges."""
        xp, n = array_namespace(y), self._n
        values = xp.concat([v for _, v, _ in parts])
        projected = xp.concat([xp.matrix_transpose(u) @ y[rows, :] for rows, _, u in parts], axis=0)
        chosen = self._chosen(values, projected / n**0.5, xp.sum(y * y, axis=0) / n, used)
        kept = (1 - chosen) ** 2
        place = np.full(n, -1)
        place[self._probe] = np.arange(len(self._probe))
        taken = xp.zeros((len(self._probe), y.shape[1]), dtype=y.dtype, device=y.device)
        result, fits, start = xp.asarray(y, copy=True), [], 0
        for rows, v, u in parts:
            stop = start + v.shape[0]
            fits.append((chosen * projected)[start:stop, :])
            result[rows, :] = y[rows, :] - u @ fits[-1]
            inside = np.flatnonzero(place[rows] >= 0)
            taken[place[rows[inside]], :] = u[inside, :] ** 2 @ (1 - kept[start:stop, :])
            start = stop
        return _Stage(result, kept, taken), fits


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
