"""Networks whose gradient is known: dense layers as plain arrays, and modules of PyTorch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit, logit

from shiftlab._core.checks import check_fraction, check_option
from shiftlab.exceptions import InputError

__all__ = ["DenseNetwork", "TorchNetwork"]

ACTIVATIONS = ("relu", "tanh", "logistic", "identity")
OUTPUTS = ("probability", "score")


class DenseNetwork:
    """A network of dense layers held as plain arrays: decisions, scores and exact gradients.

    The output is the logit of the favourable decision. It lets an auditor use a model that was
    handed over as numbers, without the library that trained it.

    Parameters
    ----------
    weights : sequence of array of shape (n_in, n_out)
        One matrix per layer; the last has one output.
    biases : sequence of array of shape (n_out,)
        One vector per layer.
    activation : {"relu", "tanh", "logistic", "identity"}, default "relu"
        Between the layers.
    threshold : float, default 0.5
        Probability above which the decision is favourable.

    Raises
    ------
    InputError
        If shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.auditing import DenseNetwork
    >>> network = DenseNetwork([[[1.0], [2.0]]], [[-1.0]])
    >>> network.predict(np.array([[0.0, 0.0], [0.0, 1.0]])).tolist()
    [0, 1]
    """

    def __init__(
        self,
        weights: Sequence[Any],
        biases: Sequence[Any],
        *,
        activation: str = "relu",
        threshold: float = 0.5,
    ) -> None:
        self.activation = check_option(activation, ACTIVATIONS, "activation")
        self.threshold = check_fraction(threshold, "threshold")
        self.weights = [np.asarray(w, dtype=np.float64) for w in weights]
        self.biases = [np.asarray(b, dtype=np.float64) for b in biases]
        _check_shapes(self.weights, self.biases)

    @classmethod
    def from_batch_norm(
        cls, layers: Sequence[dict[str, Any]], *, threshold: float = 0.5, epsilon: float = 1e-5
    ) -> "DenseNetwork":
        """Fold batch normalisation, in evaluation mode, into the linear layers that follow it.

        Parameters
        ----------
        layers : sequence of mapping
            For each layer the arrays ``weight`` (n_out, n_in) and ``bias`` of the linear map and,
            where it is preceded by a normalisation, its ``scale``, ``shift``, ``mean`` and
            ``variance``.
        threshold : float, default 0.5
            Probability above which the decision is favourable.
        epsilon : float, default 1e-5
            Added to the variance.

        Returns
        -------
        DenseNetwork
        """
        weights, biases = [], []
        for layer in layers:
            weight = np.asarray(layer["weight"], dtype=np.float64)
            bias = np.asarray(layer["bias"], dtype=np.float64)
            if "mean" in layer:
                spread = np.sqrt(np.asarray(layer["variance"], dtype=np.float64) + epsilon)
                factor = np.asarray(layer["scale"], dtype=np.float64) / spread
                offset = np.asarray(layer["shift"]) - np.asarray(layer["mean"]) * factor
                bias = bias + weight @ offset
                weight = weight * factor
            weights.append(weight.T)
            biases.append(bias)
        return cls(weights, biases, threshold=threshold)

    @property
    def n_columns(self) -> int:
        """Number of columns of the input."""
        return len(self.weights[0])

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logit minus that of the threshold: positive where the decision is 1."""
        return self._forward(X)[-1][:, 0] - logit(self.threshold)

    def predict(self, X: Any) -> np.ndarray:
        """Return decisions, 1 favourable."""
        return (self.decision_function(X) > 0).astype(int)

    def gradient(self, X: Any) -> np.ndarray:
        """Return the gradient of `decision_function` with respect to the columns."""
        layers = self._forward(X)
        slope = np.ones((len(layers[0]), 1))
        for i in range(len(self.weights) - 1, -1, -1):
            slope = slope @ self.weights[i].T
            if i > 0:
                slope *= self._slope(layers[i])
        return slope

    def _forward(self, X: Any) -> list[np.ndarray]:
        layers = [np.asarray(X, dtype=np.float64)]
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = layers[-1] @ weight + bias
            last = i == len(self.weights) - 1
            layers.append(value if last else self._activate(value))
        return layers

    def _activate(self, value: np.ndarray) -> np.ndarray:
        if self.activation == "relu":
            return np.maximum(value, 0.0)
        if self.activation == "tanh":
            return np.tanh(value)
        return np.asarray(expit(value)) if self.activation == "logistic" else value

    def _slope(self, activated: np.ndarray) -> np.ndarray:
        """Return the derivative of the activation, from its value."""
        if self.activation == "relu":
            return (activated > 0).astype(np.float64)
        if self.activation == "tanh":
            return 1.0 - activated**2
        return activated * (1 - activated) if self.activation == "logistic" else np.ones(1)


