"""How the functions of adaptation are called."""

import numpy as np

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))

CALLS = {
    "enumerate_subset_risks": ((X, X @ [1.0, 2.0, 0.0], np.repeat([0, 1, 2], 20)), {}),
    "observed_causes": (({"y": ["a", "b"]}, "y"), {}),
    "simulate_environments": (("broken_proxies", 3), {"n_rows": 10}),
}
