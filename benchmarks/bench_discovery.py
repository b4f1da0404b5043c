"""Causal discovery beside causal-learn: whole runs, directions, driving forces, real data.

    python benchmarks/bench_discovery.py runs|pairs|chain|forces|scale|real [--quick]

Times are CPU seconds of this process; run it with OMP_NUM_THREADS=1 for one thread. `chain` needs
the smooth paths of the authors' second example, ``smooth_module.mat``, named by --authors-paths.
"""

import argparse
import time
import warnings
from functools import partial
from resource import RUSAGE_SELF, getrusage

import numpy as np
from discovery_peers import causallearn_cdnod, tigramite_jpcmci
from discovery_worlds import draw_pair, draw_world, smooth_path

from shiftlab.discovery import CDNOD, driving_force, independent_changes
from shiftlab.graphs import Edge, MixedGraph, compare_graphs

#: causal-learn's tests of numbers, and tigramite; kernel matrices of many rows do not end.
PEERS = ("fisherz", "rcit", "kci", "fastkci", "jpcmci")
MOST_ROWS = {"kci": 1000, "fastkci": 1000}
CHANGES = ("coefficient", "shift", "variance")


def timed(function):
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def f1(found, true):
    found, true = set(found), set(true)
    total = len(found) + len(true)
    return 2 * len(found & true) / total if total else 1.0


def peers_of(names, n_rows):
    """Return the other searches by name, each called with (data, surrogate, names, alpha)."""
    found = {}
    for name in names:
        if n_rows > MOST_ROWS.get(name, n_rows):
            print(f"    {name} is left out: it would take hours for {n_rows} rows")
        elif name == "jpcmci":
            found["tigramite J-PCMCI+"] = tigramite_jpcmci
        else:
            found[f"causal-learn {name}"] = partial(causallearn_cdnod, name)
    return found


def world_scores(graph, changing, truth, true_changing):
    found = compare_graphs(graph, truth)
    return found.skeleton_f1, found.direction_f1, f1(changing, true_changing)


def run_cell(d, n, mode, seeds, peers, **options):
    """Compare on worlds of one size; print means."""
    rows = {}
    for seed in range(seeds):
        data, surrogate, adjacency, changing = draw_world(d, n, mode, seed=seed)
        names = [f"x{i}" for i in range(d)]
        truth = MixedGraph(names, [(names[i], names[j]) for i, j in np.argwhere(adjacency)])
        moved = [names[i] for i in changing]
        environment = surrogate if mode == "time" else [f"site {k}" for k in surrogate]
        model, seconds = timed(partial(CDNOD(**options).fit, data, environment=environment))
        scores = world_scores(model.graph_, model.changing_, truth, moved)
        before = compare_graphs(model.invariance_graph_, truth).direction_f1
        rows.setdefault("shiftlab", []).append((seconds, *scores, before, model.n_tests_))
        for name, search in peers.items():
            level = options.get("alpha", 0.05)
            (graph, found), seconds = timed(partial(search, data, surrogate, names, level))
            scores = world_scores(graph, found, truth, moved)
            rows.setdefault(name, []).append((seconds, *scores, scores[1], 0))
    ours = np.mean([row[0] for row in rows["shiftlab"]])
    for name, values in rows.items():
        mean = np.mean(values, axis=0)
        print(
            f"{d:3} {n:6} {mode:7} {len(values):3}  {name:20} {mean[0]:8.2f} s"
            f"  x{mean[0] / ours:6.1f}"
            f"  skeleton {mean[1]:.3f}  direction {mean[2]:.3f} (before phase 3 {mean[4]:.3f})"
            f"  changing {mean[3]:.3f}  tests {mean[5]:.0f}",
            flush=True,
        )


def runs(options):
    seeds = 2 if options.quick else options.seeds
    for d, n, mode in ((6, 1000, "domain"), (10, 500, "domain"), (10, 500, "time")):
        if d in options.nodes:
            run_cell(d, n, mode, seeds, peers_of(options.peers, n))


def scale(options):
    for d, n, choice in (
        (20, 10_000, {"alpha": 0.01}),
        (10, 100_000, {"alpha": 0.001, "max_cond": 2}),
    ):
        n = n // 10 if options.quick else n
        run_cell(d, n, "domain", 1, peers_of(options.peers, n), **choice)
        print(f"    memory at most {getrusage(RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB", flush=True)


def pairs(options):
    """Accuracy of directions, share decided with the default margin, and accuracy of these."""
    draws = 10 if options.quick else options.draws
    for mode, domains in (("time", 10), ("domain", 10), ("domain", 30)):
        for change in CHANGES:
            found, seconds = [], 0.0
            for seed in range(draws):
                x, y, surrogate = draw_pair(2000, change, mode, domains=domains, seed=seed)
                result, took = timed(partial(independent_changes, x, y, surrogate))
                found.append(result)
                seconds += took
            line = f"{mode:7} {domains if mode == 'domain' else '':3} {change:12} n 2000, {draws}:"
            line += f"  right {np.mean([f.cause == 'x' for f in found]):.3f}"
            for margin in (1, 2, 3):
                given = [f for f in found if f.margin >= margin]
                right = np.mean([f.cause == "x" for f in given]) if given else np.nan
                line += f"  margin {margin}: {len(given) / draws:.2f} decided, {right:.3f} right"
            print(f"{line}  {seconds / draws:.3f} s", flush=True)


