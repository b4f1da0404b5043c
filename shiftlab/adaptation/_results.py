"""What the estimators say about new environments and about themselves."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result, to_plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EnvironmentSummary", "Identifiability", "Selection", "ShiftExplanation"]


class _Records(Result):
    """A result whose main part is a table of records."""

    records: dict[str, list[Any]]

    def to_frame(self) -> "pd.DataFrame":
        """Return the records as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame(dict(self.records))


@dataclass(frozen=True, repr=False, eq=False)
class Selection(_Records):
    """Which covariates to use in which environment; see `select` of the estimators.

    Attributes
    ----------
    records : dict of str to list
        One entry per environment: ``environment``, ``n_rows``, ``covariates`` (names joined by
        commas), ``probability`` that this set has the least risk, ``bootstrap_frequency`` with
        which resampled rows give the same set, ``predicted_gain`` (risk of the pooled model minus
        that of the set), ``pvalue_outside`` (conformal; small: outside the training range),
        ``outside``, ``fallback`` (empty where the strategy was used).
    variables : tuple of str
        All covariates.
    chosen : ndarray of bool, shape (m, variables)
        The sets.
    strategy : str
        How `predict` adapts.
    """

    records: dict[str, list[Any]]
    variables: tuple[str, ...]
    chosen: np.ndarray
    strategy: str

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the map of covariates by environment.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        from shiftlab.adaptation._plots import plot_selection

        return plot_selection(self, ax)

    def __repr__(self) -> str:
        n_outside = int(sum(self.records["outside"]))
        sets = len(set(self.records["covariates"]))
        return (
            f"Selection({len(self.chosen)} environments, {sets} different sets, {n_outside} "
            f"outside the training range; predictions by {self.strategy!r})"
        )


@dataclass(frozen=True, repr=False, eq=False)
class ShiftExplanation(_Records):
    """What is unusual about environments and what that does to the risks; see `explain_shift`.

    Attributes
    ----------
    records : dict of str to list
        One entry per environment and summary, the most influential first: ``environment``,
        ``summary``, ``value`` (in standard units of the training data), ``training_mean``,
        ``deviation`` (in standard deviations between training environments), ``risk_effect``
        (what this deviation adds to the predicted risk of the pooled model over that of `rival`),
        ``prediction_effect`` (root mean squared change of the predictions), ``rival``.
    """

    records: dict[str, list[Any]]

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the largest deviations and their effects in the first environments.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        from shiftlab.adaptation._plots import plot_explanation

        return plot_explanation(self, ax)

    def __repr__(self) -> str:
        n = len(dict.fromkeys(map(str, self.records["environment"])))
        return f"ShiftExplanation({n} environments, {len(self.records['summary']) // n} summaries)"


@dataclass(frozen=True, repr=False, eq=False)
class EnvironmentSummary(_Records):
    """Summaries of environments in the space of the training environments.

    Attributes
    ----------
    records : dict of str to list
        One entry per environment: ``environment``, ``n_rows``, ``pvalue_outside``, and one column
        per summary, in standard units of the training data.
    points : ndarray of shape (m, d)
        Standardised summaries, not clipped.
    training : ndarray of shape (E, d)
        Those of the training environments.
    names : tuple of str
        Names of the summaries.
    """

    records: dict[str, list[Any]]
    points: np.ndarray
    training: np.ndarray
    names: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the table and the names; the training points are left out."""
        return {"records": to_plain(self.records), "names": list(self.names)}

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the two main directions of the training summaries and the new environments.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        from shiftlab.adaptation._plots import plot_summary_space

        return plot_summary_space(self, ax)

    def __repr__(self) -> str:
        return f"EnvironmentSummary({len(self.points)} environments, {len(self.names)} summaries)"


@dataclass(frozen=True, repr=False, eq=False)
class Identifiability(_Records):
    """How much the summaries know about what a new environment needs; see `identifiability`.

    Attributes
    ----------
    records : dict of str to list
        The best setting of each strategy: ``strategy``, ``setting``, ``risk`` (mean over left-out
        environments), ``standard_error``, ``worst_risk``, ``gain`` over the pooled model,
        ``gain_standard_error``, ``harmed`` (share of environments that it makes worse), ``chosen``.
    regret : float
        Risk of the pooled model minus that of the best subset of each environment, chosen with its
        labels.
    explained : float
        Share of the regret that selection by summaries recovers in left-out environments; NaN if
        there is none to recover. Near 0: shifts that need different covariates look alike.
    recovered : float
        The gain of the chosen strategy in units of the regret; above 1 where moving coefficients
        beats any choice of subsets.
    guard_active : bool
        Whether the pooled model was kept.
    verdict : str
        The finding in a sentence.
    """

    records: dict[str, list[Any]]
    regret: float
    explained: float
    recovered: float
    guard_active: bool
    verdict: str = field(default="")

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the risk of each strategy in left-out environments.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        from shiftlab.adaptation._plots import plot_strategies

        return plot_strategies(self, ax)

    def __repr__(self) -> str:
        return f"Identifiability({self.verdict})"
