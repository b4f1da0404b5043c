"""The regressions on z: each variable's own directions, posteriors, and what they leave where."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.independence import KernelTest, regression_residuals
from shiftlab.independence._cache import ByteCache
from shiftlab.independence._deflation import _common_leverage
from shiftlab.independence._directions import class_posteriors
from shiftlab.independence._expansion import hermite_features, hermite_slopes, rank_for
from shiftlab.independence._regressions import PROBED_ROWS, RegressionOptions, Regressions
from shiftlab.independence._variables import question_variables


def test_slopes_are_derivatives():
    u, step = np.linspace(-2, 2, 9), 1e-5
    after, before = (hermite_features(u + s, 12, width=1.5) for s in (step, -step))
    assert hermite_slopes(u, 12, width=1.5) == pytest.approx(
        (after - before) / (2 * step), abs=1e-6
    )


def test_rank_grows_with_the_rows():
    assert [rank_for(n) for n in (100, 1000, 10_000, 10**6)] == [16, 16, 31, 40]


@pytest.mark.parametrize("curve", [np.abs, lambda u: np.sin(2 * u)], ids=["kink", "fast"])
def test_a_curve_along_one_direction_is_followed_in_four_variables(curve):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3000, 4))
    signal = curve(z @ np.array([0.5, 0.5, -0.5, 0.5]))
    noise = 0.2 * rng.normal(size=3000)
    left = regression_residuals(signal + noise, z)[:, 0]
    assert left.std() < 0.22
    assert abs(np.corrcoef(left, signal)[0, 1]) < 0.1


def test_a_curve_may_have_another_size_in_each_category():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3000, 3))
    site = rng.integers(0, 5, 3000)
    signal = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])[site] * np.abs(z.sum(axis=1))
    left = regression_residuals(signal + 0.2 * rng.normal(size=3000), z, within=site)
    assert left.std() < 0.35  # polynomials alone leave 0.57


def test_posteriors_are_those_of_gaussian_categories():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 5000)
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    z = rng.normal(size=(5000, 2)) + centres[codes]
    densities = np.exp(-0.5 * ((z[:, None, :] - centres) ** 2).sum(axis=2))
    expected = densities / densities.sum(axis=1, keepdims=True)
    assert np.abs(class_posteriors(z, codes) - expected).mean() < 0.03
    names = np.array([2, 0, 1])  # other numbers for the same categories
    assert class_posteriors(z, names[codes])[:, names] == pytest.approx(class_posteriors(z, codes))


def test_the_rows_tell_how_much_noise_is_left():
    rng = np.random.default_rng(0)
    z = pd.DataFrame(rng.normal(size=(240, 3)))
    z["site"] = rng.choice(list("abc"), 240)
    noise = rng.normal(size=(240, 200))
    variables = question_variables(noise[:, 0], noise[:, 1], z)
    options = RegressionOptions(reg=1e-3)
    smoother = Regressions(variables, options, ByteCache(2**28)).smoother((2, 3, 4, 5))
    found = smoother.residuals(noise)
    assert found.left.shape == (PROBED_ROWS, 200)
    measured = (found.values[smoother.probed_rows] ** 2).mean(axis=1)
    assert np.corrcoef(measured, found.left.mean(axis=1))[0, 1] > 0.8
    assert measured.mean() == pytest.approx(found.left.mean(), rel=0.05)
    common = _common_leverage(found.left, found.left)
    assert 1.0 < np.mean(common) < 3.0


def test_the_level_is_kept_where_polynomials_leave_kinks():
    """Two kinked functions of nearly the same direction: the test rejected most of these."""
    pvalues = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(3000, 4))
        x = np.abs(z.sum(axis=1) / 2) + 0.5 * rng.normal(size=3000)
        y = np.square(z @ np.array([0.6, 0.5, 0.4, 0.5])) + 0.5 * rng.normal(size=3000)
        pvalues.append(KernelTest().test(x, y, z).pvalue)
    assert np.mean(np.array(pvalues) <= 0.05) <= 0.25
    assert np.mean(pvalues) > 0.3
