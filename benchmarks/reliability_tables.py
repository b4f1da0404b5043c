"""Print the tables of the reliability page, from the functions that the calibration tests use.

    python benchmarks/reliability_tables.py > docs/reliability_tables.inc

Every number carries the error that the number of simulations leaves. ``--scale 4`` runs four times
as many. The default takes a few minutes on one core.
"""

import argparse
import importlib.util
import platform
import sys
from pathlib import Path

import numpy as np

import shiftlab

TESTS = Path(__file__).resolve().parents[1] / "tests"


def load(path):
    """Import a test module by its file, as pytest does."""
    name = "_" + path.replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, TESTS / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def share(value, n):
    """A share with 1.96 standard errors of the simulation."""
    return f"{value:.3f} ± {1.96 * np.sqrt(max(value * (1 - value), 1e-9) / n):.3f}"


def table(title, note, header, rows):
    print(f"**{title}**\n\n{note}\n")
    print(".. list-table::\n   :header-rows: 1\n")
    for row in (header, *rows):
        for i, cell in enumerate(row):
            print(f"   {'* -' if i == 0 else '  -'} {cell}")
    print(flush=True)


def two_sample_levels(scale):
    module = load("calibration/test_two_sample_level.py")
    n_nulls = 500 * scale
    laws = [module.normal, module.cauchy, module.discrete]
    rows = []
    for method in (*module.ON_LINE, *module.ON_PLANE, *module.ON_CELLS):
        cells = []
        for law in laws:
            pvalue, mid = module.pvalues(method, law, 50, n_nulls, seed=50)
            text = share(np.mean(pvalue <= 0.05), n_nulls)
            if law is module.discrete:
                text += f" ({np.mean(mid <= 0.05):.3f})"
            cells.append(text)
        rows.append([f"``{method}``", *cells])
    table(
        "Level of two-sample tests at 0.05",
        f"Two samples of 50 rows from one law, {n_nulls} times, 99 resamples. In parentheses the "
        "mid-p-value, which is closer to the level where coarse counts make the p-value "
        "conservative.",
        ["method", "normal", "Cauchy", "three categories"],
        rows,
    )


def column_levels(scale):
    module = load("calibration/test_column_shift_level.py")
    n_nulls = 1000 * scale
    rows = []
    for n, m in ((30, 30), (30, 1000), (1000, 1000)):
        cells = [
            share(np.mean(module.ks_null(sampler, n, m, n_nulls, seed=2) <= 0.05), n_nulls)
            for sampler in ("continuous", "integers", "mostly_zero")
        ]
        found = module.chi_square_null(10, n, m, n_nulls, seed=4)
        rows.append([f"{n} / {m}", *cells, share(np.mean(found <= 0.05), n_nulls)])
    table(
        "Level of the column tests at 0.05",
        f"One environment against the rest, nothing shifted, {n_nulls} times. With 30 against 30 "
        "rows few levels can be attained exactly; the next below 0.05 is 0.035.",
        ["rows", "continuous", "counts", "mostly zero", "ten categories"],
        rows,
    )


def column_coverage(scale):
    module = load("calibration/test_column_shift_level.py")
    n_runs = 500 * scale
    rows = []
    for n, m in ((30, 1000), (200, 200), (2000, 20_000)):
        cells = [
            share(module.ks_coverage(n, m, effect, n_runs, seed=8), n_runs)
            for effect in (0.0, 0.1, 0.5)
        ]
        cells.append(share(module.tv_coverage(5, n, m, 0.1, n_runs, seed=10), n_runs))
        rows.append([f"{n} / {m}", *cells])
    table(
        "Coverage of the intervals of column effects, nominal 0.95",
        f"{n_runs} runs each; the first three columns are numbers with a true effect of 0, 0.1 and "
        "0.5, the last one five categories with 0.08.",
        ["rows", "effect 0", "effect 0.1", "effect 0.5", "categories"],
        rows,
    )


