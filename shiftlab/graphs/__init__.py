"""Graphs with tails, arrows and circles; separation, orientation rules, knowledge, distances.

Methods of causal discovery return a `MixedGraph`; `Knowledge` says what is known beforehand.
"""

from shiftlab.graphs._compare import (
    GraphComparison,
    compare_graphs,
    structural_hamming_distance,
    structural_intervention_distance,
)
from shiftlab.graphs._convert import (
    from_causallearn,
    from_networkx,
    to_causallearn,
    to_networkx,
)
from shiftlab.graphs._equivalence import cpdag, dag_extension
from shiftlab.graphs._graph import MixedGraph
from shiftlab.graphs._knowledge import Knowledge
from shiftlab.graphs._marks import Edge, Mark
from shiftlab.graphs._meek import meek_closure
from shiftlab.graphs._separation import d_separated
from shiftlab.graphs._text import to_dot, to_graphml

__all__ = [
    "Edge",
    "GraphComparison",
    "Knowledge",
    "Mark",
    "MixedGraph",
    "compare_graphs",
    "cpdag",
    "d_separated",
    "dag_extension",
    "from_causallearn",
    "from_networkx",
    "meek_closure",
    "structural_hamming_distance",
    "structural_intervention_distance",
    "to_causallearn",
    "to_dot",
    "to_graphml",
    "to_networkx",
]
