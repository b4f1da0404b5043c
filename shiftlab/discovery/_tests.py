"""Independence tests by name, or as objects."""

from typing import Any

from shiftlab.exceptions import InputError
from shiftlab.independence import IndependenceTest, named_test

__all__ = ["read_test"]


def read_test(ci_test: Any) -> Any:
    """Return the test of a name, or check that an object is one.

    Parameters
    ----------
    ci_test : str or IndependenceTest
        A name that `shiftlab.independence.named_test` knows, or a test.

    Returns
    -------
    IndependenceTest
    """
    if isinstance(ci_test, str):
        try:
            return named_test(ci_test)
        except InputError as error:
            raise InputError(str(error).replace("method", "ci_test", 1)) from error
    if not isinstance(ci_test, IndependenceTest):
        raise InputError(
            "ci_test must be the name of a test or a test of shiftlab.independence, found "
            f"{type(ci_test).__name__}."
        )
    return ci_test
