"""Pictures of structural causal models."""

from typing import Any

import networkx as nx

from shiftlab._core.names import plot_text
from shiftlab.simulation._model import StructuralModel

__all__ = ["plot_model"]

FILL = {True: "#f2b880", False: "#e8edf2"}
INK = "#33414e"


def plot_model(model: StructuralModel, ax: Any = None) -> Any:
    """Draw the causal graph from left to right; the work behind `StructuralModel.plot`."""
    import matplotlib.pyplot as plt

    axes = plt.subplots(figsize=(7.2, 4.0))[1] if ax is None else ax
    graph = model.graph()
    layers = list(nx.topological_generations(graph)) if nx.is_directed_acyclic_graph(graph) else []
    for layer, names in enumerate(layers):
        graph.add_nodes_from(names, layer=layer)
    place = nx.multipartite_layout(graph, subset_key="layer") if layers else nx.shell_layout(graph)
    changing = set(model.changing_variables())
    nx.draw_networkx_edges(
        graph, place, ax=axes, node_size=1100, edge_color=INK, connectionstyle="arc3,rad=0.12"
    )
    for name, at in place.items():
        box = {
            "boxstyle": "round,pad=0.5",
            "facecolor": FILL[name in changing],
            "edgecolor": INK,
            "linestyle": "--" if graph.nodes[name]["hidden"] else "-",
        }
        axes.text(
            at[0], at[1], plot_text(name), ha="center", va="center", fontsize=8, color=INK, bbox=box
        )
    axes.margins(0.15)
    axes.set_axis_off()
    axes.set_title("filled: changes between environments; dashed: hidden", fontsize=8)
    return axes
