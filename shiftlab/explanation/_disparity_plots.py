"""Picture of an audit: fidelity by group with intervals, everybody as a line."""

from typing import TYPE_CHECKING

from shiftlab._core.names import plot_text
from shiftlab.explanation._explanation_plots import DOWN, new_axes
from shiftlab.explanation._fidelity_metrics import METRICS, SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shiftlab.explanation._disparity import ExplanationDisparity

__all__ = ["plot_groups"]


def plot_groups(result: "ExplanationDisparity", metric: str, ax: "Axes | None") -> "Axes":
    """Draw one metric by group, with the value over everybody as a line."""
    table = result.groups[result.groups["metric"] == metric]
    groups, everybody = table.iloc[:-1], table.iloc[-1]
    ax = new_axes(ax, len(groups))
    heights = range(len(groups))[::-1]
    ax.axvline(everybody["value"], color="#888888", linewidth=1, linestyle="--", label="everybody")
    ax.hlines(heights, groups["low"], groups["high"], color=DOWN, linewidth=2)
    ax.plot(groups["value"], heights, "o", color=DOWN)
    labels = [f"{plot_text(g)} ({n:,})" for g, n in zip(groups["group"], groups["n"], strict=True)]
    ax.set_yticks(heights, labels)
    ax.set_ylim(-0.6, len(groups) - 0.4)
    info = METRICS.get(metric) or SCORES.get(metric)
    ax.set_xlabel(plot_text(info.label if info else metric, 60))
    ax.set_title(f"by {plot_text(result.name)}", fontsize="medium")
    ax.legend(loc="best", frameon=False, fontsize="small")
    return ax
