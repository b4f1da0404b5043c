"""Projections side by side with what computes the same: cvxpy, a linear program, plain transport.

Each line checks that both found the same optimum before their times count. CPU time on one thread.

    python benchmarks/bench_projections.py [--quick]

The published arrays are used where ``SHIFTLAB_DATA`` names a folder that holds them; without them
only the lines on simulated rows are printed.
"""

import argparse
import os
import resource
import time
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from shiftlab._core.optional import is_installed
from shiftlab.auditing import (
    DenseNetwork,
    entropic_projection,
    moment_projection,
    wasserstein_projection,
)
from shiftlab.datasets import fetch_inspection_arrays
from shiftlab.exceptions import DataNotFoundError
from shiftlab.metrics import GroupCounts


def clock(call: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Return the least CPU time of some calls, and the result."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        times.append(time.process_time() - start)
    return min(times), result


def line(name: str, ours: float, peer: float | None, note: str) -> None:
    theirs = "" if peer is None else f"{peer * 1e3:>12.1f}"
    ratio = "" if peer is None else f"{peer / ours:>9.0f}"
    print(f"{name:<46}{ours * 1e3:>12.2f}{theirs:>12}{ratio:>9}  {note}")


def entropic_cells() -> None:
    frame = {"s": [0, 1], "n": [1638, 3362], "selected": [160, 1095]}
    counts = GroupCounts.from_frame(frame, "s")
    ours, found = clock(lambda: [entropic_projection(counts) for _ in range(100)], 5)
    mass = np.array([1478, 160, 2267, 1095]) / 5000
    peer, best = None, found[0].kl
    if is_installed("cvxpy"):
        peer, best = clock(lambda: convex_optimum(mass), 3)
    note = f"KL {found[0].kl:.10f}, difference {abs(found[0].kl - best):.0e}"
    line("entropic, DI 0.8 from counts; cvxpy", ours / 100, peer, note)


def convex_optimum(mass: np.ndarray) -> float:
    import cvxpy

    q = cvxpy.Variable(4, nonneg=True)
    shares = mass.reshape(2, 2).sum(axis=1)
    rules = [
        q[0] + q[1] == shares[0],
        q[2] + q[3] == shares[1],
        q[1] / shares[0] >= 0.8 * q[3] / shares[1],
    ]
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum(cvxpy.kl_div(q, mass))), rules)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return float((q.value * np.log(q.value / mass)).sum())


def moments(n: int, k: int) -> None:
    phi = np.random.default_rng(0).normal(size=(n, k))
    targets = np.where(np.arange(k) < k // 2, 0.1, 0.0)
    ours, found = clock(lambda: moment_projection(phi, targets))
    note = f"{found.n_iter} steps, residual {found.residual:.0e}, gap {found.duality_gap:.0e}"
    line(f"moments, {n:,} rows x {k} constraints", ours, None, note)


def on_data(table: str, quick: bool) -> None:
    arrays = fetch_inspection_arrays(table=table).extras
    x, s, y = arrays["X"].astype(float), arrays["s"], arrays["yhat"]
    ours, found = clock(lambda: wasserstein_projection(y, s, x, scale="none"))
    tracemalloc.start()
    wasserstein_projection(y, s, x, scale="none")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    note = f"W1 {found.distance:.6f}, gap {found.duality_gap:.0e}, peak {peak / 1e6:.0f} MB"
    peer = None
    if not quick:
        top = (found.mass_after[:, 1] / found.mass_after.sum(axis=1)).max()
        peer, best = clock(lambda: linear_program(x, s, y, float(top)))
        note += f"; linear program {best:.6f}"
    line(f"W1 on the data, {table} ({len(y):,} rows)", ours, peer, note)


def linear_program(x: np.ndarray, s: np.ndarray, y: np.ndarray, top: float) -> float:
    """Solve the same problem, at the same highest rate, as one sparse linear program."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array
    from scipy.spatial import cKDTree

    n, cells = len(y), s.astype(int) * 2 + y
    cost = np.zeros((n, 4))
    for cell in range(4):
        other = cells != cell
        step = (np.full(n, cell // 2) != s) + (np.full(n, cell % 2) != y).astype(int)
        near = cKDTree(x[cells == cell]).query(x[other])[0]
        cost[other, cell] = np.sqrt(near**2 + step[other])
    rules = np.zeros((4, 4))
    for g in range(2):
        rules[2 * g, 2 * g : 2 * g + 2] = (0.8 * top, 0.8 * top - 1)
        rules[2 * g + 1, 2 * g : 2 * g + 2] = (-top, 1 - top)
    rows = coo_array((np.ones(4 * n), (np.repeat(np.arange(n), 4), np.arange(4 * n))))
    found = linprog(cost.ravel(), np.tile(rules, n), np.zeros(4), rows.tocsr(), np.full(n, 1 / n))
    return float(found.fun)


def through_network() -> None:
    extras = fetch_inspection_arrays(table="adult").extras
    x, s, y = extras["X"].astype(float), extras["s"], extras["yhat"]
    network = published_network(extras)
    ours, found = clock(lambda: wasserstein_projection(y, s, x, model=network, scale="none"), 3)
    note = f"W1 {found.distance:.5f} (study 0.0210), ratio {found.value_after:.4f}"
    line("W1 through the Adult network", ours, None, note)


def published_network(extras: Mapping[str, Any]) -> DenseNetwork:
    tensors = extras["network"]
    names = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}
    layers = []
    for norm, linear in ((0, 1), (3, 4), (6, 7), (9, 10)):
        layer = {ours: tensors[f"seq.{norm}.{theirs}"] for theirs, ours in names.items()}
        for key in ("weight", "bias"):
            layer[key] = tensors[f"seq.{linear}.{key}"]
        layers.append(layer)
    return DenseNetwork.from_batch_norm(layers, threshold=float(extras["threshold"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, no linear program")
    quick = parser.parse_args().quick
    if os.environ.get("OMP_NUM_THREADS") != "1":
        print("set OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 for times on one thread")
    print(f"{'':<46}{'ours ms':>12}{'peer ms':>12}{'ratio':>9}")
    entropic_cells()
    moments(100_000 if quick else 1_000_000, 40)
    try:
        through_network()
        for table in ("adult", "asc_emp", "asc_inc"):
            on_data(table, quick)
    except DataNotFoundError as error:
        print(f"published arrays: {error}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"peak memory of the whole run {peak:.0f} MB")


if __name__ == "__main__":
    main()
