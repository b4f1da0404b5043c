"""The published generators that the library needs can be written as models."""

import time

import numpy as np
import pytest
from scipy import stats

from shiftlab.simulation import (
    Branch,
    CoefficientShift,
    Constant,
    Discrete,
    Gaussian,
    Linear,
    MeanShift,
    Node,
    NoiseScaleShift,
    NoiseShift,
    Nonlinear,
    Product,
    Ramp,
    Selection,
    StructuralModel,
    Sum,
    Threshold,
    Transform,
    Uniform,
    evolve,
    random_model,
)


def covariate_selection_world(level):
    """A hidden and an observed cause, an outcome, and a proxy; one shift of each kind."""
    nodes = {
        "c1": Node(hidden=True),
        "c2": Node(),
        "y": Node(Linear({"c1": 1.0, "c2": 1.0})),
        "x": Node(Linear({"c1": 1.0, "c2": -1.0})),
    }
    wider = float(np.hypot(1.0, level))
    shifts = {
        "c1": [MeanShift("c1", level)],
        "c2": [NoiseScaleShift("c2", wider)],
        "x": [NoiseScaleShift("x", wider)],
    }
    return StructuralModel(nodes, {"none": [], **shifts})


def test_covariate_selection_world_has_its_closed_form_errors():
    level, n = 2.0, 100_000
    frame = covariate_selection_world(level).sample(n, random_state=0).frame
    assert list(frame) == ["environment", "c2", "y", "x"]
    causal = (frame["y"] - frame["c2"]) ** 2
    # Optimal in the unshifted world: E[c1 | x, c2] = (x + c2) / 2.
    both = (frame["y"] - 1.5 * frame["c2"] - 0.5 * frame["x"]) ** 2
    expected = {
        "none": (2.0, 1.5),
        "c1": (2.0 + level**2, 1.5 + level**2 / 4),
        "c2": (2.0, 1.5),
        "x": (2.0, 1.5 + level**2 / 4),
    }
    for errors, column in ((causal, 0), (both, 1)):
        for label, values in expected.items():
            part = errors[frame["environment"] == label]
            assert abs(part.mean() - values[column]) < 4 * part.std() / np.sqrt(n)


def explanation_world(beta):
    """Groups M, covariates C and L, and an outcome that is 1 in 90 or 10 percent of rows."""
    score = Linear({"C": 0.5, "M=1:L": 1.5, "M=0:L": beta, "L": -1.0}, intercept=-0.2)
    nodes = {
        "M": Node(noise=Discrete({0: 0.5, 1: 0.5})),
        "C": Node(),
        "L": Node(Linear({"M": 0.7, "C": 0.3}), Gaussian(0.1)),
        "Y": Node(Threshold(Transform("sign", score, amplitude=float(np.log(9.0))))),
    }
    cut = Branch("M", 0.5, below=Linear({"L": 1.0}, 0.4), above=1.0)
    shifts = {
        "same": [],
        "imbalance": [NoiseShift("M", Discrete({0: 0.05, 1: 0.95}))],
        "truncated": [Selection(Threshold(cut, noise_scale=0.0))],
        "concept": [CoefficientShift("Y", "M=0:L", to=-2.7)],
    }
    return StructuralModel(nodes, shifts)


def test_explanation_world_composes_its_mechanisms():
    full = explanation_world(1.5).sample(20_000, random_state=1).full
    beta = np.where(full["environment"] == "concept", -2.7, 1.5)
    slope = np.where(full["M"] == 1, 1.5, beta) - 1.0
    score = 0.5 * full["C"] + slope * full["L"] - 0.2
    for label, part in full.groupby("environment"):
        for above, rate in ((True, 0.9), (False, 0.1)):
            rows = part.loc[(score[part.index] >= 0) == above, "Y"]
            assert stats.binomtest(int(rows.sum()), len(rows), rate).pvalue > 0.001, label
    shares = full.groupby("environment")["M"].mean()
    assert abs(shares["imbalance"] - 0.95) < 0.01
    assert abs(shares["same"] - 0.5) < 0.02
    cut = full[full["environment"] == "truncated"]
    assert cut.loc[cut["M"] == 0, "L"].min() > -0.4
    assert full.loc[(full["environment"] == "same") & (full["M"] == 0), "L"].min() < -0.4
    assert explanation_world(1.5).changed_variables("concept") == ("Y",)


