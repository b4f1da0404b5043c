"""Values of the measures: closed forms, other implementations, invariances."""

import itertools
from inspect import signature

import numpy as np
import pytest
from scipy import stats

from shiftlab.divergence import (
    Resampling,
    chi_square_test,
    classifier_test,
    energy_test,
    g_test,
    hellinger_test,
    kl_test,
    ks_test,
    mmd_block_test,
    mmd_test,
    total_variation_test,
    two_sample_test,
    wasserstein_test,
)
from shiftlab.divergence._mmd_blocks import _evaluate
from shiftlab.kernels import Gaussian, centre_gram

COUNTS = np.array([[30, 12, 8], [20, 25, 5]])
MULTIVARIATE = ("mmd", "mmd_fourier", "mmd_block", "energy", "sliced_wasserstein", "wasserstein")


@pytest.fixture
def line(rng):
    return rng.normal(size=60), rng.exponential(size=45)


def test_ks_agrees_with_scipy(line):
    expected = stats.ks_2samp(*line)
    result = ks_test(*line, n_resamples=0)
    assert result.statistic == pytest.approx(expected.statistic, abs=1e-15)
    assert result.pvalue == expected.pvalue
    assert result.pvalue_method == "exact for data without ties"
    simulated = ks_test(*line, n_resamples=4000, random_state=0)
    assert simulated.pvalue == pytest.approx(expected.pvalue, abs=0.01)


def test_wasserstein_and_energy_agree_with_scipy(line):
    x, y = line
    assert wasserstein_test(x, y, n_resamples=0).statistic == pytest.approx(
        stats.wasserstein_distance(x, y), rel=1e-12
    )
    energy = energy_test(x, y, scale="none", n_resamples=0)
    assert np.sqrt(energy.statistic) == pytest.approx(stats.energy_distance(x, y), rel=1e-10)


@pytest.mark.parametrize("sampling", ["independent", "without_replacement"])
def test_energy_of_a_column_equals_the_energy_over_pairs(line, sampling):
    x, y = np.round(line[0][:30], 1), np.round(line[1], 1)
    plan = Resampling(0, sampling)
    by_sort = energy_test(x, y, scale="none", n_resamples=plan)
    # A copy of the column makes every distance sqrt(2) times as large.
    by_pairs = energy_test(
        np.stack([x, x], axis=1), np.stack([y, y], axis=1), scale="none", n_resamples=plan
    )
    assert by_pairs.statistic == pytest.approx(np.sqrt(2) * by_sort.statistic, rel=1e-10)
    assert by_pairs.effect == pytest.approx(by_sort.effect, rel=1e-10)


def test_permutation_pvalue_agrees_with_scipy(line):
    x, y = line[0][:20], line[1][:25] * 0.8
    # SciPy before 1.15 calls the seed by another name.
    seed = "rng" if "rng" in signature(stats.permutation_test).parameters else "random_state"
    options = {"n_resamples": 2000, "alternative": "greater", seed: 0}
    expected = stats.permutation_test((x, y), stats.wasserstein_distance, **options)
    result = wasserstein_test(x, y, n_resamples=8000, random_state=1)
    assert result.statistic == pytest.approx(expected.statistic)
    error = 4 * np.sqrt(expected.pvalue * (1 - expected.pvalue) * (1 / 2000 + 1 / 8000))
    assert result.pvalue == pytest.approx(expected.pvalue, abs=error)


@pytest.mark.parametrize(
    ("test", "lambda_"), [(chi_square_test, "pearson"), (g_test, "log-likelihood")]
)
def test_contingency_tests_agree_with_scipy(test, lambda_):
    expected = stats.chi2_contingency(COUNTS, correction=False, lambda_=lambda_)
    result = test(*COUNTS, form="counts", n_resamples=0)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert result.pvalue == pytest.approx(expected.pvalue, rel=1e-10)


def test_cramers_v_agrees_with_scipy():
    expected = stats.contingency.association(COUNTS, method="cramer")
    assert chi_square_test(*COUNTS, form="counts", n_resamples=0).effect == pytest.approx(expected)


