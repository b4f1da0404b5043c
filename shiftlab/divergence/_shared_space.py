"""Split a difference between two mean losses into covariate and concept parts.

Home is P, here is Q. Both are compared on the covariates that they share, the distribution S with
density proportional to p(x) q(x) / (p(x) + q(x)) (Cai, Namkoong & Yadlowsky 2023):

    E_Q[l] - E_P[l] = (E_S[mu_P] - E_P[l]) + E_S[mu_Q - mu_P] + (E_Q[l] - E_S[mu_Q])

with mu_P(x), mu_Q(x) the expected loss at x in each sample. S is the overlap-weighted population of
causal inference (Li, Morgan & Zaslavsky 2018), so instead of weighting the losses by the domain
probability e(x) = q / (p + q) alone, the efficient influence function is used (the derivative of
p q / (p + q) is e^2 by p and (1 - e)^2 by q):

    E_S[mu_Q] = {E_Q[(1-e)(l - mu_Q) + (1-e)^2 mu_Q] + E_P[e^2 mu_Q]} / {E_P[e^2] + E_Q[(1-e)^2]}

and likewise for mu_P. Errors of the estimated e and mu then enter only as products and squares, and
the spread of the influence values gives the standard errors. The concept part is Robinson's
residual-on-residual coefficient of the loss on the domain.
"""

from dataclasses import dataclass

import numpy as np

__all__ = [
    "Estimate",
    "Nuisance",
    "SharedSpace",
    "mean_difference",
    "mean_estimate",
    "shared_space",
]


@dataclass(frozen=True)
class Estimate:
    """A value with the limits of its confidence interval; NaN where nothing can be said.

    Attributes
    ----------
    value, low, high : float
    """

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class Nuisance:
    """Cross-fitted predictions for the rows of one sample.

    Attributes
    ----------
    domain : ndarray of shape (n,)
        Probability that the row comes from "here" if both samples had the same size.
    loss_home, loss_here : ndarray of shape (n,)
        Expected loss of such a row at home and here.
    """

    domain: np.ndarray
    loss_home: np.ndarray
    loss_here: np.ndarray


@dataclass(frozen=True)
class SharedSpace:
    """The decomposition of one difference.

    Attributes
    ----------
    total, covariate_home, concept, covariate_here : Estimate
        The difference of the mean losses and its three parts.
    ess_home, ess_here : float
        Effective number of rows after weighting each sample to the shared covariates.
    overlap : float
        2 * integral of p q / (p + q): 1 if the covariates are distributed alike, 0 if disjoint.
    """

    total: Estimate
    covariate_home: Estimate
    concept: Estimate
    covariate_here: Estimate
    ess_home: float
    ess_here: float
    overlap: float


def mean_estimate(values: np.ndarray, confidence_level: float) -> Estimate:
    """Mean with Student's interval."""
    n = len(values)
    if n < 2:
        return Estimate(float(values.mean()) if n else np.nan)
    return _interval(float(values.mean()), float(values.std(ddof=1)) / n**0.5, n, confidence_level)


def mean_difference(home: np.ndarray, here: np.ndarray, confidence_level: float) -> Estimate:
    """Mean here minus mean at home, with Welch's interval."""
    a, b = (
        values.var(ddof=1) / len(values) if len(values) > 1 else np.nan for values in (home, here)
    )
    value = float(here.mean() - home.mean())
    if not a + b > 0:
        return Estimate(value) if np.isnan(a + b) else Estimate(value, value, value)
    df = (a + b) ** 2 / (a**2 / (len(home) - 1) + b**2 / (len(here) - 1))
    return _interval(value, float(a + b) ** 0.5, float(df) + 1, confidence_level)


def shared_space(
    home: np.ndarray,
    here: np.ndarray,
    at_home: Nuisance,
    at_here: Nuisance,
    confidence_level: float = 0.95,
) -> SharedSpace:
    """Split the difference between the mean losses of two samples.

    Parameters
    ----------
    home, here : ndarray of shape (n_home,), (n_here,)
        Losses of one model in each sample, none of them on its training rows.
    at_home, at_here : Nuisance
        Cross-fitted predictions for the rows of each sample.
    confidence_level : float, default 0.95
        Level of each interval.

    Returns
    -------
    SharedSpace
    """
    e, d = at_home.domain, 1 - at_here.domain
    mass = np.mean(e**2) + np.mean(d**2)
    # Each row: contributions of the home rows and of the here rows to E_S[mu_P] and E_S[mu_Q].
    s_home = (e * (home - at_home.loss_home) + e**2 * at_home.loss_home, d**2 * at_here.loss_home)
    s_here = (e**2 * at_home.loss_here, d * (here - at_here.loss_here) + d**2 * at_here.loss_here)
    parts = {"home": _scores(home, np.zeros_like(here), None)}
    parts["here"] = _scores(np.zeros_like(home), here, None)
    parts["s_home"] = _scores(*s_home, (e, d, mass))
    parts["s_here"] = _scores(*s_here, (e, d, mass))
    ess_home, ess_here = e.sum() ** 2 / (e**2).sum(), d.sum() ** 2 / (d**2).sum()

    def difference(plus: str, minus: str, size: float) -> Estimate:
        value = parts[plus][0] - parts[minus][0]
        influences = zip(parts[plus][1], parts[minus][1], strict=True)
        variance = sum(np.var(a - b, ddof=1) / len(a) for a, b in influences)
        return _interval(float(value), float(variance) ** 0.5, size, confidence_level)

    size = min(ess_home, ess_here)
    return SharedSpace(
        total=difference("here", "home", min(len(home), len(here))),
        covariate_home=difference("s_home", "home", size),
        concept=difference("s_here", "s_home", size),
        covariate_here=difference("here", "s_here", size),
        ess_home=float(ess_home),
        ess_here=float(ess_here),
        overlap=float(np.mean(e) + np.mean(d)),
    )


def _scores(
    at_home: np.ndarray,
    at_here: np.ndarray,
    shared: tuple[np.ndarray, np.ndarray, float] | None,
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Return the value of a mean (or of a mean on the shared space) and its influence values."""
    if shared is None:
        return float(at_home.mean() + at_here.mean()), (at_home, at_here)
    e, d, mass = shared
    value = (at_home.mean() + at_here.mean()) / mass
    return value, ((at_home - value * e**2) / mass, (at_here - value * d**2) / mass)


def _interval(value: float, error: float, size: float, confidence_level: float) -> Estimate:
    from scipy.special import stdtrit

    half = float(stdtrit(max(size - 1.0, 1.0), 0.5 + confidence_level / 2)) * error
    return Estimate(value, value - half, value + half)
