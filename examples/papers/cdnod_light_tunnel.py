"""CD-NOD on the light tunnel: every variable, several sizes, beside causal-learn.

The graph of this machine is certain (Gamella et al.). Its sensors follow the same three colours
nearly without noise, so that two of them together hide a colour from the others: larger
conditioning sets lose true edges, part of which come back when the graph is checked. Run with
``SHIFTLAB_DATA`` naming the folder of public data.
"""

import argparse
import sys
import time
import warnings
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from discovery_peers import causallearn_cdnod

from shiftlab.datasets import fetch_light_tunnel
from shiftlab.discovery import CDNOD
from shiftlab.graphs import MixedGraph, compare_graphs

COLUMNS = ["red", "green", "blue", "current", "pol_1", "pol_2", "angle_1", "angle_2", "ir_1",
           "vis_1", "ir_2", "vis_2", "ir_3", "vis_3"]  # fmt: skip


def ours(values, site, max_cond):
    """Search with the kernel test and phases 1 to 3."""
    return CDNOD(alpha=0.01, max_cond=max_cond).fit(values, environment=site).graph_


def peer(values, site, test):
    """Search with causal-learn; its environment is a number."""
    return causallearn_cdnod(test, values, site, COLUMNS, 0.01)[0]


def main():
    """Print one line per size and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--tests", nargs="*", default=["fisherz"], help="of causal-learn")
    options = parser.parse_args()
    tunnel = fetch_light_tunnel()
    truth = MixedGraph(COLUMNS, [e for e in tunnel.truth["edges"] if set(e) <= set(COLUMNS)])
    for n in options.rows:
        frame = tunnel.frame.sample(n, random_state=0).sort_index()
        values, site = frame[COLUMNS], frame["experiment"].to_numpy()
        searches = {f"shiftlab, max_cond {k}": partial(ours, values, site, k) for k in (1, 3)}
        for test in options.tests:
            searches[f"causal-learn {test}"] = partial(peer, values, site, test)
        for name, search in searches.items():
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = compare_graphs(search(), truth)
            print(
                f"{n:6} rows  {name:20} {time.process_time() - start:7.1f} s  "
                f"skeleton {found.skeleton_f1:.3f}  direction {found.direction_f1:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
