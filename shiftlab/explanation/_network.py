"""A small ReLU network in NumPy: the published black box, fast and the same on every machine."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.checks import check_fraction
from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import check_integer
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["NetworkClassifier"]

ADAM_DECAYS = (0.9, 0.999)
ADAM_EPSILON = 1e-8
#: Rows predicted at once: their activations stay in the cache of a core.
PREDICT_ROWS = 2048

Layers = list[tuple[np.ndarray, np.ndarray]]


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """Fully connected ReLU network for two classes, trained by Adam on the cross-entropy.

    The defaults are the network and the schedule of Mhasawade et al. (2024): widths 50, 100 and
    200, a sigmoid output, 100 epochs in batches of 64 rows, learning rate 0.001, L2 penalty 1e-4
    on all parameters, no early stopping. Weights start uniform within ``1 / sqrt(inputs)``, as in
    PyTorch. It computes in single precision on one core and needs no deep-learning library.

    Parameters
    ----------
    hidden : tuple of int, default (50, 100, 200)
        Widths of the hidden layers.
    epochs : int, default 100
        Passes over the training rows.
    batch_size : int, default 64
        Rows per step.
    learning_rate : float, default 0.001
        Step size of Adam.
    weight_decay : float, default 0.0001
        L2 penalty: this times the parameters is added to their gradient.
    random_state : int, SeedSequence, Generator, RandomState or None, default None
        Seed of the initial weights and of the order of the rows.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels.
    layers_ : list of (ndarray, ndarray)
        Weights of shape (inputs, outputs) and biases, float32.
    n_features_in_ : int
        Columns seen by fit.
    feature_names_in_ : ndarray of str
        Their names, if they had any.

    References
    ----------
    .. [1] Kingma and Ba (2015), "Adam: a method for stochastic optimization", ICLR, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import NetworkClassifier
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> model = NetworkClassifier(hidden=(20, 20), epochs=60, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        hidden: "Sequence[int]" = (50, 100, 200),
        *,
        epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        random_state: RandomState = None,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train the network from new weights.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs; standardise them if their scales differ.
        y : array-like of shape (n_rows,)
            Two classes.

        Returns
        -------
        NetworkClassifier
            The fitted estimator.

        Raises
        ------
        InputError
            If a parameter is unfit or `y` has not two classes.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            raise InputError(
                "Only binary classification is supported. NetworkClassifier needs two classes, "
                f"found {len(self.classes_)} class(es)."
            )
        self._check_parameters()
        rng = as_generator(self.random_state)
        widths = [X.shape[1], *self.hidden, 1]
        flat, layers = _initial(widths, rng)
        self._train(X, target.astype(np.float32), flat, layers, rng)
        self.layers_ = [(weights.copy(), bias.copy()) for weights, bias in layers]
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the log-odds of the second class.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        score = np.empty(len(X), dtype=np.float32)
        for start in range(0, len(X), PREDICT_ROWS):
            rows = slice(start, start + PREDICT_ROWS)
            score[rows] = _forward(X[rows], self.layers_)[-1][:, 0]
        return score.astype(np.float64)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of both classes.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_rows, 2)
        """
        second = _sigmoid(self.decision_function(X))
        return np.column_stack([1 - second, second])

    def predict(self, X: Any) -> np.ndarray:
        """Return the more probable class.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        chosen = (self.decision_function(X) >= 0).astype(int)
        return np.asarray(self.classes_[chosen])

    def _check_parameters(self) -> None:
        for width in self.hidden:
            check_integer(width, "hidden")
        check_integer(self.epochs, "epochs")
        check_integer(self.batch_size, "batch_size")
        check_fraction(self.learning_rate, "learning_rate")
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay must not be negative, found {self.weight_decay!r}.")

    def _train(
        self,
        X: np.ndarray,
        target: np.ndarray,
        flat: np.ndarray,
        layers: Layers,
        rng: np.random.Generator,
    ) -> None:
        gradient = np.zeros_like(flat)
        gradients = _views(gradient, [len(layers[0][0]), *(len(b) for _, b in layers)])
        adam = _Adam(flat, self.learning_rate)
        for _ in range(self.epochs):
            for rows in _batches(len(X), self.batch_size, rng):
                _backward(X[rows], target[rows], layers, gradients)
                gradient += np.float32(self.weight_decay) * flat
                adam.step(gradient)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class _Adam:
    """Adam on one flat vector of parameters, changed in place."""

    def __init__(self, parameters: np.ndarray, learning_rate: float) -> None:
        self._parameters, self._rate = parameters, learning_rate
        self._mean, self._square = np.zeros_like(parameters), np.zeros_like(parameters)
        self._scratch, self._steps = np.empty_like(parameters), 0

    def step(self, gradient: np.ndarray) -> None:
        first, second = ADAM_DECAYS
        self._steps += 1
        self._mean *= np.float32(first)
        self._square *= np.float32(second)
        np.multiply(gradient, np.float32(1 - first), out=self._scratch)
        self._mean += self._scratch
        np.multiply(gradient, gradient, out=self._scratch)
        self._scratch *= np.float32(1 - second)
        self._square += self._scratch
        np.sqrt(self._square, out=self._scratch)
        self._scratch *= np.float32(1 / np.sqrt(1 - second**self._steps))
        self._scratch += np.float32(ADAM_EPSILON)
        np.divide(self._mean, self._scratch, out=self._scratch)
        self._scratch *= np.float32(self._rate / (1 - first**self._steps))
        self._parameters -= self._scratch


def _initial(widths: list[int], rng: np.random.Generator) -> tuple[np.ndarray, Layers]:
    size = sum(n_in * n_out + n_out for n_in, n_out in pairwise(widths))
    flat = np.empty(size, dtype=np.float32)
    layers = _views(flat, widths)
    for weights, bias in layers:
        bound = 1 / np.sqrt(len(weights))
        weights[:] = rng.uniform(-bound, bound, weights.shape)
        bias[:] = rng.uniform(-bound, bound, bias.shape)
    return flat, layers


def _views(flat: np.ndarray, widths: list[int]) -> Layers:
    layers, start = [], 0
    for n_in, n_out in pairwise(widths):
        middle, end = start + n_in * n_out, start + n_in * n_out + n_out
        layers.append((flat[start:middle].reshape(n_in, n_out), flat[middle:end]))
        start = end
    return layers


def _batches(n_rows: int, size: int, rng: np.random.Generator) -> "Iterator[np.ndarray]":
    order = rng.permutation(n_rows)
    for start in range(0, n_rows, size):
        yield order[start : start + size]


def _forward(X: np.ndarray, layers: Layers) -> list[np.ndarray]:
    activations = [X]
    for number, (weights, bias) in enumerate(layers, start=1):
        value = activations[-1] @ weights
        value += bias
        if number < len(layers):
            np.maximum(value, 0, out=value)
        activations.append(value)
    return activations


def _backward(X: np.ndarray, target: np.ndarray, layers: Layers, gradients: Layers) -> None:
    """Write the gradient of the mean cross-entropy into `gradients`."""
    activations = _forward(X, layers)
    delta = (_sigmoid(activations[-1][:, 0]) - target)[:, None] / np.float32(len(X))
    for number in range(len(layers) - 1, -1, -1):
        below = activations[number]
        np.matmul(below.T, delta, out=gradients[number][0])
        np.sum(delta, axis=0, out=gradients[number][1])
        if number:
            delta = delta @ layers[number][0].T
            delta *= below > 0


def _sigmoid(value: np.ndarray) -> np.ndarray:
    half = value.dtype.type(0.5)
    return np.asarray(half + half * np.tanh(half * value))
