"""CD-NOD on the protein data of Sachs et al.: fourteen conditions, a disputed consensus graph.

The consensus of 20 edges is no certain truth, and several reagents act on proteins that were not
measured; agreement is reported for both methods on the same rows. Run with ``SHIFTLAB_DATA`` naming
the folder of public data.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from discovery_peers import causallearn_cdnod

from shiftlab.datasets import fetch_sachs
from shiftlab.discovery import CDNOD
from shiftlab.graphs import MixedGraph, compare_graphs


def peer(values, site, names):
    """Search with causal-learn and partial correlations; its environment is a number."""
    return causallearn_cdnod("fisherz", values, site, names, 0.01)[0]


def main():
    """Print one line per method, and the edges of ours with their reasons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    options = parser.parse_args()
    sachs = fetch_sachs()
    names = sorted({name for edge in sachs.truth["edges"] for name in edge})
    frame = sachs.frame.sample(options.rows, random_state=0).sort_index()
    values, site = np.log(frame[names]), frame["condition"].to_numpy()
    truth = MixedGraph(names, sachs.truth["edges"])
    model = CDNOD(alpha=0.01)
    for name, search in (
        ("shiftlab kernel", lambda: model.fit(values, environment=site).graph_),
        ("causal-learn fisherz", lambda: peer(values, site, names)),
    ):
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = compare_graphs(search(), truth)
        print(
            f"{name:20} {time.process_time() - start:6.1f} s  skeleton {found.skeleton_f1:.3f}  "
            f"direction {found.direction_f1:.3f}",
            flush=True,
        )
    print(model.result_.to_frame()[["edge", "pvalue", "rule", "text"]].to_string(index=False))


if __name__ == "__main__":
    main()
