"""How the functions on explanations are called."""

import numpy as np

RNG = np.random.default_rng(3)
N = 120
X = RNG.normal(size=(N, 2))
GROUP = np.tile(["a", "b"], N // 2)
F = RNG.random(N)
G = F + 0.1 * RNG.normal(size=N)


def explainer():
    from shiftlab.explanation import LimeExplainer

    return LimeExplainer(n_samples=40, n_blocks=30, random_state=0).fit(X)


def explanation():
    return explainer().explain(fitted(), X, stratify=GROUP)


def line():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def fitted():
    return line().fit(X, X[:, 0] > 0)


FEW = {"metrics": ["mae"], "n_resamples": 19}
CALLS = {
    "compare_mitigations": ((explainer(), fitted(), X, GROUP), FEW),
    "decompose_gap": ((explainer(), fitted(), X, GROUP), {**FEW, "more_draws": 2}),
    "explanation_disparity": ((explanation(), GROUP), FEW),
    "explanation_scores": ((explainer(), fitted(), X[:30]), {"n_samples": 3}),
    "fidelity_gap": ((G, GROUP), {"prediction": F}),
    "group_fidelity": ((G, GROUP), {"prediction": F}),
    "locality_curve": ((explainer(), fitted(), X, GROUP), {**FEW, "scales": (1.0, 0.2)}),
    "refit_disparity": (
        (line(), explainer(), X, F > 0.5, X, GROUP),
        {"metrics": ["mae"], "n_refits": 3},
    ),
    "split_gap": ((explanation(), GROUP, X), {"n_resamples": 19}),
    "truth_scores": ((explanation(), [1.0, 0.5]), {}),
}