def chain(options):
    """The authors' second example: x1 -> x2 -> x3, every mechanism moves; noise drawn anew."""
    from scipy.io import loadmat

    if options.authors_paths is None:
        print("chain: name smooth_module.mat by --authors-paths")
        return
    paths = [path.ravel()[:500] for path in loadmat(options.authors_paths)["R0"][0]]
    right = decided = 0
    skeleton = Edge("x0", "x1", "tail", "tail"), Edge("x1", "x2", "tail", "tail")
    for seed in range(5 if options.quick else 30):
        rng = np.random.default_rng(seed)
        x1 = 0.5 * rng.normal(size=500) + 5 * paths[0]
        x2 = 0.8 * x1 + 4 * paths[1] + 0.5 * rng.normal(size=500)
        x3 = 0.8 * x2 + 6 * paths[5] + 0.3 * rng.normal(size=500)
        margins, best = component_margins(np.column_stack([x1, x2, x3]), skeleton)
        right += best == {("x0", "x1"), ("x1", "x2")}
        decided += min(margins) >= 1
    print(f"chain of three: {right} of {seed + 1} right, all margins >= 1 in {decided}")


def component_margins(data, skeleton):
    """Score the directions of a known skeleton along time."""
    from shiftlab._core.frames import as_table
    from shiftlab.discovery._independent_changes import MechanismDependence, choose_directions
    from shiftlab.discovery._modules import Mechanisms
    from shiftlab.discovery._surrogate import read_surrogate

    table = as_table(data)
    surrogate, _ = read_surrogate(np.arange(float(len(data))), len(data), "time")
    mechanisms = Mechanisms([(column,) for column in table], surrogate)
    marks = MixedGraph([*table.names, "time"], skeleton).marks
    allowed = ~np.eye(len(marks), dtype=bool)
    choice = choose_directions(
        marks, range(data.shape[1]), MechanismDependence(mechanisms), allowed
    )
    names = table.names
    return [e.margin for e in choice.edges], {
        (names[e.cause], names[e.effect]) for e in choice.edges
    }


def forces(options):
    """R2 of the true path on the first component and on three."""
    for n in (500, 5000):
        for shape in ("smooth", "shift", "sine", "step", "domains"):
            scores = [force_r2(shape, n, seed) for seed in range(2 if options.quick else 10)]
            first, three = np.mean(scores, axis=0)
            print(f"n {n:5} {shape:8} R2 first {first:.3f}, three {three:.3f}", flush=True)


def force_r2(shape, n, seed):
    rng = np.random.default_rng([seed, n])
    clock = np.arange(n) / n
    surrogate = np.arange(n) * 20 // n if shape == "domains" else clock
    truth = {
        "domains": lambda: rng.normal(size=20)[np.arange(n) * 20 // n],
        "sine": lambda: np.sin(4 * np.pi * clock),
        "step": lambda: (np.digitize(clock, [0.3, 0.6]) % 2).astype(float),
    }.get(shape, lambda: smooth_path(rng, n))()
    x = rng.normal(size=n)
    if shape == "shift":
        y = np.tanh(x) + 0.7 * truth + 0.4 * rng.normal(size=n)
    else:
        y = (1 + 0.6 * truth) * np.tanh(x) + 0.4 * rng.normal(size=n)
    force = driving_force(y, x, environment=surrogate)
    if shape == "domains":
        wanted = np.array([truth[surrogate == k][0] for k in force.points])
    else:
        wanted = np.interp(force.points, clock, truth)
    return [explained(force.components[:, :k], wanted) for k in (1, 3)]


def explained(components, wanted):
    design = np.column_stack([np.ones(len(wanted)), components])
    rest = wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    return 1 - rest.var() / wanted.var()


def real(options):
    """Light tunnel (graph certain) and Sachs (graph disputed), beside the peer on the same rows."""
    from shiftlab.datasets import fetch_light_tunnel, fetch_sachs

    tunnel = fetch_light_tunnel()
    columns = ["red", "green", "blue", "current", "pol_1", "pol_2", "angle_1", "angle_2", "ir_1",
               "vis_1", "ir_2", "vis_2", "ir_3", "vis_3"]  # fmt: skip
    sachs = fetch_sachs()
    markers = sorted({name for edge in sachs.truth["edges"] for name in edge})
    n = 500 if options.quick else options.rows
    for label, data, environment, names in (
        ("light tunnel", tunnel, "experiment", columns),
        ("sachs", sachs, "condition", markers),
    ):
        frame = data.frame.sample(n, random_state=0).sort_index()
        if label == "sachs":
            frame = frame.assign(**{name: np.log(frame[name]) for name in names})
        truth = MixedGraph(names, [e for e in data.truth["edges"] if set(e) <= set(names)])
        moved = {t[0] for t in data.truth["targets"].values() if t[0] in names}
        values, site = frame[names], frame[environment].to_numpy()
        searches = {f"shiftlab max_cond {k}": partial(our_search, values, site, k) for k in (1, 3)}
        for name, search in peers_of(options.peers, n).items():
            searches[name] = partial(search, values, site, names, 0.01)
        for name, search in searches.items():
            (graph, changing), seconds = timed(search)
            found = compare_graphs(graph, truth)
            print(
                f"{label:13} n {n}  {name:20} {seconds:7.1f} s  skeleton {found.skeleton_f1:.3f}  "
                f"direction {found.direction_f1:.3f}  targets {f1(changing, moved):.3f}",
                flush=True,
            )


def our_search(values, site, max_cond):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CDNOD(alpha=0.01, max_cond=max_cond).fit(values, environment=site)
    return model.graph_, model.changing_


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("runs", "pairs", "chain", "forces", "scale", "real"))
    parser.add_argument("--quick", action="store_true", help="few draws, small tables")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--nodes", type=int, nargs="+", default=[6, 10], help="of the part runs")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rows", type=int, default=2000, help="of the part real")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=["fisherz"])
    parser.add_argument("--authors-paths", metavar="FILE")
    options = parser.parse_args()
    globals()[options.part](options)


if __name__ == "__main__":
    main()
