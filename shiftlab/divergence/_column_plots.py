"""Small multiples of the most shifted columns, drawn from counts by environment."""

from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import plot_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from shiftlab.divergence._column_result import ColumnShifts, ColumnSummary

__all__ = ["plot_columns"]

#: Environments per panel, categories per bar.
MOST_ENVIRONMENTS = 12
MOST_CATEGORIES = 6
PANELS_PER_ROW = 3
SHIFTED, STEADY, OTHERS = "#b2182b", "#4d4d4d", "#d9e6f2"


def plot_columns(result: "ColumnShifts", top: int, figure: "Figure | None") -> "Figure":
    """Draw the `top` most shifted columns; see `ColumnShifts.plot`."""
    chosen = _most_shifted(result, top)
    n_shown = min(len(result.environments), MOST_ENVIRONMENTS)
    n_wide = min(PANELS_PER_ROW, len(chosen))
    n_high = -(-len(chosen) // n_wide)
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(
            figsize=(4.1 * n_wide, n_high * (1.3 + 0.24 * n_shown)), layout="constrained"
        )
    axes = figure.subplots(n_high, n_wide, squeeze=False).ravel()
    for ax, (summary, test) in zip(axes, chosen, strict=False):
        _draw_panel(ax, result, summary, test)
    for ax in axes[len(chosen) :]:
        ax.set_visible(False)
    figure.supxlabel(_caption(result), fontsize=8, color="#555555")
    return figure


def _caption(result: "ColumnShifts") -> str:
    against = "all other rows" if result.reference is None else plot_text(result.reference, 30)
    text = f"red: shifted against {against} (adjusted p ≤ {result.alpha:g})"
    if len(result.environments) > MOST_ENVIRONMENTS:
        text += f"; the {MOST_ENVIRONMENTS} most shifted of {len(result.environments)} environments"
    return text + ".  Numbers: median, middle half, 5–95 %; blue: all rows."


def _most_shifted(result: "ColumnShifts", top: int) -> list[tuple["ColumnSummary", str]]:
    by_name = {summary.name: summary for summary in result.summaries}
    seen: dict[tuple[str, str], None] = {}
    for column, test in zip(result.records["column"], result.records["test"], strict=True):
        seen[column, test] = None
        if len(seen) == top:
            break
    return [(by_name[column], test) for column, test in seen]


def _draw_panel(ax: "Axes", result: "ColumnShifts", summary: "ColumnSummary", test: str) -> None:
    records = result.records
    # One by one: NumPy takes a name as an array of text, which loses NULs at its end.
    mine = np.array([name == summary.name for name in records["column"]])
    mine &= records["test"] == test
    place = {label: i for i, label in enumerate(result.environments)}
    codes = [place[label] for label in records["environment"][mine]][:MOST_ENVIRONMENTS]
    shifted = dict(zip(codes, records["shifted"][mine], strict=False))
    best = float(np.nan_to_num(records["effect"][mine][0]))
    rows = sorted(codes)
    counts, names = _panel_counts(result, summary, test)
    if names is None:
        _draw_numbers(ax, summary, counts, rows, shifted)
    else:
        _draw_shares(ax, np.vstack([counts[rows], counts.sum(axis=0)]), names)
    labels = [plot_text(result.environments[i], 16) for i in rows]
    colours = [SHIFTED if shifted[i] else STEADY for i in rows]
    if names is not None:
        labels, colours = [*labels, "all rows"], [*colours, "#2b6ca3"]
    ax.set_yticks(range(len(labels)), labels)
    for label, colour in zip(ax.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(labelsize=7.5, length=2)
    what = "missing cells of " if test == "missing cells" else ""
    ax.set_title(f"{what}{plot_text(summary.name, 30)}  (effect up to {best:.2f})", fontsize=9)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _panel_counts(
    result: "ColumnShifts", summary: "ColumnSummary", test: str
) -> tuple[np.ndarray, list[str] | None]:
    """Choose counts to draw and the names of the cells; no names for a number on its scale."""
    if test == "missing cells":
        return np.stack([summary.missing, result.n_rows - summary.missing], axis=1), [
            "missing",
            "observed",
        ]
    if summary.kind in ("numeric", "datetime"):
        few = summary.kind == "numeric" and len(summary.values) <= MOST_CATEGORIES
        return summary.counts, [f"{value:g}" for value in summary.values] if few else None
    frequent = np.argsort(-_movement(summary.counts), kind="stable")
    labels = [plot_text(category, 14) for category in summary.categories]
    if len(frequent) <= MOST_CATEGORIES:
        return summary.counts, labels
    kept = frequent[: MOST_CATEGORIES - 1]
    counts = summary.counts[:, kept]
    rest = summary.counts.sum(axis=1, keepdims=True) - counts.sum(axis=1, keepdims=True)
    return np.hstack([counts, rest]), [*(labels[i] for i in kept), "other"]


def _movement(counts: np.ndarray) -> np.ndarray:
    """Mean absolute deviation of each category's share from its pooled share."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    gaps: np.ndarray = np.abs(share - counts.sum(axis=0) / max(counts.sum(), 1)).mean(axis=0)
    return gaps


def _quantiles(values: np.ndarray, counts: np.ndarray, levels: list[float]) -> np.ndarray:
    """Quantiles of cells: the first value with at least the level at or below it."""
    if not counts.any():
        return np.full(len(levels), np.nan)
    reached = np.cumsum(counts) / counts.sum()
    quantiles: np.ndarray = values[np.searchsorted(reached, np.array(levels) - 1e-12)]
    return quantiles


def _draw_numbers(
    ax: "Axes", summary: "ColumnSummary", counts: np.ndarray, rows: list[int], shifted: Any
) -> None:
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    pooled = _quantiles(summary.values, counts.sum(axis=0), levels)
    ax.axvspan(pooled[1], pooled[3], color=OTHERS, lw=0)
    ax.axvline(pooled[2], color="#6a9cc9", lw=1)
    for y, row in enumerate(rows):
        q = _quantiles(summary.values, counts[row], levels)
        colour = SHIFTED if shifted[row] else STEADY
        ax.plot(q[[0, 4]], [y, y], color=colour, lw=0.8)
        ax.plot(q[[1, 3]], [y, y], color=colour, lw=4, solid_capstyle="butt")
        ax.plot(q[2], y, "o", color="white", mec=colour, ms=4)
    if summary.kind == "datetime":
        ticks = ax.get_xticks()[1:-1:2]
        days = np.array(np.round(ticks), dtype="datetime64[D]")
        ax.set_xticks(ticks, [str(day) for day in days])


def _draw_shares(ax: "Axes", counts: np.ndarray, names: list[str]) -> None:
    from matplotlib import colormaps

    colours = colormaps["cividis"](np.linspace(0.05, 0.95, len(names)))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = range(len(share))
    left = np.cumsum(share, axis=1) - share
    for cell, name in enumerate(names):
        ax.barh(
            rows, share[:, cell], left=left[:, cell], color=colours[cell], height=0.72,
            label=name,
        )  # fmt: skip
    ax.set_xlim(0, 1)
    ax.legend(
        fontsize=6.5, ncols=min(3, len(names)), frameon=False, loc="upper center",
        bbox_to_anchor=(0.5, -0.1), handlelength=0.9, columnspacing=0.8,
    )  # fmt: skip
