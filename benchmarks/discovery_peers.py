"""Other implementations of causal discovery over environments, for the benchmark only."""

import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import numpy as np

from shiftlab.graphs import Edge, MixedGraph, from_causallearn

__all__ = ["causallearn_cdnod", "tigramite_jpcmci"]

#: Windows of equal length that stand for the data sets of J-PCMCI+ where time is smooth.
WINDOWS = 10


def causallearn_cdnod(test, data, surrogate, names, alpha=0.05):
    """Run the peer with the environment as its numeric column; return graph and changing names."""
    from causallearn.search.ConstraintBased.CDNOD import cdnod

    numbers = np.unique(surrogate, return_inverse=True)[1].astype(float)[:, None]
    with warnings.catch_warnings(), redirect_stderr(StringIO()):  # it draws bars when told not to
        warnings.simplefilter("ignore")
        found = cdnod(np.asarray(data, float), numbers, alpha, test, show_progress=False)
    graph = from_causallearn(found)
    rename = dict(zip(graph.nodes, [*names, "environment"], strict=True))
    graph = graph.rename(rename)
    return graph.subgraph(names), [n for n in names if graph.has_edge(n, "environment")]


def tigramite_jpcmci(data, surrogate, names, alpha=0.05):
    """Run J-PCMCI+ without lags: each environment is a data set, told apart by indicators.

    Its test for such indicators is linear (partial correlation of several columns).
    """
    from tigramite.data_processing import DataFrame
    from tigramite.independence_tests.parcorr_mult import ParCorrMult
    from tigramite.jpcmciplus import JPCMCIplus

    codes = np.unique(surrogate, return_inverse=True)[1]
    if codes.max() >= 100:
        codes = codes * WINDOWS // (codes.max() + 1)
    values, d, count = np.asarray(data, float), len(names), codes.max() + 1
    tables = {
        k: np.hstack([values[codes == k], np.eye(count)[codes[codes == k]]]) for k in range(count)
    }
    columns = {i: [(i, 0)] for i in range(d)} | {d: [(d + k, 0) for k in range(count)]}
    kinds = dict.fromkeys(range(d), "system") | {d: "space_dummy"}
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        frame = DataFrame(
            tables,
            analysis_mode="multiple",
            vector_vars=columns,
            var_names=[*names, "environment"],
        )
        search = JPCMCIplus(
            node_classification=kinds,
            dataframe=frame,
            cond_ind_test=ParCorrMult(significance="analytic"),
            verbosity=0,
        )
        marks = search.run_jpcmciplus(tau_min=0, tau_max=0, pc_alpha=alpha)["graph"][:, :, 0]
    edges = []
    for i in range(d):
        for j in range(d):
            if marks[i, j] == "-->":
                edges.append(Edge(names[i], names[j]))
            elif i < j and marks[i, j] in ("o-o", "x-x"):  # x-x: its rules contradict each other
                edges.append(Edge(names[i], names[j], "tail", "tail"))
    return MixedGraph(names, edges), [names[i] for i in range(d) if marks[d, i]]
