"""The picture of group rates: one dot with its interval per group."""

from typing import TYPE_CHECKING, Any

from shiftlab._core.names import join_names, plot_text
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_rates"]


def plot_rates(groups: "pd.DataFrame", environment: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the selection rates of one environment, a colour per feature, the total as a line.

    Raises
    ------
    InputError
        If there is no such environment.
    """
    import matplotlib.pyplot as plt

    known = list(dict.fromkeys(groups["environment"]))
    chosen = [label for label in known if label == environment or str(label) == str(environment)]
    if not chosen:
        raise InputError(
            f"environment: there is no {environment!r}. There are: {join_names(known, 12)}."
        )
    lines = groups[(groups["environment"] == chosen[0]) & ~groups["suppressed"]]
    total = lines[lines["feature"] == "(all)"]
    lines = lines[lines["feature"] != "(all)"].iloc[::-1].reset_index(drop=True)
    if ax is None:
        height = 1.2 + 0.3 * len(lines)
        ax = plt.subplots(figsize=(6.4, height), layout="constrained")[1]
    for i, feature in enumerate(dict.fromkeys(lines["feature"][::-1])):
        part = lines[lines["feature"] == feature]
        spread = [part["rate"] - part["low"], part["high"] - part["rate"]]
        label = plot_text(feature)
        ax.errorbar(
            part["rate"], part.index, xerr=spread, fmt="o", color=f"C{i}", capsize=3, label=label
        )
    if len(total):
        ax.axvline(float(total["rate"].iloc[0]), color="0.5", linestyle=":", label="all")
    ax.set_yticks(range(len(lines)), [plot_text(group) for group in lines["group"]])
    ax.set_xlabel("selection rate with interval")
    ax.set_xlim(left=0)
    ax.legend(frameon=False)
    return ax
