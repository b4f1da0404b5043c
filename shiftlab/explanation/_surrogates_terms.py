"""Models whose predictions are a base plus one term per column."""

from typing import Protocol

import numpy as np

from shiftlab._core.checks import check_integer

__all__ = ["Terms", "make_terms"]


class Terms(Protocol):
    """A model with one term per column."""

    def fit(self, matrix: np.ndarray, target: np.ndarray, weights: np.ndarray) -> None:
        """Fit to weighted rows."""
        ...

    def split(self, matrix: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the base and the term of each column at each row."""
        ...


def make_terms(
    kind: str,
    matrix: np.ndarray,
    weights: np.ndarray,
    categorical: list[int],
    *,
    max_depth: int,
    n_knots: int,
    ridge: float,
    seed: int,
) -> Terms:
    """Return an unfitted model of a kind."""
    if kind == "tree":
        return _Tree(check_integer(max_depth, "max_depth"), seed)
    check_integer(n_knots, "n_knots", minimum=2)
    basis = _Basis(matrix, weights, categorical, n_knots if kind == "additive" else 0)
    return _Additive(basis, ridge)


class _Basis:
    """Columns of a regression: standardised numbers or splines, indicators of categories."""

    def __init__(
        self, matrix: np.ndarray, weights: np.ndarray, categorical: list[int], n_knots: int
    ) -> None:
        from sklearn.preprocessing import SplineTransformer

        self.n_columns = matrix.shape[1]
        self._levels = {j: np.unique(matrix[:, j]) for j in categorical}
        matrix, weights = matrix[weights > 0], weights[weights > 0]
        self._mean = np.average(matrix, axis=0, weights=weights)
        spread = np.sqrt(np.average((matrix - self._mean) ** 2, axis=0, weights=weights))
        self._scale = np.where(spread > 0, spread, 1.0)
        self._splines = {}
        for j in range(self.n_columns) if n_knots else ():
            column = matrix[:, [j]]
            if j not in self._levels and len(np.unique(column)) > n_knots:
                # Beyond the data the curve goes on as a straight line.
                spline = SplineTransformer(n_knots, extrapolation="linear", knots="quantile")
                self._splines[j] = spline.fit(column, sample_weight=weights)

    def __call__(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the design and the column that each of its columns belongs to."""
        parts, owners = [], []
        for j in range(self.n_columns):
            column = matrix[:, [j]]
            if j in self._levels:
                part = (column == self._levels[j]).astype(float)
            elif j in self._splines:
                part = self._splines[j].transform(column)
            else:
                part = (column - self._mean[j]) / self._scale[j]
            parts.append(part)
            owners += [j] * part.shape[1]
        return np.column_stack(parts), np.array(owners)


class _Additive:
    """Ridge regression on a basis."""

    def __init__(self, basis: _Basis, ridge: float) -> None:
        self._basis, self._ridge = basis, ridge

    def fit(self, matrix: np.ndarray, target: np.ndarray, weights: np.ndarray) -> None:
        design, _ = self._basis(matrix)
        w = weights / weights.sum()
        self._centre = w @ design
        self._base = float(w @ target)
        centred = design - self._centre
        weighted = centred * w[:, None]
        gram = weighted.T @ centred + self._ridge * np.eye(design.shape[1])
        self._coef = np.linalg.solve(gram, weighted.T @ (target - self._base))

    def split(self, matrix: np.ndarray) -> tuple[float, np.ndarray]:
        design, owners = self._basis(matrix)
        moved = (design - self._centre) * self._coef
        terms = np.zeros((len(matrix), self._basis.n_columns))
        for j in range(self._basis.n_columns):
            terms[:, j] = moved[:, owners == j].sum(axis=1)
        return self._base, terms


class _Tree:
    """Regression tree; the change of the mean at each split belongs to the column of the split."""

    def __init__(self, max_depth: int, seed: int) -> None:
        self._max_depth, self._seed = max_depth, seed

    def fit(self, matrix: np.ndarray, target: np.ndarray, weights: np.ndarray) -> None:
        from sklearn.tree import DecisionTreeRegressor

        tree = DecisionTreeRegressor(max_depth=self._max_depth, random_state=self._seed)
        self.tree = tree.fit(matrix, target, sample_weight=weights)

    def split(self, matrix: np.ndarray) -> tuple[float, np.ndarray]:
        tree = self.tree.tree_
        values = tree.value[:, 0, 0]
        terms = np.zeros(matrix.shape)
        node = np.zeros(len(matrix), dtype=np.intp)
        rows = np.arange(len(matrix))
        for _ in range(tree.max_depth):
            inner = tree.children_left[node] >= 0
            at, where = node[inner], rows[inner]
            feature = tree.feature[at]
            # The tree compares in single precision.
            left = matrix[where, feature].astype(np.float32) <= tree.threshold[at]
            after = np.where(left, tree.children_left[at], tree.children_right[at])
            terms[where, feature] += values[after] - values[at]
            node[inner] = after
        return float(values[0]), terms
