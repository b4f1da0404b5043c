"""Fairness manipulation: how it is done, how it is detected, and how an audit is planned.

Projections move a data set to a fairness target at the smallest cost; strategies turn them into
manipulated samples, so that auditors can try their own procedure; representativeness tests,
frontier and planner say what such a sample cannot hide.
"""

from shiftlab.auditing._entropic import entropic_projection
from shiftlab.auditing._entropic_moments import moment_projection
from shiftlab.auditing._entropic_result import EntropicProjection, MomentProjection

__all__ = [
    "EntropicProjection",
    "MomentProjection",
    "entropic_projection",
    "moment_projection",
]
