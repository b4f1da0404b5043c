"""The resampling engine against plain loops over permuted rows, and its guarantees."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from shiftlab.divergence import (
    Resampling,
    _permutation,
    _quadratic,
    energy_test,
    hellinger_test,
    kl_test,
    ks_test,
    mmd_fourier_test,
    mmd_test,
    sliced_wasserstein_test,
    total_variation_test,
    two_sample_test,
    wasserstein_test,
)
from shiftlab.divergence._permutation import (
    count_draws,
    label_draws,
    monte_carlo_pvalues,
)
from shiftlab.kernels import Gaussian


def halves(rows):
    return np.round(2 * rows[:, 0]) / 2


# Each is called as test(x, y, n_resamples=0).statistic on relabelled rows in the naive loop; fixed
# kernels and scales make the value a function of those two samples alone.
NAIVE = {
    "ks": (lambda x, y, **k: ks_test(x[:, 0], y[:, 0], **k), False),
    "wasserstein": (lambda x, y, **k: wasserstein_test(x[:, 0], y[:, 0], **k), False),
    "wasserstein, p = 2": (lambda x, y, **k: wasserstein_test(x[:, 0], y[:, 0], p=2, **k), False),
    "exact wasserstein": (lambda x, y, **k: wasserstein_test(x, y, scale="none", **k), False),
    "mmd": (lambda x, y, **k: mmd_test(x, y, kernel=Gaussian(1.3), scale="none", **k), False),
    "energy": (lambda x, y, **k: energy_test(x, y, scale="none", **k), False),
    "energy of a column": (
        lambda x, y, **k: energy_test(x[:, 0], y[:, 0], scale="none", **k),
        False,
    ),
    "total variation": (lambda x, y, **k: total_variation_test(halves(x), halves(y), **k), True),
    "hellinger": (lambda x, y, **k: hellinger_test(halves(x), halves(y), **k), True),
    "kl": (lambda x, y, **k: kl_test(halves(x), halves(y), **k), True),
}


@pytest.fixture
def samples(rng):
    return rng.normal(size=(12, 2)), rng.normal(size=(17, 2)) + 0.4


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize("ties", [False, True])
def test_null_values_equal_a_loop_over_permuted_rows(name, ties, samples):
    test, needs_cells = NAIVE[name]
    # Ties, but enough distinct values that labels are drawn rather than counts.
    x, y = (np.round(part, 1 if ties else 9) for part in samples)
    result = test(x, y, n_resamples=25, random_state=4)
    pooled = np.concatenate([x, y])
    if needs_cells or name.startswith(("ks", "wasserstein", "energy of a column")):
        # The engine draws labels in the order of the sorted values.
        pooled = pooled[np.lexsort((pooled[:, 1], pooled[:, 0]))]
    labels = np.concatenate(list(label_draws(29, 12, 25, np.random.default_rng(4))))
    naive = [test(pooled[z == 1], pooled[z == 0], n_resamples=0).statistic for z in labels]
    np.testing.assert_allclose(result.null_distribution, naive, rtol=1e-9, atol=1e-12)
    assert len(set(naive)) > 3


@pytest.mark.parametrize("name", NAIVE)
def test_pvalue_converges_to_complete_enumeration(name):
    test, needs_cells = NAIVE[name]
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(5, 2)) + 0.8
    if needs_cells:
        x, y = np.round(x), np.round(y)
    pooled = np.concatenate([x, y])
    values = []
    for chosen in combinations(range(9), 4):
        z = np.isin(np.arange(9), chosen)
        values.append(test(pooled[z], pooled[~z], n_resamples=0).statistic)
    observed = test(x, y, n_resamples=0).statistic
    exact = np.mean(np.array(values) >= observed - 1e-10)
    n_resamples = 400 if name == "exact wasserstein" else 4000
    result = test(x, y, n_resamples=n_resamples, random_state=1)
    error = 4 * np.sqrt(exact * (1 - exact) / n_resamples) + 1 / n_resamples
    assert result.pvalue == pytest.approx(exact, abs=error)


@pytest.mark.parametrize(
    "name", ["ks", "wasserstein", "wasserstein, p = 2", "mmd", "energy", "energy of a column"]
)
def test_subsamples_of_a_reference_converge_to_enumeration(name):
    test, _ = NAIVE[name]
    rng = np.random.default_rng(3)
    reference = rng.normal(size=(9, 2))
    plan = Resampling(0, "without_replacement")
    values = [
        test(reference[list(c)], reference, n_resamples=plan).statistic
        for c in combinations(range(9), 4)
    ]
    x = reference[[0, 3, 5, 8]]
    observed = test(x, reference, n_resamples=plan).statistic
    exact = np.mean(np.array(values) >= observed - 1e-10)
    result = test(x, reference, n_resamples=Resampling(3000, "without_replacement"), random_state=0)
    assert result.pvalue == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 3000))
    assert result.null_distribution.max() <= max(values) + 1e-10


@pytest.mark.parametrize("method", ["ks", "chi_square", "energy", "mmd_fourier"])
def test_result_does_not_depend_on_blocks(method, rng, monkeypatch):
    if method in ("ks", "chi_square"):
        x, y = rng.integers(0, 9, size=40), rng.integers(0, 9, size=50)
    else:
        x, y = rng.normal(size=(40, 2)), rng.normal(size=(50, 2))
    whole = two_sample_test(x, y, method, n_resamples=60, random_state=2)
    monkeypatch.setattr(_permutation, "BLOCK_CELLS", 300)
    monkeypatch.setattr(_quadratic, "LABEL_BYTES", 1000)
    blocked = two_sample_test(x, y, method, n_resamples=60, random_state=2)
    np.testing.assert_allclose(blocked.null_distribution, whole.null_distribution, rtol=1e-10)
    assert (blocked.pvalue, blocked.statistic) == (whole.pvalue, pytest.approx(whole.statistic))


def test_gram_blocks_do_not_matter(rng, monkeypatch):
    x, y = rng.normal(size=(40, 2)), rng.normal(size=(50, 2))
    whole = mmd_test(x, y, n_resamples=30, random_state=2)
    pairs = _quadratic.pair_blocks
    monkeypatch.setattr(_quadratic, "pair_blocks", lambda n: pairs(n, max_bytes=24 * 17**2))
    blocked = mmd_test(x, y, n_resamples=30, random_state=2)
    np.testing.assert_allclose(blocked.null_distribution, whole.null_distribution, atol=1e-13)
    assert blocked.statistic == pytest.approx(whole.statistic, abs=1e-13)


@pytest.mark.parametrize("n_pool", [30, _permutation.SUBSET_ROWS])
def test_labels_are_uniform_subsets_and_do_not_depend_on_blocks(n_pool, monkeypatch):
    whole = np.concatenate(list(label_draws(n_pool, 12, 3000, np.random.default_rng(0))))
    assert (whole.sum(axis=1) == 12).all()
    share = 12 / n_pool
    error = np.abs(whole.mean(axis=0) - share) / np.sqrt(share * (1 - share) / 3000)
    assert error.max() < 4.5
    monkeypatch.setattr(_permutation, "BLOCK_CELLS", 7 * n_pool)
    blocks = list(label_draws(n_pool, 12, 3000, np.random.default_rng(0)))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize("counts", [[30, 50, 20], [1, 2, 1, 3, 1, 0, 2]])
def test_counts_have_the_finite_population_moments(counts):
    counts = np.array(counts)
    n, m = counts.sum(), counts.sum() // 3
    drawn = np.concatenate(list(count_draws(counts, m, 20_000, np.random.default_rng(0))))
    share = counts / n
    assert (drawn.sum(axis=1) == m).all()
    assert (drawn <= counts).all()
    np.testing.assert_allclose(drawn.mean(axis=0), m * share, atol=0.05)
    variance = m * share * (1 - share) * (n - m) / (n - 1)
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.05, atol=1e-12)


def test_ties_count_in_full_and_by_half():
    null = np.array([1.0, 2.0, 2.0 + 1e-13, 3.0])
    assert monte_carlo_pvalues(2.0, null) == (4 / 5, (1 + 1 + 1) / 5)
    assert monte_carlo_pvalues(np.inf, np.array([1.0, np.inf])) == (2 / 3, 1.5 / 3)
    assert monte_carlo_pvalues(5.0, null) == (1 / 5, 1 / 5)


def test_finite_population_null_is_narrower_than_the_independent_one(rng):
    reference = rng.integers(0, 4, size=300)
    x = reference[rng.choice(300, 200, replace=False)]
    independent = two_sample_test(x, reference, "total_variation", random_state=0)
    finite = two_sample_test(
        x, reference, "total_variation", sampling="without_replacement", random_state=0
    )
    assert finite.statistic == independent.statistic
    # Var = (1/m - 1/n) against (1/m + 1/n): the ratio of the quantiles is near sqrt(1/5).
    ratio = finite.null_quantile / independent.null_quantile
    assert ratio == pytest.approx(np.sqrt(1 / 5), rel=0.15)


def test_corrected_chi_square_of_subsamples_has_the_asymptotic_law():
    rng = np.random.default_rng(0)
    reference = np.array([600, 300, 100])
    draws = rng.multivariate_hypergeometric(reference, 500, size=2000)
    for method in ("chi_square", "g"):
        found = [
            two_sample_test(
                d, reference, method, form="counts", n_resamples=0, sampling="without_replacement"
            ).pvalue
            for d in draws[:600]
        ]
        assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_a_label_that_the_reference_lacks_is_maximal_evidence(rng):
    reference = np.array(["a", "b"] * 50)
    x = np.array(["a"] * 10 + ["b"] * 9 + ["c"])
    result = two_sample_test(
        x, reference, "chi_square", sampling="without_replacement", random_state=0
    )
    assert result.statistic == np.inf
    assert result.pvalue == 0.001
    assert result.to_dict()["statistic"] is None


def test_sliced_null_equals_a_loop(samples):
    x, y = samples
    pooled = np.concatenate([x, y])
    for p in (1, 2):
        options = {"n_projections": 6, "p": p, "scale": "none", "random_state": 9}
        result = sliced_wasserstein_test(x, y, n_resamples=20, **options)
        seed = np.random.SeedSequence(9).spawn(2)[1]
        labels = np.concatenate(list(label_draws(29, 12, 20, np.random.default_rng(seed))))
        naive = [
            sliced_wasserstein_test(pooled[z == 1], pooled[z == 0], n_resamples=0, **options)
            for z in labels
        ]
        values = [r.statistic for r in naive]
        np.testing.assert_allclose(result.null_distribution, values, rtol=1e-10)


def test_fourier_value_approaches_the_kernel_value(rng):
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(70, 2)) + 0.5
    exact = mmd_test(x, y, n_resamples=0).statistic
    near = mmd_fourier_test(x, y, n_features=20_000, n_resamples=0, random_state=0).statistic
    assert near == pytest.approx(exact, rel=0.05)


def test_quadratic_memory_is_bounded():
    import tracemalloc

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3000, 2)), rng.normal(size=(3000, 2))
    tracemalloc.start()
    mmd_test(x, y, n_resamples=19, random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The full matrix of the pool would take 288 MB.
    assert peak < 100e6
