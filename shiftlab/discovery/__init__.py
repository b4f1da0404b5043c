"""Causal discovery from data whose mechanisms change between environments or along time.

`CDNOD` finds the graph, the changing variables, directions and driving forces.
"""

from shiftlab.discovery._bootstrap import BootstrapDiscovery, BootstrapSupport, EdgeSupport
from shiftlab.discovery._cdnod import CDNOD
from shiftlab.discovery._change_point import ChangePoint, ChangePoints, change_points
from shiftlab.discovery._driving_force import DrivingForce
from shiftlab.discovery._mechanism_change import (
    MechanismChange,
    MechanismChanges,
    mechanism_changes,
)
from shiftlab.discovery._pair import IndependentChanges, driving_force, independent_changes
from shiftlab.discovery._result import DiscoveryResult, EdgeReason

__all__ = [
    "CDNOD",
    "BootstrapDiscovery",
    "BootstrapSupport",
    "ChangePoint",
    "ChangePoints",
    "DiscoveryResult",
    "DrivingForce",
    "EdgeReason",
    "EdgeSupport",
    "IndependentChanges",
    "MechanismChange",
    "MechanismChanges",
    "change_points",
    "driving_force",
    "independent_changes",
    "mechanism_changes",
]
