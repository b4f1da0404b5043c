"""One door: a test by name, asked once."""

from typing import Any

from shiftlab._core.checks import check_option
from shiftlab.exceptions import InputError
from shiftlab.independence._contingency import ContingencyTest
from shiftlab.independence._fisher_z import FisherZ
from shiftlab.independence._gcm import GCM
from shiftlab.independence._hsic import HSIC
from shiftlab.independence._kci import KCI
from shiftlab.independence._kernel import KernelTest
from shiftlab.independence._protocol import CIResult, IndependenceTest
from shiftlab.independence._rcit import RCIT

__all__ = ["independence_test", "named_test"]

#: Options that make a class the test of a name.
TESTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "kernel": (KernelTest, {}),
    "fisher_z": (FisherZ, {}),
    "chi2": (ContingencyTest, {"statistic": "chi2"}),
    "g2": (ContingencyTest, {"statistic": "g2"}),
    "gcm": (GCM, {}),
    "kci": (KCI, {}),
    "rcit": (RCIT, {}),
    "hsic": (HSIC, {}),
}


def named_test(method: str = "kernel", **options: Any) -> IndependenceTest:
    """Return the test of a name, ready for ``test(x, y, z)`` or ``fit(table)``.

    Parameters
    ----------
    method : {"kernel", "fisher_z", "chi2", "g2", "gcm", "kci", "rcit", "hsic"}, default "kernel"
        The test.
    **options
        Options of its class.

    Returns
    -------
    IndependenceTest

    Raises
    ------
    InputError
        If there is no such test or option.

    Examples
    --------
    >>> from shiftlab.independence import named_test
    >>> named_test("g2", n_bins=4).name
    'g2'
    """
    kind, preset = TESTS[check_option(method, tuple(TESTS), "method")]
    known = {*kind.__dataclass_fields__} - {*preset}
    unknown = sorted({*options} - known)
    if unknown:
        raise InputError(
            f"The test {method!r} has no option {unknown[0]!r}; its options are: "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    made: IndependenceTest = kind(**preset, **options)
    return made


def independence_test(
    x: Any, y: Any, z: Any = None, *, method: str = "kernel", **options: Any
) -> CIResult:
    """Test whether x and y are independent, or independent given z.

    Parameters
    ----------
    x, y : array or table of shape (n_rows,) or (n_rows, k)
        Numbers or categories; several columns are tested as one variable.
    z : array or table of shape (n_rows,) or (n_rows, k), optional
        Conditioning variables; none by default.
    method : {"kernel", "fisher_z", "chi2", "g2", "gcm", "kci", "rcit", "hsic"}, default "kernel"
        The test: kernel residuals (sees any dependence), partial correlation, counts of
        categories (two statistics), mean products of residuals, the kernel test of the literature,
        random Fourier features, or the Hilbert-Schmidt criterion (nothing given).
    **options
        Options of the class of the test.

    Returns
    -------
    CIResult

    Raises
    ------
    InputError
        If the tables differ in length, cells are missing, or an option is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.independence import independence_test
    >>> rng = np.random.default_rng(1)
    >>> z = rng.normal(size=400)
    >>> x, y = z**2 + rng.normal(size=400), np.abs(z) + rng.normal(size=400)
    >>> independence_test(x, y).pvalue < 0.01, independence_test(x, y, z).pvalue > 0.05
    (True, True)
    """
    return named_test(method, **options).test(x, y, z)