def test_rotating_worlds_have_exact_flips():
    """Drifting environments and a sensitive feature whose flip is known for every row."""
    radius = Linear({"r": 1.0}, intercept=3.0)
    nodes = {
        "A": Node(noise=Discrete({0: 0.5, 1: 0.5})),
        "u_s": Node(noise=Gaussian(0.5), hidden=True),
        "u_ns": Node(noise=Gaussian(0.5), hidden=True),
        "angle": Node(Constant(), Gaussian(0.1), hidden=True),
        "r": Node(Linear({"u_s": 1.0, "A": 0.7}, -0.35), Gaussian(1e-9), hidden=True),
        "y": Node(Threshold(Linear({"u_ns": 1.0, "r": 1.0}), noise_scale=0.0)),
        "x1": Node(Product((radius, Nonlinear({"angle": 1.0}, shape="cos"))), Gaussian(0.01)),
        "x2": Node(Product((radius, Nonlinear({"angle": 1.0}, shape="sin"))), Gaussian(0.01)),
    }
    drift = evolve(np.arange(30.0), lambda t: [MeanShift("angle", float(np.pi * t / 30))])
    model = StructuralModel(nodes, drift, environment_name="time")
    data = model.sample(200, random_state=0)
    before = data.full
    after = data.counterfactual({"A": 1 - before["A"].to_numpy()}).full
    step = 0.7 * (1 - 2 * before["A"])
    np.testing.assert_allclose(
        after["x1"] - before["x1"], step * np.cos(before["angle"]), atol=1e-9
    )
    np.testing.assert_allclose(
        after["x2"] - before["x2"], step * np.sin(before["angle"]), atol=1e-9
    )
    assert (after["y"] == (after["u_ns"] + after["r"] > 0)).all()
    assert 0.05 < (after["y"] != before["y"]).mean() < 0.5
    assert before[["u_s", "u_ns", "angle", "time"]].equals(after[["u_s", "u_ns", "angle", "time"]])


def test_heterogeneous_discovery_world_changes_about_half_of_its_variables():
    shapes, noises = ["identity", "tanh", "sinc", "power1.5"], [Gaussian(), Uniform()]
    counts = []
    for seed in range(40):
        model = random_model(8, environments=10, shapes=shapes, noises=noises, random_state=seed)
        changing = model.changing_variables()
        graph = model.graph(environment_node=True)
        assert set(graph.successors("environment")) == set(changing)
        counts.append(len(changing))
    assert abs(np.mean(counts) - 4.0) < 4 * np.sqrt(2.0 / 40)


def test_a_mechanism_can_drift_inside_one_table():
    drifting = Product((Nonlinear({"T": 1.0}, shape="sin", frequency=6.0), Linear({"X": 1.0})))
    nodes = {"T": Node(noise=Ramp()), "X": Node(), "Y": Node(Sum((drifting, Linear({"X": 0.5}))))}
    full = StructuralModel(nodes).sample(60_000, random_state=0).full
    for start in np.linspace(0, 0.9, 10):
        part = full[full["T"].between(start, start + 0.1)]
        slope = np.cov(part["X"], part["Y"])[0, 1] / part["X"].var()
        mean_sine = (np.cos(6 * start) - np.cos(6 * (start + 0.1))) / 0.6
        assert abs(slope - 0.5 - mean_sine) < 0.08


def test_rows_do_not_depend_on_the_order_of_environments_or_nodes():
    model = covariate_selection_world(1.0)
    turned = StructuralModel(
        dict(reversed(model.nodes.items())), dict(reversed(model.environments.items()))
    )
    one, two = (m.sample(50, random_state=4).full for m in (model, turned))
    columns = ["c1", "c2", "y", "x"]
    for label in model.environments:
        parts = [t.loc[t["environment"] == label, columns].to_numpy() for t in (one, two)]
        assert np.array_equal(*parts)


@pytest.mark.slow
def test_a_million_rows_of_ten_variables_take_seconds():
    nodes = {"X0": Node()} | {f"X{i}": Node(Linear({f"X{i - 1}": 0.5})) for i in range(1, 10)}
    model = StructuralModel(nodes)
    start = time.perf_counter()
    assert len(model.sample(1_000_000, random_state=0).frame) == 1_000_000
    # About one second on one core of 2024; the bound leaves room for a busy machine.
    assert time.perf_counter() - start < 10
