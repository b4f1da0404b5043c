"""Second moments by environment: all that a squared loss needs to know about the rows.

For one environment with rows z = (1, x) and outcome y the mean squared error of a coefficient
vector v is ``square - 2 v'cross + v'gram v``. So every fit, every risk and every cross-validation
over environments is algebra on small matrices, whatever the number of rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab._core.validation import Labels, check_environment, check_weights
from shiftlab.adaptation._order import rounded
from shiftlab.exceptions import InputError

__all__ = ["EnvironmentGrams", "Moments", "build_moments"]

#: Rows are multiplied out in blocks of about this many bytes.
BLOCK_BYTES = 2**25
#: Products of rows per environment above which a matrix product for each pays.
PRODUCTS_PER_LOOP = 10_000


@dataclass(frozen=True)
class Moments:
    """Mean products by environment, of (1, x, y) in given units.

    Attributes
    ----------
    weight : ndarray of shape (E,)
        Rows, or their summed weights.
    gram : ndarray of shape (E, q, q)
        Mean of z z' with z = (1, x).
    cross : ndarray of shape (E, q)
        Mean of z y.
    square : ndarray of shape (E,)
        Mean of y squared.
    """

    weight: np.ndarray
    gram: np.ndarray
    cross: np.ndarray
    square: np.ndarray

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, environments: np.ndarray) -> "Moments":
        """Keep some environments."""
        return Moments(*(a[environments] for a in self._arrays()))

    def _arrays(self) -> Iterator[np.ndarray]:
        yield from (self.weight, self.gram, self.cross, self.square)

    def pooled(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gram and cross of the mixture of environments."""
        w = weight / weight.sum()
        q = self.gram.shape[1]
        return (w @ self.gram.reshape(len(w), -1)).reshape(q, q), w @ self.cross

    def risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean squared error in environment e of its own coefficient vector, shape (E,)."""
        product = np.einsum("eij,ej->ei", self.gram, coefficients)
        inner = ((product - 2 * self.cross) * coefficients).sum(axis=1)
        return np.maximum(self.square + inner, 0.0)

    def all_risks(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean squared error of K common coefficient vectors, shape (E, K): one matrix product.

        Each row of the left factor holds an environment's (cross, upper triangle of gram), each
        column of the right one the matching products of a coefficient vector.
        """
        q = self.gram.shape[1]
        i, j = np.triu_indices(q)
        twice = np.where(i == j, 1.0, 2.0)
        left = np.hstack([-2 * self.cross, self.gram[:, i, j] * twice])
        right = np.hstack([coefficients, coefficients[:, i] * coefficients[:, j]])
        return np.maximum(self.square[:, None] + left @ right.T, 0.0)

    def standardised(self) -> tuple["Moments", np.ndarray, np.ndarray]:
        """Return moments of centred and scaled x (over all rows), the centre and the scale."""
        gram, _ = self.pooled(self.weight)
        centre = gram[0, 1:]
        spread = np.sqrt(np.maximum(np.diag(gram)[1:] - centre**2, 0.0))
        size = np.sqrt(np.maximum(np.diag(gram)[1:], 0.0))
        scale = np.where(spread > 1e-9 * np.maximum(size, 1e-300), spread, 1.0)
        return self.transformed(centre, scale), centre, scale

    def transformed(self, centre: np.ndarray, scale: np.ndarray) -> "Moments":
        """Return the moments of (x - centre) / scale."""
        q = self.gram.shape[1]
        change = np.zeros((q, q))
        change[0, 0] = 1.0
        change[1:, 0] = -centre / scale
        change[range(1, q), range(1, q)] = 1 / scale
        gram = change @ self.gram @ change.T
        return Moments(self.weight, gram, self.cross @ change.T, self.square)

    def with_outcome(self, centre: float, scale: float = 1.0) -> "Moments":
        """Return the moments with (y - centre) / scale for y."""
        square = self.square - 2 * centre * self.cross[:, 0] + centre**2
        cross = self.cross - centre * self.gram[:, 0]
        return replace(self, cross=cross / scale, square=np.maximum(square / scale**2, 0.0))

    def rounded(self) -> "Moments":
        """Return the moments without their last bits."""
        return Moments(self.weight, rounded(self.gram), rounded(self.cross), rounded(self.square))


