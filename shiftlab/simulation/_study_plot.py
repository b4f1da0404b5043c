"""Small multiples of a study: one panel per measure, one line per combination of factors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names, plot_text
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    from shiftlab.simulation._study_result import StudyResult

__all__ = ["plot_means"]

NORMAL_QUANTILE = 1.96


def plot_means(
    result: "StudyResult", measures: Sequence[str] | None, x: str | None, ax: Any
) -> np.ndarray:
    """Draw what `StudyResult.plot` describes."""
    table = result.summary(measures=measures)
    table = table[table["statistic"] == "mean"]
    shown = list(dict.fromkeys(table["measure"]))
    labels = list(table.columns[: list(table.columns).index("measure")])
    horizontal = result.factors[0] if x is None else x
    if horizontal not in labels:
        raise InputError(f"x must be one of {join_names(labels)}, found {horizontal!r}.")
    if not shown:
        raise InputError("The study has no numeric output to draw.")
    axes = _axes(ax, len(shown))
    others = [name for name in labels if name != horizontal]
    for panel, measure in zip(axes, shown, strict=True):
        part = table[table["measure"] == measure]
        _draw_lines(panel, part, horizontal, others)
        panel.set(xlabel=plot_text(horizontal), ylabel=f"mean {plot_text(measure)}")
    if others:
        axes[-1].legend(title=", ".join(map(plot_text, others)), fontsize="small")
    return axes


def _axes(ax: Any, n_panels: int) -> np.ndarray:
    if ax is None:
        import matplotlib.pyplot as plt

        size = (4 * n_panels, 3.2)
        _, axes = plt.subplots(1, n_panels, figsize=size, squeeze=False, layout="constrained")
        return np.asarray(axes[0])
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) != n_panels:
        raise InputError(f"ax: {n_panels} measure(s) need as many axes, found {len(axes)}.")
    return axes


def _draw_lines(panel: Any, part: Any, horizontal: str, others: list[str]) -> None:
    levels = list(dict.fromkeys(part[horizontal]))
    is_scale = all(isinstance(v, (int, float, np.number)) for v in levels)
    position = {level: level if is_scale else i for i, level in enumerate(levels)}
    lines: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(zip(*(part[name] for name in others), strict=True)):
        lines.setdefault(key, []).append(i)
    if not others:
        lines = {(): list(range(len(part)))}
    for key, rows in lines.items():
        line = part.iloc[rows]
        panel.errorbar(
            [position[level] for level in line[horizontal]],
            line["value"].to_numpy(),
            yerr=NORMAL_QUANTILE * line["mcse"].to_numpy(),
            marker="o",
            capsize=2,
            label=", ".join(map(plot_text, key)) or None,
        )
    if not is_scale:
        panel.set_xticks(range(len(levels)), [plot_text(level) for level in levels])