def test_discrete_distances_in_closed_form():
    p, q = COUNTS[0] / 50, COUNTS[1] / 50
    options = {"form": "counts", "n_resamples": 0}
    assert total_variation_test(*COUNTS, **options).statistic == pytest.approx(
        np.abs(p - q).sum() / 2
    )
    assert hellinger_test(*COUNTS, **options).statistic == pytest.approx(
        np.sqrt(1 - np.sqrt(p * q).sum())
    )
    kl = kl_test(*COUNTS, pseudocount=0, **options)
    assert kl.statistic == pytest.approx(stats.entropy(p, q))
    smooth = stats.entropy((COUNTS[0] + 0.5) / 51.5, (COUNTS[1] + 0.5) / 51.5)
    assert kl_test(*COUNTS, **options).statistic == pytest.approx(smooth)
    # Bretagnolle and Huber: the effect bounds the total variation.
    assert kl.effect >= np.abs(p - q).sum() / 2


def test_kl_is_infinite_only_without_pseudocount():
    options = {"form": "counts", "random_state": 0}
    assert kl_test([5, 5], [10, 0], pseudocount=0, **options).statistic == np.inf
    assert np.isfinite(kl_test([5, 5], [10, 0], **options).statistic)


def test_rows_and_counts_are_the_same_thing():
    labels = np.array(["u", "v", "w"])
    x, y = np.repeat(labels, COUNTS[0]), np.repeat(labels, COUNTS[1])
    for test in (kl_test, total_variation_test, hellinger_test, chi_square_test, g_test):
        by_rows = test(x, y, random_state=0)
        assert by_rows.pvalue == test(*COUNTS, form="counts", random_state=0).pvalue
        named = [dict(zip(labels, c, strict=True)) for c in COUNTS]
        assert by_rows.statistic == test(*named, form="counts", random_state=0).statistic


def test_mmd_of_two_points_in_closed_form():
    # Two Diracs at distance 1 in the limit: k within is 1, between exp(-1/2).
    result = mmd_test([0.0, 0.0], [1.0, 1.0], kernel=Gaussian(1.0), scale="none", n_resamples=0)
    assert result.statistic == pytest.approx(2 - 2 * np.exp(-0.5))
    assert result.effect == pytest.approx(1 - np.exp(-0.5))


def test_mmd_of_gaussians_in_closed_form():
    # E k(x, x') with a Gaussian kernel of width 1 is exp(-d^2 / 6) / sqrt(3) for means d apart.
    rng = np.random.default_rng(5)
    kernel = Gaussian(1.0)
    found = []
    for _ in range(200):
        x, y = rng.normal(size=40), rng.normal(size=60) + 1.0
        found.append(mmd_test(x, y, kernel=kernel, scale="none", n_resamples=0).statistic)
    expected = 2 / np.sqrt(3) * (1 - np.exp(-1 / 6))
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / np.sqrt(200)


def test_mmd_is_unbiased():
    rng = np.random.default_rng(6)
    values = [
        mmd_test(rng.normal(size=10), rng.normal(size=14), kernel=Gaussian(1.0), n_resamples=0)
        for _ in range(400)
    ]
    found = np.array([v.statistic for v in values])
    assert abs(found.mean()) < 4 * found.std() / 20


@pytest.mark.slow  # hyppo compiles on its first call
def test_mmd_agrees_with_hyppo(rng):
    hyppo = pytest.importorskip("hyppo.ksample")
    n, kernel = 25, Gaussian(1.0)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + 0.6
    theirs = hyppo.MMD(compute_kernel="gaussian", bias=True, gamma=0.5).statistic(x, y)
    ours = mmd_test(x, y, kernel=kernel, scale="none", n_resamples=0)
    within = ours.statistic / ours.effect
    biased = ours.statistic + (2 - within) / n
    # hyppo takes the root of the correlation between the Gram matrix of the rows and that of the
    # labels (gamma 0.5 again), times 2 n^2 m^2 / N^4. Their covariance is that same factor times
    # (1 - exp(-0.5)) MMD^2.
    grams = (kernel(np.concatenate([x, y])), kernel(np.repeat([0.0, 1.0], n)))
    variances = [np.mean(centre_gram(gram) ** 2) for gram in grams]
    share = 2 * n**4 / (2 * n) ** 4
    covariance = share * -np.expm1(-0.5) * biased
    expected = share * np.sqrt(covariance / np.sqrt(np.prod(variances)))
    assert theirs == pytest.approx(expected, rel=1e-9)


