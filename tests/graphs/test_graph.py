import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlab.exceptions import InputError
from shiftlab.graphs import (
    Edge,
    MixedGraph,
    compare_graphs,
    cpdag,
    d_separated,
    dag_extension,
    from_causallearn,
    from_networkx,
    meek_closure,
    structural_hamming_distance,
    structural_intervention_distance,
    to_networkx,
)

MARKED = ["a -> b", "b -- c", "c <-> d", "d o-> e", "e o-o f", "f o-- g"]


@pytest.fixture
def mixed():
    return MixedGraph("abcdefg", MARKED)


def random_graph(seed, n=6, p=0.4):
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    names = [f"v{i}" for i in range(n)]
    pairs = [(names[order[i]], names[order[j]]) for i in range(n) for j in range(i + 1, n)]
    return MixedGraph(names, [pair for pair in pairs if rng.random() < p])


def random_marks(seed, n=5):
    rng = np.random.default_rng(seed)
    marks = np.triu(rng.integers(0, 4, (n, n)), 1)
    other = rng.integers(1, 4, (n, n)).T
    return MixedGraph.from_marks([f"v{i}" for i in range(n)], marks + (other * (marks.T > 0)))


def test_edges_are_read_in_every_form(mixed):
    assert [str(e) for e in mixed.edges] == [
        "a -> b", "b -- c", "c <-> d", "d o-> e", "e o-o f", "f o-- g",
    ]  # fmt: skip
    assert MixedGraph("ab", ["b <- a"]) == MixedGraph("ab", [("a", "b")])
    assert MixedGraph("ab", ["b --> a"]) == MixedGraph("ab", [Edge("a", "b", "arrow", "tail")])


def test_names_with_arrows_and_spaces_inside():
    graph = MixedGraph(["blood pressure", "a-b"], ["blood pressure -> a-b"])
    assert graph.parents("a-b") == ("blood pressure",)


def test_relatives():
    graph = MixedGraph("abcde", ["a -> b", "b -> c", "b -- d", "c <-> e"])
    assert graph.ancestors("c") == ("a", "b")
    assert graph.descendants("a") == ("b", "c")
    assert graph.neighbors("b") == ("a", "c", "d")
    assert graph.undirected_neighbors("d") == ("b",)
    assert graph.children("b") == ("c",)
    assert not graph.is_dag
    assert graph.edge("a", "e") is None
    assert graph.has_edge("e", "c")


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ("aab", [], "repeated"),
        ("ab", ["a -> c"], "not among"),
        ("ab", ["a -> a"], "itself"),
        ("ab", ["a -> b", "b -> a"], "two edges"),
        ("ab", ["a causes b"], "is no edge"),
        ("ab", [Edge("a", "b", "star", "tail")], "marks must be"),
    ],
)
def test_bad_graphs_are_refused(nodes, edges, message):
    with pytest.raises(InputError, match=message):
        MixedGraph(nodes, edges)


def test_unknown_node_is_named():
    with pytest.raises(InputError, match="no node 'z'"):
        MixedGraph("ab").parents("z")


@given(st.integers(0, 10_000))
def test_every_converter_gives_the_graph_back(seed):
    graph = random_marks(seed)
    assert from_networkx(to_networkx(graph)) == graph
    assert MixedGraph.from_dict(json.loads(graph.to_json())) == graph
    assert from_networkx(nx.parse_graphml(graph.to_graphml())) == graph
    assert MixedGraph.from_marks(graph.nodes, graph.marks) == graph


@given(st.integers(0, 10_000))
def test_causallearn_gives_the_graph_back(seed):
    pytest.importorskip("causallearn")
    graph = random_marks(seed)
    assert from_causallearn(graph.to_causallearn()) == graph


def test_plain_networkx_graphs_are_read():
    assert from_networkx(nx.Graph([("a", "b")])).edges[0].is_undirected
    assert from_networkx(nx.DiGraph([("a", "b"), ("b", "a")])).edges[0].is_undirected
    with pytest.raises(InputError, match="several edges"):
        from_networkx(nx.MultiDiGraph([("a", "b")]))
    with pytest.raises(InputError, match="causal-learn"):
        from_causallearn("graph")


def test_text_formats_escape_names():
    graph = MixedGraph(['say "x"', "a<b>&c"], [('say "x"', "a<b>&c")])
    assert '"say \\"x\\""' in graph.to_dot()
    assert from_networkx(nx.parse_graphml(graph.to_graphml())) == graph


@given(st.integers(0, 10_000))
def test_separation_agrees_with_networkx(seed):
    graph = random_graph(seed)
    rng = np.random.default_rng(seed + 1)
    names = rng.permutation(graph.nodes)
    given_nodes = list(names[2 : 2 + rng.integers(0, 4)])
    theirs = nx.is_d_separator(to_networkx(graph), {names[0]}, {names[1]}, set(given_nodes))
    assert d_separated(graph, names[0], names[1], given_nodes) == theirs


