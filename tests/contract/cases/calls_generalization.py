"""How the functions of generalization and of its evolving worlds are called."""

from functools import cache

import numpy as np

SMALL = {"n_domains": 3, "n_per_domain": 20}


class Fitted:
    """A model whose scores follow the first feature; twins are read from the rows."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X, sensitive_features=None, environment=None):
        score = 1 / (1 + np.exp(-np.asarray(X, dtype=float)[:, 0]))
        return np.column_stack([1 - score, score])


@cache
def rows():
    rng = np.random.default_rng(0)
    group, time = rng.integers(0, 2, 120), np.repeat(np.arange(4), 30)
    X = rng.normal(size=(120, 2)) + group[:, None]
    return X, (X[:, 0] > 0).astype(int), group, time


X, Y, GROUP, TIME = rows()
CALLS = {
    "counterfactual_effects": ((Fitted(), X, GROUP, TIME), {"n_resamples": 3}),
    "counterfactual_unfairness": ((X[:, 0], X[:, 1]), {"environment": TIME}),
    "evaluate_generalization": ((Fitted(), X, Y, GROUP, TIME), {}),
    "make_drifting_credit": ((), SMALL),
    "make_drifting_gaussian": ((), SMALL),
    "make_evolving_people": ((), SMALL),
    "make_fair_circle": ((), SMALL),
    "make_rotating_circles": ((), SMALL),
    "make_spirals": ((), SMALL),
}
