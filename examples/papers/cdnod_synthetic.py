"""CD-NOD on synthetic worlds: domains and smooth time, several sizes, beside causal-learn.

After the experiments of Huang et al. (JMLR 2020): random graphs in which half of the mechanisms
change between ten domains or smoothly along time; F1 of the skeleton, of directed edges and of the
changing variables. Worlds and comparison are those of ``benchmarks/bench_discovery.py``.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from bench_discovery import PEERS, peers_of, run_cell


def main():
    """Print a line per design and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[600, 1000, 1500])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=["fisherz"])
    options = parser.parse_args()
    for mode in ("domain", "time"):
        for n in options.sizes:
            run_cell(6, n, mode, options.seeds, peers_of(options.peers, n))


if __name__ == "__main__":
    main()
