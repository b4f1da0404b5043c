"""Conformal sets and intervals under drift, for each group.

Outcomes may depend on the group though predictions do not: in each group the residuals have a path
over time, which is smoothed and rolled forward like all paths, and sets are made around it. What is
left is calibrated on forecasts: by a model of the earlier source domains on the later ones, so that
the scores hold what drift models get wrong. Each group has its own quantile.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftlab._core.checks import check_fraction
from shiftlab.exceptions import InputError, SmallSampleWarning
from shiftlab.generalization._prediction import class_offsets, shift_odds
from shiftlab.generalization._states import StatePaths, fit_paths

if TYPE_CHECKING:
    from shiftlab.generalization._selection import Selection

__all__ = ["Calibration", "calibrate", "class_limits", "group_quantiles", "number_limits"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What conformal sets are made of.

    Attributes
    ----------
    scores : ndarray of shape (n_held,)
        Nonconformity of forecast rows.
    group : ndarray of int or None
        Their groups.
    paths : tuple of StatePaths or None
        For each group the path of its residuals (numbers) or log-odds (classes), from all source
        domains.
    spread : ndarray of shape (n_groups,)
        Standard deviations of the residuals around the paths (numbers).
    """

    scores: np.ndarray
    group: np.ndarray | None
    paths: tuple[StatePaths | None, ...]
    spread: np.ndarray


def calibrate(
    selection: "Selection",
    final: np.ndarray,
    y: np.ndarray,
    group: np.ndarray | None,
    time: np.ndarray,
    classes: np.ndarray | None,
) -> Calibration | None:
    """Calibrate on forecast rows; None if there are none.

    Parameters
    ----------
    selection : Selection
        With the scores of the model of the earlier domains.
    final : ndarray
        Scores of all source rows by the final model.
    y, group, time : ndarray of shape (n_rows,)
        Outcomes, groups and relative times of the source rows.
    classes : ndarray or None
        Class labels.

    Returns
    -------
    Calibration or None
    """
    held = selection.held
    if not len(held):
        return None
    part = np.zeros(len(y), dtype=int) if group is None else group
    early = np.setdiff1d(np.arange(len(y)), held)
    own = None if group is None else group[held]
    if classes is None:
        known, spread = _residual_paths((y - selection.scores)[early], part[early], time[early])
        centre, width = _around(known, spread, part[held], time[held])
        scores = np.abs((y - selection.scores)[held] - centre) / width
        return Calibration(scores, own, *_residual_paths(y - final, part, time))
    odds = _odds_paths(selection.scores[early], y[early], part[early], time[early], classes)
    shifted = _shifted(odds, selection.scores[held], part[held], time[held])
    scores = 1 - shifted[np.arange(len(held)), np.searchsorted(classes, y[held])]
    return Calibration(scores, own, _odds_paths(final, y, part, time, classes), np.ones(0))


def _residual_paths(
    residuals: np.ndarray, part: np.ndarray, time: np.ndarray
) -> tuple[tuple[StatePaths, ...], np.ndarray]:
    """Fit the path of the mean residual of each group, and how far rows are from it."""
    paths, spread = [], np.ones(int(part.max()) + 1)
    for k in range(len(spread)):
        rows = part == k
        if not rows.any():
            rows = np.ones(len(part), dtype=bool)
        times, where = np.unique(time[rows], return_inverse=True)
        counts = np.bincount(where)
        means = np.bincount(where, residuals[rows]) / counts
        around = residuals[rows] - means[where]
        variance = max(float(around @ around) / max(len(where) - len(times), 1), 1e-300)
        spread[k] = np.sqrt(variance)
        paths.append(fit_paths(times, means[:, None], (variance / counts)[:, None], centred=True))
    return tuple(paths), spread


def _around(
    paths: tuple[StatePaths | None, ...], spread: np.ndarray, part: np.ndarray, time: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the centre of the residuals of its group, and their width."""
    centre, width = np.zeros(len(part)), np.ones(len(part))
    for k in np.unique(part):
        rows, path = part == k, paths[k]
        assert path is not None  # noqa: S101  (numbers have a path in every group)
        times, where = np.unique(time[rows], return_inverse=True)
        mean, variance = path.at(times)
        centre[rows] = mean[where, 0]
        width[rows] = np.sqrt(spread[k] ** 2 + variance[where, 0])
    return centre, width


def _odds_paths(
    probabilities: np.ndarray,
    y: np.ndarray,
    part: np.ndarray,
    time: np.ndarray,
    classes: np.ndarray,
) -> tuple[StatePaths | None, ...]:
    found = []
    for k in range(int(part.max()) + 1):
        rows = part == k
        found.append(
            class_offsets(probabilities[rows], y[rows], time[rows], classes) if rows.any() else None
        )
    return tuple(found)


def _shifted(
    paths: tuple[StatePaths | None, ...],
    probabilities: np.ndarray,
    part: np.ndarray,
    time: np.ndarray,
) -> np.ndarray:
    shifted = probabilities.copy()
    for k in np.unique(part):
        rows = part == k
        path = paths[k] if k < len(paths) else None
        shifted[rows] = shift_odds(probabilities[rows], path, time[rows])
    return shifted


def number_limits(
    calibration: Calibration | None, group: np.ndarray | None, time: np.ndarray, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and half widths of the intervals of residuals of rows."""
    known = _known(calibration)
    part = np.zeros(len(time), dtype=int) if group is None else group
    centre, width = _around(known.paths, known.spread, part, time)
    return centre, width * group_quantiles(known.scores, known.group, group, alpha)


def class_limits(
    calibration: Calibration | None,
    probabilities: np.ndarray,
    group: np.ndarray | None,
    time: np.ndarray,
    alpha: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities with the log-odds of groups, and what 1 minus them may reach."""
    known = _known(calibration)
    part = np.zeros(len(time), dtype=int) if group is None else group
    limits = group_quantiles(known.scores, known.group, group, alpha)
    return _shifted(known.paths, probabilities, part, time), limits


def _known(calibration: Calibration | None) -> Calibration:
    if calibration is None:
        raise InputError(
            "conformal sets need forecast residuals: fit with at least six domains and "
            "validation_fraction above 0."
        )
    return calibration


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
