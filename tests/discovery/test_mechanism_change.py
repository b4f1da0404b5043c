"""Which mechanisms of a known graph differ, by how much."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from shiftlab.discovery import mechanism_changes
from shiftlab.exceptions import ColumnNotFoundError, DegenerateDataError, InputError
from shiftlab.graphs import from_networkx

GRAPH = nx.DiGraph([("a", "b"), ("a", "c"), ("b", "c"), ("b", "k")])


def data(seed, n=300, site=2):
    rng = np.random.default_rng(seed)
    e = np.repeat(np.arange(site), n)
    a = rng.normal(size=site * n) + (e == 1)
    b = np.sin(a) + 0.5 * (e == 1) + 0.5 * rng.normal(size=site * n)
    c = b**2 + a + np.where(e == 1, 2.0, 1.0) * rng.normal(size=site * n)
    k = np.where(rng.random(site * n) < 1 / (1 + np.exp(-b)), "u", "v")
    return pd.DataFrame({"a": a, "b": b, "c": c, "k": k, "site": np.array(list("pqr"))[e]})


def test_shifts_and_spreads_are_covered_and_the_rest_is_left_alone():
    covered, alarms = [], []
    for seed in range(25):
        table = data(seed)
        found = mechanism_changes(table, GRAPH, environment="site")
        by_name = {m.variable: m for m in found.changes}
        b, c, k = (by_name[v] for v in "bck")
        truth = 0.5 / table["b"].std()
        covered.append(
            [
                b.shift_low <= truth <= b.shift_high,
                c.shift_low <= 0 <= c.shift_high,
                k.shift_low <= 0 <= k.shift_high,
                b.spread_low <= 0 <= b.spread_high,
                c.spread_low <= np.log(2) <= c.spread_high,
            ]
        )
        assert all(by_name[v].pvalue < 1e-4 for v in "ab")
        assert c.pvalue < 0.05
        alarms.append(k.pvalue <= 0.05)
    assert (np.mean(covered, axis=0) >= 0.8).all()
    assert np.mean(alarms) <= 0.2


def test_graphs_of_any_kind_and_environments_as_an_array():
    table = data(0)
    expected = mechanism_changes(table, GRAPH, environment="site")
    assert expected.changed == ("a", "b", "c")
    parents = {v: list(GRAPH.predecessors(v)) for v in GRAPH}
    assert mechanism_changes(table, parents, environment="site").to_json() == expected.to_json()
    mixed = mechanism_changes(table, from_networkx(GRAPH), environment="site")
    assert mixed.to_json() == expected.to_json()
    outside = mechanism_changes(table.drop(columns="site"), GRAPH, environment=table["site"])
    assert outside.to_json() == expected.to_json()


def test_several_environments_with_and_without_a_reference():
    table = data(1, site=3)
    others = mechanism_changes(table, GRAPH, environment="site")
    assert {(c.environment, c.reference) for c in others.changes} == {
        (s, "all others") for s in "pqr"
    }
    based = mechanism_changes(table, GRAPH, environment="site", reference="q")
    assert {(c.environment, c.reference) for c in based.changes} == {("p", "q"), ("r", "q")}
    assert set(based.changed) == {"a", "b", "c"}
    assert based.changes[1].shift < 0
    calm = mechanism_changes(table[table["site"] != "q"], GRAPH, environment="site")
    assert len(calm.changed) <= 1


def test_bad_input():
    table = data(0)
    with pytest.raises(ColumnNotFoundError, match="nowhere"):
        mechanism_changes(table, {"a": ["nowhere"]}, environment="site")
    with pytest.raises(InputError, match="graph must be"):
        mechanism_changes(table, 7, environment="site")
    with pytest.raises(DegenerateDataError, match="fewer than"):
        mechanism_changes(table.iloc[290:], GRAPH, environment="site")
    with pytest.raises(InputError):
        mechanism_changes(table.assign(a=np.nan), GRAPH, environment="site")
    flat = mechanism_changes(table.assign(b=1.0), {"b": ["a"]}, environment="site").changes[0]
    assert (flat.pvalue, flat.changed) == (1.0, False)
