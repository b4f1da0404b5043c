"""``shiftlab discover`` end to end."""

import json
import re

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from shiftlab.cli import main
from shiftlab.graphs import MixedGraph, from_networkx


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    site = np.repeat([f"s{k}" for k in range(8)], 40)
    dose = np.repeat(rng.normal(size=8), 40) + rng.normal(size=320)
    risk = dose + 0.5 * rng.normal(size=320)
    frame = pd.DataFrame({"id": range(320), "site": site, "dose": dose, "risk": risk})
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.to_csv(path, index=False)
    return str(path)


def run(table, out, *words):
    fixed = ["--environment", "site", "--exclude", "id", "--test", "fisher_z", "--quiet"]
    return main(["discover", table, *fixed, "--out", str(out), *words])


def test_writes_every_file(table, tmp_path, capsys):
    assert run(table, tmp_path) == 0
    document = json.loads((tmp_path / "discovery.json").read_text())
    assert document["schema"] == "shiftlab.discovery_report/1"
    assert document["graph"]["changing"] == ["dose"]
    assert document["provenance"]["source"]["sha256"]
    graph = MixedGraph.from_dict(json.loads((tmp_path / "graph.json").read_text()))
    assert [str(e) for e in graph.subgraph(["dose", "risk"]).edges] == ["dose -> risk"]
    assert from_networkx(nx.read_graphml(tmp_path / "graph.graphml")) == graph
    assert (tmp_path / "graph.dot").read_text().startswith("digraph")
    assert list(pd.read_csv(tmp_path / "edges.csv")["edge"]) == ["dose -> risk", "site -> dose"]
    assert "wrote discovery.html" in capsys.readouterr().err


def test_page_needs_nothing_from_outside(table, tmp_path):
    run(table, tmp_path, "--bootstrap", "3")
    page = (tmp_path / "discovery.html").read_text()
    assert "What causes what" in page
    assert "How stable is it" in page
    assert "How mechanisms move" in page
    assert "<script" not in page
    links = re.findall(r"(?:src|href)=\"(?!#)([^\"]*)", page)
    assert [link for link in links if link.startswith("http")] == []


def test_equal_seeds_write_equal_numbers(table, tmp_path):
    for folder in ("a", "b"):
        run(table, tmp_path / folder, "--bootstrap", "3", "--max-rows", "200")
    a, b = (json.loads((tmp_path / f / "discovery.json").read_text()) for f in ("a", "b"))
    assert a["graph"] == b["graph"]
    assert a["support"] == b["support"]
    assert a["provenance"]["rows"]["used"] == 200


def test_knowledge_and_columns(table, tmp_path):
    (tmp_path / "k.json").write_text('{"tiers": [["risk"], ["dose"]]}')
    run(table, tmp_path, "--columns", "dose,risk", "--knowledge", str(tmp_path / "k.json"))
    assert "risk -> dose" in (tmp_path / "edges.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a table"),
        (["t.csv"], "--environment is needed"),
        (["none.csv", "--environment", "site"], "none.csv"),
        (["--example", "t.csv"], "leave TABLE out"),
    ],
)
def test_usage_errors(words, message, tmp_path, capsys):
    assert main(["discover", *words, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--exclude", "nothing"], "nothing"),
        (["--test", "psychic"], "ci_test must be one of"),
        (["--bootstrap", "-1"], "--bootstrap"),
        (["--alpha", "2"], "alpha"),
        (["--knowledge", "nowhere.json"], "nowhere.json"),
        (["--max-rows", "0"], "--max-rows"),
    ],
)
def test_wrong_options_are_named(table, tmp_path, capsys, words, message):
    assert run(table, tmp_path, *words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_columns_of_one_variable(tmp_path):
    rng = np.random.default_rng(0)
    site = np.repeat([f"s{k}" for k in range(8)], 40)
    east, north = (np.repeat(rng.normal(size=8), 40) + rng.normal(size=320) for _ in range(2))
    risk = east + north + 0.5 * rng.normal(size=320)
    frame = pd.DataFrame({"id": range(320), "site": site, "risk": risk})
    frame.assign(east=east, north=north).to_csv(tmp_path / "places.csv", index=False)
    words = ["--group", "place=east,north", "--bootstrap", "2"]
    assert run(str(tmp_path / "places.csv"), tmp_path / "out", *words) == 0
    document = json.loads((tmp_path / "out" / "discovery.json").read_text())
    assert document["graph"]["changing"] == ["place"]
    assert set(pd.read_csv(tmp_path / "out" / "edges.csv")["edge"]) == {
        "place -> risk",
        "site -> place",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--group", "dose"], "--group must look like NAME=COL,COL"),
        (["--group", "both=dose,height"], "--group"),
        (["--group", "a=dose", "--group", "a=risk"], "--group names 'a' twice"),
    ],
)
def test_wrong_groups_are_named(table, tmp_path, capsys, words, message):
    assert run(table, tmp_path, *words) == 2
    assert message in capsys.readouterr().err


def test_example(tmp_path, capsys):
    assert main(["discover", "--example", "--max-rows", "1000", "--out", str(tmp_path)]) == 0
    assert "changes with region" in capsys.readouterr().out
