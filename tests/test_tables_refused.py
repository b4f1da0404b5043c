"""Tables that no estimator can use: every one refuses them in the same words."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from shiftlab.adaptation import EnvironmentAdaptiveClassifier, EnvironmentAdaptiveRegressor
from shiftlab.discovery import CDNOD
from shiftlab.exceptions import InputError
from shiftlab.generalization import CounterfactuallyFairClassifier, CounterfactuallyFairRegressor

RNG = np.random.default_rng(0)
N = 60
TIME, GROUP, Y = np.repeat([1, 2, 3], N // 3), RNG.choice(["a", "b"], N), np.arange(N) % 2
FRAME = pd.DataFrame({"x": RNG.normal(size=N), "t": RNG.choice(["u", "v"], N)})
FAIR = [CounterfactuallyFairClassifier, CounterfactuallyFairRegressor]


def fit(kind, X, y=Y):
    named = {"environment": TIME}
    if kind in FAIR:
        named["sensitive_features"] = GROUP
    return kind().fit(X, **named) if kind is CDNOD else kind().fit(X, y, **named)


@pytest.mark.parametrize(
    "kind", [*FAIR, EnvironmentAdaptiveRegressor, EnvironmentAdaptiveClassifier, CDNOD]
)
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame(RNG.normal(size=(N, 2)), columns=["a", "a"]), "repeated column names: 'a'"),
        (pl.DataFrame({"a": RNG.normal(size=N)}).lazy(), "lazy frame; call its collect"),
    ],
)
def test_repeated_names_and_lazy_frames(kind, table, message):
    with pytest.raises(InputError, match=message):
        fit(kind, table)


@pytest.mark.parametrize("kind", FAIR)
@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"t": FRAME["t"]}, "'t' must hold numbers. Encode text"),
        ({"t": np.where(np.arange(N) == 3, np.nan, 1.0)}, "missing cells in 't'"),
        ({"t": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N), "D")}, "'t' must hold"),
    ],
)
def test_columns_that_are_no_numbers(kind, column, message):
    with pytest.raises(InputError, match=message):
        fit(kind, FRAME.assign(**column))


def test_text_as_outcome_of_a_regressor():
    with pytest.raises(InputError, match="EnvironmentAdaptiveRegressor predicts numbers"):
        fit(EnvironmentAdaptiveRegressor, FRAME, np.array(["yes", "no"] * (N // 2)))
