"""Independence tests by name, or as objects, and what a search makes of their answers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from shiftlab._core.column_groups import Groups
from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.independence import KCI, IndependenceTest, KernelTest, named_test

__all__ = ["Answers", "prepare_test", "read_test"]

#: Rows that are asked first by a test whose time grows with them.
SCREEN_ROWS = 2000
#: At smaller levels a p-value that leaves no doubt might not be small enough.
LEAST_SCREENED_ALPHA = 1e-6


class Answers:
    """A test prepared for one table, all of whose answers are numbers.

    A test of the caller's own may have no p-value for a question (0 / 0). It then says nothing
    against independence: the p-value is taken as 1, and the question is kept.

    Parameters
    ----------
    tests : IndexedTest
        As the `fit` of a test returns it.
    """

    def __init__(self, tests: Any) -> None:
        self._tests = tests
        self._undefined: dict[tuple[int, ...], None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes."""
        return tuple(self._tests.names)

    @property
    def n_tests(self) -> int:
        """Questions that were computed."""
        return int(self._tests.n_tests)

    @property
    def tests_by_size(self) -> Mapping[int, int]:
        """The same by size of the conditioning set."""
        return dict(sorted(self._tests.tests_by_size.items()))

    @property
    def seconds(self) -> float:
        """CPU time of the tests."""
        return float(self._tests.seconds)

    def pvalue(self, i: int, j: int, given: Sequence[int] = ()) -> float:
        """Return the p-value of one question."""
        return self._defined(self._tests.pvalue(i, j, given), i, j, given)

    def pvalues(self, queries: Iterable[tuple[int, int, Sequence[int]]]) -> list[float]:
        """Return the p-values of many questions."""
        asked = list(queries)
        values = self._tests.pvalues(asked)
        return [self._defined(value, *query) for value, query in zip(values, asked, strict=True)]

    def effect(self, i: int, j: int, given: Sequence[int] = ()) -> float:
        """Return the size of a dependence, whatever its sign; 0 if it is undefined."""
        return float(np.nan_to_num(abs(self._tests.test(i, j, given).effect)))

    @property
    def undefined(self) -> str:
        """What was taken as independent for want of a p-value, in a sentence; or nothing."""
        asked = [query[:2] for query in (*self._undefined, *getattr(self._tests, "undefined", ()))]
        if not asked:
            return ""
        shown = [" and ".join(self.names[k] for k in pair) for pair in asked]
        return (
            f"{len(shown)} test(s) had no p-value and were taken as independence, among "
            f"{join_names(list(dict.fromkeys(shown)), 3)}. Use another test, or look for columns "
            "that leave nothing to test."
        )

    def _defined(self, value: float, i: int, j: int, given: Sequence[int]) -> float:
        if np.isfinite(value):
            return float(np.clip(value, 0.0, 1.0))
        self._undefined[min(i, j), max(i, j), *sorted(given)] = None
        return 1.0


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


def prepare_test(test: Any, table: Any, groups: Groups, missing: str, alpha: float) -> Any:
    """Fit a test to a table for a search at some level.

    Parameters
    ----------
    test : IndependenceTest
    table : table
        All nodes.
    groups : mapping of str to tuple of str
        Columns that form one variable together.
    missing : {"raise", "pairwise"}
    alpha : float

    Returns
    -------
    IndexedTest
    """
    options: dict[str, Any] = {"missing": missing}
    if groups:  # a caller's own test need not know them
        options["groups"] = groups
    if isinstance(test, (KernelTest, KCI)) and alpha >= LEAST_SCREENED_ALPHA:
        options["screen_rows"] = SCREEN_ROWS
    return test.fit(table, **options)
