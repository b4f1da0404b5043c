"""One of each public result of `shiftlab.discovery`."""

from functools import cache

import numpy as np
import pandas as pd

LABELS = ["a_$", "<b>north</b> $x_1$", "west\nside", "d", "e", "f"]
NAMES = ["$\\frac$ dose", "<b>risk</b>"]


def data():
    rng = np.random.default_rng(0)
    site = np.repeat(LABELS, 30)
    x = np.repeat(rng.normal(size=6), 30) + rng.normal(size=180)
    y = np.repeat(rng.uniform(0.5, 2, 6), 30) * x + 0.5 * rng.normal(size=180)
    return pd.DataFrame({NAMES[0]: x, NAMES[1]: y}), site


@cache
def fitted():
    from shiftlab.discovery import CDNOD, BootstrapDiscovery

    frame, site = data()
    model = BootstrapDiscovery(CDNOD("fisher_z"), n_resamples=3, random_state=0)
    return model.fit(frame, environment=site)


def pair():
    from shiftlab.discovery import independent_changes

    frame, site = data()
    return independent_changes(frame[NAMES[0]], frame[NAMES[1]], site)


@cache
def compared():
    from shiftlab.discovery import mechanism_changes

    frame, site = data()
    return mechanism_changes(frame, {NAMES[1]: [NAMES[0]]}, environment=site)


@cache
def located():
    from shiftlab.discovery import change_points

    frame, _ = data()
    frame = frame.assign(**{NAMES[0]: frame[NAMES[0]] + 3.0 * (np.arange(180) > 90)})
    return change_points(frame, {NAMES[0]: [], NAMES[1]: [NAMES[0]]}, n_resamples=39)


MAKE = {
    "BootstrapSupport": lambda: fitted().support_,
    "ChangePoint": lambda: located().points[0],
    "ChangePoints": located,
    "DiscoveryResult": lambda: fitted().estimator_.result_,
    "DrivingForce": lambda: fitted().estimator_.result_.driving_forces[0],
    "EdgeReason": lambda: fitted().estimator_.result_.edges[0],
    "EdgeSupport": lambda: fitted().support_.pairs[0],
    "IndependentChanges": pair,
    "MechanismChange": lambda: compared().changes[0],
    "MechanismChanges": compared,
}
