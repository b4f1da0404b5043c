"""The soft gate: shared coefficients times gates that the summary opens and closes."""

import numpy as np

from shiftlab.adaptation._problem import Problem
from shiftlab.adaptation._rules import MaskRule

__all__ = ["fit_mask"]

#: As in the published form; gates start half open.
TEMPERATURE = 0.2
#: Ridge on gate and intercept slopes, per unit of variance that the pooled model leaves.
RIDGE = 1e-3
STEPS = 60


def fit_mask(
    problem: Problem, z: np.ndarray, start: np.ndarray, open_columns: np.ndarray, moves: bool
) -> MaskRule:
    """Minimise the mean risk over gates and shared coefficients.

    Parameters
    ----------
    problem : Problem
        Training environments.
    z : ndarray of shape (E, d)
        Standardised summaries.
    start : ndarray of shape (q,)
        Pooled coefficients.
    open_columns : ndarray of bool
        Columns of known causes; their gate stays 1.
    moves : bool
        Whether the intercept moves with the summary, too.

    Returns
    -------
    MaskRule
    """
    from scipy.optimize import minimize

    q, d = problem.n_coefficients, z.shape[1]
    shares, used = problem.shares(), start[1:] != 0
    unit = float(shares @ problem.own_risks(np.tile(start, (len(z), 1)))) or 1.0
    sizes = (q, (1 + d) * (q - 1), d if moves else 0)
    cuts = np.cumsum(sizes)[:-1]

    def unpack(flat: np.ndarray) -> MaskRule:
        head, gate, level = np.split(flat, cuts)
        slope = gate.reshape(1 + d, q - 1) * TEMPERATURE
        return MaskRule(head, slope, level if moves else np.zeros(d), open_columns, TEMPERATURE)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        rule = unpack(flat)
        gates = rule.gates(z)
        risks, slope = problem.own_gradient(rule.coefficients(z))
        slope = slope * shares[:, None]
        opening = slope[:, 1:] * rule.head[1:] * gates * (1 - gates) * ~open_columns
        by_gate = np.vstack([opening.sum(axis=0), z.T @ opening])
        by_head = np.concatenate([[slope[:, 0].sum()], (slope[:, 1:] * gates).sum(axis=0) * used])
        by_level = z.T @ slope[:, 0] if moves else np.zeros(0)
        ridge = RIDGE * unit
        gate = rule.gate[1:] / TEMPERATURE
        by_gate[1:] += 2 * ridge * gate
        value = float(shares @ risks) + ridge * float((gate**2).sum() + (rule.level**2).sum())
        by_level = by_level + (2 * ridge * rule.level if moves else 0.0)
        return value, np.concatenate([by_head, by_gate.ravel(), by_level])

    first = np.zeros(sum(sizes))
    first[:q] = start
    first[1:q] *= np.where(open_columns, 1.0, 2.0)
    best = minimize(
        objective, first, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "gtol": 1e-8}
    )
    return unpack(best.x)
