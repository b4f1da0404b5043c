"""Subset risks from Gram matrices beside a loop of scikit-learn fits; never-harm and p = 8 figures.

Run with: python benchmarks/bench_adaptation.py [--quick] [--part speed|harm|proxies|all]
"""

import argparse
import time

import numpy as np
from sklearn.linear_model import LinearRegression

from shiftlab.adaptation import (
    EnvironmentAdaptiveRegressor,
    EnvironmentGrams,
    enumerate_subset_risks,
    simulate_environments,
)

ROW = "{:<58} {:>10} {:>14} {:>9}"


def timed(function):
    """Result and CPU seconds."""
    start = time.process_time()
    found = function()
    return found, time.process_time() - start


def table(n_environments, n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_environments * n, p)) + np.repeat(
        rng.normal(size=(n_environments, p)), n, axis=0
    )
    y = X @ rng.normal(size=p) + rng.normal(size=len(X))
    return X, y, np.repeat(np.arange(n_environments), n)


def leave_one_out_speed(n_environments, n, p, peer_fits):
    """All subsets, each environment left out; the peer is timed on some fits."""
    X, y, environment = table(n_environments, n, p)
    ours, seconds = timed(lambda: enumerate_subset_risks(X, y, environment))
    rng = np.random.default_rng(1)
    pairs = [(rng.integers(n_environments), rng.integers(len(ours.sets))) for _ in range(peer_fits)]

    def loop():
        found = []
        for e, k in pairs:
            train, used = environment != e, ours.sets[k]
            if not used.any():
                found.append(((y[~train] - y[train].mean()) ** 2).mean())
                continue
            model = LinearRegression().fit(X[train][:, used], y[train])
            found.append(((y[~train] - model.predict(X[~train][:, used])) ** 2).mean())
        return found

    theirs, peer = timed(loop)
    mine = [ours.risks[e, k] for e, k in pairs]
    gap = np.max(np.abs(np.array(mine) / np.array(theirs) - 1))
    total = peer / peer_fits * n_environments * len(ours.sets)
    name = f"all subsets, leave one out: p={p}, {n_environments} x {n:,} rows"
    print(ROW.format(name, f"{seconds:.2f} s", f"{total:.0f} s*", f"{total / seconds:.0f}"))
    print(f"    largest relative difference over {peer_fits} fits: {gap:.1e}", flush=True)


def in_sample_speed(n_environments, n, p):
    X, y, environment = table(n_environments, n, p)
    found, seconds = timed(
        lambda: enumerate_subset_risks(X, y, environment, evaluation="in_sample")
    )
    name = f"all {len(found.sets):,} subsets, all risks: p={p}, {n_environments} x {n:,} rows"
    print(ROW.format(name, f"{seconds:.2f} s", "", ""), flush=True)


def streaming(n_rows, p=10, parts=20):
    grams, seconds = EnvironmentGrams(), 0.0
    for part in range(parts):
        X, y, environment = table(50, n_rows // parts // 50, p, seed=part)
        grams, spent = timed(lambda g=grams, a=X, b=y, e=environment: g.partial_fit(a, b, e))
        seconds += spent
    print(ROW.format(f"{n_rows:,} rows through partial_fit", f"{seconds:.2f} s", "", ""))
    model = EnvironmentAdaptiveRegressor(strategy="select", outside="ignore")
    _, seconds = timed(lambda: model.fit_grams(grams))
    print(
        ROW.format("  and a fit from these Gram matrices", f"{seconds:.2f} s", "", ""), flush=True
    )


def speed(quick):
    print(ROW.format("task (CPU time, one thread)", "shiftlab", "scikit-learn", "ratio"))
    if quick:
        leave_one_out_speed(50, 100, 6, 5)
        in_sample_speed(20, 1000, 10)
        streaming(100_000)
        return
    leave_one_out_speed(200, 200, 10, 30)
    in_sample_speed(50, 20_000, 15)
    streaming(1_000_000)
    print("* extrapolated from the fits that were compared")


def risks(train, test, **options):
    """Mean squared error of the pooled and of the adaptive model."""
    found = []
    for strategy in ("pooled", "auto"):
        model = EnvironmentAdaptiveRegressor(strategy=strategy, outside="ignore", **options)
        model.fit(train.X, train.y, train.environment)
        found.append(float(((test.y - model.predict(test.X, test.environment)) ** 2).mean()))
    return found


def compare(name, pairs):
    found = np.array([risks(*pair) for pair in pairs])
    pooled, auto = found.mean(axis=0)
    print(
        f"{name:52} pooled {pooled:.3f}  auto {auto:.3f}  ({auto / pooled - 1:+.1%}; worst seed "
        f"{(found[:, 1] / found[:, 0] - 1).max():+.1%})", flush=True,
    )  # fmt: skip


def harm(quick):
    """Designs in which shifts that need opposite answers look alike."""
    seeds, n = (2, 100) if quick else (10, 400)
    for types in (("v", "x"), ("v", "c2", "x", "m")):
        options = {"types": types, "n_rows": 200}
        pairs = [
            tuple(
                simulate_environments("confounded_shifts", n, random_state=2 * s + k, **options)
                for k in range(2)
            )
            for s in range(seeds)
        ]
        compare(f"never harm: {', '.join(types)}; one proxy; {n} environments", pairs)


def proxies(quick):
    for noise in (1.0, 5.0):
        pairs = [
            (
                simulate_environments("broken_proxies", 200, noise=noise, random_state=2 * s),
                simulate_environments("broken_proxies", 200, random_state=2 * s + 1),
            )
            for s in range(1 if quick else 6)
        ]
        compare(f"p = 8, broken proxies, 200 environments, noise {noise:g}", pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--part", choices=("speed", "harm", "proxies", "all"), default="all")
    options = parser.parse_args()
    for name, part in (("speed", speed), ("harm", harm), ("proxies", proxies)):
        if options.part in (name, "all"):
            part(options.quick)


if __name__ == "__main__":
    main()
