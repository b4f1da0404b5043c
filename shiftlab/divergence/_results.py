"""The one result of every two-sample test: effect size first, then the p-value and its origin."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TwoSampleResult"]


@dataclass(frozen=True)
class TwoSampleResult(Result):
    """How far two samples are apart, and whether chance explains it.

    Attributes
    ----------
    method : str
        The measure and its variant.
    statistic : float
        The value of the measure; larger means further apart.
    effect : float
        Standardised size of the difference; see `effect_name` for its scale.
    effect_name : str
        What `effect` is and between which values it lies.
    pvalue : float or None
        Probability of a statistic at least as large if both samples have one distribution; None
        if it was not asked for.
    pvalue_method : str
        How the p-value was obtained.
    pvalue_mid : float or None
        Mid-p-value: resamples that tie with the statistic count half. It equals `pvalue` without
        ties, and is closer to the nominal level (but no upper bound) for coarse discrete data.
    null_quantile : float or None
        0.95 quantile of the statistic under the null hypothesis.
    n_x, n_y : int
        Number of rows.
    sampling : {"independent", "without_replacement"}
        What the null hypothesis says about the samples.
    notes : tuple of str
        What a reader should know about how the data were used.
    null_distribution : ndarray of shape (n_resamples,)
        Statistics of the resamples; empty if there were none. Left out of `to_dict`.
    """

    method: str
    statistic: float
    effect: float
    effect_name: str
    pvalue: float | None
    pvalue_method: str
    pvalue_mid: float | None
    null_quantile: float | None
    n_x: int
    n_y: int
    sampling: str = "independent"
    notes: tuple[str, ...] = ()
    null_distribution: np.ndarray = field(
        default_factory=lambda: np.empty(0), repr=False, compare=False
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON types, without the null distribution."""
        plain = super().to_dict()
        del plain["null_distribution"]
        return plain

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the null distribution and the statistic.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn into; a new figure by default.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InputError
            If the test was made without resamples.
        """
        import matplotlib.pyplot as plt

        finite = self.null_distribution[np.isfinite(self.null_distribution)]
        if not len(finite):
            raise InputError("There is no null distribution to draw; set n_resamples above 0.")
        ax = plt.subplots()[1] if ax is None else ax
        ax.hist(finite, bins="auto", color="0.75", label="null distribution")
        ax.axvline(self.statistic, color="C3", label=f"statistic, p = {self.pvalue:.3g}")
        ax.set_xlabel(self.method)
        ax.set_ylabel("resamples")
        ax.legend()
        return ax
