"""Intervals for one proportion, for the ratio of two and for the difference of two.

All work on counts, element by element, so a table of groups costs one call. Counts need not be
whole numbers: weighted rows enter with their effective sample size.
"""

from typing import Any

import numpy as np

from shiftlab._core.validation import check_fraction, check_option
from shiftlab.exceptions import InputError

__all__ = ["RATE_METHODS", "difference_interval", "rate_interval", "ratio_interval"]

RATE_METHODS = ("wilson", "clopper-pearson")
RATIO_METHODS = ("score", "katz")
DIFFERENCE_METHODS = ("newcombe",)

# Limits of the search for a ratio, on the log scale: far beyond what counts below 2**53 can tell.
_LOG_BOUND = 75.0
_N_HALVINGS = 56


def rate_interval(
    successes: Any, trials: Any, *, confidence_level: float = 0.95, method: str = "wilson"
) -> tuple[np.ndarray, np.ndarray]:
    """Interval for a proportion.

    Parameters
    ----------
    successes, trials : array_like
        Counts; broadcast against each other.
    confidence_level : float, default 0.95
        Coverage aimed at.
    method : {"wilson", "clopper-pearson"}, default "wilson"
        Wilson's score interval covers the stated level on average over the true rate;
        Clopper-Pearson covers at least the stated level at every rate and is wider.

    Returns
    -------
    low, high : ndarray
        Both within [0, 1]; with no trials the interval is [0, 1].

    Raises
    ------
    InputError
        If counts are negative, successes exceed trials, or an option is unknown.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
    Journal of the American Statistical Association 22, 209-212.

    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated
    in the case of the binomial. Biometrika 26, 404-413.

    Examples
    --------
    >>> from shiftlab.metrics import rate_interval
    >>> low, high = rate_interval(50, 92)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.442 to 0.641
    """
    check_option(method, RATE_METHODS, "method")
    x, n = _check_counts(successes, trials)
    alpha = 1 - check_fraction(confidence_level, "confidence_level")
    if method == "clopper-pearson":
        return _clopper_pearson(x, n, alpha)
    return _wilson(x, n, _normal_quantile(alpha))


def ratio_interval(
    successes: Any,
    trials: Any,
    reference_successes: Any,
    reference_trials: Any,
    *,
    confidence_level: float = 0.95,
    method: str = "score",
) -> tuple[np.ndarray, np.ndarray]:
    """Interval for the ratio of two independent proportions, group over reference.

    Parameters
    ----------
    successes, trials : array_like
        Counts of the group (numerator).
    reference_successes, reference_trials : array_like
        Counts of the reference (denominator).
    confidence_level : float, default 0.95
        Coverage aimed at.
    method : {"score", "katz"}, default "score"
        "score" inverts the chi-square test of a given ratio and holds its level with small counts.
        "katz" is the normal approximation of the log ratio, quick and familiar; where a count of
        successes is zero it says nothing, and the interval is [0, inf].

    Returns
    -------
    low, high : ndarray
        0 and infinity where the counts set no limit.

    Raises
    ------
    InputError
        If counts are negative, successes exceed trials, or an option is unknown.

    References
    ----------
    Koopman, P. A. R. (1984). Confidence intervals for the ratio of two binomial proportions.
    Biometrics 40, 513-517.

    Katz, D., Baptista, J., Azen, S. P. and Pike, M. C. (1978). Obtaining confidence intervals for
    the risk ratio in cohort studies. Biometrics 34, 469-474.

    Examples
    --------
    >>> from shiftlab.metrics import ratio_interval
    >>> low, high = ratio_interval(34, 76, 50, 92)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.597 to 1.118
    """
    check_option(method, RATIO_METHODS, "method")
    x1, n1, x0, n0 = _check_two(successes, trials, reference_successes, reference_trials)
    z = _normal_quantile(1 - check_fraction(confidence_level, "confidence_level"))
    if method == "katz":
        return _katz(x1, n1, x0, n0, z)
    return _koopman(x1, n1, x0, n0, z)


def difference_interval(
    successes: Any,
    trials: Any,
    reference_successes: Any,
    reference_trials: Any,
    *,
    confidence_level: float = 0.95,
    method: str = "newcombe",
) -> tuple[np.ndarray, np.ndarray]:
    """Interval for the difference of two independent proportions, group minus reference.

    Parameters
    ----------
    successes, trials : array_like
        Counts of the group.
    reference_successes, reference_trials : array_like
        Counts of the reference, which is subtracted.
    confidence_level : float, default 0.95
        Coverage aimed at.
    method : {"newcombe"}, default "newcombe"
        Newcombe's hybrid score interval: the variances are recovered from the two Wilson intervals.

    Returns
    -------
    low, high : ndarray
        Within [-1, 1].

    Raises
    ------
    InputError
        If counts are negative, successes exceed trials, or an option is unknown.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions:
    comparison of eleven methods. Statistics in Medicine 17, 873-890 (method 10).

    Examples
    --------
    >>> from shiftlab.metrics import difference_interval
    >>> low, high = difference_interval(56, 70, 48, 80)
    >>> print(f"{low:.4f} to {high:.4f}")
    0.0524 to 0.3339
    """
    check_option(method, DIFFERENCE_METHODS, "method")
    x1, n1, x0, n0 = _check_two(successes, trials, reference_successes, reference_trials)
    z = _normal_quantile(1 - check_fraction(confidence_level, "confidence_level"))
    p1, p0 = _proportion(x1, n1), _proportion(x0, n0)
    low1, high1 = _wilson(x1, n1, z)
    low0, high0 = _wilson(x0, n0, z)
    low = p1 - p0 - np.hypot(p1 - low1, high0 - p0)
    high = p1 - p0 + np.hypot(high1 - p1, p0 - low0)
    unknown = (n1 == 0) | (n0 == 0)
    return np.where(unknown, -1.0, low), np.where(unknown, 1.0, high)


