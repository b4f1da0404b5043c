"""Pictures of frontier and planner."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_frontier", "plot_power"]

_NAMES = {"cells_g": "test on cells (G)", "directional": "directional test"}


def plot_frontier(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the best undetected metric against the sample size, with threshold and truth."""
    ax = _axes(ax)
    top = 1.6 * max(result.threshold, result.population_value)
    ratio = not result.metric.endswith("difference")
    for i, test in enumerate(dict.fromkeys(p.test for p in result.points)):
        points = [p for p in result.points if p.test == test]
        values = np.array([p.highest for p in points])
        shown = np.minimum(values, top) if ratio else values
        ax.plot([p.m for p in points], shown, "o-", color=f"C{i}", ms=3, label=_NAMES[test])
    ax.axhline(
        result.threshold, color="C3", linestyle="--", label=f"threshold {result.threshold:g}"
    )
    ax.axhline(
        result.population_value,
        color="0.4",
        linestyle=":",
        label=f"population {result.population_value:.3g}",
    )
    if len({p.m for p in result.points}) > 1:
        _logarithmic(ax, [p.m for p in result.points])
    if ratio:
        ax.set_ylim(0, top)
    ax.set_xlabel("rows of the sample")
    ax.set_ylabel(f"highest undetected {result.metric.replace('_', ' ')}")
    ax.legend(frameon=False)
    return ax


def plot_power(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw power against the sample size, with the planned size."""
    ax = _axes(ax)
    if result.curve:
        sizes, power = zip(*result.curve, strict=True)
        ax.plot(sizes, power, "o-", ms=4, label=_NAMES[result.test])
        _logarithmic(ax, sizes)
    ax.axhline(result.asked, color="0.4", linestyle=":", label=f"power {result.asked:g}")
    if result.m is not None:
        ax.axvline(result.m, color="C3", linestyle="--", label=f"m = {result.m}")
    ax.set_ylim(0, 1.03)
    ax.set_xlabel("rows of the sample")
    ax.set_ylabel("power")
    ax.legend(frameon=False, loc="lower right")
    return ax


def _logarithmic(ax: "Axes", sizes: Sequence[int]) -> None:
    """Scale the axis and write round numbers of rows below it."""
    ax.set_xscale("log")
    steps = [step * 10**power for power in range(10) for step in (1, 2, 5)]
    low, high = min(sizes), max(sizes)
    ticks = [step for step in steps if low <= step <= high]
    ticks = ticks if len(ticks) <= 8 else [t for t in ticks if str(t)[0] == "1"]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.set_xticks([], minor=True)


def _axes(ax: "Axes | None") -> "Axes":
    import matplotlib.pyplot as plt

    if ax is None:
        ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")[1]
    return ax
