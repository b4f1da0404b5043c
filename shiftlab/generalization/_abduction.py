"""Abduction: what of a row is its own, once time and sensitive attributes are taken out.

Domain parameters are read from the source domains, smoothed as a state space and rolled forward:
a row ``x`` of time ``t`` and attributes ``a`` is carried back along the flow, the path of the
common mean and the effect of the attributes are subtracted, and what is left is carried to a common
reference. All steps can be undone for other attributes: that is the counterfactual.
"""

from dataclasses import dataclass

import numpy as np

from shiftlab.generalization._attributes import Coded
from shiftlab.generalization._cells import domain_cells, within_scale
from shiftlab.generalization._flow import Flow, find_flow, still
from shiftlab.generalization._group_maps import GroupMaps, fit_group_maps, no_maps
from shiftlab.generalization._states import StatePaths, fit_paths

__all__ = ["Abduction", "Moment", "fit_abduction", "reread"]

#: Rows that a domain needs beyond the columns of the design before its effect is read.
MIN_SPARE_ROWS = 2


@dataclass(frozen=True, eq=False)
class Moment:
    """Domain parameters at the time of each row.

    Attributes
    ----------
    mean, log_scale : ndarray of shape (n_rows, n_features)
        Common mean and logarithm of the scale, in the aligned frame.
    effect : ndarray of shape (n_rows, n_columns, n_features)
        Effects of the design.
    """

    mean: np.ndarray
    log_scale: np.ndarray
    effect: np.ndarray


