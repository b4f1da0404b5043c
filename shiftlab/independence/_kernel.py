"""The default test: residuals of kernel features, cached and shared, in time linear in the rows."""

from dataclasses import dataclass
from typing import Any

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import InputError
from shiftlab.independence._base import DataTest
from shiftlab.independence._kernel_engine import KernelEngine
from shiftlab.independence._protocol import Engine
from shiftlab.independence._variables import Variable

__all__ = ["KernelTest"]


@dataclass(frozen=True)
class KernelTest(DataTest):
    r"""Kernel conditional-independence test with regressions chosen from the data.

    Numbers become normal scores, on which the Gaussian kernel has known eigenfunctions;
    categories are compared by the delta kernel. The features of x and of y are regressed on z,
    with ridge and kernel width chosen for each: first on products of functions of z, then on
    functions along the directions in which the first fit varies most (for categories: on the
    posteriors of a Gaussian discriminant rule), and within each category of z. The statistic is

    .. math:: T = \sum_{ij} k_z(z_i, z_j)\, k_x(i, j)\, k_y(i, j),

    with k_x and k_y the inner products of the residuals. Because only the product of the two
    regression errors enters, the level holds where each is moderately accurate. T is taken for a
    wide and a narrow kernel, and the two p-values are combined.

    Parameters
    ----------
    null : {"gamma", "weighted", "permutation"}, default "gamma"
        How p-values are obtained: a gamma distribution with the mean and variance of the weighted
        sum of chi-squares to which T tends; that sum itself by saddlepoint approximation, better
        for very small p-values; or resampling (permutations, within the categories of z; where z
        holds numbers, random signs of the products of residuals).
    selection : {"gcv", "marginal_likelihood"}, default "gcv"
        What ridge and width minimise: generalised cross-validation or the negative marginal
        likelihood.
    reg : float, optional
        A fixed ridge, relative to the number of rows, instead.
    width : float, default 1.0
        Width of the narrowest kernel in units of normal scores, between 0.2 and 5.
    n_features : int, default 170
        Functions of several numbers of z that all variables share in the regressions, at most.
    n_resamples : int, default 499
        Resamples of ``null="permutation"``.
    cache_bytes : int, default 1073741824
        Bound on the residuals that a fitted test keeps.
    device : str, optional
        None computes with NumPy; "cpu", "cuda" with PyTorch.
    random_state : RandomState, default 0
        Seed of the resamples; nothing else is random.

    References
    ----------
    .. [1] K. Zhang, J. Peters, D. Janzing, B. Schölkopf, "Kernel-based conditional independence
       test and application in causal discovery", UAI 2011.
    .. [2] R. D. Shah, J. Peters, "The hardness of conditional independence testing and the
       generalised covariance measure", Annals of Statistics 48, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import KernelTest
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=500)
    >>> x, y = z + rng.normal(size=500), z + rng.normal(size=500)
    >>> KernelTest().test(x, y).pvalue < 0.05, KernelTest().test(x, y, z).pvalue > 0.05
    (True, True)
    """

    null: str = "gamma"
    selection: str = "gcv"
    reg: float | None = None
    width: float = 1.0
    n_features: int = 170
    n_resamples: int = 499
    cache_bytes: int = 2**30
    device: str | None = None
    random_state: RandomState = 0

    def __post_init__(self) -> None:
        check_option(self.null, ("gamma", "weighted", "permutation"), "null")
        check_option(self.selection, ("gcv", "marginal_likelihood"), "selection")
        for name in ("n_features", "n_resamples", "cache_bytes"):
            check_integer(getattr(self, name), name)
        if self.reg is not None and not 0 < self.reg < float("inf"):
            raise InputError(f"reg must be positive and finite, found {self.reg!r}.")
        if not 0.2 <= self.width <= 5:
            raise InputError(f"width must lie between 0.2 and 5, found {self.width!r}.")
        as_seed_sequence(self.random_state)

    @property
    def name(self) -> str:
        """Short name of the test."""
        return "kernel"

    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        engine: Any = KernelEngine(self, variables)
        return engine
