"""What a fairness metric returns: a value with its interval, and the groups behind it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shiftlab._core.results import Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GroupEstimate", "Metric"]


@dataclass(frozen=True)
class GroupEstimate(Result):
    """The part of one group in a metric.

    Attributes
    ----------
    group : object
        Its label.
    value, low, high : float
        Estimate and interval of this group alone (rates), or of this group against the reference.
        The interval takes the reference as given.
    n : int
        Number of rows of the group that the rate is taken over.
    """

    group: Any
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Metric(Result):
    """A metric with its interval.

    Attributes
    ----------
    name : str
        Name of the function.
    feature : str
        Sensitive feature, or several joined.
    value : float
        The estimate; NaN where it is not defined, and `note` says why.
    low, high : float
        Limits of the interval.
    confidence_level : float
        Coverage that the interval aims at.
    method : str
        How the interval was obtained.
    orientation : str
        What is divided by, or subtracted from, what.
    group, reference : object
        The groups that attain `value`; None for a rate, which is pooled over the groups.
    n : int
        Number of rows behind the metric.
    by_group : tuple of GroupEstimate
        The same quantity for each group.
    note : str
        What a reader has to know; may be empty.
    """

    name: str
    feature: str
    value: float
    low: float
    high: float
    confidence_level: float
    method: str
    orientation: str
    group: Any
    reference: Any
    n: int
    by_group: tuple[GroupEstimate, ...]
    note: str = ""

    def __repr__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        return (
            f"{self.name} = {self.value:.4g} [{self.low:.4g}, {self.high:.4g}] "
            f"({self.orientation}; {self.confidence_level:.0%} {self.method}, n = {self.n}{note})"
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one line for the metric and one per group."""
        import pandas as pd

        head = {
            "metric": self.name,
            "feature": self.feature,
            "group": self.group,
            "reference": self.reference,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
        }
        lines = [
            head
            | {"group": part.group, "value": part.value, "low": part.low, "high": part.high}
            | {"n": part.n}
            for part in self.by_group
        ]
        frame = pd.DataFrame([head, *lines])
        frame.insert(2, "scope", ["metric", *["group"] * len(lines)])
        return frame
