"""How the functions of generalization and of its evolving worlds are called."""

from functools import cache

import numpy as np

SMALL = {"n_domains": 3, "n_per_domain": 20}


@cache
def rows():
    rng = np.random.default_rng(0)
    group, time = rng.integers(0, 2, 120), np.repeat(np.arange(4), 30)
    X = rng.normal(size=(120, 2)) + group[:, None]
    return X, (X[:, 0] > 0).astype(int), group, time


@cache
def fitted():
    from sklearn.linear_model import LogisticRegression

    from shiftlab.generalization import BaselineClassifier

    X, Y, _, _ = rows()
    return BaselineClassifier("blind", estimator=LogisticRegression()).fit(X, Y)


X, Y, GROUP, TIME = rows()
CALLS = {
    "counterfactual_bounds": ((fitted(), X, GROUP, TIME), {"n_resamples": 3}),
    "counterfactual_effects": ((fitted(), X, GROUP, TIME), {"n_resamples": 3}),
    "counterfactual_unfairness": ((X[:, 0], X[:, 1]), {"environment": TIME}),
    "evaluate_generalization": ((fitted(), X, Y, GROUP, TIME), {}),
    "make_drifting_credit": ((), SMALL),
    "make_drifting_gaussian": ((), SMALL),
    "make_evolving_people": ((), SMALL),
    "make_fair_circle": ((), SMALL),
    "make_rotating_circles": ((), SMALL),
    "make_spirals": ((), SMALL),
}
