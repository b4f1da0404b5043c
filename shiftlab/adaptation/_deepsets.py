"""Learned set summaries (DeepSets), trained by torch and kept as plain arrays.

A network reads each row, the mean over the rows of an environment is read by a second network, and
its embedding answers with gates or with the best subset. Once trained, NumPy gives the answers, so
a saved model predicts without torch.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from shiftlab._core.optional import import_optional
from shiftlab.adaptation._gates import Gate, SetEncoder, SetGate
from shiftlab.adaptation._known import SetRows
from shiftlab.adaptation._mask import GATE_RATE, HEAD_RATE, STEPS, GatedLoss
from shiftlab.adaptation._networks import Adam, Layers, new_layers

__all__ = ["SetClassifier", "fit_set_classifier", "fit_set_gate", "require_torch"]

#: Units of a row's network, of the joint one, and of the embedding, for gates.
GATE_UNITS = (128, 128), (128, 64)
#: The same for the choice of a subset.
CLASS_UNITS = (64, 64), (64, 32)
#: A training step reads at most this many rows, a fresh draw of each environment.
ROWS_PER_STEP = 5_000
#: Steps for the choice of a subset, how many without improvement end it, and the share of the
#: environments by which improvement is measured.
EPOCHS, PATIENCE, HELD_OUT = 300, 20, 0.2


def require_torch() -> Any:
    """Import torch, or say how to install it."""
    return import_optional("torch", extra="torch", purpose="selector='deepsets'")


class _Network:
    """Both networks and the last layer as torch tensors, with gradients as NumPy arrays."""

    def __init__(
        self, inputs: int, units: Any, outputs: int, rng: np.random.Generator, device: str | None
    ) -> None:
        self.torch = require_torch()
        self.device = device or "cpu"
        each, joint = units
        self.sizes = (len(each), len(joint))
        layers = new_layers((inputs, *each), rng, zero_last=False)
        layers += new_layers((each[-1], *joint), rng, zero_last=False)
        layers += new_layers((joint[-1], outputs), rng, zero_last=True)
        self.arrays = [array for layer in layers for array in layer]

    def answer(self, rows: SetRows) -> np.ndarray:
        """Compute the outputs of each environment, ready for `gradients`."""
        torch = self.torch
        self.tensors = [
            torch.tensor(a, dtype=torch.float64, device=self.device, requires_grad=True)
            for a in self.arrays
        ]
        x = torch.tensor(rows.X, dtype=torch.float64, device=self.device)
        pairs = list(zip(self.tensors[::2], self.tensors[1::2], strict=True))
        for weights, offset in pairs[: self.sizes[0]]:
            x = torch.relu(x @ weights + offset)
        counts = rows.counts
        bounds = [0, *np.cumsum(counts).tolist()]
        if len(set(counts.tolist())) == 1:
            x = x.reshape(rows.n_sets, -1, x.shape[1]).mean(dim=1)
        else:  # adding rows to the sum of their set would not be deterministic on CUDA
            x = torch.stack([x[a:b].mean(dim=0) for a, b in pairwise(bounds)])
        for weights, offset in pairs[self.sizes[0] : -1]:
            x = torch.relu(x @ weights + offset)
        weights, offset = pairs[-1]
        self.output = x @ weights + offset
        return np.asarray(self.output.detach().cpu().numpy())

    def gradients(self, slope: np.ndarray) -> list[np.ndarray]:
        """Gradients of all arrays from that of the outputs."""
        self.output.backward(self.torch.tensor(slope, device=self.device))
        return [t.grad.detach().cpu().numpy() for t in self.tensors]

    def parts(self) -> tuple[SetEncoder, Layers]:
        """Return what was learned as plain arrays."""
        layers = tuple(zip(self.arrays[::2], self.arrays[1::2], strict=True))
        a, b = self.sizes
        return SetEncoder(layers[:a], layers[a : a + b]), layers[a + b :]


def fit_set_gate(
    loss: GatedLoss, rows: SetRows, head: np.ndarray, rng: np.random.Generator, device: str | None
) -> tuple[np.ndarray, Gate]:
    """Adam over both networks, the last layer and the shared coefficients."""
    network = _Network(rows.X.shape[1], GATE_UNITS, loss.n_outputs, rng, device)
    adam = Adam([HEAD_RATE] + [GATE_RATE] * len(network.arrays))
    for _ in range(STEPS):
        outputs = network.answer(_some(rows, rng))
        _, by_head, by_outputs = loss(head, outputs)
        gradients = [by_head, *network.gradients(by_outputs)]
        head, *network.arrays = adam.step([head, *network.arrays], gradients)
    return head, SetGate(*network.parts())


@dataclass(frozen=True)
class SetClassifier:
    """Probabilities of classes from a learned summary.

    Attributes
    ----------
    gate : SetGate
    """

    gate: SetGate

    def predict_proba(self, rows: SetRows) -> np.ndarray:
        """Probability of each class in each environment."""
        from scipy.special import softmax

        return np.asarray(softmax(self.gate(np.zeros((rows.n_sets, 0)), rows), axis=1))


def fit_set_classifier(
    rows: SetRows, y: np.ndarray, rng: np.random.Generator, device: str | None
) -> SetClassifier:
    """Minimise the cross-entropy; the weights are those of the best step on held-out sets."""
    n_classes, rows = int(y.max()) + 1, rows.rounded()
    network = _Network(rows.X.shape[1], CLASS_UNITS, n_classes, rng, device)
    order = rng.permutation(rows.n_sets)
    n_held_out = max(1, round(HELD_OUT * rows.n_sets))
    held_out, used = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
    train, test = rows.take(used), _some(rows.take(held_out), rng)
    adam = Adam([GATE_RATE] * len(network.arrays))
    best, kept, waited = np.inf, list(network.arrays), 0
    for _ in range(EPOCHS):
        value, _ = _cross_entropy(network.answer(test), y[held_out])
        waited = 0 if value < best else waited + 1
        if value < best:
            best, kept = value, [a.copy() for a in network.arrays]
        if waited >= PATIENCE:
            break
        _, slope = _cross_entropy(network.answer(_some(train, rng)), y[used])
        network.arrays = adam.step(network.arrays, network.gradients(slope))
    network.arrays = kept
    return SetClassifier(SetGate(*network.parts()))


def _cross_entropy(scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    from scipy.special import log_softmax

    logs = log_softmax(scores, axis=1)
    slope = np.exp(logs)
    slope[range(len(y)), y] -= 1.0
    return -float(logs[range(len(y)), y].mean()), slope / len(y)


def _some(rows: SetRows, rng: np.random.Generator) -> SetRows:
    """Draw rows of each environment if there are too many for a step."""
    if len(rows.X) <= ROWS_PER_STEP:
        return rows
    most = max(2, ROWS_PER_STEP // rows.n_sets)
    position = np.lexsort((rng.random(len(rows.X)), rows.codes))
    starts = np.searchsorted(rows.codes, np.arange(rows.n_sets))
    rank = np.arange(len(rows.X)) - starts[rows.codes]
    chosen = np.sort(position[rank < most])
    return SetRows(rows.X[chosen], rows.codes[chosen], rows.n_sets)