def _check_counts(successes: Any, trials: Any) -> tuple[np.ndarray, np.ndarray]:
    x, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    if not ((x >= 0) & (n >= 0) & np.isfinite(n)).all():
        raise InputError("successes and trials must be finite counts that are not negative.")
    # Effective counts carry rounding errors; whole counts do not.
    if not (x <= n * (1 + 1e-12)).all():
        raise InputError("successes must not exceed trials.")
    return np.minimum(x, n), n


def _check_two(x1: Any, n1: Any, x0: Any, n0: Any) -> tuple[np.ndarray, ...]:
    return tuple(np.broadcast_arrays(*_check_counts(x1, n1), *_check_counts(x0, n0)))


def _normal_quantile(alpha: float) -> float:
    from scipy.special import ndtri

    return float(-ndtri(alpha / 2))


def _proportion(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.divide(x, n, out=np.full(np.shape(n), np.nan), where=n > 0)


def _wilson(x: np.ndarray, n: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    centre = (x + z**2 / 2) / (n + z**2)
    spread = np.divide(x * (n - x), n, out=np.zeros(n.shape), where=n > 0)
    half = z / (n + z**2) * np.sqrt(spread + z**2 / 4)
    # At the ends of the scale the limits are exact; rounding would leave 1e-17.
    low = np.where(x == 0, 0.0, np.maximum(centre - half, 0.0))
    return low, np.where(x == n, 1.0, np.minimum(centre + half, 1.0))


def _clopper_pearson(x: np.ndarray, n: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import betaincinv

    low = betaincinv(np.where(x > 0, x, 1.0), n - x + 1, alpha / 2)
    high = betaincinv(x + 1, np.where(x < n, n - x, 1.0), 1 - alpha / 2)
    return np.where(x > 0, low, 0.0), np.where(x < n, high, 1.0)


def _katz(
    x1: np.ndarray, n1: np.ndarray, x0: np.ndarray, n0: np.ndarray, z: float
) -> tuple[np.ndarray, np.ndarray]:
    defined = (x1 > 0) & (x0 > 0)
    y1, m1, y0, m0 = (np.where(defined, value, 1.0) for value in (x1, n1, x0, n0))
    ratio = (y1 / m1) / (y0 / m0)
    spread = np.exp(z * np.sqrt((1 / y1 - 1 / m1) + (1 / y0 - 1 / m0)))
    return np.where(defined, ratio / spread, 0.0), np.where(defined, ratio * spread, np.inf)


def _koopman(
    x1: np.ndarray, n1: np.ndarray, x0: np.ndarray, n0: np.ndarray, z: float
) -> tuple[np.ndarray, np.ndarray]:
    counts = (x1, n1, x0, n0)
    known = (n1 > 0) & (n0 > 0)
    low = np.where(known & (x1 > 0), np.exp(_log_ratio_at(*counts, z)), 0.0)
    high = np.where(known & (x0 > 0), np.exp(_log_ratio_at(*counts, -z)), np.inf)
    return low, high


def _log_ratio_at(
    x1: np.ndarray, n1: np.ndarray, x0: np.ndarray, n0: np.ndarray, target: float
) -> np.ndarray:
    """Log ratio at which the signed score equals `target`; the score falls as the ratio grows."""
    below = np.full(x1.shape, -_LOG_BOUND)
    above = np.full(x1.shape, _LOG_BOUND)
    for _ in range(_N_HALVINGS):
        middle = (below + above) / 2
        too_small = _score(x1, n1, x0, n0, np.exp(middle)) > target
        below = np.where(too_small, middle, below)
        above = np.where(too_small, above, middle)
    return (below + above) / 2


def _score(
    x1: np.ndarray, n1: np.ndarray, x0: np.ndarray, n0: np.ndarray, ratio: np.ndarray
) -> np.ndarray:
    """Signed root of the chi-square statistic of the hypothesis p1 = ratio * p0."""
    # Likeliest p0 under the hypothesis, from a quadratic; this form of its root does not cancel.
    a = (n1 + n0) * ratio
    b = n1 * ratio + x1 + n0 + x0 * ratio
    c = x1 + x0
    p0 = 2 * c / (b + np.sqrt(np.maximum(b**2 - 4 * a * c, 0.0)))
    p1 = np.minimum(ratio * p0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = p1 * (1 - p1) / n1 + ratio**2 * p0 * (1 - p0) / n0
        gap = x1 / n1 - ratio * x0 / n0
        score = gap / np.sqrt(variance)
    return np.where(gap == 0, 0.0, score)
