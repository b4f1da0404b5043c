"""Random graphs and models; samples obey the separations that their graph implies."""

import networkx as nx
import numpy as np
import pytest
from scipy import stats

from shiftlab.exceptions import InputError
from shiftlab.simulation import (
    CoefficientShift,
    Exponential,
    Gaussian,
    MeanShift,
    StructuralModel,
    StudentT,
    Uniform,
    random_dag,
    random_model,
)


@pytest.mark.parametrize("kind", ["erdos-renyi", "scale-free"])
def test_random_dags_are_acyclic_and_repeatable(kind):
    for seed in range(20):
        graph = random_dag(12, expected_degree=3.0, kind=kind, random_state=seed)
        assert nx.is_directed_acyclic_graph(graph)
        assert list(graph) == [f"X{i}" for i in range(12)]
        again = random_dag(12, expected_degree=3.0, kind=kind, random_state=seed)
        assert set(graph.edges) == set(again.edges)


def test_erdos_renyi_has_the_expected_degree_and_no_fixed_order():
    graphs = [random_dag(10, expected_degree=3.0, random_state=s) for s in range(400)]
    n_edges = np.array([g.number_of_edges() for g in graphs])
    share = 3.0 / 9
    assert abs(n_edges.mean() - 15) < 4 * np.sqrt(45 * share * (1 - share) / 400)
    forward = np.mean([a < b for g in graphs for a, b in g.edges])
    assert abs(forward - 0.5) < 0.05


def test_scale_free_graphs_have_hubs():
    def largest(kind):
        graphs = [random_dag(60, kind=kind, random_state=s) for s in range(20)]
        return np.mean([max(dict(g.degree).values()) for g in graphs])

    assert largest("scale-free") > 1.4 * largest("erdos-renyi")


def test_random_models_are_standardised():
    for shapes in (["identity"], ["tanh", "sinc", "power1.5"], ["gp", "tree"]):
        model = random_model(
            8,
            shapes=shapes,
            noises=[Gaussian(), Uniform(), Exponential()],
            change_probability=0.0,
            random_state=3,
        )
        full = model.sample(20_000, random_state=0).full.drop(columns="environment")
        # The pilot has 2,000 rows: its mean has standard error 0.022.
        assert full.mean().abs().max() < 0.15
        np.testing.assert_allclose(full.std(), 1.0, atol=0.15)


def test_change_probability_is_the_share_of_changing_variables():
    n_changing = [
        len(
            random_model(
                10, environments=3, change_probability=0.3, random_state=s
            ).changing_variables()
        )
        for s in range(150)
    ]
    assert abs(np.mean(n_changing) - 3.0) < 4 * np.sqrt(10 * 0.3 * 0.7 / 150)
    assert random_model(5, environments=4, change_probability=0.0).changing_variables() == ()


def test_only_the_wanted_changes_happen():
    model = random_model(
        8, environments=5, change_probability=1.0, changes=["mean"], random_state=0
    )
    kinds = {type(shift) for shifts in model.environments.values() for shift in shifts}
    assert kinds == {MeanShift}
    model = random_model(
        8, environments=5, change_probability=1.0, changes=["coefficient"], random_state=0
    )
    roots = {name for name in model.nodes if not model.nodes[name].parents}
    assert set(model.changing_variables()) == set(model.nodes) - roots


def test_times_give_smooth_paths():
    times = np.linspace(2000.0, 2010.0, 60)
    options = {"change_probability": 1.0, "changes": ["coefficient"], "random_state": 1}
    smooth, rough = (random_model(6, environments=e, **options) for e in (times, 60))

    def roughness(model):
        paths = {}
        for shifts in model.environments.values():
            for shift in shifts:
                assert isinstance(shift, CoefficientShift)
                paths.setdefault((shift.node, shift.term), []).append(shift.by)
        return np.mean([np.abs(np.diff(p)).mean() / np.std(p) for p in paths.values()])

    assert roughness(smooth) < 0.3 < 0.9 < roughness(rough)
    assert list(smooth.environments) == times.tolist()


def test_random_models_are_data_with_hidden_variables():
    graph = random_dag(7, random_state=1)
    graph.nodes["X3"]["hidden"] = True
    model = random_model(
        graph, environments=4, shapes=["gp", "tree", "sin"], noises=[StudentT(5.0)], random_state=2
    )
    assert StructuralModel.from_json(model.to_json()) == model
    data = model.sample(30, random_state=0)
    assert "X3" not in data.frame
    assert "X3" in data.full
    assert set(model.graph().edges) == set(graph.edges)


def separated_triple(graph, rng):
    """Draw pairs and conditioning sets until one is d-separated; None if none is found."""
    names = sorted(graph)
    for _ in range(60):
        a, b, *rest = rng.permutation(names).tolist()
        given = rest[: rng.integers(3)]
        if nx.is_d_separator(graph, {a}, {b}, set(given)):
            return a, b, given
    return None


def partial_correlation_pvalue(frame, a, b, given):
    columns = frame[[a, b, *given]].to_numpy()
    precision = np.linalg.inv(np.cov(columns.T))
    r = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    z = np.arctanh(r) * np.sqrt(len(columns) - len(given) - 3)
    return 2 * stats.norm.sf(abs(z))


def separation_pvalues(n_models):
    """One separated triple per model, so that the p-values are independent."""
    for seed in range(n_models):
        model = random_model(6, change_probability=0.0, random_state=seed)
        triple = separated_triple(model.graph(), np.random.default_rng(seed))
        if triple:
            frame = model.sample(200, random_state=seed).frame
            yield partial_correlation_pvalue(frame, *triple)


@pytest.mark.parametrize("n_models", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_separations_hold_in_linear_gaussian_samples(n_models):
    pvalues = np.array(list(separation_pvalues(n_models)))
    assert len(pvalues) > 0.9 * n_models
    for alpha in (0.01, 0.05, 0.2):
        rejections = int((pvalues <= alpha).sum())
        assert stats.binomtest(rejections, len(pvalues), alpha).pvalue > 0.005
    assert stats.kstest(pvalues, "uniform").pvalue > 0.005


def test_edges_are_seen_in_samples():
    """The counterpart: given its other parents, a variable depends on each parent."""
    n_seen = n_edges = 0
    for seed in range(20):
        model = random_model(6, change_probability=0.0, random_state=seed)
        frame, graph = model.sample(500, random_state=seed).frame, model.graph()
        for parent, child in graph.edges:
            others = sorted(set(graph.predecessors(child)) - {parent})
            n_seen += partial_correlation_pvalue(frame, parent, child, others) < 0.01
            n_edges += 1
    assert n_seen > 0.95 * n_edges


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: random_dag(0), "n_nodes must be an integer of at least 1"),
        (lambda: random_dag(4, expected_degree=4), "at most n_nodes - 1 = 3"),
        (lambda: random_dag(4, kind="erdos"), "kind must be one of"),
        (lambda: random_model(4, shapes=["tan"]), "Did you mean 'tanh'"),
        (lambda: random_model(4, changes=["variance"]), "changes must be one of"),
        (lambda: random_model(4, environments=0), "environments must be an integer of at least 1"),
        (lambda: random_model(4, environments=[]), "environments names no time"),
        (lambda: random_model(4, noises=[]), "noises must not be empty"),
        (lambda: random_model(4, change_probability=1.5), "change_probability must be at most 1"),
        (lambda: random_model(nx.DiGraph([("a", "b"), ("b", "a")])), "graph has a cycle"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()
