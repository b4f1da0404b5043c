"""With an oracle in place of tests the first phases must find exactly what is identified."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlab.discovery import CDNOD
from shiftlab.graphs import (
    Edge,
    Knowledge,
    MixedGraph,
    cpdag,
    meek_closure,
)
from shiftlab.independence import Oracle
from shiftlab.independence._protocol import Outcome

ROOT = "site"


def world(seed, n=6, p=0.35):
    """Return a DAG with a root that enters some mechanisms."""
    rng = np.random.default_rng(seed)
    names = [f"v{i}" for i in range(n)]
    order = rng.permutation(names)
    pairs = [(order[i], order[j]) for i in range(n) for j in range(i + 1, n)]
    edges = [pair for pair in pairs if rng.random() < p]
    changing = [name for name in names if rng.random() < 0.5]
    graph = MixedGraph([*names, ROOT], [*edges, *((ROOT, name) for name in changing)])
    return graph, changing


def table(names, seed=0, n=40):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(n, len(names))), columns=list(names))


def labels(n=40):
    return pd.Series(np.repeat(["a", "b", "c", "d"], n // 4), name=ROOT)


def identified(graph):
    """Direct the class of the augmented graph by what is known of its root."""
    edges = [
        Edge(ROOT, e.target if e.source == ROOT else e.source) if ROOT in e[:2] else e
        for e in cpdag(graph).edges
    ]
    return meek_closure(MixedGraph(graph.nodes, edges))


@settings(max_examples=25)
@given(st.integers(0, 100_000))
def test_first_two_phases_find_what_is_identified(seed):
    graph, changing = world(seed)
    names = graph.nodes[:-1]
    oracle = Oracle(graph.to_networkx())
    model = CDNOD(oracle, orient="invariance", max_cond=5).fit(table(names), environment=labels())
    assert model.changing_ == changing
    assert model.augmented_graph_ == identified(graph)
    assert model.conflicts_ == ()


@settings(max_examples=10)
@given(st.integers(0, 100_000))
def test_knowledge_is_obeyed_and_saves_tests(seed):
    graph, _ = world(seed)
    names = list(graph.nodes[:-1])
    inner = graph.subgraph(names).to_networkx()
    order = list(nx.lexicographical_topological_sort(inner))
    known = Knowledge(tiers=[order[:3], order[3:]])
    options = {"orient": "invariance", "max_cond": 5}
    oracle = Oracle(graph.to_networkx())
    free = CDNOD(oracle, **options).fit(table(names), environment=labels())
    told = CDNOD(oracle, knowledge=known, **options).fit(table(names), environment=labels())
    assert told.graph_.skeleton() == graph.subgraph(names).skeleton()
    assert told.n_tests_ <= free.n_tests_
    for edge in told.graph_.edges:
        assert known.may_cause(edge.source, edge.target)
        if known.decided(edge.source, edge.target):
            assert edge.is_directed


def test_forbidden_and_required_pairs_are_never_tested():
    names = ["a", "b", "c"]
    graph = MixedGraph([*names, ROOT], ["a -> b", "b -> c", (ROOT, "a")])
    known = {
        "required": [("a", "c")],
        "forbidden": [("b", "c"), ("c", "b")],
        "unchanging": ["c"],
        "changing": ["b"],
    }
    model = CDNOD(Oracle(graph.to_networkx()), knowledge=known)
    model.fit(table(names), environment=labels())
    assert model.graph_.has_edge("a", "c")
    assert not model.graph_.has_edge("b", "c")
    assert model.changing_ == ["a", "b"]
    tested = {frozenset(item[:2]) for item in model.result_.test_paths if item[2]}
    assert tested == {frozenset("ab"), frozenset(["a", ROOT])}
    assert model.edge_reasons_["a", "c"].pvalue is None
    assert model.edge_reasons_["a", "c"].rule == "knowledge"


def test_reasons_name_the_argument():
    graph = MixedGraph(["a", "b", "c", ROOT], ["a -> c", "b -> c", (ROOT, "a")])
    model = CDNOD(Oracle(graph.to_networkx())).fit(table("abc"), environment=labels())
    reasons = model.edge_reasons_
    assert reasons[ROOT, "a"].rule == "environment"
    assert reasons["a", "c"].rule in ("collider", "invariance")
    assert reasons["b", "c"].rule == "collider"
    assert "not given c" in reasons["b", "c"].text
    assert model.separating_sets_[frozenset("ab")] == ()
    assert model.separating_sets_[frozenset(["c", ROOT])] == ("a",)
    assert model.tests_by_size_[0] == 6


def test_pseudo_confounded_pair_is_separated_by_the_environment():
    # A common cause that is a function of the environment only: no edge between a and b.
    graph = MixedGraph(["a", "b", ROOT], [(ROOT, "a"), (ROOT, "b")])
    model = CDNOD(Oracle(graph.to_networkx())).fit(table("ab"), environment=labels())
    assert model.graph_.edges == ()
    assert model.changing_ == ["a", "b"]
    assert model.separating_sets_[frozenset("ab")] == (ROOT,)


def test_skeleton_only():
    graph, _ = world(3)
    names = graph.nodes[:-1]
    model = CDNOD(Oracle(graph.to_networkx()), orient="skeleton", max_cond=5)
    model.fit(table(names), environment=labels())
    assert model.augmented_graph_ == graph.skeleton()
    assert model.result_.driving_forces == ()


@pytest.mark.parametrize("max_cond", [0, 1])
def test_conditioning_sets_are_no_larger_than_asked(max_cond):
    graph, _ = world(5)
    model = CDNOD(Oracle(graph.to_networkx()), max_cond=max_cond)
    model.fit(table(graph.nodes[:-1]), environment=labels())
    # One more to tell a collider from a chain.
    assert max(model.tests_by_size_) <= max_cond + 1


class Overlooks(Oracle):
    """Sees one pair as independent given a single variable, or given any."""

    def __init__(self, graph, pair, always=False):
        super().__init__(graph)
        self.pair, self.always = set(pair), always

    def _indexed(self, nodes, n_rows):
        tests = super()._indexed(nodes, n_rows)
        pair, engine = {nodes.index(name) for name in self.pair}, tests._engine((0, 1, ()))[0]
        plain = engine.evaluate

        def evaluate(i, j, given):
            single = len(given) == 1 and nodes[given[0]] != ROOT
            weak = {i, j} == pair and (single or (self.always and given))
            return Outcome(0.0, 0.1, 0.0) if weak else plain(i, j, given)

        engine.evaluate = evaluate
        return tests


CAUSES = MixedGraph(
    ["a", "b", "c", "d", "y", "z", ROOT],
    ["a -> y", "b -> y", "c -> y", "d -> y", "y -> z", f"{ROOT} -> a", f"{ROOT} -> b"],
)


def test_an_edge_lost_among_many_causes_comes_back():
    names = CAUSES.nodes[:-1]
    forgetful = Overlooks(CAUSES.to_networkx(), ("a", "y"))
    model = CDNOD(forgetful, max_cond=2).fit(table(names), environment=labels())
    assert str(model.graph_.edge("a", "y")) == "a -> y"
    reason = model.edge_reasons_["a", "y"]
    assert reason.restored
    assert reason.pvalue == 0.1
    assert reason.text.endswith("dependent given all causes found")
    assert frozenset("ay") not in model.separating_sets_
    assert [r.target for r in model.result_.edges if r.restored] == ["y"]
    small = CDNOD(forgetful, max_cond=1).fit(table(names), environment=labels())
    assert not small.graph_.has_edge("a", "y")


def test_a_pair_that_no_set_joins_stays_apart():
    names = CAUSES.nodes[:-1]
    blind = Overlooks(CAUSES.to_networkx(), ("a", "y"), always=True)
    model = CDNOD(blind).fit(table(names), environment=labels())
    assert not model.graph_.has_edge("a", "y")
    assert not any(reason.restored for reason in model.result_.edges)
