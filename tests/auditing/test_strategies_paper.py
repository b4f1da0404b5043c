"""The script that repeats the tables of the study runs, and its first table is the study's."""

import runpy
from pathlib import Path

import pytest

PAPERS = Path(__file__).resolve().parents[2] / "examples" / "papers"


@pytest.mark.slow
def test_tables_beside_those_of_the_study(shared_data, monkeypatch):
    monkeypatch.setenv("SHIFTLAB_DATA", str(shared_data))
    script = runpy.run_path(str(PAPERS / "illusion_of_fairness.py"))
    cost = script["cost_of_manipulation"](["adult", "asc_inc"]).set_index("data")
    for ours in ("W1 cells", "KL balanced", "KL proportional"):
        study = cost[f"{ours}: study"]
        assert (cost[ours].round(2) <= study).all()
    network = script["through_the_network"]().set_index("support")
    assert network.loc["free", "W1"] < 0.0185
    highest = script["highest_undetected"](["adult"])
    assert (highest["G test, exact"] - highest["study"]).abs().max() < 0.03
    found = script["detection"](["adult"], 2).set_index("strategy")
    assert (found["ours (of 2 sizes)"] == 2).all()
