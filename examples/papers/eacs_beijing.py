"""
Air quality in Beijing: stations and months as environments
===========================================================

Daily means at 12 stations, 2013 to 2017. What is the fine dust of a day, given weather and other
pollutants? Weather is a cause; the other pollutants are proxies of emissions and of mixing in the
air, which nobody measured, and their relation to fine dust changes with season and place. Every
station and month is one environment. Five contiguous blocks of months are left out in turn, as the
method of Zuo and Wang (2026, arXiv:2601.02322) does with days of bike sharing; the metric is the
mean over environments of the mean squared error of the logarithm.

Run with: SHIFTLAB_DATA=folder python examples/papers/eacs_beijing.py [--skip icp] [--figures DIR]
"""

import argparse
from pathlib import Path

import numpy as np

from shiftlab.adaptation import (
    BaselineRegressor,
    EnvironmentAdaptiveRegressor,
    enumerate_subset_risks,
)
from shiftlab.datasets import fetch_beijing_air_quality
from shiftlab.model_selection import environment_scores

WEATHER = ["TEMP", "PRES", "DEWP", "WSPM"]
POLLUTANTS = ["SO2", "NO2", "CO", "O3"]
BASELINES = ("lasso", "anchor", "icp", "group_dro", "vrex", "boosting", "boosting_summaries")


def load():
    """Logarithms of pollutants, weather, and the environment of each day."""
    days = fetch_beijing_air_quality(table="daily").frame
    days = days.dropna(subset=["PM2.5", *WEATHER, *POLLUTANTS])
    X = days[WEATHER].assign(**{name: np.log1p(days[name]) for name in POLLUTANTS})
    month = days["date"].astype(str).str[:7]
    environment = month + " " + days["station"].astype(str)
    return X, np.log1p(days["PM2.5"].to_numpy()), environment.to_numpy(), month.to_numpy()


def folds(month):
    for block in np.array_split(np.unique(month), 5):
        yield np.isin(month, block)


def methods():
    def adaptive(strategy, guard=None):
        return EnvironmentAdaptiveRegressor(
            strategy=strategy, guard=guard, cv="blocked", outside="ignore"
        )

    yield "pooled", adaptive("pooled")
    yield "causal (weather)", BaselineRegressor("causal", always_include=WEATHER)
    for name in BASELINES:
        yield name, BaselineRegressor(name)
    for strategy in ("select", "mix", "mask", "coefficients"):
        yield strategy, adaptive(strategy)
    yield "auto", adaptive("auto", "pooled")


def oracle(X, y, environment, month):
    """The best subset of each environment, chosen with its outcomes."""
    found = []
    for test in folds(month):
        fits = enumerate_subset_risks(
            X[~test], y[~test], environment[~test], evaluation="in_sample"
        )
        Z = X[test].to_numpy()
        scores = [
            environment_scores(y[test], a + Z @ b, environment[test]).scores
            for a, b in zip(fits.intercepts, fits.coefficients, strict=True)
        ]
        found.append(np.min(scores, axis=0).mean())
    return found


def main(options):
    X, y, environment, month = load()
    print(f"{len(y):,} days, {len(np.unique(environment))} environments, {X.shape[1]} covariates")
    print(f"{'':22}{'MSE':>8} {'(SD)':>8}{'worst':>8}   by block of months")
    table = {"subset oracle": oracle(X, y, environment, month)}
    show("subset oracle", table["subset oracle"])
    for name, model in methods():
        if name in options.skip:
            continue
        scores = []
        for test in folds(month):
            model.fit(X[~test], y[~test], environment[~test])
            plain = isinstance(model, BaselineRegressor) and "summaries" not in name
            labels = () if plain else (environment[test],)
            predicted = model.predict(X[test], *labels)
            scores.append(environment_scores(y[test], predicted, environment[test]))
        table[name] = [score.mean for score in scores]
        show(name, table[name], max(score.scores.max() for score in scores))
    if options.figures is not None:
        draw(table, Path(options.figures))


def show(name, values, worst=np.nan):
    each = "".join(f"{v:9.4f}" for v in values)
    print(
        f"{name:22}{np.mean(values):8.4f} ({np.std(values):.4f}){worst:8.3f}   {each}", flush=True
    )


def draw(table, folder):
    """Risk of each method, with the five blocks."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    table = {name: values for name, values in table.items() if np.mean(values) < 1}
    figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
    for k, values in enumerate(table.values()):
        ax.plot(values, [k] * len(values), "o", color="0.7", ms=4)
        ax.plot(np.mean(values), k, "D", color="#2b6ca3")
    ax.set_yticks(range(len(table)), list(table))
    ax.invert_yaxis()
    ax.set_xlabel("mean squared error of log fine dust (grey: blocks of months)")
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "eacs_beijing.png", dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", metavar="DIR", help="write a picture to this folder")
    parser.add_argument(
        "--skip", nargs="*", default=(), metavar="NAME",
        help="methods to leave out, for instance icp, which tests 256 sets in 574 environments",
    )  # fmt: skip
    main(parser.parse_args())
