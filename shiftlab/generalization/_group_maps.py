"""Maps that carry the residuals of each group to a common reference and back.

Groups that differ by location only need no map. If they differ in covariance, the map is the
optimal transport between Gaussians, to their barycentre; if their shapes differ too, each
coordinate is then carried to the pooled distribution by quantiles. What is used is decided by the
Bayesian information criterion and by Kolmogorov-Smirnov tests unless it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["GroupMaps", "fit_group_maps", "no_maps"]

N_KNOTS = 101
#: A stretch of an axis within so many standard errors of 1 is taken as 1.
STRETCH_SIGNIFICANCE = 3.5
#: Level of the tests of shape, before division by their number.
SHAPE_ALPHA = 1e-3
#: Coordinates with fewer distinct values have no quantile map.
MIN_DISTINCT = 30


@dataclass(frozen=True, eq=False)
class GroupMaps:
    """Linear maps and, where shapes differ, monotone maps.

    Attributes
    ----------
    linear : ndarray of shape (n_groups, n_features, n_features)
        From the residuals of a group to the reference.
    knots : ndarray of shape (n_groups, n_features, n_knots)
        Quantiles of each group after the linear map; empty if no quantile maps are used.
    reference : ndarray of shape (n_features, n_knots)
        Quantiles of all rows.
    shaped : ndarray of bool, shape (n_features,)
        Coordinates with quantile maps.
    """

    linear: np.ndarray
    knots: np.ndarray
    reference: np.ndarray
    shaped: np.ndarray

    @property
    def kind(self) -> str:
        """Name of the maps: location, location-scale or quantile."""
        if self.shaped.any():
            return "quantile"
        eye = np.eye(self.linear.shape[1])
        return "location" if np.allclose(self.linear, eye) else "location-scale"

    def forward(self, E: np.ndarray, group: np.ndarray | None) -> np.ndarray:
        """Carry residuals to the reference."""
        if group is None:
            return E
        U = np.empty_like(E)
        for k, linear in enumerate(self.linear):
            rows = group == k
            U[rows] = E[rows] @ linear.T
            for j in np.flatnonzero(self.shaped):
                U[rows, j] = _monotone(U[rows, j], self.knots[k, j], self.reference[j])
        return U

    def backward(self, U: np.ndarray, group: np.ndarray | None) -> np.ndarray:
        """Carry reference terms to the residuals of groups."""
        if group is None:
            return U
        E = U.copy()
        for k, linear in enumerate(self.linear):
            rows = group == k
            for j in np.flatnonzero(self.shaped):
                E[rows, j] = _monotone(U[rows, j], self.reference[j], self.knots[k, j])
            E[rows] = np.linalg.solve(linear, E[rows].T).T
        return E


def no_maps(n_features: int, n_groups: int = 1) -> GroupMaps:
    """Return maps that change nothing."""
    empty = np.empty((n_groups, n_features, 0))
    linear = np.tile(np.eye(n_features), (n_groups, 1, 1))
    return GroupMaps(linear, empty, empty[0], np.zeros(n_features, dtype=bool))


def fit_group_maps(E: np.ndarray, group: np.ndarray, n_groups: int, kind: str) -> GroupMaps:
    """Fit the maps to residuals with mean zero in every group.

    Parameters
    ----------
    E : ndarray of shape (n_rows, n_features)
        Residuals.
    group : ndarray of int
        Group of each row.
    n_groups : int
        Number of groups.
    kind : {"auto", "location", "location-scale", "quantile"}
        How far groups may differ.

    Returns
    -------
    GroupMaps
    """
    p = E.shape[1]
    if kind == "location":
        return no_maps(p, n_groups)
    counts = np.bincount(group, minlength=n_groups)
    covariances = np.stack([_covariance(E[group == k]) for k in range(n_groups)])
    shares = counts / counts.sum()
    form = _choose_form(covariances, counts) if kind == "auto" else _full_or_axes(counts, p)
    linear = np.tile(np.eye(p), (n_groups, 1, 1))
    if form == "full":
        reference = _barycentre(covariances, shares)
        stretches = [_transport(c, reference) for c in covariances]
        linear = np.stack([_prune(s, n) for s, n in zip(stretches, counts, strict=True)])
    elif form == "axes":
        sizes = np.sqrt(np.stack([np.diag(c) for c in covariances]))
        common = shares @ sizes
        linear = np.stack(
            [_prune(np.diag(common / s), n) for s, n in zip(sizes, counts, strict=True)]
        )
    maps = GroupMaps(linear, *_no_knots(p, n_groups))
    return maps if kind == "location-scale" else _with_shapes(maps, E, group, always=kind != "auto")


def _no_knots(p: int, n_groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    maps = no_maps(p, n_groups)
    return maps.knots, maps.reference, maps.shaped


def _covariance(E: np.ndarray) -> np.ndarray:
    p = E.shape[1]
    if len(E) < 3:
        return np.eye(p)
    covariance = np.atleast_2d(np.cov(E.T))
    return covariance + 1e-6 * np.eye(p) * max(float(np.trace(covariance)) / p, 1e-12)


def _full_or_axes(counts: np.ndarray, p: int) -> str:
    return "full" if counts.min() > 5 * p else "axes"


def _choose_form(covariances: np.ndarray, counts: np.ndarray) -> str:
    """Compare one covariance, scales of the axes, and one covariance for each group."""
    n, p = counts.sum(), covariances.shape[1]
    pooled = np.tensordot(counts / n, covariances, axes=1)
    sizes = np.sqrt(np.stack([np.diag(c) for c in covariances]))
    correlations = [c / np.outer(s, s) for c, s in zip(covariances, sizes, strict=True)]
    common = np.tensordot(counts / n, np.stack(correlations), axes=1)
    axes = np.stack([np.outer(s, s) * common for s in sizes])
    more, log_n = len(counts) - 1, np.log(n)
    losses = {
        "none": _deviance(covariances, np.broadcast_to(pooled, covariances.shape), counts),
        "axes": _deviance(covariances, axes, counts) + more * p * log_n,
        "full": _deviance(covariances, covariances, counts) + more * p * (p + 1) / 2 * log_n,
    }
    if counts.min() <= 5 * p:
        losses.pop("full")
    return min(losses, key=lambda form: losses[form])


def _deviance(observed: np.ndarray, model: np.ndarray, counts: np.ndarray) -> float:
    _, logs = np.linalg.slogdet(model)
    traces = np.trace(np.linalg.solve(model, observed), axis1=1, axis2=2)
    return float(counts @ (logs + traces))


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 1e-12))) @ vectors.T


def _transport(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the optimal linear map between two centred Gaussians; it is symmetric."""
    root = _root(source)
    inverse = np.linalg.inv(root)
    return np.asarray(inverse @ _root(root @ target @ root) @ inverse)


