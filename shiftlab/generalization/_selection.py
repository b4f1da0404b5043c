"""Choice of the drift model and of the predictor on later source domains, fairness first.

Candidates are fitted to the earlier source domains and judged on the later ones, which they
forecast: by their loss, and by how far the mean scores of the groups are apart. The loss decides
only between candidates whose gap is close to the smallest one, so that accuracy gained by reading
the attribute is never rewarded.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab.generalization._abduction import Abduction, fit_abduction
from shiftlab.generalization._attributes import Coded
from shiftlab.generalization._cells import domain_cells
from shiftlab.generalization._prediction import (
    ClassPredictor,
    NumberPredictor,
    fit_classes,
    fit_numbers,
)

__all__ = ["Candidate", "Selection", "Task", "choose", "fit_candidate", "score_gap"]

DRIFTS = ("auto", "flow", "trend", "none")
#: From here on some source domains can be spared for the choice.
LEAST_DOMAINS = 6
LEAST_ROWS = 40
#: Error of the forecast mean of a feature, in standard deviations, from which on it is lost.
LOST = 0.5
#: With more terms than this squares and products are not tried.
MOST_TERMS_SQUARED = 15


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned from: rows of source domains.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_features)
        Features.
    y : ndarray
        Outcome.
    coded : Coded
        Attributes.
    time : ndarray
        Time of each row.
    classes : ndarray or None
        Class labels; None for numbers.
    estimator : estimator or None
        Of the user.
    seed : int
        For its unset `random_state`.
    """

    X: np.ndarray
    y: np.ndarray
    coded: Coded
    time: np.ndarray
    classes: np.ndarray | None
    estimator: Any
    seed: int

    @property
    def cell(self) -> np.ndarray:
        """Classes, or halves of the outcome."""
        if self.classes is None:
            return (self.y > np.median(self.y)).astype(int)
        return np.searchsorted(self.classes, self.y)

    def take(self, rows: np.ndarray) -> "Task":
        """Keep rows."""
        group = None if self.coded.group is None else self.coded.group[rows]
        coded = Coded(self.coded.design[rows], group)
        return Task(
            self.X[rows], self.y[rows], coded, self.time[rows], self.classes, self.estimator,
            self.seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A choice.

    Attributes
    ----------
    drift : {"flow", "trend", "none"}
        What may change over time.
    keep_mean : bool
        Whether the path of the common mean is given back to the predictor.
    degree : int
        Of the default predictor.
    """

    drift: str
    keep_mean: bool = False
    degree: int = 1


@dataclass(frozen=True, eq=False)
class Selection:
    """The chosen candidate, all that were judged, and scores on the later source domains.

    Attributes
    ----------
    chosen : Candidate
        The choice.
    table : list of dict
        One row for each candidate: loss and gap.
    held : ndarray of int
        Rows of the later source domains (empty if none were spared).
    scores : ndarray
        Scores of all source rows by the chosen candidate fitted to the earlier ones: forecasts for
        the held rows.
    """

    chosen: Candidate
    table: list[dict[str, Any]]
    held: np.ndarray
    scores: np.ndarray


Fitted = tuple[Abduction, ClassPredictor | NumberPredictor]


def choose(task: Task, *, drift: str, effect: str, fraction: float, tolerance: float) -> Selection:
    """Choose among candidates on the last `fraction` of the source domains."""
    check_option(drift, DRIFTS, "drift")
    times = np.unique(task.time)
    n_late = max(1, round(fraction * len(times))) if fraction > 0 else 0
    default = "flow" if len(times) >= LEAST_DOMAINS else "trend" if len(times) > 2 else "none"
    fallback = Candidate(default if drift == "auto" else drift)
    late = (
        task.time > times[-n_late - 1] if 0 < n_late < len(times) else np.zeros(len(task.y), bool)
    )
    early_rows, late_rows = np.flatnonzero(~late), np.flatnonzero(late)
    nothing = Selection(fallback, [], np.empty(0, dtype=int), np.empty(0))
    if len(times) < LEAST_DOMAINS or min(len(early_rows), len(late_rows)) < LEAST_ROWS:
        return nothing
    early, held = task.take(early_rows), task.take(late_rows)
    if not _complete(early, held):
        return nothing
    abductions = _abductions(early, held, drift, effect)
    kind = _pick_drift({name: error for name, (_, error) in abductions.items()})
    abduction = abductions[kind][0]
    parts = [_terms(abduction, part) for part in (early, held)]
    judged = [_judge(c, early, held, parts, abduction) for c in _variants(kind, task)]
    best = _pick(judged, tolerance)
    table = [
        {"drift": name, "forecast_error": error} for name, (_, error) in abductions.items()
    ] + [
        {
            **vars(j.candidate),
            "loss": float(j.losses.mean()),
            "gap": j.gap,
            "gap_error": j.gap_error,
        }
        for j in judged
    ]
    shape = (len(task.y), *best.scores.shape[1:])
    scores = np.empty(shape)
    scores[late_rows] = best.scores
    scores[early_rows] = best.predictor.scores(
        _inputs(parts[0], best.candidate), abduction.relative(early.time)
    )
    return Selection(best.candidate, table, late_rows, scores)


@dataclass(frozen=True, eq=False)
class _Judged:
    candidate: Candidate
    predictor: ClassPredictor | NumberPredictor
    scores: np.ndarray
    losses: np.ndarray
    gap: float
    gap_error: float


def _abductions(
    early: Task, held: Task, drift: str, effect: str
) -> dict[str, tuple[Abduction, float]]:
    """Fit each kind of drift to the earlier domains and see how it forecasts the later ones."""
    found: dict[str, tuple[Abduction, float]] = {}
    for kind in ("none", "trend", "flow") if drift == "auto" else (drift,):
        abduction = fit_abduction(
            early.X, early.coded, early.time, early.cell, drift=kind, effect=effect
        )
        if kind == "flow" and not abduction.flow.moves and drift == "auto":
            continue
        found[kind] = abduction, _forecast_error(abduction, held)
    return found


def _forecast_error(abduction: Abduction, held: Task) -> float:
    """Return the mean error of the forecast means of groups, in standard deviations.

    No label is looked at: this is about the mechanism of the drift. A feature whose forecast is
    lost counts as lost and no more, so that it does not decide between models of the others.
    """
    forecast = abduction.features(np.zeros_like(held.X), held.coded, held.time)
    residual = (held.X - forecast) / abduction.scale
    part = np.zeros(len(held.X), dtype=int) if held.coded.group is None else held.coded.group
    cells = domain_cells(residual, held.time, part)
    seen = cells.counts > 0
    # The sampling error of a mean is no error of the forecast.
    excess = (cells.means[seen] ** 2 - 1 / cells.counts[seen][:, None]).mean(axis=0)
    return float(np.minimum(np.sqrt(np.maximum(excess, 0.0)), LOST).mean())


def _pick_drift(errors: dict[str, float]) -> str:
    """Take the kind that forecasts best; among equals the one that says most about the drift.

    A drift that forecasts later domains worse than no drift at all is not there.
    """
    limit = 1.2 * min(errors.values()) + 0.03
    limit = min(limit, errors.get("none", limit))
    good = [kind for kind, error in errors.items() if error <= limit]
    return good[-1]


def _judge(
    candidate: Candidate,
    early: Task,
    held: Task,
    parts: list[tuple[np.ndarray, np.ndarray]],
    abduction: Abduction,
) -> _Judged:
    predictor = _predictor(early, parts[0], abduction, candidate)
    scores = predictor.scores(_inputs(parts[1], candidate), abduction.relative(held.time))
    gap, error = score_gap(scores, held.coded)
    return _Judged(candidate, predictor, scores, _losses(scores, held), gap, error)


def _pick(judged: list[_Judged], tolerance: float) -> _Judged:
    """Leave the simplest predictor only for one that is clearly better and no less fair."""
    best = judged[0]
    for other in judged[1:]:
        difference = best.losses - other.losses
        error = float(difference.std()) / np.sqrt(len(difference))
        fair = other.gap <= best.gap + tolerance
        if fair and float(difference.mean()) > 2 * error:
            best = other
    return best


def _complete(early: Task, held: Task) -> bool:
    """Tell whether the earlier domains show every group and class."""
    if early.classes is not None and len(np.unique(early.y)) < 2:
        return False
    return early.coded.group is None or set(held.coded.group) <= set(early.coded.group)  # type: ignore[arg-type]


def _variants(drift: str, task: Task) -> list[Candidate]:
    keeps = (False, True) if drift != "none" else (False,)
    squared = task.estimator is None and task.X.shape[1] <= MOST_TERMS_SQUARED
    degrees = (1, 2) if squared else (1,)
    return [Candidate(drift, keep, degree) for keep, degree in product(keeps, degrees)]


def _terms(abduction: Abduction, task: Task) -> tuple[np.ndarray, np.ndarray]:
    U = abduction.terms(task.X, task.coded, task.time)
    return U, abduction.moment(task.time).mean


def _inputs(parts: tuple[np.ndarray, np.ndarray], candidate: Candidate) -> np.ndarray:
    return parts[0] + parts[1] if candidate.keep_mean else parts[0]


def _predictor(
    task: Task, parts: tuple[np.ndarray, np.ndarray], abduction: Abduction, candidate: Candidate
) -> ClassPredictor | NumberPredictor:
    inputs, time = _inputs(parts, candidate), abduction.relative(task.time)
    options = {"estimator": task.estimator, "degree": candidate.degree, "seed": task.seed}
    if task.classes is None:
        return fit_numbers(inputs, task.y, time, **options)
    return fit_classes(inputs, task.y, time, classes=task.classes, **options)


def fit_candidate(task: Task, candidate: Candidate, effect: str) -> Fitted:
    """Fit the chosen candidate to all source domains."""
    abduction = fit_abduction(
        task.X, task.coded, task.time, task.cell, drift=candidate.drift, effect=effect
    )
    return abduction, _predictor(task, _terms(abduction, task), abduction, candidate)


def _losses(scores: np.ndarray, task: Task) -> np.ndarray:
    if task.classes is None:
        return np.asarray((scores - task.y) ** 2)
    own = scores[np.arange(len(task.y)), task.cell]
    return np.asarray(-np.log(np.clip(own, 1e-6, 1)))


def score_gap(scores: np.ndarray, coded: Coded) -> tuple[float, float]:
    """Return how far mean scores of groups are apart, and the standard error of that.

    It is the largest difference of a group's mean from the mean of all, numbers in units of their
    standard deviation. With a numeric attribute it is the standard deviation of what the design
    explains of the scores.
    """
    columns = scores[:, None] / max(float(scores.std()), 1e-12) if scores.ndim == 1 else scores
    centred = columns - columns.mean(axis=0)
    spread = float(centred.std(axis=0).max())
    if coded.group is not None:
        counts = np.bincount(coded.group)
        sums = np.stack([np.bincount(coded.group, c) for c in centred.T], axis=1)
        present = counts > 0
        gap = float(np.abs(sums[present] / counts[present, None]).max())
        return gap, spread / np.sqrt(counts[present].min())
    design = np.column_stack([np.ones(len(centred)), coded.design])
    fitted = design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    return float(fitted.std(axis=0).max()), spread / np.sqrt(len(centred))
