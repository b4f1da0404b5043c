"""The default test: what it sees, what leaves it alone, and that its parts are what they say."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.exceptions import InputError
from shiftlab.independence import KCI, KernelTest, regression_residuals
from shiftlab.independence._expansion import degrees_up_to, eigenvalue_ratio, hermite_features
from shiftlab.independence._nulls import (
    cauchy_combination,
    gamma_pvalue,
    weighted_chi_square_pvalue,
)

N = 600


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    z, w = rng.normal(size=(2, N))
    site = rng.choice(["a", "b", "c"], N)
    x = np.tanh(z) + 0.4 * rng.normal(size=N) + (site == "b")
    y = z**2 + 0.4 * rng.normal(size=N) - (site == "c")
    noisy = x * np.exp(0.5 * rng.normal(size=N))
    return pd.DataFrame({"x": x, "y": y, "z": z, "w": w, "noisy": noisy, "site": site})


QUERIES = [(0, 1, ()), (0, 1, (2,)), (0, 1, (2, 5)), (0, 5, (2,)), (0, 4, (1, 2, 3)), (3, 5, ())]


def test_truth_is_told(table):
    fitted = KernelTest().fit(table)
    assert fitted.pvalue("x", "y", ["z", "site"]) > 0.05
    assert fitted.pvalue("x", "noisy", ["z"]) < 1e-4
    assert fitted.pvalue("x", "site", ["z"]) < 1e-4
    assert fitted.pvalue("w", "site") > 0.05


def test_order_of_rows_columns_and_names_of_labels_do_not_matter(table):
    expected = KernelTest().fit(table).pvalues(QUERIES)
    rows = np.random.default_rng(1).permutation(N)
    shuffled = table.iloc[rows].reset_index(drop=True)
    assert KernelTest().fit(shuffled).pvalues(QUERIES) == pytest.approx(expected, abs=1e-6)
    renamed = table.assign(site=table["site"].map({"a": 30, "b": 10, "c": 20}).astype("category"))
    assert KernelTest().fit(renamed).pvalues(QUERIES) == pytest.approx(expected, abs=1e-6)
    turned = KernelTest().fit(table[table.columns[::-1]])
    found = [
        turned.pvalue(*(table.columns[k] for k in (i, j)), [table.columns[k] for k in given])
        for i, j, given in QUERIES
    ]
    assert found == pytest.approx(expected, abs=1e-6)


def test_increasing_transformations_and_units_do_not_matter(table):
    expected = KernelTest().fit(table).pvalues(QUERIES)
    other = table.assign(x=np.exp(table["x"]), y=1e6 * table["y"], z=table["z"] ** 3)
    assert KernelTest().fit(other).pvalues(QUERIES) == pytest.approx(expected, abs=1e-12)


def test_pairs_are_symmetric(table):
    test = KernelTest()
    a = test.test(table["x"], table["noisy"], table[["z", "w"]])
    b = test.test(table["noisy"], table["x"], table[["w", "z"]])
    assert a.pvalue == pytest.approx(b.pvalue, rel=1e-6)
    assert a.effect == pytest.approx(b.effect, rel=1e-9)


def test_torch_gives_the_same(table):
    pytest.importorskip("torch")
    expected = KernelTest().fit(table).pvalues(QUERIES)
    found = KernelTest(device="cpu").fit(table).pvalues(QUERIES)
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.gpu
def test_cuda_gives_the_same(table):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    expected = KernelTest().fit(table).pvalues(QUERIES)
    assert KernelTest(device="cuda").fit(table).pvalues(QUERIES) == pytest.approx(
        expected, abs=1e-6
    )


def test_nulls_agree_in_the_bulk(table):
    gamma = KernelTest().fit(table).pvalues(QUERIES)
    weighted = KernelTest(null="weighted").fit(table).pvalues(QUERIES)
    resampled = KernelTest(null="permutation", n_resamples=199).fit(table).pvalues(QUERIES)
    assert np.abs(gamma - weighted).max() < 0.06
    assert np.abs(gamma - resampled).max() < 0.16
    assert resampled.min() == 1 / 200


def test_marginal_likelihood_and_a_fixed_ridge_keep_the_truth(table):
    for options in ({"selection": "marginal_likelihood"}, {"reg": 1e-3}):
        fitted = KernelTest(**options).fit(table)
        assert fitted.pvalue("x", "y", ["z", "site"]) > 0.01
        assert fitted.pvalue("x", "noisy", ["z"]) < 1e-4


def test_a_small_cache_changes_nothing(table):
    few = KernelTest(cache_bytes=1).fit(table)
    assert list(few.pvalues(QUERIES)) == list(KernelTest().fit(table).pvalues(QUERIES))


def test_power_is_near_that_of_the_exact_test():
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=200)
        x = np.sin(z) + 0.5 * rng.normal(size=200)
        y = z**2 + 0.5 * rng.normal(size=200) + 0.5 * np.sin(3 * x)
        found.append([t.test(x, y, z).pvalue <= 0.05 for t in (KernelTest(), KCI())])
    ours, exact = np.mean(found, axis=0)
    assert exact > 0.5
    assert ours >= exact - 0.1


@pytest.mark.parametrize("width", [0.5, 1.0, 3.0])
def test_the_expansion_is_the_gaussian_kernel(width):
    u = np.linspace(-2, 2, 9)
    ratio = eigenvalue_ratio(width)
    features = hermite_features(u, 80, width=width)
    first = np.sqrt(0.5 / (0.25 + 1 / (2 * width**2) + np.sqrt(1 / 16 + 1 / (4 * width**2))))
    kernel = features * first * ratio ** np.arange(80) @ features.T
    assert kernel == pytest.approx(np.exp(-((u[:, None] - u) ** 2) / (2 * width**2)), abs=1e-8)


def test_products_are_distinct_and_ordered_by_complexity():
    table, costs = degrees_up_to(3, 50)
    assert len({*map(tuple, table.tolist())}) == len(table) <= 50
    assert list(costs) == sorted(costs)
    active = (table > 0).sum(axis=1)
    assert list(costs) == list(table.sum(axis=1) + np.maximum(active - 1, 0))


def test_weighted_chi_squares_by_saddlepoint():
    rng = np.random.default_rng(0)
    weights = np.array([3.0, 1.0, 0.5, 0.2, 0.2])
    draws = rng.chisquare(1, size=(400_000, 5)) @ weights
    for quantile in (0.3, 0.9, 0.99):
        x = float(np.quantile(draws, quantile))
        assert weighted_chi_square_pvalue(x, weights) == pytest.approx(1 - quantile, rel=0.07)
    assert weighted_chi_square_pvalue(4.9, np.ones(5)) == pytest.approx(0.4281, abs=0.01)
    assert weighted_chi_square_pvalue(1.0, np.array([])) == 1.0


def test_gamma_and_cauchy():
    from scipy import stats

    assert gamma_pvalue(3.0, 2.0, 1.0) == pytest.approx(stats.gamma.sf(3.0, 4.0, scale=0.5))
    assert gamma_pvalue(1.0, 0.0, 0.0) == 1.0
    assert cauchy_combination(np.array([0.3, 0.3])) == pytest.approx(0.3)
    assert cauchy_combination(np.array([1e-200, 0.5])) == pytest.approx(2e-200)
    assert 0 <= cauchy_combination(np.array([1.0, 1.0])) <= 1


def test_regression_follows_curves_and_environments():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 2))
    site = rng.integers(0, 5, 2000)
    signal = np.sin(2 * z[:, 0]) + z[:, 0] * z[:, 1]
    left = regression_residuals(signal + 0.1 * rng.normal(size=2000), pd.DataFrame(z))
    assert 0.09 < left.std() < 0.13
    slopes = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])[site]
    own = slopes * z[:, 0] + 0.1 * rng.normal(size=2000)
    assert regression_residuals(own, z[:, :1]).std() > 1
    assert 0.09 < regression_residuals(own, z[:, :1], within=site).std() < 0.13


@pytest.mark.parametrize(
    "options",
    [{"null": "normal"}, {"reg": 0.0}, {"width": 0.0}, {"n_features": 0}, {"selection": "aic"}],
)
def test_wrong_options(options):
    with pytest.raises(InputError):
        KernelTest(**options)
