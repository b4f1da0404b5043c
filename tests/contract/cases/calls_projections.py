"""How the functions of projections and flip audits are called."""

import numpy as np

RNG = np.random.default_rng(3)
GROUP = np.repeat([0, 1], 60)
DECISION = (RNG.random(120) < 0.2 + 0.5 * GROUP).astype(int)
OUTCOME = (RNG.random(120) < 0.3 + 0.4 * DECISION).astype(int)
X = RNG.normal(size=(120, 3)) + DECISION[:, None]

CALLS = {
    "entropic_projection": ((DECISION, GROUP), {"y_true": OUTCOME, "keep": X}),
    "flip_audit": ((DECISION, GROUP, X), {"method": "transport", "max_rows": 50}),
    "manipulate": (
        ({"x": X[:, 0], "s": GROUP, "y": DECISION},),
        {"strategy": "stealthy", "decision": "y", "sensitive_features": "s", "n_samples": 30},
    ),
    "moment_projection": ((X, X.mean(axis=0) + 0.1), {}),
    "negative_flip_rate": ((DECISION, OUTCOME, GROUP), {"y_true": OUTCOME}),
    "wasserstein_projection": ((DECISION, GROUP, X), {}),
}
