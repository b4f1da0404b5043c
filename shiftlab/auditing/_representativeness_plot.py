"""The picture of a family of tests: p-values on a logarithmic scale."""

from typing import TYPE_CHECKING, Any

from shiftlab._core.names import plot_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_pvalues"]

#: Smaller p-values are drawn at the edge.
_FLOOR = 1e-6


def plot_pvalues(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw one line per test: its adjusted p-value, and a cross where a proof rejects."""
    import matplotlib.pyplot as plt

    tests = list(result.tests)[::-1]
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 1.4 + 0.32 * len(tests)), layout="constrained")[1]
    for i, test in enumerate(tests):
        value = test.pvalue if test.adjusted is None else test.adjusted
        bad = value <= result.alpha
        marker = "X" if test.proof else "o"
        ax.plot(max(value, _FLOOR), i, marker, color="C3" if bad else "C0", markersize=7)
    ax.axvline(result.alpha, color="0.4", linestyle=":", label=f"level {result.alpha:g}")
    ax.set_xscale("log")
    ax.set_xlim(_FLOOR / 2, 2)
    ax.set_yticks(range(len(tests)), [plot_text(test.name) for test in tests])
    ax.set_ylim(-0.6, len(tests) - 0.4)
    ax.set_xlabel("p-value after correction (crosses: tests without false alarms)")
    ax.legend(frameon=False, loc="lower left")
    return ax
