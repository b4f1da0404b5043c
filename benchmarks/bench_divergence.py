"""Two-sample tests and transport distances side by side with scipy, POT and hyppo.

Each pair gets the same data and the same number of resamples, is warmed up once, and is checked to
give the same statistic before its time counts.

    python benchmarks/bench_divergence.py [--quick]
"""

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from shiftlab._core.optional import is_installed
from shiftlab.divergence import chi_square_test, energy_test, ks_test, mmd_test, wasserstein_test
from shiftlab.kernels import Gaussian
from shiftlab.transport import random_directions, sliced_wasserstein, wasserstein, wasserstein_1d


def clock(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    result = call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times), result


def compare(
    name: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    repeats: int = 3,
    peer_repeats: int | None = None,
) -> None:
    own_time, own_value = clock(ours, repeats)
    peer_time, peer_value = clock(theirs, peer_repeats or repeats)
    agrees = math.isclose(own_value, peer_value, rel_tol=1e-8, abs_tol=1e-12)
    print(
        f"{name:<52}{own_time * 1e3:>11.2f}{peer_time * 1e3:>12.2f}"
        f"{peer_time / own_time:>9.1f}  {'same' if agrees else f'{own_value} vs {peer_value}'}"
    )
    assert agrees, name


def scipy_permutation(
    statistic: Callable[..., Any], n_resamples: int, vectorized: bool
) -> Callable[[np.ndarray, np.ndarray], float]:
    def test(x: np.ndarray, y: np.ndarray) -> float:
        result = stats.permutation_test(
            (x, y),
            statistic,
            n_resamples=n_resamples,
            alternative="greater",
            vectorized=vectorized,
            rng=0,
        )
        return float(result.statistic)

    return test