def build_moments(
    X: np.ndarray, y: np.ndarray, labels: Labels, weights: np.ndarray | None = None
) -> Moments:
    """Mean products by environment, from rows sorted by environment and summed in segments."""
    order = np.argsort(labels.codes, kind="stable")
    bounds = np.searchsorted(labels.codes, np.arange(len(labels) + 1), sorter=order)
    pairs = (X.shape[1] + 2) * (X.shape[1] + 3) // 2
    if len(X) * pairs > PRODUCTS_PER_LOOP * len(labels):
        return _multiplied(X, y, weights, order, bounds)
    return _summed(X, y, weights, order, bounds)


def _multiplied(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None, order: np.ndarray, bounds: np.ndarray
) -> Moments:
    """One matrix product per environment: for long ones."""
    n_environments, size = len(bounds) - 1, X.shape[1] + 2
    total = np.zeros((n_environments, size, size))
    weight = np.zeros(n_environments)
    for code in range(n_environments):
        rows = order[bounds[code] : bounds[code + 1]]
        Z = _augmented(X[rows], y[rows])
        w = None if weights is None else weights[rows]
        total[code] = Z.T @ Z if w is None else (Z * w[:, None]).T @ Z
        weight[code] = len(rows) if w is None else w.sum()
    return _moments(total, weight)


def _summed(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None, order: np.ndarray, bounds: np.ndarray
) -> Moments:
    """Products of columns, summed in segments: for many short environments."""
    n_environments, size = len(bounds) - 1, X.shape[1] + 2
    total = np.zeros((n_environments, size, size))
    step = max(1, BLOCK_BYTES // (8 * size))
    for start in range(0, len(order), step):
        rows = order[start : start + step]
        Z = np.ascontiguousarray(_augmented(X[rows], y[rows]).T)
        W = Z if weights is None else Z * weights[rows]
        first = np.searchsorted(bounds, start, side="right") - 1
        last = np.searchsorted(bounds, start + len(rows), side="left")
        inside = np.maximum(bounds[first:last] - start, 0)
        for i in range(size):
            for j in range(i, size):
                total[first:last, i, j] += np.add.reduceat(W[i] * Z[j], inside)
    above = np.triu_indices(size, 1)
    total[:, above[1], above[0]] = total[:, above[0], above[1]]
    return _moments(total, total[:, 0, 0].copy())


def _augmented(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(X)), X, y])


def _moments(total: np.ndarray, weight: np.ndarray) -> Moments:
    mean = total / np.maximum(weight, 1e-300)[:, None, None]
    return Moments(weight, mean[:, :-1, :-1], mean[:, :-1, -1], mean[:, -1, -1])


