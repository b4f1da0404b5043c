"""Evolving worlds with a sensitive attribute: circles, spirals, Gaussians, credit, people.

Every world keeps the counterfactual twin of each row, see `EvolvingData`. The exogenous terms are
independent of the attribute unless `correlation` says otherwise.
"""

from typing import Any, Literal

import numpy as np

from shiftlab._core.random import RandomState
from shiftlab._core.validation import check_option
from shiftlab.exceptions import InputError
from shiftlab.simulation._evolving import Columns, EvolvingData, evolving_data

__all__ = [
    "make_drifting_credit",
    "make_drifting_gaussian",
    "make_evolving_people",
    "make_fair_circle",
    "make_rotating_circles",
    "make_spirals",
]

Drift = Literal["linear", "accelerating", "oscillating"]
DRIFTS = ("linear", "accelerating", "oscillating")


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
    drift : {"linear", "accelerating", "oscillating"}, default "linear"
        How the angle goes on in time.
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
        u = _normal(rng, ["u_ns", "u_s", "v_1", "v_2", "angle_1", "angle_2"], len(group), 0.5)
        u["u_s"] += 0.25 * correlation * _sign(group)
        return u

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        angle = np.deg2rad(rotation) * _course(time, drift)
        s = _sign(group)
        radius = (1 + scale * s) * u["u_s"] + shift * s
        free = _on_circle(5 + u["u_ns"], angle + 0.2 * u["angle_1"])
        marked = _on_circle(5 + radius, -angle + 0.2 * u["angle_2"])
        drifting = (u["v_1"] + s * shift + 1.5 * time, u["v_2"] + np.sin(2 * np.pi * time))
        return _name([*free, *marked, *drifting]), (u["u_ns"] + radius > 0).astype(int)

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
        return _normal(rng, ["radius", "angle", "proxy"], len(group), 0.5)

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        s = _sign(group)
        radius = 5 + u["radius"] + shift * s
        point = _on_circle(radius, np.deg2rad(rotation) * time + 0.2 * u["angle"])
        return _name([*point, s * shift + u["proxy"]]), (radius > 5).astype(int)

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
        return _normal(rng, ["u_ns", "u_s", "v_2"], len(group), 0.5)

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        marked = u["u_s"] + shift * _sign(group)
        angle, size = np.deg2rad(rotation) * time, np.exp(growth * time)
        x, y = 3 + u["u_ns"], marked
        turned = (np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y)
        label = (u["u_ns"] + marked > 0).astype(int)
        return _name([size * turned[0], size * turned[1], u["v_2"] + time]), label

    return evolving_data(
        "spirals",
        draw,
        emit,
        n_domains=n_domains,
        n_per_domain=n_per_domain,
        random_state=random_state,
        knobs={"rotation": rotation, "growth": growth, "shift": shift},
    )


