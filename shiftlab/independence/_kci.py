"""The kernel test of Zhang et al.: exact, or low-rank by Nystroem features."""

from dataclasses import dataclass
from typing import Any

from shiftlab._core.checks import check_integer, check_option
from shiftlab.exceptions import InputError
from shiftlab.independence._base import DataTest
from shiftlab.independence._kci_exact import ExactEngine
from shiftlab.independence._kci_low_rank import LowRankEngine
from shiftlab.independence._protocol import Engine
from shiftlab.independence._variables import Variable

__all__ = ["KCI"]


@dataclass(frozen=True)
class KCI(DataTest):
    r"""Kernel conditional-independence test of the literature, with fixed widths and ridge.

    With R = reg (K_z + reg I)^-1 the statistic is the sum of all
    entries of (R K_xz R) o (R K_y R), and its mean and variance under independence are the trace
    and twice the squared Frobenius norm of the same elementwise product, so that one Cholesky
    factor and no eigenvalue is needed. The exact form takes time n^3 and memory n^2.

    Its level is not kept with several conditioning variables and more than about 1,200 rows,
    where the ridge becomes too small; `KernelTest` is the test to use, this one is for comparison.

    Parameters
    ----------
    method : {"exact", "low_rank"}, default "exact"
        "low_rank" takes the same kernels through Nystroem features, in time linear in n.
    bandwidth : {"rule", "median", "own_median"} or float, default "rule"
        Width of the Gaussian kernels on standardised columns: by the number of rows as in the
        authors' code, the median distance of z, a number, or for each variable the median distance
        of its own values. The first three serve x and y as they serve z. Categories have a delta
        kernel.
    reg : float or "gcv", default 1e-3
        Ridge of the regressions on z: a number, or chosen for x and for y by generalised
        cross-validation, which keeps the level where a fixed ridge is too small.
    drop : float, default 0.0
        Eigenvalues of a residual kernel below this share of its largest are left out under
        independence. causal-learn drops 1e-5, which moves its p-values by up to some 1e-4; only
        with ``method="exact"``.
    null : {"gamma", "weighted"}, default "gamma"
        "weighted" takes the eigenvalues of the product and a saddlepoint approximation.
    random_state : int, default 0
        Seed of the random landmarks of several columns.

    References
    ----------
    .. [1] K. Zhang, J. Peters, D. Janzing, B. Schölkopf, "Kernel-based conditional independence
       test and application in causal discovery", UAI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import KCI
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=200)
    >>> x, y = z + rng.normal(size=200), z + rng.normal(size=200)
    >>> KCI().test(x, y).pvalue < 0.01, KCI().test(x, y, z).pvalue > 0.05
    (True, True)
    """

    method: str = "exact"
    bandwidth: str | float = "rule"
    reg: str | float = 1e-3
    drop: float = 0.0
    null: str = "gamma"
    random_state: int = 0

    def __post_init__(self) -> None:
        check_option(self.method, ("exact", "low_rank"), "method")
        check_option(self.null, ("gamma", "weighted"), "null")
        if isinstance(self.bandwidth, str):
            check_option(self.bandwidth, ("rule", "median", "own_median"), "bandwidth")
        if isinstance(self.reg, str):
            check_option(self.reg, ("gcv",), "reg")
        if not 0 <= self.drop < 1 or (self.drop and self.method != "exact"):
            raise InputError(
                f"drop must be at least 0 and below 1, and needs method='exact'; found "
                f"{self.drop!r} and method={self.method!r}."
            )
        for name in ("bandwidth", "reg"):
            value = getattr(self, name)
            if not isinstance(value, str) and not 0 < value < float("inf"):
                raise InputError(f"{name} must be positive and finite, found {value!r}.")
        check_integer(self.random_state, "random_state", minimum=0)

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "kci" if self.method == "exact" else "kci_low_rank"

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        engine: Any = ExactEngine if self.method == "exact" else LowRankEngine
        made: Engine = engine(self, variables)
        return made
