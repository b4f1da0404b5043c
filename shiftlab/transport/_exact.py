"""Exact optimal transport through POT's network simplex, with a certificate of optimality."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from shiftlab._core.results import Result
from shiftlab._core.validation import check_integer
from shiftlab.exceptions import ConvergenceWarning, InputError
from shiftlab.transport._samples import check_power, read_mass, read_pair

__all__ = ["TransportResult", "cost_matrix", "import_pot", "wasserstein"]

#: Backends that POT imports if it finds them; shiftlab needs its NumPy backend only.
POT_BACKENDS = {"torch": "PYTORCH", "jax": "JAX", "cupy": "CUPY", "tensorflow": "TENSORFLOW"}
#: Largest cost matrix that is formed: 20,000 x 20,000 numbers take 3.2 GB.
MAX_CELLS = 4 * 10**8


@dataclass(frozen=True, eq=False)
class TransportResult(Result):
    """An exact transport plan and the proof that it is one.

    Attributes
    ----------
    distance : float
        The p-Wasserstein distance, in the units of the columns.
    cost : float
        The transport cost, ``distance ** p``.
    p : float
        Power of the Euclidean ground distance.
    rows_x, rows_y : ndarray of int64, shape (n_moves,)
        Which row is moved where; at most ``n_x + n_y - 1`` moves.
    mass : ndarray of float64, shape (n_moves,)
        Mass of each move; sums to 1.
    marginal_residual : float
        Largest difference between the plan's margins and the weights.
    duality_gap : float
        Cost minus the value of a feasible dual solution: the true optimum lies within this.
    converged : bool
        Whether the solver stopped by itself.
    n_x, n_y : int
        Number of rows.
    """

    distance: float
    cost: float
    p: float
    rows_x: np.ndarray
    rows_y: np.ndarray
    mass: np.ndarray
    marginal_residual: float
    duality_gap: float
    converged: bool
    n_x: int
    n_y: int

    def __repr__(self) -> str:
        return (
            f"TransportResult(distance={self.distance:.6g}, p={self.p:g}, "
            f"duality_gap={self.duality_gap:.1e}, "
            f"marginal_residual={self.marginal_residual:.1e}, converged={self.converged})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures without the plan itself."""
        full = super().to_dict()
        return {k: v for k, v in full.items() if k not in ("rows_x", "rows_y", "mass")}


def wasserstein(
    x: Any,
    y: Any,
    p: float = 1,
    *,
    x_weights: Any = None,
    y_weights: Any = None,
    max_iter: int = 1_000_000,
) -> TransportResult:
    r"""Solve the transport problem between two samples exactly.

    .. math:: W_p^p = \min_{P \ge 0} \sum_{ij} P_{ij} \lVert x_i - y_j \rVert_2^p
              \quad \text{s.t. } P 1 = a,\; P^\top 1 = b

    The certificate is computed from the returned plan and potentials: the margins of the plan, and
    the gap to the dual value after the potentials were made feasible by a c-transform. Time grows
    about as n^3 and memory as n_x * n_y; use `sliced_wasserstein` for large samples.

    Parameters
    ----------
    x : array of shape (n_x, d)
    y : array of shape (n_y, d)
    p : float, default 1
        Power of the Euclidean distance, at least 1.
    x_weights, y_weights : array of shape (n_x,), (n_y,), optional
        Row weights, scaled to sum 1; equal by default.
    max_iter : int, default 1,000,000
        Limit on the pivots of the network simplex.

    Returns
    -------
    TransportResult

    Raises
    ------
    InputError
        If the columns differ, a value is missing, or the cost matrix would not fit.

    Warns
    -----
    ConvergenceWarning
        If the solver stopped at `max_iter`; the gap then bounds the error.

    Notes
    -----
    POT imports every array library it finds. Unless torch is loaded already, POT is imported here
    with its other backends switched off (``POT_BACKEND_DISABLE_*``, set during that import only).
    A program that also wants POT's torch backend should import torch, or POT, first.

    References
    ----------
    Flamary et al. (2021), POT: Python Optimal Transport. Bonneel et al. (2011), Displacement
    interpolation using Lagrangian mass transport (the network simplex that POT wraps).

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.transport import wasserstein
    >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> wasserstein(square, square + [3.0, 4.0]).distance
    5.0
    """
    p = check_power(p)
    check_integer(max_iter, "max_iter")
    x, y, _ = read_pair(x, y)
    if not isinstance(x, np.ndarray):
        raise InputError("wasserstein works on NumPy arrays; pass tensor.cpu().numpy().")
    n_x, n_y = len(x), len(y)
    a = read_mass(x_weights, n_x, "x_weights")
    b = read_mass(y_weights, n_y, "y_weights")
    a = np.full(n_x, 1 / n_x) if a is None else a
    b = np.full(n_y, 1 / n_y) if b is None else b
    costs = cost_matrix(x, y, p)
    plan, log = _solve(a, b, costs, max_iter)
    rows_x, rows_y = np.nonzero(plan)
    mass = plan[rows_x, rows_y]
    cost = float(mass @ costs[rows_x, rows_y])
    return TransportResult(
        distance=cost ** (1 / p),
        cost=cost,
        p=p,
        rows_x=rows_x,
        rows_y=rows_y,
        mass=mass,
        marginal_residual=_marginal_residual(rows_x, rows_y, mass, a, b),
        duality_gap=cost - _dual_value(log["u"], costs, a, b),
        converged=log["warning"] is None,
        n_x=n_x,
        n_y=n_y,
    )


