"""
Bike sharing: days as environments, beside the paper's numbers
==============================================================

Protocol of Zuo and Wang (2026, arXiv:2601.02322): hourly rentals, square root, centred by holiday
and weekday; four weather covariates; 731 days as environments; five contiguous blocks of days are
left out in turn; the metric is the mean over days of a day's mean squared error.

Run with: SHIFTLAB_DATA=folder python examples/papers/eacs_bike.py [--forest]
"""

import argparse

import numpy as np

from shiftlab.adaptation import (
    BaselineRegressor,
    EnvironmentAdaptiveRegressor,
    EnvironmentSummarizer,
    enumerate_subset_risks,
)
from shiftlab.datasets import fetch_bike_sharing
from shiftlab.model_selection import environment_scores

PAPER = {
    "pooled": 35.069, "subset oracle": 29.237, "lasso": 35.087, "anchor": 35.069, "icp": 47.240,
    "select (paper: tuned over 4 families)": 34.179, "forest with summaries": 29.546,
}  # fmt: skip
COLUMNS = ["temp", "atemp", "hum", "windspeed"]


def load():
    hours = fetch_bike_sharing(table="hour").frame
    y = np.sqrt(hours["cnt"])
    y = (y - y.groupby([hours["holiday"], hours["weekday"]]).transform("mean")).to_numpy()
    return hours[COLUMNS], y, hours["dteday"].astype(str).to_numpy()


def adaptive(strategy, guard=None):
    return EnvironmentAdaptiveRegressor(
        strategy=strategy, guard=guard, cv="blocked", outside="ignore"
    )


class Forest:
    """Random forest on covariates and the summary of the day."""

    def fit(self, X, y, environment):
        from sklearn.ensemble import RandomForestRegressor

        self.summarizer = EnvironmentSummarizer("means")
        Z = self.summarizer.fit_transform(X, environment=environment)
        self.forest = RandomForestRegressor(100, min_samples_leaf=5, random_state=0).fit(Z, y)
        return self

    def predict(self, X, environment):
        return self.forest.predict(self.summarizer.transform(X, environment=environment))


def methods(with_forest):
    yield "pooled", adaptive("pooled")
    yield "lasso", BaselineRegressor("lasso")
    yield "anchor", BaselineRegressor("anchor")
    yield "icp", BaselineRegressor("icp")
    yield "select (paper: tuned over 4 families)", adaptive("select")
    yield "mix", adaptive("mix")
    yield "mask", adaptive("mask")
    yield "coefficients", adaptive("coefficients")
    yield "auto", adaptive("auto", "pooled")
    if with_forest:
        yield "forest with summaries", Forest()


def folds(day):
    for block in np.array_split(np.unique(day), 5):
        tested = np.isin(day, block)
        yield ~tested, tested


def oracle(X, y, day):
    """The best subset of each test day, chosen with its labels, among fits to training days."""
    found = []
    for train, test in folds(day):
        fits = enumerate_subset_risks(X[train], y[train], day[train], evaluation="in_sample")
        Z = X[test].to_numpy()
        scores = [
            environment_scores(y[test], a + Z @ b, day[test]).scores
            for a, b in zip(fits.intercepts, fits.coefficients, strict=True)
        ]
        found.append(np.min(scores, axis=0).mean())
    return found


def show(name, values):
    paper = f"{PAPER[name]:9.3f}" if name in PAPER else ""
    print(f"{name:40}{np.mean(values):9.3f} ({np.std(values):5.2f}){paper}", flush=True)


def main(with_forest):
    X, y, day = load()
    print(f"{'':40}{'MSE':>9} {'(SD)':>7}{'paper':>9}")
    show("subset oracle", oracle(X, y, day))
    for name, model in methods(with_forest):
        values = []
        for train, test in folds(day):
            fitted = model.fit(X[train], y[train], day[train])
            predicted = fitted.predict(X[test], day[test])
            values.append(environment_scores(y[test], predicted, day[test]).mean)
        show(name, values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forest", action="store_true", help="the forest, too (one minute)")
    main(parser.parse_args().forest)
