"""Known causes from a graph: the observed parents of the outcome."""

from collections.abc import Iterable
from typing import Any

from shiftlab.exceptions import InputError

__all__ = ["observed_causes"]


def observed_causes(graph: Any, target: str, *, observed: Iterable[str] | None = None) -> list[str]:
    """Parents of the outcome in a causal graph, for ``always_include``.

    Parameters
    ----------
    graph : directed graph, mapping, or result of a discovery
        A networkx ``DiGraph``; a mapping of nodes to their parents; or an object with
        ``to_networkx()`` or ``parents(node)``.
    target : str
        The outcome.
    observed : iterable of str, optional
        Columns that exist; parents outside are left out.

    Returns
    -------
    list of str
        Sorted names.

    Raises
    ------
    InputError
        If the graph is of another kind or does not hold the target.

    Examples
    --------
    >>> from shiftlab.adaptation import observed_causes
    >>> observed_causes({"y": ["dose", "age", "hidden"], "dose": ["age"]}, "y",
    ...                 observed=["age", "dose"])
    ['age', 'dose']
    """
    found = sorted(map(str, _parents(graph, target)))
    if observed is None:
        return found
    known = set(map(str, observed))
    return [name for name in found if name in known]


def _parents(graph: Any, target: str) -> Iterable[Any]:
    if isinstance(graph, dict):
        if target not in graph:
            raise InputError(f"graph has no node {target!r}.")
        return list(graph[target])
    if hasattr(graph, "predecessors"):
        if target not in graph:
            raise InputError(f"graph has no node {target!r}.")
        return list(graph.predecessors(target))
    if hasattr(graph, "parents"):
        return list(graph.parents(target))
    if hasattr(graph, "to_networkx"):
        return _parents(graph.to_networkx(), target)
    raise InputError(
        "graph must be a networkx DiGraph, a mapping of nodes to parents, or have parents(node); "
        f"found {type(graph).__name__}."
    )
