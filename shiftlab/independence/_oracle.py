"""The oracle: answers read off a known graph instead of data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shiftlab._core.frames import Column, as_table
from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.independence._indexed import IndexedTest
from shiftlab.independence._protocol import CIResult, Outcome
from shiftlab.independence._variables import Variable

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Oracle"]


class Oracle:
    """Independence by d-separation in a directed acyclic graph.

    For the study of what a search would find with unlimited data: p-values are 0 (dependent) or 1.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic. It may hold nodes that are never asked about: hidden causes.

    References
    ----------
    .. [1] J. Pearl, "Causality", 2nd edition, 2009, section 1.2.3.

    Examples
    --------
    >>> import networkx as nx
    >>> from shiftlab.independence import Oracle
    >>> oracle = Oracle(nx.DiGraph([("a", "b"), ("b", "c")]))
    >>> oracle.test("a", "c").pvalue, oracle.test("a", "c", ["b"]).pvalue
    (0.0, 1.0)
    """

    def __init__(self, graph: "nx.DiGraph") -> None:
        import networkx as nx

        if not (isinstance(graph, nx.DiGraph) and nx.is_directed_acyclic_graph(graph)):
            raise InputError("graph must be an acyclic networkx.DiGraph.")
        self.graph = graph

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "oracle"

    def test(self, x: Any, y: Any, z: Any = None) -> CIResult:
        """Test node `x` independent of node `y` given nodes `z`.

        Parameters
        ----------
        x, y : node
            Nodes of the graph.
        z : node or sequence of nodes, optional
            The conditioning set.

        Returns
        -------
        CIResult
        """
        given = [] if z is None else [z] if isinstance(z, str) else list(z)
        nodes = [x, y, *given]
        self._check_nodes(nodes)
        return self._indexed(nodes, 1).test(0, 1, range(2, len(nodes)))

    def fit(self, data: Any = None, *, missing: str = "raise") -> IndexedTest:
        """Prepare the graph for questions by number.

        Parameters
        ----------
        data : table or sequence of nodes, optional
            Its columns, or the nodes themselves, are the variables in that order; default is all
            nodes of the graph.
        missing : {"raise", "pairwise"}, default "raise"
            Without meaning here: no data are read.

        Returns
        -------
        IndexedTest
        """
        n_rows = 1
        if data is None:
            nodes = list(self.graph)
        elif isinstance(data, (list, tuple)) and all(node in self.graph for node in data):
            nodes = list(data)
        else:
            table = as_table(data)
            nodes, n_rows = list(table.names), table.n_rows
        self._check_nodes(nodes)
        return self._indexed(nodes, n_rows)

    def _check_nodes(self, nodes: Sequence[Any]) -> None:
        absent = [node for node in nodes if node not in self.graph]
        if absent:
            raise InputError(f"The graph has no node {join_names(absent)}.")

    def _indexed(self, nodes: Sequence[Any], n_rows: int) -> IndexedTest:
        import numpy as np

        blank = np.zeros(n_rows)
        variables = tuple(Variable(str(n), (Column(str(n), "numeric", blank),)) for n in nodes)
        engine = _Separation(self.graph, list(nodes))
        return IndexedTest(self.name, variables, lambda _: engine)


class _Separation:
    """The engine of the oracle."""

    effect_name = "1 if connected, 0 if separated"
    pvalue_method = "d-separation"

    def __init__(self, graph: "nx.DiGraph", nodes: list[Any]) -> None:
        self._graph = graph
        self._nodes = nodes

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question."""
        import networkx as nx

        rest = {self._nodes[k] for k in given}
        separated = nx.is_d_separator(self._graph, {self._nodes[i]}, {self._nodes[j]}, rest)
        connected = 0.0 if separated else 1.0
        return Outcome(connected, 1.0 - connected, connected)
