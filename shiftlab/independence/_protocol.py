"""One protocol for every conditional-independence test, and the results it gives.

A *test* is a small frozen object that holds options (``FisherZ()``, ``KernelTest()``, ...). It can
be asked once, ``test(x, y, z)``, or prepared for many questions about one table,
``fit(table)``, which gives an `IndexedTest`: variables are then named by position or name, what a
conditioning set needs is computed once, and each answer is kept.

A variable is one column or several, and each column is a number or a category. Categories are only
ever compared for equality: the names of environments carry no order and no distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from shiftlab._core.results import Result

__all__ = ["CIResult", "Engine", "IndependenceTest", "Outcome", "Query"]

#: First variable, second variable, conditioning set: positions in the fitted table.
Query: TypeAlias = tuple[int, int, Sequence[int]]


@dataclass(frozen=True)
class CIResult(Result):
    """Whether two variables are independent given others, as one test sees it.

    Attributes
    ----------
    method : str
        The test.
    statistic : float
        Its statistic; larger (for signed statistics: further from 0) means more dependent.
    pvalue : float
        Probability of a statistic at least as extreme under independence. It is never NaN: where
        the data cannot speak (a constant variable, too few rows) it is 1 and `notes` says why.
    pvalue_method : str
        How the p-value was obtained.
    effect : float
        Standardised size of the dependence; see `effect_name` for its scale.
    effect_name : str
        What `effect` is and between which values it lies.
    x, y : str
        Names of the variables.
    given : tuple of str
        Names of the conditioning variables.
    n_rows : int
        Rows used.
    notes : tuple of str
        What a reader should know about how the data were used.
    """

    method: str
    statistic: float
    pvalue: float
    pvalue_method: str
    effect: float
    effect_name: str
    x: str
    y: str
    given: tuple[str, ...]
    n_rows: int
    notes: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What an engine finds for one question; `CIResult` adds names."""

    statistic: float
    pvalue: float
    effect: float
    notes: tuple[str, ...] = ()
    pvalue_method: str = ""


class Engine(Protocol):
    """A test prepared for the complete rows of one table."""

    effect_name: str
    pvalue_method: str

    def evaluate(self, i: int, j: int, given: tuple[int, ...]) -> Outcome:
        """Answer one question; `given` is sorted."""


@runtime_checkable
class IndependenceTest(Protocol):
    """What discovery and other users rely on."""

    @property
    def name(self) -> str:
        """Short name of the test."""

    def test(self, x: Any, y: Any, z: Any = None) -> CIResult:
        """Test x independent of y given z, from tables with equal numbers of rows."""

    def fit(self, data: Any, *, missing: str = "raise") -> Any:
        """Prepare the test for many questions about one table."""
