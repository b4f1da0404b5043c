"""Explanations of black boxes, and whether they are equally faithful to every group of people."""

from shiftlab.explanation._attribution import DisparityAttribution, attribute_disparity
from shiftlab.explanation._decomposition import GapDecomposition, decompose_gap
from shiftlab.explanation._disparity import ExplanationDisparity, explanation_disparity
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._fidelity import GroupFidelity, fidelity_gap, group_fidelity
from shiftlab.explanation._gradients import IntegratedGradientsExplainer, SmoothGradExplainer
from shiftlab.explanation._kernel_shap import KernelShapExplainer
from shiftlab.explanation._lime import LimeExplainer
from shiftlab.explanation._locality import DisparityComparison, compare_mitigations, locality_curve
from shiftlab.explanation._models import ModelFunction
from shiftlab.explanation._network import NetworkClassifier
from shiftlab.explanation._refit import RefitDisparity, refit_disparity
from shiftlab.explanation._scores import explanation_scores, truth_scores
from shiftlab.explanation._shap_wrappers import ShapExplainer
from shiftlab.explanation._split import GapSplit, split_gap
from shiftlab.explanation._study import ExplanationDisparityStudy, one_at_a_time
from shiftlab.explanation._study_cell import StudyCell
from shiftlab.explanation._study_config import ConfiguredStudy, study_from_config
from shiftlab.explanation._study_result import DisparityStudyResult
from shiftlab.explanation._surrogates import GlobalSurrogate
from shiftlab.explanation._worlds_base import World, WorldData
from shiftlab.explanation._worlds_mechanisms import MechanismWorld
from shiftlab.explanation._worlds_objectives import (
    ConceptShiftWorld,
    CovariateShiftWorld,
    OmittedVariableWorld,
    SampleImbalanceWorld,
)
from shiftlab.explanation._worlds_table import TableWorld, adult_world

__all__ = [
    "ConceptShiftWorld",
    "ConfiguredStudy",
    "CovariateShiftWorld",
    "DisparityAttribution",
    "DisparityComparison",
    "DisparityStudyResult",
    "Explanation",
    "ExplanationDisparity",
    "ExplanationDisparityStudy",
    "GapDecomposition",
    "GapSplit",
    "GlobalSurrogate",
    "GroupFidelity",
    "IntegratedGradientsExplainer",
    "KernelShapExplainer",
    "LimeExplainer",
    "MechanismWorld",
    "ModelFunction",
    "NetworkClassifier",
    "OmittedVariableWorld",
    "RefitDisparity",
    "SampleImbalanceWorld",
    "ShapExplainer",
    "SmoothGradExplainer",
    "StudyCell",
    "TableWorld",
    "World",
    "WorldData",
    "adult_world",
    "attribute_disparity",
    "compare_mitigations",
    "decompose_gap",
    "explanation_disparity",
    "explanation_scores",
    "fidelity_gap",
    "group_fidelity",
    "locality_curve",
    "one_at_a_time",
    "refit_disparity",
    "split_gap",
    "study_from_config",
    "truth_scores",
]
