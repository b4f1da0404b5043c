"""Fairness manipulation: how it is done, how it is detected, and how an audit is planned.

Projections move a data set to a fairness target at the smallest cost; strategies turn them into
manipulated samples, so that auditors can try their own procedure; representativeness tests,
frontier and planner say what such a sample cannot hide.
"""

from shiftlab.auditing._audit import ManipulationAudit, audit_metrics
from shiftlab.auditing._audit_result import AuditRecord
from shiftlab.auditing._boundary_networks import DenseNetwork, TorchNetwork
from shiftlab.auditing._commitment import (
    Commitment,
    Opening,
    commit_table,
    commitment_test,
    draw_rows,
    open_rows,
)
from shiftlab.auditing._entropic import entropic_projection
from shiftlab.auditing._entropic_moments import moment_projection
from shiftlab.auditing._entropic_result import EntropicProjection, MomentProjection
from shiftlab.auditing._evalues import EProcess, e_value
from shiftlab.auditing._flip_audit import flip_audit
from shiftlab.auditing._flip_audit_result import FlipAudit, FlipComparison
from shiftlab.auditing._frontier import Frontier, frontier
from shiftlab.auditing._impact_ratios import ImpactRatioTable, impact_ratios
from shiftlab.auditing._lazy_counts import count_table
from shiftlab.auditing._planner import SamplePlan, plan_sample_size
from shiftlab.auditing._reference import Reference
from shiftlab.auditing._representativeness import representativeness_tests
from shiftlab.auditing._representativeness_cells import cell_distance_test, cell_test
from shiftlab.auditing._representativeness_directional import directional_test
from shiftlab.auditing._representativeness_result import Representativeness, RepresentativenessTest
from shiftlab.auditing._representativeness_rows import (
    membership_test,
    model_consistency_test,
    multiplicity_test,
)
from shiftlab.auditing._strategies import manipulate
from shiftlab.auditing._strategies_result import ManipulatedSample
from shiftlab.auditing._wasserstein import wasserstein_projection
from shiftlab.auditing._wasserstein_result import WassersteinProjection

__all__ = [
    "AuditRecord",
    "Commitment",
    "DenseNetwork",
    "EProcess",
    "EntropicProjection",
    "FlipAudit",
    "FlipComparison",
    "Frontier",
    "ImpactRatioTable",
    "ManipulatedSample",
    "ManipulationAudit",
    "MomentProjection",
    "Opening",
    "Reference",
    "Representativeness",
    "RepresentativenessTest",
    "SamplePlan",
    "TorchNetwork",
    "WassersteinProjection",
    "audit_metrics",
    "cell_distance_test",
    "cell_test",
    "commit_table",
    "commitment_test",
    "count_table",
    "directional_test",
    "draw_rows",
    "e_value",
    "entropic_projection",
    "flip_audit",
    "frontier",
    "impact_ratios",
    "manipulate",
    "membership_test",
    "model_consistency_test",
    "moment_projection",
    "multiplicity_test",
    "open_rows",
    "plan_sample_size",
    "representativeness_tests",
    "wasserstein_projection",
]
