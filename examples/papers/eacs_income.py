"""
Incomes of the American Community Survey: states as environments
================================================================

The third study of Zuo and Wang (2026, arXiv:2601.02322) predicts the logarithm of income in
states that were left out, five folds of consecutive states. Their file is not public in a form
without the raw income, so the published numbers (least squares 0.494, theirs 0.483) are printed
for orientation only: here the covariates and years are others. The raw income, its parts and the
row index are never covariates.

``--table 2023``: 20,000 adults in 51 areas, one environment each. ``--table 2013_2017``: 100,000
adults in 20 states and five years, one environment per state and year; folds leave out states, and
in the last one the years 2016 and 2017 are predicted from those before.

Run with: SHIFTLAB_DATA=folder python examples/papers/eacs_income.py [--table 2023] [--figures DIR]
"""

import argparse
from pathlib import Path

import numpy as np

from shiftlab.adaptation import BaselineRegressor, EnvironmentAdaptiveRegressor
from shiftlab.datasets import fetch_acs_2013_2017, fetch_acs_2023
from shiftlab.model_selection import environment_scores

CATEGORIES = ["AGE_OVER_25", "SEX", "MAR", "COW", "DIS", "RAC1P", "NATIVITY"]
BASELINES = ("lasso", "anchor", "group_dro", "vrex", "boosting", "boosting_summaries")
PAPER = {"pooled": 0.4941, "lasso": 0.4942, "anchor": 0.4939, "mask": 0.4825}


def methods(causes):
    def adaptive(strategy, guard=None):
        return EnvironmentAdaptiveRegressor(strategy=strategy, guard=guard, outside="ignore")

    yield "pooled", adaptive("pooled")
    yield "causal", BaselineRegressor("causal", always_include=causes)
    for name in BASELINES:
        yield name, BaselineRegressor(name)
    for strategy in ("select", "mix", "mask", "coefficients"):
        yield strategy, adaptive(strategy)
    yield "auto", adaptive("auto", "pooled")


def people_of_2023():
    people = fetch_acs_2023().frame
    people = people[(people["WKHP"] > 0) & (people["PINCP"] > 100)]
    X = people[["WKHP", "SCHL", "JWMNP"]].astype(float)
    X = X.assign(**{c: people[c].astype(str) for c in CATEGORIES})
    # Few persons have the rarer classes of worker and races: one category for the rest.
    for column in ("COW", "RAC1P"):
        counts = X[column].value_counts()
        X[column] = X[column].where(X[column].map(counts) >= 500, "other")
    state = people["ST"].to_numpy()
    folds = {f"states {k + 1}": np.isin(state, s) for k, s in enumerate(blocks(state))}
    causes = ["SCHL", "WKHP", "SEX", "AGE_OVER_25"]
    return X, np.log(people["PINCP"].to_numpy(float)), state, folds, causes


def people_of_2013_2017():
    people = fetch_acs_2013_2017().frame
    people = people[people["pincp"] > 100]
    age = people["agep"].to_numpy(float)
    X = people[["sex", "mar"]].astype(str).assign(age=age, age_squared=(age - 45) ** 2 / 100)
    state, year = people["state"].to_numpy(), people["year"].to_numpy()
    environment = np.char.add(np.char.add(state.astype(str), " "), year.astype(str))
    folds = {f"states {k + 1}": np.isin(state, s) for k, s in enumerate(blocks(state))}
    folds["2016, 2017"] = year >= 2016
    income = np.log(people["pincp"].to_numpy(float) * people["adjinc"].to_numpy(float))
    return X, income, environment, folds, ["age", "age_squared", "sex"]


def blocks(state):
    return np.array_split(np.unique(state), 5)


def compare(X, y, environment, folds, causes):
    """Risk of every method in every fold, each environment with the same weight."""
    print(f"{len(y):,} adults, {len(np.unique(environment))} environments, {X.shape[1]} covariates")
    print(
        f"{'':20}{'MSE':>8} {'(SD)':>8}{'worst':>8}" + "".join(f"{n:>12}" for n in folds), "paper"
    )
    table = {}
    for name, model in methods(causes):
        scores, kept = [], 0
        for test in folds.values():
            model.fit(X[~test], y[~test], environment[~test])
            predicted = (
                model.predict(X[test], environment[test])
                if "summaries" in name or not isinstance(model, BaselineRegressor)
                else model.predict(X[test])
            )
            scores.append(environment_scores(y[test], predicted, environment[test]))
            kept += getattr(model, "guard_active_", False)
        table[name] = [score.mean for score in scores]
        worst = max(score.scores.max() for score in scores)
        note = f"   pooled kept in {kept} folds" if name == "auto" else ""
        paper = f"{PAPER[name]:8.4f}" if name in PAPER else ""
        print(
            f"{name:20}{np.mean(table[name]):8.4f} ({np.std(table[name]):.4f}){worst:8.3f}"
            + "".join(f"{v:12.4f}" for v in table[name]) + paper + note, flush=True,
        )  # fmt: skip
    return table


def draw(table, folds, path):
    """Risks relative to the pooled model, fold by fold."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    pooled = np.array(table["pooled"])
    names = [name for name in table if name not in ("pooled", "causal")]
    for k, fold in enumerate(folds):
        change = [100 * (table[name][k] / pooled[k] - 1) for name in names]
        ax.plot(change, range(len(names)), "o", label=fold, alpha=0.8)
    ax.axvline(0, color="0.6", lw=1)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel("change of the risk over the pooled model, percent")
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(options):
    data = people_of_2023() if options.table == "2023" else people_of_2013_2017()
    table = compare(*data)
    if options.figures is not None:
        folder = Path(options.figures)
        folder.mkdir(parents=True, exist_ok=True)
        draw(table, data[3], folder / f"eacs_income_{options.table}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", choices=("2023", "2013_2017"), default="2023")
    parser.add_argument("--figures", metavar="DIR", help="write a picture to this folder")
    main(parser.parse_args())
