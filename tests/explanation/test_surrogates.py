"""Global surrogates: faithful where their family allows it, and fairer on request."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab.exceptions import InputError
from shiftlab.explanation import GlobalSurrogate, group_fidelity

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3))
GROUP = (RNG.random(600) < 0.1).astype(int)

#: Tables of any library are read, so refusals are in our words.
EXPECTED_FAILURES = {
    "check_complex_data": "the message says what to do with complex numbers",
    "check_estimators_empty_data_messages": "the message is that of all tables of the library",
    "check_supervised_y_2d": "a column is read as a vector without a warning",
    "check_requires_y_none": "the message says that predictions or a model are needed",
    "check_n_features_in_after_fitting": "the message speaks of columns",
    "check_all_zero_sample_weights_error": "the message is that of all weights of the library",
}


@parametrize_with_checks(
    [GlobalSurrogate(kind, random_state=0) for kind in ("linear", "tree", "additive")],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_is_an_estimator(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("linear", lambda table: table @ [1, -2, 0.5]),
        ("tree", lambda table: (table[:, 0] > 0.3) + 2.0 * (table[:, 1] > 0)),
        ("additive", lambda table: np.sin(table[:, 0]) + table[:, 1] ** 2),
    ],
)
def test_each_family_imitates_its_own(kind, model):
    surrogate = GlobalSurrogate(kind, random_state=0).fit(X, model(X))
    assert surrogate.score(X, model(X)) > 0.95
    e = surrogate.explain(model, X)
    np.testing.assert_allclose(e.base + e.terms.sum(axis=1), surrogate.predict(X))
    np.testing.assert_allclose(e.surrogate_prediction, surrogate.predict(X))
    assert not e.additive


def test_a_model_in_place_of_its_predictions():
    def model(table):
        return table[:, 0]

    by_model, by_numbers = (GlobalSurrogate().fit(X, y).predict(X) for y in (model, X[:, 0]))
    np.testing.assert_allclose(by_model, by_numbers, atol=1e-12)


def test_labels_get_terms():
    frame = pd.DataFrame({"job": RNG.choice(["a", "b", "c"], 600), "x": X[:, 0]})

    def model(table):
        return (table["job"] == "b") + table["x"]

    surrogate = GlobalSurrogate().fit(frame, model)
    assert surrogate.score(frame, model(frame)) > 0.99
    terms = surrogate.explain(model, frame).terms[:, 0]
    assert terms[frame["job"] == "b"].min() > terms[frame["job"] != "b"].max()


@pytest.mark.parametrize("kind", ["linear", "tree"])
def test_balance_helps_the_smaller_group(kind):
    table = np.column_stack([X[:, :2], GROUP])

    def model(rows):
        return np.where(rows[:, 2] == 1, -(rows[:, 0] ** 3), rows[:, 0])

    errors = {}
    for balance in ("none", "groups", "minimax"):
        surrogate = GlobalSurrogate(kind, balance=balance, max_depth=2, random_state=0)
        surrogate.fit(table, model, sensitive_features=GROUP)
        errors[balance] = max(surrogate.group_errors_.values())
    assert errors["groups"] < errors["none"]
    assert errors["minimax"] <= errors["groups"] + 1e-9
    found = group_fidelity(surrogate.explain(model, table), GROUP, metrics=["mse"])
    assert found.table["value"][:2].max() == pytest.approx(errors["minimax"])


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({"kind": "oracle"}, X[:, 0], "kind must be one of"),
        ({"balance": "groups"}, X[:, 0], "needs sensitive_features"),
        ({"ridge": -1}, X[:, 0], "ridge must be a positive"),
        ({}, ["yes"] * 600, "must be numeric"),
        ({}, X[:5, 0], "y has 5 values"),
        ({}, None, "y is needed"),
    ],
)
def test_bad_input(options, y, message):
    with pytest.raises(InputError, match=message):
        GlobalSurrogate(**options).fit(X, y)