def test_block_mmd_with_one_block_is_the_paired_u_statistic(rng):
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 2)) + 0.3
    kernel = Gaussian(1.0)
    h = kernel(x) + kernel(y)
    cross = sum(kernel(x, y)[i, j] for i in range(20) for j in range(20))
    result = mmd_block_test(
        x, y, kernel=kernel, block_size=20, scale="none", n_resamples=0, random_state=0
    )
    # The pairing is random; the part within the samples does not depend on it.
    within = (h.sum() - 40) / 380
    assert result.statistic == pytest.approx(within - 2 * cross / 400, abs=0.05)
    large = mmd_test(x, y, kernel=kernel, scale="none", n_resamples=0)
    assert result.statistic == pytest.approx(large.statistic, abs=0.05)


@pytest.mark.parametrize("block_size", [2, 7, None])
def test_block_mmd_estimates_the_same_discrepancy(block_size):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4000, 2)), rng.normal(size=(4000, 2)) + 0.7
    whole = mmd_test(x, y, kernel=Gaussian(1.0), n_resamples=0)
    part = mmd_block_test(
        x, y, kernel=Gaussian(1.0), block_size=block_size, n_resamples=0, random_state=0
    )
    assert part.statistic == pytest.approx(whole.statistic, rel=0.15)
    assert part.effect == pytest.approx(whole.effect, rel=0.15)
    assert part.pvalue < 1e-6
    assert part.pvalue_method == "three moments of the exchange of pairs"


@pytest.mark.parametrize("bounds", [[0, 10], [0, 5, 10], [0, 3, 6, 10], [0, 2, 4, 6, 8, 10]])
def test_block_mmd_knows_the_moments_of_all_exchanges(rng, bounds):
    flips = np.array(list(itertools.product([-1, 1], repeat=10)), dtype=np.int8).T
    x, y = rng.normal(size=(10, 2)), rng.standard_cauchy(size=(10, 2))
    found = _evaluate(Gaussian(1.0), x, y, np.array(bounds), flips)
    assert found.null.mean() == pytest.approx(0.0, abs=1e-12)
    assert found.variance == pytest.approx(np.mean(found.null**2), rel=1e-10)
    assert found.third_moment == pytest.approx(np.mean(found.null**3), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("block_size", [2, 6, 40])
def test_block_mmd_pvalue_without_resamples_is_that_of_the_exchange(block_size):
    gaps = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 0.4 * (seed % 2)
        pair = [
            mmd_block_test(x, y, block_size=block_size, n_resamples=size, random_state=0).pvalue
            for size in (0, 4999)
        ]
        gaps.append(pair[0] - pair[1])
    # Five Monte-Carlo errors of 4,999 exchanges at a p-value of 0.5 are 0.035.
    assert np.abs(gaps).max() < 0.035


def test_exact_wasserstein_agrees_with_pot(rng):
    ot = pytest.importorskip("ot")
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(40, 3)) + 0.5
    result = wasserstein_test(x, y, p=2, scale="none", n_resamples=0)
    assert result.statistic == pytest.approx(np.sqrt(ot.emd2([], [], ot.dist(x, y))), rel=1e-9)


def test_shift_has_a_readable_effect(rng):
    x = rng.normal(size=500)
    x = (x - x.mean()) / x.std()
    result = wasserstein_test(x, x + 1.0, n_resamples=0)
    assert result.statistic == pytest.approx(1.0)
    assert result.effect == pytest.approx(1 / np.sqrt(1.25))


