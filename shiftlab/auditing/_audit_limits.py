"""What an audit cannot tell, in plain words."""

from collections.abc import Sequence
from math import isfinite

from shiftlab.auditing._audit_metrics import Compliance
from shiftlab.auditing._audit_outlook import FeatureOutlook
from shiftlab.auditing._representativeness_result import Representativeness

__all__ = ["limits_of"]

_BY_REGIME = {
    "full": (
        "The reference is taken to be the whole population. Whoever holds it can compute the "
        "metric directly; the tests say whether the sample can be trusted beside it.",
        "Manipulation that was made before the reference was recorded is not visible here.",
    ),
    "independent": (
        "The reference is itself a random sample, so rows cannot be looked up: moved, invented or "
        "repeated rows are visible only through distributions.",
    ),
    "features": (
        "Only covariates are known. Stealthily biased sampling picks genuine rows by their "
        "decisions and keeps the covariates as they are: no test on covariates has power against "
        "it, and little against other ways of picking genuine rows. Ask for decisions, for "
        "queries to the model, or draw the sample yourself after a commitment.",
    ),
}


def limits_of(
    regime: str,
    found: Representativeness,
    outlook: Sequence[FeatureOutlook],
    compliance: Sequence[Compliance],
) -> tuple[str, ...]:
    """Collect the sentences that apply."""
    names = {test.name for test in found.tests}
    limits = list(_BY_REGIME[regime])
    if "membership" not in names and regime != "independent":
        limits.append("Rows were not compared (counts were given): invented rows are not visible.")
    if "model_consistency" not in names:
        limits.append(
            "The model was not queried: decisions that were changed without changing the row are "
            "visible only where the row can be looked up."
        )
    for part in outlook:
        limits += _of_outlook(part, compliance)
    if not found.reject and not found.mismatch:
        limits.append(
            "No rejection is no proof of honesty: it says that a random sample could look like "
            "this one."
        )
    limits.append(
        "A test has its level for one submission. For repeated submissions use e-values, or draw "
        "the sample after a commitment."
    )
    return tuple(limits)


def _of_outlook(part: FeatureOutlook, compliance: Sequence[Compliance]) -> list[str]:
    if part.note:
        return [f"{part.feature}: {part.note}."]
    best = min(part.highest_g, part.highest_directional)
    if not isfinite(best):
        return [f"{part.feature}: at this sample size any value can be shown undetected."]
    text = (
        f"{part.feature}: at this sample size a value up to {best:.3g} can be shown without being "
        "detected"
    )
    known = next((c.reference_value for c in compliance if c.feature == part.feature), None)
    if known is not None and isfinite(known):
        text += f", though the reference has {known:.3g}"
    return [text + "."]
