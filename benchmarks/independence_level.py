"""Rejection rates of the conditional-independence tests under independence, at the level 0.05.

Worlds and tests are those of ``tests/calibration/test_independence_level.py``. Every line gives a
share of rejections for 1, 2, 3 and 4 conditioning variables, with its standard error; lines of the
world "nothing" give one for no conditioning variable at all.

    OMP_NUM_THREADS=1 python benchmarks/independence_level.py --tests kernel --rows 100 1000 \\
        --nulls 2000
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "calibration"))

from test_independence_level import (
    ALPHA,
    HIGHEST,
    LOWEST,
    TESTS,
    UNCONDITIONAL,
    WORLDS,
    pvalues,
    unconditional,
)

#: Kernel matrices of more rows take minutes.
MOST_ROWS = {"kci": 1000}


def show(test: str, world: str, n: int, shares: Iterable[float], nulls: int) -> None:
    """Print one line; an asterisk marks shares that are surely outside of the promised range."""
    cells, start = [], time.process_time()
    margin = 2 * np.sqrt(ALPHA * (1 - ALPHA) / nulls)
    for share in shares:
        error = np.sqrt(share * (1 - share) / nulls)
        outside = not LOWEST - margin <= share <= HIGHEST + margin
        cells.append(f"{share:8.3f} ({error:.3f}){'*' if outside else ' '}")
    spent = (time.process_time() - start) / nulls / len(cells)
    print(f"{test:<10}{world:<14}{n:>7}{''.join(cells)}{1e3 * spent:>8.0f} ms", flush=True)


def conditional(test: str, world: str, n: int, options: argparse.Namespace) -> Iterator[float]:
    """Share of rejections for each number of conditioning variables."""
    for d in options.given:
        found = pvalues(TESTS[test][0], world, n, d, options.nulls, options.seed)
        yield float(np.mean(found <= ALPHA))


def main() -> None:
    names = list(dict.fromkeys([*TESTS, *UNCONDITIONAL]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", nargs="+", choices=names, default=names)
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
                if test in UNCONDITIONAL and n <= MOST_ROWS.get(test, n):
                    choice = UNCONDITIONAL[test], n, options.nulls, options.seed
                    show(test, "nothing", n, (unconditional(*c) for c in [choice]), options.nulls)
                for world in TESTS.get(test, (None, []))[1]:
                    if world in options.worlds:
                        shares = conditional(test, world, n, options)
                        show(test, world, n, shares, options.nulls)


if __name__ == "__main__":
    main()
