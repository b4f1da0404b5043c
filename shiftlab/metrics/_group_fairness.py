"""The whole table at once: rates and disparities by environment, feature and intersection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shiftlab._core.names import join_names
from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab._core.results import Result, to_plain
from shiftlab._core.validation import JOINER, check_fraction, check_integer, check_option
from shiftlab.exceptions import InputError
from shiftlab.metrics._counts import GroupCounts
from shiftlab.metrics._disparity import REFERENCES, check_reference
from shiftlab.metrics._fairness_table import POOLED, build_tables, group_lines, metric_lines
from shiftlab.metrics._inference import Inference
from shiftlab.metrics._rate_metrics import read_counts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["GroupFairness", "group_fairness"]


@dataclass(frozen=True, eq=False)
class GroupFairness(Result):
    """Rates and disparities of groups, small counts hidden.

    Attributes
    ----------
    groups : pandas.DataFrame
        One line per environment ("pooled" for all together), feature and group: ``environment,
        feature, group, n, selected, rate, low, high, tpr, tpr_low, tpr_high, fpr, fpr_low,
        fpr_high, suppressed``. The feature "(all)" holds the totals. Hidden values are missing.
    metrics : pandas.DataFrame
        One line per environment, feature and metric: ``environment, feature, metric, value, low,
        high, method, group, reference, n, note``.
    confidence_level : float
        Coverage of each interval; there is no correction over the lines of the tables.
    min_count : int
        Groups with fewer rows are hidden.
    n : int
        Number of rows.
    has_outcome : bool
        Whether the true outcome was given.
    """

    groups: "pd.DataFrame"
    metrics: "pd.DataFrame"
    confidence_level: float
    min_count: int
    n: int
    has_outcome: bool

    def __repr__(self) -> str:
        pooled = self.metrics[self.metrics["environment"] == POOLED]
        lines = [
            f"  {row.feature}: {row.metric} = {row.value:.4g} [{row.low:.4g}, {row.high:.4g}]"
            for row in pooled.itertuples()
        ]
        hidden = int(self.groups["suppressed"].sum())
        note = f"  {hidden} line(s) of groups hidden (small counts)" if hidden else ""
        return "\n".join([f"GroupFairness, {self.n} rows", *lines, *filter(None, [note])])

    def to_frame(self) -> "pd.DataFrame":
        """Return the metrics."""
        return self.metrics.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return both tables as lists of records, missing values as None."""
        return {
            "groups": _records(self.groups),
            "metrics": _records(self.metrics),
            "confidence_level": self.confidence_level,
            "min_count": self.min_count,
            "n": self.n,
            "has_outcome": self.has_outcome,
        }

    def plot(self, ax: "Axes | None" = None, *, environment: Any = POOLED) -> "Axes":
        """Draw the selection rate of each group with its interval.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.
        environment : object, default "pooled"
            Which environment to draw.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InputError
            If there is no such environment.
        """
        from shiftlab.metrics._plot import plot_rates

        return plot_rates(self.groups, environment, ax)


