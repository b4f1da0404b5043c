"""A metric by environment, its mean over environments, and the worst."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from shiftlab._core.checks import check_length, check_option
from shiftlab._core.names import plot_text
from shiftlab._core.results import Result
from shiftlab._core.validation import Labels, check_environment, check_weights
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "METRICS",
    "PROBABILITIES",
    "EnvironmentScores",
    "Metric",
    "environment_scores",
    "score_by_environment",
    "worst_environment_score",
]

Metric: TypeAlias = str | Callable[..., float]
#: Whether a larger value is better; what is left out here (losses) is better small.
METRICS = {
    "mean_squared_error": False,
    "mean_absolute_error": False,
    "log_loss": False,
    "brier_score": False,
    "accuracy": True,
    "balanced_accuracy": True,
    "r2": True,
}
PROBABILITIES = ("log_loss", "brier_score")
#: A picture shows this many environments: the worst and the best.
MOST_BARS = 40


@dataclass(frozen=True, eq=False, repr=False)
class EnvironmentScores(Result):
    """A metric in each environment; see `environment_scores`.

    Attributes
    ----------
    metric : str
        Name of the metric.
    greater_is_better : bool
        Its direction.
    environments : tuple
        Labels.
    scores : ndarray of shape (n_environments,)
        The metric in each environment.
    n_rows : ndarray of int, shape (n_environments,)
        Rows of each environment.
    """

    metric: str
    greater_is_better: bool
    environments: tuple[Any, ...]
    scores: np.ndarray
    n_rows: np.ndarray

    @property
    def mean(self) -> float:
        """Mean over environments, each with equal weight."""
        return float(np.mean(self.scores))

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, environments taken as drawn independently."""
        n = len(self.scores)
        return float(np.std(self.scores, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")

    @property
    def worst(self) -> float:
        """The worst environment's value."""
        return float(self.scores[self._worst()])

    @property
    def worst_environment(self) -> Any:
        """Label of the worst environment; the first of several."""
        return self.environments[self._worst()]

    def _worst(self) -> int:
        return int(np.argmin(self.scores) if self.greater_is_better else np.argmax(self.scores))

    def to_frame(self) -> "pd.DataFrame":
        """One row per environment, the worst first: environment, n_rows, score."""
        import pandas as pd

        frame = pd.DataFrame(
            {"environment": self.environments, "n_rows": self.n_rows, "score": self.scores}
        )
        return frame.sort_values(
            "score", ascending=self.greater_is_better, kind="stable", ignore_index=True
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the environments as bars, the worst on top.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        if ax is None:
            import matplotlib.pyplot as plt

            n = min(len(self.scores), MOST_BARS)
            ax = plt.subplots(figsize=(6, 1.2 + 0.22 * n), layout="constrained")[1]
        frame = self.to_frame().head(MOST_BARS)
        ax.barh(range(len(frame)), frame["score"], color="#6a9cc9")
        ax.set_yticks(range(len(frame)), [plot_text(e, 24) for e in frame["environment"]])
        ax.invert_yaxis()
        ax.axvline(self.mean, color="#4d4d4d", lw=1, ls="--", label=f"mean {self.mean:.3g}")
        left_out = len(self.scores) - len(frame)
        note = f" ({left_out} better environments not shown)" if left_out else ""
        ax.set_xlabel(plot_text(self.metric) + note)
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        return (
            f"EnvironmentScores({self.metric}: mean {self.mean:.4g} over {len(self.scores)} "
            f"environments, worst {self.worst:.4g} in {self.worst_environment!r})"
        )


def environment_scores(
    y_true: Any,
    y_pred: Any,
    environment: Any,
    *,
    metric: Metric = "mean_squared_error",
    greater_is_better: bool | None = None,
    sample_weight: Any = None,
) -> EnvironmentScores:
    """Evaluate predictions in each environment.

    Parameters
    ----------
    y_true : array of shape (n_rows,)
        Outcomes.
    y_pred : array of shape (n_rows,) or (n_rows, n_classes)
        Predictions; for "log_loss" and "brier_score" probabilities, of the second class or of all
        classes in sorted order.
    environment : array of shape (n_rows,)
        Environment of each row.
    metric : str or callable, default "mean_squared_error"
        "mean_squared_error", "mean_absolute_error", "log_loss", "brier_score", "accuracy",
        "balanced_accuracy", "r2", or a function called as ``metric(y_true, y_pred)``, with
        ``sample_weight=`` added where weights are given.
    greater_is_better : bool, optional
        Direction of a metric that is a function; False by default, as for a loss.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    EnvironmentScores

    Raises
    ------
    InputError
        If lengths differ, labels are missing, or the metric is not known.

    Examples
    --------
    >>> from shiftlab.model_selection import environment_scores
    >>> environment_scores([1, 2, 3], [1, 2, 5], ["a", "a", "b"])
    EnvironmentScores(mean_squared_error: mean 2 over 2 environments, worst 4 in 'b')
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    check_length(y_pred, len(y_true), "y_pred")
    check_length(environment, len(y_true), "environment")
    labels, _ = check_environment(environment, n_rows=len(y_true), minimum=1)
    weights = check_weights(sample_weight, len(y_true))
    scores = score_by_environment(y_true, y_pred, labels, metric, weights)
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
    better = METRICS[metric] if isinstance(metric, str) else bool(greater_is_better)
    return EnvironmentScores(name, better, labels.categories, scores, labels.counts)


def worst_environment_score(
    y_true: Any,
    y_pred: Any,
    environment: Any,
    *,
    metric: Metric = "mean_squared_error",
    greater_is_better: bool | None = None,
    sample_weight: Any = None,
) -> float:
    """Evaluate predictions in the environment where they are worst.

    Parameters
    ----------
    y_true : array of shape (n_rows,)
        Outcomes.
    y_pred : array of shape (n_rows,) or (n_rows, n_classes)
        Predictions, see `environment_scores`.
    environment : array of shape (n_rows,)
        Environment of each row.
    metric : str or callable, default "mean_squared_error"
        See `environment_scores`.
    greater_is_better : bool, optional
        Direction of a metric that is a function; False by default, as for a loss.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If lengths differ, labels are missing, or the metric is not known.

    Examples
    --------
    >>> from shiftlab.model_selection import worst_environment_score
    >>> worst_environment_score([1, 2, 3], [1, 2, 5], ["a", "a", "b"])
    4.0
    """
    return environment_scores(
        y_true, y_pred, environment, metric=metric, greater_is_better=greater_is_better,
        sample_weight=sample_weight,
    ).worst  # fmt: skip


def score_by_environment(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    labels: Labels,
    metric: Metric,
    weights: np.ndarray | None = None,
    classes: np.ndarray | None = None,
) -> np.ndarray:
    """Return the metric in each environment, in the order of the labels."""
    if isinstance(metric, str):
        check_option(metric, tuple(METRICS), "metric")
        if metric in PROBABILITIES and classes is None:
            classes = np.unique(y_true)

        def measure(rows: np.ndarray, w: np.ndarray | None) -> float:
            return _named(metric, y_true[rows], y_pred[rows], w, classes)
    elif callable(metric):

        def measure(rows: np.ndarray, w: np.ndarray | None) -> float:
            options = {} if w is None else {"sample_weight": w}
            return float(metric(y_true[rows], y_pred[rows], **options))
    else:
        raise InputError(f"metric must be a name or a function, found {type(metric).__name__}.")
    parts = (labels.rows(code) for code in range(len(labels)))
    return np.array([measure(rows, None if weights is None else weights[rows]) for rows in parts])


def _named(
    metric: str, y: np.ndarray, p: np.ndarray, w: np.ndarray | None, classes: np.ndarray | None
) -> float:
    if metric == "mean_squared_error":
        return float(np.average((y - p) ** 2, weights=w))
    if metric == "mean_absolute_error":
        return float(np.average(np.abs(y - p), weights=w))
    if metric == "accuracy":
        return float(np.average(y == p, weights=w))
    if metric == "balanced_accuracy":
        hits = [np.average((p == k)[y == k], weights=None if w is None else w[y == k])
                for k in np.unique(y)]  # fmt: skip
        return float(np.mean(hits))
    if metric == "r2":
        residual = np.average((y - p) ** 2, weights=w)
        spread = np.average((y - np.average(y, weights=w)) ** 2, weights=w)
        return float(1 - residual / spread) if spread > 0 else float("nan")
    return _probabilistic(metric, y, p, w, classes)


def _probabilistic(
    metric: str, y: np.ndarray, p: np.ndarray, w: np.ndarray | None, classes: np.ndarray | None
) -> float:
    assert classes is not None  # noqa: S101
    p = np.column_stack([1 - p, p]) if p.ndim == 1 else p
    if p.shape[1] != len(classes):
        raise InputError(
            f"y_pred has probabilities of {p.shape[1]} classes, but y_true has {len(classes)}; "
            "for such a metric every class must occur."
        )
    if not np.isin(y, classes).all():
        raise InputError("y_true has classes that the probabilities do not cover.")
    code = np.searchsorted(classes, y)
    if metric == "log_loss":
        chosen = np.clip(p[np.arange(len(y)), code], np.finfo(float).eps, 1.0)
        return float(np.average(-np.log(chosen), weights=w))
    return float(np.average(((p - np.eye(len(classes))[code]) ** 2).sum(axis=1), weights=w))
