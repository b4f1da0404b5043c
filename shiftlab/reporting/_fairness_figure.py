"""The picture of the section on decisions: disparate impact by environment, a panel a feature."""

from typing import TYPE_CHECKING, Any

from shiftlab._core.names import plot_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_fairness"]

#: Environments drawn in one panel, lowest ratio first.
MAX_DRAWN = 30
MAX_PANELS = 3


def draw_fairness(data: dict[str, Any]) -> "Figure":
    """Draw the ratio of selection rates with its interval for each environment and feature.

    Parameters
    ----------
    data : dict
        The section's data.

    Returns
    -------
    Figure
    """
    from matplotlib import pyplot as plt

    features = data["features"][:MAX_PANELS]
    panels = {feature: _ratios(data, feature) for feature in features}
    height = 1.2 + 0.24 * max(len(rows) for rows in panels.values())
    figure, axes = plt.subplots(
        1, len(features), figsize=(4.4 * len(features) + 1.2, height), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, (feature, rows) in zip(axes[0], panels.items(), strict=True):
        _draw_panel(ax, feature, rows, data["four_fifths"])
        if len({(row["group"], row["reference"]) for row in rows}) > 1:
            _name_pairs(ax, rows)
    return figure


def _ratios(data: dict[str, Any], feature: str) -> list[dict[str, Any]]:
    rows = [
        row
        for row in data["metrics"]
        if row["feature"] == feature and row["metric"] == "disparate_impact"
        if row["value"] is not None
    ]
    pooled = [row for row in rows if row["environment"] == "pooled"]
    inside = [row for row in rows if row["environment"] != "pooled"]
    return [*pooled, *sorted(inside, key=lambda row: row["value"])[:MAX_DRAWN]]


def _draw_panel(ax: "Axes", feature: str, rows: list[dict[str, Any]], threshold: float) -> None:
    for place, row in enumerate(rows):
        colour = "#1c2733" if row["environment"] == "pooled" else "#1f6f8b"
        low, high = (row[k] if row[k] is not None else row["value"] for k in ("low", "high"))
        ax.plot([low, high], [place, place], color=colour, linewidth=1.6)
        ax.plot(row["value"], place, "o", color=colour, markersize=5)
    ax.axvline(threshold, color="#a3262a", linestyle="--", linewidth=1)
    ax.axvline(1.0, color="#8a97a3", linewidth=0.8)
    ax.set_yticks(range(len(rows)), [plot_text(row["environment"], 22) for row in rows])
    ax.invert_yaxis()
    ax.set_title(plot_text(feature), fontsize=10, loc="left")
    ax.set_xlabel("ratio of selection rates (dashed: 0.8)", fontsize=8.5)


def _name_pairs(ax: "Axes", rows: list[dict[str, Any]]) -> None:
    """Write which groups are compared where that differs from line to line."""
    for place, row in enumerate(rows):
        pair = f"{plot_text(row['group'], 16)} / {plot_text(row['reference'], 16)}"
        ax.annotate(
            pair, (row["value"], place), xytext=(0, 4), textcoords="offset points", fontsize=6,
            color="#5b6b7b", ha="center",
        )  # fmt: skip
