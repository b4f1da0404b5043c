"""Options of LIME, checked once, in the form that the computations need."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer, check_option
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_checks import check_positive

__all__ = ["LimeSettings", "read_settings"]

MODES = ("around", "joint", "mean", "quartile")
REDUCTIONS = ("none", "antithetic", "whitened")


@dataclass(frozen=True)
class LimeSettings:
    """Options of LIME in the form the computations need.

    Attributes
    ----------
    mode : str
        "around", "joint", "mean" or "quartile".
    n_samples : int
        Perturbations per row.
    scale : float
        Factor of the standard deviations; the kernel shrinks along with it.
    kernel_width : float
        In units of the perturbations.
    default_width : float
        The width of the lime package, to which the ridge penalty refers.
    free : tuple of int
        Columns that are perturbed.
    derived : dict of int to callable
        Columns that are recomputed from the others after each perturbation.
    variance_reduction : str
        "none", "antithetic" or "whitened".
    ridge : float
        Penalty at the default kernel.
    standard_errors : bool
        Whether to estimate the Monte-Carlo error.
    with_quadratic : bool
        Whether to fit a surrogate with squares and products beside the linear one.
    """

    mode: str
    n_samples: int
    scale: float
    kernel_width: float
    default_width: float
    free: tuple[int, ...]
    derived: dict[int, Callable[[Any], Any]] = field(default_factory=dict)
    variance_reduction: str = "whitened"
    ridge: float = 1.0
    standard_errors: bool = True
    with_quadratic: bool = False

    @property
    def n_pairs(self) -> int:
        """Number of antithetic pairs."""
        return 0 if self.variance_reduction == "none" else self.n_samples // 2


def read_settings(
    options: dict[str, Any],
    n_explained: int,
    free: tuple[int, ...],
    derived: dict[int, Callable[[Any], Any]],
) -> LimeSettings:
    """Check the constructor's options.

    Parameters
    ----------
    options : dict
        Parameters of `LimeExplainer`.
    n_explained : int
        Number of columns that get a value, to which the default kernel refers.
    free : tuple of int
        Columns that are perturbed.
    derived : dict of int to callable
        Columns that are recomputed.
    """
    n_samples = check_integer(options["n_samples"], "n_samples", minimum=2)
    check_integer(options["n_blocks"], "n_blocks")
    reduction = check_option(options["variance_reduction"], REDUCTIONS, "variance_reduction")
    mode = check_option(options["mode"], MODES, "mode")
    if reduction != "none" and n_samples % 2 and mode != "quartile":
        raise InputError(
            f"n_samples must be even with variance_reduction={reduction!r} (perturbations come in "
            f"pairs), found {n_samples}."
        )
    least = 2 * len(free) if reduction == "whitened" else len(free)
    if n_samples <= least:
        raise InputError(
            f"n_samples must be above {least} to explain {len(free)} columns, found {n_samples}."
        )
    per_row = options["scale"] != 1 or options["frozen"] or options["conditional_on"] is not None
    if mode in ("mean", "quartile") and per_row:
        raise InputError(
            "scale, frozen and conditional_on need mode='around' or 'joint'; with "
            f"{mode!r} perturbations do not depend on the row."
        )
    usual = 0.75 * np.sqrt(n_explained)
    width = usual if options["kernel_width"] is None else options["kernel_width"]
    return LimeSettings(
        mode=mode,
        n_samples=n_samples,
        scale=check_positive(options["scale"], "scale"),
        kernel_width=check_positive(width, "kernel_width"),
        default_width=float(usual),
        free=free,
        derived=derived,
        variance_reduction=reduction,
        ridge=check_positive(options["ridge"], "ridge"),
        standard_errors=bool(options["standard_errors"]),
    )
