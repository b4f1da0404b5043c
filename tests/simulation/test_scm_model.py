"""The model as an object: validation, graph, shifts, seeds, JSON."""

from dataclasses import dataclass

import networkx as nx
import numpy as np
import pytest

from shiftlab.exceptions import InputError
from shiftlab.simulation import (
    Additive,
    Branch,
    Categorical,
    CoefficientShift,
    Custom,
    Discrete,
    Fixed,
    Function,
    Gaussian,
    GaussianProcess,
    Laplace,
    Linear,
    MeanShift,
    MechanismShift,
    Missingness,
    Mixture,
    Node,
    NoiseScaleShift,
    NoiseShift,
    Nonlinear,
    Product,
    ScaleShift,
    Selection,
    StructuralModel,
    StudentT,
    Sum,
    Threshold,
    Transform,
    Uniform,
    evolve,
    random_tree,
)


def chain(**environments):
    nodes = {
        "A": Node(),
        "B": Node(Linear({"A": 2.0}), Uniform()),
        "C": Node(Linear({"B": -1.0, "A": 0.5}), Laplace()),
    }
    return StructuralModel(nodes, environments)


def zoo():
    """One node of every mechanism, with every shift somewhere."""
    nodes = {
        "G": Node(noise=Discrete({"f": 0.4, "m": 0.6})),
        "H": Node(noise=Mixture((Gaussian(1.0, -2.0), StudentT(5.0)), (0.3, 0.7)), hidden=True),
        "A": Node(Linear({"H": 1.0, "G=f": 0.5, "H^2": 0.1})),
        "B": Node(Additive(Nonlinear({"A": 1.0}, shape="sin"), log_scale=Linear({"H": 0.2}))),
        "C": Node(Additive(GaussianProcess(("A", "B"), seed=3), output="sinh")),
        "D": Node(random_tree(["A", "C"], depth=2, random_state=1), Laplace()),
        "E": Node(
            Threshold(Sum((Linear({"A": 1.0}), Product((Linear({"B": 1.0}), Linear({"A": 1.0}))))))
        ),
        "J": Node(Categorical({"x": Linear({"A": 1.0}), "y": 0.0, "z": Branch("B", 0.0)})),
        "Y": Node(Transform("tanh", Linear({"J=x": 1.0, "E": 1.0, "D": 0.5}), amplitude=2.0)),
    }
    environments = {
        "base": [],
        2: [MeanShift("A", 1.0), MeanShift("J", {"x": 2.0}), ScaleShift("A", 2.0)],
        0.5: [NoiseScaleShift("E", 3.0), NoiseShift("G", Discrete({"f": 0.9, "m": 0.1}))],
        "cut": [Selection(Threshold(Linear({"A": 1.0}), noise_scale=0.0)), Missingness("J", 0.2)],
        "new": [
            CoefficientShift("Y", "E", factor=-1.0),
            MechanismShift("D", Linear({"A": 1.0})),
            Missingness("B", Linear({"A": 1.0})),
        ],
    }
    return StructuralModel(nodes, environments, environment_name="site")


def test_json_round_trip_gives_the_same_model_and_the_same_rows():
    model = zoo()
    copy = StructuralModel.from_json(model.to_json())
    assert copy == model
    assert list(copy.environments) == ["base", 2, 0.5, "cut", "new"]
    before, after = (m.sample(50, random_state=5) for m in (model, copy))
    assert before.frame.equals(after.frame)
    assert copy.to_json() == model.to_json()


def test_interventions_survive_the_round_trip():
    model = zoo().do({"A": 1.0, "D": Linear({"B": 1.0})})
    copy = StructuralModel.from_json(model.to_json())
    assert copy == model
    assert copy.nodes_in("new")["A"].law == Fixed(1.0)
    assert "do A := 1.0" in repr(copy)


def test_callables_are_no_data():
    model = StructuralModel({"A": Node(), "B": Node(Custom(np.tanh, ("A",)))})
    assert np.isfinite(model.sample(10, random_state=0).frame["B"]).all()
    with pytest.raises(InputError, match="callable, which cannot be written as data"):
        model.to_json()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "describes no StructuralModel, found dict"),
        ({"$type": "Linaer", "coefficients": {}}, "Did you mean 'Linear'"),
        ({"$type": "Gaussian"}, "describes no StructuralModel, found Gaussian"),
        ({"$type": "StructuralModel", "nodes": {}, "edges": []}, "cannot be read.*edges"),
    ],
)
def test_dictionaries_that_are_no_model_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        StructuralModel.from_dict(data)


