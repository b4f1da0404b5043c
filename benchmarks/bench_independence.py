"""Conditional-independence tests side by side with causal-learn: CPU time, agreement, power.

Every pair of figures comes from the same data in the same run, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/bench_independence.py [--quick] [--only exact low_rank ...]
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from shiftlab.independence import KCI, RCIT, KernelTest

CURVES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    np.sin,
    np.tanh,
    np.square,
    lambda u: u,
)


def draw(
    seed: int, n: int, d: int, effect: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curves of z with noise; an effect adds a multiple of sin(3 x) to y."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d))
    f, g = (CURVES[k] for k in rng.integers(0, len(CURVES), 2))
    x = f(z.mean(axis=1) * np.sqrt(d)) + 0.5 * rng.normal(size=n)
    y = g(z @ rng.normal(size=d) / np.sqrt(d)) + 0.5 * rng.standard_t(5, n)
    return x, y + effect * np.sin(3 * x), z


def clock(call: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Median CPU time of some calls, and the last result."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        times.append(time.process_time() - start)
    return float(np.median(times)), result


def causal_learn(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    from causallearn.utils.KCI.KCI import KCI_CInd

    pvalue, statistic = KCI_CInd().compute_pvalue(x[:, None], y[:, None], z)
    return float(pvalue), float(statistic)


def exact(quick: bool) -> None:
    print(f"{'exact KCI':<34}{'ours s':>10}{'peer s':>10}{'ratio':>8}  p, difference of p")
    for n in (500, 1000) if quick else (500, 1000, 1500, 2000):
        for d in (1, 3):
            x, y, z = draw(n + d, n, d)
            own, found = clock(lambda x=x, y=y, z=z: KCI().test(x, y, z))
            peer, (pvalue, statistic) = clock(lambda x=x, y=y, z=z: causal_learn(x, y, z))
            assert np.isclose(found.statistic, statistic, rtol=1e-6)
            gap = abs(found.pvalue - pvalue)
            print(
                f"n = {n}, {d} conditioning{'':<12}{own:>10.3f}{peer:>10.3f}{peer / own:>8.1f}"
                f"  {pvalue:.4f}, {gap:.1e}",
                flush=True,
            )


def low_rank(quick: bool) -> None:
    print(f"{'against causal-learn KCI':<34}{'ours ms':>10}{'peer s':>10}{'ratio':>8}")
    for n in (1000,) if quick else (1000, 2000):
        for d in (1, 3):
            x, y, z = draw(n + d, n, d)
            peer, _ = clock(lambda x=x, y=y, z=z: causal_learn(x, y, z))
            for name, test in (("kernel, cold", KernelTest()), ("KCI low rank", KCI("low_rank"))):
                test.test(x, y, z)
                own, _ = clock(lambda x=x, y=y, z=z, test=test: test.test(x, y, z), 7)
                print_row(f"{name}, n = {n}, {d} given", own, peer)
            print_row(f"kernel, in a run, n = {n}, {d} given", in_a_run(n, d), peer)


def print_row(name: str, own: float, peer: float) -> None:
    print(f"{name:<34}{own * 1e3:>10.2f}{peer:>10.2f}{peer / own:>8.0f}", flush=True)


def in_a_run(n: int, d: int) -> float:
    """CPU time of a test whose residuals are cached: all pairs of eight variables given d more."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(n, 8 + d))
    table[:, :8] += np.tanh(table[:, 8:].sum(axis=1, keepdims=True))
    fitted = KernelTest().fit(table)
    given = tuple(range(8, 8 + d))
    fitted.pvalues([(i, i + 1, given) for i in range(0, 8, 2)])
    rest = [(i, j, given) for i in range(8) for j in range(i + 1, 8) if j != i + 1 or i % 2]
    elapsed, _ = clock(lambda: fitted.pvalues(rest))
    return elapsed / len(rest)


def scale(quick: bool) -> None:
    print(f"{'many rows':<34}{'ours s':>10}")
    for n in (10_000,) if quick else (10_000, 100_000):
        for d in (1, 3):
            x, y, z = draw(n + d, n, d)
            own, _ = clock(lambda x=x, y=y, z=z: KernelTest().test(x, y, z))
            print(f"kernel, n = {n}, {d} given{'':<8}{own:>10.2f}", flush=True)


def agreement(quick: bool) -> None:
    """p-values beside those of the exact test, under independence and under an effect."""
    runs = 30 if quick else 200
    print(f"{'p-values beside exact KCI':<34}{'correlation':>12}{'mean gap':>10}{'decisions':>11}")
    for n, d in ((300, 1), (300, 3)) if quick else ((500, 1), (500, 3)):
        found = []
        for seed in range(runs):
            x, y, z = draw(seed, n, d, 0.15 * (seed % 2))
            tests = (KCI(), KCI("low_rank"), KernelTest())
            found.append([t.test(x, y, z).pvalue for t in tests])
        columns = np.transpose(found)
        for name, own in zip(("KCI low rank", "kernel"), columns[1:], strict=True):
            same = np.mean((own <= 0.05) == (columns[0] <= 0.05))
            correlation = np.corrcoef(own, columns[0])[0, 1]
            gap = np.abs(own - columns[0]).mean()
            title = f"{name}, n = {n}, {d} given"
            print(f"{title:<34}{correlation:>12.4f}{gap:>10.4f}{same:>11.3f}", flush=True)


def power(quick: bool) -> None:
    """Share of rejections at 0.05 of the same draws; RCIT for comparison."""
    runs = 40 if quick else 200
    print(f"{'rejections at 0.05':<34}{'exact KCI':>10}{'kernel':>10}{'RCIT':>10}")
    for n, d in ((300, 1), (500, 3)) if quick else ((300, 1), (1000, 1)):
        for effect in (0.0, 0.15, 0.35):
            found = []
            for seed in range(runs):
                x, y, z = draw(seed, n, d, effect)
                found.append([t.test(x, y, z).pvalue for t in (KCI(), KernelTest(), RCIT())])
            shares = np.mean(np.array(found) <= 0.05, axis=0)
            title = f"n = {n}, {d} given, effect {effect}"
            print(f"{title:<34}" + "".join(f"{s:>10.3f}" for s in shares), flush=True)


SECTIONS = {
    "exact": exact,
    "low_rank": low_rank,
    "scale": scale,
    "agreement": agreement,
    "power": power,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    options = parser.parse_args()
    print(f"$ python benchmarks/bench_independence.py {' '.join(sys.argv[1:])}".rstrip())
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        for name in options.only:
            SECTIONS[name](options.quick)


if __name__ == "__main__":
    main()
