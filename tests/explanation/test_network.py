"""The published network in NumPy: against PyTorch, finite differences and scikit-learn's rules."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab.exceptions import InputError
from shiftlab.explanation import NetworkClassifier
from shiftlab.explanation._network import _backward, _forward, _initial, _views


@parametrize_with_checks([NetworkClassifier(hidden=(20,), epochs=60, random_state=0)])
def test_scikit_learn_checks(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


def tables(n=200):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def test_the_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(1)
    widths = [3, 5, 4, 1]
    flat, _ = _initial(widths, rng)
    flat = flat.astype(np.float64)
    X, y = tables(7)

    def loss(parameters):
        score = _forward(X, _views(parameters, widths))[-1][:, 0]
        return np.mean(np.logaddexp(0, score) - y * score)

    gradient = np.zeros_like(flat)
    _backward(X, y.astype(float), _views(flat, widths), _views(gradient, widths))
    step = 1e-6
    for i in range(len(flat)):
        shifted = flat.copy()
        shifted[i] += step
        up = loss(shifted)
        shifted[i] -= 2 * step
        assert gradient[i] == pytest.approx((up - loss(shifted)) / (2 * step), abs=1e-5)


@pytest.mark.slow
def test_training_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    X, y = tables(128)
    ours = NetworkClassifier((6, 5), epochs=1, batch_size=128, random_state=3).fit(X, y)
    _, start = _initial([3, 6, 5, 1], np.random.default_rng(3))
    widths = [(3, 6), (6, 5), (5, 1)]
    linear = [torch.nn.Linear(a, b) for a, b in widths]
    with torch.no_grad():
        for module, (weights, bias) in zip(linear, start, strict=True):
            module.weight.copy_(torch.from_numpy(weights.T.copy()))
            module.bias.copy_(torch.from_numpy(bias.copy()))
    module = torch.nn.Sequential(linear[0], torch.nn.ReLU(), linear[1], torch.nn.ReLU(), linear[2])
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3, weight_decay=1e-4)
    inputs = torch.from_numpy(X.astype(np.float32))
    target = torch.from_numpy(y.astype(np.float32))
    for _ in range(30):  # one step each; the order of the rows does not matter to a full batch
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(
            module(inputs)[:, 0], target
        ).backward()
        optimiser.step()
    more = ours.set_params(epochs=30).fit(X, y)
    expected = module(inputs)[:, 0].detach().numpy()
    np.testing.assert_allclose(more.decision_function(X), expected, atol=2e-5)


def test_it_learns_a_product_and_repeats_itself():
    X, y = tables(600)
    model = NetworkClassifier((30, 30), epochs=60, random_state=0).fit(X, y)
    again = NetworkClassifier((30, 30), epochs=60, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    other = NetworkClassifier((30, 30), epochs=60, random_state=1).fit(X, y)
    assert not np.array_equal(model.predict_proba(X), other.predict_proba(X))
    single = np.concatenate([model.decision_function(X[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(single, model.decision_function(X[:5]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": (0,)}, "hidden"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"weight_decay": -1}, "weight_decay"),
    ],
)
def test_unfit_options(options, message):
    with pytest.raises(InputError, match=message):
        NetworkClassifier(**options).fit(*tables(20))


def test_three_classes_are_refused():
    X, _ = tables(30)
    with pytest.raises(InputError, match="needs two classes, found 3"):
        NetworkClassifier(epochs=1).fit(X, np.arange(30) % 3)
