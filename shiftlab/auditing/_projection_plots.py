"""Pictures of projections: rates before and after, and where rows moved."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import plot_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_moves", "plot_rate_moves"]


def plot_rate_moves(
    groups: Sequence[Any],
    before: np.ndarray,
    after: np.ndarray,
    ax: "Axes | None" = None,
    *,
    after_label: str = "after the projection",
) -> "Axes":
    """Draw the selection rate of each group before and after, joined by a line.

    `before` and `after` hold masses of shape (n_groups, n_outcomes, 2).
    """
    import matplotlib.pyplot as plt

    if ax is None:
        height = 1.5 + 0.35 * len(groups)
        ax = plt.subplots(figsize=(6.4, height), layout="constrained")[1]
    rates = []
    for mass in (before, after):
        by_decision = mass.sum(axis=1)
        rates.append(by_decision[:, 1] / by_decision.sum(axis=1))
    rows = np.arange(len(groups))[::-1]
    ax.hlines(rows, rates[0], rates[1], color="0.6", zorder=1)
    ax.scatter(rates[0], rows, color="C0", label="data", zorder=2)
    ax.scatter(rates[1], rows, color="C3", marker="D", label=after_label, zorder=2)
    ax.set_yticks(rows, [plot_text(group) for group in groups])
    ax.set_ylim(-0.7, len(groups) - 0.3)
    ax.set_xlim(left=0)
    ax.set_xlabel("selection rate")
    ax.legend(frameon=False)
    return ax


def plot_moves(
    starts: np.ndarray,
    ends: np.ndarray,
    columns: Sequence[str],
    change: np.ndarray,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the moves in the plane of the two coordinates with the largest total displacement.

    `change` is 1 where the decision becomes favourable, -1 where it becomes unfavourable, and 0
    where only the group changes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.collections import LineCollection

    if ax is None:
        ax = plt.subplots(figsize=(6.4, 4.8), layout="constrained")[1]
    order = np.argsort(-np.abs(ends - starts).sum(axis=0), kind="stable")
    x, y = (int(order[0]), int(order[1])) if len(order) > 1 else (int(order[0]), int(order[0]))
    for kind, colour, label in (
        (1, "C0", "to the favourable decision"),
        (-1, "C3", "to the unfavourable decision"),
        (0, "C1", "to another group"),
    ):
        chosen = change == kind
        if not chosen.any():
            continue
        a, b = starts[chosen], ends[chosen]
        ax.scatter(a[:, x], a[:, y], s=12, facecolors="none", edgecolors=colour, linewidths=0.6)
        ax.scatter(b[:, x], b[:, y], s=8, color=colour, label=f"{label} ({chosen.sum()})")
        steps = np.stack([a[:, [x, y]], b[:, [x, y]]], axis=1)
        ax.add_collection(LineCollection(list(steps), colors=colour, linewidths=0.4, alpha=0.5))
    ax.set_xlabel(plot_text(columns[x]))
    ax.set_ylabel(plot_text(columns[y]))
    ax.set_title("open circles: before, dots: after", fontsize="medium")
    ax.legend(frameon=False)
    return ax
