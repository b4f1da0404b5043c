"""The picture of a `ShiftDecomposition`: three bars on both sides of zero, and the total."""

from typing import TYPE_CHECKING

import numpy as np

from shiftlab._core.names import plot_text
from shiftlab._core.validation import check_integer, check_option
from shiftlab.divergence._decomposition_result import PARTS, EnvironmentLoss, ShiftDecomposition
from shiftlab.divergence._shared_space import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_parts"]

COLOURS = {"covariate_home": "#a6bddb", "concept": "#d6604d", "covariate_here": "#2b6a99"}
#: Each environment has four lanes: the total on top, then its parts.
TOTAL_LANE, LANES = -0.3, {"covariate_home": -0.1, "concept": 0.1, "covariate_here": 0.3}


def draw_parts(result: ShiftDecomposition, ax: "Axes | None", limit: int, scale: str) -> "Axes":
    """Draw the environments with the largest absolute totals, the largest total on top."""
    check_integer(limit, "limit")
    check_option(scale, ("loss", "share"), "scale")
    unit = result.loss_constant if scale == "share" else 1.0
    by_size = sorted(result.environments, key=lambda item: -abs(item.total.value))
    chosen = {id(item) for item in by_size[:limit]}
    shown = [item for item in result.environments if id(item) in chosen]
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(8.0, 2.0 + 0.55 * len(shown)), layout="constrained")[1]
    rows = np.arange(len(shown))
    for row in rows[::2]:
        ax.axhspan(row - 0.5, row + 0.5, color="#f3f3f3", zorder=0)
    values, errors = _bars([item.total for item in shown], unit)
    ax.errorbar(
        values, rows + TOTAL_LANE, xerr=errors, fmt="kD", ms=4.5, elinewidth=1.2, label="total"
    )
    for name, label in PARTS.items():
        values, errors = _bars([getattr(item, name) for item in shown], unit)
        line = {"elinewidth": 0.9, "ecolor": "#444444"}
        lane = rows + LANES[name]
        ax.barh(lane, values, 0.19, xerr=errors, color=COLOURS[name], label=label, error_kw=line)
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_yticks(rows, [_tick(item) for item in shown])
    ax.set_ylim(len(shown) - 0.5, -0.5)
    _label(result, ax, len(result.environments) - len(shown), any(item.note for item in shown))
    if scale == "share":
        ax.set_xlabel(f"{ax.get_xlabel()}\n(as a share of that of the best constant)")
    return ax


def _label(result: ShiftDecomposition, ax: "Axes", left_out: int, notes: bool) -> None:
    unit = "home" if result.reference is None else plot_text(repr(result.reference))
    ax.set_xlabel(
        f"{result.loss} minus that at {unit}, {result.confidence_level:.0%} intervals"
        + ("     * see note" if notes else "")
    )
    more = f" ({left_out} more not drawn)" if left_out else ""
    ax.set_title(
        f"Models of {plot_text(result.outcome)} by {plot_text(result.environment)}{more}", pad=42
    )
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="small", frameon=False
    )


def _bars(estimates: list[Estimate], unit: float) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([item.value for item in estimates]) / unit
    low = np.array([item.low for item in estimates]) / unit
    high = np.array([item.high for item in estimates]) / unit
    return values, np.vstack([values - low, high - values])


def _tick(item: EnvironmentLoss) -> str:
    text = plot_text(item.environment, 24)
    return f"{text} *" if item.note else text
