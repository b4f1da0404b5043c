"""The lines of the fairness tables: which groups, what is hidden, rates and disparities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.validation import JOINER
from shiftlab.exceptions import InputError
from shiftlab.metrics._counts import GroupCounts
from shiftlab.metrics._disparity import disparity
from shiftlab.metrics._inference import Inference
from shiftlab.metrics._intervals import rate_interval
from shiftlab.metrics._rates import rate_sums
from shiftlab.metrics._suppression import hide_small

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALL", "POOLED", "FairnessTable", "build_tables", "group_lines", "metric_lines"]

#: Environment of the lines over all environments, and feature and group of the totals.
POOLED = "pooled"
ALL = "(all)"

#: Name, kind and rates of the disparities; those after the first two need the outcome.
DISPARITIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("disparate_impact", "ratio", ("selection_rate",)),
    ("demographic_parity_difference", "difference", ("selection_rate",)),
    ("equal_opportunity_difference", "difference", ("true_positive_rate",)),
    ("false_positive_rate_difference", "difference", ("false_positive_rate",)),
    ("equalized_odds_difference", "difference", ("true_positive_rate", "false_positive_rate")),
    ("accuracy_difference", "difference", ("accuracy",)),
)


@dataclass(frozen=True, eq=False)
class FairnessTable:
    """Groups of one feature in one environment; no feature means the total.

    Attributes
    ----------
    environment : object
        Label, or `POOLED`.
    feature : tuple of str
        Features whose combinations are the groups.
    counts : GroupCounts
        Their counts.
    members : list of ndarray
        Finest cells of each group.
    hidden : ndarray of bool
        Groups that are not shown.
    """

    environment: Any
    feature: tuple[str, ...]
    counts: GroupCounts
    members: list[np.ndarray]
    hidden: np.ndarray

    @property
    def name(self) -> str:
        """Name of the feature in the tables."""
        return JOINER.join(self.feature) if self.feature else ALL


def build_tables(
    counts: GroupCounts, features: Sequence[tuple[str, ...]], min_count: int
) -> list[FairnessTable]:
    """Tabulate the totals and each feature, pooled and by environment, and hide small groups."""
    scopes: list[tuple[Any, np.ndarray]] = [(POOLED, np.arange(len(counts)))]
    if "environment" in counts.names:
        where = counts.names.index("environment")
        labels = [group[0] for group in counts.margin("environment").groups]
        if any(str(label) == POOLED for label in labels):
            raise InputError(
                f"environment: the label {POOLED!r} is the name of the lines over all "
                "environments. Rename that environment."
            )
        of_cell = [group[where] for group in counts.groups]
        scopes += [(e, np.flatnonzero([cell == e for cell in of_cell])) for e in labels]
    tables = [
        _tabulate(counts, environment, feature, cells)
        for environment, cells in scopes
        for feature in ((), *features)
    ]
    members = [cells for table in tables for cells in table.members]
    lengths = [len(table.members) for table in tables]
    sizes = np.array([int(counts.n[cells].sum()) for cells in members])
    own = np.split(np.arange(len(members)), np.cumsum(lengths)[:-1])
    is_total = np.repeat([not table.feature for table in tables], lengths)
    # The groups of a table are disjoint, and so are those of one feature over all environments.
    stride = 1 + len(features)
    across = [np.concatenate(own[stride + i :: stride]) for i in range(stride) if len(scopes) > 1]
    hidden = np.split(
        hide_small(members, sizes, is_total, [*own, *across], min_count), np.cumsum(lengths)[:-1]
    )
    return [replace(table, hidden=part) for table, part in zip(tables, hidden, strict=True)]


def _tabulate(
    counts: GroupCounts, environment: Any, feature: tuple[str, ...], cells: np.ndarray
) -> FairnessTable:
    mask = np.zeros(len(counts), dtype=bool)
    mask[cells] = True
    scope = counts.keep(mask)
    if not feature:
        names = (counts.names[0],)
        whole = scope.margin(*names)
        total = replace(whole.keep([]), groups=((ALL,),), **_summed(whole))
        return FairnessTable(environment, (), total, [cells], np.zeros(1, dtype=bool))
    margin = scope.margin(*feature)
    where = [counts.names.index(name) for name in feature]
    of_cell = [tuple(counts.groups[cell][i] for i in where) for cell in cells]
    members = [cells[[key == group for key in of_cell]] for group in margin.groups]
    return FairnessTable(environment, feature, margin, members, np.zeros(len(margin), dtype=bool))


def _summed(counts: GroupCounts) -> dict[str, Any]:
    names = ("counts", "weights", "squared_weights")
    tables = {name: getattr(counts, name) for name in names}
    return {
        name: None if table is None else table.sum(axis=0, keepdims=True)
        for name, table in tables.items()
    }


def group_lines(
    tables: Sequence[FairnessTable], confidence_level: float, min_count: int
) -> "pd.DataFrame":
    """One line per group: counts, rates and intervals; missing where hidden."""
    import pandas as pd

    parts = []
    for table in tables:
        counts = table.counts
        columns: dict[str, Any] = {
            "environment": [table.environment] * len(counts),
            "feature": [table.name] * len(counts),
            "group": list(counts.labels),
            "n": pd.array(counts.n, dtype="Int64"),
            "selected": pd.array(counts.selected, dtype="Int64"),
        }
        columns["n"][table.hidden] = pd.NA
        columns["selected"][table.hidden] = pd.NA
        for rate, names in _RATE_COLUMNS.items():
            values = _rates(table, rate, confidence_level, min_count)
            columns |= dict(zip(names, values, strict=True))
        columns["suppressed"] = table.hidden
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


_RATE_COLUMNS = {
    "selection_rate": ("rate", "low", "high"),
    "true_positive_rate": ("tpr", "tpr_low", "tpr_high"),
    "false_positive_rate": ("fpr", "fpr_low", "fpr_high"),
}


def _rates(
    table: FairnessTable, rate: str, confidence_level: float, min_count: int
) -> tuple[np.ndarray, ...]:
    if rate != "selection_rate" and not table.counts.has_outcome:
        return tuple(np.full(len(table.counts), np.nan) for _ in range(3))
    sums = rate_sums(table.counts, rate)
    low, high = rate_interval(*sums.effective(), confidence_level=confidence_level)
    shown = ~table.hidden & (sums.rows >= min_count) & (sums.trials > 0)
    return tuple(np.where(shown, values, np.nan) for values in (sums.rate, low, high))


def metric_lines(
    table: FairnessTable,
    references: Mapping[tuple[str, ...], Any],
    min_count: int,
    inference: Inference,
) -> list[dict[str, Any]]:
    """One line per disparity of one table; none for the totals."""
    if not table.feature:
        return []
    lines = []
    for name, kind, rates in DISPARITIES:
        if not table.counts.has_outcome and rates != ("selection_rate",):
            continue
        enough = [rate_sums(table.counts, rate).rows >= min_count for rate in rates]
        shown = ~table.hidden & np.logical_and.reduce(enough)
        lines.append(
            {"environment": table.environment, "feature": table.name, "metric": name}
            | _metric_line(table, shown, name, kind, rates, references[table.feature], inference)
        )
    return lines


def _metric_line(
    table: FairnessTable,
    shown: np.ndarray,
    name: str,
    kind: str,
    rates: tuple[str, ...],
    reference: Any,
    inference: Inference,
) -> dict[str, Any]:
    counts = table.counts.keep(shown)
    n_left_out = int((~shown).sum())
    notes = [f"{n_left_out} of {len(shown)} groups left out: small counts"] if n_left_out else []
    options = replace(inference, method=inference.method if inference.method == "bootstrap" else "")
    if isinstance(reference, tuple) and reference not in counts.groups:
        notes.append("the reference group is absent or hidden here")
        values: dict[str, Any] = dict.fromkeys(("value", "low", "high"), np.nan)
        values |= {"method": "", "group": None, "reference": JOINER.join(map(str, reference))}
        return values | {"n": int(counts.n.sum()), "note": "; ".join(notes)}
    metric = disparity(counts, rates, kind, name, reference, options)
    if metric.note:
        notes.append(metric.note)
    kept = ("value", "low", "high", "method", "group", "reference", "n")
    return {key: getattr(metric, key) for key in kept} | {"note": "; ".join(notes)}
