"""Heat map and dendrogram of the distances between environments."""

from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import plot_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shiftlab.divergence._environments import EnvironmentDistances

__all__ = ["plot_distances"]

#: Most environments that are labelled one by one, and whose distances are written out.
MOST_LABELS = 45
MOST_NUMBERS = 12
#: Most cells along one side of the picture; beyond it each cell stands for several environments.
MOST_CELLS = 200
TITLES = {
    "wasserstein": "Wasserstein distance (mean over columns, in pooled spreads)",
    "total_variation": "Total variation (mean over columns)",
    "mmd": "Maximum mean discrepancy",
    "energy": "Energy distance",
}
NOISE_COLOUR = "#e3e3e3"


def plot_distances(result: "EnvironmentDistances", ax: "Axes | None" = None) -> "Axes":
    """Draw the distances in the order of the dendrogram; see `EnvironmentDistances.plot`."""
    ax = _new_axes(len(result.environments)) if ax is None else ax
    order = result.order
    shown = result.distances[np.ix_(order, order)].copy()
    adjusted = result.pvalues_adjusted[np.ix_(order, order)]
    noise = adjusted > result.alpha
    shown[np.isnan(adjusted)] = np.nan
    shown, noise, block = _coarsen(shown, noise)
    image = _draw_cells(ax, shown, noise)
    if block > 1:
        # The axes keep counting environments, so that the dendrogram stays above its leaves.
        image.set_extent((-0.5, len(order) - 0.5, len(order) - 0.5, -0.5))
    if len(order) <= MOST_NUMBERS:
        _write_numbers(ax, image, shown, noise)
    _label(ax, [plot_text(result.environments[i], 18) for i in order], result.environment)
    tree = ax.inset_axes((0.0, 1.01, 1.0, 0.14))
    _draw_tree(tree, result)
    tree.set_title(TITLES[result.metric], fontsize=9)
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.02, 0.0, 0.03, 1.0)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    return ax


def _new_axes(k: int) -> "Axes":
    import matplotlib.pyplot as plt

    side = float(np.clip(2.6 + 0.24 * min(k, MOST_LABELS), 4.2, 10.5))
    return plt.subplots(figsize=(side + 0.8, side + 0.6), layout="constrained")[1]


def _coarsen(shown: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Average blocks of neighbours in leaf order until the picture has at most `MOST_CELLS`."""
    k = len(shown)
    block = -(-k // MOST_CELLS)
    if block == 1:
        return shown, noise, 1
    starts = np.arange(0, k, block)

    def sums(cells: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.add.reduceat(cells, starts, axis=0), starts, axis=1)

    tested = ~noise & ~np.isnan(shown)
    counts = sums(np.ones((k, k)))
    told_apart = sums(tested.astype(float))
    means = sums(np.where(tested, shown, 0.0)) / np.maximum(told_apart, 1.0)
    return means, told_apart < counts / 2, block


def _draw_cells(ax: "Axes", shown: np.ndarray, noise: np.ndarray) -> Any:
    from matplotlib.colors import ListedColormap

    grey = np.where(noise, 1.0, np.nan)
    ax.imshow(grey, cmap=ListedColormap([NOISE_COLOUR]), interpolation="nearest", aspect="auto")
    shown = np.where(noise, np.nan, shown)
    top = float(np.nanmax(shown)) if np.isfinite(shown).any() else 1.0
    return ax.imshow(
        shown, cmap="viridis_r", vmin=0.0, vmax=top, interpolation="nearest", aspect="auto"
    )


def _write_numbers(ax: "Axes", image: Any, shown: np.ndarray, noise: np.ndarray) -> None:
    top = image.norm.vmax
    for i, j in zip(*np.nonzero(np.isfinite(shown)), strict=True):
        dark = not noise[i, j] and shown[i, j] > 0.55 * top
        ax.text(
            j, i, f"{shown[i, j]:.2g}", ha="center", va="center", fontsize=7,
            color="white" if dark else "black",
        )  # fmt: skip


def _label(ax: "Axes", names: list[str], environment: str) -> None:
    k = len(names)
    note = "grey: not told apart from noise; white: not tested"
    if k <= MOST_LABELS:
        size = 8 if k <= 25 else 6
        ax.set_xticks(range(k), names, rotation=90, fontsize=size)
        ax.set_yticks(range(k), names, fontsize=size)
        ax.set_xlabel(note, fontsize=8, color="#555555")
    else:
        ax.set_xticks([])
        ax.set_yticks([])
        block = -(-k // MOST_CELLS)
        if block > 1:
            note = f"a cell averages {block} x {block}; grey: most not told apart from noise"
        ax.set_xlabel(f"{k} environments ({plot_text(environment, 30)}); {note}", fontsize=8)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def _draw_tree(ax: "Axes", result: "EnvironmentDistances") -> None:
    """Draw the merges; iterative, because chains of hundreds of merges exhaust recursion."""
    from matplotlib.collections import LineCollection

    k = len(result.environments)
    x, height = np.zeros(2 * k - 1), np.zeros(2 * k - 1)
    x[result.order] = np.arange(k)
    ax.set_xlim(-0.5, k - 0.5)
    lines = []
    for i, (left, right, level, _) in enumerate(result.linkage):
        a, b = int(left), int(right)
        x[k + i], height[k + i] = (x[a] + x[b]) / 2, level
        lines.append([(x[a], height[a]), (x[a], level), (x[b], level), (x[b], height[b])])
    width = 1.0 if k <= MOST_LABELS else 0.4
    ax.add_collection(LineCollection(lines, colors="#444444", linewidths=width))
    ax.set_ylim(0.0, float(height.max()) * 1.05 or 1.0)
    ax.tick_params(bottom=False, labelbottom=False, labelsize=6, length=2)
    for name, side in ax.spines.items():
        side.set_visible(name == "left")
