"""Calls change no argument, obey their seed whatever the workers, and never hold all pairs."""

import copy
import runpy
import tracemalloc
from importlib import import_module
from inspect import isfunction, signature
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import shiftlab
from shiftlab import kernels
from shiftlab._core.parallel import parallel_map

#: Packages of functions that compute; loaders of data sets, reports and `backends` have none.
NOT_COMPUTING = {"backends", "datasets", "exceptions", "reporting"}
COMPUTING = [name for name in shiftlab._SUBPACKAGES if name not in NOT_COMPUTING]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 2)), RNG.normal(size=(30, 2)) + 0.5
A, B = RNG.integers(0, 3, 24), RNG.integers(0, 3, 30)
FRAME = pd.DataFrame({"x": RNG.normal(size=180), "kind": RNG.choice(["u", "v"], 180)})
FRAME["y"] = FRAME["x"] + RNG.normal(size=180)
SITE = np.repeat(["a", "b", "c"], 60)
CHOSEN, GROUP, OUTCOME = (RNG.integers(0, 2, 120) for _ in range(3))
WEIGHT = RNG.random(120)
GAUSSIAN = kernels.Gaussian()
FACTORED = kernels.ProductKernel([(GAUSSIAN, [0]), (GAUSSIAN, [1])])
FEW = {"n_resamples": 19}


def steps(time):
    from shiftlab.simulation import MeanShift

    return [MeanShift("x", time)]


def line():
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def decisions(**options):
    return ((CHOSEN, GROUP), {"y_true": OUTCOME, "sample_weight": WEIGHT, **options})


#: Arguments of every public function: positional ones, then keywords.
CALLS = {
    "accuracy": decisions(),
    "accuracy_difference": decisions(),
    "category_factor": ((A,), {"max_rank": 3}),
    "centre_features": ((X,), {"mean": X[0]}),
    "centre_gram": ((X @ X.T,), {}),
    "chi_square_test": ((A, B), FEW),
    "cholesky_factor": ((GAUSSIAN, X), {}),
    "choose_bandwidth": ((X,), {"max_rows": 10}),
    "classifier_test": ((X, Y), {"n_resamples": 3, "n_splits": 2}),
    "column_shifts": ((FRAME, SITE), {"n_resamples": 100}),
    "demographic_parity_difference": ((CHOSEN, GROUP), {"sample_weight": WEIGHT}),
    "difference_interval": ((A, A + 5, A, A + 6), {}),
    "disparate_impact": ((CHOSEN, GROUP), {"method": "bootstrap", "n_resamples": 100}),
    "energy_test": ((X, Y), FEW),
    "environment_distances": ((FRAME, SITE), {**FEW, "metric": "mmd"}),
    "equal_opportunity_difference": decisions(),
    "equalized_odds_difference": decisions(),
    "evolve": (([0.0, 1.0], steps), {}),
    "false_positive_rate": decisions(),
    "false_positive_rate_difference": decisions(),
    "fourier_factor": ((GAUSSIAN, X), {"rank": 8}),
    "g_test": ((A, B), FEW),
    "gram": ((GAUSSIAN, X, Y), {}),
    "gram_product": ((GAUSSIAN, X, Y), {"y": Y}),
    "gram_sum": ((GAUSSIAN, X, Y), {}),
    "gram_trace": ((GAUSSIAN, X, GAUSSIAN, X[:, :1]), {}),
    "group_fairness": decisions(environment=np.repeat([0, 1], 60), method="bootstrap"),
    "hellinger_test": ((A, B), FEW),
    "kernel_for": ((FRAME,), {}),
    "kernel_matrix": ((FRAME,), {}),
    "kl_test": ((A, B), FEW),
    "ks_test": ((X[:, 0], Y[:, 0]), FEW),
    "low_rank_factor": ((GAUSSIAN, X), {"method": "fourier", "max_rank": 8}),
    "median_bandwidth": ((X,), {"max_rows": 10}),
    "mmd_block_test": ((X, Y), FEW),
    "mmd_fourier_test": ((X, Y), {**FEW, "n_features": 8}),
    "mmd_test": ((X, Y), FEW),
    "nystrom_factor": ((GAUSSIAN, X), {"n_landmarks": 5}),
    "precision": decisions(),
    "product_factor": ((FACTORED, X), {"max_rank": 4}),
    "random_dag": ((6,), {}),
    "random_directions": ((3, 4), {}),
    "random_model": ((4,), {"environments": 3, "shapes": ["gp", "tree", "sin"]}),
    "random_tree": ((["x", "y"],), {}),
    "rate_interval": ((A, A + 5), {}),
    "ratio_interval": ((A, A + 5, A, A + 6), {}),
    "robust_scale": ((X,), {}),
    "scott_bandwidth": ((X,), {}),
    "selection_rate": ((CHOSEN, GROUP), {"sample_weight": WEIGHT}),
    "shift_decomposition": ((FRAME, SITE), {"outcome": "y", "estimator": line(), "n_folds": 2}),
    "silverman_bandwidth": ((X,), {}),
    "sliced_wasserstein": ((X, Y), {"n_projections": 5}),
    "sliced_wasserstein_test": ((X, Y), {**FEW, "n_projections": 5}),
    "total_variation_test": ((A, B), FEW),
    "true_positive_rate": decisions(),
    "two_sample_test": ((X, Y), {**FEW, "method": "energy"}),
    "wasserstein": ((X, Y), {"x_weights": A + 1.0, "y_weights": B + 1.0}),
    "wasserstein_1d": ((X, Y), {"x_weights": A + 1.0}),
    "wasserstein_test": ((X[:, 0], Y[:, 0]), FEW),
}
#: Each pillar tells how its functions are called in a file of its own.
for path in sorted((Path(__file__).parent / "cases").glob("calls_*.py")):
    CALLS |= runpy.run_path(str(path))["CALLS"]


