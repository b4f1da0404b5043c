"""Independent changes and driving forces: accuracy against known worlds."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from shiftlab.discovery import CDNOD, driving_force, independent_changes
from shiftlab.discovery._independent_changes import (
    _independent_movements,
    _permuted_products,
    _shifted_products,
)

WORLDS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "discovery_worlds.py"))
CHANGES = ("coefficient", "shift", "variance")


def orient(change, mode="domain", n=1500, seed=0, **options):
    x, y, surrogate = WORLDS["draw_pair"](n, change, mode, seed=seed, **options)
    return independent_changes(x, y, surrogate)


@pytest.mark.parametrize("change", CHANGES)
def test_pairs_in_thirty_domains(change):
    found = [orient(change, seed=seed) for seed in range(6)]
    assert sum(f.cause == "x" for f in found) >= 5
    assert all(f.cause == "x" for f in found if f.margin > 2)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [None, "mixed"])
@pytest.mark.parametrize("change", CHANGES)
def test_pairs_reach_their_accuracy(change, shape):
    found = [orient(change, n=2000, seed=seed, shape=shape) for seed in range(100)]
    given = [f for f in found if f.decided]
    # With a linear relation and shifts alone, the correlations of the true paths themselves, of 30
    # points each, tell the direction in 0.89 of 20,000 draws; a quarter of these draws is linear.
    hard = (change, shape) == ("shift", "mixed")
    assert np.mean([f.cause == "x" for f in found]) >= (0.92 if hard else 0.95)
    assert np.mean([f.cause == "x" for f in given]) >= (0.94 if hard else 0.97)
    # In the causal direction the test keeps its level.
    right = [f.pvalue if f.cause == "x" else f.pvalue_reversed for f in found]
    assert np.mean(np.array(right) < 0.05) <= 0.12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "right", "decided"),
    [("coefficient", 0.9, 0.8), ("shift", 0.8, 0.3), ("variance", 0.9, 0.7)],
)
def test_pairs_along_time_reach_their_accuracy(change, right, decided):
    found = [orient(change, "time", n=2000, seed=seed) for seed in range(100)]
    given = [f for f in found if f.decided]
    assert np.mean([f.cause == "x" for f in found]) >= right
    assert len(given) >= decided * len(found)
    # Of answers that are given at most one in fifty is wrong; a single one has to be allowed.
    assert sum(f.cause != "x" for f in given) <= max(1, 0.02 * len(given))


def test_movements_are_counted_by_how_slowly_paths_forget():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(80, 2))
    fast = _independent_movements(noise, rng.normal(size=(80, 1)))
    assert 60 < fast < 110
    slow = np.repeat(rng.normal(size=(8, 1)), 10, axis=0)
    other = np.repeat(rng.normal(size=(8, 1)), 10, axis=0)
    assert 6 < _independent_movements(slow, other) < 16
    assert _independent_movements(slow, noise) > _independent_movements(slow, other)


def test_dependent_changes_are_noticed_in_both_directions():
    rng = np.random.default_rng(0)
    site = np.repeat(np.arange(30), 60)
    drive = rng.normal(size=30)[site]
    x = drive + rng.normal(size=1800)
    y = (1 + 0.6 * drive) * np.tanh(x) + 0.4 * rng.normal(size=1800)
    found = independent_changes(x, y, site)
    assert found.pvalue < 0.05
    assert found.pvalue_reversed < 0.05


def test_shifts_by_transform_are_those_by_hand():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 20, 20))
    fast = _shifted_products(left, right)
    base = np.arange(20)
    slow = [(left * turned[np.ix_(o, o)]).sum()
            for turned in (right, right[::-1, ::-1])
            for o in (np.roll(base, -s) for s in range(2, 18))]  # fmt: skip
    np.testing.assert_allclose(fast, slow)
    assert len(_permuted_products(left, right)) == 999


def test_a_whole_search_orients_by_changes():
    x, y, site = WORLDS["draw_pair"](1500, "coefficient", seed=1)
    model = CDNOD().fit(np.column_stack([y, x]), environment=site)
    assert model.changing_ == ["x0", "x1"]
    assert [str(e) for e in model.invariance_graph_.edges] == ["x0 -- x1"]
    assert [str(e) for e in model.graph_.edges] == ["x1 -> x0"]
    reason = model.edge_reasons_["x1", "x0"]
    assert reason.rule == "independent change"
    assert reason.margin >= 1
    shy = CDNOD(margin=1e6).fit(np.column_stack([y, x]), environment=site)
    assert [str(e) for e in shy.graph_.edges] == ["x0 -- x1"]
    assert "move clearly more independently" in shy.edge_reasons_["x0", "x1"].text


def test_few_environments_leave_the_direction_open():
    x, y, site = WORLDS["draw_pair"](1200, "coefficient", domains=4, seed=1)
    model = CDNOD().fit(np.column_stack([x, y]), environment=site)
    assert not model.graph_.edges[0].is_directed
    assert "too few" in " ".join(model.result_.notes)


@pytest.mark.parametrize("shape", ["smooth", "sine", "step", "domains"])
def test_driving_forces_recover_the_truth(shape):
    rng = np.random.default_rng(4)
    n = 3000
    clock = np.arange(n) / n
    if shape == "domains":
        surrogate = np.arange(n) * 20 // n
        truth = rng.normal(size=20)[surrogate]
    else:
        surrogate = clock
        truth = {
            "smooth": WORLDS["smooth_path"](rng, n),
            "sine": np.sin(4 * np.pi * clock),
            "step": (clock > 0.4).astype(float),
        }[shape]
    x = rng.normal(size=n)
    y = (1 + 0.6 * truth) * np.tanh(x) + 0.4 * rng.normal(size=n)
    force = driving_force(y, x, environment=surrogate)
    if shape == "domains":
        wanted = np.array([truth[surrogate == k][0] for k in force.points])
    else:
        wanted = np.interp(force.points, clock, truth)
    design = np.column_stack([np.ones(len(wanted)), force.components])
    rest = wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    assert 1 - rest.var() / wanted.var() > 0.93
    assert (force.standard_error >= 0).all()


def test_standard_errors_shrink_with_the_rows():
    rng = np.random.default_rng(5)
    errors = []
    for n in (500, 8000):
        site = np.arange(n) * 10 // n
        x = np.linspace(-1, 1, 10)[site] + rng.normal(size=n)
        errors.append(driving_force(x, environment=site).standard_error[:, 0].mean())
    assert errors[1] < 0.5 * errors[0]


def test_large_components_say_that_they_were_cut_short(monkeypatch):
    from shiftlab.discovery import _describe, _independent_changes

    monkeypatch.setattr(_independent_changes, "MOST_GRAPHS", 1)
    monkeypatch.setattr(_describe, "MOST_GRAPHS", 1)
    x, y, site = WORLDS["draw_pair"](900, "coefficient", seed=1)
    model = CDNOD("fisher_z").fit(np.column_stack([x, y]), environment=site)
    assert "ways, of which the first 1 were compared" in " ".join(model.result_.notes)
