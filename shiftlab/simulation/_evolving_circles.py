"""Evolving worlds of circles and spirals with a sensitive attribute.

Every world keeps the counterfactual twin of each row, see `EvolvingData`. The exogenous terms are
independent of the attribute unless `correlation` says otherwise.
"""

from typing import Literal

import numpy as np

from shiftlab._core.random import RandomState
from shiftlab._core.validation import check_option
from shiftlab.exceptions import InputError
from shiftlab.simulation._evolving import (
    Columns,
    EvolvingData,
    evolving_data,
    name_columns,
    normal_terms,
    sign_of,
)

__all__ = ["make_fair_circle", "make_rotating_circles", "make_spirals"]

Drift = Literal["linear", "accelerating", "oscillating", "switching"]
DRIFTS = ("linear", "accelerating", "oscillating", "switching")
#: When the angle of the switching drift turns back.
SWITCH = 0.4


def make_rotating_circles(
    n_domains: int = 30,
    n_per_domain: int = 200,
    *,
    rotation: float = 45.0,
    shift: float = 0.35,
    scale: float = 0.0,
    correlation: float = 0.0,
    drift: Drift = "linear",
    random_state: RandomState = None,
) -> EvolvingData:
    """Draw two circles that turn against each other; one radius carries the attribute.

    The label is 1 if ``u_ns + r_s > 0`` with ``r_s = (1 + scale s) u_s + shift s`` and ``s`` = -1
    or 1 the sign of the group. ``u_ns`` and ``r_s`` are seen as the radii of two clouds of points
    which turn around the origin in opposite directions. Two further features drift and say nothing
    about the label; the attribute shifts one of them.

    Parameters
    ----------
    n_domains : int, default 30
        Number of domains.
    n_per_domain : int, default 200
        Rows of each.
    rotation : float, default 45.0
        Angle between the first and the last domain, in degrees.
    shift : float, default 0.35
        Additive effect of the attribute.
    scale : float, default 0.0
        Effect of the attribute on the scale of ``u_s``, above -1 and below 1.
    correlation : float, default 0.0
        Shift of ``u_s`` between the groups, in standard deviations, that is no effect of the
        attribute and stays in the twin.
    drift : {"linear", "accelerating", "oscillating", "switching"}, default "linear"
        How the angle goes on in time; the last turns back after 40 % of it, at once and for good.
    random_state : int, SeedSequence or Generator, optional
        Seed.

    Returns
    -------
    EvolvingData
        Features ``x0, x1`` (free circle), ``x2, x3`` (circle with the attribute), ``x4`` (shifted
        environment), ``x5`` (free environment).

    Raises
    ------
    InputError
        If a size is too small, `scale` is out of range or `drift` is unknown.

    Examples
    --------
    >>> from shiftlab.simulation import make_rotating_circles
    >>> data = make_rotating_circles(rotation=180.0, random_state=0)
    >>> data.X.shape
    (6000, 6)
    """
    _check_scale(scale)
    check_option(drift, DRIFTS, "drift")

    def draw(rng: np.random.Generator, group: np.ndarray) -> Columns:
        u = normal_terms(rng, ["u_ns", "u_s", "v_1", "v_2", "angle_1", "angle_2"], len(group), 0.5)
        u["u_s"] += 0.25 * correlation * sign_of(group)
        return u

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        angle = np.deg2rad(rotation) * _course(time, drift)
        s = sign_of(group)
        radius = (1 + scale * s) * u["u_s"] + shift * s
        free = _on_circle(5 + u["u_ns"], angle + 0.2 * u["angle_1"])
        marked = _on_circle(5 + radius, -angle + 0.2 * u["angle_2"])
        drifting = (u["v_1"] + s * shift + 1.5 * time, u["v_2"] + np.sin(2 * np.pi * time))
        return name_columns([*free, *marked, *drifting]), (u["u_ns"] + radius > 0).astype(int)

    return evolving_data(
        "rotating_circles",
        draw,
        emit,
        n_domains=n_domains,
        n_per_domain=n_per_domain,
        random_state=random_state,
        knobs={
            "rotation": rotation,
            "shift": shift,
            "scale": scale,
            "correlation": correlation,
            "drift": drift,
        },
    )


