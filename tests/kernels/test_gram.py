"""Gram matrices: centring, and blocked reductions against the full matrix."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlab.backends import to_numpy
from shiftlab.exceptions import InputError
from shiftlab.kernels import (
    Delta,
    Energy,
    Gaussian,
    Laplace,
    centre_features,
    centre_gram,
    gram,
    gram_product,
    gram_sum,
    gram_trace,
)

BLOCKS = [24, 24 * 49, 2**25]


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(40, 2))


def few(rows, max_bytes):
    """Blocks of a single pair are slow in Python; few rows show as much."""
    return rows[:15] if max_bytes == BLOCKS[0] else rows


def test_centre_gram(xp, rows):
    centring = np.eye(40) - 1 / 40
    matrix = Gaussian()(rows)
    found = to_numpy(centre_gram(xp(matrix)))
    np.testing.assert_allclose(found, centring @ matrix @ centring, atol=1e-12)
    with pytest.raises(InputError, match="square"):
        centre_gram(xp(rows))


def test_centre_features(xp, rows):
    centred = to_numpy(centre_features(xp(rows)))
    np.testing.assert_allclose(centred @ centred.T, centre_gram(rows @ rows.T), atol=1e-12)
    shifted = centre_features(xp(rows), mean=xp([1.0, 2.0]))
    np.testing.assert_allclose(to_numpy(shifted), rows - [1, 2])


@pytest.mark.parametrize("max_bytes", BLOCKS)
def test_product_with_vectors(xp, rows, max_bytes):
    rows = few(rows, max_bytes)
    vectors = np.random.default_rng(1).normal(size=(len(rows), 3))
    kernel, others = Laplace(), rows[:11] + 0.3
    within = gram_product(kernel, xp(rows), xp(vectors), max_bytes=max_bytes)
    np.testing.assert_allclose(to_numpy(within), kernel(rows) @ vectors, atol=1e-11)
    between = gram_product(kernel, xp(others), xp(vectors), y=xp(rows), max_bytes=max_bytes)
    np.testing.assert_allclose(to_numpy(between), kernel(others, rows) @ vectors, atol=1e-11)
    one = gram_product(kernel, xp(rows), xp(vectors[:, 0]), max_bytes=max_bytes)
    np.testing.assert_allclose(to_numpy(one), kernel(rows) @ vectors[:, 0], atol=1e-11)


def test_shortcuts_equal_the_full_product(xp, rows):
    codes = np.random.default_rng(4).integers(0, 4, size=(40, 2))
    vectors = np.random.default_rng(5).normal(size=(40, 3))
    for kernel, x in [
        (Delta(), codes % 2),
        (Delta(), codes),
        (Delta(), np.arange(40)),
        (Energy(0.3), rows[:, :1]),
        (Energy((2.0,)), np.round(rows[:, :1])),
        (Energy(), rows[:, :1] + 50),
    ]:
        found = to_numpy(gram_product(kernel, xp(x), xp(vectors)))
        np.testing.assert_allclose(found, kernel(x) @ vectors, atol=1e-9)
        new = x[:9] + np.arange(9).reshape((9,) + (1,) * (x.ndim - 1)) % 2
        found = to_numpy(gram_product(kernel, xp(new), xp(vectors), y=xp(x)))
        np.testing.assert_allclose(found, kernel(new, x) @ vectors, atol=1e-9)


@pytest.mark.parametrize("centred", [True, False])
def test_trace_of_two_categories_is_counted(xp, centred):
    generator = np.random.default_rng(6)
    for n_labels in (2, 5, 200):
        x, y = generator.integers(0, n_labels, size=(2, 60))
        full = Delta()(x), Delta()(y)
        full = tuple(map(centre_gram, full)) if centred else full
        found = gram_trace(Delta(), xp(x), Delta(), xp(y), centred=centred)
        assert found == pytest.approx(np.sum(full[0] * full[1]), abs=1e-9)


def test_shortcuts_reach_sizes_that_pairs_cannot():
    x = np.random.default_rng(7).normal(size=200_000)
    order = np.sort(x)
    ranks = 2 * np.arange(200_000) - 199_999
    distances = 2 * np.sum(ranks * order)
    expected = (2 * 200_000 * np.abs(x).sum() - distances) / 2
    assert gram_sum(Energy(), x) == pytest.approx(expected, rel=1e-10)
    codes = np.arange(200_000) % 7
    assert gram_sum(Delta(), codes) == np.sum(np.bincount(codes).astype(float) ** 2)
    assert gram_trace(Delta(), codes, Delta(), codes, centred=False) == gram_sum(Delta(), codes)


@pytest.mark.parametrize("max_bytes", BLOCKS)
def test_sum(xp, rows, max_bytes):
    rows = few(rows, max_bytes)
    found = gram_sum(Energy(), xp(rows), max_bytes=max_bytes)
    assert found == pytest.approx(Energy()(rows).sum(), rel=1e-12)
    found = gram_sum(Energy(), xp(rows), xp(rows[:5]), max_bytes=max_bytes)
    assert found == pytest.approx(Energy()(rows, rows[:5]).sum(), rel=1e-12)


@pytest.mark.parametrize("max_bytes", BLOCKS)
def test_trace(xp, rows, max_bytes):
    rows = few(rows, max_bytes)
    codes = np.arange(len(rows)) % 3
    left, right = Gaussian()(rows), Delta()(codes)
    options = {"max_bytes": max_bytes}
    found = gram_trace(Gaussian(), xp(rows), Delta(), xp(codes), **options)
    expected = np.trace(centre_gram(left) @ centre_gram(right))
    assert found == pytest.approx(expected, abs=1e-9)
    raw = gram_trace(Gaussian(), xp(rows), Delta(), xp(codes), centred=False, **options)
    assert raw == pytest.approx(np.trace(left @ right), rel=1e-12)


def test_hsic_with_the_energy_kernel_is_a_quarter_of_the_distance_covariance(rows):
    from scipy.spatial.distance import cdist

    x, y = rows[:, :1], rows[:, 1:] + rows[:, :1] ** 2
    products = centre_gram(cdist(x, x)) * centre_gram(cdist(y, y))
    hsic = gram_trace(Energy(), x, Energy(), y) / 40**2
    assert hsic == pytest.approx(products.mean() / 4, rel=1e-10)


def test_permutations_of_a_two_sample_statistic_in_one_product(rows):
    generator = np.random.default_rng(2)
    weights = np.stack(
        [generator.permutation(np.repeat([1 / 15, -1 / 25], [15, 25])) for _ in "abc"]
    )
    squared = np.sum(weights.T * gram_product(Gaussian(), rows, weights.T), axis=0)
    for weight, value in zip(weights, squared, strict=True):
        first, second = rows[weight > 0], rows[weight < 0]
        kernel = Gaussian()
        expected = kernel(first).mean() + kernel(second).mean() - 2 * kernel(first, second).mean()
        assert value == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(24, 2000), st.randoms(use_true_random=False))
def test_block_size_and_order_do_not_matter(n, max_bytes, random):
    x = np.array([random.gauss(0, 1) for _ in range(n)])
    order = np.array(random.sample(range(n), n))
    vector = np.arange(n, dtype=float)
    whole = Gaussian()(x) @ vector
    blocked = gram_product(Gaussian(), x[order], vector[order], max_bytes=max_bytes)
    np.testing.assert_allclose(blocked, whole[order], atol=1e-10)


def test_memory_stays_below_the_bound():
    n, bound = 6000, 2**21
    x = np.random.default_rng(3).normal(size=n)
    gram_sum(Gaussian(), x[:100])
    tracemalloc.start()
    try:
        gram_sum(Gaussian(), x, max_bytes=bound)
        gram_trace(Gaussian(), x, Laplace(), x, max_bytes=bound)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    rows_bytes = 8 * n * 10
    assert peak < bound + rows_bytes
    assert peak < 8 * n**2 / 50


def test_gram_converts_and_checks(rows):
    assert gram(Gaussian(), [[1, 2], [3, 4]], [[1, 2]]).shape == (2, 1)
    assert gram(Gaussian(), rows.astype("float32")).dtype == np.float64
    with pytest.raises(InputError, match="vectors has 3 rows, but 40 are needed"):
        gram_product(Gaussian(), rows, np.ones(3))
    with pytest.raises(InputError, match="x has 40 rows, but y has 39"):
        gram_trace(Gaussian(), rows, Gaussian(), rows[1:])
    with pytest.raises(InputError, match="y has 1 missing"):
        gram_sum(Gaussian(), rows, [[1.0, np.nan]])


def test_gram_on_a_named_device(rows):
    torch = pytest.importorskip("torch")
    found = gram(Gaussian(), rows, device="cpu")
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), Gaussian()(rows), atol=1e-12)
