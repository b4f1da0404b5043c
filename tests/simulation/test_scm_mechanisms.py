"""Noises and mechanisms have the distributions and values that they claim."""

import numpy as np
import pytest
from scipy import stats

from shiftlab.exceptions import InputError
from shiftlab.simulation import (
    Additive,
    Branch,
    Categorical,
    CoefficientShift,
    Constant,
    Custom,
    CustomMechanism,
    Discrete,
    Exponential,
    Gaussian,
    GaussianProcess,
    Laplace,
    Linear,
    Logistic,
    MeanShift,
    Missingness,
    Mixture,
    Node,
    Nonlinear,
    Product,
    Ramp,
    Selection,
    StructuralModel,
    StudentT,
    Sum,
    Threshold,
    Transform,
    Uniform,
    random_tree,
)

N = 20_000
A = np.array([-2.0, -0.5, 0.0, 1.0, 3.0])
B = np.array([1.0, 2.0, -1.0, 0.5, 0.0])


def draw(noise, n=N, seed=0):
    return noise.draw(np.random.default_rng(seed), n)


@pytest.mark.parametrize(
    ("noise", "law"),
    [
        (Gaussian(2.0, 1.0), stats.norm(1.0, 2.0)),
        (Uniform(), stats.uniform(-np.sqrt(3), 2 * np.sqrt(3))),
        (Uniform(1.0, 4.0), stats.uniform(1.0, 3.0)),
        (StudentT(3.0, 2.0, -1.0), stats.t(3.0, -1.0, 2.0)),
        (Laplace(), stats.laplace(0.0, np.sqrt(0.5))),
        (Exponential(2.0), stats.expon(-2.0, 2.0)),
        (Exponential(2.0, centred=False), stats.expon(0.0, 2.0)),
        (Logistic(0.5, 1.0), stats.logistic(1.0, 0.5)),
    ],
    ids=lambda value: repr(value) if not hasattr(value, "cdf") else "",
)
def test_continuous_noises_follow_their_law(noise, law):
    pvalues = [stats.kstest(draw(noise, seed=seed), law.cdf).pvalue for seed in range(5)]
    # Five independent tests: the smallest p-value is below 0.001 in one of 200 correct runs.
    assert min(pvalues) > 0.001
    assert np.unique(draw(noise, 100)).size == 100


@pytest.mark.parametrize("noise", [Uniform(), Laplace(), Exponential(), Gaussian()], ids=repr)
def test_default_noises_are_standardised(noise):
    values = draw(noise, 400_000)
    assert abs(values.mean()) < 4 / np.sqrt(len(values))
    assert abs(values.std() - 1) < 0.01


def test_mixture_follows_the_mixture_of_laws():
    noise = Mixture((Gaussian(1.0, -2.0), Uniform(0.0, 1.0)), (0.3, 0.7))
    law = lambda v: 0.3 * stats.norm.cdf(v, -2.0) + 0.7 * stats.uniform.cdf(v)  # noqa: E731
    assert stats.kstest(draw(noise), law).pvalue > 0.001


def test_discrete_has_its_frequencies_and_moves_few_rows():
    values = draw(Discrete({"a": 0.2, "b": 0.5, "c": 0.3}))
    counts = [int((values == label).sum()) for label in "abc"]
    assert stats.chisquare(counts, N * np.array([0.2, 0.5, 0.3])).pvalue > 0.001
    other = draw(Discrete({"a": 0.3, "b": 0.4, "c": 0.3}))
    assert abs(np.mean(values != other) - 0.1) < 0.02


def test_ramp_is_a_clock():
    assert draw(Ramp(0.0, 2.0), 5).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_mixture_checks_its_weights():
    with pytest.raises(InputError, match="1 components, but 2 weights"):
        Mixture((Gaussian(),), (0.5, 0.5))
    with pytest.raises(InputError, match="sum 1"):
        Mixture((Gaussian(),), (0.5,))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (Constant(2.0), 2.0),
        (Linear({"A": 2.0, "B^2": -1.0, "A:B": 0.5}, 1.0), 1 + 2 * A - B**2 + A * B / 2),
        (Linear({"A": 0.0, "B": 1.0}), B),
        (
            Nonlinear({"A": 2.0, "B": -1.0}, 0.5, "sin", 3.0, 0.1),
            0.5 + 2 * np.sin(3 * A + 0.1) - np.sin(3 * B + 0.1),
        ),
        (Nonlinear({"A": 1.0}, shape="power1.5"), np.abs(A) ** 1.5),
        (Nonlinear({"A": 1.0}, shape="sinc"), np.sinc(A)),
        (Transform("tanh", Linear({"A": 2.0}), 3.0, 1.0), 1 + 3 * np.tanh(2 * A)),
        (Sum((Linear({"A": 1.0}), Nonlinear({"B": 1.0}, shape="square"))), A + B**2),
        (Product((Linear({"A": 1.0}), Linear({"B": 1.0}), Constant(2.0))), 2 * A * B),
        (
            Branch("A", 0.0, Linear({"B": 1.0}), Branch("B", 0.2, 5.0, 6.0)),
            np.array([1.0, 2.0, -1.0, 6.0, 5.0]),
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, (float, np.ndarray)) else "",
)
def test_functions_have_their_closed_form(function, expected):
    np.testing.assert_allclose(function({"A": A, "B": B}), expected, atol=1e-12)
    assert set(function.parents) <= {"A", "B"}


