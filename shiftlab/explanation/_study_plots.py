"""Small multiples of a study of explanation disparities, with the band of no disparity."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names, plot_text
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.explanation._study_result import DisparityStudyResult

__all__ = [
    "BAND",
    "LABELS",
    "add_legend",
    "check_measure",
    "check_metric",
    "null_band",
    "plot_panels",
    "varied_factors",
]

NORMAL_QUANTILE = 1.96
BAND = {"color": "0.85", "linewidth": 0, "zorder": 0}
#: What the axes call the measures.
LABELS = {
    "mean_gap": "absolute gap",
    "signed_gap": "signed gap (positive: group 0 worse)",
    "max_gap": "gap of the worse group",
    "excess_gap": "gap in excess of noise",
}


def plot_panels(
    result: "DisparityStudyResult", x: str | None, measure: str, metric: str | None, ax: Any
) -> np.ndarray:
    """Draw what `DisparityStudyResult.plot` describes."""
    rows = result.to_frame()
    check_measure(result, measure)
    metrics = [check_metric(result, metric)] if metric else list(dict.fromkeys(rows["metric"]))
    varied = varied_factors(rows, result.factors)
    horizontal = x if x is not None else (varied or list(result.factors))[0]
    if horizontal not in result.factors:
        raise InputError(f"x must be one of {join_names(result.factors)}, found {x!r}.")
    others = [name for name in varied if name != horizontal]
    summary = result.summary([measure])
    summary = summary[summary["statistic"] == "mean"]
    axes = _axes(ax, len(metrics))
    for panel, name in zip(axes, metrics, strict=True):
        levels = list(dict.fromkeys(rows[horizontal]))
        place = _places(panel, levels)
        _draw_band(panel, rows[rows["metric"] == name], horizontal, others, place, measure)
        _draw_lines(panel, summary[summary["metric"] == name], horizontal, others, place)
        panel.set(xlabel=plot_text(horizontal), title=plot_text(name))
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(LABELS.get(measure, plot_text(measure)))
    if others:
        add_legend(axes[-1], others)
    return axes


def add_legend(ax: Any, factors: Sequence[str]) -> None:
    """Name the lines beside the axes, where they cover nothing."""
    title = ", ".join(map(plot_text, factors))
    n_columns = 1 + len(ax.get_legend_handles_labels()[1]) // 13
    ax.legend(
        title=title,
        fontsize="small",
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        ncols=n_columns,
    )


def check_measure(result: "DisparityStudyResult", measure: str) -> str:
    """Check that a measure is a numeric column of the study."""
    rows = result.to_frame()
    known = [
        n
        for n in rows
        if n not in (*result.factors, "replicate", "row") and rows[n].dtype.kind == "f"
    ]
    if measure not in known:
        raise InputError(f"measure must be one of {join_names(known, 20)}, found {measure!r}.")
    return measure


def check_metric(result: "DisparityStudyResult", metric: str) -> str:
    """Check that a metric is part of the study."""
    if metric not in result.protocol.metrics:
        raise InputError(
            f"metric must be one of {join_names(result.protocol.metrics)}, found {metric!r}."
        )
    return metric


def varied_factors(rows: "pd.DataFrame", factors: Sequence[str]) -> list[str]:
    """Return the factors with more than one level in the rows."""
    return [name for name in factors if len(set(rows[name])) > 1]


def null_band(rows: "pd.DataFrame", measure: str) -> tuple[float, float] | None:
    """Return where the mean of a gap lies if the groups mean nothing; None for other measures.

    The gap of one replicate is then normal around 0, and ``null_gap`` its mean absolute value.
    """
    if measure not in ("mean_gap", "signed_gap", "excess_gap"):
        return None
    null = rows["null_gap"].dropna()
    if null.empty:
        return math.nan, math.nan
    expected, n = float(null.mean()), len(null)
    if measure == "signed_gap":
        half = NORMAL_QUANTILE * expected * math.sqrt(math.pi / 2 / n)
        return -half, half
    half = NORMAL_QUANTILE * expected * math.sqrt((math.pi / 2 - 1) / n)
    centre = expected if measure == "mean_gap" else 0.0
    return centre - half, centre + half


def _axes(ax: Any, n_panels: int) -> np.ndarray:
    if ax is None:
        import matplotlib.pyplot as plt

        size = (2.6 + 3.2 * n_panels, 3.3)
        _, axes = plt.subplots(1, n_panels, figsize=size, squeeze=False, layout="constrained")
        return np.asarray(axes[0])
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) != n_panels:
        raise InputError(f"ax: {n_panels} metric(s) need as many axes, found {len(axes)}.")
    return axes


def _places(panel: Any, levels: list[Any]) -> dict[Any, float]:
    """Return the horizontal position of each level; labels get ticks."""
    is_scale = all(isinstance(v, (int, float, np.number)) for v in levels)
    if is_scale and not any(isinstance(v, (bool, np.bool_)) for v in levels):
        return {level: float(level) for level in levels}
    panel.set_xticks(range(len(levels)), [plot_text(level) for level in levels])
    panel.margins(x=0.1)
    return {level: float(i) for i, level in enumerate(levels)}


def _split(table: "pd.DataFrame", names: list[str]) -> dict[tuple[Any, ...], "pd.DataFrame"]:
    if not names:
        return {(): table}
    keys = list(zip(*(table[name] for name in names), strict=True))
    return {
        key: table.iloc[[i for i, k in enumerate(keys) if k == key]] for key in dict.fromkeys(keys)
    }


def _draw_band(
    panel: Any,
    rows: "pd.DataFrame",
    horizontal: str,
    others: list[str],
    place: dict[Any, float],
    measure: str,
) -> None:
    """Shade the widest band over the lines, level by level."""
    low: dict[float, float] = {}
    high: dict[float, float] = {}
    for key, part in _split(rows, [horizontal, *others]).items():
        band = null_band(part, measure)
        if band is None:
            return
        at = place[key[0]]
        low[at], high[at] = min(low.get(at, np.inf), band[0]), max(high.get(at, -np.inf), band[1])
    positions = sorted(low)
    if len(positions) == 1:
        panel.axhspan(low[positions[0]], high[positions[0]], **BAND)
    else:
        panel.fill_between(
            positions, [low[p] for p in positions], [high[p] for p in positions], **BAND
        )
    panel.axhline(0, color="0.6", linewidth=0.8, zorder=0)


def _draw_lines(
    panel: Any,
    summary: "pd.DataFrame",
    horizontal: str,
    others: list[str],
    place: dict[Any, float],
) -> None:
    for number, (key, line) in enumerate(_split(summary, others).items()):
        at = np.array([place[level] for level in line[horizontal]])
        order = np.argsort(at)
        panel.errorbar(
            at[order],
            line["value"].to_numpy()[order],
            yerr=NORMAL_QUANTILE * line["mcse"].to_numpy()[order],
            marker="o",
            markersize=4,
            linewidth=1.4,
            capsize=2,
            color=f"C{number % 10}",
            linestyle=("-", "--", ":")[number // 10 % 3],
            label=", ".join(map(plot_text, key)) or None,
        )
