"""Accuracy and exact counterfactual unfairness on evolving worlds, side by side with peers.

Domains 0 to 19 are the source, 20 to 29 the target. The unfairness compares the score of a target
row with that of its exact twin; all methods see the same rows, and none sees a twin.

    python benchmarks/bench_generalization.py [--quick] [--seeds 10] [--worlds mild,hard]
        [--methods ours,blind] [--first-seed 200] [--out table.csv] [--coverage] [--large]

``--methods unfair_twin`` fits our model to a coin instead of the attribute, which it may then use:
what fairness costs (``--worlds "no effect"``). ``--coverage`` judges conformal sets and intervals,
and bounds from margins; ``--large`` times a fit to 30 domains of 33,334 rows.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from shiftlab._core.optional import is_installed
from shiftlab.generalization import (
    BaselineClassifier,
    CDSAEClassifier,
    CounterfactuallyFairClassifier,
    CounterfactuallyFairRegressor,
    counterfactual_bounds,
    counterfactual_effects,
)
from shiftlab.simulation import (
    EvolvingData,
    make_drifting_credit,
    make_drifting_gaussian,
    make_evolving_people,
    make_fair_circle,
    make_rotating_circles,
    make_spirals,
)

WORLDS: dict[str, tuple[Callable[..., EvolvingData], dict[str, Any]]] = {
    "mild": (make_rotating_circles, {"rotation": 45.0}),
    "hard": (make_rotating_circles, {"rotation": 180.0}),
    "scale": (make_rotating_circles, {"rotation": 45.0, "scale": 0.5}),
    "no effect": (make_rotating_circles, {"rotation": 45.0, "shift": 0.0}),
    "fair circle": (make_fair_circle, {}),
    "spirals": (make_spirals, {}),
    "gaussian": (make_drifting_gaussian, {"n_domains": 30}),
    "gaussian, 3 groups": (make_drifting_gaussian, {"n_domains": 30, "n_groups": 3}),
    "credit": (make_drifting_credit, {"n_domains": 30}),
    "people": (make_evolving_people, {"n_domains": 30}),
    "accelerating": (make_rotating_circles, {"rotation": 90.0, "drift": "accelerating"}),
    "oscillating": (make_rotating_circles, {"rotation": 45.0, "drift": "oscillating"}),
    "switching": (make_rotating_circles, {"rotation": 90.0, "drift": "switching"}),
}
DEFAULT_WORLDS = "mild,hard,scale"
PEERS = ("erm", "blind", "correlation_remover", "reductions")


class UnfairTwin:
    """Our model with the same drift, but with the attribute as a feature (a coin is taken out)."""

    def __init__(self, seed: int) -> None:
        self._model, self._rng = CounterfactuallyFairClassifier(), np.random.default_rng(seed)

    def fit(self, X: Any, y: Any, group: Any, environment: Any) -> "UnfairTwin":
        coin = self._rng.integers(0, 2, len(y))
        self._model.fit(X.assign(group=group), y, coin, environment)
        return self

    def predict_proba(self, X: Any, group: Any, environment: Any) -> np.ndarray:
        coin = np.zeros(len(X), dtype=int)
        return self._model.predict_proba(X.assign(group=group), coin, environment)


def method(name: str, seed: int) -> Any:
    if name == "ours":
        return CounterfactuallyFairClassifier(random_state=seed)
    if name == "unfair_twin":
        return UnfairTwin(seed)
    if name == "cdsae":
        return CDSAEClassifier(random_state=seed)
    return BaselineClassifier(name, random_state=seed)


def judge(name: str, data: EvolvingData, seed: int, *, effects: bool) -> dict[str, float]:
    source, target = data.split(10)
    start = time.process_time()
    model = method(name, seed)
    model.fit(source.X, source.y, source.sensitive_features, source.environment)
    seconds = time.process_time() - start
    score = model.predict_proba(target.X, target.sensitive_features, target.environment)
    twin = model.predict_proba(target.X_twin, target.sensitive_twin, target.environment)
    accuracy = float((score.argmax(axis=1) == target.y).mean())
    exact = float(0.5 * np.abs(score - twin).sum(axis=1).mean())
    found = {
        "accuracy": accuracy,
        "constant": float(max(np.bincount(target.y)) / len(target.y)),
        "unfairness": exact,
        "seconds": seconds,
    }
    if name != "ours":
        return found
    imagined = model.counterfactual(
        target.X, target.sensitive_features, target.environment, to=target.sensitive_twin
    )
    error = np.sqrt(((imagined - target.X_twin) ** 2).mean()) / target.X.std()
    found["twin_rmse"] = float(error.mean())
    if effects:
        rows = target.X, target.sensitive_features, target.environment
        estimate = counterfactual_effects(model, *rows, n_resamples=15, random_state=seed)
        found["estimated"] = estimate.unfairness
        found["estimate_close"] = float(abs(estimate.unfairness - exact) <= 0.03)
        found["in_bounds"] = float(estimate.low <= exact <= estimate.high)
    return found


def coverage(seed: int) -> dict[str, float]:
    """Cover outcomes where the effect of the attribute grows; bound a model that uses it."""
    found: dict[str, float] = {}
    for kind in ("number", "class"):
        source, target = make_drifting_gaussian(target=kind, random_state=seed).split(10)
        rows = target.X, target.sensitive_features, target.environment
        model = CounterfactuallyFairRegressor()
        model = model if kind == "number" else CounterfactuallyFairClassifier()
        model.fit(source.X, source.y, source.sensitive_features, source.environment)
        if kind == "number":
            low, high = model.predict_interval(*rows).T
            held = (low <= target.y) & (target.y <= high)
            found["interval_width"] = float((high - low).mean())
        else:
            sets = model.predict_set(*rows)
            held = sets[np.arange(len(target.y)), target.y]
            found["set_size"] = float(sets.sum(axis=1).mean())
        found[f"{kind}_coverage"] = float(held.mean())
        found[f"{kind}_least_group"] = min(
            float(held[target.sensitive_features == g].mean()) for g in (0, 1)
        )
    source, target = make_drifting_credit(random_state=seed).split(8)
    erm = BaselineClassifier("erm", estimator=LogisticRegression(max_iter=3000))
    erm.fit(source.X, source.y, source.sensitive_features)
    rows = target.X, target.sensitive_features, target.environment
    bounds = counterfactual_bounds(erm, *rows, y=target.y, n_resamples=20, random_state=seed)
    own = erm.predict_proba(*rows)[:, 1]
    twin = erm.predict_proba(target.X_twin, target.sensitive_twin)[:, 1]
    exact = {
        "score": np.abs(own - twin).mean(),
        "decision": ((own > 0.5) != (twin > 0.5)).mean(),
        "label": (target.y != target.y_twin).mean(),
    }
    for measure, value in exact.items():
        low, high = bounds.of(measure)
        found[f"bounds_hold_{measure}"] = float(low <= value <= high)
    return found


def large() -> None:
    """Time a fit to a million rows."""
    import resource

    data = make_drifting_credit(n_domains=30, n_per_domain=33_334, random_state=0)
    start = time.process_time()
    model = CounterfactuallyFairClassifier()
    model.fit(data.X, data.y, data.sensitive_features, data.environment)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(data.y):,} rows, 30 domains: {seconds:.1f} s of CPU, peak {peak:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds, no networks")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=200)
    parser.add_argument("--worlds", default=DEFAULT_WORLDS)
    parser.add_argument("--methods", default="")
    parser.add_argument("--effects", action="store_true", help="also judge the estimated effects")
    parser.add_argument("--out", help="CSV file for the rows")
    parser.add_argument("--coverage", action="store_true", help="of sets, intervals and bounds")
    parser.add_argument("--large", action="store_true", help="time a million rows")
    options = parser.parse_args()
    if options.large:
        large()
        return
    if options.coverage:
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        table = pd.DataFrame([coverage(seed) for seed in seeds])
        print(table.agg(["mean", "std", "min"]).T.round(3).to_string())
        return
    n_seeds = 2 if options.quick else options.seeds
    peers = [p for p in PEERS if p in ("erm", "blind") or is_installed("fairlearn")]
    default = ["ours"] if options.quick else ["ours", *peers]
    methods = options.methods.split(",") if options.methods else default
    rows = []
    for world in options.worlds.split(","):
        make, knobs = WORLDS[world]
        for name in methods:
            for seed in range(options.first_seed, options.first_seed + n_seeds):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # fairlearn and networks warn of convergence
                    found = judge(
                        name, make(random_state=seed, **knobs), seed, effects=options.effects
                    )
                rows.append({"world": world, "method": name, "seed": seed, **found})
            report(pd.DataFrame(rows), world, name)
            if options.out:
                pd.DataFrame(rows).to_csv(options.out, index=False)


def report(frame: pd.DataFrame, world: str, name: str) -> None:
    part = frame[(frame["world"] == world) & (frame["method"] == name)]
    useful = (part["accuracy"] >= part["constant"] + 0.15).sum()
    text = f"{world:<20}{name:<22}"
    for column in ("accuracy", "unfairness"):
        text += f"{column} {part[column].mean():.3f} ± {part[column].std():.3f}   "
    text += f"constant {part['constant'].mean():.3f}   useful {useful}/{len(part)}   "
    for column in ("twin_rmse", "estimated", "estimate_close", "in_bounds"):
        if column in part and part[column].notna().any():
            text += f"{column} {part[column].mean():.3f}   "
    print(f"{text}{part['seconds'].mean():.1f} s", flush=True)


if __name__ == "__main__":
    main()
