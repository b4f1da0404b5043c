"""One door to all two-sample tests."""

from collections.abc import Callable
from inspect import signature
from typing import Any

from shiftlab._core.names import join_names
from shiftlab._core.random import RandomState
from shiftlab._core.validation import check_option
from shiftlab.divergence._classifier import classifier_test
from shiftlab.divergence._discrete import (
    chi_square_test,
    g_test,
    hellinger_test,
    kl_test,
    total_variation_test,
)
from shiftlab.divergence._kernel import energy_test, mmd_fourier_test, mmd_test
from shiftlab.divergence._mmd_blocks import mmd_block_test
from shiftlab.divergence._permutation import Resampling
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.divergence._univariate import ks_test
from shiftlab.divergence._wasserstein import sliced_wasserstein_test, wasserstein_test
from shiftlab.exceptions import InputError

__all__ = ["two_sample_test"]

#: Arguments of every test that the door passes on itself.
COMMON = ("x", "y", "n_resamples", "random_state")
TESTS: dict[str, Callable[..., TwoSampleResult]] = {
    "chi_square": chi_square_test,
    "classifier": classifier_test,
    "energy": energy_test,
    "g": g_test,
    "hellinger": hellinger_test,
    "kl": kl_test,
    "ks": ks_test,
    "mmd": mmd_test,
    "mmd_block": mmd_block_test,
    "mmd_fourier": mmd_fourier_test,
    "sliced_wasserstein": sliced_wasserstein_test,
    "total_variation": total_variation_test,
    "wasserstein": wasserstein_test,
}


def two_sample_test(
    x: Any,
    y: Any,
    method: str = "mmd",
    *,
    n_resamples: int | None = None,
    sampling: str = "independent",
    random_state: RandomState = None,
    **options: Any,
) -> TwoSampleResult:
    """Test whether two samples come from one distribution.

    Parameters
    ----------
    x, y : table or array with the same columns
    method : str, default "mmd"
        Numbers and categories: "mmd", "mmd_fourier", "mmd_block", "energy",
        "sliced_wasserstein", "wasserstein", "classifier". One column of numbers: "ks",
        "wasserstein". Categories (or counts): "kl", "total_variation", "hellinger", "chi_square",
        "g". The function ``<method>_test`` has the details.
    n_resamples : int, optional
        By default what the chosen test takes: 999, and 99 for "classifier", which fits a model
        anew in each. 0 for the asymptotic p-value where there is one, and for none elsewhere.
    sampling : {"independent", "without_replacement"}, default "independent"
        "without_replacement": y is a complete reference table, and the null hypothesis says that
        the rows of x are drawn from it without replacement (finite-population null).
    random_state : int, SeedSequence, Generator or RandomState, optional
    **options
        Further arguments of the chosen test, such as `kernel`, `bins` or `p`.

    Returns
    -------
    TwoSampleResult

    Raises
    ------
    InputError
        If the method is unknown, or as the chosen test says.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.divergence import two_sample_test
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(100, 2)), rng.normal(size=(100, 2)) + 1.0
    >>> two_sample_test(x[:, 0], y[:, 0], "ks", random_state=0).pvalue
    0.001

    Is the sample a fair draw from the reference? The first 40 rows of a sorted table are not.

    >>> table = np.sort(x, axis=0)
    >>> two_sample_test(table[:40, 0], table[:, 0], "ks", sampling="without_replacement",
    ...                 random_state=0).pvalue
    0.001
    """
    check_option(method, sorted(TESTS), "method")
    test = TESTS[method]
    parameters = signature(test).parameters
    known = [name for name in parameters if name not in COMMON]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise InputError(
            f"{method} takes no option {join_names(unknown)}; its options are: "
            f"{join_names(known) or 'none'}."
        )
    default = parameters["n_resamples"].default
    plan = Resampling(default if n_resamples is None else n_resamples, sampling)
    return test(x, y, n_resamples=plan, random_state=random_state, **options)
