"""Explanations of black boxes, and whether they are equally faithful to every group of people."""

from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._fidelity import GroupFidelity, fidelity_gap, group_fidelity
from shiftlab.explanation._lime import LimeExplainer
from shiftlab.explanation._models import ModelFunction

__all__ = [
    "Explanation",
    "GroupFidelity",
    "LimeExplainer",
    "ModelFunction",
    "fidelity_gap",
    "group_fidelity",
]
