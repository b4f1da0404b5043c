"""Structural causal models with named shifts: tables whose truth is known.

A `StructuralModel` maps names to `Node` objects (a mechanism and a noise) and environment labels to
lists of shifts. It samples tables, answers interventions and computes exact counterfactuals, and it
is data: it can be written as JSON.
"""

from shiftlab.simulation._compositions import (
    Branch,
    Custom,
    GaussianProcess,
    Product,
    Sum,
    random_tree,
)
from shiftlab.simulation._discrete import Categorical, Threshold
from shiftlab.simulation._evolving import EvolvingData
from shiftlab.simulation._evolving_circles import (
    make_fair_circle,
    make_rotating_circles,
    make_spirals,
)
from shiftlab.simulation._evolving_tables import (
    make_drifting_credit,
    make_drifting_gaussian,
    make_evolving_people,
)
from shiftlab.simulation._functions import Constant, Function, Linear, Nonlinear, Transform
from shiftlab.simulation._mechanisms import Additive, CustomMechanism, Fixed, Mechanism
from shiftlab.simulation._model import StructuralModel
from shiftlab.simulation._node import Node
from shiftlab.simulation._noise import (
    Discrete,
    Exponential,
    Gaussian,
    Laplace,
    Logistic,
    Mixture,
    Noise,
    Ramp,
    StudentT,
    Uniform,
)
from shiftlab.simulation._random_models import random_dag, random_model
from shiftlab.simulation._sampling import SimulatedData
from shiftlab.simulation._shifts import (
    CoefficientShift,
    MeanShift,
    MechanismShift,
    Missingness,
    NoiseScaleShift,
    NoiseShift,
    ScaleShift,
    Selection,
    Shift,
    evolve,
)
from shiftlab.simulation._study import Study
from shiftlab.simulation._study_result import StudyResult

__all__ = [
    "Additive",
    "Branch",
    "Categorical",
    "CoefficientShift",
    "Constant",
    "Custom",
    "CustomMechanism",
    "Discrete",
    "EvolvingData",
    "Exponential",
    "Fixed",
    "Function",
    "Gaussian",
    "GaussianProcess",
    "Laplace",
    "Linear",
    "Logistic",
    "MeanShift",
    "Mechanism",
    "MechanismShift",
    "Missingness",
    "Mixture",
    "Node",
    "Noise",
    "NoiseScaleShift",
    "NoiseShift",
    "Nonlinear",
    "Product",
    "Ramp",
    "ScaleShift",
    "Selection",
    "Shift",
    "SimulatedData",
    "StructuralModel",
    "StudentT",
    "Study",
    "StudyResult",
    "Sum",
    "Threshold",
    "Transform",
    "Uniform",
    "evolve",
    "make_drifting_credit",
    "make_drifting_gaussian",
    "make_evolving_people",
    "make_fair_circle",
    "make_rotating_circles",
    "make_spirals",
    "random_dag",
    "random_model",
    "random_tree",
]
