"""What every test on data shares: one question, or many questions about one table."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from shiftlab._core.checks import check_integer, check_option
from shiftlab.independence._indexed import IndexedTest
from shiftlab.independence._protocol import CIResult, Engine
from shiftlab.independence._variables import Variable, question_variables, table_variables

__all__ = ["DataTest"]


#: Fewer rows than this tell nothing beyond doubt.
FEWEST_SCREENED = 100


class DataTest(ABC):
    """A test of data; children say how they prepare complete variables."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short name of the test."""

    def test(self, x: Any, y: Any, z: Any = None, *, missing: str = "raise") -> CIResult:
        """Test x independent of y given z.

        Parameters
        ----------
        x, y : array or table of shape (n_rows,) or (n_rows, k)
            Several columns are tested as one variable.
        z : array or table of shape (n_rows,) or (n_rows, k), optional
            Conditioning variables; none by default.
        missing : {"raise", "pairwise"}, default "raise"
            "pairwise" leaves out the rows with missing cells.

        Returns
        -------
        CIResult

        Raises
        ------
        InputError
            If the tables differ in length, or cells are missing and may not be left out.
        """
        check_option(missing, ("raise", "pairwise"), "missing")
        variables = question_variables(x, y, z)
        fitted = IndexedTest(self.name, variables, self._engine, missing=missing)
        return fitted.test(0, 1, range(2, len(variables)))

    def fit(
        self,
        data: Any,
        *,
        groups: Mapping[str, Sequence[str]] | None = None,
        missing: str = "raise",
        screen_rows: int | None = None,
    ) -> IndexedTest:
        """Prepare the test for many questions about one table.

        Parameters
        ----------
        data : table of shape (n_rows, n_columns)
            Numbers and categories.
        groups : mapping of str to sequence of str, optional
            Columns that form one variable together, by the name of that variable; every other
            column is a variable of its own.
        missing : {"raise", "pairwise"}, default "raise"
            "pairwise" uses, for each question, the rows in which its variables are complete.
        screen_rows : int, optional
            In a table of at least three times as many rows, `IndexedTest.pvalue` and
            `IndexedTest.pvalues` ask so many rows first, spread evenly over what rows hold, and
            take their p-value if it is below 1e-10: a dependence that some of the rows show beyond
            doubt needs no others. Independence is always told by all rows, and so is every answer
            of `IndexedTest.test`.

        Returns
        -------
        IndexedTest

        Raises
        ------
        InputError
            If cells are missing and may not be left out, or a group is wrong.
        """
        check_option(missing, ("raise", "pairwise"), "missing")
        if screen_rows is not None:
            check_integer(screen_rows, "screen_rows", minimum=FEWEST_SCREENED)
        variables = table_variables(data, groups)
        return IndexedTest(
            self.name, variables, self._engine, missing=missing, screen_rows=screen_rows
        )

    @abstractmethod
    def _engine(self, variables: tuple[Variable, ...]) -> Engine:
        """Prepare the test for complete variables."""