def test_indicator_terms_read_labels_and_numbers():
    job = np.array(["retired", "employed", "retired"])
    function = Linear({"job=retired": 2.0, "job=employed:v": 1.0})
    assert function({"job": job, "v": np.array([1.0, 7.0, 3.0])}).tolist() == [2.0, 7.0, 2.0]
    assert function.parents == ("job", "v")
    assert Linear({"k=2": 1.0})({"k": np.array([1, 2])}).tolist() == [0.0, 1.0]
    with pytest.raises(InputError, match="holds labels, not numbers"):
        Linear({"job": 1.0})({"job": job})


def test_a_zero_coefficient_is_no_edge_until_it_is_shifted():
    nodes = {"A": Node(), "B": Node(Linear({"A": 0.0}))}
    model = StructuralModel(nodes, {"x": [], "y": [CoefficientShift("B", "A", to=1.0)]})
    assert list(model.graph("x").edges) == []
    assert list(model.graph().edges) == [("A", "B")]


def test_coefficients_are_found_inside_compositions():
    function = Sum((Transform("tanh", Linear({"A:B": 1.0})), Nonlinear({"B": 2.0})))
    changed = function.with_coefficient("B:A", lambda old: old + 4)
    assert changed.parts[0].inner.coefficients == {"A:B": 5.0}
    with pytest.raises(InputError, match="0 parts of the Sum have 'C'"):
        function.with_coefficient("C", abs)
    with pytest.raises(InputError, match="has no coefficients"):
        Branch("A", 0.0).with_coefficient("A", abs)


def test_gaussian_process_draws_have_the_kernel_as_covariance():
    at = {"v": np.array([0.0, 0.5, 2.0])}
    draws = np.array([GaussianProcess(("v",), seed, 0.8, 1.5)(at) for seed in range(500)])
    distance = at["v"][:, None] - at["v"]
    kernel = 1.5**2 * np.exp(-0.5 * (distance / 0.8) ** 2)
    standard_error = np.sqrt((np.outer(np.diag(kernel), np.diag(kernel)) + kernel**2) / 500)
    assert (np.abs(np.cov(draws.T) - kernel) < 4 * standard_error).all()


def test_a_gaussian_process_draw_is_one_fixed_function():
    function = GaussianProcess(("A", "B"), seed=4)
    whole = function({"A": A, "B": B})
    assert whole[::-1].tolist() == function({"A": A[::-1], "B": B[::-1]}).tolist()
    assert function({"A": A[2], "B": B[2]}) == whole[2]
    assert not np.allclose(whole, GaussianProcess(("A", "B"), seed=5)({"A": A, "B": B}))


def test_random_trees_are_piecewise_constant():
    tree = random_tree(["A", "B"], depth=3, random_state=0)
    rng = np.random.default_rng(0)
    values = tree({"A": rng.normal(size=2000), "B": rng.normal(size=2000)})
    assert 2 <= np.unique(values).size <= 8


@pytest.mark.parametrize(("inputs", "depth", "what"), [([], 1, "inputs"), (["A"], -1, "depth")])
def test_random_trees_need_variables_and_a_depth(inputs, depth, what):
    with pytest.raises(InputError, match=what):
        random_tree(inputs, depth=depth, random_state=0)


@pytest.mark.parametrize("score", [-2.0, 0.0, 0.7])
@pytest.mark.parametrize(
    ("noise", "cdf"), [(Logistic(), stats.logistic.cdf), (Gaussian(), stats.norm.cdf)]
)
def test_thresholds_are_logistic_and_probit_regressions(score, noise, cdf):
    rate = Threshold(Constant(score))({}, draw(noise, 100_000)).mean()
    expected = cdf(score)
    assert abs(rate - expected) < 4 * np.sqrt(expected * (1 - expected) / 100_000)


def test_categorical_has_softmax_probabilities():
    model = StructuralModel(
        {
            "A": Node(noise=Discrete({0: 0.5, 1: 0.5})),
            "J": Node(Categorical({"x": Linear({"A": 1.0}), "y": 0.0, "z": -0.5})),
        },
        {"base": [], "more": [MeanShift("J", {"z": 1.0, "x": 0.2})]},
    )
    data = model.sample(50_000, random_state=2)
    for (label, a), part in data.full.groupby(["environment", "A"]):
        more = label == "more"
        weights = np.exp([a + 0.2 * more, 0.0, -0.5 + 1.0 * more])
        counts = [int((part["J"] == k).sum()) for k in "xyz"]
        assert stats.chisquare(counts, len(part) * weights / weights.sum()).pvalue > 0.001


