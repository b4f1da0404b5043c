"""The soft gate: shared coefficients times gates that the summary opens and closes.

Three kinds of gates share one loss: linear in the summary, a network on the summary, and a network
that reads the rows themselves (see `_deepsets`).
"""

from dataclasses import dataclass

import numpy as np

from shiftlab.adaptation._gates import (
    TEMPERATURE,
    Gate,
    LinearGate,
    MaskRule,
    NetworkGate,
    combine,
    open_gates,
)
from shiftlab.adaptation._known import Sample
from shiftlab.adaptation._networks import Adam, backward, forward, new_layers
from shiftlab.adaptation._order import rounded
from shiftlab.adaptation._problem import Problem

__all__ = ["GATE_RATE", "HEAD_RATE", "STEPS", "GatedLoss", "fit_mask"]

#: Ridge on gate and intercept slopes of the linear form.
RIDGE = 1e-3
#: Iterations of the linear form.
ITERATIONS = 60
#: Units of the two hidden layers, joint steps, and step sizes of gate and shared coefficients.
HIDDEN, STEPS, GATE_RATE, HEAD_RATE = 128, 80, 1e-3, 5e-2


@dataclass(frozen=True)
class GatedLoss:
    """Mean risk as a function of shared coefficients and of what the gate answers.

    Attributes
    ----------
    problem : Problem
        In standard units of the outcome.
    open_columns : ndarray of bool
        Columns whose gate stays 1.
    used : ndarray of bool
        Columns that may have a coefficient.
    moves : bool
        Whether the intercept moves with the environment.
    """

    problem: Problem
    open_columns: np.ndarray
    used: np.ndarray
    moves: bool

    @property
    def n_outputs(self) -> int:
        """Numbers that the gate has to give."""
        return len(self.open_columns) + (self.problem.n_scores if self.moves else 0)

    def __call__(
        self, head: np.ndarray, outputs: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the mean risk and its gradients by the head and by the outputs."""
        shares, p = self.problem.shares(), len(self.open_columns)
        gates = open_gates(outputs, self.open_columns)
        vectors = combine(head, outputs, self.open_columns, float(self.moves))
        risks, slope = self.problem.own_gradient(vectors)
        slope = slope.reshape(len(risks), *head.shape) * shares[:, None, None]
        by_head = np.empty_like(head)
        by_head[:, 0] = slope[:, :, 0].sum(axis=0)
        by_head[:, 1:] = np.einsum("esp,ep->sp", slope[:, :, 1:], gates) * self.used
        by_outputs = np.zeros_like(outputs)
        opening = np.einsum("esp,sp->ep", slope[:, :, 1:], head[:, 1:])
        by_outputs[:, :p] = opening * gates * (1 - gates) / TEMPERATURE * ~self.open_columns
        if self.moves:
            by_outputs[:, p:] = slope[:, :, 0]
        return float(shares @ risks), by_head, by_outputs


def fit_mask(
    sample: Sample,
    start: np.ndarray,
    open_columns: np.ndarray,
    form: str,
    moves: bool,
    rng: np.random.Generator,
    device: str | None = None,
) -> MaskRule:
    """Minimise the mean risk over gates and shared coefficients.

    Parameters
    ----------
    sample : Sample
        Training environments.
    start : ndarray of shape (n_coefficients,)
        Pooled coefficients.
    open_columns : ndarray of bool
        Columns of known causes; their gate stays 1.
    form : {"linear", "network", "deepsets"}
        What the gate is.
    moves : bool
        Whether the intercept moves with the summary, too.
    rng : Generator
        Draws the first weights of a network.
    device : str, optional
        Where torch computes.
    """
    problem, centre, scale = sample.problem.standardised()
    head = start.reshape(problem.n_scores, -1) / scale
    head[:, 0] -= centre / scale
    # Gates start half open, so twice the pooled slopes are the pooled model: the published start is
    # least squares on open gates, by a few steps, which is had exactly.
    head[:, 1:] *= np.where(open_columns, 1.0, 2.0)
    head, z = rounded(head), rounded(sample.z)
    loss = GatedLoss(problem, open_columns, (head[:, 1:] != 0).any(axis=0), moves)
    if form == "linear":
        head, gate = _fit_linear(loss, z, head)
    elif form == "network":
        head, gate = _fit_network(loss, z, head, rng)
    else:
        from shiftlab.adaptation._deepsets import fit_set_gate

        assert sample.rows is not None  # noqa: S101
        head, gate = fit_set_gate(loss, sample.rows.rounded(), head, rng, device)
    head = head * scale
    head[:, 0] += centre
    return MaskRule(head, gate, open_columns, scale if moves else 0.0)


def _fit_linear(loss: GatedLoss, z: np.ndarray, head: np.ndarray) -> tuple[np.ndarray, Gate]:
    """L-BFGS over the linear gate and the shared coefficients."""
    from scipy.optimize import minimize

    p, size = len(loss.open_columns), head.size
    shape = (1 + z.shape[1], loss.n_outputs)
    outputs = np.zeros((len(z), loss.n_outputs))
    unit = loss(head, outputs)[0] or 1.0
    ridge = np.full(shape, RIDGE)
    ridge[:, :p] *= unit / TEMPERATURE**2
    ridge[0] = 0.0

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat[size:].reshape(shape) * steps
        value, by_head, by_outputs = loss(
            flat[:size].reshape(head.shape), weights[0] + z @ weights[1:]
        )
        by_weights = np.vstack([by_outputs.sum(axis=0), z.T @ by_outputs]) + 2 * ridge * weights
        if loss.moves:  # a constant move is the head's affair
            by_weights[0, p:] = 0.0
        value += float((ridge * weights**2).sum())
        return value, np.concatenate([by_head.ravel(), (by_weights * steps).ravel()])

    # Steps of gates are measured in temperatures.
    steps = np.ones(shape)
    steps[:, :p] = TEMPERATURE
    first = np.concatenate([head.ravel(), np.zeros(steps.size)])
    best = minimize(
        objective, first, jac=True, method="L-BFGS-B",
        options={"maxiter": ITERATIONS, "gtol": 1e-8},
    )  # fmt: skip
    gate = LinearGate(best.x[size:].reshape(shape) * steps)
    return best.x[:size].reshape(head.shape), gate


def _fit_network(
    loss: GatedLoss, z: np.ndarray, head: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, Gate]:
    """Full-batch Adam over a network of two hidden layers and the shared coefficients."""
    layers = new_layers((z.shape[1], HIDDEN, HIDDEN, loss.n_outputs), rng, zero_last=True)
    adam = Adam([HEAD_RATE] + [GATE_RATE] * (2 * len(layers)))
    for _ in range(STEPS):
        found = forward(layers, z)
        _, by_head, by_outputs = loss(head, found[-1])
        gradients = [by_head, *backward(layers, found, by_outputs)]
        parameters = [head, *(array for layer in layers for array in layer)]
        head, *flat = adam.step(parameters, gradients)
        layers = tuple(zip(flat[::2], flat[1::2], strict=True))
    return head, NetworkGate(layers)