def make_drifting_gaussian(
    n_domains: int = 30,
    n_per_domain: int = 200,
    *,
    n_groups: int = 2,
    speed: float = 1.0,
    shift: float = 0.5,
    target: Literal["class", "number"] = "class",
    random_state: RandomState = None,
) -> EvolvingData:
    """Draw the linear-Gaussian model: drifting means, a drifting effect of the attribute.

    ``x = m_t + b_t a + L u`` with linear ``m_t``; ``b_t`` grows by half of itself over time and
    touches the semantic term ``u_s`` and the environment term ``v_1`` only.

    Parameters
    ----------
    n_domains : int, default 30
        Number of domains.
    n_per_domain : int, default 200
        Rows of each.
    n_groups : int, default 2
        Groups; the effect is linear in their centred number.
    speed : float, default 1.0
        How far the means go between the first and the last domain.
    shift : float, default 0.5
        Effect of the attribute in the first domain.
    target : {"class", "number"}, default "class"
        Whether the label is the sign of a score, or the score with noise.
    random_state : int, SeedSequence or Generator, optional
        Seed.

    Returns
    -------
    EvolvingData
        Features ``x0`` to ``x4``.

    Raises
    ------
    InputError
        If a size is too small or `target` is unknown.

    Examples
    --------
    >>> from shiftlab.simulation import make_drifting_gaussian
    >>> data = make_drifting_gaussian(n_groups=3, target="number", random_state=0)
    >>> sorted(set(data.sensitive_features.tolist()))
    [0, 1, 2]
    """
    check_option(target, ("class", "number"), "target")
    names = ["u_s", "u_ns", "v_1", "v_2", "noise"]
    towards = np.array([1.0, -0.5, 0.8, -1.0, 0.3]) * speed

    def draw(rng: np.random.Generator, group: np.ndarray) -> Columns:
        return _normal(rng, names, len(group), 1.0)

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        a = 2 * group / (n_groups - 1) - 1.0
        marked = u["u_s"] + shift * (1 + 0.5 * time) * a
        v_1 = u["v_1"] + shift * a
        mixed = [marked, u["u_ns"], v_1 + 0.3 * u["v_2"], u["v_2"], 0.5 * marked - 0.5 * u["u_ns"]]
        score = marked + u["u_ns"] + 0.5 * u["noise"]
        label = score if target == "number" else (score > 0).astype(int)
        return _name([x + m * time for x, m in zip(mixed, towards, strict=True)]), label

    return evolving_data(
        "drifting_gaussian",
        draw,
        emit,
        n_domains=n_domains,
        n_per_domain=n_per_domain,
        n_groups=n_groups,
        random_state=random_state,
        knobs={"n_groups": n_groups, "speed": speed, "shift": shift, "target": target},
    )


def make_drifting_credit(
    n_domains: int = 24,
    n_per_domain: int = 300,
    *,
    speed: float = 1.0,
    effect: float = 0.4,
    correlation: float = 0.0,
    random_state: RandomState = None,
) -> EvolvingData:
    """Draw monthly credit applications in a slowing economy; pay and history carry the attribute.

    Income (log-normal, with a multiplicative effect of the attribute), debt ratio, years of credit
    history and a postcode score; repayment follows a logistic model of the economic features with a
    falling intercept.

    Parameters
    ----------
    n_domains : int, default 24
        Number of months.
    n_per_domain : int, default 300
        Applications a month.
    speed : float, default 1.0
        Strength of the drift of incomes, debts and repayment.
    effect : float, default 0.4
        Effect of the attribute on log income, history and postcode.
    correlation : float, default 0.0
        Shift of ability between the groups, in standard deviations, that is no effect of the
        attribute.
    random_state : int, SeedSequence or Generator, optional
        Seed.

    Returns
    -------
    EvolvingData
        Features ``income``, ``debt_ratio``, ``history``, ``postcode``; label 1 means repaid.

    Raises
    ------
    InputError
        If a size is too small.

    Examples
    --------
    >>> from shiftlab.simulation import make_drifting_credit
    >>> make_drifting_credit(random_state=0).features
    ['income', 'debt_ratio', 'history', 'postcode']
    """

    def draw(rng: np.random.Generator, group: np.ndarray) -> Columns:
        u = _normal(rng, ["ability", "debt", "history", "postcode"], len(group), 1.0)
        u["ability"] += 0.5 * correlation * _sign(group)
        u["luck"] = rng.logistic(size=len(group))
        return u

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        s, drift = 0.5 * _sign(group), speed * time
        log_income = 3.4 + 0.4 * u["ability"] + effect * s + 0.1 * drift
        debt = 0.35 + 0.1 * u["debt"] - 0.06 * u["ability"] + 0.08 * drift
        history = np.maximum(8 + 3 * u["history"] + 5 * effect * s, 0)
        postcode = u["postcode"] + 2 * effect * s - 0.5 * drift
        score = 2.0 * (log_income - 3.4) - 5 * (debt - 0.35) + 0.15 * (history - 8)
        repaid = 0.3 - 0.6 * drift + 1.5 * score + u["luck"] > 0
        features = {
            "income": np.exp(log_income),
            "debt_ratio": debt,
            "history": history,
            "postcode": postcode,
        }
        return features, repaid.astype(int)

    return evolving_data(
        "drifting_credit",
        draw,
        emit,
        n_domains=n_domains,
        n_per_domain=n_per_domain,
        random_state=random_state,
        knobs={"speed": speed, "effect": effect, "correlation": correlation},
    )


