"""Independence tests by name."""

from typing import Any

from shiftlab._core.checks import check_option
from shiftlab.exceptions import InputError
from shiftlab.independence import ContingencyTest, FisherZ, IndependenceTest, KernelTest

__all__ = ["TEST_NAMES", "read_test"]

_TESTS: dict[str, Any] = {
    "kernel": KernelTest,
    "fisher_z": FisherZ,
    "contingency": ContingencyTest,
}
TEST_NAMES = tuple(_TESTS)


def read_test(ci_test: Any) -> Any:
    """Return the test of a name, or check that an object is one.

    Parameters
    ----------
    ci_test : str or IndependenceTest
        A name, or a test of `shiftlab.independence`.

    Returns
    -------
    IndependenceTest
    """
    if isinstance(ci_test, str):
        return _TESTS[check_option(ci_test, TEST_NAMES, "ci_test")]()
    if not isinstance(ci_test, IndependenceTest):
        raise InputError(
            f"ci_test must be one of {', '.join(TEST_NAMES)} or a test of shiftlab.independence, "
            f"found {type(ci_test).__name__}."
        )
    return ci_test
