"""What `column_shifts` returns: the tests, and counts enough to draw every column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result, to_plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["ColumnShifts", "ColumnSummary"]


@dataclass(frozen=True, eq=False)
class ColumnSummary:
    """Counts of one column by environment, enough to draw it without the rows.

    Attributes
    ----------
    name : str
        Name of the column.
    kind : str
        "numeric", "datetime", "categorical" or "boolean".
    counts : ndarray of int, shape (n_environments, n_cells)
        Rows by environment and cell.
    values : ndarray of shape (n_cells,)
        Numbers: mean of the cell. Otherwise 0, 1, ...
    categories : tuple
        Labels of the cells of a categorical column.
    missing : ndarray of int, shape (n_environments,)
        Missing cells by environment.
    """

    name: str
    kind: str
    counts: np.ndarray
    values: np.ndarray
    categories: tuple[Any, ...]
    missing: np.ndarray


@dataclass(frozen=True, eq=False)
class ColumnShifts(Result):
    """Shift of each column in each environment; see `column_shifts`.

    Attributes
    ----------
    environment : str
        Name of the environment.
    environments : tuple
        Labels.
    n_rows : ndarray of int
        Rows of each environment.
    reference : object or None
        Label that the others are compared with; None for "all other rows".
    records : mapping of str to ndarray
        The table that `to_frame` returns, as columns.
    summaries : tuple of ColumnSummary
        Counts by environment; left out of `to_dict`.
    correction, alpha, confidence_level
        As asked for.
    notes : tuple of str
        What was set aside, and why.
    """

    environment: str
    environments: tuple[Any, ...]
    n_rows: np.ndarray
    reference: Any
    records: Mapping[str, np.ndarray]
    summaries: tuple[ColumnSummary, ...]
    correction: str
    alpha: float
    confidence_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> "pd.DataFrame":
        """One row per column, environment and test: shifted ones first, then by effect."""
        import pandas as pd

        return pd.DataFrame(dict(self.records))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the summaries, as JSON types."""
        names = list(self.records)
        rows = zip(*(to_plain(self.records[name]) for name in names), strict=True)
        header = {
            name: to_plain(getattr(self, name))
            for name in self.__dataclass_fields__
            if name not in ("records", "summaries")
        }
        return {**header, "shifts": [dict(zip(names, row, strict=True)) for row in rows]}

    def columns_ranked(self) -> "pd.DataFrame":
        """One row per column and test: shifted ones first, then by the effect's lower limit.

        Columns of the frame: ``column``, ``kind``, ``test``, ``environment`` (where the shift is
        largest, judged by the lower limit of the effect's interval), ``effect``, ``effect_low``,
        ``effect_high`` (there), ``mean_effect`` (over environments),
        ``n_environments`` (tested), ``n_shifted`` (adjusted p-value at most alpha) and
        ``min_pvalue_adjusted``.
        """
        import pandas as pd

        frame = self.to_frame()
        rows = []
        for (column, test), part in frame.groupby(["column", "test"], sort=False):
            first = part.iloc[0]
            rows.append(
                {
                    "column": column,
                    "kind": first["kind"],
                    "test": test,
                    "environment": first["environment"],
                    "effect": first["effect"],
                    "effect_low": first["effect_low"],
                    "effect_high": first["effect_high"],
                    "mean_effect": part["effect"].mean(),
                    "n_environments": int(part["pvalue"].notna().sum()),
                    "n_shifted": int(part["shifted"].sum()),
                    "min_pvalue_adjusted": part["pvalue_adjusted"].min(),
                }
            )
        return pd.DataFrame(rows)

    def plot(self, top: int = 6, *, figure: "Figure | None" = None) -> "Figure":
        """Draw the most shifted columns: each environment's distribution against the others.

        Parameters
        ----------
        top : int, default 6
            Number of columns.
        figure : matplotlib Figure, optional
            Where to draw; a new figure by default.
        """
        from shiftlab.divergence._column_plots import plot_columns

        return plot_columns(self, top, figure)

    def __repr__(self) -> str:
        shifted = int(np.sum(self.records["shifted"]))
        return (
            f"ColumnShifts({len(self.summaries)} columns, {len(self.environments)} environments, "
            f"{shifted} of {len(self.records['shifted'])} tests significant at {self.alpha} "
            f"after {self.correction})"
        )
