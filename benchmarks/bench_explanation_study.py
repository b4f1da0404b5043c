"""The logistic half of the published grid of Mhasawade et al. (2024): about four million rows.

All levels of the four objectives, with and without the sensitive attribute, five replicates, test
tables of the published sizes, LIME with 1000 draws around each row: every test row is explained.
The peer's time is measured on a few rows of the same cells and scaled to the number of rows.

    python benchmarks/bench_explanation_study.py --jobs 2
    python benchmarks/bench_explanation_study.py --quick
"""

import argparse
import time

from sklearn.linear_model import LogisticRegression

from shiftlab.explanation import (
    ConceptShiftWorld,
    CovariateShiftWorld,
    ExplanationDisparityStudy,
    OmittedVariableWorld,
    SampleImbalanceWorld,
)

GRID = {
    "sample imbalance": (
        SampleImbalanceWorld(published=True),
        {"share": [round(0.05 * k, 2) for k in range(10, 0, -1)]},
    ),
    "covariate shift": (
        CovariateShiftWorld(published=True),
        {"threshold": [-5.0, -1.35, -0.4, 0.45, 0.9, 1.35, 1.75]},
    ),
    "concept shift": (
        ConceptShiftWorld(published=True),
        {"beta": [-2.7, -0.7, -0.5, 0.5, 1.5, 2.7]},
    ),
    "omitted variable": (
        OmittedVariableWorld(published=True),
        {"alpha": [0.5 * k for k in range(9)]},
    ),
}


def run_ours(replicates, jobs):
    """Run the grid; return rows explained, wall time and CPU time of this process."""
    n_rows, start, cpu = 0, time.perf_counter(), time.process_time()
    for title, (world, grid) in GRID.items():
        study = ExplanationDisparityStudy(
            world,
            grid | {"include_sensitive": [True, False]},
            n_replicates=replicates,
            random_state=1,
            name=title,
        )
        planned = int(study.plan(n_pilot=0)["n_explanations"].sum())
        began = time.perf_counter()
        result = study.run(n_jobs=jobs)
        seconds = time.perf_counter() - began
        if result.study.n_failed:
            print(result.errors()[["error", "message"]].value_counts().to_string())
        n_rows += planned
        print(f"{title:>18}: {planned:>9,} rows, {seconds:7.1f} s")
    return n_rows, time.perf_counter() - start, time.process_time() - cpu


def time_peer(n_rows):
    """Return the CPU seconds per row of the package lime on cells of the grid."""
    from lime.lime_tabular import LimeTabularExplainer

    seconds, count = 0.0, 0
    for title, (world, _) in GRID.items():
        data = world.varied(include_sensitive=True).draw(0)
        train, test = data.X_train.to_numpy(), data.X_test.to_numpy()
        model = LogisticRegression().fit(train, data.y_train)
        position = list(data.X_train).index("M")
        explainer = LimeTabularExplainer(
            train,
            categorical_features=[position],
            discretize_continuous=False,
            sample_around_instance=True,
            random_state=0,
        )
        start = time.process_time()
        for row in test[:n_rows]:
            explainer.explain_instance(
                row, model.predict_proba, num_features=train.shape[1], num_samples=1000
            )
        seconds += time.process_time() - start
        count += n_rows
        print(f"{title:>18}: lime {1000 * seconds / count:.2f} ms a row so far")
    return seconds / count


def main():
    """Read the options, run both sides, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="workers (1)")
    parser.add_argument("--replicates", type=int, default=5, help="replicates (5, as published)")
    parser.add_argument("--peer-rows", type=int, default=50, help="rows per objective (50)")
    parser.add_argument("--quick", action="store_true", help="one replicate, few peer rows")
    options = parser.parse_args()
    if options.quick:
        options.replicates, options.peer_rows = 1, 5
    n_rows, wall, cpu = run_ours(options.replicates, options.jobs)
    print(f"ours: {n_rows:,} rows explained in {wall:.0f} s with {options.jobs} worker(s)")
    print(f"full grid (5 replicates) at this pace: {5 * wall / options.replicates:.0f} s")
    peer = time_peer(options.peer_rows)
    print(f"peer (lime), scaled: {peer * n_rows / 3600:.1f} CPU-hours, {1000 * peer:.2f} ms a row")
    if options.jobs == 1:  # the CPU time of other processes is not seen from here
        print(f"ours: {cpu:.0f} CPU-seconds with draws and fits; {1000 * cpu / n_rows:.4f} ms a "
              f"row; ratio {peer * n_rows / cpu:.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
