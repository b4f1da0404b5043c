"""Partial correlation, counts, KCI, the other tests and the oracle against independent answers."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from shiftlab.exceptions import InputError
from shiftlab.independence import GCM, HSIC, KCI, RCIT, ContingencyTest, FisherZ, Oracle

RNG = np.random.default_rng(0)
N = 300
Z = RNG.normal(size=(N, 2))
X = Z @ [1.0, 0.5] + RNG.normal(size=N)
Y = Z @ [-0.5, 1.0] + RNG.normal(size=N)
SITE = RNG.choice(["a", "b", "c"], N)


def test_partial_correlation_is_that_of_the_residuals():
    design = np.column_stack([np.ones(N), Z])
    left, right = (v - design @ np.linalg.lstsq(design, v)[0] for v in (X, Y))
    r = np.corrcoef(left, right)[0, 1]
    found = FisherZ().test(X, Y, Z)
    assert found.effect == pytest.approx(r)
    expected = 2 * stats.norm.sf(abs(np.sqrt(N - 5) * np.arctanh(r)))
    assert found.pvalue == pytest.approx(expected)


def test_a_category_and_a_number_give_the_f_test_of_analysis_of_variance():
    groups = [X[s == SITE] for s in "abc"]
    assert FisherZ().test(X, SITE).pvalue == pytest.approx(stats.f_oneway(*groups).pvalue)


def test_a_category_is_not_a_number():
    coded = np.array([{"a": 0, "b": 2, "c": 1}[s] for s in SITE]).astype(str)
    value = X + 2.0 * (SITE == "b")
    by_name = FisherZ().test(value, SITE, Z).pvalue
    assert FisherZ().test(value, coded, Z).pvalue == pytest.approx(by_name)


def test_counts_against_scipy():
    x = RNG.choice(["u", "v"], N, p=[0.3, 0.7])
    table = pd.crosstab(SITE, x).to_numpy()
    pearson = stats.chi2_contingency(table, correction=False)
    found = ContingencyTest("chi2").test(SITE, x)
    assert found.statistic == pytest.approx(pearson.statistic * (N - 1) / N)
    assert found.pvalue == pytest.approx(stats.chi2.sf(found.statistic, 2))
    raw = stats.chi2_contingency(table, lambda_="log-likelihood", correction=False)
    assert ContingencyTest("g2").test(SITE, x).statistic == pytest.approx(raw.statistic, rel=0.02)


def test_scaled_counts_have_their_mean_under_permutations():
    rng = np.random.default_rng(1)
    x, y = rng.choice(3, 25, p=[0.6, 0.3, 0.1]).astype(str), rng.choice(["u", "v"], 25)
    for statistic in ("chi2", "g2"):
        test = ContingencyTest(statistic)
        drawn = [test.test(rng.permutation(x), y).statistic for _ in range(400)]
        assert np.mean(drawn) == pytest.approx(2.0, abs=4 * np.std(drawn) / np.sqrt(400))


def test_strata_add_up_and_permutations_are_within_them():
    stratum = RNG.choice(["s", "t"], N)
    x, y = (np.where(RNG.random(N) < 0.8, stratum, "r") for _ in range(2))
    assert ContingencyTest().test(x, y).pvalue < 1e-6
    asymptotic = ContingencyTest().test(x, y, stratum)
    exact = ContingencyTest(null="permutation").test(x, y, stratum)
    assert asymptotic.pvalue > 0.05
    assert exact.pvalue == pytest.approx(asymptotic.pvalue, abs=0.08)
    assert exact.pvalue == ContingencyTest(null="permutation").test(x, y, stratum).pvalue


def test_numbers_need_bins():
    with pytest.raises(InputError, match="n_bins"):
        ContingencyTest().test(X, SITE)
    assert ContingencyTest(n_bins=4).test(X, X + 0.1 * RNG.normal(size=N)).pvalue < 1e-6


@pytest.mark.parametrize("d", [1, 2])
def test_kci_is_that_of_causal_learn(d):
    kci = pytest.importorskip("causallearn.utils.KCI.KCI")
    n = 150
    theirs = kci.KCI_CInd().compute_pvalue(X[:n, None], Y[:n, None], Z[:n, :d])
    ours = KCI().test(X[:n], Y[:n], Z[:n, :d])
    assert ours.statistic == pytest.approx(theirs[1], rel=1e-8)
    assert ours.pvalue == pytest.approx(theirs[0], abs=1e-4)
    # The whole gap is the eigenvalues that it leaves out.
    same = KCI(drop=1e-5).test(X[:n], Y[:n], Z[:n, :d])
    assert same.pvalue == pytest.approx(theirs[0], abs=1e-9)
    theirs = kci.KCI_UInd().compute_pvalue(X[:n, None], Y[:n, None])
    ours = KCI().test(X[:n], Y[:n])
    assert ours.statistic == pytest.approx(theirs[1], rel=1e-8)
    assert ours.pvalue == pytest.approx(theirs[0], abs=1e-6)


def test_low_rank_kci_follows_the_exact_one():
    found = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=200)
        x, y = (f(z) + 0.5 * rng.normal(size=200) for f in (np.sin, np.square))
        found.append([KCI(m).test(x, y + 0.2 * x, z).pvalue for m in ("exact", "low_rank")])
    exact, low = np.transpose(found)
    assert np.corrcoef(exact, low)[0, 1] > 0.99


def test_kci_null_by_eigenvalues_and_with_a_category():
    for z in (Z[:150, :1], None):
        gamma = KCI().test(X[:150], Y[:150], z).pvalue
        weighted = KCI(null="weighted").test(X[:150], Y[:150], z).pvalue
        assert weighted == pytest.approx(gamma, abs=0.05)
    value = X + 2.0 * (SITE == "b")
    assert KCI().test(value, SITE, Z).pvalue < 1e-6
    assert KCI("low_rank").test(value, SITE, Z).pvalue < 1e-6
    assert KCI(bandwidth="median").test(value, X).pvalue < 1e-6


@pytest.mark.parametrize("bandwidth", ["rule", "own_median"])
def test_kci_with_a_ridge_from_the_data(bandwidth):
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(150, 2))
        x, y = (f(z.sum(axis=1)) + 0.5 * rng.normal(size=150) for f in (np.sin, np.tanh))
        found.append(
            [
                KCI(m, bandwidth=bandwidth, reg="gcv").test(x, y + effect * x, z).pvalue
                for m in ("exact", "low_rank")
                for effect in (0.0, 1.0)
            ]
        )
    null, dependent, low_null, low_dependent = np.transpose(found)
    assert np.abs(null - low_null).max() < 0.02
    assert (null > 0.01).all()
    assert max(dependent.max(), low_dependent.max()) < 0.01


@pytest.mark.parametrize(
    "options", [{"drop": -1.0}, {"method": "low_rank", "drop": 1e-5}, {"reg": "aic"}, {"reg": 0.0}]
)
def test_kci_refuses_wrong_options(options):
    with pytest.raises(InputError):
        KCI(**options)


@pytest.mark.parametrize("test", [GCM(), RCIT()])
def test_the_other_conditional_tests(test):
    assert test.test(X, Y, Z).pvalue > 0.01
    assert test.test(X, Y + 0.5 * X, Z).pvalue < 1e-4
    assert test.test(X + (SITE == "b"), SITE, Z).pvalue < 0.01
    assert test.test(X, Y, Z) == test.test(X, Y, Z)


def test_hsic_sees_what_correlation_does_not():
    x = np.linspace(-1, 1, N)
    y = x**2 + 0.2 * RNG.normal(size=N)
    assert FisherZ().test(x, y).pvalue > 0.001
    assert HSIC().test(x, y).pvalue < 1e-4
    assert HSIC(null="permutation", n_resamples=99).test(x, y).pvalue == 0.01
    free = HSIC().test(Z[:, 0], Z[:, 1]).pvalue
    resampled = HSIC(null="permutation", n_resamples=499).test(Z[:, 0], Z[:, 1]).pvalue
    assert resampled == pytest.approx(free, abs=0.08)
    with pytest.raises(InputError, match="nothing given"):
        HSIC().test(X, Y, Z)


def test_the_oracle_reads_the_graph():
    graph = nx.DiGraph([("x", "m"), ("m", "y"), ("h", "x"), ("h", "w"), ("y", "c"), ("w", "c")])
    oracle = Oracle(graph)
    assert oracle.test("x", "y").pvalue == 0.0
    assert oracle.test("x", "y", "m").pvalue == 1.0
    assert oracle.test("x", "y", ["m", "c"]).pvalue == 0.0
    fitted = oracle.fit(pd.DataFrame({k: [0.0] for k in "xmywc"}))
    assert fitted.names == ("x", "m", "y", "w", "c")
    assert fitted.pvalue("x", "w") == 0.0
    with pytest.raises(InputError, match="no node"):
        oracle.test("x", "q")
    with pytest.raises(InputError, match="acyclic"):
        Oracle(nx.DiGraph([("a", "b"), ("b", "a")]))
