"""How the functions of model_selection are called."""

import numpy as np

SITE = np.repeat(["a", "b", "c"], 4)
Y = np.arange(12.0)

CALLS = {
    "environment_scores": ((Y, Y[::-1].copy(), SITE), {"sample_weight": Y + 1}),
    "worst_environment_score": ((Y, Y[::-1].copy(), SITE), {"metric": "mean_absolute_error"}),
}
