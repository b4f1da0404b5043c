"""Pictures of audits: fidelity by group with intervals, gaps under variants."""

from typing import TYPE_CHECKING

from shiftlab._core.names import plot_text
from shiftlab.explanation._explanation_plots import DOWN, new_axes
from shiftlab.explanation._fidelity_metrics import METRICS, SCORES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from shiftlab.explanation._disparity import ExplanationDisparity

__all__ = ["plot_groups", "plot_parts", "plot_variants"]


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


def plot_variants(table: "pd.DataFrame", metric: str, ax: "Axes | None") -> "Axes":
    """Draw the gap of each variant with its interval, beside the gap that chance would make."""
    lines = table[table["metric"] == metric]
    ax = new_axes(ax, len(lines))
    heights = range(len(lines))[::-1]
    ax.hlines(heights, lines["low"], lines["high"], color=DOWN, linewidth=2)
    ax.plot(lines["gap"], heights, "o", color=DOWN, label="gap with its interval")
    null = lines["null_mean"]
    ax.plot(null, heights, "|", color="#c0504d", markersize=12, label="without disparity")
    labels = [
        f"{plot_text(variant)} (overall {overall:.3f})"
        for variant, overall in zip(lines["variant"], lines["overall"], strict=True)
    ]
    ax.set_yticks(heights, labels)
    ax.set_ylim(-0.6, len(lines) - 0.4)
    ax.set_xlim(left=0)
    info = METRICS.get(metric) or SCORES.get(metric)
    ax.set_xlabel(f"mean gap amongst groups: {plot_text(info.label if info else metric, 60)}")
    ax.legend(loc="best", frameon=False, fontsize="small")
    return ax


def plot_parts(table: "pd.DataFrame", metric: str, ax: "Axes | None") -> "Axes":
    """Draw total, composition and unexplained part of each comparison."""
    lines = table[table["metric"] == metric]
    ax = new_axes(ax, len(lines))
    heights = range(len(lines))[::-1]
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.hlines(heights, lines["low"], lines["high"], color=DOWN, linewidth=2)
    ax.plot(lines["value"], heights, "o", color=DOWN)
    labels = [
        f"{plot_text(row.group, 24)} - {plot_text(row.reference, 24)}: {row.part}"
        for row in lines.itertuples()
    ]
    ax.set_yticks(heights, labels)
    ax.set_ylim(-0.6, len(lines) - 0.4)
    info = METRICS.get(metric) or SCORES.get(metric)
    ax.set_xlabel(f"difference from the reference: {plot_text(info.label if info else metric, 60)}")
    return ax
