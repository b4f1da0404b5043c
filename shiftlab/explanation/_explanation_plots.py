"""Pictures of explanations: one row as bars, many rows as ranges."""

from typing import TYPE_CHECKING

import numpy as np

from shiftlab._core.names import plot_text
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shiftlab.explanation._explanation import Explanation

__all__ = ["DOWN", "new_axes", "plot_row", "plot_spread"]

UP, DOWN = "#c0504d", "#3b6ea5"


def new_axes(ax: "Axes | None", n_lines: int) -> "Axes":
    """Return the axes to draw in: those given, or new ones of a fitting height."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(6, 1.2 + 0.32 * n_lines), layout="constrained")[1]


def plot_row(explanation: "Explanation", ax: "Axes | None", row: int, k: int) -> "Axes":
    """Draw the values of one row as bars, with two Monte-Carlo standard errors."""
    if not 0 <= row < len(explanation):
        raise InputError(f"row must lie between 0 and {len(explanation) - 1}, found {row}.")
    values, errors = explanation.values[row], explanation.mc_se[row]
    order = np.argsort(-np.abs(values), kind="stable")[:k][::-1]
    ax = new_axes(ax, len(order))
    colors = [UP if value >= 0 else DOWN for value in values[order]]
    shown = np.nan_to_num(2 * errors[order])
    ax.barh(range(len(order)), values[order], xerr=shown, color=colors, ecolor="#444444")
    ax.set_yticks(range(len(order)), [plot_text(explanation.names[j]) for j in order])
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set_xlabel("value (bars: two Monte-Carlo standard errors)")
    ax.set_title(
        f"prediction {explanation.prediction[row]:.3f}, "
        f"explained as {explanation.surrogate_prediction[row]:.3f}",
        fontsize="medium",
    )
    return ax


def plot_spread(explanation: "Explanation", ax: "Axes | None", k: int) -> "Axes":
    """Draw the distribution of the values of each feature over the rows."""
    order = np.argsort(-np.abs(explanation.values).mean(axis=0), kind="stable")[:k][::-1]
    ax = new_axes(ax, len(order))
    low, q1, middle, q3, high = np.quantile(
        explanation.values[:, order], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0
    )
    heights = np.arange(1, len(order) + 1)
    ax.hlines(heights, low, high, color=DOWN, linewidth=1.2)
    ax.hlines(heights, q1, q3, color=DOWN, linewidth=6, alpha=0.55)
    ax.plot(middle, heights, "o", color="#222222", markersize=4)
    ax.set_yticks(range(1, len(order) + 1), [plot_text(explanation.names[j]) for j in order])
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set_xlabel(f"value: middle half and 90% of {len(explanation):,} rows")
    return ax
