"""Gradients of torch modules."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab.exceptions import InputError, TrivialFidelityWarning
from shiftlab.explanation import (
    IntegratedGradientsExplainer,
    SmoothGradExplainer,
    fidelity_gap,
    group_fidelity,
)

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)) * [1, 2, 0.5]
W = np.array([1.0, -0.5, 2.0])


class Logistic(torch.nn.Module):
    def __init__(self, output="probability"):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(W))
        self.output = output

    def forward(self, rows):
        logit = rows @ self.weight
        return torch.sigmoid(logit) if self.output == "probability" else logit[:, None]


@parametrize_with_checks(
    [SmoothGradExplainer(random_state=0), IntegratedGradientsExplainer()],
    expected_failed_checks=lambda _: {
        "check_complex_data": "the message says what to do with complex numbers",
        "check_estimators_empty_data_messages": "the message is that of all tables of the library",
        "check_dtype_object": "cells that cannot be labels are an InputError, no TypeError",
        "check_estimator_sparse_tag": "sparse tables are made dense",
    },
)
def test_are_estimators(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


def test_integrated_gradients_of_a_logistic_model_are_known():
    """On the line from the baseline all slopes are in proportion to the weights."""
    e = IntegratedGradientsExplainer(baseline="zero").fit(X).explain(Logistic(), X)
    gain = expit(X @ W) - 0.5
    expected = X * W * (gain / (X @ W))[:, None]
    np.testing.assert_allclose(e.values, expected, atol=1e-8)
    np.testing.assert_allclose(e.base + e.values.sum(axis=1), e.prediction, atol=1e-8)
    with pytest.warns(TrivialFidelityWarning):
        group_fidelity(e, X[:, 0] > 0, metrics=["mae"])


def test_smoothgrad_is_the_slope_of_the_smoothed_module():
    e = (
        SmoothGradExplainer(n_samples=4000, scale=0.3, n_blocks=2, random_state=0)
        .fit(X)
        .explain(Logistic(), X)
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    width = 0.3 * np.linalg.norm(W * X.std(0))
    p = expit((X @ W)[:, None] + width * nodes)
    smooth = p @ weights / weights.sum()
    slope = (p * (1 - p)) @ weights / weights.sum()
    np.testing.assert_allclose(e.surrogate_prediction, smooth, atol=0.01)
    np.testing.assert_allclose(e.values, slope[:, None] * W * X.std(0), atol=0.01)
    assert 0 < e.mc_se.mean() < 0.005
    assert fidelity_gap(e, X[:, 0] > 0) >= 0


def test_logits_and_modes():
    module = Logistic("logit").train()
    for explainer in (
        SmoothGradExplainer(output="logit", random_state=0),
        IntegratedGradientsExplainer(output="logit"),
    ):
        e = explainer.fit(X).explain(module, X)
        np.testing.assert_allclose(e.prediction, expit(X @ W))
    assert module.training


def test_order_does_not_matter():
    order = RNG.permutation(80)
    explainer = SmoothGradExplainer(random_state=0).fit(X)
    first, second = (explainer.explain(Logistic(), T).values for T in (X, X[order]))
    np.testing.assert_allclose(first[order], second, atol=1e-12)


@pytest.mark.gpu
def test_modules_on_a_device():
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    on_device = IntegratedGradientsExplainer().fit(X).explain(Logistic().cuda(), X)
    here = IntegratedGradientsExplainer().fit(X).explain(Logistic(), X)
    np.testing.assert_allclose(on_device.values, here.values, atol=1e-8)


def test_bad_input():
    explainer = IntegratedGradientsExplainer(baseline=[1.0]).fit(X)
    with pytest.raises(InputError, match="baseline must hold 3"):
        explainer.explain(Logistic(), X)
    with pytest.raises(InputError, match="must be a torch module"):
        explainer.explain(lambda table: table, X)
    with pytest.raises(InputError, match="no output 4"):
        IntegratedGradientsExplainer(target=4).fit(X).explain(Logistic("logit"), X)
    with pytest.raises(InputError, match="columns of labels"):
        SmoothGradExplainer().fit(X.astype(str).astype(object) + "a")
