"""Conditional-independence tests behind one protocol.

A test is a small object with options: ``test(x, y, z)`` asks it once, ``fit(table)`` prepares it
for many questions about one table, with everything that questions share computed once.
"""

from shiftlab.independence._contingency import ContingencyTest
from shiftlab.independence._door import independence_test, named_test
from shiftlab.independence._fisher_z import FisherZ
from shiftlab.independence._gcm import GCM
from shiftlab.independence._hsic import HSIC
from shiftlab.independence._indexed import IndexedTest
from shiftlab.independence._kci import KCI
from shiftlab.independence._kernel import KernelTest
from shiftlab.independence._oracle import Oracle
from shiftlab.independence._protocol import CIResult, IndependenceTest
from shiftlab.independence._rcit import RCIT
from shiftlab.independence._residuals import regression_residuals

__all__ = [
    "GCM",
    "HSIC",
    "KCI",
    "RCIT",
    "CIResult",
    "ContingencyTest",
    "FisherZ",
    "IndependenceTest",
    "IndexedTest",
    "KernelTest",
    "Oracle",
    "independence_test",
    "named_test",
    "regression_residuals",
]
