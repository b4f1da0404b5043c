"""Counterfactual unfairness: how far scores move when only the sensitive attribute changes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_length
from shiftlab._core.results import Result
from shiftlab._core.validation import check_environment
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["CounterfactualUnfairness", "counterfactual_unfairness"]


@dataclass(frozen=True, repr=False, eq=False)
class CounterfactualUnfairness(Result):
    """Mean absolute movement of the score between a row and its twin.

    Attributes
    ----------
    value, low, high : float
        The mean over all rows and its interval. With several environments the interval takes them
        as the units that were drawn.
    mean_shift : float
        Mean of the signed movement, twin minus row; it can be zero while `value` is not.
    share_changed : float
        Share of rows whose decision changes at the threshold 0.5 (or whose likeliest class does).
    environments : tuple
        Labels; ("all",) if none were given.
    by_environment : tuple of float
        Mean of each environment.
    counts : tuple of int
        Rows of each environment.
    confidence_level : float
        Coverage aimed at.

    Examples
    --------
    >>> from shiftlab.metrics import counterfactual_unfairness
    >>> counterfactual_unfairness([0.2, 0.7, 0.9], [0.3, 0.7, 0.4])
    CounterfactualUnfairness 0.200 (0.000 to 0.857), 33.3 % of decisions change, 3 rows
    """

    value: float
    low: float
    high: float
    mean_shift: float
    share_changed: float
    environments: tuple[Any, ...]
    by_environment: tuple[float, ...]
    counts: tuple[int, ...]
    confidence_level: float

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each environment."""
        import pandas as pd

        columns = {
            "environment": self.environments,
            "unfairness": self.by_environment,
            "n_rows": self.counts,
        }
        return pd.DataFrame(columns)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the unfairness of each environment and the mean.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1] if ax is None else ax
        at = np.arange(len(self.environments))
        ax.bar(at, self.by_environment, color="#3b6ea5")
        ax.axhline(self.value, color="#b5391f", lw=1)
        ax.axhspan(self.low, self.high, color="#b5391f", alpha=0.12, lw=0)
        labels = [str(label).replace("$", r"\$") for label in self.environments]
        ax.set_xticks(at, labels, rotation=90 if len(at) > 8 else 0)
        ax.set(xlabel="environment", ylabel="mean |score - score of twin|")
        return ax

    def __repr__(self) -> str:
        return (
            f"CounterfactualUnfairness {self.value:.3f} ({self.low:.3f} to {self.high:.3f}), "
            f"{100 * self.share_changed:.1f} % of decisions change, {sum(self.counts):,} rows"
        )


def counterfactual_unfairness(
    y_score: Any, y_score_twin: Any, *, environment: Any = None, confidence_level: float = 0.95
) -> CounterfactualUnfairness:
    """Compare scores of rows with scores of their counterfactual twins.

    With exact twins (from a simulated world) this is exact; with twins of a model it is as good as
    the model.

    Parameters
    ----------
    y_score : array of shape (n_rows,) or (n_rows, n_classes)
        Scores of the rows. Of several columns, half of the sum of absolute movements counts (the
        total-variation distance).
    y_score_twin : array of the same shape
        Scores of the twins.
    environment : array of shape (n_rows,), optional
        Environment of each row.
    confidence_level : float, default 0.95
        Coverage of the interval (Student's t over environments, or over rows if there is one).

    Returns
    -------
    CounterfactualUnfairness

    Raises
    ------
    InputError
        If shapes differ, or scores are not finite.

    References
    ----------
    .. [1] Kusner, Loftus, Russell, Silva (2017), "Counterfactual fairness", NeurIPS.

    Examples
    --------
    >>> from shiftlab.metrics import counterfactual_unfairness
    >>> found = counterfactual_unfairness([0.2, 0.8], [0.4, 0.4], environment=["a", "b"])
    >>> found.by_environment
    (0.2, 0.4)
    """
    check_fraction(confidence_level, "confidence_level")
    score, twin = (np.asarray(v, dtype=float) for v in (y_score, y_score_twin))
    if score.shape != twin.shape or score.ndim not in (1, 2) or len(score) == 0:
        raise InputError(
            f"y_score and y_score_twin must have the same shape (n_rows,) or (n_rows, n_classes), "
            f"found {score.shape} and {twin.shape}."
        )
    if not (np.isfinite(score).all() and np.isfinite(twin).all()):
        raise InputError("y_score and y_score_twin must be finite.")
    if score.ndim == 1:
        moved, signed = np.abs(twin - score), twin - score
        changed = (score > 0.5) != (twin > 0.5)
    else:
        moved = 0.5 * np.abs(twin - score).sum(axis=1)
        signed = (twin - score)[:, -1]
        changed = score.argmax(axis=1) != twin.argmax(axis=1)
    labels: tuple[Any, ...] = ("all",)
    codes = np.zeros(len(moved), dtype=int)
    if environment is not None:
        check_length(environment, len(moved), "environment")
        read = check_environment(environment, n_rows=len(moved), minimum=1)[0]
        labels, codes = read.categories, read.codes
    counts = np.bincount(codes, minlength=len(labels))
    means = np.bincount(codes, moved, minlength=len(labels)) / counts
    value = float(moved.mean())
    half = _half_width(means if len(labels) > 1 else moved, confidence_level)
    return CounterfactualUnfairness(
        value,
        max(value - half, 0.0),
        value + half,
        float(signed.mean()),
        float(changed.mean()),
        labels,
        tuple(means.round(12).tolist()),
        tuple(counts.tolist()),
        confidence_level,
    )


def _half_width(values: np.ndarray, confidence_level: float) -> float:
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return 0.0
    quantile = float(t.ppf(0.5 + confidence_level / 2, n - 1))
    return quantile * float(values.std(ddof=1)) / float(np.sqrt(n))