def cost_matrix(x: np.ndarray, y: np.ndarray, p: float) -> np.ndarray:
    """Return the Euclidean distances between rows, to the power `p`; shape (n_x, n_y)."""
    from scipy.spatial.distance import cdist

    if len(x) * len(y) > MAX_CELLS:
        raise InputError(
            f"Exact transport of {len(x)} x {len(y)} rows needs a cost matrix of "
            f"{len(x) * len(y) * 8 / 1e9:.0f} GB. Use sliced_wasserstein, or take fewer rows."
        )
    if p == 2:
        return np.asarray(cdist(x, y, "sqeuclidean"))
    distances = np.asarray(cdist(x, y))
    return distances if p == 1 else distances**p


@lru_cache(maxsize=1)
def import_pot() -> Any:
    """Import POT without the array libraries that are not loaded yet."""
    with _other_backends_off():
        import ot
    return ot


@contextmanager
def _other_backends_off() -> Iterator[None]:
    unused = [name for module, name in POT_BACKENDS.items() if module not in sys.modules]
    keys = [f"POT_BACKEND_DISABLE_{name}" for name in unused]
    before = {key: os.environ.get(key) for key in keys}
    os.environ.update(dict.fromkeys(keys, "1"))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _solve(
    a: np.ndarray, b: np.ndarray, costs: np.ndarray, max_iter: int
) -> tuple[np.ndarray, dict[str, Any]]:
    with warnings.catch_warnings():
        # POT reports its stop in the log as well; it is re-issued below under our category.
        warnings.simplefilter("ignore", UserWarning)
        plan, log = import_pot().emd(a, b, costs, numItermax=max_iter, log=True)
    if log["warning"] is not None:
        warnings.warn(
            f"The transport solver stopped early ({str(log['warning']).strip()}); the duality gap "
            "bounds the error. Raise max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return plan, log


def _marginal_residual(
    rows_x: np.ndarray, rows_y: np.ndarray, mass: np.ndarray, a: np.ndarray, b: np.ndarray
) -> float:
    margin_x = np.bincount(rows_x, mass, minlength=len(a))
    margin_y = np.bincount(rows_y, mass, minlength=len(b))
    return float(max(np.abs(margin_x - a).max(), np.abs(margin_y - b).max()))


def _dual_value(u: np.ndarray, costs: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    # The c-transform is the best partner of u, and feasible by construction. Rows without mass
    # carry no meaningful potential and no constraint.
    used = a > 0
    v = np.min(costs[used] - u[used, None], axis=0)
    return float(u[used] @ a[used] + v @ b)
