"""Causal and distribution-shift analytics for tabular data from several environments.

Importing this package costs milliseconds: public names are resolved on first use (PEP 562), so
that ``shiftlab --help`` and light scripts do not pay for scientific libraries they do not touch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0.dev0"

_SUBPACKAGES = (
    "adaptation",
    "auditing",
    "backends",
    "datasets",
    "discovery",
    "divergence",
    "exceptions",
    "generalization",
    "graphs",
    "independence",
    "explanation",
    "kernels",
    "metrics",
    "model_selection",
    "reporting",
    "simulation",
    "transport",
)
_PUBLIC = {
    "CDNOD": "shiftlab.discovery",
    "EnvironmentAdaptiveClassifier": "shiftlab.adaptation",
    "EnvironmentAdaptiveRegressor": "shiftlab.adaptation",
    "CounterfactuallyFairClassifier": "shiftlab.generalization",
    "CounterfactuallyFairRegressor": "shiftlab.generalization",
    "ManipulationAudit": "shiftlab.auditing",
    "audit_report": "shiftlab.reporting",
    "shift_report": "shiftlab.reporting",
    "ShiftReport": "shiftlab.reporting",
}

__all__ = ["__version__", *_SUBPACKAGES, *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return import_module(f"shiftlab.{name}")
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'shiftlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
