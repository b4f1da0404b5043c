"""The record of an audit: two verdicts and everything they rest on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shiftlab._core.results import Result, to_plain
from shiftlab.auditing._audit_metrics import Compliance
from shiftlab.auditing._audit_outlook import FeatureOutlook
from shiftlab.auditing._representativeness_result import Representativeness
from shiftlab.metrics import GroupFairness

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["AuditRecord"]


@dataclass(frozen=True)
class AuditRecord(Result):
    """Outcome of `ManipulationAudit.run`.

    Attributes
    ----------
    compliance : {"pass", "fail", "inconclusive"}
        Whether the sample meets the threshold: the worst verdict over the sensitive features.
    integrity : {"clean", "suspect", "mismatch", "untested"}
        "mismatch" if a test without false alarms found an exception, "suspect" if a test with a
        level rejects, "clean" otherwise; "untested" without a reference.
    metric : str
        What was claimed.
    threshold : float
        Least value that complies.
    by_feature : tuple
        For each sensitive feature: verdict, reason, value with interval, value in the reference.
    representativeness : Representativeness or None
        The tests.
    fairness : GroupFairness
        Rates and disparities of the sample.
    outlook : tuple
        For each feature: best undetected metric at this sample size, and required sample sizes.
    limits : tuple of str
        What the audit cannot tell.
    n_sample, n_reference : int
        Rows; the reference has 0 where there is none.
    """

    compliance: str
    integrity: str
    metric: str
    threshold: float
    by_feature: tuple[Compliance, ...]
    representativeness: Representativeness | None
    fairness: GroupFairness
    outlook: tuple[FeatureOutlook, ...]
    limits: tuple[str, ...]
    n_sample: int
    n_reference: int

    def __repr__(self) -> str:
        against = f" against {self.n_reference}" if self.n_reference else ""
        lines = [
            f"AuditRecord: compliance {self.compliance}, integrity {self.integrity} "
            f"({self.n_sample} rows{against})"
        ]
        for part in self.by_feature[:6]:
            truth = (
                "" if part.reference_value is None else f", reference {part.reference_value:.4g}"
            )
            lines.append(
                f"  {part.feature}: {self.metric} = {part.value:.4g} [{part.low:.4g}, "
                f"{part.high:.4g}]{truth}: {part.verdict}"
            )
        found = self.representativeness
        for test in found.tests[:12] if found else ():
            word = "REJECTS" if found and found.rejects(test) else "passes"
            value = test.pvalue if test.adjusted is None else test.adjusted
            lines.append(f"  {test.name}: {word} (p = {value:.3g})")
        return "\n".join(lines)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per test; one per metric where nothing was tested."""
        if self.representativeness is None:
            return self.fairness.to_frame()
        return self.representativeness.to_frame()

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return {
            "verdict": {"compliance": self.compliance, "integrity": self.integrity},
            "metric": self.metric,
            "threshold": self.threshold,
            "by_feature": to_plain(self.by_feature),
            "representativeness": to_plain(self.representativeness),
            "fairness": self.fairness.to_dict(),
            "outlook": to_plain(self.outlook),
            "limits": list(self.limits),
            "n_sample": self.n_sample,
            "n_reference": self.n_reference,
        }

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the p-value of each test; the rates of the groups where nothing was tested.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        if self.representativeness is None:
            return self.fairness.plot(ax)
        return self.representativeness.plot(ax)