def make_evolving_people(
    n_domains: int = 20,
    n_per_domain: int = 500,
    *,
    speed: float = 1.0,
    effect: float = 1.0,
    random_state: RandomState = None,
) -> EvolvingData:
    """Draw an Adult-like population over years: work and pay follow education, age and sex.

    Parameters
    ----------
    n_domains : int, default 20
        Number of years.
    n_per_domain : int, default 500
        Persons a year.
    speed : float, default 1.0
        Strength of the drift of education, hours and pay.
    effect : float, default 1.0
        Strength of the effect of the attribute on hours, occupation and pay.
    random_state : int, SeedSequence or Generator, optional
        Seed.

    Returns
    -------
    EvolvingData
        Features ``age``, ``education``, ``hours``, ``occupation``, ``married``, ``capital``; the
        label says whether the income is above the threshold of the first year.

    Raises
    ------
    InputError
        If a size is too small.

    Examples
    --------
    >>> from shiftlab.simulation import make_evolving_people
    >>> make_evolving_people(random_state=0).X.shape
    (10000, 6)
    """

    def draw(rng: np.random.Generator, group: np.ndarray) -> Columns:
        names = ["education", "hours", "occupation", "capital", "pay"]
        u = _normal(rng, names, len(group), 1.0)
        return u | {"age": rng.uniform(20, 65, len(group)), "married": rng.random(len(group))}

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        s, drift = effect * _sign(group), speed * time
        age = u["age"] + 2 * drift
        education = 10 + 2.5 * u["education"] + 0.8 * drift
        hours = 40 + (8 + 2 * s) * u["hours"] + 3 * s - 2 * drift
        occupation = 0.5 * (education - 10) / 2.5 + 0.8 * u["occupation"] + 0.3 * s
        married = (u["married"] < 0.3 + 0.006 * (age - 20)).astype(float)
        capital = u["capital"] + 0.3 * (education - 10) / 2.5 + 0.4 * drift
        score = 0.25 * (education - 10) + 0.05 * (hours - 40) + 0.6 * occupation
        score = score + 0.02 * (age - 42) + 0.4 * married + 0.3 * u["pay"] + 0.2 * s - 0.9
        features = {
            "age": age, "education": education, "hours": hours, "occupation": occupation,
            "married": married, "capital": capital,
        }  # fmt: skip
        return features, (score + 0.3 * drift > 0).astype(int)

    return evolving_data(
        "evolving_people",
        draw,
        emit,
        n_domains=n_domains,
        n_per_domain=n_per_domain,
        random_state=random_state,
        knobs={"speed": speed, "effect": effect},
    )


def _sign(group: np.ndarray) -> np.ndarray:
    return 2.0 * group - 1.0


def _normal(rng: np.random.Generator, names: list[str], n: int, scale: float) -> Columns:
    return {name: scale * rng.standard_normal(n) for name in names}


def _on_circle(radius: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return radius * np.cos(angle), radius * np.sin(angle)


def _name(columns: list[Any]) -> Columns:
    return {f"x{i}": column for i, column in enumerate(columns)}


def _course(time: float, drift: str) -> float:
    if drift == "accelerating":
        return time**2
    return float(np.sin(1.5 * np.pi * time)) if drift == "oscillating" else time


def _check_scale(scale: float) -> None:
    if not -1 < scale < 1:
        raise InputError(f"scale must lie above -1 and below 1, found {scale!r}.")
