"""Kernel functions: values, agreement with scikit-learn, array libraries, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shiftlab.backends import to_numpy
from shiftlab.exceptions import InputError
from shiftlab.kernels import (
    Delta,
    Energy,
    Gaussian,
    Kernel,
    Laplace,
    ProductKernel,
    RationalQuadratic,
)

KERNELS = {
    "gaussian": Gaussian(0.7),
    "gaussian-per-column": Gaussian((0.5, 1.0, 2.0)),
    "laplace": Laplace(1.3),
    "rational-quadratic": RationalQuadratic(0.9, shape=1.7),
    "energy": Energy(2.0),
    "product": ProductKernel([(Laplace(0.8), [0]), (Gaussian(1.1), [1, 2])]),
}


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(25, 3))


@pytest.fixture(params=KERNELS, ids=list(KERNELS))
def kernel(request):
    return KERNELS[request.param]


def test_same_values_in_every_library(xp, kernel, rows):
    expected = kernel(rows, rows[:7])
    found = kernel(xp(rows), xp(rows[:7]))
    assert type(found) is type(xp(rows))
    np.testing.assert_allclose(to_numpy(found), expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        to_numpy(kernel.diagonal(xp(rows))), np.diag(kernel(rows)), rtol=0, atol=1e-10
    )


def test_delta_counts_agreement_in_every_library(xp):
    codes = [[0, 1], [0, 1], [0, 2], [1, 1]]
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(to_numpy(Delta()(xp(codes))), expected)
    np.testing.assert_array_equal(to_numpy(Delta()(xp(codes, "int64"))), expected)
    np.testing.assert_array_equal(to_numpy(Delta().diagonal(xp(codes))), np.ones(4))


def test_symmetric_and_positive_semidefinite(kernel, rows):
    gram = kernel(rows)
    np.testing.assert_array_equal(gram, gram.T)
    assert np.linalg.eigvalsh(gram).min() > -1e-12


def test_agreement_with_scikit_learn(rows):
    from sklearn.gaussian_process.kernels import RationalQuadratic as Reference
    from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel

    other = rows[:9] + 0.1
    np.testing.assert_allclose(
        Gaussian(0.7)(rows, other), rbf_kernel(rows, other, gamma=0.5 / 0.49), atol=1e-12
    )
    np.testing.assert_allclose(
        Laplace(1.3)(rows, other), laplacian_kernel(rows, other, gamma=1 / 1.3), atol=1e-12
    )
    reference = Reference(length_scale=0.9, alpha=1.7)
    np.testing.assert_allclose(
        RationalQuadratic(0.9, shape=1.7)(rows, other), reference(rows, other), atol=1e-12
    )


def test_energy_kernel_gives_the_energy_distance(rows):
    from scipy.spatial.distance import cdist

    x, y = rows[:15], rows[15:] + 0.5
    kernel = Energy()
    squared_mmd = kernel(x).mean() + kernel(y).mean() - 2 * kernel(x, y).mean()
    distance = 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()
    assert squared_mmd == pytest.approx(distance / 2, abs=1e-12)


def test_far_from_zero_nothing_cancels():
    near = np.array([[0.0], [1e-3], [2.0]])
    np.testing.assert_allclose(Gaussian(1e-3)(near + 1e6), Gaussian(1e-3)(near), atol=1e-6)


def test_float32_is_kept_and_integers_become_float64(xp, rows):
    assert Gaussian()(xp(rows, "float32")).dtype == xp.xp.float32
    assert Gaussian()(xp([[1], [2]], "int64")).dtype == xp.xp.float64


@pytest.mark.parametrize("kernel", [*KERNELS.values(), Delta()], ids=str)
def test_protocol_and_one_row(kernel):
    assert isinstance(kernel, Kernel)
    one = np.array([[1.0, 2.0, 3.0]])
    assert kernel(one).shape == (1, 1)
    assert kernel(one)[0, 0] == pytest.approx(kernel.diagonal(one)[0])


def test_with_bandwidth_gives_a_new_kernel():
    kernel = RationalQuadratic(1.0, shape=3.0)
    assert kernel.with_bandwidth(2.0) == RationalQuadratic(2.0, shape=3.0)
    assert kernel.bandwidth == 1.0
    assert Delta().with_bandwidth(2.0) == Delta()
    product = ProductKernel([(Gaussian(), [0]), (Delta(), [1])])
    assert product.with_bandwidth(3.0) == ProductKernel([(Gaussian(3.0), [0]), (Delta(), [1])])


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, np.nan, np.inf, "wide", True, (1.0, 0.0)])
def test_bad_bandwidth(bandwidth):
    with pytest.raises(InputError, match="bandwidth must be a positive finite number"):
        Gaussian(bandwidth)


def test_missing_values_are_refused(xp, kernel, rows):
    rows[3, 1] = np.nan
    with pytest.raises(InputError, match="x has 1 missing or infinite value"):
        kernel(xp(rows))
    with pytest.raises(InputError, match="y has 1 missing or infinite value"):
        kernel(xp(rows[:3]), xp(rows))


def test_columns_must_match(rows):
    with pytest.raises(InputError, match=r"x has 3 column\(s\), but y has 2"):
        Gaussian()(rows, rows[:, :2])
    with pytest.raises(InputError, match="bandwidth has 2 lengths, but x has 3"):
        Gaussian((1.0, 2.0))(rows)
    with pytest.raises(InputError, match="kernel reads column 2"):
        KERNELS["product"](rows[:, :2])
    with pytest.raises(InputError, match="at least one kernel"):
        ProductKernel([])


matrices = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.just(3)),
    elements=st.floats(-50, 50, allow_nan=False, width=32),
)


@settings(max_examples=60, deadline=None)
@given(matrices, st.sampled_from([*KERNELS.values(), Delta()]), st.randoms(use_true_random=False))
def test_any_rows_give_a_bounded_symmetric_semidefinite_matrix(x, kernel, random):
    gram = kernel(x)
    order = np.array(random.sample(range(len(x)), len(x)))
    np.testing.assert_array_equal(kernel(x[order]), gram[np.ix_(order, order)])
    np.testing.assert_array_equal(gram, gram.T)
    np.testing.assert_allclose(np.diag(gram), kernel.diagonal(x), rtol=1e-12, atol=1e-12)
    largest = max(1.0, float(gram.max()))
    assert np.linalg.eigvalsh(gram).min() > -1e-12 * len(x) * largest
    root = np.sqrt(kernel.diagonal(x))
    assert (np.abs(gram) <= np.outer(root, root) * (1 + 1e-12) + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(matrices, st.floats(0.01, 100))
def test_scaling_rows_and_bandwidth_together_changes_nothing(x, factor):
    for kernel in (Gaussian(0.7), Laplace(1.3), RationalQuadratic(0.9), Energy(2.0)):
        scaled = kernel.with_bandwidth(kernel.bandwidth * factor)(x * factor)
        np.testing.assert_allclose(scaled, kernel(x), rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.permutations(range(5)))
def test_relabelling_categories_changes_nothing(codes, names):
    renamed = np.array(names)[codes]
    np.testing.assert_array_equal(Delta()(renamed), Delta()(codes))


def test_inputs_are_not_changed(xp, kernel, rows):
    values = xp(rows)
    before = to_numpy(values).copy()
    kernel(values)
    kernel(values, values)
    np.testing.assert_array_equal(to_numpy(values), before)
