"""What a Wasserstein projection returns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["WassersteinProjection"]


@dataclass(frozen=True, eq=False)
class WassersteinProjection(Result):
    """The nearest data set, in Wasserstein distance, whose selection rates meet a ratio.

    Attributes
    ----------
    distance : float
        Wasserstein distance between the data and the projection.
    cost : float
        Transport cost, ``distance ** p``.
    p : float
        Power of the distance between rows.
    support : {"cells", "data", "free", "columns"}
        Where rows could go: to cells, to rows of the data, or anywhere through a model.
    target, value_before, value_after : float
        Wanted ratio (lowest rate / highest rate), and the ratios before and after.
    features : tuple of str
        Names of the sensitive features.
    groups : tuple
        Label of each group.
    mass_before, mass_after : ndarray of shape (n_groups, 2)
        Share of each group and decision.
    rows_from, rows_to : ndarray of int, shape (n_moves,)
        Which row moves, and the row of the data that it becomes (-1 if it is no row of the data).
        With support "cells" they are cells, numbered by group, then decision.
    cells_from, cells_to : ndarray of int, shape (n_moves,)
        Cell of each move, before and after, numbered by group, then decision.
    mass : ndarray of shape (n_moves,)
        Mass that moves.
    steps : ndarray of shape (n_moves,)
        Distance of each move.
    starts, ends : ndarray of shape (n_moves, d) or None
        Where each move starts and ends, in the units of `columns`.
    columns : tuple of str
        Names of the coordinates.
    duality_gap : float
        Cost minus its lower bound at the same highest rate; for moves through a model the search
        is exact given the distances to the boundary, and the gap is NaN.
    unreached : float
        Share of the candidate rows for which no move across the boundary was found; 0 without a
        model.
    n_rows : int
        Number of rows.
    """

    distance: float
    cost: float
    p: float
    support: str
    target: float
    value_before: float
    value_after: float
    features: tuple[str, ...]
    groups: tuple[Any, ...]
    mass_before: np.ndarray
    mass_after: np.ndarray
    rows_from: np.ndarray
    rows_to: np.ndarray
    cells_from: np.ndarray
    cells_to: np.ndarray
    mass: np.ndarray
    steps: np.ndarray
    starts: np.ndarray | None
    ends: np.ndarray | None
    columns: tuple[str, ...]
    duality_gap: float
    unreached: float
    n_rows: int

    def __repr__(self) -> str:
        return (
            f"WassersteinProjection(disparate_impact {self.value_before:.4g} -> "
            f"{self.value_after:.4g}; W{self.p:g}={self.distance:.6g}, support={self.support!r}, "
            f"{len(self.mass)} move(s) of {self.mass.sum():.2%} of the mass)"
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per pair of cells between which more than 1e-8 of the mass moves."""
        import pandas as pd

        n_cells = 2 * len(self.groups)
        flows = np.zeros((n_cells, n_cells))
        np.add.at(flows, (self.cells_from, self.cells_to), self.mass)
        lines = []
        for origin, target in np.argwhere(flows > 1e-8):
            moves = (self.cells_from == origin) & (self.cells_to == target)
            lines.append(
                {
                    "from_group": self.groups[origin // 2],
                    "from_decision": int(origin % 2),
                    "to_group": self.groups[target // 2],
                    "to_decision": int(target % 2),
                    "mass": flows[origin, target],
                    "mean_step": float(np.average(self.steps[moves], weights=self.mass[moves])),
                }
            )
        names = ["from_group", "from_decision", "to_group", "to_decision", "mass", "mean_step"]
        return pd.DataFrame(lines, columns=names)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures and the flows between cells, without the moves of single rows."""
        full = super().to_dict()
        moves = ("rows_from", "rows_to", "cells_from", "cells_to", "mass", "steps")
        for name in (*moves, "starts", "ends"):
            del full[name]
        return full | {"n_moves": len(self.mass), "moved_mass": float(self.mass.sum())}

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw where rows moved, in the two columns that change most.

        With support "cells" there are no coordinates, and the selection rates before and after are
        drawn instead.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        from shiftlab.auditing._projection_plots import plot_moves, plot_rate_moves

        if self.starts is None or self.ends is None or not len(self.mass):
            before, after = self.mass_before[:, None, :], self.mass_after[:, None, :]
            return plot_rate_moves(self.groups, before, after, ax)
        change = self.cells_to % 2 - self.cells_from % 2
        return plot_moves(self.starts, self.ends, self.columns, change, ax)
