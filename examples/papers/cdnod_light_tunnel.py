"""CD-NOD on the light tunnel: every variable, several sizes, beside causal-learn.

The graph of this machine is certain (Gamella et al.). Its sensors follow the same three colours
nearly without noise, so that two of them together hide a colour from the others: larger
conditioning sets lose true edges. Run with ``SHIFTLAB_DATA`` naming the folder
of public data; ``--kci`` adds the peer's kernel test, which takes minutes.
"""

import argparse
import time
import warnings
from functools import partial

import numpy as np

from shiftlab.datasets import fetch_light_tunnel
from shiftlab.discovery import CDNOD
from shiftlab.graphs import MixedGraph, compare_graphs, from_causallearn

COLUMNS = ["red", "green", "blue", "current", "pol_1", "pol_2", "angle_1", "angle_2", "ir_1",
           "vis_1", "ir_2", "vis_2", "ir_3", "vis_3"]  # fmt: skip


def ours(values, site, max_cond):
    """Search with the kernel test and phases 1 to 3."""
    return CDNOD(alpha=0.01, max_cond=max_cond).fit(values, environment=site).graph_


def peer(values, site, test):
    """Search with causal-learn; its environment is a number."""
    from causallearn.search.ConstraintBased.CDNOD import cdnod

    codes = np.unique(site, return_inverse=True)[1].astype(float)[:, None]
    found = from_causallearn(cdnod(values.to_numpy(float), codes, 0.01, test, show_progress=False))
    return found.rename(dict(zip(found.nodes, [*COLUMNS, "site"], strict=True))).subgraph(COLUMNS)


def main():
    """Print one line per size and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--kci", action="store_true")
    options = parser.parse_args()
    tunnel = fetch_light_tunnel()
    truth = MixedGraph(COLUMNS, [e for e in tunnel.truth["edges"] if set(e) <= set(COLUMNS)])
    for n in options.rows:
        frame = tunnel.frame.sample(n, random_state=0).sort_index()
        values, site = frame[COLUMNS], frame["experiment"].to_numpy()
        searches = {f"shiftlab, max_cond {k}": partial(ours, values, site, k) for k in (1, 3)}
        for test in ["fisherz", *(["kci"] if options.kci else [])]:
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
