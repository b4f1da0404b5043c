"""Pictures of graphs: causes on the left, effects on the right."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from shiftlab._core.names import plot_text
from shiftlab.graphs._equivalence import extend
from shiftlab.graphs._graph import MixedGraph
from shiftlab.graphs._marks import Edge, directed, has_cycle

__all__ = ["plot_graph"]

FILL, PLAIN, INK, ACCENT = "#f2b880", "#e8edf2", "#33414e", "#b3541e"
NODE_HEIGHT, LETTER, GAP = 0.36, 0.085, 0.5


def plot_graph(
    graph: MixedGraph,
    ax: Any,
    *,
    highlight: Collection[str],
    support: Mapping[frozenset[str], float] | None,
    root: str | None,
    title: str,
) -> Any:
    """Draw a graph from left to right; the work behind `MixedGraph.plot`."""
    import matplotlib.pyplot as plt

    layers = _layers(graph, root)
    place, width, height = _positions(graph, layers)
    own = ax is None
    if own:
        ax = plt.subplots()[1]
    ax.set_xlim(-0.2, width + 0.2)
    texts = {
        name: _draw_node(ax, name, place[name], name in highlight, name == root)
        for name in graph.nodes
    }
    depth = {name: i for i, layer in enumerate(layers) for name in layer}
    low, high = -0.3, height + 0.2
    for edge in graph.edges:
        strength = None if support is None else support.get(frozenset(edge[:2]))
        curve = _draw_edge(ax, edge, place, depth, texts, strength, root)
        low, high = min(low, curve[:, 1].min() - 0.15), max(high, curve[:, 1].max() + 0.15)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")  # curves keep the shape they were given
    if own:  # one unit is about one inch, so that boxes are as wide as was reckoned
        ax.figure.set_size_inches(max(1.25 * (width + 0.4), 3.0), max(1.25 * (high - low), 1.8))
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=8)
    return ax


def _layers(graph: MixedGraph, root: str | None) -> list[list[str]]:
    """Put each node one step right of its last parent; the order inside avoids crossings."""
    marks = extend(graph.marks)
    arrows = directed(graph.marks if marks is None else marks)
    if has_cycle(arrows):
        arrows = np.triu(graph.marks > 0, 1)
    depth = np.zeros(len(arrows), dtype=int)
    for _ in range(len(arrows)):
        for i, j in np.argwhere(arrows):
            depth[j] = max(depth[j], depth[i] + 1)
    linked = np.asarray((graph.marks > 0).any(axis=1))
    count = int(depth.max(initial=0)) + 1
    members = [[i for i in range(len(depth)) if depth[i] == level] for level in range(count)]
    # What has no parents stands beside its first effect, not at the far left.
    for i in list(members[0]):
        effects = depth[arrows[i]]
        level = int(effects.min()) - 1 if len(effects) else 0
        if linked[i] and level > 0 and graph.nodes[i] != root:
            members[0].remove(i)
            members[level].append(i)
    order = _uncross(members, graph.marks > 0)
    return [[graph.nodes[i] for i in layer] for layer in order if layer]


def _uncross(layers: list[list[int]], adjacent: np.ndarray) -> list[list[int]]:
    """Sort each layer by the mean place of its neighbours, back and forth."""
    place = {i: (k - (len(layer) - 1) / 2) for layer in layers for k, i in enumerate(layer)}
    for sweep in range(8):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            means = {
                i: np.mean([place[int(j)] for j in np.flatnonzero(adjacent[i])] or [place[i]])
                for i in layer
            }
            layer.sort(key=lambda i: (means[i], i))
            place |= {i: k - (len(layer) - 1) / 2 for k, i in enumerate(layer)}
    return layers


def _positions(
    graph: MixedGraph, layers: list[list[str]]
) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Return the place of each node, and the width and height of the picture, in inches."""
    tallest = max((len(layer) for layer in layers), default=1)
    height = tallest * (NODE_HEIGHT + GAP)
    place: dict[str, tuple[float, float]] = {}
    left = 0.0
    for number, layer in enumerate(layers):
        wide = max(_width(name) for name in layer)
        step = height / len(layer)
        # Every other layer is shifted a little, so that edges do not run through nodes.
        nudge = 0.18 if number % 2 and len(layers) > 2 else 0.0
        for k, name in enumerate(layer):
            place[name] = (left + wide / 2, height - (k + 0.5) * step - nudge)
        left += wide + 0.9
    return place, max(left - 0.9, 1.0), height


