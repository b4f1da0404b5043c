import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from shiftlab.exceptions import InputError
from shiftlab.transport import wasserstein_1d

SAMPLES = arrays(np.float64, st.integers(1, 30), elements=st.floats(-100, 100))


@settings(max_examples=60, deadline=None)
@given(SAMPLES, SAMPLES)
def test_agrees_with_scipy(x, y):
    expected = stats.wasserstein_distance(x, y)
    assert wasserstein_1d(x, y) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(SAMPLES, SAMPLES, st.sampled_from([1, 1.5, 2, 3]))
def test_symmetric_and_scales_with_the_unit(x, y, p):
    distance = wasserstein_1d(x, y, p)
    assert wasserstein_1d(y, x, p) == pytest.approx(distance, rel=1e-9, abs=1e-9)
    assert wasserstein_1d(-3 * x + 1, -3 * y + 1, p) == pytest.approx(3 * distance, abs=1e-6)


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_shift_of_a_sample_costs_the_shift(rng, p):
    x = rng.normal(size=(40, 3))
    np.testing.assert_allclose(
        wasserstein_1d(x, x + np.array([1.0, -2.0, 0.0]), p), [1, 2, 0], atol=1e-12
    )


@pytest.mark.parametrize("p", [1, 2])
def test_weights_mean_repeated_rows(rng, p):
    x, y = rng.normal(size=(7, 2)), rng.normal(size=(9, 2))
    repeats = rng.integers(0, 4, size=7)
    repeats[0] = 1
    weighted = wasserstein_1d(x, y, p, x_weights=repeats)
    np.testing.assert_allclose(weighted, wasserstein_1d(np.repeat(x, repeats, axis=0), y, p))


@pytest.mark.parametrize("p", [1, 2])
def test_columns_are_solved_one_by_one(rng, p):
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(11, 3))
    weights = rng.random(8)
    for w in (None, weights):
        batched = wasserstein_1d(x, y, p, x_weights=w)
        single = [wasserstein_1d(x[:, j], y[:, j], p, x_weights=w) for j in range(3)]
        np.testing.assert_allclose(batched, single, rtol=1e-12)


def test_normal_quantiles_give_the_gaussian_distance():
    # W2 between N(0, 1) and N(m, s^2) is sqrt(m^2 + (s - 1)^2).
    quantiles = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert wasserstein_1d(quantiles, 3 + 2 * quantiles, 2) == pytest.approx(np.sqrt(10), rel=1e-3)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_torch_agrees_with_numpy(rng, p, weighted):
    torch = pytest.importorskip("torch")
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(11, 3))
    weights = rng.random(8) if weighted else None
    result = wasserstein_1d(torch.tensor(x), torch.tensor(y), p, x_weights=weights)
    assert isinstance(result, torch.Tensor)
    np.testing.assert_allclose(result.numpy(), wasserstein_1d(x, y, p, x_weights=weights))


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([np.nan], [1.0], {}, "x has 1 missing"),
        ([1.0], [], {}, "y needs at least one row"),
        (["a"], [1.0], {}, "x must hold real numbers"),
        (np.ones((2, 2)), np.ones((2, 3)), {}, "same variables"),
        (np.ones((2, 2, 1)), np.ones(2), {}, "x must be a matrix"),
        ([1.0], [1.0], {"p": 0.5}, "p must be"),
        ([1.0], [1.0], {"x_weights": [-1.0]}, "x_weights has 1 negative"),
        ([1.0], [1.0], {"x_weights": [np.inf]}, "x_weights has missing or infinite"),
        ([1.0], [1.0], {"x_weights": [0.0]}, "x_weights sums to 0"),
        ([1.0], [1.0], {"x_weights": [[1.0]]}, "x_weights must be one-dimensional"),
        ([1.0], [1.0], {"y_weights": [1.0, 1.0]}, "y_weights has 2"),
    ],
)
def test_bad_input_is_named(x, y, options, message):
    with pytest.raises(InputError, match=message):
        wasserstein_1d(x, y, **options)
