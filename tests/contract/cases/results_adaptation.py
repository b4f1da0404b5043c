"""How the results of adaptation are made."""

from functools import cache

import numpy as np

LEGEND = ["a_$", "<b>north</b> $x_1$", "west\nside"]


def labels(environment):
    codes = np.unique(environment, return_inverse=True)[1]
    return np.array([f"{LEGEND[c % 3]} {c}" for c in codes], dtype=object)


@cache
def fitted():
    from shiftlab.adaptation import EnvironmentAdaptiveRegressor, simulate_environments

    data = simulate_environments("hidden_cause", 12, n_rows=20, random_state=0)
    X = data.X.rename(columns={"x": "$\\frac$ dose"})
    model = EnvironmentAdaptiveRegressor(strategy="select", outside="ignore", cv=2)
    return model.fit(X, data.y, labels(data.environment)), X, labels(data.environment), data


def answer(name):
    model, X, environment, _ = fitted()
    return getattr(model, name)(X, environment)


def risks():
    from shiftlab.adaptation import enumerate_subset_risks

    _, X, environment, data = fitted()
    return enumerate_subset_risks(X, data.y, environment)


MAKE = {
    "EnvironmentSummary": lambda: answer("environment_summary"),
    "Identifiability": lambda: fitted()[0].identifiability(),
    "Selection": lambda: answer("select"),
    "ShiftExplanation": lambda: answer("explain_shift"),
    "SimulatedEnvironments": lambda: fitted()[3],
    "SubsetRisks": risks,
}
