"""Mechanisms as functions of the environment: one vector per environment for P(V | parents).

The rows of an environment (or of a short stretch of time) enter through their second moments only,
so that the cost is that of one pass over the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import linalg

from shiftlab._core.columns import Column
from shiftlab.discovery._surrogate import Surrogate
from shiftlab.kernels import Gaussian, low_rank_factor, robust_scale

__all__ = ["Cells", "Group", "Mechanisms", "make_cells"]

#: Width of the kernels on a variable of scale 1, and on time of length 1.
WIDTH, TIME_WIDTH = 0.5, 0.08
LANDMARKS, JOINT_LANDMARKS, TIME_KNOTS, GRID = 20, 60, 25, 80
#: Stretches of time within which a mechanism counts as constant.
MOST_CELLS = 200
#: More environments than this say nothing more about dependence, and their pairs cost.
MOST_ENVIRONMENTS = 400
#: Features with a smaller share of the leading variance are left out.
SMALLEST = 1e-4
RIDGE = 1.0


#: Positions of variables that are taken together, in ascending order.
Group: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Cells:
    """Groups of rows with one environment, and how the groups combine to what is reported.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Cell of each row.
    basis : ndarray of shape (n_cells, n_basis)
        Features of each cell: the identity for labels, bumps for time.
    grid : ndarray of shape (n_points, n_basis)
        Features of the points at which mechanisms are looked at.
    points : ndarray of shape (n_points,)
        Their environment codes or times.
    is_time : bool
    """

    codes: np.ndarray
    basis: np.ndarray
    grid: np.ndarray
    points: np.ndarray
    is_time: bool

    @property
    def n_points(self) -> int:
        """Number of environments or grid points."""
        return len(self.points)


def make_cells(surrogate: Surrogate) -> Cells:
    """Group the rows by environment, or by short stretches of time."""
    values = surrogate.column.values
    if surrogate.kind == "categorical":
        count = int(values.max()) + 1
        identity = np.eye(count)
        largest = np.sort(np.argsort(-np.bincount(values), kind="stable")[:MOST_ENVIRONMENTS])
        return Cells(values, identity, identity[largest], largest, False)
    start, length = values.min(), max(np.ptp(values), 1e-300)
    n_cells = int(np.clip(len(np.unique(values)) // 5, 10, MOST_CELLS))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n_cells + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="right")
    codes = np.unique(codes, return_inverse=True)[1]
    centres = np.bincount(codes, values) / np.bincount(codes)
    grid = np.linspace(0, 1, GRID)
    knots = np.linspace(0, 1, TIME_KNOTS)
    gram = _bumps(knots, knots)
    size, vectors = np.linalg.eigh(gram)
    kept = size > 1e-6 * size[-1]
    whiten = vectors[:, kept] / np.sqrt(size[kept])
    basis = _bumps((centres - start) / length, knots) @ whiten
    return Cells(codes, basis, _bumps(grid, knots) @ whiten, start + length * grid, True)


def _bumps(at: np.ndarray, knots: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-((at[:, None] - knots) ** 2) / (2 * TIME_WIDTH**2)))


class Mechanisms:
    """How P(V | parents) moves with the environment, for any variable and parents.

    Parameters
    ----------
    variables : sequence of sequence of Column
        The columns of each variable.
    surrogate : Surrogate
        The environment of each row.
    """

    def __init__(self, variables: Sequence[Sequence[Column]], surrogate: Surrogate) -> None:
        self._variables = variables
        self._n_rows = len(surrogate.column.values)
        self.cells = make_cells(surrogate)
        self._features: dict[Group, np.ndarray] = {}
        self._paths: dict[tuple[Group, Group], np.ndarray] = {}

    def path(self, variables: Group, parents: Group = ()) -> np.ndarray:
        """Return the mechanism at each environment or grid time, shape (n_points, n_features).

        Without parents: the mean of the joint features of the variables. With parents: their
        regression on the features of the parents, weighted by the pooled second moments of the
        parents, so that only the conditional moves.
        """
        key = (variables, parents)
        if key not in self._paths:
            self._paths[key] = self._solve(*self._moments(*key, parts=1))
        return self._paths[key]

    def without_each_part(self, variables: Group, parents: Group, parts: int) -> list[np.ndarray]:
        """Return the mechanism computed without each part of the rows in turn."""
        moments = self._moments(variables, parents, parts=parts)
        n_cells = len(self.cells.basis)
        by_part = [m.reshape(n_cells, parts, *m.shape[1:]) for m in moments]
        return [
            self._solve(*(m.sum(axis=1) - m[:, part] for m in by_part)) for part in range(parts)
        ]

    def _moments(
        self, variables: Group, parents: Group, parts: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return counts, second moments of the parents and cross moments.

        One entry per cell and part of the rows, the parts of a cell beside each other.
        """
        y, x = self._feature(variables), self._regressors(parents)
        # Rows are sorted by content: taking every so many spreads each part over all values.
        groups = self.cells.codes * parts + np.arange(len(y)) % parts
        order = np.argsort(groups, kind="stable")
        missing = self._missing((*variables, *parents))
        order = order[~missing[order]] if missing.any() else order
        n_groups = len(self.cells.basis) * parts
        counts = np.bincount(groups[order], minlength=n_groups)
        square = np.zeros((n_groups, x.shape[1], x.shape[1]))
        cross = np.zeros((n_groups, x.shape[1], y.shape[1]))
        x, y = x[order], y[order]
        stops = np.cumsum(counts)
        for group in np.flatnonzero(counts):
            rows = slice(stops[group] - counts[group], stops[group])
            square[group] = x[rows].T @ x[rows]
            cross[group] = x[rows].T @ y[rows]
        return counts.astype(float), square, cross

    def _solve(self, counts: np.ndarray, square: np.ndarray, cross: np.ndarray) -> np.ndarray:
        """Regress with coefficients that move with the basis, shrunk towards the pooled ones."""
        pooled_square, pooled_cross = square.sum(axis=0), cross.sum(axis=0)
        n_x = pooled_square.shape[0]
        ridge = RIDGE * np.eye(n_x)
        pooled = np.linalg.solve(pooled_square + ridge, pooled_cross)
        rest = cross - square @ pooled
        if not self.cells.is_time:
            moves = np.linalg.solve(square + ridge, rest)[self.cells.points]
        else:
            basis = self.cells.basis
            n_basis = basis.shape[1]
            pairs = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)
            gram = (pairs.T @ square.reshape(len(basis), -1)).reshape(n_basis, n_basis, n_x, n_x)
            gram = gram.transpose(0, 2, 1, 3).reshape(n_basis * n_x, -1)
            right = np.einsum("ca,cxy->axy", basis, rest, optimize=True)
            gram[np.diag_indices_from(gram)] += RIDGE
            right = right.reshape(n_basis * n_x, -1)
            found = linalg.solve(gram, right, assume_a="pos", check_finite=False)
            moves = np.einsum("ga,axy->gxy", self.cells.grid, found.reshape(n_basis, n_x, -1))
        weight = pooled_square / max(counts.sum(), 1.0)
        return np.asarray((weight @ moves).reshape(len(moves), -1))

    def _regressors(self, parents: Group) -> np.ndarray:
        ones = np.ones((self._n_rows, 1))
        return np.hstack([ones, self._feature(parents)]) if parents else ones

    def _missing(self, variables: Group) -> np.ndarray:
        return np.logical_or.reduce(
            [column.missing for v in variables for column in self._variables[v]]
        )

    def _feature(self, variables: Group) -> np.ndarray:
        """Return features whose inner products are the kernel, without the negligible ones."""
        if variables not in self._features:
            columns = [column for v in variables for column in self._variables[v]]
            self._features[variables] = _features(columns)
        return self._features[variables]


def _features(columns: Sequence[Column]) -> np.ndarray:
    numbers = [c for c in columns if c.is_number]
    labels = [c for c in columns if not c.is_number]
    blocks = []
    if numbers:
        data = np.column_stack(
            [np.where(c.missing, np.nanmedian(c.values), c.values) for c in numbers]
        )
        data = data / np.array(robust_scale(data))
        count = LANDMARKS if len(numbers) == 1 else JOINT_LANDMARKS
        kernel = Gaussian(WIDTH * np.sqrt(len(numbers)))
        factor = low_rank_factor(kernel, data, method="nystrom", max_rank=count, random_state=0)
        blocks.append(_leading(np.asarray(factor.transform(data))))
    for column in labels:
        codes = np.maximum(column.values, 0)
        blocks.append(_leading(np.eye(len(column.categories))[codes][:, : 4 * LANDMARKS]))
    return np.hstack(blocks)


def _leading(features: np.ndarray) -> np.ndarray:
    """Centre and rotate features, and leave out those without variance."""
    centred = features - features.mean(axis=0)
    size, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = size > SMALLEST * max(size[-1], 1e-300)
    return np.asarray(centred @ vectors[:, kept][:, ::-1])
