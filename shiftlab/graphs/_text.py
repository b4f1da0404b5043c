"""Graphs as text for other programs: Graphviz and GraphML."""

import json
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from shiftlab.graphs._graph import MixedGraph

__all__ = ["to_dot", "to_graphml"]

_SHAPE = {"tail": "none", "arrow": "normal", "circle": "odot"}


def to_dot(graph: MixedGraph) -> str:
    """Return a graph in the language of Graphviz.

    Parameters
    ----------
    graph : MixedGraph
        Any marks.

    Returns
    -------
    str
        A ``digraph``.

    Raises
    ------
    InputError
        Never for a valid graph.

    Examples
    --------
    >>> from shiftlab.graphs import MixedGraph, to_dot
    >>> print(to_dot(MixedGraph("ab", ["a -> b"])))
    digraph {
      rankdir=LR;
      node [shape=box, style=rounded];
      "a";
      "b";
      "a" -> "b";
    }
    """
    lines = [f"  {_quoted(name)};" for name in graph.nodes]
    for edge in graph.edges:
        ends = (
            f"dir=both, arrowtail={_SHAPE[edge.source_mark]}, arrowhead={_SHAPE[edge.target_mark]}"
        )
        style = "" if edge.is_directed else f" [{ends}]"
        lines.append(f"  {_quoted(edge.source)} -> {_quoted(edge.target)}{style};")
    head = ["digraph {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    return "\n".join([*head, *lines, "}"])


def to_graphml(graph: MixedGraph) -> str:
    """Return a graph as a GraphML document, for instance for Gephi, yEd or Cytoscape.

    Parameters
    ----------
    graph : MixedGraph
        Any marks.

    Returns
    -------
    str
        XML; every edge once, with the marks of both ends as attributes.

    Raises
    ------
    InputError
        Never for a valid graph.

    Examples
    --------
    >>> import networkx as nx
    >>> from shiftlab.graphs import MixedGraph, from_networkx, to_graphml
    >>> graph = MixedGraph("abc", ["a -> b", "b -- c"])
    >>> from_networkx(nx.parse_graphml(to_graphml(graph))) == graph
    True
    """
    root = Element("graphml", xmlns="http://graphml.graphdrawing.org/xmlns")
    for key in ("source_mark", "target_mark"):
        SubElement(root, "key", {"id": key, "for": "edge", "attr.name": key, "attr.type": "string"})
    body = SubElement(root, "graph", edgedefault="directed")
    for name in graph.nodes:
        SubElement(body, "node", id=name)
    for edge in graph.edges:
        element = SubElement(body, "edge", source=edge.source, target=edge.target)
        for key in ("source_mark", "target_mark"):
            SubElement(element, "data", key=key).text = getattr(edge, key)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode")


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
