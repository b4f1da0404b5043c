"""The general entropic projection: means of any columns, equal to, above or below a target."""

import warnings
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.frames import as_table
from shiftlab._core.names import join_names
from shiftlab._core.validation import check_option, check_weights
from shiftlab.auditing._entropic_newton import solve_tilt
from shiftlab.auditing._entropic_result import MomentProjection
from shiftlab.exceptions import ConvergenceWarning, InputError

__all__ = ["ACCEPTED", "effective_share", "moment_projection", "warn_unsolved"]

KINDS = ("equal", "at_least", "at_most")
#: Residual above which a projection does not count as solved.
ACCEPTED = 1e-9


def moment_projection(
    moments: Any,
    targets: Any,
    *,
    kind: Any = "equal",
    sample_weight: Any = None,
    max_iter: int = 200,
) -> MomentProjection:
    r"""Reweight rows so that the means of columns meet targets, at the smallest divergence.

    .. math:: w_i \propto \exp \langle \xi, \phi_i \rangle, \qquad
              \xi = \arg\min_\xi \log \tfrac1n \sum_i \exp \langle \xi, \phi_i - t \rangle

    Parameters
    ----------
    moments : table of shape (n_rows, k)
        The value of each moment on each row: a column for its mean, a product of columns for a
        covariance, an indicator for a share.
    targets : array of shape (k,)
        Wanted means.
    kind : {"equal", "at_least", "at_most"} or sequence of these, default "equal"
        Whether each mean has to equal, reach or stay below its target.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows before the projection.
    max_iter : int, default 200
        Limit on the Newton steps.

    Returns
    -------
    MomentProjection

    Raises
    ------
    InputError
        If shapes differ, a value is missing, or no reweighting of the rows meets the targets.

    Warns
    -----
    ConvergenceWarning
        If a target is still missed by more than 1e-9 standard deviations.

    Notes
    -----
    Time grows as ``n k^2`` per Newton step, of which there are about five to ten; memory beyond the
    columns themselves is a few numbers per row.

    References
    ----------
    Csiszar (1975), I-divergence geometry of probability distributions. Bachoc et al. (2023),
    Information and Inference 12, Theorem 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.auditing import moment_projection
    >>> projection = moment_projection(np.array([[0.0], [1.0], [2.0]]), [1.25])
    >>> projection.weights.round(3)
    array([0.216, 0.318, 0.466])
    """
    phi, names = _numbers(moments)
    wanted = np.atleast_1d(np.asarray(targets, dtype=np.float64))
    if wanted.shape != (phi.shape[1],) or not np.isfinite(wanted).all():
        raise InputError(
            f"targets must hold {phi.shape[1]} finite number(s), one per moment; "
            f"found shape {wanted.shape}."
        )
    weights = check_weights(sample_weight, len(phi))
    mass = np.full(len(phi), 1.0 / len(phi)) if weights is None else weights / weights.sum()
    kinds = _kinds(kind, phi.shape[1])
    present = mass > 0
    _check_reach(phi[present] if not present.all() else phi, wanted, kinds, names)
    signs = np.where(kinds == "at_most", -1.0, 1.0)
    flipped = phi * signs if (signs < 0).any() else phi
    tilt = solve_tilt(
        flipped if present.all() else flipped[present],
        wanted * signs,
        mass[present],
        at_least=kinds != "equal",
        max_iter=check_integer(max_iter, "max_iter"),
    )
    found = np.zeros(len(phi))
    found[present] = tilt.weights
    warn_unsolved(tilt.residual)
    return MomentProjection(
        weights=found,
        names=names,
        targets=wanted,
        before=mass @ phi,
        after=tilt.moments * signs,
        multipliers=tilt.multipliers * signs,
        kl=tilt.kl,
        duality_gap=max(tilt.kl - tilt.dual_value, 0.0),
        residual=tilt.residual,
        effective_sample_size=effective_share(found, mass),
        converged=tilt.residual <= ACCEPTED,
        n_iter=tilt.n_iter,
    )


def _numbers(moments: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return numeric columns as they are, booleans as 0/1; refuse text and missing cells."""
    plain = isinstance(moments, np.ndarray) and moments.dtype == np.float64 and moments.ndim == 2
    if plain and moments.size and np.isfinite(moments.sum()):  # no copy of a large array
        return moments, tuple(f"x{j}" for j in range(moments.shape[1]))
    table = as_table(moments, name="moments")
    columns = []
    for column in table:
        if column.missing.any():
            raise InputError(
                f"moments: column {column.name!r} has {int(column.missing.sum())} missing value(s)."
            )
        if column.kind == "categorical":
            raise InputError(
                f"moments: column {column.name!r} holds text; pass one 0/1 column per category."
            )
        columns.append(column.values.astype(np.float64))
    return np.column_stack(columns), table.names


def _kinds(kind: Any, n: int) -> np.ndarray:
    kinds = [kind] * n if isinstance(kind, str) else list(kind)
    for one in kinds:
        check_option(one, KINDS, "kind")
    if len(kinds) != n:
        raise InputError(f"kind has {len(kinds)} values, but there are {n} moments.")
    return np.array(kinds)


def _check_reach(
    phi: np.ndarray, targets: np.ndarray, kinds: np.ndarray, names: tuple[str, ...]
) -> None:
    """Name the moments whose target no reweighting can reach even alone."""
    low, high = phi.min(axis=0), phi.max(axis=0)
    slack = 1e-12 * np.maximum(1.0, np.abs(targets))
    above = (targets > high + slack) & (kinds != "at_most")
    below = (targets < low - slack) & (kinds != "at_least")
    unreachable = [name for name, bad in zip(names, above | below, strict=True) if bad]
    if unreachable:
        raise InputError(
            f"targets: no reweighting reaches the target of {join_names(unreachable)}, which lies "
            "outside the range of that column."
        )


def effective_share(weights: np.ndarray, mass: np.ndarray) -> float:
    """Kish's share of rows, relative to the sample before the projection."""
    used = mass > 0
    return float(1.0 / (weights[used] ** 2 / mass[used]).sum())


def warn_unsolved(residual: float) -> None:
    """Warn if a constraint is still violated."""
    if residual > ACCEPTED:
        warnings.warn(
            f"The projection stopped with a violation of {residual:.1e}: the targets may lie at, "
            "or just beyond, the limit of what these rows can reach.",
            ConvergenceWarning,
            stacklevel=4,
        )