class TorchNetwork:
    """A module of PyTorch as a model that decides: scores and gradients through autograd.

    Parameters
    ----------
    module : torch.nn.Module
        Maps (n_rows, d) to (n_rows,) or (n_rows, 1); it is used in evaluation mode.
    threshold : float, default 0.5
        Output above which the decision is favourable.
    output : {"probability", "score"}, default "probability"
        What the module returns. Probabilities are turned into logits, whose gradient does not
        vanish where the module is certain.

    Raises
    ------
    InputError
        If an option is not known.

    Examples
    --------
    >>> import pytest
    >>> from shiftlab.auditing import TorchNetwork
    >>> torch = pytest.importorskip("torch")
    >>> layer = torch.nn.Linear(2, 1)
    >>> network = TorchNetwork(torch.nn.Sequential(layer, torch.nn.Sigmoid()))
    >>> network.gradient([[0.0, 0.0]]).shape
    (1, 2)
    """

    def __init__(self, module: Any, *, threshold: float = 0.5, output: str = "probability") -> None:
        self.module = module
        self.output = check_option(output, OUTPUTS, "output")
        self.threshold = float(threshold)
        if output == "probability":
            check_fraction(threshold, "threshold")

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the score minus the threshold: positive where the decision is 1."""
        import torch

        with torch.no_grad():
            return np.asarray(self._score(self._tensor(X)).cpu().numpy(), dtype=np.float64)

    def predict(self, X: Any) -> np.ndarray:
        """Return decisions, 1 favourable."""
        return (self.decision_function(X) > 0).astype(int)

    def gradient(self, X: Any) -> np.ndarray:
        """Return the gradient of `decision_function` with respect to the columns."""
        import torch

        tensor = self._tensor(X).requires_grad_()
        (slope,) = torch.autograd.grad(self._score(tensor).sum(), tensor)
        return np.asarray(slope.cpu().numpy(), dtype=np.float64)

    def _tensor(self, X: Any) -> Any:
        import torch

        first = next(self.module.parameters(), torch.zeros(1))
        return torch.as_tensor(
            np.array(X, dtype=np.float64), dtype=first.dtype, device=first.device
        )

    def _score(self, tensor: Any) -> Any:
        import torch

        was_training = self.module.training
        self.module.eval()
        try:
            out = self.module(tensor).reshape(len(tensor), -1)[:, 0]
        finally:
            self.module.train(was_training)
        if self.output == "score":
            return out - self.threshold
        tiny = torch.finfo(out.dtype).eps
        return torch.logit(out, eps=tiny) - float(logit(self.threshold))


def _check_shapes(weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
    if len(weights) != len(biases) or not weights:
        raise InputError(
            f"weights and biases must have one entry per layer, found {len(weights)} and "
            f"{len(biases)}."
        )
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        fits = weight.ndim == 2 and bias.shape == weight.shape[1:]
        follows = i == 0 or weight.shape[0] == weights[i - 1].shape[1]
        if not fits or not follows:
            raise InputError(
                f"Layer {i} does not fit: weights of shape {weight.shape}, bias of shape "
                f"{bias.shape}."
            )
    if weights[-1].shape[1] != 1:
        raise InputError(f"The last layer must have one output, found {weights[-1].shape[1]}.")
