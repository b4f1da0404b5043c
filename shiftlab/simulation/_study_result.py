"""The outcome of a study: its rows, its failures, summaries with Monte-Carlo standard errors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names, missing_column_message
from shiftlab._core.results import Result, to_plain
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.simulation._study_cells import CellRecord
from shiftlab.simulation._study_design import Scenario
from shiftlab.simulation._study_store import text_value
from shiftlab.simulation._study_summary import Measured, describe, estimator_performance

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyResult", "build_result"]

SUMMARY_COLUMNS = (
    "measure", "statistic", "value", "mcse", "n_replicates", "n_missing", "n_failed"
)  # fmt: skip


@dataclass(frozen=True)
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
            value, left out) and ``n_failed`` (cells that raised).

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

        labels = self._groups(by)
        if measures is None:
            measures = [] if estimate is not None else self._numeric_outputs()
        self._check_columns([*measures, *filter(None, (estimate, se, *(interval or ())))])
        target = self._truth(truth)
        rows: list[dict[str, Any]] = []
        for group, part in self._split(labels):
            n_failed = self._failed_in(group)
            for name in measures:
                values = part[name].to_numpy(dtype=float)
                kept = values[~np.isnan(values)]
                found = describe(kept) if len(kept) else {"mean": Measured(np.nan, np.nan)}
                counts = _counts(len(kept), len(values) - len(kept), n_failed)
                rows += _lines(group, name, found, counts)
            if estimate is not None:
                columns = {"estimate": estimate, "se": se}
                columns |= dict(zip(("lower", "upper"), interval or (None, None), strict=True))
                rows += _performance_lines(group, part, columns, target, n_failed)
        return pd.DataFrame(rows, columns=[*labels, *SUMMARY_COLUMNS])

    def _groups(self, by: Sequence[str] | None) -> list[str]:
        text = [n for n in self._outputs() if not _is_number(self.rows[n])]
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
        factors = [name for name in labels if name in self.factors]
        if len(factors) == len(labels) and len(self.failures):
            for key in zip(*(self.failures[n] for n in labels), strict=True):
                groups.setdefault(key, [])  # every replicate of the group failed
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
        return [name for name in self._outputs() if _is_number(self.rows[name])]

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
        if truth not in self.rows.columns or not _is_number(self.rows[truth]):
            raise InputError(
                f"truth must be a number or a numeric column of the study, found {truth!r}."
            )
        return truth

    def plot(
        self,
        measures: Sequence[str] | None = None,
        *,
        x: str | None = None,
        ax: Any = None,
    ) -> Any:
        """Draw means with 1.96 Monte-Carlo standard errors, one panel per measure.

        Parameters
        ----------
        measures : sequence of str, optional
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

        return plot_means(self, measures, x, ax)


def build_result(
    name: str,
    factors: tuple[str, ...],
    cells: Sequence[tuple[Scenario, int]],
    records: Mapping[tuple[str, int], CellRecord],
) -> StudyResult:
    """Assemble the result of the given cells, in their order."""
    finished = [(s, records[s.key, r]) for s, r in cells if (s.key, r) in records]
    returned = [(s, r) for s, r in finished if r.error is None]
    failed = [(s, r) for s, r in finished if r.error is not None]
    failures = _cell_table(factors, failed)
    for i, column in enumerate(("error", "message", "traceback")):
        failures[column] = _object_series([r.error[i] if r.error else None for _, r in failed])
    timings = _cell_table(factors, finished)
    timings["seconds"] = np.array([r.seconds for _, r in finished], dtype=float)
    return StudyResult(
        name=name,
        factors=factors,
        n_cells=len(cells),
        n_done=len(returned),
        n_failed=len(failed),
        n_pending=len(cells) - len(finished),
        rows=_row_table(factors, returned),
        failures=failures,
        timings=timings,
    )


def _cell_table(
    factors: tuple[str, ...], cells: Sequence[tuple[Scenario, CellRecord]]
) -> "pd.DataFrame":
    import pandas as pd

    data: dict[str, Any] = {n: _level_series([s.shown[n] for s, _ in cells]) for n in factors}
    data["replicate"] = np.array([r.replicate for _, r in cells], dtype=np.int64)
    return pd.DataFrame(data)


def _row_table(
    factors: tuple[str, ...], cells: Sequence[tuple[Scenario, CellRecord]]
) -> "pd.DataFrame":
    lengths = [len(record.rows) for _, record in cells]
    names = list(dict.fromkeys(n for c in dict.fromkeys(r.columns for _, r in cells) for n in c))
    outputs: dict[str, list[Any]] = {name: [] for name in names}
    for _, record in cells:
        position = {name: i for i, name in enumerate(record.columns)}
        for name, values in outputs.items():
            i = position.get(name)
            values.extend([None] * len(record.rows) if i is None else [w[i] for w in record.rows])
    table = _cell_table(factors, cells)
    table = table.iloc[np.repeat(np.arange(len(cells)), lengths)].reset_index(drop=True)
    table["row"] = np.array([i for n in lengths for i in range(n)], dtype=np.int64)
    for name, values in outputs.items():
        table[name] = _output_series(values)
    return table


def _level_series(levels: list[Any]) -> Any:
    import pandas as pd

    if levels and all(isinstance(level, (int, float)) for level in levels):
        return pd.Series(levels)
    return _object_series(levels)


def _object_series(values: list[Any]) -> Any:
    import pandas as pd

    return pd.Series(values, dtype=object)


def _output_series(values: list[Any]) -> Any:
    if any(isinstance(value, str) for value in values):
        return _object_series([text_value(value) for value in values])
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _is_number(column: Any) -> bool:
    return column.dtype.kind in "iuf"


def _counts(used: int, missing: int, failed: int) -> dict[str, int]:
    return {"n_replicates": used, "n_missing": missing, "n_failed": failed}


def _lines(
    group: Mapping[str, Any], measure: str, found: Mapping[str, Measured], counts: dict[str, int]
) -> list[dict[str, Any]]:
    return [
        {**group, "measure": measure, "statistic": key, "value": m.value, "mcse": m.mcse, **counts}
        for key, m in found.items()
    ]


def _performance_lines(
    group: Mapping[str, Any],
    part: "pd.DataFrame",
    columns: Mapping[str, str | None],
    truth: str | float | None,
    n_failed: int,
) -> list[dict[str, Any]]:
    data = {k: part[n].to_numpy(dtype=float) for k, n in columns.items() if n is not None}
    if truth is not None:
        data["truth"] = (
            part[truth].to_numpy(dtype=float)
            if isinstance(truth, str)
            else np.full(len(part), float(truth))
        )
    kept = ~np.any([np.isnan(values) for values in data.values()], axis=0)
    counts = _counts(int(kept.sum()), int((~kept).sum()), n_failed)
    data = {key: values[kept] for key, values in data.items()}
    name = str(columns["estimate"])
    if not kept.any():
        return _lines(group, name, {"empirical_se": Measured(np.nan, np.nan)}, counts)
    found = estimator_performance(
        data["estimate"],
        truth=data.get("truth"),
        se=data.get("se"),
        interval=(data["lower"], data["upper"]) if "lower" in data else None,
    )
    return _lines(group, name, found, counts)
