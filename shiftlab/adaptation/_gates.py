"""Gates: what opens and closes the coefficients of the covariates in an environment."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from shiftlab.adaptation._known import SetRows
from shiftlab.adaptation._networks import Layers, forward

__all__ = [
    "TEMPERATURE",
    "Gate",
    "LinearGate",
    "MaskRule",
    "NetworkGate",
    "SetEncoder",
    "SetGate",
    "combine",
    "open_gates",
]

#: Of the gates, as in the published form.
TEMPERATURE = 0.2


class Gate(Protocol):
    """Anything that answers a summary, or the rows, with one number per covariate (and score)."""

    def __call__(self, z: np.ndarray, rows: SetRows | None) -> np.ndarray:
        """Numbers of each environment, shape (m, outputs)."""


@dataclass(frozen=True)
class LinearGate:
    """Linear in the summary.

    Attributes
    ----------
    weights : ndarray of shape (1 + d, outputs)
    """

    weights: np.ndarray

    def __call__(self, z: np.ndarray, rows: SetRows | None) -> np.ndarray:
        """Numbers of each environment."""
        return np.asarray(self.weights[0] + z @ self.weights[1:])


@dataclass(frozen=True)
class NetworkGate:
    """A network on the summary.

    Attributes
    ----------
    layers : Layers
    """

    layers: Layers

    def __call__(self, z: np.ndarray, rows: SetRows | None) -> np.ndarray:
        """Numbers of each environment."""
        return forward(self.layers, z)[-1]


@dataclass(frozen=True)
class SetEncoder:
    """A summary that was learned: a network on each row, their mean, a network on the mean.

    Attributes
    ----------
    each, joint : Layers
        The two networks; every layer is rectified.
    """

    each: Layers
    joint: Layers

    def __call__(self, rows: SetRows) -> np.ndarray:
        """Embedding of each environment."""
        parts = [
            forward(self.each, block, rectify_last=True)[-1]
            for block in np.array_split(rows.X, max(1, len(rows.X) // 2**15))
        ]
        return forward(self.joint, rows.mean(np.vstack(parts)), rectify_last=True)[-1]


@dataclass(frozen=True)
class SetGate:
    """A linear answer to a learned summary.

    Attributes
    ----------
    encoder : SetEncoder
    last : Layers
        One layer.
    """

    encoder: SetEncoder
    last: Layers

    def __call__(self, z: np.ndarray, rows: SetRows | None) -> np.ndarray:
        """Numbers of each environment."""
        assert rows is not None  # noqa: S101
        return forward(self.last, self.encoder(rows))[-1]


@dataclass(frozen=True)
class MaskRule:
    """Shared coefficients, each multiplied by a gate between 0 and 1 that the environment opens.

    Attributes
    ----------
    head : ndarray of shape (scores, q)
        Shared coefficients; the intercept is not gated.
    gate : Gate
        One number for each column and, if the intercept moves, one for each score.
    open_columns : ndarray of bool, shape (q - 1,)
        Columns of known causes: their gate is 1.
    unit : float
        Of the intercept's moves; 0 in the form of the paper, where it does not move.
    """

    head: np.ndarray
    gate: Gate
    open_columns: np.ndarray
    unit: float

    def gates(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Gate of each column in each environment, shape (m, q - 1)."""
        return open_gates(self.gate(z, rows), self.open_columns)

    def coefficients(self, z: np.ndarray, rows: SetRows | None = None) -> np.ndarray:
        """Coefficients of each environment."""
        return combine(self.head, self.gate(z, rows), self.open_columns, self.unit)


def open_gates(outputs: np.ndarray, open_columns: np.ndarray) -> np.ndarray:
    """Turn the first outputs into gates."""
    from scipy.special import expit

    value = expit(outputs[:, : len(open_columns)] / TEMPERATURE)
    return np.where(open_columns, 1.0, value)


def combine(
    head: np.ndarray, outputs: np.ndarray, open_columns: np.ndarray, unit: float
) -> np.ndarray:
    """Coefficients of each environment, shape (m, scores * q)."""
    gates = open_gates(outputs, open_columns)
    found = np.empty((len(outputs), *head.shape))
    found[:, :, 0] = head[:, 0]
    if unit:
        found[:, :, 0] += unit * outputs[:, len(open_columns) :]
    found[:, :, 1:] = gates[:, None, :] * head[:, 1:]
    return found.reshape(len(outputs), -1)