def make_fair_circle(
    n_domains: int = 30,
    n_per_domain: int = 100,
    *,
    rotation: float = 180.0,
    shift: float = 0.35,
    random_state: RandomState = None,
) -> EvolvingData:
    """Draw the half-circle of domains with a sensitive attribute that moves the radius.

    The classic evolving circle (points around (5 cos, 5 sin) with standard deviation 0.5, label 1
    beyond radius 5) with an attribute that pushes points outwards or inwards. It is named after the
    data of the paper of the sequential autoencoder, whose exact recipe was not available: this is
    a reconstruction.

    Parameters
    ----------
    n_domains : int, default 30
        Number of domains.
    n_per_domain : int, default 100
        Rows of each.
    rotation : float, default 180.0
        Angle between the first and the last domain, in degrees.
    shift : float, default 0.35
        Additive effect of the attribute on the radius.
    random_state : int, SeedSequence or Generator, optional
        Seed.

    Returns
    -------
    EvolvingData
        Features ``x0, x1`` and a proxy ``x2`` of the attribute.

    Raises
    ------
    InputError
        If a size is too small.

    Examples
    --------
    >>> from shiftlab.simulation import make_fair_circle
    >>> make_fair_circle(random_state=0).X.shape
    (3000, 3)
    """

    def draw(rng: np.random.Generator, group: np.ndarray) -> Columns:
        return normal_terms(rng, ["radius", "angle", "proxy"], len(group), 0.5)

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        s = sign_of(group)
        radius = 5 + u["radius"] + shift * s
        point = _on_circle(radius, np.deg2rad(rotation) * time + 0.2 * u["angle"])
        return name_columns([*point, s * shift + u["proxy"]]), (radius > 5).astype(int)

    return evolving_data(
        "fair_circle",
        draw,
        emit,
        n_domains=n_domains,
        n_per_domain=n_per_domain,
        random_state=random_state,
        knobs={"rotation": rotation, "shift": shift},
    )


def make_spirals(
    n_domains: int = 30,
    n_per_domain: int = 200,
    *,
    rotation: float = 90.0,
    growth: float = 0.5,
    shift: float = 0.35,
    random_state: RandomState = None,
) -> EvolvingData:
    """Draw a cloud that turns while its distance from the origin and its size grow.

    Parameters
    ----------
    n_domains : int, default 30
        Number of domains.
    n_per_domain : int, default 200
        Rows of each.
    rotation : float, default 90.0
        Angle between the first and the last domain, in degrees.
    growth : float, default 0.5
        The last domain is ``exp(growth)`` times as large as the first.
    shift : float, default 0.35
        Additive effect of the attribute on one of the two axes of the cloud.
    random_state : int, SeedSequence or Generator, optional
        Seed.

    Returns
    -------
    EvolvingData
        Features ``x0, x1`` (the cloud) and ``x2`` (a free drifting feature).

    Raises
    ------
    InputError
        If a size is too small.

    Examples
    --------
    >>> from shiftlab.simulation import make_spirals
    >>> make_spirals(random_state=0).X.shape
    (6000, 3)
    """

    def draw(rng: np.random.Generator, group: np.ndarray) -> Columns:
        return normal_terms(rng, ["u_ns", "u_s", "v_2"], len(group), 0.5)

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        marked = u["u_s"] + shift * sign_of(group)
        angle, size = np.deg2rad(rotation) * time, np.exp(growth * time)
        x, y = 3 + u["u_ns"], marked
        turned = (np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y)
        label = (u["u_ns"] + marked > 0).astype(int)
        return name_columns([size * turned[0], size * turned[1], u["v_2"] + time]), label

    return evolving_data(
        "spirals",
        draw,
        emit,
        n_domains=n_domains,
        n_per_domain=n_per_domain,
        random_state=random_state,
        knobs={"rotation": rotation, "growth": growth, "shift": shift},
    )


def _on_circle(radius: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return radius * np.cos(angle), radius * np.sin(angle)


def _course(time: float, drift: str) -> float:
    if drift == "accelerating":
        return time**2
    if drift == "switching":
        return time - 2 * max(time - SWITCH, 0.0)
    return float(np.sin(1.5 * np.pi * time)) if drift == "oscillating" else time


def _check_scale(scale: float) -> None:
    if not -1 < scale < 1:
        raise InputError(f"scale must lie above -1 and below 1, found {scale!r}.")
