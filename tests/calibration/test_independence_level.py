"""Type-I error of the conditional-independence tests at the nominal level 0.05.

``benchmarks/independence_level.py`` prints the whole table for any number of nulls.
"""

import sys

import numpy as np
import pandas as pd
import pytest

from shiftlab.independence import GCM, HSIC, KCI, RCIT, ContingencyTest, FisherZ, KernelTest

#: What the library promises for the level of a test at 0.05.
ALPHA, LOWEST, HIGHEST = 0.05, 0.03, 0.07
CURVES = (np.sin, np.tanh, np.square, np.abs, lambda u: u)


def linear(rng, n, d):
    z = rng.normal(size=(n, d))
    return (
        z @ rng.normal(size=d) + rng.normal(size=n),
        z @ rng.normal(size=d) + rng.normal(size=n),
        pd.DataFrame(z),
    )


def nonlinear(rng, n, d):
    z = rng.normal(size=(n, d))
    f, g = (CURVES[k] for k in rng.integers(0, len(CURVES), 2))
    x = f(z.mean(axis=1) * np.sqrt(d)) + 0.5 * rng.normal(size=n)
    y = g(z @ rng.normal(size=d) / np.sqrt(d)) + 0.5 * rng.standard_t(5, n)
    return x, y, pd.DataFrame(z)


def heavy_tails(rng, n, d):
    z = rng.standard_t(2, size=(n, d))
    x = z.sum(axis=1) / np.sqrt(d) + rng.standard_t(2, n)
    y = np.abs(z @ rng.normal(size=d) / np.sqrt(d)) + rng.standard_t(2, n)
    return x, y, pd.DataFrame(z)


def domain_curves(rng, z, codes, k):
    """A relation and a noise that are another one in each of k domains."""
    f = CURVES[rng.integers(len(CURVES))]
    slope, shift, noise = rng.normal(size=k), rng.normal(size=k), rng.uniform(0.3, 1.0, k)
    index = z @ rng.normal(size=z.shape[1]) / np.sqrt(z.shape[1])
    return slope[codes] * f(index) + shift[codes] + noise[codes] * rng.normal(size=len(codes))


def environment(rng, n, d):
    """Both relations change between ten domains; these are a category of z."""
    codes = rng.integers(0, 10, n)
    z = rng.normal(size=(n, d)) + rng.normal(size=10)[codes, None]
    table = pd.DataFrame(z)
    table["site"] = [f"s{c}" for c in codes]
    return domain_curves(rng, z, codes, 10), domain_curves(rng, z, codes, 10), table


def invariant(rng, n, d):
    """The domain moves z, but the relation of x to z is the same in each: y is the domain."""
    codes = rng.integers(0, 10, n)
    z = rng.normal(size=(n, d)) + rng.normal(size=10)[codes, None]
    f = CURVES[rng.integers(len(CURVES))]
    x = f(z.mean(axis=1) * np.sqrt(d)) + 0.5 * rng.normal(size=n)
    return x, np.array([f"s{c}" for c in codes]), pd.DataFrame(z)


def categories(rng, n, d):
    z = rng.integers(0, 2, size=(n, d))
    first, second = (rng.dirichlet(np.ones(3), size=2**d) for _ in range(2))
    cell = (z * 2 ** np.arange(d)).sum(axis=1)
    x, y = ((rng.random(n)[:, None] > p[cell].cumsum(axis=1)).sum(axis=1) for p in (first, second))
    table = pd.DataFrame(z.astype(str))
    return np.array(list("abcd"))[x], np.array(list("uvwx"))[y], table


WORLDS = {
    f.__name__: f for f in (linear, nonlinear, heavy_tails, environment, invariant, categories)
}
TESTS = {
    "kernel": (KernelTest(), list(WORLDS)),
    "fisher_z": (FisherZ(), ["linear"]),
    "chi2": (ContingencyTest("chi2"), ["categories"]),
    "g2": (ContingencyTest("g2"), ["categories"]),
    "gcm": (GCM(), ["linear", "nonlinear", "environment"]),
    "rcit": (RCIT(), ["linear", "nonlinear"]),
}
#: Tests that are asked with nothing given, too.
UNCONDITIONAL = {"kernel": KernelTest(), "hsic": HSIC(), "kci": KCI()}


def unconditional(test, n, runs, seed=1):
    """Share of rejections for two independent heavy-tailed variables, nothing given."""
    found = 0
    for child in np.random.SeedSequence([seed, n]).spawn(runs):
        x, y = np.random.default_rng(child).standard_t(3, (2, n))
        found += test.test(x, y).pvalue <= ALPHA
    return found / runs


def pvalues(test, world, n, d, runs, seed=0):
    """p-values of draws under independence."""
    draws = (
        WORLDS[world](np.random.default_rng(child), n, d)
        for child in np.random.SeedSequence([seed, n, d]).spawn(runs)
    )
    return np.array([test.test(x, y, z).pvalue for x, y, z in draws])


def rejections(test, world, n, d, runs, seed=0):
    """Share of p-values at or below the level under independence."""
    return float(np.mean(pvalues(test, world, n, d, runs, seed) <= ALPHA))


CASES = [(name, world) for name, (_, worlds) in TESTS.items() for world in worlds]


@pytest.mark.parametrize(("name", "world"), CASES)
def test_level_in_a_small_sample_of_nulls(name, world):
    share = rejections(TESTS[name][0], world, 150, 2, 80)
    # Three standard errors of 80 runs around the promised range.
    assert share <= HIGHEST + 3 * np.sqrt(HIGHEST * (1 - HIGHEST) / 80)


@pytest.mark.parametrize("test", UNCONDITIONAL.values(), ids=UNCONDITIONAL)
def test_level_with_nothing_given(test):
    assert unconditional(test, 100, 100) <= HIGHEST + 3 * np.sqrt(HIGHEST * (1 - HIGHEST) / 100)


@pytest.mark.slow
@pytest.mark.parametrize("test", [HSIC(), KernelTest()], ids=["hsic", "kernel"])
def test_level_with_nothing_given_in_full(test):
    for n in (100, 1000, 10_000):
        assert LOWEST <= unconditional(test, n, 2000) <= HIGHEST


@pytest.mark.slow
def test_fixed_widths_lose_the_level_where_the_chosen_ones_keep_it():
    """Why the reference test is not the default: three conditioning variables, 1,250 rows."""
    fixed = rejections(KCI("low_rank"), "nonlinear", 1250, 3, 300)
    chosen = rejections(KernelTest(), "nonlinear", 1250, 3, 300)
    assert fixed > 0.15
    assert chosen <= HIGHEST + 3 * np.sqrt(HIGHEST * (1 - HIGHEST) / 300)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 1000, 10_000])
@pytest.mark.parametrize(("name", "world"), CASES)
def test_level(name, world, n):
    runs = 2000
    for d in (1, 2, 3, 4):
        share = rejections(TESTS[name][0], world, n, d, runs)
        sys.stdout.write(f"{name:<10}{world:<14}{n:>7}{d:>3}{share:>8.4f}\n")
        margin = 2 * np.sqrt(0.05 * 0.95 / runs)
        assert LOWEST - margin <= share <= HIGHEST + margin
