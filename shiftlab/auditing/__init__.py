"""Fairness manipulation: how it is done, how it is detected, and how an audit is planned.

Projections move a data set to a fairness target at the smallest cost; strategies turn them into
manipulated samples, so that auditors can try their own procedure; representativeness tests,
frontier and planner say what such a sample cannot hide.
"""

from shiftlab.auditing._audit import ManipulationAudit
from shiftlab.auditing._audit_result import AuditRecord
from shiftlab.auditing._boundary_networks import DenseNetwork, TorchNetwork
from shiftlab.auditing._entropic import entropic_projection
from shiftlab.auditing._entropic_moments import moment_projection
from shiftlab.auditing._entropic_result import EntropicProjection, MomentProjection
from shiftlab.auditing._flip_audit import flip_audit
from shiftlab.auditing._flip_audit_result import FlipAudit, FlipComparison
from shiftlab.auditing._frontier import Frontier, frontier
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
    "DenseNetwork",
    "EntropicProjection",
    "FlipAudit",
    "FlipComparison",
    "Frontier",
    "ManipulatedSample",
    "ManipulationAudit",
    "MomentProjection",
    "Reference",
    "Representativeness",
    "RepresentativenessTest",
    "SamplePlan",
    "TorchNetwork",
    "WassersteinProjection",
    "cell_distance_test",
    "cell_test",
    "directional_test",
    "entropic_projection",
    "flip_audit",
    "frontier",
    "manipulate",
    "membership_test",
    "model_consistency_test",
    "moment_projection",
    "multiplicity_test",
    "plan_sample_size",
    "representativeness_tests",
    "wasserstein_projection",
]
