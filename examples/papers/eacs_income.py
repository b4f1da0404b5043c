"""
Incomes of the American Community Survey: states as environments
================================================================

The third study of Zuo and Wang (2026, arXiv:2601.02322) predicts the logarithm of income in
states that were left out, five folds of consecutive states. Their file is not public in a form
without the raw income, so the published numbers (least squares 0.494, theirs 0.483) are printed
for orientation only: here it is another year (2023), a sample of 20,000 adults and other
covariates. The raw income and the row index are never covariates.

Run with: SHIFTLAB_DATA=folder python examples/papers/eacs_income.py
"""

import numpy as np

from shiftlab.adaptation import BaselineRegressor, EnvironmentAdaptiveRegressor
from shiftlab.datasets import fetch_acs_2023
from shiftlab.model_selection import environment_scores

NUMBERS = ["WKHP", "SCHL", "JWMNP"]
CATEGORIES = ["AGE_OVER_25", "SEX", "MAR", "COW", "DIS", "RAC1P", "NATIVITY"]
METHODS = {
    "pooled": EnvironmentAdaptiveRegressor(strategy="pooled"),
    "anchor": BaselineRegressor("anchor"),
    "select": EnvironmentAdaptiveRegressor(strategy="select", guard=None, outside="ignore"),
    "mask": EnvironmentAdaptiveRegressor(strategy="mask", guard=None, outside="ignore"),
    "coefficients": EnvironmentAdaptiveRegressor(
        strategy="coefficients", guard=None, outside="ignore"
    ),
    "auto": EnvironmentAdaptiveRegressor(outside="ignore"),
}


def load():
    people = fetch_acs_2023().frame
    people = people[(people["WKHP"] > 0) & (people["PINCP"] > 100)]
    X = people[NUMBERS].astype(float).assign(**{c: people[c].astype(str) for c in CATEGORIES})
    # Few persons have the rarer classes of worker and races: one category for the rest.
    for column in ("COW", "RAC1P"):
        counts = X[column].value_counts()
        X[column] = X[column].where(X[column].map(counts) >= 500, "other")
    return X, np.log(people["PINCP"].to_numpy()), people["ST"].to_numpy()


def main():
    X, y, state = load()
    print(f"{len(y):,} adults who work, {len(np.unique(state))} states, {X.shape[1]} covariates")
    print(f"{'':14}{'MSE':>8} {'(SD)':>7}")
    for name, model in METHODS.items():
        values, guarded = [], 0
        for block in np.array_split(np.unique(state), 5):
            test = np.isin(state, block)
            model.fit(X[~test], y[~test], state[~test])
            predicted = model.predict(X[test], state[test])
            values.append(environment_scores(y[test], predicted, state[test]).mean)
            guarded += getattr(model, "guard_active_", False)
        note = f"   pooled model kept in {guarded} of 5 folds" if name == "auto" else ""
        print(f"{name:14}{np.mean(values):8.4f} ({np.std(values):.4f}){note}", flush=True)


if __name__ == "__main__":
    main()
