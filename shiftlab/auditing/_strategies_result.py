"""What a manipulation strategy returns: a sample that says of itself that it is synthetic."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.frames import as_table
from shiftlab._core.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ManipulatedSample"]


@dataclass(frozen=True, eq=False)
class ManipulatedSample(Result):
    """A sample manipulated to look fair, for tests of an audit procedure.

    Attributes
    ----------
    data : table
        The sample, in the kind of table that was given, with the same columns.
    rows : ndarray of int, shape (n_rows,)
        Row of the original data that each row comes from.
    changed : ndarray of bool, shape (n_rows,)
        Whether any cell of the row differs from the original.
    strategy : str
        How it was made.
    target, value_before, value_after : float
        Wanted ratio (lowest rate / highest rate), that of the original data and of the sample.
    groups : tuple
        Label of each group.
    counts_before, counts_after : ndarray of int, shape (n_groups, 2)
        Rows of each group and decision in the original data and in the sample.
    cost : float
        Cost of the manipulated distribution; `cost_name` says of what kind.
    cost_name : str
        For instance "W1 on rows" or "KL (nats)".
    n_tries : int
        Number of samples drawn until one was submitted.
    accepted : bool
        Whether the sample reaches the target and passed the acceptance rule.
    stamp : dict
        Says that the sample is synthetic, and how it was made; write it wherever the sample goes.
        It is also in ``to_frame().attrs["shiftlab"]``.
    """

    data: Any
    rows: np.ndarray
    changed: np.ndarray
    strategy: str
    target: float
    value_before: float
    value_after: float
    groups: tuple[Any, ...]
    counts_before: np.ndarray
    counts_after: np.ndarray
    cost: float
    cost_name: str
    n_tries: int
    accepted: bool
    stamp: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"ManipulatedSample(synthetic, {self.strategy!r}, {len(self.rows)} rows, "
            f"disparate_impact {self.value_before:.4g} -> {self.value_after:.4g}, "
            f"{int(self.changed.sum())} row(s) changed, {self.cost_name} {self.cost:.4g}, "
            f"accepted={self.accepted})"
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return the sample as a pandas data frame; its `attrs` carry the stamp."""
        import pandas as pd

        table = as_table(self.data)
        frame = pd.DataFrame({column.name: column.labels() for column in table})
        frame.attrs["shiftlab"] = dict(self.stamp)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the figures and the stamp, without the rows."""
        full = super().to_dict()
        for name in ("data", "rows", "changed"):
            del full[name]
        return full | {"n_rows": len(self.rows), "n_changed": int(self.changed.sum())}

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the selection rate of each group in the original data and in the sample.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        from shiftlab.auditing._projection_plots import plot_rate_moves

        before, after = self.counts_before[:, None, :], self.counts_after[:, None, :]
        return plot_rate_moves(self.groups, before, after, ax, after_label="sample (synthetic)")
