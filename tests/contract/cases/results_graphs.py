"""One of each public result of `shiftlab.graphs`."""

from shiftlab.graphs import Knowledge, MixedGraph, compare_graphs

NAMES = ["$\\frac$ dose", "<b>north</b> $x_1$", "west\nside"]


def graph():
    return MixedGraph(NAMES, [(NAMES[0], NAMES[1]), (NAMES[1], NAMES[2])])


MAKE = {
    "GraphComparison": lambda: compare_graphs(graph(), MixedGraph(NAMES, [NAMES[1::-1]])),
    "Knowledge": lambda: Knowledge(tiers=[NAMES[:2], NAMES[2:]], required=[NAMES[:2]]),
    "MixedGraph": graph,
}