def test_separation_with_hidden_causes():
    graph = MixedGraph("abc", ["a <-> b", "b <-> c"])
    assert d_separated(graph, "a", "c")
    assert not d_separated(graph, "a", "c", ["b"])
    with pytest.raises(InputError, match="undecided"):
        d_separated(MixedGraph("ab", ["a -- b"]), "a", "b")
    with pytest.raises(InputError, match="share"):
        d_separated(graph, "a", "a")


@given(st.integers(0, 10_000))
def test_cpdag_agrees_with_causallearn_and_extends_to_its_class(seed):
    dag2cpdag = pytest.importorskip("causallearn.utils.DAG2CPDAG").dag2cpdag
    graph = random_graph(seed, n=6)
    ours = cpdag(graph)
    assert ours == from_causallearn(dag2cpdag(graph.to_causallearn()))
    assert cpdag(dag_extension(ours)) == ours
    assert meek_closure(ours) == ours


def test_no_extension_exists():
    square = MixedGraph("abcd", ["a -- b", "b -- c", "c -- d", "a -- d"])
    with pytest.raises(InputError, match="no directed graph"):
        dag_extension(square)
    with pytest.raises(InputError, match="without cycles"):
        cpdag(square)


@pytest.mark.parametrize(
    ("edges", "follows"),
    [
        (["a -> b", "b -- c"], ("b", "c")),
        (["a -> b", "b -> c", "a -- c"], ("a", "c")),
        (["a -- b", "a -- c", "a -- d", "b -> d", "c -> d"], ("a", "d")),
        (["a -- b", "a -- c", "a -- d", "b -> c", "c -> d"], ("a", "d")),
    ],
)
def test_each_rule(edges, follows):
    assert follows[0] in meek_closure(MixedGraph("abcd", edges)).parents(follows[1])


def test_rules_close_no_cycle():
    contradictory = MixedGraph("abc", ["a -> b", "b -> c", "c -- a"])
    assert not meek_closure(contradictory).has_cycle
    assert MixedGraph("abc", ["a -> b", "b -> c", "c -> a"]).has_cycle


def test_comparison_counts_by_hand():
    truth = MixedGraph("abcd", ["a -> b", "b -> c", "c -> d"])
    estimate = MixedGraph("dcba", ["a -> b", "c -> b", "d -- c", "a -> d"])
    found = compare_graphs(estimate, truth)
    assert found.skeleton_recall == 1
    assert found.skeleton_precision == 0.75
    assert found.direction_precision == pytest.approx(1 / 3)
    assert found.hamming_distance == 3
    assert found.turned == ("c -> b",)
    assert found.undecided == ("c -> d",)
    assert found.missing == ()
    assert found.extra == ("a -> d",)
    with pytest.raises(InputError, match="different nodes"):
        compare_graphs(truth, MixedGraph("ab"))


@given(st.integers(0, 10_000))
def test_distances_vanish_exactly_on_the_diagonal(seed):
    a, b = random_graph(seed), random_graph(seed + 1)
    assert structural_hamming_distance(a, a) == structural_intervention_distance(a, a) == 0
    assert structural_hamming_distance(a, b) == structural_hamming_distance(b, a)
    # A supergraph never errs: its parents are a valid adjustment set.
    order = np.argsort([len(a.ancestors(n)) for n in a.nodes], kind="stable")
    full = [(a.nodes[i], a.nodes[j]) for k, i in enumerate(order) for j in order[k + 1 :]]
    assert structural_intervention_distance(MixedGraph(a.nodes, full), a) == 0


def test_intervention_distance_of_the_published_example():
    # Peters and Buehlmann (2015), figure 1: X1, X2 -> Y1, Y2, Y3 and X1 -> X2.
    names = ["x1", "x2", "y1", "y2", "y3"]
    common = [(x, y) for x in names[:2] for y in names[2:]]
    truth = MixedGraph(names, [("x1", "x2"), *common])
    one_more = MixedGraph(names, [("x1", "x2"), ("y1", "y2"), *common])
    reversed_x = MixedGraph(names, [("x2", "x1"), *common])
    assert structural_intervention_distance(one_more, truth) == 0
    assert structural_intervention_distance(reversed_x, truth) == 8
    assert structural_hamming_distance(one_more, truth) == 1


def test_picture_draws_every_mark(mixed):
    import matplotlib.pyplot as plt

    axes = mixed.plot(highlight=["b"], support={frozenset("ab"): 0.7}, title="marks")
    assert {t.get_text() for t in axes.texts} >= {*"abcdefg", "70"}
    plt.close("all")
    MixedGraph("abc", ["a -> b", "b -> c", "c -> a"]).plot()
    plt.close("all")
