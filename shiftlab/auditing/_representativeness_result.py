"""What a test of representativeness returns, and what a family of them returns."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shiftlab._core.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Representativeness", "RepresentativenessTest"]


@dataclass(frozen=True)
class RepresentativenessTest(Result):
    """Outcome of one test that a sample was drawn at random from a reference.

    Attributes
    ----------
    name : str
        Which test.
    statistic : float
        Its statistic; infinite where the sample is impossible.
    pvalue : float
        Probability of a statistic at least as large in a random sample.
    method : str
        How the p-value was obtained.
    effect : float
        Size of the deviation in the unit named by `effect_name`.
    effect_name : str
        What `effect` measures.
    n_sample, n_reference : int
        Rows of the sample and of the reference.
    fpc : float
        Finite-population correction: the factor by which a finite reference shrinks the variance.
    requires : str
        What the auditor has to know for this test.
    proof : bool
        Whether the test has no false alarms, so that a rejection is a proof and no estimate.
    df : float or None
        Degrees of freedom, where there are any.
    adjusted : float or None
        p-value after the correction over the family of tests; None before, and for proofs.
    note : str
        What a reader has to know; may be empty.
    """

    name: str
    statistic: float
    pvalue: float
    method: str
    effect: float
    effect_name: str
    n_sample: int
    n_reference: int
    fpc: float
    requires: str
    proof: bool = False
    df: float | None = None
    adjusted: float | None = None
    note: str = ""

    def __repr__(self) -> str:
        adjusted = "" if self.adjusted is None else f", adjusted {self.adjusted:.3g}"
        note = f"; {self.note}" if self.note else ""
        return (
            f"{self.name}: statistic = {self.statistic:.4g}, p = {self.pvalue:.3g}{adjusted} "
            f"({self.effect_name} {self.effect:.4g}; {self.method}; m = {self.n_sample}, "
            f"reference {self.n_reference}{note})"
        )


@dataclass(frozen=True)
class Representativeness(Result):
    """A family of tests with a correction for their number.

    Attributes
    ----------
    tests : tuple of RepresentativenessTest
        Proofs first, then the tests with a level.
    regime : str
        What the reference is: "full", "independent" or "features".
    alpha : float
        Level of the family.
    correction : str
        How p-values were adjusted.
    reject : bool
        Whether any test with a level rejects after adjustment.
    mismatch : bool
        Whether any proof rejects.
    skipped : tuple of str
        Tests that were asked for but need what was not given, with the reason.
    columns : tuple of RepresentativenessTest
        The tests of single columns behind the test "columns".
    """

    tests: tuple[RepresentativenessTest, ...]
    regime: str
    alpha: float
    correction: str
    reject: bool
    mismatch: bool
    skipped: tuple[str, ...] = ()
    columns: tuple[RepresentativenessTest, ...] = ()

    def __repr__(self) -> str:
        verdict = "mismatch" if self.mismatch else "rejected" if self.reject else "not rejected"
        lines = [
            f"  {t.name}: p = {t.pvalue:.3g}"
            + ("" if t.adjusted is None else f", adjusted {t.adjusted:.3g}")
            for t in self.tests[:15]
        ]
        more = [f"  and {len(self.tests) - 15} more"] if len(self.tests) > 15 else []
        head = f"Representativeness {verdict} (regime {self.regime!r}, alpha {self.alpha})"
        return "\n".join([head, *lines, *more])

    def __getitem__(self, name: str) -> RepresentativenessTest:
        for test in self.tests:
            if test.name == name:
                return test
        raise KeyError(name)

    def rejects(self, test: RepresentativenessTest) -> bool:
        """Tell whether one of the tests rejects.

        Parameters
        ----------
        test : RepresentativenessTest
            One of `tests`.

        Returns
        -------
        bool
        """
        if test.proof:
            return test.statistic > 0
        return test.adjusted is not None and test.adjusted <= self.alpha

    def with_proof(self, test: RepresentativenessTest) -> "Representativeness":
        """Return the family with a further test that has no false alarms.

        Parameters
        ----------
        test : RepresentativenessTest
            The test.

        Returns
        -------
        Representativeness
        """
        found = self.mismatch or test.statistic > 0
        return replace(self, tests=(test, *self.tests), mismatch=found)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per test."""
        import pandas as pd

        return pd.DataFrame([_line(test) for test in self.tests])

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the p-value of each test on a logarithmic scale, with the level.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        from shiftlab.auditing._representativeness_plot import plot_pvalues

        return plot_pvalues(self, ax)


def _line(test: RepresentativenessTest) -> dict[str, Any]:
    keys = (
        "name", "statistic", "df", "pvalue", "adjusted", "effect_name", "effect", "proof",
        "method", "n_sample", "n_reference", "fpc", "requires", "note",
    )  # fmt: skip
    return {key: getattr(test, key) for key in keys}
