"""One engine for ratios and differences of rates between groups.

A disparity is the most extreme of a set of comparisons: each group against a named one or against
the rest, or every pair when the reference is whichever group has the highest rate. The interval
accounts for the search. Take the smallest comparison. The smallest of the lower limits lies above
the true minimum only if the limit of the truly smallest comparison does, so it needs no correction.
The smallest of the upper limits errs as soon as any of them does, so each is taken at a Bonferroni
level. With a single pair this is the plain two-sided interval, folded where the order of the two
groups is open. Coverage is therefore at least nominal, up to that of the pairwise interval.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.metrics._comparisons import (
    Comparisons,
    Family,
    each_limits,
    limits,
    pair_all,
    pair_each,
)
from shiftlab.metrics._counts import GroupCounts
from shiftlab.metrics._inference import Inference
from shiftlab.metrics._metric import GroupEstimate, Metric

__all__ = ["REFERENCES", "check_reference", "disparity"]

REFERENCES = ("highest", "lowest", "rest")


def disparity(
    counts: GroupCounts,
    rates: Sequence[str],
    kind: str,
    name: str,
    reference: Any,
    inference: Inference,
) -> Metric:
    """Compare one rate between groups, or several at once by their largest gap without sign."""
    options = inference.checked(kind)
    wanted = check_reference(counts, reference)
    families = [Family.of(counts, rate) for rate in rates]
    usable = [family for family in families if family.can_compare(wanted)]
    notes = [note for family in families if (note := _left_out(counts, family))]
    if not usable:
        return _undefined(counts, families[0], kind, name, options, notes)
    unsigned = len(rates) > 1
    draws = [family.draw(options, i) for i, family in enumerate(usable)]
    headline = _headline(usable, kind, wanted, unsigned)
    value, low, high, best = limits(headline, usable, draws, options)
    if np.isnan(value):
        notes.append("0/0: the rate is zero in the groups compared")
    family, i, j = usable[best[0]], best[1], best[2]
    group, against = (_label(counts, family, position) for position in (i, j))
    corrected = headline.n_limits > 1 and options.method != "bootstrap"
    return Metric(
        name=name,
        feature=counts.feature,
        value=value,
        low=low,
        high=high,
        confidence_level=options.confidence_level,
        method=f"{options.method}, simultaneous" if corrected else options.method,
        orientation=_orientation(family.rate, group, against, kind, unsigned),
        group=group,
        reference=against,
        n=int(max(family.rows for family in usable)),
        by_group=_by_group(counts, usable, kind, wanted, unsigned, draws, options),
        note="; ".join(notes),
    )


def check_reference(counts: GroupCounts, reference: Any) -> str | int:
    """Return one of `REFERENCES`, or the position of the named group.

    Raises
    ------
    InputError
        If there is no such group.
    """
    if isinstance(reference, str) and reference in REFERENCES:
        return reference
    try:
        return counts.index(reference)
    except InputError as error:
        raise InputError(f"{error} Or use 'highest', 'lowest' or 'rest'.") from None


def _headline(
    families: Sequence[Family], kind: str, reference: str | int, unsigned: bool
) -> Comparisons:
    neutral: float | None
    if reference in ("highest", "lowest"):
        pairs = [pair_all(family) for family in families]
        neutral = 1.0 if kind == "ratio" else 0.0
    else:
        pairs = [pair_each(family, reference) for family in families]
        neutral = 0.0 if unsigned else None
    largest = unsigned or reference == "lowest"
    both_orders = unsigned and reference not in ("highest", "lowest")
    return Comparisons.of(pairs, kind, largest, neutral, both_orders)


def _by_group(
    counts: GroupCounts,
    families: Sequence[Family],
    kind: str,
    reference: str | int,
    unsigned: bool,
    draws: Sequence[np.ndarray | None],
    options: Inference,
) -> tuple[GroupEstimate, ...]:
    """Each group against its reference, taken as given."""
    pairs = [
        [family.against_reference(i, reference) for family in families] for i in range(len(counts))
    ]
    shown = [i for i, own in enumerate(pairs) if any(len(pair) for pair in own)]
    if unsigned:
        gaps = (Comparisons.of(pairs[i], kind, True, 0.0, True) for i in shown)
        found = [limits(gap, families, draws, options)[:3] for gap in gaps]
    else:
        joined = [np.concatenate([pairs[i][0] for i in shown])]
        every = Comparisons.of(joined, kind, False, None, False)
        found = list(zip(*each_limits(every, families, draws, options), strict=True))
    estimates = []
    for i, (value, low, high) in zip(shown, found, strict=True):
        rows = max(family.rows_of(i) for family in families)
        estimates.append(
            GroupEstimate(counts.labels[i], float(value), float(low), float(high), rows)
        )
    return tuple(estimates)


def _label(counts: GroupCounts, family: Family, position: int) -> Any:
    return counts.labels[family.groups[position]] if position < len(family.groups) else "rest"


def _orientation(rate: str, group: Any, against: Any, kind: str, unsigned: bool) -> str:
    sign = "/" if kind == "ratio" else "-"
    text = f"{rate}({group}) {sign} {rate}({against})"
    return f"|{text}|" if unsigned else text


def _left_out(counts: GroupCounts, family: Family) -> str:
    missing = [str(label) for i, label in enumerate(counts.labels) if i not in family.groups]
    if not missing:
        return ""
    names = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
    return f"{family.rate} is not defined (0/0: no rows) for: {names}"


def _undefined(
    counts: GroupCounts,
    family: Family,
    kind: str,
    name: str,
    options: Inference,
    notes: Sequence[str],
) -> Metric:
    reason = "not defined: needs two groups, and the reference, with rows to take the rate over"
    return Metric(
        name=name,
        feature=counts.feature,
        value=np.nan,
        low=np.nan,
        high=np.nan,
        confidence_level=options.confidence_level,
        method=options.method,
        orientation=_orientation(family.rate, "group", "reference", kind, False),
        group=None,
        reference=None,
        n=family.rows,
        by_group=(),
        note="; ".join([reason, *notes]),
    )
