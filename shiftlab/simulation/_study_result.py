"""The outcome of a study: its rows, its failures, summaries with Monte-Carlo standard errors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names, missing_column_message
from shiftlab._core.results import Result, to_plain
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.simulation._study_summary import contrast_lines, mean_lines, performance_lines

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyResult"]

SUMMARY_COLUMNS = (
    "measure", "statistic", "value", "mcse", "n_replicates", "n_missing", "n_failed"
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class StudyResult(Result):
    """Rows, failures and timings of a `Study`.

    Attributes
    ----------
    name : str
        Name of the study.
    factors : tuple of str
        Names of the factors.
    n_cells : int
        Cells of the study: scenarios times replicates.
    n_done, n_failed, n_pending : int
        Cells that returned, that raised, and that have not been run.
    rows : DataFrame
        What `to_frame` returns.
    failures : DataFrame
        What `errors` returns.
    timings : DataFrame
        Factors, replicate and running time of each finished cell, in seconds.
    """

    name: str
    factors: tuple[str, ...]
    n_cells: int
    n_done: int
    n_failed: int
    n_pending: int
    rows: "pd.DataFrame" = field(repr=False)
    failures: "pd.DataFrame" = field(repr=False)
    timings: "pd.DataFrame" = field(repr=False)

    def __repr__(self) -> str:
        text = f"StudyResult {self.name!r}: {self.n_done} of {self.n_cells} cells done"
        if self.n_pending:
            text += f", {self.n_pending} not run yet"
        if self.n_failed:
            first = self.failures.iloc[0]
            text += (
                f", {self.n_failed} failed (see errors(); the first: "
                f"{first['error']}: {first['message']})"
            )
        return text

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per row that the function returned.

        The columns are the factors, ``replicate``, ``row`` (the number of the row within its
        cell) and the outputs. Numbers and booleans are float64; a column in which any cell
        returned text is text. Rows are in the order of the grid, then of the replicates.
        """
        return self.rows.copy()

    def errors(self) -> "pd.DataFrame":
        """Return one row per failed cell: factors, replicate, error, message, traceback."""
        return self.failures.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return counts, rows and failures as JSON types; timings are left out."""
        counts = ("name", "n_cells", "n_done", "n_failed", "n_pending")
        return {
            **{key: getattr(self, key) for key in counts},
            "factors": list(self.factors),
            "rows": to_plain(self.rows.to_dict("list")),
            "failures": to_plain(self.failures.to_dict("list")),
        }

    def summary(
        self,
        by: Sequence[str] | None = None,
        measures: Sequence[str] | None = None,
        *,
        estimate: str | None = None,
        truth: str | float | None = None,
        se: str | None = None,
        interval: tuple[str, str] | None = None,
    ) -> "pd.DataFrame":
        """Summarise over replicates, each number with its Monte-Carlo standard error.

        Parameters
        ----------
        by : sequence of str, optional
            Factors and text outputs that form the groups; all of them by default. A group may
            hold each replicate once only, because several rows of one replicate, and rows of
            different scenarios, are not a sample of one distribution.
        measures : sequence of str, optional
            Numeric outputs to describe by mean and standard deviation; all of them by default, none
            if `estimate` is given.
        estimate : str, optional
            Column of estimates: adds empirical standard error and, with the columns below, bias,
            mse, rmse, model_se, relative_error_model_se (in percent), coverage,
            bias_eliminated_coverage and interval_width.
        truth : str or float, optional
            What is estimated: a number, an output or a numeric factor.
        se : str, optional
            Column of reported standard errors.
        interval : pair of str, optional
            Columns of lower and upper interval ends.

        Returns
        -------
        DataFrame
            One row per group and statistic with the columns of the group, ``measure``,
            ``statistic``, ``value``, ``mcse``, ``n_replicates`` (used), ``n_missing`` (without a
            value, left out) and ``n_failed`` (cells of the group's scenarios that raised).

        Raises
        ------
        InputError
            If a column does not exist, is not numeric, or a group holds a replicate twice.

        References
        ----------
        Morris, White and Crowther (2019), Using simulation studies to evaluate statistical
        methods, Statistics in Medicine 38, table 6.
        """
        import pandas as pd

        if self.rows.empty:
            raise InputError(
                f"The study has no rows to summarise: of {self.n_cells} cells {self.n_failed} "
                f"failed and {self.n_pending} have not been run. See errors() for the failures."
            )
        labels = self._groups(by)
        if measures is None:
            measures = [] if estimate is not None else self._numeric_outputs()
        self._check_columns([*measures, *filter(None, (estimate, se, *(interval or ())))])
        target = self._truth(truth)
        rows: list[dict[str, Any]] = []
        for group, part in self._split(labels):
            n_failed = self._failed_in(group)
            for name in measures:
                rows += mean_lines(group, part, name, n_failed)
            if estimate is not None:
                columns = {"estimate": estimate, "se": se}
                columns |= dict(zip(("lower", "upper"), interval or (None, None), strict=True))
                rows += performance_lines(group, part, columns, target, n_failed)
        return pd.DataFrame(rows, columns=[*labels, *SUMMARY_COLUMNS])

    def contrast(
        self, factor: str, reference: Any, measures: Sequence[str] | None = None
    ) -> "pd.DataFrame":
        """Compare the levels of a factor with one of them, replicate by replicate.

        Differences are taken between cells that agree in everything else, the number of the
        replicate included. If the seeds do not depend on the factor (common random numbers), what
        the cells share cancels and the standard errors shrink; otherwise they are those of
        independent samples.

        Parameters
        ----------
        factor : str
            A factor, or a text output such as a method.
        reference : object
            The level that is subtracted.
        measures : sequence of str, optional
            Numeric outputs; all of them by default.

        Returns
        -------
        DataFrame
            One row per group, level and measure, laid out as by `summary`; ``statistic`` is "mean
            difference". A pair in which a value is missing or a cell failed counts in
            ``n_missing``.

        Raises
        ------
        InputError
            If the factor has no such level, or a group holds a replicate twice.
        """
        import pandas as pd

        labels = self._groups(None)
        if factor not in labels:
            raise InputError(f"factor must be one of {join_names(labels)}, found {factor!r}.")
        levels = list(dict.fromkeys(self.rows[factor]))
        if reference not in levels:
            raise InputError(f"reference: {factor!r} has the levels {join_names(levels)}, "
                             f"found {reference!r}.")  # fmt: skip
        measures = self._numeric_outputs() if measures is None else list(measures)
        self._check_columns(measures)
        parts = {tuple(group.items()): part for group, part in self._split(labels)}
        rows: list[dict[str, Any]] = []
        for key, part in parts.items():
            group = dict(key)
            base = parts.get(tuple((group | {factor: reference}).items()))
            if group[factor] == reference or base is None:
                continue
            n_failed = self._failed_in(group)
            for name in measures:
                rows += contrast_lines(group, part, base, name, n_failed)
        return pd.DataFrame(rows, columns=[*labels, *SUMMARY_COLUMNS])

    def _groups(self, by: Sequence[str] | None) -> list[str]:
        text = [n for n in self._outputs() if not is_number(self.rows[n])]
        labels = [*self.factors, *text] if by is None else [by] if isinstance(by, str) else list(by)
        for name in labels:
            if name not in self.rows.columns:
                raise ColumnNotFoundError(
                    missing_column_message(name, list(self.rows.columns), "by")
                )
            if name in SUMMARY_COLUMNS:
                raise InputError(f"by: {name!r} is a column of the summary; rename the output.")
        repeated = self.rows.duplicated(subset=[*labels, "replicate"])
        if repeated.any():
            raise InputError(
                f"by={labels}: {int(repeated.sum())} row(s) repeat a replicate within their group. "
                "Name the columns that tell them apart (factors, 'row', or a text output)."
            )
        return labels

    def _split(self, labels: list[str]) -> Iterator[tuple[dict[str, Any], "pd.DataFrame"]]:
        if not labels:
            yield {}, self.rows
            return
        groups: dict[tuple[Any, ...], list[int]] = {}
        for i, key in enumerate(zip(*(self.rows[n] for n in labels), strict=True)):
            groups.setdefault(key, []).append(i)
        known = [i for i, name in enumerate(labels) if name in self.factors]
        present = {tuple(key[i] for i in known) for key in groups}
        for levels in zip(*(self.failures[labels[i]] for i in known), strict=True):
            if levels not in present:  # every replicate failed; the text outputs are unknown
                by_position = dict(zip(known, levels, strict=True))
                groups.setdefault(tuple(by_position.get(i) for i in range(len(labels))), [])
        for key, positions in groups.items():
            yield dict(zip(labels, key, strict=True)), self.rows.iloc[positions]

    def _failed_in(self, group: Mapping[str, Any]) -> int:
        keep = np.ones(len(self.failures), dtype=bool)
        for name, level in group.items():
            if name in self.factors:
                keep &= np.array([value == level for value in self.failures[name]], dtype=bool)
        return int(keep.sum())

    def _outputs(self) -> list[str]:
        return [n for n in self.rows.columns if n not in (*self.factors, "replicate", "row")]

    def _numeric_outputs(self) -> list[str]:
        return [name for name in self._outputs() if is_number(self.rows[name])]

    def _check_columns(self, names: Sequence[str]) -> None:
        available = self._numeric_outputs()
        for name in names:
            if name not in available:
                raise InputError(
                    f"{name!r} is not a numeric output of the study; these are: "
                    f"{join_names(available, 12)}."
                )

    def _truth(self, truth: str | float | None) -> Any:
        if truth is None or not isinstance(truth, str):
            return truth
        if truth not in self.rows.columns or not is_number(self.rows[truth]):
            raise InputError(
                f"truth must be a number or a numeric column of the study, found {truth!r}."
            )
        return truth

    def plot(
        self,
        measures: str | Sequence[str] | None = None,
        *,
        x: str | None = None,
        ax: Any = None,
    ) -> Any:
        """Draw means with 1.96 Monte-Carlo standard errors, one panel per measure.

        Parameters
        ----------
        measures : str or sequence of str, optional
            Numeric outputs; all of them by default.
        x : str, optional
            Factor on the horizontal axis; the first one by default. The other factors and the
            text outputs give one line per combination.
        ax : Axes or sequence of Axes, optional
            One per measure; a new figure by default.

        Returns
        -------
        ndarray of Axes
        """
        from shiftlab.simulation._study_plot import plot_means

        return plot_means(self, [measures] if isinstance(measures, str) else measures, x, ax)


def is_number(column: Any) -> bool:
    return column.dtype.kind in "iuf"
