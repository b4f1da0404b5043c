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
    integrity : {"clean", "suspect", "mismatch"}
        "mismatch" if a test without false alarms found an exception, "suspect" if a test with a
        level rejects, "clean" otherwise.
    metric : str
        What was claimed.
    threshold : float
        Least value that complies.
    by_feature : tuple
        For each sensitive feature: verdict, reason, value with interval, value in the reference.
    representativeness : Representativeness
        The tests.
    fairness : GroupFairness
        Rates and disparities of the sample.
    outlook : tuple
        For each feature: best undetected metric at this sample size, and required sample sizes.
    limits : tuple of str
        What the audit cannot tell.
    n_sample, n_reference : int
        Rows.
    """

    compliance: str
    integrity: str
    metric: str
    threshold: float
    by_feature: tuple[Compliance, ...]
    representativeness: Representativeness
    fairness: GroupFairness
    outlook: tuple[FeatureOutlook, ...]
    limits: tuple[str, ...]
    n_sample: int
    n_reference: int

    def __repr__(self) -> str:
        lines = [
            f"AuditRecord: compliance {self.compliance}, integrity {self.integrity} "
            f"({self.n_sample} rows against {self.n_reference})"
        ]
        for part in self.by_feature[:6]:
            truth = (
                "" if part.reference_value is None else f", reference {part.reference_value:.4g}"
            )
            lines.append(
                f"  {part.feature}: {self.metric} = {part.value:.4g} [{part.low:.4g}, "
                f"{part.high:.4g}]{truth}: {part.verdict}"
            )
        for test in self.representativeness.tests[:12]:
            value = test.pvalue if test.adjusted is None else test.adjusted
            bad = (test.proof and test.statistic > 0) or (
                not test.proof and value <= self.representativeness.alpha
            )
            lines.append(f"  {test.name}: {'REJECTS' if bad else 'passes'} (p = {value:.3g})")
        return "\n".join(lines)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per test."""
        return self.representativeness.to_frame()

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return {
            "verdict": {"compliance": self.compliance, "integrity": self.integrity},
            "metric": self.metric,
            "threshold": self.threshold,
            "by_feature": to_plain(self.by_feature),
            "representativeness": self.representativeness.to_dict(),
            "fairness": self.fairness.to_dict(),
            "outlook": to_plain(self.outlook),
            "limits": list(self.limits),
            "n_sample": self.n_sample,
            "n_reference": self.n_reference,
        }

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the p-value of each test.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        return self.representativeness.plot(ax)
