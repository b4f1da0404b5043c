"""How results on explanations are made."""

from functools import cache

import numpy as np
import pandas as pd

LEGEND = ["a_$", "<b>north</b> $x_1$", "west\nside"]
N = 180


def package():
    from shiftlab import explanation

    return explanation


@cache
def world():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"$\\frac$ dose": rng.normal(size=N), "kind": rng.choice(["$k$", "o"], N)})
    return frame, np.repeat(LEGEND, N // 3)


def model(frame):
    return 1 / (1 + np.exp(-2 * frame["$\\frac$ dose"].to_numpy() * (frame["kind"] == "$k$")))


@cache
def explainer():
    return package().LimeExplainer(n_samples=40, n_blocks=30, random_state=0).fit(world()[0])


@cache
def explanation():
    return explainer().explain(model, world()[0], stratify=world()[1])


def line():
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


FEW = {"metrics": ["mae"], "n_resamples": 19, "random_state": 0}
MAKE = {
    "DisparityComparison": lambda: package().locality_curve(
        explainer(), model, *world(), scales=(1.0, 0.2), **FEW
    ),
    "Explanation": explanation,
    "ExplanationDisparity": lambda: package().explanation_disparity(
        explanation(), world()[1], **FEW
    ),
    "GapDecomposition": lambda: package().decompose_gap(
        explainer(), model, *world(), more_draws=2, **FEW
    ),
    "GapSplit": lambda: package().split_gap(
        explanation(), world()[1], world()[0][["$\\frac$ dose"]], n_resamples=19, random_state=0
    ),
    "GroupFidelity": lambda: package().group_fidelity(explanation(), world()[1]),
    "RefitDisparity": lambda: package().refit_disparity(
        line(), package().LimeExplainer(n_samples=40), world()[0][["$\\frac$ dose"]],
        np.arange(N) / N, world()[0][["$\\frac$ dose"]], world()[1], metrics=["mae"], n_refits=3,
        random_state=0,
    ),
}  # fmt: skip
