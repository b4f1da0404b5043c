"""Marks at the ends of edges, and edges as text.

Inside algorithms a graph is a square array `marks` of small integers: ``marks[i, j]`` is the mark
at `j` of the edge between `i` and `j`, 0 where there is none. ``i -> j`` is therefore
``marks[i, j] == ARROW`` and ``marks[j, i] == TAIL``.
"""

import re
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from shiftlab.exceptions import InputError

__all__ = [
    "ARROW",
    "CIRCLE",
    "MARKS",
    "NO_EDGE",
    "TAIL",
    "Edge",
    "Mark",
    "directed",
    "has_cycle",
    "parse_edge",
    "set_directed",
    "undirected",
]

Mark: TypeAlias = Literal["tail", "arrow", "circle"]
NO_EDGE, TAIL, ARROW, CIRCLE = 0, 1, 2, 3
MARKS: tuple[Mark, ...] = ("tail", "arrow", "circle")
_LEFT = {"tail": "", "arrow": "<", "circle": "o"}
_RIGHT = {"tail": "", "arrow": ">", "circle": "o"}
_PATTERN = re.compile(r"^(?P<a>.+?)\s+(?P<left>[<o]?)-+(?P<right>[>o]?)\s+(?P<b>.+)$")


class Edge(NamedTuple):
    """An edge and the marks at its two ends.

    Attributes
    ----------
    source, target : str
        The nodes it joins; of a directed edge the cause and the effect.
    source_mark, target_mark : {"tail", "arrow", "circle"}
        ``a -> b`` has a tail at `a` and an arrow at `b`; ``a -- b`` has two tails, ``a <-> b`` two
        arrows; a circle is an end that is not known.

    Examples
    --------
    >>> from shiftlab.graphs import Edge
    >>> edge = Edge("smoking", "cancer")
    >>> str(edge), edge.is_directed
    ('smoking -> cancer', True)
    """

    source: str
    target: str
    source_mark: Mark = "tail"
    target_mark: Mark = "arrow"

    @property
    def is_directed(self) -> bool:
        """Whether one end is a tail and the other an arrow."""
        return {self.source_mark, self.target_mark} == {"tail", "arrow"}

    @property
    def is_undirected(self) -> bool:
        """Whether both ends are tails: the direction is not decided."""
        return self.source_mark == self.target_mark == "tail"

    @property
    def is_bidirected(self) -> bool:
        """Whether both ends are arrows: neither causes the other."""
        return self.source_mark == self.target_mark == "arrow"

    def __str__(self) -> str:
        left, right = _LEFT[self.source_mark], _RIGHT[self.target_mark]
        return f"{self.source} {left}-{right or '-'} {self.target}"


def parse_edge(text: str) -> Edge:
    """Read an edge such as ``"a -> b"``, ``"a -- b"``, ``"a <-> b"`` or ``"a o-> b"``."""
    found = _PATTERN.match(text.strip())
    if found is None:
        raise InputError(
            f"edges: {text!r} is no edge; write for instance 'a -> b', 'a -- b', 'a <-> b' or "
            "'a o-> b' with spaces around the arrow."
        )
    marks: dict[str, Mark] = {"": "tail", "<": "arrow", ">": "arrow", "o": "circle"}
    left, right = marks[found["left"]], marks[found["right"]]
    return Edge(found["a"].strip(), found["b"].strip(), left, right)


def directed(marks: np.ndarray) -> np.ndarray:
    """Return the boolean array of directed edges: entry (i, j) says ``i -> j``."""
    return np.asarray((marks == ARROW) & (marks.T == TAIL))


def undirected(marks: np.ndarray) -> np.ndarray:
    """Return the boolean array of undirected edges."""
    return np.asarray((marks == TAIL) & (marks.T == TAIL))


def set_directed(marks: np.ndarray, i: int, j: int) -> None:
    """Make the edge between `i` and `j` point from `i` to `j`, in place."""
    marks[i, j], marks[j, i] = ARROW, TAIL


def has_cycle(arrows: np.ndarray) -> bool:
    """Tell whether a boolean adjacency array (entry (i, j): i -> j) has a directed cycle."""
    left = np.ones(len(arrows), dtype=bool)
    while left.any():
        sources = left & ~(arrows & left[:, None]).any(axis=0)
        if not sources.any():
            return True
        left &= ~sources
    return False
