"""Intervals: published values, an independent inversion, coverage by exact enumeration."""

import numpy as np
import pytest
from scipy import optimize, stats

from shiftlab.exceptions import InputError
from shiftlab.metrics import difference_interval, rate_interval, ratio_interval


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
@pytest.mark.parametrize(("x", "n"), [(0, 10), (3, 10), (10, 10), (50, 92), (1, 1000)])
def test_rate_interval_equals_scipy(x, n, method):
    names = {"wilson": "wilson", "clopper-pearson": "exact"}
    expected = stats.binomtest(x, n).proportion_ci(0.9, method=names[method])
    low, high = rate_interval(x, n, confidence_level=0.9, method=method)
    assert float(low) == pytest.approx(expected.low, abs=1e-12)
    assert float(high) == pytest.approx(expected.high, abs=1e-12)


def test_katz_equals_scipy():
    expected = stats.contingency.relative_risk(34, 76, 50, 92).confidence_interval(0.95)
    low, high = ratio_interval(34, 76, 50, 92, method="katz")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), rel=1e-12)


# Newcombe (1998), Table II, method 10.
NEWCOMBE = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((10, 10, 0, 20), (0.6791, 1.0000)),
    ((10, 10, 0, 10), (0.6075, 1.0000)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
]


@pytest.mark.parametrize(("counts", "expected"), NEWCOMBE)
def test_newcombe_published_values(counts, expected):
    low, high = difference_interval(*counts)
    assert (float(low), float(high)) == pytest.approx(expected, abs=6e-5)


def chi_square(counts, ratio):
    """Pearson's statistic of p1 = ratio * p0, the likelihood maximised numerically."""
    x1, n1, x0, n0 = counts

    def loss(p0):
        cells = [(x1, ratio * p0), (n1 - x1, 1 - ratio * p0), (x0, p0), (n0 - x0, 1 - p0)]
        return -sum(x * np.log(p) for x, p in cells if x > 0)

    bounds = (1e-12, min(1, 1 / ratio) - 1e-12)
    p0 = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
    p1 = ratio * p0
    return (x1 - n1 * p1) ** 2 / (n1 * p1 * (1 - p1)) + (x0 - n0 * p0) ** 2 / (n0 * p0 * (1 - p0))


@pytest.mark.parametrize("counts", [(34, 76, 50, 92), (3, 40, 12, 35), (9, 10, 2, 30)])
def test_score_limits_invert_the_chi_square_test(counts):
    limit = stats.chi2.isf(0.05, 1)
    low, high = ratio_interval(*counts)
    assert chi_square(counts, float(low)) == pytest.approx(limit, rel=1e-5)
    assert chi_square(counts, float(high)) == pytest.approx(limit, rel=1e-5)


def test_score_interval_at_the_edges():
    assert ratio_interval(0, 20, 5, 20)[0] == 0
    assert np.isfinite(ratio_interval(0, 20, 5, 20)[1])
    low, high = ratio_interval(5, 20, 0, 20)
    assert low > 0
    assert np.isinf(high)
    for nothing in [(0, 20, 0, 20), (0, 0, 3, 5), (3, 5, 0, 0)]:
        low, high = ratio_interval(*nothing)
        assert (low, high) == (0, np.inf)
    low, high = ratio_interval(20, 20, 20, 20)
    assert low < 1 < high
    assert difference_interval(0, 0, 3, 5) == (-1, 1)


@pytest.mark.parametrize("method", ["score", "katz"])
def test_swapping_the_groups_inverts_the_ratio(method):
    counts = np.array([3, 40]), np.array([12, 35])
    low, high = ratio_interval(*counts[0], *counts[1], method=method)
    other_low, other_high = ratio_interval(*counts[1], *counts[0], method=method)
    assert float(low * other_high) == pytest.approx(1, rel=1e-10)
    assert float(high * other_low) == pytest.approx(1, rel=1e-10)


def test_large_counts_do_not_lose_the_limits():
    low, high = ratio_interval(3 * 10**9, 10**10, 4 * 10**9, 10**10)
    assert low < 0.75 < high
    katz = ratio_interval(3 * 10**9, 10**10, 4 * 10**9, 10**10, method="katz")
    assert (float(low), float(high)) == pytest.approx([float(v) for v in katz], rel=1e-8)


def coverage(interval, n1, n0, p1, p0, truth):
    """Exact coverage: every table weighted by its probability."""
    x1, x0 = np.meshgrid(np.arange(n1 + 1), np.arange(n0 + 1), indexing="ij")
    weight = stats.binom.pmf(x1, n1, p1) * stats.binom.pmf(x0, n0, p0)
    low, high = interval(x1, n1, x0, n0)
    return float(weight[(low <= truth) & (truth <= high)].sum())


@pytest.mark.parametrize("n", [10, 50])
@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.97])
def test_exact_coverage_of_rate_intervals(n, p):
    x = np.arange(n + 1)
    weight = stats.binom.pmf(x, n, p)
    low, high = rate_interval(x, n, method="clopper-pearson")
    assert weight[(low <= p) & (p <= high)].sum() >= 0.95
    low, high = rate_interval(x, n)
    # Wilson's minimum over p is known to dip near the ends, to about 0.83 at its worst.
    assert weight[(low <= p) & (p <= high)].sum() >= 0.83


def test_wilson_covers_the_level_on_average():
    n, x = 30, np.arange(31)
    low, high = rate_interval(x, n)
    grid = np.linspace(0.0005, 0.9995, 1000)
    covered = [stats.binom.pmf(x, n, p)[(low <= p) & (p <= high)].sum() for p in grid]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("n1", "n0"), [(15, 25), (60, 40)])
@pytest.mark.parametrize(("p1", "p0"), [(0.05, 0.1), (0.2, 0.6), (0.5, 0.5), (0.9, 0.95)])
def test_exact_coverage_of_two_sample_intervals(n1, n0, p1, p0):
    covered = coverage(ratio_interval, n1, n0, p1, p0, p1 / p0)
    assert 0.925 <= covered <= 1
    covered = coverage(difference_interval, n1, n0, p1, p0, p1 - p0)
    assert 0.93 <= covered <= 1


def test_score_covers_where_katz_does_not():
    def katz(*counts):
        return ratio_interval(*counts, method="katz")

    # With rates near one the normal approximation of the log ratio is too short.
    score = coverage(ratio_interval, 15, 15, 0.95, 0.95, 1.0)
    assert score >= 0.94
    assert coverage(katz, 15, 15, 0.95, 0.8, 0.95 / 0.8) < 0.95


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate_interval(5, 3), "successes must not exceed trials"),
        (lambda: rate_interval(-1, 3), "not negative"),
        (lambda: rate_interval(1, np.inf), "finite"),
        (lambda: rate_interval(1, 3, confidence_level=95), "confidence_level"),
        (lambda: rate_interval(1, 3, method="wald"), "method must be one of"),
        (lambda: ratio_interval(1, 3, 1, 3, method="newcombe"), "method must be one of"),
        (lambda: difference_interval(1, 3, 1, 3, method="score"), "method must be one of"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