def group_fairness(
    y_pred: Any,
    sensitive_features: Any = None,
    *,
    y_true: Any = None,
    environment: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    reference: Any = "highest",
    intersections: bool = True,
    confidence_level: float = 0.95,
    min_count: int = 10,
    method: str = "score",
    random_state: RandomState = None,
) -> GroupFairness:
    """Rates and disparities of every group, pooled and by environment, with intervals.

    Parameters
    ----------
    y_pred : array of shape (n_rows,) or GroupCounts
        Decisions (0/1, booleans, or any two values with `pos_label`), or counts of them.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), frame, mapping or Labels, optional
        Needed with rows; a frame or mapping names the features.
    y_true : array of shape (n_rows,), optional
        True outcomes; with them come true and false positive rates and their disparities.
    environment : array of shape (n_rows,), frame or Labels, optional
        Where or when each row comes from.
    sample_weight : array of shape (n_rows,), optional
        Sampling weights; `n` and `selected` still count rows.
    pos_label : object, optional
        The favourable value; 1 by default.
    reference : {"highest", "lowest", "rest"}, group label or mapping, default "highest"
        What groups are compared with, see `disparate_impact`. With several features a named
        group is given by a mapping from feature to label; features not in it use "highest".
    intersections : bool, default True
        Whether to add the groups formed by all features together.
    confidence_level : float, default 0.95
        Coverage of each interval.
    min_count : int, default 10
        Groups with fewer rows are hidden, and further lines with them, until no sum or difference
        of what is shown gives a small group back; rates over fewer rows are hidden too. Metrics of
        a table leave its hidden groups out and say so in `note`; totals and pooled groups always
        rest on all rows.
    method : {"score", "bootstrap"}, default "score"
        Interval of the disparities: score intervals, simultaneous over groups, or the bootstrap
        from counts.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the bootstrap.

    Returns
    -------
    GroupFairness

    Raises
    ------
    InputError
        If labels are missing, lengths differ, a reference is unknown, or an option is.

    Examples
    --------
    >>> from shiftlab.metrics import GroupCounts, group_fairness
    >>> table = {"sex": ["Female", "Male"], "n": [76, 92], "selected": [34, 50]}
    >>> result = group_fairness(GroupCounts.from_frame(table, "sex"))
    >>> result.metrics[["metric", "value", "group", "reference"]].round(3)
                              metric  value   group reference
    0               disparate_impact  0.823  Female      Male
    1  demographic_parity_difference -0.096  Female      Male
    """
    counts = read_counts(
        y_pred,
        sensitive_features,
        y_true,
        sample_weight=sample_weight,
        environment=environment,
        pos_label=pos_label,
    )
    check_option(method, ("score", "bootstrap"), "method")
    level = check_fraction(confidence_level, "confidence_level")
    minimum = check_integer(min_count, "min_count", minimum=0)
    features = _features(counts, intersections)
    references = _references(counts, features, reference)
    tables = build_tables(counts, features, minimum)
    seeds = spawn_seeds(random_state, len(tables))
    lines = [
        line
        for table, seed in zip(tables, seeds, strict=True)
        for line in metric_lines(
            table, references, minimum, Inference(level, method, random_state=seed)
        )
    ]
    return GroupFairness(
        groups=group_lines(tables, level, minimum),
        metrics=_metrics_frame(lines),
        confidence_level=level,
        min_count=minimum,
        n=int(counts.n.sum()),
        has_outcome=counts.has_outcome,
    )


def _features(counts: GroupCounts, intersections: bool) -> list[tuple[str, ...]]:
    names = [name for name in counts.names if name != "environment"]
    if not names:
        raise InputError("The counts have no sensitive feature, only environments.")
    features: list[tuple[str, ...]] = [(name,) for name in names]
    return [*features, tuple(names)] if intersections and len(names) > 1 else features


def _references(
    counts: GroupCounts, features: list[tuple[str, ...]], reference: Any
) -> dict[tuple[str, ...], Any]:
    """Return the checked reference of each feature; a named group becomes its tuple of labels."""
    if not isinstance(reference, Mapping):
        named = not (isinstance(reference, str) and reference in REFERENCES)
        if named and len(features) > 1:
            raise InputError(
                f"reference: there are several features, so say whose group {reference!r} is: "
                f"pass a mapping such as {{{features[0][0]!r}: {reference!r}}}."
            )
        reference = {JOINER.join(feature): reference for feature in features}
    known = {JOINER.join(feature) for feature in features}
    unknown = [name for name in reference if name not in known]
    if unknown:
        raise InputError(
            f"reference names unknown feature(s) {join_names(unknown)}; "
            f"the features are: {join_names(sorted(known))}."
        )
    checked: dict[tuple[str, ...], Any] = {}
    for feature in features:
        margin = counts.margin(*feature)
        found = check_reference(margin, reference.get(JOINER.join(feature), "highest"))
        checked[feature] = margin.groups[found] if isinstance(found, int) else found
    return checked


def _metrics_frame(lines: list[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(lines)


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    missing = frame.isna().to_numpy()
    return [
        {
            str(key): None if gone else to_plain(value)
            for key, value, gone in zip(frame.columns, row, mask, strict=True)
        }
        for row, mask in zip(frame.itertuples(index=False, name=None), missing, strict=True)
    ]
