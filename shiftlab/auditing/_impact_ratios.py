"""The bias audit of New York City's Local Law 144: selection rates and impact ratios.

Section 5-301 of title 6 of the Rules of the City of New York asks for selection (or scoring) rates
and impact ratios by sex, by race or ethnicity, and by their intersections, each against the most
selected category. Categories of less than 2% of the data may be left out of the ratio, but their
number and rate are shown; the number of people in no known category is stated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.frames import as_table
from shiftlab._core.results import Result
from shiftlab._core.validation import JOINER, check_binary, split_columns
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImpactRatio", "ImpactRatioTable", "impact_ratios"]


@dataclass(frozen=True)
class ImpactRatio:
    """One line of the table.

    Attributes
    ----------
    feature, category : str
        What the category belongs to, and its name.
    n, selected : int or None
        People and selected people; None where hidden.
    rate : float or None
        Selection rate or scoring rate.
    ratio : float or None
        Rate divided by the highest rate; None where the category is left out.
    note : str
        Why something is missing.
    """

    feature: str
    category: str
    n: int | None
    selected: int | None
    rate: float | None
    ratio: float | None
    note: str = ""


@dataclass(frozen=True)
class ImpactRatioTable(Result):
    """Selection rates and impact ratios by category.

    Attributes
    ----------
    lines : tuple
        One per category.
    unknown : dict of str to int
        People without a known category, by feature.
    kind : {"selection", "scoring"}
        Whether rates are shares selected, or shares scored above the median.
    n : int
        People in the data.
    """

    lines: tuple[ImpactRatio, ...]
    unknown: dict[str, int]
    kind: str
    n: int

    def __repr__(self) -> str:
        head = f"ImpactRatioTable({self.kind} rates, {self.n} people)"
        lines = [
            f"  {line.feature}, {line.category}: "
            + (line.note if line.rate is None else f"rate {line.rate:.1%}, ratio {_text(line)}")
            for line in self.lines[:20]
        ]
        return "\n".join([head, *lines])

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per category."""
        import pandas as pd

        names = ("feature", "category", "n", "selected", "rate", "ratio", "note")
        return pd.DataFrame([{name: getattr(line, name) for name in names} for line in self.lines])


def _text(line: ImpactRatio) -> str:
    return line.note if line.ratio is None else f"{line.ratio:.2f}"


def impact_ratios(
    data: Any,
    sensitive_features: str | Sequence[str],
    *,
    decision: str | None = None,
    score: str | None = None,
    pos_label: Any = None,
    exclude_below: float = 0.02,
    min_count: int = 0,
    unknown: Sequence[str] = ("unknown",),
) -> ImpactRatioTable:
    """Tabulate selection rates and impact ratios as Local Law 144 asks for.

    Parameters
    ----------
    data : data frame, mapping of columns, array or GroupCounts
        One row per person, or counts of decisions by group.
    sensitive_features : str or sequence of str
        Columns with the categories; with two or more, their intersection is added. Ignored for
        counts, which carry theirs.
    decision : str, optional
        Column with the selection.
    score : str, optional
        Column with a score, instead of `decision`: the rate is the share above the median of all
        scores.
    pos_label : object, optional
        The value that means selected; 1 by default.
    exclude_below : float, default 0.02
        Categories with a smaller share of the data are left out of the ratios.
    min_count : int, default 0
        Categories with fewer people are hidden, and the next smallest of the feature with them.
    unknown : sequence of str, default ("unknown",)
        Labels that mean "not known", besides missing cells.

    Returns
    -------
    ImpactRatioTable

    Raises
    ------
    InputError
        If neither or both of decision and score are given, or a column does not exist.

    Examples
    --------
    >>> from shiftlab.auditing import impact_ratios
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["Male", "Female"], "n": [92, 76], "selected": [50, 34]}
    >>> impact_ratios(GroupCounts.from_frame(table, "sex"), "sex")
    ImpactRatioTable(selection rates, 168 people)
      sex, Female: rate 44.7%, ratio 0.82
      sex, Male: rate 54.3%, ratio 1.00
    """
    check_integer(min_count, "min_count", minimum=0)
    if not 0 <= exclude_below < 1:
        raise InputError(f"exclude_below must lie between 0 and 1, found {exclude_below!r}.")
    counts = data
    if not isinstance(data, GroupCounts):
        counts = _count(data, split_columns(sensitive_features), decision, score, pos_label)
    hidden = {str(label) for label in unknown} | {_MISSING}
    features = [(name,) for name in counts.names]
    features += [counts.names] if len(counts.names) > 1 else []
    lines: list[ImpactRatio] = []
    missing = {}
    for names in features:
        part = counts.margin(*names)
        known = np.array([not set(map(str, group)) & hidden for group in part.groups])
        if len(names) == 1:
            missing[names[0]] = int(part.n[~known].sum())
        if known.any():
            lines += _lines(part.keep(known), JOINER.join(names), exclude_below, min_count)
    kind = "scoring" if score is not None else "selection"
    return ImpactRatioTable(tuple(lines), missing, kind, int(counts.n.sum()))


_MISSING = "(missing)"


def _count(
    data: Any,
    features: Sequence[str],
    decision: str | None,
    score: str | None,
    pos_label: Any,
) -> GroupCounts:
    if (decision is None) == (score is None):
        raise InputError("Name the column with the decision or the one with the score.")
    table = as_table(data, name="data")
    groups = {}
    for name in features:
        labels = table[name].as_categorical().labels()
        groups[name] = np.array([_MISSING if v is None else str(v) for v in labels], dtype=object)
    if decision is not None:
        chosen = check_binary(table[decision], decision, pos_label=pos_label)[0]
    else:
        column = table[str(score)]
        if not column.is_number or column.missing.any():
            raise InputError(f"score: column {score!r} must be numeric, without missing cells.")
        chosen = column.values > np.median(column.values)
    return GroupCounts.from_rows(chosen, groups)


def _lines(
    counts: GroupCounts, feature: str, exclude_below: float, min_count: int
) -> list[ImpactRatio]:
    shares = counts.n / counts.n.sum()
    rates = counts.selected / counts.n
    rated = shares >= exclude_below
    best = rates[rated].max() if rated.any() else 0.0
    small = counts.n < min_count
    if small.sum() == 1 and len(counts) > 1:
        # One hidden line would follow from the total.
        order = np.argsort(np.where(small, np.iinfo(np.int64).max, counts.n), kind="stable")
        small = small | (np.arange(len(counts)) == order[0])
    lines = []
    for i, label in enumerate(counts.labels):
        if small[i]:
            lines.append(ImpactRatio(feature, str(label), None, None, None, None, "not shown"))
            continue
        ratio, note = None, ""
        if not rated[i]:
            note = f"left out of the ratios (below {exclude_below:.0%} of the data)"
        elif best > 0:
            ratio = float(rates[i] / best)
        else:
            note = "nobody was selected"
        n, chosen = int(counts.n[i]), int(counts.selected[i])
        lines.append(ImpactRatio(feature, str(label), n, chosen, float(rates[i]), ratio, note))
    return lines
