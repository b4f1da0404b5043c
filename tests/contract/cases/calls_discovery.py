"""Arguments of every public function of `shiftlab.discovery`."""

import numpy as np

RNG = np.random.default_rng(0)
SITE = np.repeat(np.arange(6), 30)
X = RNG.normal(size=6)[SITE] + RNG.normal(size=180)
Y = X + RNG.normal(size=6)[SITE] + RNG.normal(size=180)

GRAPH = {"x": [], "y": ["x"]}

CALLS = {
    "change_points": (({"x": X, "y": Y}, GRAPH), {"n_resamples": 19}),
    "mechanism_changes": (({"x": X, "y": Y}, GRAPH), {"environment": SITE}),
    "driving_force": ((Y, X), {"environment": SITE}),
    "independent_changes": ((X, Y, SITE), {}),
}
