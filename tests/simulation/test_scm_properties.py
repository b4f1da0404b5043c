"""Properties that must hold for any model: random models, selections, workers."""

import pickle

import numpy as np
import pytest

from shiftlab.simulation import (
    Additive,
    Categorical,
    Exponential,
    Gaussian,
    Laplace,
    Linear,
    MechanismShift,
    Node,
    Selection,
    StructuralModel,
    Threshold,
    random_model,
)

SHAPES = ["identity", "tanh", "sinc", "power1.5", "gp", "tree"]
NOISES = [Gaussian(), Laplace(), Exponential()]


def drawn_model(seed):
    return random_model(6, environments=3, shapes=SHAPES, noises=NOISES, random_state=seed)


@pytest.mark.parametrize("seed", range(8))
def test_axioms_hold_in_random_models(seed):
    model = drawn_model(seed)
    data = model.sample(40, random_state=seed)
    rng = np.random.default_rng(seed)
    x, w = rng.choice(list(model.nodes), 2, replace=False).tolist()
    # Consistency, from the stored noise and by abduction.
    factual = {x: data.full[x].to_numpy()}
    assert data.counterfactual(factual).full.equals(data.full)
    assert model.counterfactual(data.full, factual).equals(data.full)
    # Effectiveness and composition.
    moved = data.counterfactual({x: 1.0})
    assert (moved.full[x] == 1.0).all()
    both = data.counterfactual({x: 1.0, w: moved.full[w].to_numpy()})
    assert both.full.equals(moved.full)
    # Abduction reads the stored noise back, and predicts the same counterfactual.
    for name, noise in model.abduct(data.full).items():
        np.testing.assert_allclose(noise, data.noise[name], atol=1e-8)
    by_rows = model.counterfactual(data.full, {x: 1.0})
    names = list(model.nodes)
    np.testing.assert_allclose(by_rows[names], moved.full[names], atol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_the_noise_of_a_sample_is_independent_of_the_mechanisms(seed):
    """Equal names and seeds give equal noise, whatever the mechanisms are."""
    model = drawn_model(seed)
    nodes = {name: Node(noise=node.noise) for name, node in model.nodes.items()}
    roots = StructuralModel(nodes, {label: [] for label in model.environments})
    one, two = (m.sample(30, random_state=seed) for m in (model, roots))
    for name in model.nodes:
        assert np.array_equal(one.noise[name], two.noise[name])


def test_models_and_data_travel_to_workers():
    model = drawn_model(0)
    data = model.sample(20, random_state=0)
    copy, copied_data = pickle.loads(pickle.dumps((model, data)))
    assert copy == model
    assert copied_data.full.equals(data.full)
    assert copy.sample(20, random_state=0).full.equals(data.full)


def test_a_seed_sequence_is_not_used_up():
    seed = np.random.SeedSequence(3)
    model = drawn_model(1)
    one, two = (model.sample(10, random_state=seed).full for _ in range(2))
    assert one.equals(two)
    assert seed.n_children_spawned == 0
    rng = np.random.default_rng(0)
    three, four = (model.sample(10, random_state=rng).full for _ in range(2))
    assert not three.equals(four)


def test_selected_rows_keep_their_noise():
    nodes = {"A": Node(), "B": Node(Linear({"A": 1.0})), "K": Node(Threshold(Linear({"B": 1.0})))}
    rare = Selection(Linear({"B": 1.0}, intercept=-3.0))
    data = StructuralModel(nodes, {"all": [], "few": [rare]}).sample(300, random_state=0)
    assert len(data.full) == 600
    assert data.counterfactual({"A": data.full["A"].to_numpy()}).full.equals(data.full)
    redone = data.counterfactual({"A": Additive()})  # the noise again, as it was
    assert redone.full.equals(data.full)
    few = data.full[data.full["environment"] == "few"]
    assert few["B"].mean() > 0.5


def test_labels_may_differ_between_environments():
    two = Categorical({"x": 0.0, "y": Linear({"A": 1.0})})
    three = MechanismShift("J", Categorical({"x": 0.0, "y": Linear({"A": 1.0}), "z": 0.5}))
    nodes = {"A": Node(), "J": Node(two), "Y": Node(Linear({"J=x": 1.0}))}
    data = StructuralModel(nodes, {"old": [], "new": [three]}).sample(200, random_state=0)
    assert data.noise["J"].shape == (400, 3)
    assert np.isnan(data.noise["J"][:200, 2]).all()
    assert set(data.full["J"]) == {"x", "y", "z"}
    moved = data.counterfactual({"A": 3.0})
    assert data.counterfactual({"A": data.full["A"].to_numpy()}).full.equals(data.full)
    assert (moved.full["J"] == "y").mean() > (data.full["J"] == "y").mean()
