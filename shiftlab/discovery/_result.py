"""What a search found, as plain values that travel, print and draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names, plot_text
from shiftlab._core.results import Result
from shiftlab.discovery._driving_force import DrivingForce
from shiftlab.graphs import MixedGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DiscoveryResult", "EdgeReason"]

PATH_INK, LEVEL = "#33414e", "#b3541e"


@dataclass(frozen=True)
class EdgeReason(Result):
    """Why there is an edge, and why it points where it points.

    Attributes
    ----------
    source, target : str
        The nodes; of a directed edge cause and effect.
    edge : str
        The edge as text.
    pvalue : float or None
        Largest p-value of all tests of the pair: the case against the edge; None if knowledge
        put it there untested.
    given : tuple of str
        Conditioning set of that test.
    n_tests : int
        Tests of the pair.
    rule : str
        What gave the direction: "environment", "invariance", "collider", "independent change",
        "knowledge", "time", "Meek 1" to "Meek 4", or "" for an edge without direction.
    text : str
        The argument in a sentence.
    margin : float or None
        Of independent changes: by how many standard deviations the direction is better.
    restored : bool
        Whether a test separated the pair (`pvalue`, `given`), but the graph without the edge
        contradicted the data: given all causes found the two depend on each other.
    """

    source: str
    target: str
    edge: str
    pvalue: float | None
    given: tuple[str, ...]
    n_tests: int
    rule: str
    text: str
    margin: float | None = None
    restored: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class DiscoveryResult(Result):
    """The graph that a search found, and the case for each of its claims.

    Attributes
    ----------
    graph : MixedGraph
        The variables.
    augmented : MixedGraph
        The variables and the environment.
    invariance : MixedGraph
        The variables before independent changes were looked at.
    environment : str
        Name of the environment's node.
    changing : tuple of str
        Variables whose mechanism differs between environments.
    edges : tuple of EdgeReason
        One per edge of `augmented`.
    separating_sets : tuple of (str, str, tuple of str)
        Pairs without an edge and what separated them.
    conflicts : tuple of str
        Directions that contradicted stronger ones or would have closed a cycle, and were set aside.
    driving_forces : tuple of DrivingForce
        One per changing variable.
    test_paths : tuple of (str, str, tuple of (int, float))
        Per pair the size of the conditioning set and the p-value of each test, in order.
    merged : dict
        Repeated columns and the column they repeat.
    constant : tuple of str
        Columns that do not vary.
    n_tests : int
        Independence tests that were computed.
    tests_by_size : dict
        The same by size of the conditioning set.
    seconds : float
        CPU time of the tests.
    options : dict
        What was asked for.
    notes : tuple of str
        What a reader should know.
    """

    graph: MixedGraph
    augmented: MixedGraph
    invariance: MixedGraph
    environment: str
    changing: tuple[str, ...]
    edges: tuple[EdgeReason, ...]
    separating_sets: tuple[tuple[str, str, tuple[str, ...]], ...]
    conflicts: tuple[str, ...]
    driving_forces: tuple[DrivingForce, ...]
    test_paths: tuple[tuple[str, str, tuple[tuple[int, float], ...]], ...]
    merged: Mapping[str, str]
    constant: tuple[str, ...]
    n_tests: int
    tests_by_size: Mapping[int, int]
    seconds: float
    options: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Return the edges with their reasons as a data frame, one row each."""
        import pandas as pd

        columns = ["edge", "pvalue", "given", "n_tests", "rule", "margin", "text"]
        rows = [
            [r.edge, r.pvalue, ", ".join(r.given), r.n_tests, r.rule, r.margin, r.text]
            for r in self.edges
        ]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        shown = [f"  {edge}" for edge in self.graph.edges[:15]]
        more = len(self.graph.edges) - len(shown)
        shown += [f"  ... and {more} more"] if more > 0 else []
        changing = join_names(self.changing, 8) if self.changing else "none"
        head = (
            f"DiscoveryResult: {len(self.graph.nodes)} variables, {len(self.graph.edges)} edges, "
            f"{self.n_tests} tests"
        )
        return "\n".join([head, f"  changing with {self.environment}: {changing}", *shown])

    def plot(self, ax: Any = None) -> Any:
        """Draw the graph; changing variables are filled, the environment points at them.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        graph = self.augmented if self.changing else self.graph
        root = self.environment if self.changing else None
        title = "filled: changes between environments; without arrow: direction undecided"
        return graph.plot(ax, highlight=self.changing, root=root, title=title)

    def plot_tests(self, ax: Any = None, *, max_pairs: int = 30) -> Any:
        """Draw the p-values of all tests of each pair, by size of the conditioning set.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.
        max_pairs : int, default 30
            Pairs to show: those whose decision was closest come first.

        Returns
        -------
        matplotlib.axes.Axes
        """
        import matplotlib.pyplot as plt

        alpha = float(self.options["alpha"])
        nearest = sorted(self.test_paths, key=lambda item: abs(np.log(_highest(item[2]) / alpha)))
        pairs = nearest[:max_pairs][::-1]
        height = 0.9 + 0.22 * len(pairs)
        if ax is None:
            ax = plt.subplots(figsize=(6.4, height), layout="constrained")[1]
        for row, (_, _, path) in enumerate(pairs):
            values = [max(p, 1e-6) for _, p in path]
            ax.plot([min(values), max(values)], [row, row], color="#c9d1d9", linewidth=1, zorder=1)
            sizes = [size for size, _ in path]
            ax.scatter(values, [row] * len(path), s=14, c=sizes, cmap="viridis", vmin=0, vmax=4)
        ax.axvline(alpha, color=LEVEL, linewidth=1, linestyle="--")
        ax.set_xscale("log")
        ax.set_xlim(8e-7, 1.3)
        ax.set_yticks(
            range(len(pairs)), [plot_text(f"{a} | {b}", 34) for a, b, _ in pairs], fontsize=7
        )
        ax.set_xlabel(f"p-value (dashed: {alpha:g}; brighter: more conditioning)", fontsize=8)
        ax.tick_params(labelsize=7)
        return ax


def _highest(path: tuple[tuple[int, float], ...]) -> float:
    return max(1e-12, max((p for _, p in path), default=1e-12))
