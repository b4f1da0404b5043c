"""A graph whose edges have a tail, an arrow or a circle at each end."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.results import Result
from shiftlab.exceptions import InputError
from shiftlab.graphs._marks import (
    ARROW,
    CIRCLE,
    MARKS,
    TAIL,
    Edge,
    directed,
    has_cycle,
    parse_edge,
    undirected,
)

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = ["MixedGraph"]

_CODE = {"tail": TAIL, "arrow": ARROW, "circle": CIRCLE}


@dataclass(frozen=True, repr=False)
class MixedGraph(Result):
    """A graph with tails, arrows and circles: DAG, CPDAG, ADMG, MAG or PAG.

    Nodes keep their order, edges are kept sorted, so that two graphs are equal exactly if they say
    the same.

    Parameters
    ----------
    nodes : sequence of str
        Names of the nodes.
    edges : iterable of Edge, str or pair, default ()
        ``"a -> b"``, ``"a -- b"``, ``"a <-> b"``, ``"a o-> b"``, or a pair ``("a", "b")`` for a
        directed edge.

    Raises
    ------
    InputError
        If a node is repeated or unknown, an edge joins a node to itself, or two edges join the
        same nodes.

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph
    >>> graph = MixedGraph(["a", "b", "c"], ["a -> b", "b -- c"])
    >>> graph
    MixedGraph: 3 nodes, 2 edges
      a -> b
      b -- c
    >>> graph.parents("b"), graph.undirected_neighbors("b"), graph.is_dag
    (('a',), ('c',), False)
    """

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...] = ()

    def __init__(
        self, nodes: Sequence[str], edges: Iterable[Edge | str | Sequence[str]] = ()
    ) -> None:
        names = tuple(str(name) for name in nodes)
        if len(set(names)) < len(names):
            raise InputError(f"nodes: names are repeated in {join_names(names)}.")
        place = {name: i for i, name in enumerate(names)}
        kept: dict[tuple[int, int], Edge] = {}
        for edge in map(_as_edge, edges):
            kept_edge = _ordered(edge, place)
            first, second = sorted((place[edge.source], place[edge.target]))
            if kept.setdefault((first, second), kept_edge) != kept_edge:
                raise InputError(
                    f"edges: two edges join {edge.source!r} and {edge.target!r}; one edge carries "
                    "both ends, for instance 'a <-> b'."
                )
        object.__setattr__(self, "nodes", names)
        object.__setattr__(self, "edges", tuple(kept[key] for key in sorted(kept)))

    def __reduce__(self) -> tuple[Any, ...]:
        # What was computed on demand does not travel, and does not make equal graphs differ.
        return MixedGraph, (self.nodes, self.edges)

    @classmethod
    def from_marks(cls, nodes: Sequence[str], marks: np.ndarray) -> "MixedGraph":
        """Build a graph from an array of marks.

        Parameters
        ----------
        nodes : sequence of str
            Names.
        marks : array of int, shape (n_nodes, n_nodes)
            Entry (i, j) is the mark at `j` of the edge between `i` and `j`: 0 no edge, 1 tail,
            2 arrow, 3 circle.
        """
        rows, columns = np.nonzero(np.triu(marks, 1))
        edges = [
            Edge(nodes[i], nodes[j], MARKS[marks[j, i] - 1], MARKS[marks[i, j] - 1])
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        return cls(nodes, edges)

    @cached_property
    def marks(self) -> np.ndarray:
        """Array of marks: entry (i, j) is the mark at `j`; 0 none, 1 tail, 2 arrow, 3 circle."""
        marks = np.zeros((len(self.nodes),) * 2, dtype=np.int8)
        place = {name: i for i, name in enumerate(self.nodes)}
        for edge in self.edges:
            i, j = place[edge.source], place[edge.target]
            marks[i, j], marks[j, i] = _CODE[edge.target_mark], _CODE[edge.source_mark]
        marks.flags.writeable = False
        return marks

    def edge(self, a: str, b: str) -> Edge | None:
        """Return the edge between two nodes, or None."""
        for edge in self.edges:
            if {edge.source, edge.target} == {a, b}:
                return edge
        self.index(a), self.index(b)
        return None

    def has_edge(self, a: str, b: str) -> bool:
        """Tell whether two nodes are adjacent."""
        return self.edge(a, b) is not None

    def index(self, name: str) -> int:
        """Return the position of a node; an unknown name is an error."""
        if name not in self.nodes:
            raise InputError(
                f"The graph has no node {name!r}. Its nodes are {join_names(self.nodes, 12)}."
            )
        return self.nodes.index(name)

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the nodes with an edge directed into a node."""
        return self._named(directed(self.marks)[:, self.index(name)])

    def children(self, name: str) -> tuple[str, ...]:
        """Return the nodes that a directed edge leads to."""
        return self._named(directed(self.marks)[self.index(name)])

    def neighbors(self, name: str) -> tuple[str, ...]:
        """Return all adjacent nodes."""
        return self._named(self.marks[self.index(name)] > 0)

    def undirected_neighbors(self, name: str) -> tuple[str, ...]:
        """Return the nodes joined by an edge without direction."""
        return self._named(undirected(self.marks)[self.index(name)])

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return the nodes from which a directed path leads to a node, without itself."""
        return self._reached(directed(self.marks).T, name)

    def descendants(self, name: str) -> tuple[str, ...]:
        """Return the nodes to which a directed path leads, without the node itself."""
        return self._reached(directed(self.marks), name)

    @property
    def is_dag(self) -> bool:
        """Whether all edges are directed and no directed path returns to its start."""
        return all(edge.is_directed for edge in self.edges) and not self.has_cycle

    @property
    def has_cycle(self) -> bool:
        """Whether directed edges form a cycle."""
        return has_cycle(directed(self.marks))

    def skeleton(self) -> "MixedGraph":
        """Return the graph with every edge undirected."""
        return MixedGraph(
            self.nodes, [Edge(e.source, e.target, "tail", "tail") for e in self.edges]
        )

    def subgraph(self, names: Sequence[str]) -> "MixedGraph":
        """Return the graph on some of the nodes, in the given order."""
        for name in names:
            self.index(name)
        inside = [e for e in self.edges if e.source in names and e.target in names]
        return MixedGraph(names, inside)

    def rename(self, names: Mapping[str, str]) -> "MixedGraph":
        """Return the graph with some nodes renamed."""
        new = {name: names.get(name, name) for name in self.nodes}
        edges = [e._replace(source=new[e.source], target=new[e.target]) for e in self.edges]
        return MixedGraph(list(new.values()), edges)

    def to_frame(self) -> "pd.DataFrame":
        """Return the edges as a data frame, one row each."""
        import pandas as pd

        columns = ["source", "target", "source_mark", "target_mark", "edge"]
        return pd.DataFrame([(*edge, str(edge)) for edge in self.edges], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return nodes and edges as JSON types; `from_dict` reads them back."""
        return {"nodes": list(self.nodes), "edges": [edge._asdict() for edge in self.edges]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "MixedGraph":
        """Read what `to_dict` wrote."""
        return cls(document["nodes"], [Edge(**edge) for edge in document["edges"]])

    def to_networkx(self) -> "nx.DiGraph":
        """Return a networkx graph; see `shiftlab.graphs.to_networkx`."""
        from shiftlab.graphs._convert import to_networkx

        return to_networkx(self)

    def to_causallearn(self) -> Any:
        """Return a ``GeneralGraph`` of causal-learn; see `shiftlab.graphs.to_causallearn`."""
        from shiftlab.graphs._convert import to_causallearn

        return to_causallearn(self)

    def to_dot(self) -> str:
        """Return the graph in the language of Graphviz."""
        from shiftlab.graphs._text import to_dot

        return to_dot(self)

    def to_graphml(self) -> str:
        """Return the graph as a GraphML document."""
        from shiftlab.graphs._text import to_graphml

        return to_graphml(self)

    def plot(
        self,
        ax: Any = None,
        *,
        highlight: Collection[str] = (),
        support: Mapping[frozenset[str], float] | None = None,
        root: str | None = None,
        title: str = "",
    ) -> Any:
        """Draw the graph from left to right.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; new axes of a fitting size by default.
        highlight : collection of str, default ()
            Nodes to fill, for instance those that change between environments.
        support : mapping of frozenset to float, optional
            A number from 0 to 1 for pairs of nodes: edges are drawn as thick as that and labelled
            in percent.
        root : str, optional
            A node drawn apart, such as the environment.
        title : str, default ""
            Title of the axes.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from shiftlab.graphs._plot import plot_graph

        return plot_graph(self, ax, highlight=highlight, support=support, root=root, title=title)

    def __repr__(self) -> str:
        shown = [f"  {edge}" for edge in self.edges[:20]]
        more = len(self.edges) - len(shown)
        shown += [f"  ... and {more} more"] if more > 0 else []
        return "\n".join([f"MixedGraph: {len(self.nodes)} nodes, {len(self.edges)} edges", *shown])

    def _named(self, mask: np.ndarray) -> tuple[str, ...]:
        return tuple(self.nodes[i] for i in np.flatnonzero(mask))

    def _reached(self, steps: np.ndarray, name: str) -> tuple[str, ...]:
        start = self.index(name)
        seen = np.zeros(len(self.nodes), dtype=bool)
        border = steps[start].copy()
        while (border & ~seen).any():
            seen |= border
            border = steps[border].any(axis=0)
        seen[start] = False
        return self._named(seen)


def _as_edge(edge: Edge | str | Sequence[str]) -> Edge:
    if isinstance(edge, Edge):
        return edge
    if isinstance(edge, str):
        return parse_edge(edge)
    return Edge(*map(str, edge))  # type: ignore[arg-type]


def _ordered(edge: Edge, place: Mapping[str, int]) -> Edge:
    """Check an edge; directed ones run from tail to arrow, others in the order of the nodes."""
    unknown = [name for name in (edge.source, edge.target) if name not in place]
    if unknown:
        raise InputError(
            f"edges: {unknown[0]!r} is not among the nodes {join_names([*place], 12)}."
        )
    if edge.source == edge.target:
        raise InputError(f"edges: {edge.source!r} is joined to itself.")
    if {edge.source_mark, edge.target_mark} - set(MARKS):
        raise InputError(f"edges: marks must be {join_names(MARKS)}, found {tuple(edge)[2:]}.")
    turned = Edge(edge.target, edge.source, edge.target_mark, edge.source_mark)
    if edge.is_directed:
        return edge if edge.source_mark == "tail" else turned
    return edge if place[edge.source] < place[edge.target] else turned
