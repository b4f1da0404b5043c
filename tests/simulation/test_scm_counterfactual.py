"""Interventions and counterfactuals obey their axioms and closed forms."""

import numpy as np
import pytest

from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.simulation import (
    Additive,
    Categorical,
    CoefficientShift,
    Discrete,
    Gaussian,
    Laplace,
    Linear,
    MeanShift,
    Node,
    NoiseScaleShift,
    Nonlinear,
    StructuralModel,
    Threshold,
    Uniform,
)


def mixed_model():
    """Every kind of mechanism, in environments that differ."""
    nodes = {
        "sex": Node(noise=Discrete({"f": 0.5, "m": 0.5})),
        "U": Node(hidden=True),
        "A": Node(Linear({"U": 1.0, "sex=f": -0.5}), Laplace()),
        "J": Node(Categorical({"x": Linear({"A": 1.0}), "y": 0.0, "z": Linear({"U": 1.0})})),
        "I": Node(Additive(Linear({"J=y": 0.5, "A": 0.2}), output="exp"), Uniform()),
        "Y": Node(Threshold(Linear({"I": 0.4, "U": 1.0}, -1.0))),
    }
    shifts = {
        "p": [],
        "q": [MeanShift("A", 2.0), NoiseScaleShift("I", 0.3)],
        "r": [CoefficientShift("Y", "I", factor=-1.0), MeanShift("J", {"x": 1.0})],
    }
    return StructuralModel(nodes, shifts)


@pytest.fixture(scope="module")
def data():
    return mixed_model().sample(400, random_state=7)


def linear_model():
    nodes = {
        "Z": Node(),
        "X": Node(Linear({"Z": 1.5}), Gaussian(0.5)),
        "M": Node(Linear({"X": 2.0}, 1.0), Laplace()),
        "Y": Node(Linear({"M": -1.0, "X": 0.5, "Z": 3.0}), Uniform()),
    }
    return StructuralModel(nodes)


@pytest.mark.parametrize("name", ["sex", "U", "A", "J", "I", "Y"])
def test_consistency_with_stored_noise(data, name):
    """Setting a variable to the value it had changes nothing, bit for bit."""
    same = data.counterfactual({name: data.full[name].to_numpy()})
    assert same.full.equals(data.full)


@pytest.mark.parametrize(
    ("name", "value"), [("sex", "f"), ("A", 1.5), ("J", "z"), ("I", 0.3), ("Y", 1)]
)
def test_effectiveness_and_untouched_ancestors(data, name, value):
    other = data.counterfactual({name: value})
    assert (other.full[name] == value).all()
    touched = {name} | set(data.graph[name]) | {n for c in data.graph[name] for n in data.graph[c]}
    touched |= {n for c in list(touched) for n in data.graph[c]}
    for column in set(data.full) - touched:
        assert other.full[column].equals(data.full[column])


def test_composition(data):
    """If X = x makes W = w, then setting W = w as well changes nothing."""
    first = data.counterfactual({"A": 1.0})
    again = data.counterfactual({"A": 1.0, "I": first.full["I"].to_numpy()})
    assert first.full.equals(again.full)


def test_reversibility_by_a_second_counterfactual(data):
    there = data.counterfactual({"A": data.full["A"].to_numpy() + 2.0})
    assert not there.full["I"].equals(data.full["I"])
    back = there.counterfactual({"A": data.full["A"].to_numpy()})
    assert back.full.equals(data.full)


def test_intervened_sample_equals_counterfactual_of_the_sample():
    """The same seed gives the same noise, so both worlds are rows of the same people."""
    model = mixed_model()
    for action in ({"A": 1.0}, {"J": "x"}, {"I": Linear({"A": 0.1})}):
        observed = model.sample(300, random_state=1)
        sampled = model.do(action).sample(300, random_state=1)
        assert sampled.full.equals(observed.counterfactual(action).full)


def test_linear_closed_form():
    data = linear_model().sample(300, random_state=0)
    other = data.counterfactual({"X": data.full["X"].to_numpy() + 1.7})
    # Total effect of X on Y: 0.5 + 2 * (-1) = -1.5.
    np.testing.assert_allclose(other.full["Y"] - data.full["Y"], -1.5 * 1.7, atol=1e-12)
    np.testing.assert_allclose(other.full["M"] - data.full["M"], 2.0 * 1.7, atol=1e-12)


def test_do_has_the_closed_form_mean_and_conditioning_has_not():
    model = linear_model()
    n = 200_000
    y = model.do({"X": 1.0}).sample(n, random_state=3).full["Y"]
    # E[Y | do(X = 1)] = 0.5 - (1 + 2) + 3 E[Z] = -2.5; Var = 9 + 1 + 1 (Z, Laplace, uniform).
    assert abs(y.mean() + 2.5) < 4 * np.sqrt(11 / n)
    assert abs(y.var() - 11) < 0.2
    seen = model.sample(n, random_state=4).full
    slope = np.cov(seen["X"], seen["Y"])[0, 1] / seen["X"].var()
    # Regression slope: total effect -1.5 plus the confounding 3 Cov(Z, X) / Var(X) = 4.5 / 2.5.
    assert abs(slope - (-1.5 + 4.5 / 2.5)) < 0.02
    assert set(model.do({"X": 1.0}).graph().edges) == set(model.graph().edges) - {("Z", "X")}


