"""Driving forces recovered: smooth, sine, step and 20 domains (Huang et al. 2020, section 5).

R2 of the true path on the first component and on three; draws and sizes are those of
``benchmarks/bench_discovery.py forces``.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from bench_discovery import force_r2


def main():
    """Print a line per size and shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    for n in options.sizes:
        for shape in ("smooth", "shift", "sine", "step", "domains"):
            scores = [force_r2(shape, n, seed) for seed in range(options.draws)]
            first, three = np.mean(scores, axis=0)
            print(f"n {n:5} {shape:8} R2 first {first:.3f}, three {three:.3f}", flush=True)


if __name__ == "__main__":
    main()
