"""How the functions of shiftlab.independence are called."""

import numpy as np

RNG = np.random.default_rng(0)
X, Y, Z = RNG.normal(size=40), RNG.normal(size=40), RNG.normal(size=(40, 2))

CALLS = {
    "independence_test": ((X, Y, Z), {}),
    "named_test": (("fisher_z",), {}),
    "regression_residuals": ((X, {"z": Y}), {"within": (Y > 0).astype(int)}),
}
