"""Fairness manipulation: how it is done, how it is detected, and how an audit is planned.

Projections move a data set to a fairness target at the smallest cost; strategies turn them into
manipulated samples, so that auditors can try their own procedure; representativeness tests,
frontier and planner say what such a sample cannot hide.
"""

__all__: list[str] = []
