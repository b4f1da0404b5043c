"""Evolving worlds of tables with a sensitive attribute: Gaussians, credit, people.

Every world keeps the counterfactual twin of each row, see `EvolvingData`. The exogenous terms are
independent of the attribute unless `correlation` says otherwise.
"""

from typing import Literal

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab._core.random import RandomState
from shiftlab.simulation._evolving import (
    Columns,
    EvolvingData,
    evolving_data,
    name_columns,
    normal_terms,
    sign_of,
)

__all__ = ["make_drifting_credit", "make_drifting_gaussian", "make_evolving_people"]


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
        return normal_terms(rng, names, len(group), 1.0)

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        a = 2 * group / (n_groups - 1) - 1.0
        marked = u["u_s"] + shift * (1 + 0.5 * time) * a
        v_1 = u["v_1"] + shift * a
        mixed = [marked, u["u_ns"], v_1 + 0.3 * u["v_2"], u["v_2"], 0.5 * marked - 0.5 * u["u_ns"]]
        score = marked + u["u_ns"] + 0.5 * u["noise"]
        label = score if target == "number" else (score > 0).astype(int)
        return name_columns([x + m * time for x, m in zip(mixed, towards, strict=True)]), label

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
        u = normal_terms(rng, ["ability", "debt", "history", "postcode"], len(group), 1.0)
        u["ability"] += 0.5 * correlation * sign_of(group)
        u["luck"] = rng.logistic(size=len(group))
        return u

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        s, drift = 0.5 * sign_of(group), speed * time
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
        u = normal_terms(rng, names, len(group), 1.0)
        return u | {"age": rng.uniform(20, 65, len(group)), "married": rng.random(len(group))}

    def emit(u: Columns, group: np.ndarray, time: float) -> tuple[Columns, np.ndarray]:
        s, drift = effect * sign_of(group), speed * time
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
