"""Order of rows, names of environments, units, and who else is predicted: none may matter.

To 1e-10 of the size of the predictions, for every strategy.
"""

import numpy as np
import pytest

from shiftlab.adaptation import (
    EnvironmentAdaptiveClassifier,
    EnvironmentAdaptiveRegressor,
    _deepsets,
    _mask,
    _rungs,
    simulate_environments,
)

DATA = simulate_environments("hidden_cause", 18, n_rows=12, random_state=0)
NEW = simulate_environments("hidden_cause", 6, n_rows=12, random_state=1)
TORCH = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("torch") is None, reason="needs torch"
)
CASES = {
    "auto": {"strategy": "auto"},
    "select": {"strategy": "select"},
    "paper": pytest.param(
        {"strategy": "select", "selector": "argmin", "summary": "paper"}, marks=pytest.mark.slow
    ),
    "mix": pytest.param({"strategy": "mix"}, marks=pytest.mark.slow),
    "coefficients": {"strategy": "coefficients"},
    "mask": {"strategy": "mask"},
    "network": pytest.param({"strategy": "mask", "selector": "network"}, marks=pytest.mark.slow),
    "deepsets": pytest.param({"strategy": "mask", "selector": "deepsets"}, marks=TORCH),
    "two classes": {"strategy": "auto", "classes": [0.0]},
    "three classes": {"strategy": "mask", "classes": [-1.0, 1.0]},
}


class Case:
    """A fitted model and its predictions."""

    def __init__(self, classes=(), **options):
        kind = EnvironmentAdaptiveClassifier if classes else EnvironmentAdaptiveRegressor
        self.make = lambda: kind(**{"guard": None, "outside": "ignore", "cv": 2, **options})
        self.y = np.digitize(DATA.y, classes) if classes else DATA.y
        self.answer = "predict_proba" if classes else "predict"
        self.model = self.fit(DATA.X, self.y, DATA.environment)
        self.expected = self.predict(self.model, NEW.X, NEW.environment)

    def fit(self, *data):
        return self.make().fit(*data)

    def predict(self, model, X, environment):
        return getattr(model, self.answer)(X, environment)

    def assert_same(self, found, expected=None):
        expected = self.expected if expected is None else expected
        tolerance = 1e-10 * np.abs(self.expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.fixture(scope="module", autouse=True)
def _few_steps():
    """Enough to move every weight of a small network; a longer path has no other rules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_mask, "STEPS", 8)
        patch.setattr(_mask, "ITERATIONS", 8)
        patch.setattr(_mask, "HIDDEN", 32)
        patch.setattr(_deepsets, "STEPS", 8)
        patch.setattr(_deepsets, "GATE_UNITS", ((32, 32), (32, 16)))
        patch.setattr(_rungs, "SIZES", (3,))
        yield


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def case(request):
    return Case(**request.param)


def test_repeated_and_split_predictions(case):
    np.testing.assert_array_equal(case.predict(case.model, NEW.X, NEW.environment), case.expected)
    for label in np.unique(NEW.environment):
        rows = NEW.environment == label
        case.assert_same(case.predict(case.model, NEW.X[rows], label), case.expected[rows])


def test_order_of_rows_and_names_of_environments(case):
    labels = np.unique(DATA.environment)
    names = dict(zip(labels, np.random.default_rng(2).permutation(len(labels)), strict=True))
    renamed = np.array([f"n{names[e]:02d}" for e in DATA.environment])
    order = np.random.default_rng(0).permutation(len(DATA.y))
    other = case.fit(DATA.X.iloc[order], case.y[order], renamed[order])
    shuffled = np.random.default_rng(1).permutation(len(NEW.y))
    found = case.predict(other, NEW.X.iloc[shuffled], NEW.environment[shuffled])
    case.assert_same(found, case.expected[shuffled])


def test_units(case):
    def scaled(X):
        return X * [100.0, 0.01] + [5.0, -3.0]

    other = case.fit(scaled(DATA.X), case.y, DATA.environment)
    case.assert_same(case.predict(other, scaled(NEW.X), NEW.environment))


@pytest.mark.parametrize("strategy", ["auto", "mask"])
def test_units_of_the_outcome(strategy):
    one = Case(strategy=strategy)
    other = one.fit(DATA.X, 1000 * DATA.y - 7, DATA.environment)
    one.assert_same((one.predict(other, NEW.X, NEW.environment) + 7) / 1000)
