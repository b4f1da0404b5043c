"""Nested-loop plots: every scenario of a study in one row, the factors as steps underneath.

After Ruecker and Schwarzer (2014), "Presenting simulation results in a nested loop plot", BMC
Medical Research Methodology 14, 129.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names, plot_text
from shiftlab.exceptions import InputError
from shiftlab.explanation._study_plots import (
    BAND,
    LABELS,
    add_legend,
    check_measure,
    check_metric,
    null_band,
    varied_factors,
)

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.explanation._study_result import DisparityStudyResult

__all__ = ["draw_nested"]

#: Height of the steps of one factor, as a share of the height of the lines.
STEP_HEIGHT, STEP_GAP = 0.09, 0.09


def draw_nested(
    result: "DisparityStudyResult",
    order: Sequence[str] | None,
    measure: str,
    metric: str | None,
    ax: Any,
) -> Any:
    """Draw what `DisparityStudyResult.plot_nested` describes."""
    check_measure(result, measure)
    metric = check_metric(result, result.protocol.metrics[-1] if metric is None else metric)
    rows = result.to_frame()
    rows = rows[rows["metric"] == metric]
    varied = varied_factors(rows, result.factors)
    steps = [n for n in result.protocol.knobs if n in varied] if order is None else list(order)
    _check_order(steps, result.factors)
    others = [name for name in varied if name not in steps]
    summary = result.summary([measure])
    summary = summary[(summary["statistic"] == "mean") & (summary["metric"] == metric)]
    scenarios = _sorted_scenarios(summary, steps)
    if ax is None:
        import matplotlib.pyplot as plt

        width = min(14, 6 + 0.16 * len(scenarios))
        _, ax = plt.subplots(figsize=(width, 3.2 + 0.35 * len(steps)), layout="constrained")
    _draw_band(ax, rows, steps, scenarios, measure)
    _draw_lines(ax, summary, steps, others, scenarios)
    _draw_steps(ax, steps, scenarios)
    label = LABELS.get(measure, plot_text(measure))
    ax.set(ylabel=f"{plot_text(metric)}: {label}", xlabel="scenario", xlim=(0, len(scenarios)))
    ax.spines[["top", "right"]].set_visible(False)
    if others:
        add_legend(ax, others)
    return ax


def _check_order(order: list[str], factors: Sequence[str]) -> None:
    unknown = [name for name in order if name not in factors]
    if unknown or len(set(order)) != len(order) or not order:
        raise InputError(
            f"order must name different factors of {join_names(factors)}, found {order!r}."
        )


def _sorted_scenarios(summary: "pd.DataFrame", steps: list[str]) -> list[tuple[Any, ...]]:
    """Return the distinct combinations of levels, the last factor varying fastest."""
    rank = {name: list(dict.fromkeys(summary[name])) for name in steps}
    found = dict.fromkeys(zip(*(summary[name] for name in steps), strict=True))
    return sorted(
        found, key=lambda key: [rank[n].index(v) for n, v in zip(steps, key, strict=True)]
    )


def _at(table: "pd.DataFrame", names: list[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name] for name in names), strict=True)) if names else [()] * len(table)


def _draw_lines(
    ax: Any,
    summary: "pd.DataFrame",
    steps: list[str],
    others: list[str],
    scenarios: list[tuple[Any, ...]],
) -> None:
    keys = _at(summary, others)
    for key in dict.fromkeys(keys):
        part = summary.iloc[[i for i, k in enumerate(keys) if k == key]]
        found = dict(
            zip(_at(part, steps), zip(part["value"], part["mcse"], strict=True), strict=True)
        )
        value, error = np.array([found.get(s, (np.nan, np.nan)) for s in scenarios]).T
        label = ", ".join(map(plot_text, key)) or None
        (line,) = ax.step(
            np.arange(len(scenarios) + 1), [*value, value[-1]], where="post", label=label
        )
        middle = np.arange(len(scenarios)) + 0.5
        ax.errorbar(middle, value, 1.96 * error, fmt="none", ecolor=line.get_color(), alpha=0.5)


def _draw_band(
    ax: Any,
    rows: "pd.DataFrame",
    steps: list[str],
    scenarios: list[tuple[Any, ...]],
    measure: str,
) -> None:
    keys = _at(rows, steps)
    bands = []
    for scenario in scenarios:
        part = rows.iloc[[i for i, k in enumerate(keys) if k == scenario]]
        band = null_band(part, measure)
        if band is None:
            return
        bands.append(band)
    low, high = (np.array([*side, side[-1]]) for side in zip(*bands, strict=True))
    ax.fill_between(np.arange(len(scenarios) + 1), low, high, step="post", **BAND)


def _draw_steps(ax: Any, steps: list[str], scenarios: list[tuple[Any, ...]]) -> None:
    """Draw the level of each factor as a step function under the lines, with its values."""
    low, high = ax.get_ylim()
    height = high - low
    base = low
    for number, name in enumerate(steps):
        levels = list(dict.fromkeys(scenario[number] for scenario in scenarios))
        top = base - STEP_GAP * height
        base = top - STEP_HEIGHT * height
        rise = STEP_HEIGHT * height / max(len(levels) - 1, 1)
        track = [base + rise * levels.index(s[number]) for s in scenarios]
        ax.step(
            np.arange(len(scenarios) + 1), [*track, track[-1]], where="post", color="0.35", lw=1
        )
        shown = ", ".join(plot_text(level) for level in levels)
        ax.text(0.05, top + 0.01 * height, f"{plot_text(name)}: {shown}", fontsize=7, va="bottom")
    ax.set_ylim(base - STEP_GAP * height, high)
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
