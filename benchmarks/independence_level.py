"""Rejection rates of the conditional-independence tests under independence, at the level 0.05.

Worlds and tests are those of ``tests/calibration/test_independence_level.py``. Every line gives a
share of rejections for 1, 2, 3 and 4 conditioning variables, with its standard error.

    OMP_NUM_THREADS=1 python benchmarks/independence_level.py --tests kernel --rows 100 1000 \\
        --nulls 2000
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "calibration"))

from test_independence_level import ALPHA, HIGHEST, LOWEST, TESTS, WORLDS, pvalues


def show(test: str, world: str, n: int, given: list[int], nulls: int, seed: int) -> None:
    """Print one line; an asterisk marks shares that are surely outside of the promised range."""
    cells, start = [], time.process_time()
    for d in given:
        share = float(np.mean(pvalues(TESTS[test][0], world, n, d, nulls, seed) <= ALPHA))
        error = np.sqrt(share * (1 - share) / nulls)
        outside = share > HIGHEST + 2 * error or share < LOWEST - 2 * error
        cells.append(f"{share:8.3f} ({error:.3f}){'*' if outside else ' '}")
    spent = (time.process_time() - start) / nulls / len(given)
    print(f"{test:<10}{world:<14}{n:>7}{''.join(cells)}{1e3 * spent:>8.0f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=list(TESTS))
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--given", nargs="+", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--nulls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other nulls")
    options = parser.parse_args()
    print(f"$ python benchmarks/independence_level.py {' '.join(sys.argv[1:])}".rstrip())
    heading = "".join(f"{f'{d} given':>17}" for d in options.given)
    print(f"{'test':<10}{'world':<14}{'rows':>7}{heading}{'a null':>11}")
    with threadpool_limits(1):
        for test in options.tests:
            for n in options.rows:
                for world in (w for w in TESTS[test][1] if w in options.worlds):
                    show(test, world, n, options.given, options.nulls, options.seed)


if __name__ == "__main__":
    main()
