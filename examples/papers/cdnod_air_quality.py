"""CD-NOD on the air of Beijing: pollutants and weather along four years, beside causal-learn.

Daily means of one station, with time as the environment. There is no true graph here; what can be
checked is what physics forbids: pollutants do not drive temperature, pressure or wind. Each method
is run twice, blind and with that knowledge, and the script counts the arrows that the blind run
points the wrong way. Run with ``SHIFTLAB_DATA`` naming the folder of public data.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from discovery_peers import causallearn_cdnod

from shiftlab.datasets import fetch_beijing_air_quality
from shiftlab.discovery import CDNOD
from shiftlab.graphs import Knowledge

WEATHER = ["TEMP", "PRES", "DEWP", "WSPM"]
POLLUTANTS = ["PM2.5", "SO2", "NO2", "CO", "O3"]


def table_of(station):
    """Return the complete days of a station: pollutants on a logarithmic scale."""
    frame = fetch_beijing_air_quality(table="daily").frame
    frame = frame[frame["station"] == station].dropna(subset=WEATHER + POLLUTANTS)
    return frame[WEATHER + POLLUTANTS].assign(**{name: np.log(frame[name]) for name in POLLUTANTS})


def against_physics(graph):
    """Return the arrows from a pollutant to the weather."""
    return [
        str(edge)
        for edge in graph.edges
        if edge.is_directed and edge.source in POLLUTANTS and edge.target in WEATHER
    ]


def ours(table, day, knowledge=None):
    """Search with the kernel test along time."""
    model = CDNOD(alpha=0.01, environment_type="time", knowledge=knowledge)
    return model.fit(table, environment=day)


def main():
    """Print one line per method, then the edges found with knowledge and why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--station", default="Dongsi")
    parser.add_argument("--tests", nargs="*", default=["fisherz"], help="of causal-learn")
    options = parser.parse_args()
    table = table_of(options.station)
    day, names = np.arange(len(table), dtype=float), list(table)
    known = Knowledge(tiers=[WEATHER, POLLUTANTS])
    print(f"{len(table)} days of {options.station}")
    searches = {"shiftlab": lambda: ours(table, day).graph_}
    for test in options.tests:
        searches[f"causal-learn {test}"] = lambda test=test: causallearn_cdnod(
            test, table, day, names, 0.01
        )[0]
    for name, search in searches.items():
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = search()
        wrong = against_physics(graph)
        print(
            f"{name:22} {time.process_time() - start:6.1f} s  {len(graph.edges):2} edges, "
            f"{sum(edge.is_directed for edge in graph.edges):2} directed; from pollutants to "
            f"weather: {', '.join(wrong) or 'none'}",
            flush=True,
        )
    told = ours(table, day, known)
    print("\nshiftlab, told that the weather comes first:")
    print(told.result_.to_frame()[["edge", "pvalue", "rule", "text"]].to_string(index=False))
    for note in told.result_.notes:
        print(note)


if __name__ == "__main__":
    main()