def public_functions():
    found = {}
    for package in COMPUTING:
        module = import_module(f"shiftlab.{package}")
        found |= {n: f for n in module.__all__ if isfunction(f := getattr(module, n))}
    return found


FUNCTIONS = public_functions()
#: Disparities take the seed of their bootstrap with the other options of the interval.
SEEDED = [
    n for n, f in FUNCTIONS.items() if {"random_state", "inference"} & set(signature(f).parameters)
]
PARALLEL = [n for n, f in FUNCTIONS.items() if "n_jobs" in signature(f).parameters]


def content(value):
    """Bytes of a result: its JSON, or a hash of what it holds."""
    return value.to_json() if hasattr(value, "to_json") else joblib.hash(value)


def test_every_public_function_is_called_here():
    assert set(shiftlab._SUBPACKAGES) > NOT_COMPUTING
    assert set(FUNCTIONS) == set(CALLS)
    assert len(SEEDED) > 20
    assert len(PARALLEL) >= 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_argument_is_changed_and_equal_seeds_give_equal_results(name):
    arguments, options = copy.deepcopy(CALLS[name])
    if name in SEEDED:
        options["random_state"] = np.random.SeedSequence(7)
    for value in (*arguments, *options.values()):
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    before = joblib.hash((arguments, options))
    first = FUNCTIONS[name](*arguments, **options)
    assert joblib.hash((arguments, options)) == before
    assert content(FUNCTIONS[name](*arguments, **options)) == content(first)


def summed(x):
    """Differ in the last bits when the number of threads does."""
    return float((x @ x.T).sum())


@pytest.mark.parametrize("name", PARALLEL)
def test_workers_do_not_change_a_bit(name):
    arguments, options = CALLS[name]
    alone = FUNCTIONS[name](*arguments, **options, random_state=1)
    with joblib.parallel_config(backend="threading"):
        together = FUNCTIONS[name](*arguments, **options, random_state=1, n_jobs=3)
    assert content(together) == content(alone)


def test_tasks_of_several_threads_come_back_in_order():
    tasks = [(X + i,) for i in range(6)]
    with joblib.parallel_config(backend="threading"):
        found = parallel_map(summed, tasks, n_jobs=3)
    assert found == parallel_map(summed, tasks)


N_MANY = 3000
MANY = RNG.normal(size=(N_MANY, 2))
BLOCKED = {
    "cholesky_factor": ((GAUSSIAN, MANY), {"max_rank": 20}),
    "energy_test": ((MANY, MANY + 1), {"n_resamples": 3}),
    "environment_distances": (
        (MANY, np.repeat([0, 1, 2], N_MANY // 3)),
        {"n_resamples": 19, "metric": "energy"},
    ),
    "gram_product": ((GAUSSIAN, MANY, MANY), {}),
    "gram_sum": ((GAUSSIAN, MANY), {}),
    "gram_trace": ((GAUSSIAN, MANY, GAUSSIAN, MANY), {}),
    "ks_test": ((MANY[:, 0], MANY[:, 1]), {"n_resamples": 3}),
    "mmd_block_test": ((MANY, MANY + 1), {"n_resamples": 3}),
    "mmd_fourier_test": ((MANY, MANY + 1), {"n_resamples": 3}),
    "mmd_test": ((MANY, MANY + 1), {"n_resamples": 3}),
    "nystrom_factor": ((GAUSSIAN, MANY), {"n_landmarks": 20}),
    "sliced_wasserstein_test": ((MANY, MANY + 1), {"n_resamples": 3, "n_projections": 5}),
    "wasserstein_1d": ((MANY, MANY[: N_MANY // 2]), {}),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_no_array_over_all_pairs_is_held(name):
    arguments, options = BLOCKED[name]
    FUNCTIONS[name](*CALLS[name][0], **CALLS[name][1])  # imports are not counted
    tracemalloc.start()
    try:
        FUNCTIONS[name](*arguments, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * N_MANY**2 / 2