@dataclass(frozen=True, eq=False)
class Abduction:
    """The fitted chain of invertible steps.

    Attributes
    ----------
    centre, scale : ndarray of shape (n_features,)
        Standardisation of the features (scale within domains and cells).
    origin, span : float
        Time of the first source domain, and from it to the last.
    flow : Flow
        Common linear flow.
    means, log_scales, effects : StatePaths
        Paths of the domain parameters in the aligned frame; effects are ordered by design column,
        then feature.
    design_centre : ndarray of shape (n_columns,)
        Mean of the design: effects are read from there.
    spread : ndarray of shape (n_columns, n_features)
        How the logarithm of the scale depends on the design, where attributes are numbers.
    maps : GroupMaps
        Between groups and the reference.
    """

    centre: np.ndarray
    scale: np.ndarray
    origin: float
    span: float
    flow: Flow
    means: StatePaths
    log_scales: StatePaths
    effects: StatePaths
    design_centre: np.ndarray
    spread: np.ndarray
    maps: GroupMaps

    def relative(self, time: np.ndarray) -> np.ndarray:
        """Return times relative to the source domains: 0 is the first, 1 the last."""
        return (np.asarray(time, dtype=float) - self.origin) / self.span

    def moment(self, time: np.ndarray) -> Moment:
        """Return the domain parameters at the times of rows."""
        times, where = np.unique(self.relative(time), return_inverse=True)
        effects = self.effects.at(times)[0].reshape(len(times), len(self.design_centre), -1)
        return Moment(
            self.means.at(times)[0][where], self.log_scales.at(times)[0][where], effects[where]
        )

    def aligned(self, X: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Standardise features and carry them back along the flow."""
        return self.flow.align((X - self.centre) / self.scale, self.relative(time))

    def terms(self, X: np.ndarray, coded: Coded, time: np.ndarray) -> np.ndarray:
        """Return the exogenous terms of rows."""
        at = self.moment(time)
        design = coded.design - self.design_centre
        E = self.aligned(X, time) - at.mean - _effect(design, at)
        return self.maps.forward(E * np.exp(-at.log_scale - design @ self.spread), coded.group)

    def features(self, U: np.ndarray, coded: Coded, time: np.ndarray) -> np.ndarray:
        """Return the features of rows with these exogenous terms and attributes."""
        at = self.moment(time)
        design = coded.design - self.design_centre
        E = self.maps.backward(U, coded.group) * np.exp(at.log_scale + design @ self.spread)
        Z = E + at.mean + _effect(design, at)
        return self.flow.carry(Z, self.relative(time)) * self.scale + self.centre


def _effect(design: np.ndarray, at: Moment) -> np.ndarray:
    return np.einsum("nq,nqp->np", design, at.effect)


def fit_abduction(
    X: np.ndarray,
    coded: Coded,
    time: np.ndarray,
    cell: np.ndarray,
    *,
    drift: str = "flow",
    effect: str = "auto",
) -> Abduction:
    """Fit the chain to the rows of source domains.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Features.
    coded : Coded
        Attributes.
    time : ndarray of shape (n_rows,)
        Time of the domain of each row.
    cell : ndarray of shape (n_rows,)
        Class (or half of the outcomes) of each row, which shows the flow more clearly.
    drift : {"flow", "trend", "none"}
        What may change over time.
    effect : {"auto", "location", "location-scale", "quantile"}
        What the attributes may change.

    Returns
    -------
    Abduction
    """
    time = np.asarray(time, dtype=float)
    origin = float(time.min())
    span = float(np.ptp(time)) or 1.0
    relative = (time - origin) / span
    joint = _joint_cell(coded, cell)
    centre, scale = X.mean(axis=0), within_scale(X, relative, joint)
    Z = (X - centre) / scale
    flow = still(X.shape[1])
    if drift == "flow":
        flow = find_flow(domain_cells(Z, relative, joint))
        Z = flow.align(Z, relative)
    frame = _Frame(centre, scale, origin, span, flow)
    return _read_domains(frame, Z, coded, relative, drift=drift, effect=effect)


@dataclass(frozen=True, eq=False)
class _Frame:
    centre: np.ndarray
    scale: np.ndarray
    origin: float
    span: float
    flow: Flow


def reread(known: Abduction, X: np.ndarray, coded: Coded, time: np.ndarray) -> Abduction:
    """Read means, scales and effects from other rows, in the frame of a known flow."""
    frame = _Frame(known.centre, known.scale, known.origin, known.span, known.flow)
    Z = known.aligned(X, time)
    effect = {"location": "location", "location-scale": "location-scale"}.get(known.maps.kind)
    relative = known.relative(time)
    # Nothing is carried on from here: the plain forms of paths will do, and are fast.
    return _read_domains(
        frame, Z, coded, relative, drift="trend", effect=effect or "auto", forms="default"
    )


def _read_domains(
    frame: _Frame,
    Z: np.ndarray,
    coded: Coded,
    relative: np.ndarray,
    *,
    drift: str,
    effect: str,
    forms: str = "all",
) -> Abduction:
    """Fit all that is fitted in the aligned frame."""
    design_centre = coded.design.mean(axis=0)
    design = coded.design - design_centre
    constant = drift == "none"
    means, effects = _fit_locations(Z, design, relative, constant=constant, forms=forms)
    times, where = np.unique(relative, return_inverse=True)
    effect_at = effects.at(times)[0].reshape(len(times), design.shape[1], -1)[where]
    E = Z - means.at(times)[0][where] - np.einsum("nq,nqp->np", design, effect_at)
    log_scales = _fit_scales(E, where, times, constant=constant, forms=forms)
    E = E * np.exp(-log_scales.at(times)[0][where])
    spread = np.zeros((design.shape[1], Z.shape[1]))
    maps = no_maps(Z.shape[1])
    if coded.group is not None:
        maps = fit_group_maps(E, coded.group, design.shape[1] + 1, effect)
    elif effect != "location":
        spread = _fit_spread(E, design)
    return Abduction(
        frame.centre, frame.scale, frame.origin, frame.span, frame.flow, means, log_scales,
        effects, design_centre, spread, maps,
    )  # fmt: skip


def _joint_cell(coded: Coded, cell: np.ndarray) -> np.ndarray:
    """Cross classes with groups; a numeric attribute is cut at its median."""
    if coded.group is not None:
        part = coded.group
    else:
        first = coded.design[:, 0]
        part = (first > np.median(first)).astype(int)
    codes = np.unique(cell, return_inverse=True)[1]
    return part * (codes.max() + 1) + codes


def _fit_locations(
    Z: np.ndarray, design: np.ndarray, time: np.ndarray, *, constant: bool, forms: str
) -> tuple[StatePaths, StatePaths]:
    """Read effects of the design and common means in each domain and smooth both."""
    times, where = np.unique(time, return_inverse=True)
    n_columns, p = design.shape[1], Z.shape[1]
    effects = np.zeros((len(times), n_columns, p))
    noise = np.full_like(effects, np.inf)
    blocks = [np.flatnonzero(where == t) for t in range(len(times))]
    for t, rows in enumerate(blocks):
        _read_effect(Z[rows], design[rows], effects[t], noise[t])
    shape = (len(times), n_columns * p)
    paths = fit_paths(
        times, effects.reshape(shape), noise.reshape(shape),
        centred=True, constant=constant, forms=forms,
    )  # fmt: skip
    smooth = paths.at(times)[0].reshape(effects.shape)
    means, mean_noise = np.zeros((len(times), p)), np.ones((len(times), p))
    for t, rows in enumerate(blocks):
        left = Z[rows] - design[rows] @ smooth[t]
        means[t] = left.mean(axis=0)
        mean_noise[t] = (left.var(axis=0) if len(rows) > 1 else 1.0) / len(rows)
    floor = 1e-6 * np.maximum(Z.var(axis=0), 1e-12)
    return fit_paths(times, means, mean_noise + floor, constant=constant, forms=forms), paths


def _read_effect(Z: np.ndarray, design: np.ndarray, effect: np.ndarray, noise: np.ndarray) -> None:
    """Regress a domain on the design; columns that do not vary there stay unseen."""
    varies = np.ptp(design, axis=0) > 0
    full = np.column_stack([np.ones(len(Z)), design[:, varies]])
    spare = len(Z) - full.shape[1]
    if spare < MIN_SPARE_ROWS or not varies.any() or np.linalg.matrix_rank(full) < full.shape[1]:
        return
    inverse = np.linalg.inv(full.T @ full)
    coefficients = inverse @ (full.T @ Z)
    residual = ((Z - full @ coefficients) ** 2).sum(axis=0) / spare
    effect[varies] = coefficients[1:]
    noise[varies] = np.outer(np.diag(inverse)[1:], residual) + 1e-12


def _fit_scales(
    E: np.ndarray, where: np.ndarray, times: np.ndarray, *, constant: bool, forms: str
) -> StatePaths:
    """Smooth the logarithms of the scales of domains; the sampling error allows for heavy tails."""
    p = E.shape[1]
    logs, noise = np.zeros((len(times), p)), np.full((len(times), p), np.inf)
    second = np.maximum((E**2).mean(axis=0), 1e-300)
    kurtosis = np.clip((E**4).mean(axis=0) / second**2, 1.8, 30)
    for t in range(len(times)):
        rows = E[where == t]
        variance = (rows**2).mean(axis=0)
        if len(rows) < 5:
            continue
        fine = variance > 1e-6 * second
        logs[t, fine] = 0.5 * np.log(variance[fine])
        noise[t, fine] = ((kurtosis - 1) / (4 * len(rows)))[fine]
    unseen = ~np.isfinite(noise).any(axis=0)
    noise[0, unseen] = 1e-6
    return fit_paths(times, logs, noise, constant=constant, forms=forms)


def _fit_spread(E: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Regress logarithms of squared residuals on the design; keep what is significant."""
    logs = 0.5 * np.log(E**2 + 1e-4 * (E**2).mean(axis=0))
    full = np.column_stack([np.ones(len(E)), design])
    inverse = np.linalg.pinv(full.T @ full)
    coefficients = inverse @ (full.T @ logs)
    residual = ((logs - full @ coefficients) ** 2).mean(axis=0)
    error = np.sqrt(np.outer(np.diag(inverse), residual))
    kept = np.where(np.abs(coefficients) > 3.5 * error, coefficients, 0.0)
    return np.asarray(kept[1:])
