"""Low-rank factors: exactness, error bounds, new rows, seeds, memory, array libraries."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlab.backends import MAX_BYTES, to_numpy
from shiftlab.exceptions import InputError, NumericalWarning
from shiftlab.kernels import (
    Delta,
    Energy,
    Factor,
    Gaussian,
    Laplace,
    ProductKernel,
    RationalQuadratic,
    category_factor,
    centre_features,
    cholesky_factor,
    fourier_factor,
    gram_trace,
    low_rank_factor,
    nystrom_factor,
    product_factor,
)

KERNELS = [Gaussian(0.8), Laplace(1.5), RationalQuadratic(shape=0.6), Energy()]
BUILDERS = {
    "spaced-or-leverage": lambda k, x, m: nystrom_factor(k, x, n_landmarks=m, random_state=0),
    "random": lambda k, x, m: nystrom_factor(
        k, x, n_landmarks=m, landmarks="random", random_state=0
    ),
    "cholesky": lambda k, x, m: cholesky_factor(k, x, max_rank=m, rtol=0.0),
}


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(150, 2))


@pytest.fixture(params=BUILDERS, ids=list(BUILDERS))
def build(request):
    return BUILDERS[request.param]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("n_columns", [1, 2])
@pytest.mark.parametrize("rank", [1, 5, 25])
def test_trace_error_bounds_the_error(build, kernel, n_columns, rank, rows):
    fitted, new = rows[:100, :n_columns], rows[100:, :n_columns]
    factor = build(kernel, fitted, rank)
    assert isinstance(factor, Factor)
    assert factor.rank <= rank
    for x in (fitted, new):
        features = factor.transform(x)
        assert features.shape == (len(x), factor.rank)
        left = kernel(x) - features @ features.T
        bound = factor.trace_error(x)
        slack = 1e-8 * np.trace(kernel(x))
        assert np.linalg.eigvalsh(left).min() > -slack
        assert bound == pytest.approx(np.trace(left), abs=slack)
        assert bound == factor.trace_error(x, features)
        for norm in (2, "fro"):
            assert np.linalg.norm(left, norm) <= bound + slack
        assert np.abs(left).max() <= bound + slack


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_error_falls_with_the_rank(build, kernel, rows):
    errors = [build(kernel, rows, rank).trace_error(rows) for rank in (5, 20, 80, 150)]
    assert errors[0] > errors[1] > errors[2] > errors[3] - 1e-9
    assert errors[3] < 1e-6 * np.trace(kernel(rows))


def test_full_rank_is_exact_for_new_rows_against_fitted_ones(build, rows):
    kernel = Laplace()
    factor = build(kernel, rows[:60], 60)
    cross = factor.transform(rows[60:]) @ factor.transform(rows[:60]).T
    np.testing.assert_allclose(cross, kernel(rows[60:], rows[:60]), atol=1e-8)


def test_few_distinct_rows_make_nystrom_exact():
    x = np.random.default_rng(1).integers(0, 4, size=(500, 2)).astype(float)
    factor = nystrom_factor(Gaussian(), x, n_landmarks=16, random_state=0)
    features = factor.transform(x)
    np.testing.assert_allclose(features @ features.T, Gaussian()(x), atol=1e-9)


def test_cholesky_stops_at_its_tolerance(rows):
    factor = cholesky_factor(Gaussian(2.0), rows, max_rank=150, rtol=1e-3)
    assert factor.rank < 40
    assert factor.trace_error(rows) <= 1e-3 * 150
    shorter = cholesky_factor(Gaussian(2.0), rows, max_rank=factor.rank - 1, rtol=1e-3)
    assert shorter.trace_error(rows) > 1e-3 * 150


def test_cholesky_of_a_constant_and_of_one_row():
    assert cholesky_factor(Gaussian(), np.ones(50)).rank == 1
    factor = cholesky_factor(Gaussian(), [[3.0, 4.0]])
    np.testing.assert_allclose(np.abs(factor.transform([[3.0, 4.0]])), [[1.0]])


@pytest.mark.parametrize("method", ["auto", "nystrom", "cholesky", "fourier"])
@pytest.mark.parametrize("x", [np.ones(30), np.array([2.0])], ids=["constant", "one row"])
def test_degenerate_columns(method, x):
    features = low_rank_factor(Gaussian(), x, method=method, random_state=0).transform(x)
    np.testing.assert_allclose(features @ features.T, np.ones((len(x), len(x))), atol=1e-10)


def test_heavy_tails_give_finite_features():
    x = np.random.default_rng(2).standard_cauchy(size=(400, 2)) * 1e6
    for method in ("nystrom", "cholesky", "fourier"):
        factor = low_rank_factor(Gaussian(1e5), x, method=method, max_rank=30, random_state=0)
        assert np.isfinite(factor.transform(x)).all()


def test_category_factor_is_exact(xp):
    codes = np.random.default_rng(3).integers(0, 6, size=200)
    factor = category_factor(xp(codes))
    features = to_numpy(factor.transform(xp(codes)))
    assert factor.rank == 6
    np.testing.assert_array_equal(features @ features.T, to_numpy(Delta()(xp(codes))))
    assert factor.trace_error(xp(codes)) == 0.0


def test_category_factor_combines_columns_and_ignores_new_categories():
    codes = np.array([[0, 0], [0, 1], [1, 0], [0, 1]])
    factor = category_factor(codes)
    features = factor.transform(codes)
    assert factor.rank == 3
    np.testing.assert_array_equal(features @ features.T, Delta()(codes))
    assert not factor.transform([[1, 1]]).any()


def test_category_factor_keeps_the_frequent_and_says_so():
    codes = np.repeat([0, 1, 2, 3], [1, 10, 2, 7])
    with pytest.warns(NumericalWarning, match=r"4 categories.*rarest 2 of them \(3 rows\)"):
        factor = category_factor(codes, max_rank=2)
    np.testing.assert_array_equal(factor.landmarks[:, 0], [1, 3])
    assert factor.trace_error(codes) == 3.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.permutations(range(6)))
def test_relabelling_categories_changes_nothing(codes, names):
    codes = np.array(codes)
    renamed = np.array(names)[codes]
    first, second = (category_factor(c).transform(c) for c in (codes, renamed))
    np.testing.assert_array_equal(first @ first.T, second @ second.T)
    np.testing.assert_array_equal(np.sort(first.sum(0)), np.sort(second.sum(0)))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 2**31))
def test_order_of_the_rows_does_not_matter_in_one_column(n, rank, seed):
    generator = np.random.default_rng(seed)
    x, order = generator.normal(size=n), generator.permutation(n)
    first = nystrom_factor(Gaussian(), x, n_landmarks=rank)
    second = nystrom_factor(Gaussian(), x[order], n_landmarks=rank)
    np.testing.assert_array_equal(first.transform(x), second.transform(x))


@pytest.mark.parametrize(
    "kernel", [Gaussian((0.7, 2.0)), Laplace(1.5), RationalQuadratic(shape=0.6)], ids=str
)
@pytest.mark.parametrize("rank", [32, 512])
def test_fourier_error_is_the_one_theory_predicts(kernel, rank, rows):
    exact = kernel(rows)
    # An entry averages rank / 2 independent cos(w'd) with mean k(d) and E cos^2 = (1 + k(2d)) / 2.
    predicted = np.mean((1 + kernel(2 * rows)) / 2 - exact**2) * 2 / rank
    errors = []
    for seed in range(40):
        features = fourier_factor(kernel, rows, rank=rank, random_state=seed).transform(rows)
        assert features.shape == (150, rank)
        errors.append(np.mean((features @ features.T - exact) ** 2))
    np.testing.assert_allclose(np.sum(features**2, axis=1), 1.0)
    assert np.mean(errors) == pytest.approx(predicted, abs=4 * np.std(errors) / np.sqrt(40))
    assert np.isnan(fourier_factor(kernel, rows, random_state=0).trace_error(rows))


def test_fourier_features_are_unbiased():
    x = np.array([[0.0], [1.3]])
    values = [
        np.prod(fourier_factor(Gaussian(), x, rank=20, random_state=s).transform(x), axis=0).sum()
        for s in range(2000)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert np.mean(values) == pytest.approx(np.exp(-(1.3**2) / 2), abs=4 * error)


def test_seeds(rows):
    def features(method, seed):
        factor = low_rank_factor(Gaussian(), rows, method=method, max_rank=10, random_state=seed)
        return factor.transform(rows)

    for method in ("nystrom", "fourier"):
        np.testing.assert_array_equal(features(method, 1), features(method, 1))
        assert not np.array_equal(features(method, 1), features(method, 2))
    np.testing.assert_array_equal(features("cholesky", 1), features("cholesky", 2))


@pytest.fixture
def mixed():
    generator = np.random.default_rng(4)
    return np.column_stack([generator.normal(size=120), generator.integers(0, 3, 120)])


PRODUCT = ProductKernel([(Gaussian(), [0]), (Delta(), [1])])


def test_product_of_exact_factors_is_exact(mixed):
    mixed[:, 0] = np.round(mixed[:, 0])
    factor = product_factor(PRODUCT, mixed)
    features = factor.transform(mixed)
    np.testing.assert_allclose(features @ features.T, PRODUCT(mixed), atol=1e-9)
    assert factor.trace_error(mixed) < 1e-7


@pytest.mark.parametrize("max_rank", [5, 20, 45])
def test_truncated_product_keeps_its_bound(mixed, max_rank):
    factor = product_factor(PRODUCT, mixed, max_rank=max_rank)
    features = factor.transform(mixed)
    assert factor.rank <= max_rank
    left = PRODUCT(mixed) - features @ features.T
    assert np.linalg.eigvalsh(left).min() > -1e-8
    assert factor.trace_error(mixed) == pytest.approx(np.trace(left), abs=1e-8)


def test_truncated_product_is_the_best_of_its_rank(mixed):
    mixed[:, 0] = np.round(mixed[:, 0])
    factor = product_factor(PRODUCT, mixed, max_rank=6)
    tail = np.sort(np.linalg.eigvalsh(PRODUCT(mixed)))[:-6].sum()
    assert factor.trace_error(mixed) == pytest.approx(tail, abs=1e-8)


def test_too_large_a_product_is_refused():
    x = np.column_stack([np.arange(600.0)] * 2)
    kernel = ProductKernel([(Delta(), [0]), (Delta(), [1])])
    with pytest.raises(InputError, match="360000 products of features, too many"):
        product_factor(kernel, x, max_rank=10)


def test_three_parts():
    x = np.random.default_rng(5).integers(0, 3, size=(80, 3)).astype(float)
    kernel = ProductKernel([(Gaussian(), [0]), (Delta(), [1]), (Laplace(), [2])])
    features = product_factor(kernel, x).transform(x)
    np.testing.assert_allclose(features @ features.T, kernel(x), atol=1e-9)


def test_auto_chooses_by_kernel(mixed):
    assert low_rank_factor(Delta(), mixed[:, 1]).rank == 3
    assert low_rank_factor(PRODUCT, mixed, random_state=0).rank <= 100
    few = mixed[mixed[:, 1] < 2].round()
    factor = low_rank_factor(PRODUCT, few)
    features = factor.transform(few)
    np.testing.assert_allclose(features @ features.T, PRODUCT(few), atol=1e-9)


def test_every_library_gives_the_same_features(xp, rows):
    mixed = np.column_stack([rows[:, 0], rows[:, 1] > 0])
    for kernel, x, method in [
        (Gaussian(), rows[:, :1], "nystrom"),
        (Gaussian(), rows, "nystrom"),
        (Laplace(), rows, "cholesky"),
        (Gaussian(), rows, "fourier"),
        (PRODUCT, mixed, "product"),
    ]:
        options = {"method": method, "max_rank": 15, "random_state": 0}
        expected = low_rank_factor(kernel, x, **options).transform(x)
        found = low_rank_factor(kernel, xp(x), **options).transform(xp(x))
        assert type(found) is type(xp(x))
        found = to_numpy(found)
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-7)


def test_low_rank_hsic_is_as_close_as_the_trace_errors_promise(rows):
    x, y = rows[:, :1], np.sin(2 * rows[:, :1]) + rows[:, 1:]
    kernel = Gaussian(0.5)
    exact = gram_trace(kernel, x, kernel, y)
    factors = [low_rank_factor(kernel, v, max_rank=25) for v in (x, y)]
    first, second = (centre_features(f.transform(v)) for f, v in zip(factors, (x, y), strict=True))
    promised = sum(
        factor.trace_error(own) * np.linalg.norm(kernel(other), 2)
        for factor, own, other in zip(factors, (x, y), (y, x), strict=True)
    )
    assert promised < 0.1 * exact
    assert np.sum((first.T @ second) ** 2) == pytest.approx(exact, abs=promised)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_rows", [300, 3000])
def test_spaced_landmarks_beat_random_ones_and_quantiles(n_rows, seed):
    x = np.random.default_rng(seed).standard_t(3, size=n_rows)
    kernel = Gaussian(0.5)
    spaced = nystrom_factor(kernel, x, n_landmarks=30).trace_error(x)
    random = nystrom_factor(kernel, x, n_landmarks=30, landmarks="random", random_state=seed)
    quantiles = np.quantile(x, (np.arange(30) + 0.5) / 30)
    left = kernel(x, quantiles) @ np.linalg.pinv(kernel(quantiles), rcond=1e-10, hermitian=True)
    missed = n_rows - np.sum(left * kernel(x, quantiles))
    assert spaced < 0.6 * random.trace_error(x)
    assert spaced < 0.6 * missed


def test_leverage_finds_a_small_cluster_that_random_rows_miss():
    errors = {"leverage": 0.0, "random": 0.0}
    for seed in range(10):
        generator = np.random.default_rng(seed)
        bulk, rare = generator.normal(size=(1980, 2)), generator.normal(size=(20, 2)) + 30
        x, kernel = np.vstack([0.2 * bulk, 0.2 * rare]), Gaussian(0.5)
        for how in errors:
            options = {"n_landmarks": 30, "landmarks": how, "random_state": seed}
            errors[how] += nystrom_factor(kernel, x, **options).trace_error(x)
    assert errors["leverage"] < 0.3 * errors["random"]


def test_float32_is_kept(xp, rows):
    x = xp(rows[:, :1], "float32")
    for method in ("nystrom", "cholesky", "fourier"):
        factor = low_rank_factor(Laplace(), x, method=method, max_rank=40, random_state=0)
        assert factor.transform(x).dtype == xp.xp.float32
    exact = nystrom_factor(Laplace(), x, n_landmarks=150).transform(x)
    np.testing.assert_allclose(
        to_numpy(exact @ xp.xp.matrix_transpose(exact)), to_numpy(Laplace()(x)), atol=1e-3
    )


def test_transform_in_blocks_honours_memory():
    n, rank = 40_000, 20
    x = np.random.default_rng(6).normal(size=n)
    factor = nystrom_factor(Laplace(), x, n_landmarks=rank)
    tracemalloc.start()
    try:
        features = factor.transform(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert features.shape == (n, rank)
    assert peak < features.nbytes + 8 * n * 4 + MAX_BYTES
    np.testing.assert_allclose(features[-3:], factor.transform(x[-3:]), atol=1e-12)


def test_bad_input(rows):
    with pytest.raises(InputError, match="method must be one of"):
        low_rank_factor(Gaussian(), rows, method="magic")
    with pytest.raises(InputError, match="needs the kernel Delta"):
        low_rank_factor(Gaussian(), rows, method="category")
    with pytest.raises(InputError, match="A ProductKernel is needed"):
        low_rank_factor(Gaussian(), rows, method="product")
    with pytest.raises(InputError, match="Fourier features need"):
        fourier_factor(Energy(), rows)
    with pytest.raises(InputError, match="'spaced' needs one column"):
        nystrom_factor(Gaussian(), rows, landmarks="spaced")
    with pytest.raises(InputError, match="n_landmarks must be an integer"):
        nystrom_factor(Gaussian(), rows, n_landmarks=0)
    with pytest.raises(InputError, match="rtol must lie"):
        cholesky_factor(Gaussian(), rows, rtol=1.0)
    with pytest.raises(InputError, match="the fitted rows has 2"):
        nystrom_factor(Gaussian(), rows, random_state=0).transform(rows[:, :1])
    with pytest.raises(InputError, match="missing or infinite"):
        low_rank_factor(Gaussian(), [1.0, np.nan])
