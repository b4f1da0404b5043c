"""Whole searches on worlds with a known graph, at the accuracy that the guide speaks of (slow)."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from shiftlab.discovery import CDNOD
from shiftlab.graphs import MixedGraph, compare_graphs

WORLDS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "discovery_worlds.py"))

#: What is wanted stays in the table; the benchmark prints what is reached.
SHORT = pytest.mark.xfail(
    reason="skeleton 0.89 and 0.92: edges into nodes of many parents are lost"
)


def overlap(found, true):
    total = len(found) + len(true)
    return 2 * len(set(found) & set(true)) / total if total else 1.0


def mean_scores(d, n, mode, seeds=5):
    """Mean F1 of skeleton, directions and changing variables."""
    rows = []
    for seed in range(seeds):
        data, surrogate, adjacency, changing = WORLDS["draw_world"](d, n, mode, seed=seed)
        names = [f"x{i}" for i in range(d)]
        truth = MixedGraph(names, [(names[i], names[j]) for i, j in np.argwhere(adjacency)])
        environment = surrogate if mode == "time" else [f"e{k}" for k in surrogate]
        model = CDNOD().fit(data, environment=environment)
        found = compare_graphs(model.graph_, truth)
        moved = overlap(model.changing_, [names[i] for i in changing])
        rows.append((found.skeleton_f1, found.direction_f1, moved))
    return np.mean(rows, axis=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("d", "n", "mode", "least"),
    [
        (6, 1000, "domain", (0.95, 0.80, 0.97)),
        pytest.param(10, 500, "domain", (0.93, 0.75, 0.93), marks=SHORT),
        pytest.param(10, 500, "time", (0.93, 0.75, 0.88), marks=SHORT),
    ],
)
def test_accuracy(d, n, mode, least):
    scores = mean_scores(d, n, mode)
    assert (scores >= np.array(least)).all(), scores