@pytest.mark.parametrize("output", ["identity", "cube", "exp", "sigmoid", "sinh"])
def test_additive_mechanisms_are_inverted(output):
    law = Additive(Linear({"A": 0.3}), 0.2, 0.5, Linear({"B": 0.1}), 0.7, output)
    noise = draw(Gaussian(), 5)
    values = {"A": A, "B": B}
    np.testing.assert_allclose(law.infer_noise(values, law(values, noise)), noise, atol=1e-9)
    assert law.parents == ("A", "B")


def test_log_scale_sets_the_spread():
    model = StructuralModel(
        {
            "A": Node(noise=Discrete({0: 0.5, 2: 0.5})),
            "B": Node(Additive(log_scale=Linear({"A": 0.5}))),
        }
    )
    spread = model.sample(100_000, random_state=0).full.groupby("A")["B"].std()
    np.testing.assert_allclose(spread, [1.0, np.e], rtol=0.02)


def test_custom_mechanisms_take_parents_and_noise():
    law = CustomMechanism(lambda v, u: v["A"] * u, ("A",), inverse=lambda v, x: x / v["A"])
    model = StructuralModel({"A": Node(noise=Uniform(1.0, 2.0)), "B": Node(law)})
    data = model.sample(50, random_state=0)
    np.testing.assert_allclose(model.abduct(data.frame)["B"], data.noise["B"])
    wrong = StructuralModel({"A": Node(CustomMechanism(lambda v, u: u[:2]))})
    with pytest.raises(InputError, match=r"returned shape \(2,\), expected \(5,\)"):
        wrong.sample(5)


def test_overflow_is_an_error_that_names_the_variable():
    model = StructuralModel({"A": Node(), "big": Node(Additive(Linear({"A": 1e6}), output="exp"))})
    with pytest.raises(InputError, match=r"'big' has .* not finite"):
        model.sample(100, random_state=0)


def test_a_score_that_is_not_a_number_is_an_error():
    undefined = Custom(lambda a: np.where(a > 0, a, np.nan), ("A",))
    for law in (Threshold(undefined), Categorical({"x": undefined, "y": 0.0})):
        model = StructuralModel({"A": Node(), "B": Node(law)})
        with pytest.raises(InputError, match="score is not a number"):
            model.sample(20, random_state=0)


def test_selection_conditions_on_its_score():
    nodes = {"A": Node(), "B": Node(Linear({"A": 1.0}))}
    cut = Threshold(Linear({"A": 1.0}), offset=-0.5, noise_scale=0.0)
    soft = Selection(Linear({"A": 2.0}))
    model = StructuralModel(
        nodes, {"cut": [Selection(cut)], "soft": [soft], "few": [Selection(cut, refill=False)]}
    )
    data = model.sample(20_000, random_state=0)
    parts = dict(tuple(data.full.groupby("environment")))
    assert len(parts["cut"]) == len(parts["soft"]) == 20_000
    assert abs(len(parts["few"]) / 20_000 - stats.norm.sf(0.5)) < 0.015
    assert stats.kstest(parts["cut"]["A"], stats.truncnorm(0.5, np.inf).cdf).pvalue > 0.001
    # E[A | kept] = E[A s(2A)] / E[s(2A)] with E[s(2A)] = 1/2, by numerical integration.
    grid = np.linspace(-8, 8, 4001)
    mean = 2 * np.trapezoid(grid * stats.norm.pdf(grid) / (1 + np.exp(-2 * grid)), grid)
    assert abs(parts["soft"]["A"].mean() - mean) < 0.03
    np.testing.assert_allclose(parts["cut"]["B"], parts["cut"]["A"] + data.noise["B"][:20_000])


def test_a_hopeless_selection_is_an_error():
    nowhere = Selection(Threshold(Linear({"A": 1.0}), offset=-50.0, noise_scale=0.0))
    model = StructuralModel({"A": Node()}, {"e": [nowhere]})
    with pytest.raises(InputError, match=r"keeps 0\.00% of the rows"):
        model.sample(10, random_state=0)


def test_missing_cells_hide_the_observed_table_only():
    nodes = {"A": Node(), "K": Node(Threshold()), "J": Node(Categorical({"x": 0.0, "y": 0.0}))}
    shifts = [Missingness("A", 0.3), Missingness("K", Linear({"A": 2.0})), Missingness("J", 0.1)]
    data = StructuralModel(nodes, {"full": [], "gaps": shifts}).sample(5000, random_state=0)
    gaps = data.frame["environment"] == "gaps"
    assert data.frame[~gaps].notna().all().all()
    assert data.full.notna().all().all()
    rates = data.frame[gaps].isna().mean()
    assert abs(rates["A"] - 0.3) < 0.03
    assert abs(rates["K"] - 0.5) < 0.03
    assert abs(rates["J"] - 0.1) < 0.02
    high = data.full.loc[gaps, "A"] > 1
    assert data.frame.loc[gaps, "K"][high].isna().mean() > 0.85
