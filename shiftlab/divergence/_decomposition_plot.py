"""The picture of a `ShiftDecomposition`: three bars on both sides of zero, and the total."""

from typing import TYPE_CHECKING

import numpy as np

from shiftlab._core.validation import check_integer
from shiftlab.divergence._decomposition_result import PARTS, EnvironmentLoss, ShiftDecomposition
from shiftlab.divergence._shared_space import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_parts"]

COLOURS = {"covariate_home": "#a6bddb", "concept": "#d6604d", "covariate_here": "#2b6a99"}
OFFSETS = {"covariate_home": -0.26, "concept": 0.0, "covariate_here": 0.26}


def draw_parts(result: ShiftDecomposition, ax: "Axes | None", limit: int) -> "Axes":
    """Draw the environments with the largest absolute totals, the largest total on top."""
    check_integer(limit, "limit")
    by_size = sorted(result.environments, key=lambda item: -abs(item.total.value))
    chosen = {id(item) for item in by_size[:limit]}
    shown = [item for item in result.environments if id(item) in chosen]
    if ax is None:
        import matplotlib.pyplot as plt

        height = 1.6 + 0.55 * len(shown)
        ax = plt.subplots(figsize=(8.0, height), layout="constrained")[1]
    rows = np.arange(len(shown))
    for name, label in PARTS.items():
        estimates = [getattr(item, name) for item in shown]
        values, errors = _bars(estimates)
        ax.barh(
            rows + OFFSETS[name],
            values,
            0.24,
            xerr=errors,
            color=COLOURS[name],
            label=label,
            error_kw={"elinewidth": 0.9, "ecolor": "#555555"},
        )
    values, errors = _bars([item.total for item in shown])
    ax.errorbar(
        values,
        rows,
        xerr=errors,
        fmt="D",
        color="black",
        markersize=4.5,
        elinewidth=1.2,
        label="total",
    )
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_yticks(rows, [_tick(item) for item in shown])
    ax.invert_yaxis()
    ax.set_xlabel(f"change of the {result.loss} against home")
    left_out = len(result.environments) - len(shown)
    ax.set_title(
        f"Loss of {result.outcome} models by {result.environment}"
        + (f" ({left_out} more not drawn)" if left_out else "")
    )
    ax.legend(fontsize="small", frameon=False, loc="best")
    return ax


def _bars(estimates: list[Estimate]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([item.value for item in estimates])
    low = np.array([item.low for item in estimates])
    high = np.array([item.high for item in estimates])
    return values, np.vstack([values - low, high - values])


def _tick(item: EnvironmentLoss) -> str:
    text = str(item.environment)
    text = text if len(text) <= 24 else f"{text[:23]}…"
    return f"{text} *" if item.note else text
