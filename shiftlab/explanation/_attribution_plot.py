"""Bars of a disparity split among mechanisms."""

from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names, plot_text
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    from shiftlab.explanation._attribution import DisparityAttribution

__all__ = ["draw_parts"]

BAR_SPACE = 0.8


def draw_parts(attribution: "DisparityAttribution", ax: Any, metric: str | None) -> Any:
    """Draw what `DisparityAttribution.plot` describes."""
    table = attribution.to_frame()
    if metric is not None:
        known = list(dict.fromkeys(table["metric"]))
        if metric not in known:
            raise InputError(f"metric must be one of {join_names(known)}, found {metric!r}.")
        table = table[table["metric"] == metric]
    labels = list(table)[: list(table).index("mechanism")]
    keys = list(zip(*(table[name] for name in labels), strict=True))
    groups = list(dict.fromkeys(keys))
    names = [*attribution.mechanisms, "total"]
    if ax is None:
        import matplotlib.pyplot as plt

        width = 3 + len(names) * max(0.6, 0.25 * len(groups))
        _, ax = plt.subplots(figsize=(min(width, 12), 3.4), layout="constrained")
    size = BAR_SPACE / len(groups)
    for number, key in enumerate(groups):
        part = table.iloc[[i for i, k in enumerate(keys) if k == key]]
        value = part["value"].to_numpy()
        at = np.arange(len(names)) + (number - (len(groups) - 1) / 2) * size
        error = np.abs(part[["lower", "upper"]].to_numpy().T - value)
        label = ", ".join(map(plot_text, key))
        ax.bar(at, value, size, yerr=error, capsize=2, label=label, color=f"C{number % 10}")
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.axvline(len(names) - 1.5, color="0.8", linewidth=0.8)
    ax.set_xticks(range(len(names)), [plot_text(name) for name in names])
    ax.tick_params(axis="x", labelsize="small")
    ax.set_ylabel(f"part of the {plot_text(attribution.measure)}")
    ax.spines[["top", "right"]].set_visible(False)
    if len(groups) > 1:
        ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.02))
    return ax