def test_classifier_agrees_with_scikit_learn(rng):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    x, y = rng.normal(size=(40, 2)), rng.normal(size=(50, 2)) + 0.7
    result = classifier_test(x, y, n_resamples=0, random_state=0)
    rows = np.concatenate([x, y])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    is_x = np.arange(90) < 40
    seed = int(np.random.SeedSequence(0).spawn(2)[0].generate_state(1)[0] >> 1)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = LogisticRegression(max_iter=1000)
    expected = cross_val_score(model, rows, is_x, cv=folds, scoring="roc_auc").mean()
    assert result.statistic == pytest.approx(expected)
    assert result.pvalue is None


def test_classifier_result_does_not_depend_on_workers_and_takes_forests(rng):
    from joblib import parallel_config
    from sklearn.ensemble import RandomForestClassifier

    x, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 2.0
    forest = RandomForestClassifier(n_estimators=5)
    options = {"classifier": forest, "n_resamples": 9, "random_state": 1, "n_splits": 3}
    result = classifier_test(x, y, **options)
    with parallel_config(backend="threading"):
        assert result == classifier_test(x, y, n_jobs=2, **options)
    assert result.pvalue == 0.1
    assert forest.random_state is None


@pytest.mark.parametrize("method", MULTIVARIATE)
def test_invariances(method, rng):
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 0.8

    def value(a, b):
        return two_sample_test(a, b, method, n_resamples=0, random_state=3)

    base = value(x, y)
    # Any affine change of units; the directions of the sliced distance see signs.
    scaled = value(3 * x + 5, 3 * y + 5)
    assert scaled.statistic == pytest.approx(base.statistic, rel=1e-9)
    assert scaled.effect == pytest.approx(base.effect, rel=1e-9)
    if method != "mmd_block":  # which pairs its blocks visit depends on the order of the rows
        shuffled = value(x[::-1], y[rng.permutation(30)])
        assert shuffled.statistic == pytest.approx(base.statistic, rel=1e-9)
        assert value(y, x).statistic == pytest.approx(base.statistic, rel=1e-9)


def test_ranks_decide_ks(line):
    x, y = line
    base = ks_test(x, y, random_state=0)
    assert ks_test(np.exp(x), np.exp(y), random_state=0) == base


def test_relabelling_categories_changes_nothing(rng):
    x, y = rng.choice(list("abc"), 60), rng.choice(list("abc"), 80, p=[0.6, 0.2, 0.2])
    names = {"a": "z", "b": "q", "c": "k"}
    u, v = ([names[label] for label in part] for part in (x, y))
    for method in ("kl", "total_variation", "hellinger", "chi_square", "g", "mmd", "energy"):
        first = two_sample_test(x, y, method, n_resamples=0)
        second = two_sample_test(u, v, method, n_resamples=0)
        assert second.statistic == pytest.approx(first.statistic, rel=1e-12)


def test_equal_samples_are_at_distance_zero(rng):
    x = rng.normal(size=(20, 2))
    for method in ("energy", "sliced_wasserstein", "wasserstein"):
        result = two_sample_test(x, x, method, n_resamples=19, random_state=0)
        assert result.statistic == pytest.approx(0.0, abs=1e-12)
        assert result.pvalue == 1.0


@pytest.mark.parametrize("method", [*MULTIVARIATE, "ks", "chi_square", "classifier"])
def test_power_grows_with_the_sample(method):
    seeds = range(6 if method == "classifier" else 20)
    options = {"chi_square": {"bins": 5}, "classifier": {"n_splits": 2}}.get(method, {})

    def power(n):
        found = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            d = 1 if method in ("ks", "chi_square", "wasserstein") else 2
            x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 0.7
            result = two_sample_test(x, y, method, n_resamples=19, random_state=seed, **options)
            found.append(result.pvalue <= 0.05)
        return np.mean(found)

    few, many = power(8), power(80)
    assert many > few + 0.2
    assert many >= 0.8