def test_soft_interventions_keep_the_noise():
    data = linear_model().sample(200, random_state=0)
    other = data.counterfactual({"M": Nonlinear({"X": 1.0}, shape="tanh")})
    expected = np.tanh(data.full["X"]) + data.noise["M"]
    np.testing.assert_allclose(other.full["M"], expected, atol=1e-12)
    np.testing.assert_allclose(
        other.full["Y"] - data.full["Y"], data.full["M"] - expected, atol=1e-12
    )


def test_an_intervention_can_be_undone_for_the_same_rows():
    model = linear_model()
    done = model.do({"X": 5.0}).sample(50, random_state=0)
    undone = done.counterfactual({"X": Linear({"Z": 1.5})})
    expected = 1.5 * done.full["Z"] + done.noise["X"]
    np.testing.assert_allclose(undone.full["X"], expected, atol=1e-12)


def test_abduction_finds_the_noise():
    model = mixed_model()
    data = model.sample(100, random_state=2)
    found = model.abduct(data.full, nodes=["U", "A", "I", "sex"])
    for name, column in found.items():
        if name == "sex":
            assert (column == data.noise["sex"]).all()
        else:
            np.testing.assert_allclose(column, data.noise[name], atol=1e-9)


def test_abducted_counterfactuals_agree_with_stored_noise():
    model = linear_model().with_environments(
        {"a": [], "b": [MeanShift("M", 1.0), NoiseScaleShift("Y", 3.0)]}
    )
    data = model.sample(100, random_state=5)
    shuffled = data.frame.sample(frac=1.0, random_state=1)
    for action in ({"X": 0.3}, {"Z": 1.0, "M": 0.0}, {"M": Linear({"Z": 1.0})}):
        exact = data.counterfactual(action).full
        np.testing.assert_allclose(
            model.counterfactual(shuffled, action).sort_index()[list("ZXMY")],
            exact[list("ZXMY")],
            atol=1e-10,
        )


@pytest.mark.parametrize("name", list("ZXMY"))
def test_abducted_consistency_is_exact(name):
    """Rounding in the inversion must not move a row that nothing moved."""
    model = linear_model()
    frame = model.sample(500, random_state=6).frame
    assert model.counterfactual(frame, {name: frame[name].to_numpy()}).equals(frame)


def test_downstream_of_nothing_needs_no_inversion(data):
    """Y is a threshold, but it does not descend from itself only: no noise of it is needed."""
    model = mixed_model()
    changed = model.counterfactual(data.full, {"Y": 1})
    assert (changed["Y"] == 1).all()
    assert changed.drop(columns="Y").equals(data.full.drop(columns="Y"))


@pytest.mark.parametrize("name", ["J", "Y"])
def test_what_is_not_invertible_is_refused(data, name):
    with pytest.raises(InputError, match=rf"noise of '{name}' cannot be inferred.*not invertible"):
        mixed_model().abduct(data.full, nodes=[name])
    with pytest.raises(InputError, match="not invertible"):
        mixed_model().counterfactual(data.full, {"A": 0.0})


def test_noise_that_leaves_no_trace_is_refused():
    model = StructuralModel({"A": Node(), "B": Node(Additive(Linear({"A": 1.0}), noise_scale=0.0))})
    frame = model.sample(5, random_state=0).frame
    with pytest.raises(InputError, match="leaves no trace"):
        model.counterfactual(frame, {"A": 0.0})


def test_bad_input_is_named(data):
    model = linear_model()
    frame = model.sample(5, random_state=0).frame
    with pytest.raises(ColumnNotFoundError, match="no column 'X', which the counterfactual needs"):
        model.counterfactual(frame.drop(columns="X"), {"Z": 0.0})
    with pytest.raises(InputError, match=r"'Z' has shape .* expected one value"):
        model.counterfactual(frame, {"Z": np.zeros(3)})
    with pytest.raises(InputError, match="there is no 'W'"):
        model.counterfactual(frame, {"W": 0.0})
    gaps = frame.copy()
    gaps.loc[2, "M"] = np.nan
    with pytest.raises(InputError, match="column 'M' has 1 missing cell"):
        model.counterfactual(gaps, {"X": 0.0})
    with pytest.raises(ColumnNotFoundError, match="no column 'environment'"):
        mixed_model().counterfactual(data.full.drop(columns="environment"), {"Y": 0})
    with pytest.raises(InputError, match=r"there is no 'z'\. There are: 'p', 'q', 'r'"):
        mixed_model().counterfactual(data.full.assign(environment="z"), {"Y": 0})
    with pytest.raises(InputError, match="cycle"):
        data.counterfactual({"A": Linear({"Y": 1.0})})


def test_inputs_stay_untouched(data):
    before = data.full.copy()
    data.counterfactual({"A": 0.0})
    assert data.full.equals(before)
