"""What a flip audit returns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shiftlab._core.names import plot_text
from shiftlab._core.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["FlipAudit", "FlipComparison"]


@dataclass(frozen=True)
class FlipComparison(Result):
    """Flips of the decision between two groups, compared with flips within one.

    Attributes
    ----------
    group, other : object
        The group of the persons, and the group of their counterparts.
    kind : {"any", "up", "down"}
        Any flip, to the favourable decision, or from it.
    rate : float
        Share of persons whose counterpart has the other decision.
    baseline : float
        The same share for rows of their own group at the same distance.
    excess, low, high : float
        ``rate - baseline`` with its interval.
    pvalue, pvalue_adjusted : float
        Two-sided normal test of no excess; adjusted over all comparisons by Holm.
    distance, baseline_distance : float
        Mean distances to the counterparts and to the baseline rows.
    n : int
        Number of persons.
    """

    group: Any
    other: Any
    kind: str
    rate: float
    baseline: float
    excess: float
    low: float
    high: float
    pvalue: float
    pvalue_adjusted: float
    distance: float
    baseline_distance: float
    n: int


@dataclass(frozen=True, eq=False)
class FlipAudit(Result):
    """How often a decision flips with the group, beyond how often it flips anyway.

    Attributes
    ----------
    comparisons : tuple of FlipComparison
        One per ordered pair of groups and kind of flip.
    method : {"neighbour", "transport", "structural"}
        What the counterparts are.
    feature : str
        Sensitive feature, or several joined.
    confidence_level : float
        Coverage of each interval.
    n_rows : int
        Number of rows used.
    note : str
        What a reader has to know; may be empty.
    """

    comparisons: tuple[FlipComparison, ...]
    method: str
    feature: str
    confidence_level: float
    n_rows: int
    note: str = ""

    def __repr__(self) -> str:
        lines = [
            f"  {c.group} -> {c.other}, {c.kind}: {c.rate:.3f}, within group {c.baseline:.3f}, "
            f"excess {c.excess:+.3f} [{c.low:+.3f}, {c.high:+.3f}], p {c.pvalue_adjusted:.2g}"
            for c in self.comparisons[:12]
        ]
        if len(self.comparisons) > 12:
            lines.append(f"  and {len(self.comparisons) - 12} more")
        head = f"FlipAudit({self.feature}, {self.method}, {self.n_rows} rows)"
        return "\n".join([head, *lines, *([f"  {self.note}"] if self.note else [])])

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per comparison."""
        import pandas as pd

        return pd.DataFrame([vars(comparison) for comparison in self.comparisons])

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the excess of flips with its interval for every pair of groups.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        import matplotlib.pyplot as plt

        shown = [c for c in self.comparisons if c.kind != "any"][:40][::-1]
        if ax is None:
            height = 1.4 + 0.3 * len(shown)
            ax = plt.subplots(figsize=(6.8, height), layout="constrained")[1]
        for y, c in enumerate(shown):
            spread = [[c.excess - c.low], [c.high - c.excess]]
            colour = "C0" if c.kind == "up" else "C3"
            ax.errorbar(c.excess, y, xerr=spread, fmt="o", color=colour, capsize=3)
        ax.axvline(0, color="0.5", linewidth=0.8)
        labels = [plot_text(f"{c.group} to {c.other}, {c.kind}") for c in shown]
        ax.set_yticks(range(len(shown)), labels)
        ax.set_ylim(-0.6, len(shown) - 0.4)
        ax.set_xlabel("flips beyond the same-group baseline (share of persons)")
        return ax
