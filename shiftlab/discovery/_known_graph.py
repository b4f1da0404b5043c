"""A graph that is given: who the parents of each variable are."""

from collections.abc import Mapping
from typing import Any

from shiftlab._core.frames import Table
from shiftlab._core.names import join_names
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.graphs import MixedGraph

__all__ = ["known_parents"]


def known_parents(graph: Any, table: Table) -> dict[str, tuple[str, ...]]:
    """Return the parents of each variable of a given graph.

    Parameters
    ----------
    graph : networkx.DiGraph, MixedGraph, or mapping of str to sequence of str
        Directed edges; a mapping tells the parents of each variable.
    table : Table
        Must hold every variable and parent; columns outside the graph are left out.

    Returns
    -------
    dict of str to tuple of str
        Variables and parents in the order of the table.
    """
    if isinstance(graph, Mapping):
        listed = {str(v): {str(p) for p in parents} for v, parents in graph.items()}
    elif isinstance(graph, MixedGraph):
        listed = {name: set(graph.parents(name)) for name in graph.nodes}
    elif hasattr(graph, "predecessors"):
        listed = {str(v): {str(p) for p in graph.predecessors(v)} for v in graph}
    else:
        raise InputError(
            "graph must be a networkx.DiGraph, a MixedGraph or a mapping from each variable to "
            f"its parents, found {type(graph).__name__}."
        )
    unknown = sorted({name for v, p in listed.items() for name in (v, *p)} - {*table.names})
    if unknown:
        raise ColumnNotFoundError(f"The table has no column {join_names(unknown)} of the graph.")
    if not listed:
        raise InputError("graph has no variables.")
    return {
        name: tuple(p for p in table.names if p in listed[name] and p != name)
        for name in table.names
        if name in listed
    }
