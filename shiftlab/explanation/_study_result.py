"""The outcome of a study of explanation disparities."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shiftlab._core.results import Result
from shiftlab.explanation._study_protocol import StudyProtocol
from shiftlab.simulation import StudyResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DisparityStudyResult"]

#: What a summary shows unless told otherwise.
GAPS = ("signed_gap", "mean_gap", "excess_gap", "max_gap")


@dataclass(frozen=True, eq=False, repr=False)
class DisparityStudyResult(Result):
    """Disparities of an `ExplanationDisparityStudy`, cell by cell.

    Attributes
    ----------
    study : StudyResult
        Rows, failures and timings of the cells.
    protocol : StudyProtocol
        What was studied: worlds, models, explainers, metrics, seed.
    """

    study: StudyResult
    protocol: StudyProtocol = field(repr=False)

    def __repr__(self) -> str:
        return f"Disparity{self.study!r}"

    @property
    def factors(self) -> tuple[str, ...]:
        """Factors of the grid."""
        return self.study.factors

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per cell and metric.

        The columns are the factors, ``replicate``, ``row``, ``metric``, and: ``overall``,
        ``group_0``, ``group_1``, ... (fidelity), ``signed_gap`` (positive where group 0 is
        explained worse than the others), ``mean_gap`` (average absolute difference over pairs of
        groups), ``max_gap`` (of the worst group from the average), ``null_gap`` (the ``mean_gap``
        to expect if the labels of the groups meant nothing), ``excess_gap`` (``mean_gap -
        null_gap``), ``n_0``, ``n_1``, ... (test rows).
        """
        return self.study.to_frame()

    @property
    def groups(self) -> list[str]:
        """Columns that hold the fidelity of one group each."""
        return [str(name) for name in self.to_frame() if str(name).startswith("group_")]

    def errors(self) -> "pd.DataFrame":
        """Return one row per failed cell: factors, replicate, error, message, traceback."""
        return self.study.errors()

    def to_dict(self) -> dict[str, Any]:
        """Return protocol, counts, rows and failures as JSON types."""
        return {"protocol": self.protocol.to_dict(), **self.study.to_dict()}

    def summary(
        self, measures: Sequence[str] | None = None, *, by: Sequence[str] | None = None
    ) -> "pd.DataFrame":
        """Summarise over replicates, each number with its Monte-Carlo standard error.

        Parameters
        ----------
        measures : sequence of str, optional
            Columns of `to_frame`; by default the gaps (signed, mean, in excess of the noise, and
            maximum) and the fidelity of all groups.
        by : sequence of str, optional
            Factors that form the groups, with ``metric``; all by default.

        Returns
        -------
        DataFrame
            One row per scenario, metric, measure and statistic (mean, standard deviation), with
            ``value``, ``mcse``, ``n_replicates``, ``n_missing`` and ``n_failed``.
        """
        chosen = [*GAPS, *self.groups] if measures is None else list(measures)
        return self.study.summary(by=by, measures=chosen)

    def contrast(
        self, factor: str, reference: Any, measures: Sequence[str] = ("signed_gap", "mean_gap")
    ) -> "pd.DataFrame":
        """Compare the levels of a factor with one of them, replicate by replicate.

        With common random numbers what the cells share cancels.

        Parameters
        ----------
        factor : str
            A factor of the grid.
        reference : object
            The level that is subtracted.
        measures : sequence of str, default ("signed_gap", "mean_gap")
            Columns of `to_frame`.

        Returns
        -------
        DataFrame
            One row per level, remaining factors, metric and measure.
        """
        return self.study.contrast(factor, reference, list(measures))

    def plot(
        self,
        x: str | None = None,
        *,
        measure: str = "mean_gap",
        metric: str | None = None,
        ax: Any = None,
    ) -> Any:
        """Draw means with 1.96 Monte-Carlo standard errors: a panel per metric, a line per rest.

        Parameters
        ----------
        x : str, optional
            Factor on the horizontal axis; the first one by default.
        measure : str, default "mean_gap"
            Column of `to_frame`. For gaps, the grey band is what groups without meaning would
            give.
        metric : str, optional
            Draw this metric only.
        ax : Axes or sequence of Axes, optional
            One per metric; a new figure by default.

        Returns
        -------
        ndarray of Axes
        """
        from shiftlab.explanation._study_plots import plot_panels

        return plot_panels(self, x, measure, metric, ax)

    def plot_nested(
        self,
        order: Sequence[str] | None = None,
        *,
        measure: str = "mean_gap",
        metric: str | None = None,
        ax: Any = None,
    ) -> Any:
        """Draw a nested-loop plot: all scenarios in one row, the factors as steps below.

        Parameters
        ----------
        order : sequence of str, optional
            Factors from the slowest to the fastest; those of the world by default. The remaining
            factors give one line each.
        measure : str, default "mean_gap"
            Column of `to_frame`.
        metric : str, optional
            The metric; the last one by default.
        ax : Axes, optional
            A new figure by default.

        Returns
        -------
        Axes
        """
        from shiftlab.explanation._study_nested import draw_nested

        return draw_nested(self, order, measure, metric, ax)

    def ademp(self) -> str:
        """Write the study up in Markdown.

        Returns
        -------
        str
            Aims, data-generating mechanisms, estimands, methods, performance measures with
            Monte-Carlo standard errors; failures, seeds and software.

        References
        ----------
        .. [1] Morris, White and Crowther (2019), "Using simulation studies to evaluate statistical
           methods", Statistics in Medicine 38.
        """
        from shiftlab.explanation._study_ademp import write_ademp

        return write_ademp(self)
