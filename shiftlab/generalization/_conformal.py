"""Conformal sets and intervals under drift, for each group.

Residuals are those of forecasts: models of the earlier source domains on the later ones, so that
they hold what the drift model gets wrong. Each group has its own quantile.
"""

import warnings

import numpy as np

from shiftlab._core.checks import check_fraction
from shiftlab.exceptions import InputError, SmallSampleWarning

__all__ = ["group_quantiles"]


def group_quantiles(
    residuals: np.ndarray, held_group: np.ndarray | None, group: np.ndarray | None, alpha: float
) -> np.ndarray:
    """Return for each row the residual that its group exceeds with probability `alpha`.

    Parameters
    ----------
    residuals : ndarray of shape (n_held,)
        Residuals of forecast rows.
    held_group, group : ndarray of int or None
        Groups of these rows, and of the rows to predict; None pools all.
    alpha : float
        One minus the coverage.

    Returns
    -------
    ndarray of shape (n_rows,) or (1,)
    """
    check_fraction(alpha, "alpha")
    if len(residuals) == 0:
        raise InputError(
            "conformal sets need forecast residuals: fit with at least six domains and "
            "validation_fraction above 0."
        )
    if held_group is None or group is None:
        return np.array([_quantile(residuals, alpha)])
    thresholds = np.full(int(max(group.max(), held_group.max())) + 1, np.nan)
    small = []
    for k in np.unique(group):
        own = residuals[held_group == k]
        enough = len(own) + 1 >= 1 / alpha
        small += [] if enough else [k]
        thresholds[k] = _quantile(own if enough else residuals, alpha)
    if small:
        warnings.warn(
            f"{len(small)} group(s) have fewer forecast rows than 1/alpha; the residuals of all "
            "groups stand in for theirs.",
            SmallSampleWarning,
            stacklevel=3,
        )
    return np.asarray(thresholds[group])


def _quantile(residuals: np.ndarray, alpha: float) -> float:
    """Return the (1 - alpha)(n + 1)-th smallest residual; infinite beyond the largest."""
    rank = int(np.ceil((1 - alpha) * (len(residuals) + 1)))
    return float(np.sort(residuals)[rank - 1]) if rank <= len(residuals) else float("inf")