def test_own_parts_can_be_data_and_cannot_replace_ours():
    @dataclass(frozen=True, repr=False)
    class Linear(Function):
        parent: str

        @property
        def parents(self):
            return (self.parent,)

        def __call__(self, values):
            return values[self.parent] / 2

    model = StructuralModel({"A": Node(), "B": Node(Linear("A"), Uniform())})
    copy = StructuralModel.from_json(model.to_json())
    assert copy == model
    assert StructuralModel.from_json(chain().to_json()) == chain()
    data = copy.sample(5, random_state=0)
    np.testing.assert_allclose(data.full["B"], data.full["A"] / 2 + data.noise["B"])


def test_graph_has_hidden_nodes_and_the_environment():
    graph = zoo().graph(environment_node=True)
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.nodes["H"]["hidden"]
    assert set(graph.successors("site")) == {"A", "J", "E", "G", "Y", "D"}
    assert ("A", "D") in zoo().graph("new").edges
    assert ("C", "D") not in zoo().graph("new").edges


def test_changed_variables_name_exactly_what_a_shift_touches():
    model = zoo()
    changed = {label: set(model.changed_variables(label)) for label in model.environments}
    assert changed == {
        "base": set(),
        2: {"A", "J"},
        0.5: {"E", "G"},
        "cut": set(),
        "new": {"Y", "D"},
    }


def test_a_shift_common_to_all_environments_is_no_change_between_them():
    model = chain(one=[MeanShift("A", 1.0)], two=[MeanShift("A", 1.0), ScaleShift("C", 2.0)])
    assert model.changed_variables("one") == ("A",)
    assert model.changing_variables() == ("C",)


@pytest.mark.parametrize(
    "shift",
    [
        MeanShift("B", 3.0),
        ScaleShift("B", 2.0),
        NoiseScaleShift("B", 2.0),
        CoefficientShift("B", "A", to=9.0),
        MechanismShift("B", Nonlinear({"A": 1.0}, shape="square")),
    ],
    ids=lambda s: type(s).__name__,
)
def test_a_shift_leaves_all_noise_and_all_other_mechanisms_alone(shift):
    before = chain(e=[]).sample(200, random_state=1)
    after = chain(e=[shift]).sample(200, random_state=1)
    for name in "ABC":
        assert np.array_equal(before.noise[name], after.noise[name])
    assert before.full["A"].equals(after.full["A"])
    assert not np.allclose(before.full["B"], after.full["B"])
    c = -after.full["B"] + 0.5 * after.full["A"] + after.noise["C"]
    np.testing.assert_allclose(after.full["C"], c, atol=1e-12)


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ([MeanShift("B", 3.0)], lambda a, u: 2 * a + u + 3),
        ([ScaleShift("B", 2.0)], lambda a, u: 4 * a + 2 * u),
        ([NoiseScaleShift("B", 0.5)], lambda a, u: 2 * a + u / 2),
        ([NoiseScaleShift("B", 0.0)], lambda a, u: 2 * a),
        ([CoefficientShift("B", "A", to=9.0)], lambda a, u: 9 * a + u),
        ([CoefficientShift("B", "A", by=1.0)], lambda a, u: 3 * a + u),
        ([CoefficientShift("B", "A", factor=-1.0)], lambda a, u: -2 * a + u),
        ([CoefficientShift("B", "intercept", to=1.0)], lambda a, u: 2 * a + u + 1),
        ([MechanismShift("B", Nonlinear({"A": 1.0}, shape="cube"))], lambda a, u: a**3 + u),
        ([ScaleShift("B", 2.0), MeanShift("B", 3.0)], lambda a, u: 4 * a + 2 * u + 3),
        ([MeanShift("B", 3.0), ScaleShift("B", 2.0)], lambda a, u: 4 * a + 2 * u + 6),
    ],
)
def test_shifts_have_their_closed_form_in_the_order_given(shifts, expected):
    data = chain(e=shifts).sample(100, random_state=1)
    wanted = expected(data.noise["A"], data.noise["B"])
    np.testing.assert_allclose(data.full["B"], wanted, atol=1e-12)


def test_a_noise_shift_changes_the_noise_of_its_node_only():
    before, after = (
        chain(e=shifts).sample(5000, random_state=1)
        for shifts in ([], [NoiseShift("B", Gaussian(5.0, 1.0))])
    )
    assert np.array_equal(before.noise["A"], after.noise["A"])
    assert np.array_equal(before.noise["C"], after.noise["C"])
    assert abs(after.noise["B"].std() - 5) < 0.3


