"""Type-I error of the two-sample tests at the nominal level 0.05.

The slow part prints the whole table:
    pytest -n 0 -s -m slow tests/calibration/test_two_sample_level.py
"""

import sys

import numpy as np
import pytest
from scipy import stats

from shiftlab.divergence import two_sample_test

ALPHA = 0.05
#: What the library promises for the level of a test at 0.05.
LOWEST, HIGHEST = 0.03, 0.07


def normal(rng, n, d):
    return rng.normal(size=(n, d))


def cauchy(rng, n, d):
    return rng.standard_cauchy(size=(n, d))


def tied(rng, n, d):
    return np.round(2 * rng.normal(size=(n, d))) / 2


def discrete(rng, n, d):
    return rng.choice(3, size=(n, d), p=[0.6, 0.3, 0.1])


def binary(rng, n, d):
    return rng.choice(2, size=(n, d), p=[0.7, 0.3])


def plane(rng, n, d):
    return rng.normal(size=(n, 2))


ON_LINE = ("ks", "wasserstein")
ON_CELLS = ("kl", "total_variation", "hellinger", "chi_square", "g")
ON_PLANE = ("mmd", "mmd_fourier", "mmd_block", "energy", "sliced_wasserstein")
LAWS = (normal, cauchy, tied, discrete, binary)
CONTINUOUS = (normal, cauchy, plane)
#: Smaller than the defaults: the level does not depend on them.
CHEAP = {"mmd_fourier": {"n_features": 64}, "sliced_wasserstein": {"n_projections": 20}}


def pvalues(method, law, n, n_nulls, *, n_y=None, seed=0, sampling="independent", **options):
    """Return p-values and mid-p-values of `n_nulls` pairs of samples from one law."""
    options = {"n_resamples": 99, **CHEAP.get(method, {}), **options}
    if method in ON_CELLS and law in CONTINUOUS:
        options["bins"] = 6
    d = 2 if method in ON_PLANE or method == "classifier" else 1
    found = []
    for child in np.random.SeedSequence(seed).spawn(n_nulls):
        rng = np.random.default_rng(child)
        x, y = law(rng, n, d), law(rng, n_y or n, d)
        if sampling == "without_replacement":
            x = y[rng.choice(len(y), n, replace=False)]
        result = two_sample_test(x, y, method, random_state=rng, sampling=sampling, **options)
        found.append((result.pvalue, result.pvalue_mid))
    return np.array(found).T


def band(n_nulls, low=LOWEST, high=HIGHEST):
    """The promise, widened by what `n_nulls` simulations can err (99.9 %)."""
    return (
        stats.binom.ppf(0.0005, n_nulls, low) / n_nulls,
        stats.binom.ppf(0.9995, n_nulls, high) / n_nulls,
    )


def check_level(method, law, n, found, how="permutation, B = 99"):
    """Print one row of the table and hold the levels against the promise."""
    levels = (found <= ALPHA).mean(axis=1)
    sys.stdout.write(
        f"\n{method:<20}{law.__name__:<10}{n:>7}{found.shape[1]:>7} nulls"
        f"{levels[0]:>9.4f}{levels[1]:>9.4f} mid-p  {how}"
    )
    low, high = band(found.shape[1])
    assert levels[0] <= high
    assert levels[1] <= high
    # Only where statistics tie (coarse counts) may the level stay below the band.
    has_ties = law not in CONTINUOUS or method in ("ks", *ON_CELLS)
    assert has_ties or levels[0] >= low


@pytest.mark.parametrize("method", [*ON_LINE, *ON_CELLS, *ON_PLANE])
def test_level_in_small(method):
    law = discrete if method in ON_CELLS else normal
    found = pvalues(method, law, 30, 100, seed=20)
    low, high = band(100)
    assert low <= (found[1] <= ALPHA).mean() <= high
    # A test whose p-values were stuck would pass the band at 0: all of (0, 1) must be reached.
    assert found.min() < 0.15
    assert found.max() > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("method", [*ON_LINE, *ON_CELLS, *ON_PLANE])
@pytest.mark.parametrize(("n", "n_nulls"), [(50, 2000), (500, 500)])
def test_level(method, law, n, n_nulls):
    check_level(method, law, n, pvalues(method, law, n, n_nulls, seed=n))


@pytest.mark.slow
@pytest.mark.parametrize("law", [normal, tied], ids=lambda law: law.__name__)
@pytest.mark.parametrize("method", [*ON_LINE, *ON_CELLS, "mmd_fourier", "mmd_block"])
def test_level_of_large_samples(method, law):
    check_level(method, law, 10_000, pvalues(method, law, 10_000, 300, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("law", [normal, discrete], ids=lambda law: law.__name__)
@pytest.mark.parametrize("method", [*ON_LINE, *ON_CELLS, "mmd", "energy", "sliced_wasserstein"])
def test_level_without_replacement(method, law):
    options = {"n_y": 150, "sampling": "without_replacement", "seed": 2}
    found = pvalues(method, law, 50, 1000, **options)
    check_level(method, law, 50, found, "subsamples of 150 rows, B = 99")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "law", "options"),
    [
        ("ks", normal, {}),
        ("chi_square", discrete, {}),
        ("g", discrete, {}),
        ("mmd_block", normal, {"block_size": 2}),
        ("mmd_block", normal, {}),
        ("mmd_block", cauchy, {}),
    ],
)
def test_level_of_asymptotic_pvalues(method, law, options):
    found = pvalues(method, law, 500, 2000, seed=3, n_resamples=0, **options)
    check_level(method, law, 500, found, "without resamples")


@pytest.mark.slow
def test_level_of_the_costly_tests():
    options = {"n_resamples": 19, "n_splits": 2}
    check_level(
        "classifier", normal, 30, pvalues("classifier", normal, 30, 300, **options), "B = 19"
    )
    found = pvalues("wasserstein", plane, 30, 300, n_resamples=19)
    check_level("wasserstein", plane, 30, found, "exact, two columns, B = 19")
