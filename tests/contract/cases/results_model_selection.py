"""How the results of model_selection are made."""

import numpy as np

from shiftlab.model_selection import environment_scores

SITE = np.repeat(["a_$", "<b>north</b> $x_1$", "west\nside"], 4)

MAKE = {
    "EnvironmentScores": lambda: environment_scores(np.arange(12.0), np.zeros(12), SITE),
}