def distance_levels(scale):
    module = load("calibration/test_column_shift_level.py")

    class Patch:
        """The part of pytest's monkeypatch that the function uses."""

        def setattr(self, target, name, value):
            setattr(target, name, value)

    original = module.environments_module.choose_null
    n_tables = 50 * scale
    rows = []
    for metric in ("energy", "mmd", "wasserstein", "total_variation"):
        cells = []
        for null in ("pairwise", "pooled"):
            level = module.distance_level(metric, null, n_tables, 12, Patch()).mean()
            cells.append(f"{level:.3f}")
        rows.append([f"``{metric}``", *cells])
    module.environments_module.choose_null = original
    table(
        "Level of the distances between environments at 0.05",
        f"{n_tables} tables of four environments (24, 24, 60 and 200 rows; numbers, counts, labels "
        f"and missing cells), {6 * n_tables} pairs, which are not independent of each other.",
        ["measure", "each pair relabelled", "all rows relabelled"],
        rows,
    )


def decomposition_coverage(scale):
    module = load("calibration/test_decomposition_coverage.py")
    n_runs = 40 * scale
    rows = []
    for shift, concept in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        truth = module.true_parts(shift, concept)
        found = np.array(
            [module.intervals(seed, shift, concept, 800, 500) for seed in range(n_runs)]
        )
        low, high = found[..., 1], found[..., 2]
        covered = ((low <= truth) & (truth <= high)).mean(axis=0)
        name = {(1.0, 0.0): "covariates", (0.0, 1.0): "concept", (1.0, 1.0): "both"}
        rows.append([name[shift, concept], *(share(value, n_runs) for value in covered)])
    table(
        "Coverage of the parts of a loss difference, nominal 0.95",
        f"800 rows at home and 500 here, densities and loss known, {n_runs} runs (the slow test "
        "makes 150).",
        ["what was shifted", "total", "home to shared", "concept", "shared to here"],
        rows,
    )


def fairness_coverage(scale):
    exact = load("metrics/test_intervals.py")
    module = load("metrics/test_disparities.py")
    rows = []
    for p1, p0 in ((0.05, 0.1), (0.2, 0.6), (0.9, 0.95)):
        ratio = exact.coverage(exact.ratio_interval, 60, 40, p1, p0, p1 / p0)
        difference = exact.coverage(exact.difference_interval, 60, 40, p1, p0, p1 - p0)
        rows.append([f"{p1} of 60, {p0} of 40", f"{ratio:.3f}", f"{difference:.3f}"])
    table(
        "Coverage of score intervals of two groups, nominal 0.95",
        "Exact: every possible table, weighted by its probability.",
        ["true rates", "ratio", "difference"],
        rows,
    )
    n_runs = 300 * scale
    rows = []
    for rates, sizes in module.SETTINGS:
        ratio = module.simulate(
            module.disparate_impact, min(rates) / max(rates), rates, sizes, n_runs, 12
        )
        gap = module.simulate(
            module.demographic_parity_difference, min(rates) - max(rates), rates, sizes, n_runs, 12
        )
        cells = ", ".join(f"{r} of {s}" for r, s in zip(rates, sizes, strict=True))
        rows.append([cells, share(ratio, n_runs), share(gap, n_runs)])
    table(
        "Coverage of the extreme comparison among groups, nominal 0.95",
        f"Lowest against highest rate, {n_runs} runs. The interval is simultaneous over all "
        "comparisons with the reference, so it may cover more than it says.",
        ["true rates", "disparate impact", "parity difference"],
        rows,
    )


PARTS = (
    two_sample_levels,
    column_levels,
    column_coverage,
    distance_levels,
    decomposition_coverage,
    fairness_coverage,
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=1, help="factor on the simulations")
    names = ", ".join(part.__name__ for part in PARTS)
    parser.add_argument("--only", help=f"one of {names}")
    options = parser.parse_args()
    scale = options.scale
    libraries = f"Python {platform.python_version()}, NumPy {np.__version__}"
    print(f"Made with shiftlab {shiftlab.__version__}, {libraries}, ``--scale {scale}``.")
    print("The sign ± stands for 1.96 standard errors of the simulation.\n")
    for part in PARTS:
        if options.only in (None, part.__name__):
            part(scale)


if __name__ == "__main__":
    main()
