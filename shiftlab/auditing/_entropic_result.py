"""What an entropic projection returns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EntropicProjection", "MomentProjection"]


@dataclass(frozen=True, eq=False)
class MomentProjection(Result):
    """Row weights that meet moment constraints at the smallest Kullback-Leibler divergence.

    Attributes
    ----------
    weights : ndarray of shape (n_rows,)
        Weight of each row; they sum to 1.
    names : tuple of str
        Names of the moments.
    targets, before, after : ndarray of shape (n_moments,)
        Wanted means, and the means before and after.
    multipliers : ndarray of shape (n_moments,)
        Dual variables: row i is weighted by ``exp(sum_j multipliers_j moment_ij)``. Zero where an
        inequality holds anyway.
    kl : float
        Divergence of the reweighted from the original rows, in nats.
    duality_gap : float
        Divergence minus the lower bound of the dual.
    residual : float
        Largest violation of a constraint, in standard deviations of its moment.
    effective_sample_size : float
        Kish's effective number of rows, as a share of the rows.
    converged : bool
        Whether the residual is below 1e-9.
    n_iter : int
        Number of Newton steps.
    """

    weights: np.ndarray
    names: tuple[str, ...]
    targets: np.ndarray
    before: np.ndarray
    after: np.ndarray
    multipliers: np.ndarray
    kl: float
    duality_gap: float
    residual: float
    effective_sample_size: float
    converged: bool
    n_iter: int

    def __repr__(self) -> str:
        return (
            f"MomentProjection({len(self.names)} moment(s), kl={self.kl:.6g}, "
            f"residual={self.residual:.1e}, converged={self.converged}, "
            f"effective_sample_size={self.effective_sample_size:.1%})"
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per moment."""
        import pandas as pd

        return pd.DataFrame(
            {
                "moment": self.names,
                "target": self.targets,
                "before": self.before,
                "after": self.after,
                "multiplier": self.multipliers,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures without the weights."""
        full = super().to_dict()
        del full["weights"]
        return full


@dataclass(frozen=True, eq=False)
class EntropicProjection(Result):
    """The nearest reweighting, in Kullback-Leibler divergence, that meets fairness constraints.

    Attributes
    ----------
    weights : ndarray of shape (n_rows,) or None
        Weight of each row, sum 1; None if counts were given.
    features : tuple of str
        Names of the sensitive features.
    groups : tuple
        Label of each group.
    mass_before, mass_after : ndarray of shape (n_groups, 1 or 2, 2)
        Share of each cell (group, true outcome if known, decision).
    constraints : tuple of str
        Names of the constraints.
    targets, values_before, values_after : tuple of float
        Their targets, and the constrained quantities before and after.
    kl : float
        Divergence of the projection from the data, in nats.
    duality_gap : float
        Divergence minus its lower bound; 0 for closed forms that are solved to rounding, NaN for
        the splits that are not optimal.
    residual : float
        Largest violation of a constraint or of a kept mean.
    effective_sample_size : float
        Kish's effective number of rows, as a share of the rows.
    margin, split : str
        How the projection was asked for.
    method : {"closed form", "newton", "none needed"}
        How it was solved.
    converged : bool
        Whether the residual is below 1e-9.
    n_iter : int
        Number of Newton steps.
    note : str
        What a reader has to know; may be empty.
    """

    weights: np.ndarray | None
    features: tuple[str, ...]
    groups: tuple[Any, ...]
    mass_before: np.ndarray
    mass_after: np.ndarray
    constraints: tuple[str, ...]
    targets: tuple[float, ...]
    values_before: tuple[float, ...]
    values_after: tuple[float, ...]
    kl: float
    duality_gap: float
    residual: float
    effective_sample_size: float
    margin: str
    split: str
    method: str
    converged: bool
    n_iter: int
    note: str = ""

    def __repr__(self) -> str:
        moves = ", ".join(
            f"{name} {before:.4g} -> {after:.4g}"
            for name, before, after in zip(
                self.constraints, self.values_before, self.values_after, strict=True
            )
        )
        return (
            f"EntropicProjection({moves}; kl={self.kl:.6g}, {self.method}, "
            f"converged={self.converged})"
        )

    @property
    def cell_weights(self) -> np.ndarray:
        """Factor by which each row of a cell is reweighted; NaN for empty cells."""
        empty = np.full(self.mass_before.shape, np.nan)
        return np.divide(self.mass_after, self.mass_before, out=empty, where=self.mass_before > 0)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per cell: labels, share before and after, factor."""
        import pandas as pd

        n_outcomes = self.mass_before.shape[1]
        index = np.indices(self.mass_before.shape).reshape(3, -1)
        columns: dict[str, Any] = {"group": [self.groups[g] for g in index[0]]}
        if n_outcomes == 2:
            columns["y_true"] = index[1]
        columns |= {
            "decision": index[2],
            "before": self.mass_before.ravel(),
            "after": self.mass_after.ravel(),
            "factor": self.cell_weights.ravel(),
        }
        return pd.DataFrame(columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures without the weights of the rows."""
        full = super().to_dict()
        del full["weights"]
        return full

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the selection rate of each group before and after.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InputError
            If there are more than 60 groups.
        """
        from shiftlab.auditing._projection_plots import plot_rate_moves

        if len(self.groups) > 60:
            raise InputError(f"{len(self.groups)} groups do not fit one picture; use to_frame().")
        return plot_rate_moves(self.groups, self.mass_before, self.mass_after, ax)
