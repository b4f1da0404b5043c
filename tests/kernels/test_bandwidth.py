"""Bandwidth rules: values, ties, constants, heavy tails, scaling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shiftlab.exceptions import InputError
from shiftlab.kernels import (
    Gaussian,
    choose_bandwidth,
    median_bandwidth,
    robust_scale,
    scott_bandwidth,
    silverman_bandwidth,
)

samples = arrays(
    np.float64,
    st.tuples(st.integers(1, 30), st.integers(1, 3)),
    elements=st.floats(-1e3, 1e3, allow_nan=False).map(lambda v: round(v, 3)),
)


def test_median_is_the_median_of_the_distances(xp):
    from scipy.spatial.distance import pdist

    rows = np.random.default_rng(0).normal(size=(60, 3))
    assert median_bandwidth(xp(rows)) == pytest.approx(np.median(pdist(rows)), rel=1e-12)
    expected = np.median(pdist(rows, "cityblock"))
    assert median_bandwidth(xp(rows), metric="cityblock") == pytest.approx(expected, rel=1e-12)


def test_ties_fall_back_to_positive_distances():
    x = np.zeros(100)
    x[:10] = np.arange(10)
    distances = np.abs(x[:, None] - x)[np.triu_indices(100, 1)]
    assert np.median(distances) == 0
    assert median_bandwidth(x) == np.median(distances[distances > 0])


@pytest.mark.parametrize("x", [[5.0], [5.0, 5.0, 5.0], np.full((4, 2), 1e9)], ids=str)
def test_constants_have_bandwidth_one(x):
    n_columns = 1 if np.ndim(x) == 1 else 2
    assert median_bandwidth(x) == 1.0
    assert silverman_bandwidth(x) == pytest.approx(
        (0.9 * len(x) ** (-1 / (n_columns + 4)),) * n_columns
    )
    assert robust_scale(x) == (1.0,) * n_columns


def test_one_constant_column_beside_a_varying_one():
    x = np.column_stack([np.ones(50), np.arange(50.0)])
    assert robust_scale(x)[0] == 1.0
    assert median_bandwidth(x) == median_bandwidth(np.arange(50.0))
    assert all(np.isfinite(scott_bandwidth(x)))


@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e12, 1e300])
def test_extreme_magnitudes(size):
    x = np.linspace(0, 1, 21)
    assert median_bandwidth(x * size) == pytest.approx(median_bandwidth(x) * size)
    assert robust_scale(x * size)[0] == pytest.approx(robust_scale(x)[0] * size)


def test_heavy_tails_do_not_move_the_bandwidth_much():
    generator = np.random.default_rng(1)
    x = generator.standard_t(2, size=2000)
    spoiled = np.append(x, [1e8, -1e8])
    assert median_bandwidth(spoiled) == pytest.approx(median_bandwidth(x), rel=0.02)
    assert silverman_bandwidth(spoiled)[0] == pytest.approx(silverman_bandwidth(x)[0], rel=0.02)
    between = Gaussian(median_bandwidth(spoiled))(spoiled)[np.triu_indices(2002, 1)]
    assert 0.3 < np.median(between) < 0.9


def test_scale_of_normal_data_is_the_standard_deviation():
    x = np.random.default_rng(2).normal(scale=3.0, size=40_000)
    assert robust_scale(x)[0] == pytest.approx(3.0, rel=0.03)


def test_scale_of_two_points_is_the_standard_deviation():
    x = np.repeat([0.0, 1.0], 50)
    assert robust_scale(x)[0] == pytest.approx(np.std(x, ddof=1))


def test_rules_follow_their_formulas():
    x = np.random.default_rng(3).normal(size=(200, 2))
    scale = np.array(robust_scale(x))
    np.testing.assert_allclose(scott_bandwidth(x), scale * 200 ** (-1 / 6))
    np.testing.assert_allclose(silverman_bandwidth(x[:, 0]), 0.9 * scale[0] * 200**-0.2)


def test_thinning_one_column_ignores_order_and_seed():
    x = np.random.default_rng(4).exponential(size=5000)
    shuffled = np.random.default_rng(5).permutation(x)
    assert median_bandwidth(x) == median_bandwidth(shuffled, random_state=9)
    exact = median_bandwidth(x, max_rows=5000)
    # Thinning to m rows leaves out a share 1 / m of the pairs, the closest ones. That moves the
    # median by 0.5 / m in probability; distances of this sample have density 0.5 at their median.
    assert median_bandwidth(x) == pytest.approx(exact, abs=1.5e-3)


def test_thinning_several_columns_is_seeded():
    x = np.random.default_rng(6).normal(size=(3000, 2))
    first = median_bandwidth(x, max_rows=100, random_state=1)
    assert first == median_bandwidth(x, max_rows=100, random_state=1)
    assert first != median_bandwidth(x, max_rows=100, random_state=2)
    assert first == pytest.approx(median_bandwidth(x, max_rows=3000), rel=0.15)


@settings(max_examples=60, deadline=None)
@given(samples, st.floats(0.01, 100))
def test_scales_with_the_data_and_ignores_the_order(x, factor):
    bandwidth = median_bandwidth(x)
    assert np.isfinite(bandwidth)
    assert bandwidth > 0
    assert median_bandwidth(x[::-1]) == pytest.approx(bandwidth)
    if np.ptp(x, axis=0).any():
        assert median_bandwidth(factor * x) == pytest.approx(factor * bandwidth, rel=1e-9)
        gram = Gaussian(bandwidth)(x)
        scaled = Gaussian(median_bandwidth(factor * x))(factor * x)
        np.testing.assert_allclose(scaled, gram, atol=1e-9)


def test_choose_bandwidth():
    x = np.random.default_rng(7).normal(size=(50, 2))
    assert choose_bandwidth(x) == median_bandwidth(x)
    assert choose_bandwidth(x, "scott") == scott_bandwidth(x)
    assert choose_bandwidth(x, "silverman") == silverman_bandwidth(x)
    assert choose_bandwidth(x, 2) == 2.0
    assert choose_bandwidth(x, (1, 2.5)) == (1.0, 2.5)
    with pytest.raises(InputError, match="bandwidth must be one of"):
        choose_bandwidth(x, "wide")
    with pytest.raises(InputError, match="metric must be one of"):
        median_bandwidth(x, metric="cosine")
    with pytest.raises(InputError, match="1 missing or infinite"):
        median_bandwidth([1.0, np.nan])