class EnvironmentGrams:
    """Gram matrices by environment, collected part by part.

    Tables larger than memory stream through `partial_fit`; Gram matrices of different sites are
    added with ``+`` without any row leaving its site. `EnvironmentAdaptiveRegressor.fit_grams`
    fits from them.

    Attributes
    ----------
    feature_names_in_ : tuple of str
        Names of the covariates.
    environments_ : tuple
        Labels, in the order of their first appearance.
    n_rows_ : ndarray of int
        Rows of each environment.

    Notes
    -----
    Covariates are centred at the mean of the first part before they are multiplied, so that large
    offsets do not cost digits.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.adaptation import EnvironmentGrams
    >>> rng = np.random.default_rng(0)
    >>> grams = EnvironmentGrams()
    >>> for day in range(3):
    ...     X = rng.normal(size=(50, 2))
    ...     grams = grams.partial_fit(X, X @ [1.0, 2.0], np.full(50, day))
    >>> grams
    EnvironmentGrams(3 environments, 150 rows, 2 covariates)
    """

    def __repr__(self) -> str:
        if not hasattr(self, "environments_"):
            return "EnvironmentGrams(empty)"
        return (
            f"EnvironmentGrams({len(self.environments_)} environments, {int(self.n_rows_.sum())} "
            f"rows, {len(self.feature_names_in_)} covariates)"
        )

    def partial_fit(
        self, X: Any, y: Any, environment: Any, *, sample_weight: Any = None
    ) -> "EnvironmentGrams":
        """Add rows.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_covariates)
            Numbers.
        y : array of shape (n_rows,)
            Outcome.
        environment : array of shape (n_rows,)
            Environment of each row.
        sample_weight : array of shape (n_rows,), optional
            Weights of the rows.

        Returns
        -------
        EnvironmentGrams
            The object itself.

        Raises
        ------
        InputError
            If the columns are not those of the first part, or cells are missing or not numbers.
        """
        from shiftlab.adaptation._encode import fit_encoder

        encoder = fit_encoder(X)
        if any(c is not None for c in encoder.categories):
            raise InputError("EnvironmentGrams needs numbers; encode categories first.")
        matrix = encoder.encode(X)[0]
        y = np.asarray(y, dtype=np.float64)
        if len(y) != len(matrix) or not np.isfinite(y).all() or not np.isfinite(matrix).all():
            raise InputError("X and y need equal lengths and finite numbers.")
        weights = check_weights(sample_weight, len(y))
        labels, _ = check_environment(environment, n_rows=len(y), minimum=1)
        if not hasattr(self, "environments_"):
            self._start(encoder.names, matrix, y)
        elif encoder.names != self.feature_names_in_:
            raise InputError("X has other columns than the first part.")
        part = build_moments(matrix - self.centre_, y - self.outcome_centre_, labels, weights)
        self._add(labels.categories, labels.counts, part)
        return self

    def _start(self, names: tuple[str, ...], matrix: np.ndarray, y: np.ndarray) -> None:
        self.feature_names_in_ = names
        self.centre_ = matrix.mean(axis=0)
        self.outcome_centre_ = float(y.mean())
        self.environments_: tuple[Any, ...] = ()
        self.n_rows_ = np.zeros(0, dtype=np.int64)
        q = len(names) + 1
        self.moments_ = Moments(np.zeros(0), np.zeros((0, q, q)), np.zeros((0, q)), np.zeros(0))

    def _add(self, labels: Sequence[Any], counts: np.ndarray, part: Moments) -> None:
        place = {label: i for i, label in enumerate(self.environments_)}
        new = [label for label in labels if label not in place]
        self.environments_ = (*self.environments_, *new)
        place = {label: i for i, label in enumerate(self.environments_)}
        at = np.array([place[label] for label in labels])
        size = len(self.environments_)
        old = len(self.n_rows_)
        old_weight = np.zeros(size)
        old_weight[:old] = self.moments_.weight
        weight = old_weight.copy()
        weight[at] += part.weight
        share = np.zeros(size)
        share[at] = part.weight / np.maximum(weight[at], 1e-300)

        def mix(have: np.ndarray, more: np.ndarray) -> np.ndarray:
            mixed = np.zeros((size, *have.shape[1:]))
            mixed[:old] = have
            s = share[at].reshape(-1, *[1] * (have.ndim - 1))
            mixed[at] = mixed[at] * (1 - s) + more * s
            return mixed

        have = self.moments_
        self.moments_ = Moments(
            weight, mix(have.gram, part.gram), mix(have.cross, part.cross),
            mix(have.square, part.square),
        )  # fmt: skip
        n_rows = np.zeros(size, dtype=np.int64)
        n_rows[:old] = self.n_rows_
        n_rows[at] += counts
        self.n_rows_ = n_rows

    def __add__(self, other: "EnvironmentGrams") -> "EnvironmentGrams":
        """Return the sum of two collections over the same covariates."""
        if self.feature_names_in_ != other.feature_names_in_:
            raise InputError("The two have other covariates.")
        total = EnvironmentGrams()
        total.feature_names_in_ = self.feature_names_in_
        total.centre_, total.outcome_centre_ = self.centre_, self.outcome_centre_
        total.environments_, total.n_rows_ = self.environments_, self.n_rows_
        total.moments_ = self.moments_
        shifted = other.moments_.transformed(
            self.centre_ - other.centre_, np.ones(len(self.centre_))
        )
        offset = self.outcome_centre_ - other.outcome_centre_
        total._add(other.environments_, other.n_rows_, shifted.with_outcome(offset))
        return total
