"""Disparate impact with its interval, beside fairlearn.

Run with: python benchmarks/bench_metrics.py
"""

import time

import numpy as np

from shiftlab.metrics import GroupCounts, disparate_impact, group_fairness

try:
    from fairlearn.metrics import MetricFrame, demographic_parity_ratio, selection_rate
except ImportError:
    MetricFrame = None

ROW = "{:<44} {:>12} {:>12} {:>10}"


def best_of(function, repeats=5):
    """Shortest wall time, in seconds: the machine may be busy with other things."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def show(task, ours, peer=None):
    other = "-" if peer is None else f"{peer:.4g} s"
    ratio = "-" if peer is None else f"{peer / ours:.0f}"
    print(ROW.format(task, f"{ours:.4g} s", other, ratio))


def data(n):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, n).astype(np.uint8)
    y_pred = (rng.random(n) < 0.3 + 0.1 * group).astype(np.uint8)
    return y_pred, group


def point(n, peer=True):
    y_pred, group = data(n)
    ours = best_of(lambda: disparate_impact(y_pred, group))
    theirs = None
    if peer and MetricFrame is not None:
        theirs = best_of(
            lambda: demographic_parity_ratio(y_pred, y_pred, sensitive_features=group), 2
        )
        expected = demographic_parity_ratio(y_pred, y_pred, sensitive_features=group)
        np.testing.assert_allclose(disparate_impact(y_pred, group).value, expected, rtol=1e-12)
    show(f"disparate impact (ours with interval), n={n:.0e}", ours, theirs)


def bootstrap(n=100_000, replicates=100_000, peer_replicates=5):
    y_pred, group = data(n)
    counts = GroupCounts.from_rows(y_pred, group)
    ours = best_of(
        lambda: disparate_impact(counts, method="bootstrap", n_resamples=replicates, random_state=0)
    )
    show(f"{replicates:.0e} bootstrap replicates from counts", ours)
    theirs = None
    if MetricFrame is not None:
        theirs = best_of(
            lambda: MetricFrame(
                metrics=selection_rate,
                y_true=y_pred,
                y_pred=y_pred,
                sensitive_features=group,
                n_boot=peer_replicates,
                ci_quantiles=[0.025, 0.975],
                random_state=0,
            ).ratio_ci(),
            1,
        )
        theirs /= peer_replicates
    show(f"one bootstrap replicate, n={n:.0e}", ours / replicates, theirs)


def table(n=1_000_000):
    rng = np.random.default_rng(1)
    y_pred, sex = data(n)
    features = {"sex": sex, "race": rng.integers(0, 5, n).astype(np.uint8)}
    environment = rng.integers(0, 10, n).astype(np.uint8)
    y_true = rng.integers(0, 2, n).astype(np.uint8)
    seconds = best_of(
        lambda: group_fairness(y_pred, features, y_true=y_true, environment=environment), 2
    )
    show(f"whole table, 10 environments x 2 x 5, n={n:.0e}", seconds)


def main():
    if MetricFrame is None:
        print("fairlearn is not installed: its column stays empty (pip install fairlearn)")
    print(ROW.format("task (best time)", "shiftlab", "fairlearn", "ratio"))
    for n in (10**5, 10**6):
        point(n)
    point(10**7, peer=False)
    bootstrap()
    table()


if __name__ == "__main__":
    main()