def mean_gap(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Vectorised W1 of equally large samples: scipy's own function takes one pair at a time."""
    return np.abs(np.sort(x, axis=axis) - np.sort(y, axis=axis)).mean(axis=axis)


def bench_line(rng: np.random.Generator, n: int, b: int) -> None:
    x, y = rng.normal(size=n), rng.normal(size=n) + 0.1
    by_loop = scipy_permutation(
        lambda u, v: stats.ks_2samp(u, v, method="asymp").statistic, b, False
    )
    title = f"n = {n}, B = {b}"
    compare(
        f"KS, {title}: scipy permutation_test",
        lambda: ks_test(x, y, n_resamples=b, random_state=0).statistic,
        lambda: by_loop(x, y),
        peer_repeats=1,
    )
    compare(
        f"Wasserstein, {title}: scipy permutation_test",
        lambda: wasserstein_test(x, y, n_resamples=b, random_state=0).statistic,
        lambda: scipy_permutation(stats.wasserstein_distance, b, False)(x, y),
        peer_repeats=1,
    )
    compare(
        f"Wasserstein, {title}: same, vectorised by hand",
        lambda: wasserstein_test(x, y, n_resamples=b, random_state=0).statistic,
        lambda: scipy_permutation(mean_gap, b, True)(x, y),
        peer_repeats=1,
    )
    compare(
        f"energy, {title}: scipy permutation_test",
        lambda: math.sqrt(energy_test(x, y, scale="none", n_resamples=b, random_state=0).statistic),
        lambda: scipy_permutation(stats.energy_distance, b, False)(x, y),
        peer_repeats=1,
    )


def bench_single(rng: np.random.Generator, n: int) -> None:
    x, y = rng.normal(size=n), rng.normal(size=n) + 0.1
    compare(
        f"KS statistic, n = {n}: scipy ks_2samp",
        lambda: ks_test(x, y, n_resamples=0).statistic,
        lambda: float(stats.ks_2samp(x, y, method="asymp").statistic),
    )
    compare(
        f"W1, n = {n}: scipy wasserstein_distance",
        lambda: wasserstein_1d(x, y),
        lambda: float(stats.wasserstein_distance(x, y)),
    )
    columns = rng.normal(size=(n, 30)), rng.normal(size=(n, 30))
    compare(
        f"W1, n = {n}, 30 columns: scipy in a loop",
        lambda: float(wasserstein_1d(*columns).sum()),
        lambda: float(
            sum(
                stats.wasserstein_distance(a, b)
                for a, b in zip(*(c.T for c in columns), strict=True)
            )
        ),
    )


def bench_counts(rng: np.random.Generator, n: int, b: int) -> None:
    x, y = rng.integers(0, 6, size=n), rng.integers(0, 6, size=n)
    table = np.stack([np.bincount(x, minlength=6), np.bincount(y, minlength=6)])
    method = stats.MonteCarloMethod(n_resamples=b, rng=np.random.default_rng(0))
    compare(
        f"chi-square from counts, n = {n}, B = {b}: scipy",
        lambda: chi_square_test(*table, form="counts", n_resamples=b, random_state=0).statistic,
        lambda: float(stats.chi2_contingency(table, correction=False, method=method).statistic),
        peer_repeats=1,
    )


def bench_pot(rng: np.random.Generator, n: int) -> None:
    import ot

    x, y = rng.normal(size=(n, 15)), rng.normal(size=(n, 15)) + 0.2
    compare(
        f"exact W1 with certificate, n = {n}, d = 15: POT emd2",
        lambda: wasserstein(x, y).distance,
        lambda: float(ot.emd2([], [], ot.dist(x, y, metric="euclidean"), numItermax=1_000_000)),
    )
    directions = random_directions(15, 100, 0)
    compare(
        f"sliced W1, n = {n}, d = 15, 100 directions: POT",
        lambda: sliced_wasserstein(x, y, directions=directions),
        lambda: float(ot.sliced_wasserstein_distance(x, y, projections=directions, p=1)),
    )


def bench_hyppo(rng: np.random.Generator, n: int, b: int) -> None:
    if not is_installed("hyppo"):
        print("hyppo is not installed: MMD against hyppo skipped (pip install 'shiftlab[peers]')")
        return
    from hyppo.ksample import MMD

    x, y = rng.normal(size=(n, 5)), rng.normal(size=(n, 5)) + 0.1
    kernel = Gaussian(math.sqrt(5))

    def correlation_of_labels() -> float:
        """hyppo's statistic from ours: see tests/divergence/test_two_sample_values.py."""
        result = mmd_test(x, y, kernel=kernel, scale="none", n_resamples=b, random_state=0)
        biased = result.statistic + (2 - result.statistic / result.effect) / n
        return result.pvalue, biased

    own_time, (own_pvalue, biased) = clock(correlation_of_labels, 3)
    peer = MMD(compute_kernel="gaussian", bias=True, gamma=0.1)
    peer_time, (statistic, pvalue) = clock(
        lambda: peer.test(x, y, reps=b, auto=False, random_state=0), 1
    )
    print(
        f"{f'MMD, n = {n}, d = 5, B = {b}: hyppo':<52}{own_time * 1e3:>11.2f}"
        f"{peer_time * 1e3:>12.2f}{peer_time / own_time:>9.1f}  "
        f"{_check_hyppo(x, y, kernel, biased, statistic)}; p {own_pvalue:.3f} vs {pvalue:.3f}"
    )


def _check_hyppo(
    x: np.ndarray, y: np.ndarray, kernel: Gaussian, biased: float, statistic: float
) -> str:
    from shiftlab.kernels import centre_gram

    n, share = len(x), 1 / 8
    labels = Gaussian(kernel.bandwidth)(np.repeat([0.0, 1.0], n))
    grams = (kernel(np.concatenate([x, y])), labels)
    variances = [np.mean(centre_gram(gram) ** 2) for gram in grams]
    covariance = share * (1 - labels[0, -1]) * biased
    expected = share * math.sqrt(covariance / math.sqrt(float(np.prod(variances))))
    assert math.isclose(expected, statistic, rel_tol=1e-6), (expected, statistic)
    return "same"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, for a check")
    quick = parser.parse_args().quick
    rng = np.random.default_rng(0)
    print(f"{'':<52}{'ours ms':>11}{'peer ms':>12}{'ratio':>9}  statistic")
    bench_single(rng, 10_000 if quick else 100_000)
    bench_line(rng, 200 if quick else 1000, 99 if quick else 999)
    bench_counts(rng, 1000 if quick else 20_000, 99 if quick else 999)
    bench_pot(rng, 200 if quick else 1000)
    bench_hyppo(rng, 100 if quick else 500, 99 if quick else 199)


if __name__ == "__main__":
    main()
