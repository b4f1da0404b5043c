"""Projection through models: exact distances, models agree after the move, published network."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from shiftlab._core.optional import is_installed
from shiftlab.auditing import DenseNetwork, TorchNetwork, wasserstein_projection
from shiftlab.auditing._boundary import boundary_moves
from shiftlab.auditing._boundary_choice import GroupMoves, choose_moves
from shiftlab.auditing._entropic_cells import Levels
from shiftlab.exceptions import InputError

LAYERS = ((0, 1), (3, 4), (6, 7), (9, 10))


def people(n=500):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, n)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=n) + 0.8 * group,
            "b": rng.normal(50, 10, n),
            "k": rng.integers(0, 5, n),
            "f": rng.random(n) < 0.5,
        }
    )
    noise = rng.normal(size=n)
    chosen = (frame["a"] + (frame["b"] - 50) / 10 + 0.5 * frame["k"] + noise > 2).astype(int)
    return frame, group, chosen


QUICK = {"max_iter": 40, "learning_rate_init": 0.03, "random_state": 0}
MODELS = {
    "linear": LogisticRegression(max_iter=1000),
    "scaled linear": make_pipeline(StandardScaler(), LogisticRegression()),
    "tree": DecisionTreeClassifier(max_depth=5, random_state=0),
    "scaled tree": make_pipeline(MinMaxScaler(), DecisionTreeClassifier(max_depth=5)),
    "perceptron": make_pipeline(StandardScaler(), MLPClassifier((8,), **QUICK)),
    "tanh": make_pipeline(StandardScaler(), MLPClassifier((8,), activation="tanh", **QUICK)),
    "forest": RandomForestClassifier(10, max_depth=5, random_state=0),
}


def network(folder):
    tensors = np.load(folder / "inspection_arrays" / "adult_network.npz")
    arrays = np.load(folder / "inspection_arrays" / "adult.npz")
    layers = [
        {
            "weight": tensors[f"seq.{linear}.weight"],
            "bias": tensors[f"seq.{linear}.bias"],
            "scale": tensors[f"seq.{norm}.weight"],
            "shift": tensors[f"seq.{norm}.bias"],
            "mean": tensors[f"seq.{norm}.running_mean"],
            "variance": tensors[f"seq.{norm}.running_var"],
        }
        for norm, linear in LAYERS
    ]
    found = DenseNetwork.from_batch_norm(layers, threshold=float(arrays["threshold"]))
    return found, arrays["X"].astype(float), arrays["s"], arrays["yhat"]


def ratio(decided, group):
    rates = [decided[group == g].mean() for g in np.unique(group)]
    return min(rates) / max(rates)


def fitted(name, frame, chosen):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forty iterations are enough for a boundary
        return MODELS[name].fit(frame, chosen)


@pytest.mark.parametrize("on_columns", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_model_agrees_with_what_the_projection_says(name, on_columns):
    frame, group, chosen = people()
    model = fitted(name, frame, chosen)
    found = boundary_moves(None, group, frame, model=model, target=0.9, on_columns=on_columns)
    moved = frame.copy()
    assert len(found.rows) > 0
    moved.iloc[found.rows] = pd.concat(found.tables)
    decided = model.predict(moved.astype(frame.dtypes.to_dict()))
    assert ratio(decided, group) == pytest.approx(found.projection.value_after)
    assert found.projection.value_after >= 0.9
    for column in ["a", "b", "k", "f"] if on_columns else ["k", "f"]:
        assert set(moved[column]) <= set(frame[column])
    steps = moved.astype(float) - frame.astype(float)
    steps /= [frame["a"].std(ddof=0), frame["b"].std(ddof=0), frame["k"].std(ddof=0), 1.0]
    distance = np.sqrt((steps**2).sum(axis=1)).mean()
    assert found.projection.distance == pytest.approx(distance, rel=1e-4)


def test_distance_to_a_plane_is_exact():
    frame, group, chosen = people()
    real = frame[["a", "b"]]
    model = LogisticRegression().fit(real, chosen)
    found = wasserstein_projection(None, group, real, model=model, scale="none")
    gap = np.abs(model.decision_function(real)) / np.linalg.norm(model.coef_)
    np.testing.assert_allclose(found.steps, gap[found.rows_from], rtol=1e-4, atol=1e-5)


def test_distance_to_a_tree_is_exact():
    frame, group, chosen = people()
    real = frame[["a", "b"]].to_numpy()
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(real, chosen)
    found = wasserstein_projection(None, group, real, model=model, scale="none")
    decided = model.predict(real)
    grid = np.stack(np.meshgrid(np.linspace(-4, 5, 800), np.linspace(20, 90, 800)), -1)
    grid = grid.reshape(-1, 2)
    answer = model.predict(grid)
    for row, step in list(zip(found.rows_from, found.steps, strict=True))[:10]:
        other = grid[answer != decided[row]]
        nearest = np.sqrt(((other - real[row]) ** 2).sum(axis=1).min())
        assert step <= nearest + 1e-9
        assert step >= nearest - 0.1  # the grid is that coarse


def test_published_network(shared_data):
    model, x, s, y = network(shared_data)
    assert (model.predict(x) == y).all()
    found = boundary_moves(y, s, x, model=model, target=0.8, scale="none")
    assert found.projection.distance <= 0.0185
    moved = x.copy()
    moved[found.rows] = np.concatenate(found.tables)
    assert ratio(model.predict(moved), s) >= 0.8
    assert np.sqrt(((moved - x) ** 2).sum(axis=1)).mean() <= 0.0185
    assert found.projection.unreached == 0


def test_gradient_of_a_network_is_its_slope():
    rng = np.random.default_rng(1)
    for activation in ("relu", "tanh", "logistic", "identity"):
        model = DenseNetwork(
            [rng.normal(size=(3, 5)), rng.normal(size=(5, 4)), rng.normal(size=(4, 1))],
            [rng.normal(size=5), rng.normal(size=4), rng.normal(size=1)],
            activation=activation,
            threshold=0.3,
        )
        x = rng.normal(size=(6, 3))
        for j in range(3):
            step = np.zeros(3)
            step[j] = 1e-6
            slope = (model.decision_function(x + step) - model.decision_function(x - step)) / 2e-6
            np.testing.assert_allclose(model.gradient(x)[:, j], slope, rtol=1e-5, atol=1e-8)


def test_batch_norm_is_folded_like_torch_computes_it():
    if not is_installed("torch"):
        pytest.skip("PyTorch is not installed")
    import torch

    layer, norm = torch.nn.Linear(3, 1).double(), torch.nn.BatchNorm1d(3).double()
    norm.running_mean[:] = torch.tensor([0.1, -0.2, 0.3])
    norm.running_var[:] = torch.tensor([0.5, 1.5, 2.5])
    module = torch.nn.Sequential(norm, layer, torch.nn.Sigmoid())
    arrays = {
        "weight": layer.weight.detach().numpy(),
        "bias": layer.bias.detach().numpy(),
        "scale": norm.weight.detach().numpy(),
        "shift": norm.bias.detach().numpy(),
        "mean": norm.running_mean.numpy(),
        "variance": norm.running_var.numpy(),
    }
    x = np.random.default_rng(0).normal(size=(8, 3))
    ours = DenseNetwork.from_batch_norm([arrays], threshold=0.4)
    theirs = TorchNetwork(module, threshold=0.4)
    np.testing.assert_allclose(ours.decision_function(x), theirs.decision_function(x), rtol=1e-9)
    np.testing.assert_allclose(ours.gradient(x), theirs.gradient(x), rtol=1e-6)
    assert module.training
    group = np.arange(8) % 2
    chosen = theirs.predict(x)
    if 0 < chosen.mean() < 1:
        found = wasserstein_projection(None, group, x, model=theirs, target=0.5)
        assert found.value_after >= 0.5


def test_tables_of_other_libraries_and_mixed_columns():
    frame, group, chosen = people()
    frame = frame.assign(c=np.random.default_rng(1).choice(["u", "v", "w"], len(frame)))
    encode = make_column_transformer((OneHotEncoder(), ["c"]), remainder="passthrough")
    model = make_pipeline(encode, RandomForestClassifier(10, max_depth=4, random_state=0))
    model.fit(frame, chosen)
    first = wasserstein_projection(None, group, frame, model=model)

    def ask(rows):
        return model.predict(rows.to_pandas())

    second = wasserstein_projection(None, group, pl.from_pandas(frame), model=ask)
    assert second.distance == pytest.approx(first.distance)
    assert first.value_after >= 0.8


def test_group_stays_though_the_model_reads_it():
    frame, group, chosen = people()
    frame = frame.assign(s=group)
    model = LogisticRegression(max_iter=1000).fit(frame, chosen)
    found = boundary_moves(None, "s", frame, model=model, target=0.9)
    assert (pd.concat(found.tables)["s"].to_numpy() == group[found.rows]).all()
    assert found.projection.value_after >= 0.9


def test_cheapest_choice_is_that_of_all_choices():
    rng = np.random.default_rng(4)
    groups = [
        GroupMoves(12, 2, np.sort(rng.random(10)), np.sort(rng.random(2))),
        GroupMoves(10, 7, np.sort(rng.random(3)), np.sort(rng.random(7))),
        GroupMoves(8, 4, np.sort(rng.random(4)), np.sort(rng.random(4))),
    ]
    lifts, lowers = choose_moves(groups, Levels("ratio", 0.8))
    pairs = list(zip(groups, lifts, lowers, strict=True))
    cost = sum(g.lift[:up].sum() + g.lower[:down].sum() for g, up, down in pairs)
    best = np.inf
    for counts in np.ndindex(13, 11, 9):
        rates = [c / g.n for c, g in zip(counts, groups, strict=True)]
        if max(rates) > 0 and min(rates) >= 0.8 * max(rates) - 1e-12:
            moves = [c - g.selected for c, g in zip(counts, groups, strict=True)]
            price = sum(
                g.lift[:m].sum() if m > 0 else g.lower[:-m].sum()
                for g, m in zip(groups, moves, strict=True)
                if m
            )
            best = min(best, price)
    assert cost == pytest.approx(best)


def test_bad_input():
    frame, group, chosen = people()
    model = LogisticRegression(max_iter=1000).fit(frame, chosen)
    with pytest.raises(InputError, match="differs from the decisions"):
        wasserstein_projection(1 - model.predict(frame), group, frame, model=model)
    with pytest.raises(InputError, match="decisions"):
        wasserstein_projection(None, group, frame, model=model.decision_function)
    with pytest.raises(InputError, match="predict"):
        wasserstein_projection(None, group, frame, model=3)
    with pytest.raises(InputError, match="one output"):
        DenseNetwork([np.ones((2, 2))], [np.ones(2)])
    with pytest.raises(InputError, match="does not fit"):
        DenseNetwork([np.ones((2, 2)), np.ones((3, 1))], [np.ones(2), np.ones(1)])
    with pytest.raises(InputError, match="TorchNetwork"):
        wasserstein_projection(None, group, frame, model=object())


def test_text_decisions_need_the_favourable_one():
    frame, group, chosen = people()
    words = np.where(chosen == 1, "yes", "no")
    model = LogisticRegression(max_iter=1000).fit(frame, words)
    found = wasserstein_projection(None, group, frame, model=model, pos_label="yes")
    again = wasserstein_projection(
        None, group, frame, model=LogisticRegression(max_iter=1000).fit(frame, chosen)
    )
    assert found.distance == pytest.approx(again.distance, rel=1e-3)
    with pytest.raises(InputError, match="pos_label"):
        wasserstein_projection(None, group, frame, model=model)
