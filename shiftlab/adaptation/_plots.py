"""Pictures: selection map, deviations, summary space, strategies, risks against shift."""

from typing import TYPE_CHECKING

import numpy as np

from shiftlab._core.names import plot_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shiftlab.adaptation._enumerate import SubsetRisks
    from shiftlab.adaptation._results import (
        EnvironmentSummary,
        Identifiability,
        Selection,
        ShiftExplanation,
    )

__all__ = [
    "plot_explanation",
    "plot_risks",
    "plot_selection",
    "plot_strategies",
    "plot_summary_space",
]

MOST_ENVIRONMENTS, MOST_VARIABLES, MOST_BARS, MOST_CURVES = 60, 30, 12, 8
USED, BLUE, RED, GREY = "#2b6ca3", "#6a9cc9", "#b2182b", "#8a8a8a"


def _axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def plot_selection(result: "Selection", ax: "Axes | None") -> "Axes":
    """Draw which covariates are used where; the shade is the probability of the set."""
    from matplotlib.colors import LinearSegmentedColormap

    chosen = result.chosen[:MOST_ENVIRONMENTS, :MOST_VARIABLES].T
    m, p = chosen.shape[1], chosen.shape[0]
    ax = _axes(ax, 2.4 + 0.2 * m, 1.6 + 0.3 * p)
    probability = np.nan_to_num(np.array(result.records["probability"][:m], dtype=float), nan=1.0)
    shade = LinearSegmentedColormap.from_list("use", ["#f2f2f2", "#c6dbef", USED])
    ax.pcolormesh(
        chosen * (0.35 + 0.65 * probability), cmap=shade, vmin=0, vmax=1,
        edgecolors="white", linewidth=1,
    )  # fmt: skip
    names = [plot_text(e, 14) for e in result.records["environment"][:m]]
    ax.set_xticks(np.arange(m) + 0.5, names, rotation=90, fontsize=7.5)
    ax.set_yticks(np.arange(p) + 0.5, [plot_text(v, 24) for v in result.variables[:p]])
    ax.invert_yaxis()
    for label, outside in zip(ax.get_xticklabels(), result.records["outside"], strict=False):
        label.set_color(RED if outside else "black")
    shown = f" (first {m} of {len(result.chosen)})" if m < len(result.chosen) else ""
    ax.set_xlabel(f"environment{shown}; red: outside the training range", fontsize=8.5)
    ax.set_title("covariates to use (darker: more probable)", fontsize=10)
    ax.tick_params(length=0)
    return ax


def plot_explanation(result: "ShiftExplanation", ax: "Axes | None") -> "Axes":
    """Draw the most influential deviations of the first environment."""
    frame = result.to_frame()
    first = frame["environment"].iloc[0]
    part = frame[[e == first for e in frame["environment"]]].head(MOST_BARS)
    ax = _axes(ax, 6.4, 1.4 + 0.32 * len(part))
    at = np.arange(len(part))
    ax.barh(at - 0.2, part["risk_effect"], height=0.38, color=RED, label="on the pooled risk")
    ax.barh(
        at + 0.2, part["prediction_effect"], height=0.38, color=BLUE, label="on predictions (rms)"
    )
    labels = [
        f"{plot_text(s, 30)}: {d:+.1f} sd"
        for s, d in zip(part["summary"], part["deviation"], strict=True)
    ]
    ax.set_yticks(at, labels, fontsize=8)
    ax.invert_yaxis()
    ax.axvline(0, color="black", lw=0.6)
    ax.set_xlabel("effect of the deviation")
    ax.set_title(f"what is unusual about {plot_text(first, 24)}", fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_summary_space(result: "EnvironmentSummary", ax: "Axes | None") -> "Axes":
    """Draw training and new environments along the two main directions of the training ones."""
    ax = _axes(ax, 5.6, 4.6)
    centre = result.training.mean(axis=0)
    _, spread, directions = np.linalg.svd(result.training - centre, full_matrices=False)
    basis = np.zeros((2, result.training.shape[1]))
    basis[: min(2, len(directions))] = directions[:2]
    old, new = (result.training - centre) @ basis.T, (result.points - centre) @ basis.T
    share = (spread**2 / max((spread**2).sum(), 1e-300))[:2]
    ax.plot(*old.T, "o", ms=4, color="#c0c7cf", label="training environments")
    low = np.array(result.records["pvalue_outside"], dtype=float)
    limit = max(0.01, 1 / (len(old) + 1))
    outside = low <= limit + 1e-12
    ax.plot(*new[~outside].T, "o", ms=5, color=USED, label="new, inside the range")
    ax.plot(*new[outside].T, "X", ms=8, color=RED, label="new, outside the range")
    for name, point in list(zip(result.records["environment"], new, strict=True))[:20]:
        ax.annotate(plot_text(name, 12), point, xytext=(4, 3), textcoords="offset points",
                    fontsize=7)  # fmt: skip
    percent = [f"{100 * s:.0f} %" for s in share] + ["0 %"]
    ax.set_xlabel(f"first direction of the summaries ({percent[0]})")
    ax.set_ylabel(f"second direction ({percent[1]})")
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_strategies(result: "Identifiability", ax: "Axes | None") -> "Axes":
    """Draw the gain of each strategy over the pooled model with two standard errors."""
    frame = result.to_frame()
    ax = _axes(ax, 6, 1.3 + 0.4 * len(frame))
    at = np.arange(len(frame))
    colours = [USED if c else "#c0c7cf" for c in frame["chosen"]]
    ax.barh(at, frame["gain"], color=colours, height=0.6)
    ax.errorbar(frame["gain"], at, xerr=2 * frame["gain_standard_error"].fillna(0), fmt="none",
                ecolor="#4d4d4d", lw=1)  # fmt: skip
    if result.regret > 0:
        ax.axvline(result.regret, color=RED, ls="--", lw=1, label="best subset, chosen with labels")
        ax.legend(frameon=False, fontsize=8)
    ax.axvline(0, color="black", lw=0.6)
    ax.set_yticks(at, frame["strategy"])
    ax.invert_yaxis()
    ax.set_xlabel("gain over the pooled model in left-out environments (± 2 s.e.)")
    return ax


def plot_risks(result: "SubsetRisks", against: np.ndarray | None, ax: "Axes | None") -> "Axes":
    """Draw the risk of the most useful candidates along a shift, or sorted by the pooled risk."""
    from shiftlab.adaptation._subsets import portfolio

    ax = _axes(ax, 6.4, 4.2)
    risks = result.risks
    full = int(result.sets.sum(axis=1).argmax())
    shown = portfolio(risks, min(MOST_CURVES, risks.shape[1]), [full])
    level = np.argsort(np.argsort(risks[:, full])) if against is None else np.asarray(against)
    order = np.argsort(level, kind="stable")
    for k in shown:
        name = plot_text(result.set_name(k), 34)
        line = {"lw": 2.2, "color": "black"} if k == full else {"lw": 1.2}
        ax.plot(np.asarray(level)[order], risks[order, k], label=name, **line)
    best = risks.min(axis=1)
    ax.plot(np.asarray(level)[order], best[order], ls=":", color=RED, lw=1.5, label="best of all")
    ax.set_xlabel("environments by risk of all covariates" if against is None else "shift level")
    ax.set_ylabel("mean squared error")
    ax.legend(frameon=False, fontsize=8)
    return ax
