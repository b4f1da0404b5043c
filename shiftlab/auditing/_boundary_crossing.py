"""The nearest point on the other side of a decision boundary, for models of known shape.

Points are rows in the units of the model; distances are Euclidean after division by `scale`.
Columns that may not move keep their value, discrete ones keep to their observed values.
"""

from dataclasses import dataclass

import numpy as np

from shiftlab.auditing._boundary_models import Gradient, Hyperplane, Shape, TreeBoxes
from shiftlab.backends import row_blocks

__all__ = ["Space", "cross"]

_STEPS = 20
#: Steps before the candidates are ranked and the far ones left alone.
_FIRST_STEPS = 4
_BISECTIONS = 14
#: How far behind the boundary, in score, a point is put: beyond rounding in the model.
_BEHIND = 1e-6
_STRETCHES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


@dataclass(frozen=True, eq=False)
class Space:
    """Where points may go.

    `values` holds, for each column, the sorted values it must keep to; none if it is free.
    """

    scale: np.ndarray
    movable: np.ndarray
    values: tuple[np.ndarray, ...]

    @property
    def discrete(self) -> np.ndarray:
        """Which movable columns keep to observed values."""
        return np.array([len(v) > 0 for v in self.values]) & self.movable

    def distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the distance of each move."""
        return np.asarray(np.sqrt((((end - start) / self.scale) ** 2).sum(axis=1)))

    def snap(self, points: np.ndarray) -> np.ndarray:
        """Put discrete columns on their nearest observed values."""
        snapped = points.copy()
        for j in np.flatnonzero(self.discrete):
            snapped[:, j] = _nearest(self.values[j], points[:, j])
        return snapped


def cross(
    shape: Shape, starts: np.ndarray, favourable: bool, space: Space, needed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move points to where the decision is the wanted one.

    Parameters
    ----------
    shape : Hyperplane, TreeBoxes or Gradient
    starts : ndarray of shape (n, d)
    favourable : bool
        The wanted decision.
    space : Space
    needed : int
        Only about twice as many of the nearest points are of use; the rest may be left alone.

    Returns
    -------
    ends : ndarray of shape (n, d)
    found, tried : ndarray of bool, shape (n,)
        Whether a move was found, and whether one was looked for to the end.
    """
    if isinstance(shape, TreeBoxes):
        ends, found = _cross_tree(shape, starts, favourable, space)
        return ends, found, np.ones(len(starts), dtype=bool)
    side = _Side(shape, 1.0 if favourable else -1.0)
    ends, found, tried = _approach(side, starts, space, space.movable, needed)
    if space.discrete.any():
        ends, found = _settle(side, starts, ends, space)
    return ends, found, tried


@dataclass(frozen=True, eq=False)
class _Side:
    """The wanted side of a boundary: its score is positive there."""

    shape: Hyperplane | Gradient
    sign: float

    def score(self, points: np.ndarray) -> np.ndarray:
        return self.sign * self.shape.score(points)

    def gradient(self, points: np.ndarray) -> np.ndarray:
        return self.sign * self.shape.gradient(points)