def test_seeds_belong_to_names_not_positions():
    small = chain(e=[]).sample(50, random_state=3)
    nodes = {"Z": Node(), **chain().nodes}
    large = StructuralModel(nodes, {"first": [], "e": []}).sample(
        {"first": 7, "e": 50}, random_state=3
    )
    for name in "ABC":
        assert np.array_equal(small.full[name], large.full[name][7:])
    assert not np.array_equal(large.noise["A"][:7], large.noise["A"][7:14])


def test_evolving_environments_follow_their_coefficient():
    times = np.linspace(0, 1, 4)
    model = chain().with_environments(evolve(times, lambda t: [CoefficientShift("B", "A", to=t)]))
    data = model.sample(20, random_state=0)
    expected = data.environment * data.full["A"] + data.noise["B"]
    np.testing.assert_allclose(data.full["B"], expected, atol=1e-12)
    assert data.frame["environment"].dtype == float


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: StructuralModel({"A": Node(Linear({"B": 1.0})), "B": Node(Linear({"A": 1.0}))}),
            "cycle.*A|B",
        ),
        (
            lambda: StructuralModel({"income": Node(), "B": Node(Linear({"incme": 1.0}))}),
            "Did you mean 'income'",
        ),
        (lambda: chain(e=[MeanShift("D", 1.0)]), "there is no 'D'"),
        (lambda: chain(e=[CoefficientShift("C", "BB", to=1.0)]), "Did you mean 'B'"),
        (lambda: chain(e=[CoefficientShift("C", "B")]), "exactly one of to, by and factor"),
        (lambda: chain(e=["MeanShift"]), "holds a str, expected a Shift"),
        (lambda: Gaussian(-1.0), "Gaussian scale must be above 0"),
        (lambda: Uniform(1.0, 1.0), "Uniform high must be above 1"),
        (lambda: NoiseScaleShift("A", -1.0), "at least 0"),
        (lambda: Discrete({0: 0.5, 1: 0.4}), "sum 1, found 0.9"),
        (lambda: Linear({"A": np.nan}), "finite number"),
        (lambda: Linear({"A^x": 1.0}), "cannot be read"),
        (lambda: Nonlinear({"A": 1.0}, shape="sine"), "Did you mean 'sin'"),
        (lambda: Node(np.tanh), "Wrap a Python function in Custom"),
        (lambda: Node(Categorical({"a": 0.0, "b": 1.0}), Gaussian()), "its own Gumbel noise"),
        (lambda: StructuralModel({"A:B": Node()}), "is no name"),
        (lambda: StructuralModel({"environment": Node()}), "is taken"),
        (lambda: Discrete({"a": 0.5, 1: 0.5}), "mix text and numbers"),
        (lambda: Categorical({("a",): 0.0, "b": 1.0}), "must be text or numbers"),
        (
            lambda: StructuralModel(
                {
                    "job": Node(Categorical({"retired": 0.0, "employed": 1.0})),
                    "Y": Node(Threshold(Sum((Linear({"job=retird": 1.0}),)))),
                }
            ),
            "'Y': labels of 'job': there is no 'retird'. Did you mean 'retired'",
        ),
        (lambda: chain(e=[ScaleShift("C", 0.0)]), "must be above 0"),
        (
            lambda: StructuralModel({"T": Node(Threshold())}, {"e": [ScaleShift("T", 2.0)]}),
            "ScaleShift.*in 'e': Threshold has no scale to shift",
        ),
        (lambda: StructuralModel({}), "at least one variable"),
        (lambda: chain().sample(0), "n_rows must be an integer of at least 1, found 0"),
        (lambda: chain(north=[], south=[]).sample({"nrth": 3}), "Did you mean 'north'"),
        (lambda: chain().do({"AA": 1.0}), "Did you mean 'A'"),
        (lambda: chain().do({"A": [1.0, 2.0]}), "One value per row is possible in counterfactual"),
        (lambda: chain(e=[MeanShift("A", {"x": 1.0})]), "by must be a finite number"),
        (lambda: chain(e=[Selection(Linear({"Q": 1.0}))]), "there is no 'Q'"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_the_picture_shows_every_variable():
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    axes = zoo().plot()
    assert {text.get_text() for text in axes.texts} >= set(zoo().nodes)
    own = plt.subplots()[1]
    assert chain().plot(own) is own
    plt.close("all")
