"""Arguments of every public function of `shiftlab.graphs`."""

from shiftlab.graphs import MixedGraph, from_networkx

DAG = MixedGraph("abc", ["a -> b", "b -> c"])
OTHER = MixedGraph("abc", ["a -> b", "c -> b"])
PARTIAL = MixedGraph("abc", ["a -> b", "b -- c"])
THEIRS = DAG.to_causallearn()
NETWORK = DAG.to_networkx()
from_networkx(NETWORK)  # networkx keeps its views once they were asked for

CALLS = {
    "compare_graphs": ((PARTIAL, DAG), {}),
    "cpdag": ((DAG,), {}),
    "d_separated": ((DAG, "a", "c", ["b"]), {}),
    "dag_extension": ((PARTIAL,), {}),
    "from_causallearn": ((THEIRS,), {}),
    "from_networkx": ((NETWORK,), {}),
    "meek_closure": ((PARTIAL,), {}),
    "structural_hamming_distance": ((PARTIAL, DAG), {}),
    "structural_intervention_distance": ((OTHER, DAG), {}),
    "to_causallearn": ((PARTIAL,), {}),
    "to_dot": ((PARTIAL,), {}),
    "to_graphml": ((PARTIAL,), {}),
    "to_networkx": ((PARTIAL,), {}),
}
