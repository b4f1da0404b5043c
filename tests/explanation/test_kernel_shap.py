"""KernelSHAP: exact where it can be, unbiased where it samples, additive always."""

from itertools import permutations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab.exceptions import InputError, TrivialFidelityWarning
from shiftlab.explanation import KernelShapExplainer, ShapExplainer, group_fidelity

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
MODEL = LogisticRegression().fit(X, RNG.random(200) < expit(X @ [1, -1, 0.5, 0]))


def wiggly(table):
    return np.sin(table[:, 0]) * table[:, 1] + table[:, 2] ** 2


def by_permutations(function, row, background):
    """Shapley values by their definition."""
    d = len(row)
    phi = np.zeros(d)
    orders = list(permutations(range(d)))
    for order in orders:
        table = background.copy()
        before = function(table).mean()
        for j in order:
            table[:, j] = row[j]
            after = function(table).mean()
            phi[j] += (after - before) / len(orders)
            before = after
    return phi


#: Tables of any library are read, so refusals are in our words.
EXPECTED_FAILURES = {
    "check_complex_data": "the message says what to do with complex numbers",
    "check_estimators_empty_data_messages": "the message is that of all tables of the library",
}


@parametrize_with_checks(
    [KernelShapExplainer(random_state=0)], expected_failed_checks=lambda _: EXPECTED_FAILURES
)
def test_is_an_estimator(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


def test_enumeration_is_the_definition():
    explainer = KernelShapExplainer(n_background=20, random_state=0).fit(X)
    e = explainer.explain(wiggly, X[:3])
    expected = [by_permutations(wiggly, row, explainer.background_) for row in X[:3]]
    np.testing.assert_allclose(e.values, expected, atol=1e-10)
    assert (e.block == -1).all()
    assert (e.mc_se == 0).all()


def test_linear_path_is_the_general_one():
    explainer = KernelShapExplainer(random_state=0).fit(X)
    fast, slow = explainer.explain(MODEL, X), explainer.explain(MODEL.predict_proba, X)
    np.testing.assert_allclose(fast.values, slow.values, atol=1e-9)
    regression = LinearRegression().fit(X, X[:, 0])
    e = explainer.explain(regression, X)
    expected = regression.coef_ * (X - explainer.background_.mean(axis=0))
    np.testing.assert_allclose(e.values, expected, atol=1e-10)


def test_sampling_agrees_with_enumeration_within_its_errors():
    wide = RNG.normal(size=(60, 9))

    def function(table):
        return np.tanh(table[:, :3].sum(axis=1)) * table[:, 4] + table[:, 5:].sum(axis=1)

    exact = KernelShapExplainer(n_background=10, random_state=0).fit(wide).explain(function, wide)
    explainer = KernelShapExplainer(n_background=10, n_coalitions=150, random_state=0)
    sampled = explainer.fit(wide).explain(function, wide)
    np.testing.assert_allclose(sampled.base, exact.base)
    error = sampled.values - exact.values
    assert 0.6 < np.sqrt((error**2).mean() / (sampled.mc_se**2).mean()) < 1.4
    assert len(np.unique(sampled.block)) > 5


def test_is_additive_in_every_setting():
    for d, options in ((1, {}), (2, {}), (4, {"n_background": 1}), (15, {"n_coalitions": 60})):
        table = RNG.normal(size=(30, d))
        explainer = KernelShapExplainer(random_state=0, **options).fit(table)
        e = explainer.explain(lambda Z: np.exp(Z.mean(axis=1)), table)
        np.testing.assert_allclose(e.base + e.values.sum(axis=1), e.prediction, atol=1e-9)


def test_order_of_rows_does_not_matter():
    wide = RNG.normal(size=(50, 13))
    explainer = KernelShapExplainer(n_coalitions=100, n_background=5, random_state=0).fit(wide)
    order = RNG.permutation(50)
    first, second = (explainer.explain(wiggly, T).values for T in (wide, wide[order]))
    np.testing.assert_array_equal(first[order], second)


def test_agrees_with_the_shap_package():
    shap = pytest.importorskip("shap")
    explainer = KernelShapExplainer(random_state=0).fit(X)
    peer = shap.KernelExplainer(wiggly, explainer.background_)
    expected = peer.shap_values(X[:4], nsamples=100, l1_reg=False, silent=True)
    np.testing.assert_allclose(explainer.explain(wiggly, X[:4]).values, expected, atol=1e-9)


def test_trees_through_shap():
    pytest.importorskip("shap")
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(10, max_depth=3, random_state=0).fit(X, X[:, 0] > 0)
    tree = ShapExplainer("tree", n_background=30, random_state=0).fit(X)
    kernel = KernelShapExplainer(n_background=30, random_state=0).fit(X)
    kernel.background_ = tree.background_
    expected = kernel.explain(forest, X[:5])
    np.testing.assert_allclose(tree.explain(forest, X[:5]).values, expected.values, atol=1e-6)
    with pytest.raises(InputError, match="no exact tree explanation of LogisticRegression"):
        tree.explain(MODEL, X[:5])


def test_pointwise_fidelity_is_refused_with_a_better_metric():
    e = KernelShapExplainer(random_state=0).fit(X).explain(MODEL, X)
    with pytest.warns(TrivialFidelityWarning, match="0 in every group by construction"):
        found = group_fidelity(e, X[:, 3] > 0, metrics=["mae", "accuracy"])
    assert list(found.table["metric"].unique()) == ["truncated_mae", "complexity"]


@pytest.mark.parametrize(
    ("options", "d", "message"),
    [
        ({"n_coalitions": "exact"}, 21, "possible up to 20 columns, found 21"),
        ({"n_coalitions": 5}, 30, "at least 60 for 30 columns"),
        ({"n_background": 0}, 3, "n_background must be an integer"),
        ({"n_coalitions": "many"}, 3, "n_coalitions must be an integer"),
    ],
)
def test_bad_options(options, d, message):
    with pytest.raises(InputError, match=message):
        KernelShapExplainer(**options).fit(np.zeros((5, d)))