def _barycentre(covariances: np.ndarray, shares: np.ndarray, n_iter: int = 30) -> np.ndarray:
    """Return the Wasserstein barycentre of centred Gaussians by fixed-point iteration."""
    mean = np.tensordot(shares, covariances, axes=1)
    for _ in range(n_iter):
        maps = [_transport(mean, c) for c in covariances]
        step = np.tensordot(shares, np.stack(maps), axes=1)
        mean = step @ mean @ step.T
    return np.asarray(mean)


def _prune(stretch: np.ndarray, n: int) -> np.ndarray:
    """Set the stretches that sampling error explains to 1."""
    values, vectors = np.linalg.eigh(0.5 * (stretch + stretch.T))
    tolerance = STRETCH_SIGNIFICANCE / np.sqrt(2 * max(n, 1))
    kept = np.where(np.abs(np.log(np.maximum(values, 1e-12))) > tolerance, values, 1.0)
    return np.asarray((vectors * kept) @ vectors.T)


def _with_shapes(maps: GroupMaps, E: np.ndarray, group: np.ndarray, *, always: bool) -> GroupMaps:
    """Add quantile maps to the coordinates whose shapes differ between groups."""
    n_groups, p = len(maps.linear), E.shape[1]
    U = maps.forward(E, group)
    smooth = np.array([len(np.unique(column[:5000])) >= MIN_DISTINCT for column in U.T])
    parts = [U[group == k] for k in range(n_groups)]
    level = SHAPE_ALPHA / (p * n_groups)
    shaped = smooth if always else smooth & _differs(parts, level)
    if not shaped.any():
        return maps
    at = np.linspace(0, 1, N_KNOTS)
    # The extremes are single rows; the tails beyond the last inner knots go on as shifts.
    at[0], at[-1] = 0.25 / N_KNOTS, 1 - 0.25 / N_KNOTS
    knots = np.stack([np.quantile(part, at, axis=0).T for part in parts])
    shares = np.bincount(group, minlength=n_groups) / len(group)
    # The barycentre of distributions on a line has the mean of their quantile functions.
    return GroupMaps(maps.linear, knots, np.tensordot(shares, knots, axes=1), shaped)


def _differs(parts: Sequence[np.ndarray], level: float) -> np.ndarray:
    from scipy.stats import ks_2samp

    rest = [np.concatenate([q for j, q in enumerate(parts) if j != i]) for i in range(len(parts))]
    p = parts[0].shape[1]
    return np.array(
        [
            min(
                ks_2samp(a[:, j], b[:, j], method="asymp").pvalue
                for a, b in zip(parts, rest, strict=True)
            )
            < level
            for j in range(p)
        ]
    )


def _monotone(values: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Map by linear interpolation between knots; beyond them the nearest shift goes on."""
    grid = source + 1e-9 * np.arange(len(source)) * max(float(np.ptp(source)), 1e-9)
    mapped = np.interp(values, grid, target)
    low, high = values < grid[0], values > grid[-1]
    mapped[low] = values[low] + target[0] - grid[0]
    mapped[high] = values[high] + target[-1] - grid[-1]
    return mapped
