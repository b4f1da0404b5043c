"""Small networks as plain arrays: their start, their answer, and one optimiser for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = ["Adam", "Layers", "backward", "forward", "new_layers"]

#: Weights and offsets of each layer; all layers but the last are followed by max(0, .).
Layers = tuple[tuple[np.ndarray, np.ndarray], ...]


def new_layers(sizes: Sequence[int], rng: np.random.Generator, *, zero_last: bool) -> Layers:
    """Draw weights for given numbers of units (He's rule); the last layer may start at zero."""
    layers = []
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        weights = rng.normal(size=(inputs, outputs)) * np.sqrt(2 / max(inputs, 1))
        if zero_last and k == len(sizes) - 2:
            weights = np.zeros((inputs, outputs))
        layers.append((weights, np.zeros(outputs)))
    return tuple(layers)


def forward(layers: Layers, x: np.ndarray, *, rectify_last: bool = False) -> list[np.ndarray]:
    """Return the input and the output of every layer."""
    found = [x]
    for k, (weights, offset) in enumerate(layers):
        x = x @ weights + offset
        if rectify_last or k < len(layers) - 1:
            x = np.maximum(x, 0.0)
        found.append(x)
    return found


def backward(layers: Layers, outputs: list[np.ndarray], slope: np.ndarray) -> list[np.ndarray]:
    """Gradients of weights and offsets, layer by layer, from that of the last output."""
    found: list[np.ndarray] = []
    for k in range(len(layers) - 1, -1, -1):
        found = [outputs[k].T @ slope, slope.sum(axis=0), *found]
        if k:
            slope = (slope @ layers[k][0].T) * (outputs[k] > 0)
    return found


@dataclass
class Adam:
    """Adam with a rate for each parameter and a bound on the norm of the whole gradient.

    Attributes
    ----------
    rates : sequence of float
        Step size of each parameter.
    bound : float
        Longer gradients are shortened to this.
    """

    rates: Sequence[float]
    bound: float = 1.0

    def __post_init__(self) -> None:
        """Start without any memory."""
        self._steps = 0
        self._first = [np.zeros(1)] * len(self.rates)
        self._second = [np.zeros(1)] * len(self.rates)

    def step(
        self, parameters: Sequence[np.ndarray], gradients: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return the parameters after one step."""
        norm = float(np.sqrt(sum(float((g**2).sum()) for g in gradients)))
        shorten = min(1.0, self.bound / max(norm, 1e-300))
        self._steps += 1
        moved = []
        for k, (value, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            g = gradient * shorten
            self._first[k] = 0.9 * self._first[k] + 0.1 * g
            self._second[k] = 0.999 * self._second[k] + 0.001 * g**2
            size = np.sqrt(self._second[k] / (1 - 0.999**self._steps)) + 1e-8
            moved.append(value - self.rates[k] * self._first[k] / (1 - 0.9**self._steps) / size)
        return moved