def _approach(
    side: _Side, starts: np.ndarray, space: Space, movable: np.ndarray, needed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow the linearised boundary until it is crossed, then slide back towards the start.

    Before the crossing each step is Newton's, from the point itself. Behind it each step goes half
    the way to the projection of the start onto the linearised boundary, whose fixed points are
    local minima of the distance. The best crossing is kept. For a plane one step is exact.
    """
    best, nearest = starts.copy(), np.full(len(starts), np.inf)
    points, active = starts.copy(), np.arange(len(starts))
    tried = np.ones(len(starts), dtype=bool)
    for step in range(_STEPS):
        score = side.score(points[active])
        crossed = score > 0
        _keep_best(best, nearest, starts, points, active[crossed], space)
        slope = np.where(movable, side.gradient(points[active]) * space.scale, 0.0)
        size = np.einsum("ij,ij->i", slope, slope)
        behind = _BEHIND * np.maximum(1.0, np.abs(score))
        offset = (points[active] - starts[active]) / space.scale
        offset = np.where(crossed[:, None], offset, 0.0)
        reach = np.einsum("ij,ij->i", slope, offset) - score + behind
        length = np.divide(reach, size, out=np.zeros_like(reach), where=size > 0)
        wanted = length[:, None] * slope - offset
        wanted[crossed] *= 0.5
        points[active] += wanted * space.scale
        change = np.sqrt(np.einsum("ij,ij->i", wanted, wanted))
        active = active[~((change <= 1e-7) | (size == 0))]
        if step == _FIRST_STEPS and len(active) > 2 * needed:
            active, far = _rank(active, starts, points, nearest, space, needed)
            tried[far] = False
        if not len(active):
            break
    found = np.isfinite(nearest)
    best[found] = _bisect(side, starts[found], best[found])
    return best, found, tried | found


def _rank(
    active: np.ndarray,
    starts: np.ndarray,
    points: np.ndarray,
    nearest: np.ndarray,
    space: Space,
    needed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Split candidates into the nearest ones and those that will hardly be needed."""
    reached = np.minimum(space.distance(starts[active], points[active]), nearest[active])
    order = np.argsort(reached, kind="stable")
    return np.sort(active[order[: 2 * needed]]), active[order[2 * needed :]]


def _keep_best(
    best: np.ndarray,
    nearest: np.ndarray,
    starts: np.ndarray,
    points: np.ndarray,
    crossed: np.ndarray,
    space: Space,
) -> None:
    distance = space.distance(starts[crossed], points[crossed])
    better = crossed[distance < nearest[crossed]]
    nearest[better] = distance[distance < nearest[crossed]]
    best[better] = points[better]


def _bisect(side: _Side, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Pull ends back along their segment to the last point with the wanted decision."""
    low, high = np.zeros(len(starts)), np.ones(len(starts))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        crossed = side.score(starts + middle[:, None] * (ends - starts)) > 0
        high = np.where(crossed, middle, high)
        low = np.where(crossed, low, middle)
    return np.asarray(starts + high[:, None] * (ends - starts))


def _settle(
    side: _Side, starts: np.ndarray, ends: np.ndarray, space: Space
) -> tuple[np.ndarray, np.ndarray]:
    """Put discrete columns on their values, going further where that undoes the crossing."""
    settled, found = starts.copy(), np.zeros(len(starts), dtype=bool)
    for stretch in _STRETCHES:
        pending = np.flatnonzero(~found)
        if not len(pending):
            break
        trial = space.snap(starts[pending] + (1 + stretch) * (ends[pending] - starts[pending]))
        crossed = side.score(trial) > 0
        settled[pending[crossed]] = trial[crossed]
        found[pending[crossed]] = True
    free = space.movable & ~space.discrete
    rows = np.flatnonzero(found)
    if free.any() and len(rows):
        _shorten(side, starts, settled, rows, free, space)
    return settled, found


def _shorten(
    side: _Side,
    starts: np.ndarray,
    settled: np.ndarray,
    rows: np.ndarray,
    free: np.ndarray,
    space: Space,
) -> None:
    """With the discrete columns where they are, take the nearest point in the others."""
    origin = np.where(free, starts[rows], settled[rows])
    nearer, found, _ = _approach(side, origin, space, free, len(rows))
    crossed = side.score(origin) > 0
    nearer[crossed] = origin[crossed]
    gain = space.distance(starts[rows], nearer) < space.distance(starts[rows], settled[rows])
    better = (found | crossed) & gain
    settled[rows[better]] = nearer[better]


def _cross_tree(
    tree: TreeBoxes, starts: np.ndarray, favourable: bool, space: Space
) -> tuple[np.ndarray, np.ndarray]:
    """Take the nearest point of the nearest box with the wanted decision: exact."""
    ends, nearest = starts.copy(), np.full(len(starts), np.inf)
    for leaf in np.flatnonzero(tree.favourable == favourable):
        lower, upper = tree.lower[leaf], tree.upper[leaf]
        for rows in row_blocks(len(starts), 24 * starts.shape[1]):
            point = np.clip(starts[rows], lower, upper)
            allowed = np.ones(len(point), dtype=bool)
            for j in np.flatnonzero(space.discrete):
                values = space.values[j]
                inside = values[(values >= lower[j]) & (values <= upper[j])]
                if not len(inside):
                    allowed[:] = False
                    break
                point[:, j] = _nearest(inside, starts[rows, j])
            stays = point[:, ~space.movable] == starts[rows][:, ~space.movable]
            allowed &= stays.all(axis=1)
            distance = np.where(allowed, space.distance(starts[rows], point), np.inf)
            better = np.flatnonzero(distance < nearest[rows])
            ends[rows.start + better] = point[better]
            nearest[rows.start + better] = distance[better]
    return ends, np.isfinite(nearest)


def _nearest(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the nearest of sorted values for each point."""
    right = np.searchsorted(values, points).clip(0, len(values) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(points - values[left]) <= np.abs(values[right] - points)
    return np.asarray(np.where(closer, values[left], values[right]))