def _width(name: str) -> float:
    return max(len(plot_text(name)) * LETTER + 0.3, 0.5)


def _draw_node(ax: Any, name: str, at: tuple[float, float], filled: bool, is_root: bool) -> Any:
    box = {
        "boxstyle": "round,pad=0.45" if not is_root else "square,pad=0.45",
        "facecolor": "white" if is_root else FILL if filled else PLAIN,
        "edgecolor": ACCENT if is_root else INK,
        "linewidth": 0.9,
    }
    return ax.text(
        *at, plot_text(name), ha="center", va="center", fontsize=8, color=INK, bbox=box, zorder=3
    )


def _draw_edge(
    ax: Any,
    edge: Edge,
    place: Mapping[str, tuple[float, float]],
    depth: Mapping[str, int],
    texts: Mapping[str, Any],
    strength: float | None,
    root: str | None,
) -> np.ndarray:
    from matplotlib.patches import FancyArrowPatch

    bend = _bend(edge, place, neighbors=abs(depth[edge.source] - depth[edge.target]) == 1)
    style = "<|" if edge.source_mark == "arrow" else ""
    style += "-" + ("|>" if edge.target_mark == "arrow" else "")
    from_root = root in edge[:2]
    patch = FancyArrowPatch(
        place[edge.source],
        place[edge.target],
        arrowstyle=style,
        connectionstyle=f"arc3,rad={bend}",
        mutation_scale=11,
        linewidth=0.9 if strength is None else 0.4 + 2.0 * strength,
        linestyle=(0, (4, 2)) if from_root else "-",
        color=ACCENT if from_root else INK,
        alpha=1.0 if strength is None else 0.35 + 0.65 * strength,
        patchA=texts[edge.source].get_bbox_patch(),
        patchB=texts[edge.target].get_bbox_patch(),
        zorder=4,  # after the nodes, whose boxes get their size when they are drawn
    )  # fmt: skip
    ax.add_patch(patch)
    curve = _curve(place[edge.source], place[edge.target], bend)
    if strength is not None:
        ax.text(
            *curve[len(curve) // 2], f"{100 * strength:.0f}", fontsize=7, color=INK,
            ha="center", va="center", zorder=5,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip
    for name, mark, points in (
        (edge.source, edge.source_mark, curve),
        (edge.target, edge.target_mark, curve[::-1]),
    ):
        if mark == "circle":
            away = np.abs(points - points[0])
            outside = (away[:, 0] > _width(name) / 2 + 0.12) | (away[:, 1] > NODE_HEIGHT / 2 + 0.1)
            at = points[int(outside.argmax())]
            ax.plot(*at, "o", markersize=4, markerfacecolor="white", markeredgecolor=INK, zorder=5)
    return curve


def _bend(edge: Edge, place: Mapping[str, tuple[float, float]], *, neighbors: bool) -> float:
    """Return the bend that keeps an edge clear of the boxes of other nodes."""
    others = [name for name in place if name not in edge[:2]]
    if not others:
        return 0.0 if neighbors else 0.22
    centres = np.array([place[name] for name in others])
    boxes = np.array([(_width(name) / 2 + 0.1, NODE_HEIGHT / 2 + 0.08) for name in others])
    choices = (0.0, 0.15, -0.15, 0.25, -0.25, 0.35, -0.35)
    clear = []
    for bend in choices:
        curve = _curve(place[edge.source], place[edge.target], bend)[10:-10]
        gaps = np.abs(curve[:, None] - centres) / boxes
        clear.append(float(gaps.max(axis=2).min()))
    free = [bend for bend, gap in zip(choices, clear, strict=True) if gap > 1]
    return free[0] if free else choices[int(np.argmax(clear))]


def _curve(start: tuple[float, float], end: tuple[float, float], bend: float) -> np.ndarray:
    """Return points along matplotlib's "arc3": a parabola through its control point."""
    (x0, y0), (x1, y1) = start, end
    control = np.array([(x0 + x1) / 2 + bend * (y1 - y0), (y0 + y1) / 2 - bend * (x1 - x0)])
    t = np.linspace(0, 1, 101)[:, None]
    return np.asarray(
        (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * control + t**2 * np.array(end)
    )
