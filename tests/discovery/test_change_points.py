"""When mechanisms changed: places, intervals, false alarms."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.discovery import change_points
from shiftlab.exceptions import DegenerateDataError, InputError

PARENTS = {"a": [], "b": ["a"], "c": ["a", "b"]}


def data(seed, n=400):
    rng = np.random.default_rng(seed)
    time = np.arange(n)
    a = rng.normal(size=n) + 1.0 * (time >= n // 3)
    b = np.where(time < 2 * n // 3, 1.0, -0.5) * np.tanh(a) + 0.5 * rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "c": b + a**2 + rng.normal(size=n), "day": time + 1000.0})


def test_shifts_and_slopes_are_located():
    errors, inside, alarms = [], [], []
    for seed in range(10):
        found = change_points(data(seed), PARENTS, time="day", n_resamples=59)
        for variable, truth in (("a", 1133), ("b", 1266)):
            own = [p for p in found.points if p.variable == variable]
            nearest = min(own, key=lambda p, truth=truth: abs(p.time - truth))
            errors.append(abs(nearest.time - truth))
            inside.append(nearest.low - 1 <= truth <= nearest.high + 1)
        alarms.append(any(p.variable == "c" for p in found.points))
    assert np.median(errors) <= 6
    assert np.mean(inside) >= 0.75
    assert np.mean(alarms) <= 0.3


def test_the_order_of_rows_is_that_of_time():
    table = data(0)
    expected = change_points(table, PARENTS, time="day", n_resamples=39)
    shuffled = table.sample(frac=1.0, random_state=0)
    assert change_points(shuffled, PARENTS, time="day", n_resamples=39) == expected
    dated = table.assign(day=pd.to_datetime(table["day"], unit="D"))
    assert change_points(dated, PARENTS, time="day", n_resamples=39) == expected
    by_row = change_points(table.drop(columns="day"), PARENTS, n_resamples=39)
    assert [p.time + 1000 for p in by_row.points] == [p.time for p in expected.points]


def test_a_category_changes_its_shares():
    rng = np.random.default_rng(0)
    share = np.where(np.arange(300) < 150, 0.2, 0.7)
    kind = np.where(rng.random(300) < share, "u", "v")
    found = change_points({"kind": kind}, {"kind": []}, n_resamples=99).points
    assert len(found) == 1
    assert abs(found[0].time - 150) < 15
    assert found[0].shift_low < 0.5 < found[0].shift_high or abs(found[0].shift) > 0.3


def test_bad_input():
    table = data(0)
    with pytest.raises(DegenerateDataError, match="cannot hold"):
        change_points(table.head(40), PARENTS, time="day")
    with pytest.raises(DegenerateDataError, match="constant"):
        change_points(table.assign(day=1.0), PARENTS, time="day")
    with pytest.raises(InputError, match="labels"):
        change_points(table.assign(day="x"), PARENTS, time="day")
    with pytest.raises(InputError, match="missing"):
        change_points(table.assign(day=np.nan), PARENTS, time="day")
    with pytest.raises(InputError, match="Missing"):
        change_points(table.assign(a=np.nan), PARENTS, time="day")
    flat = change_points(table.assign(a=1.0), {"a": []}, time="day", n_resamples=19)
    assert (flat.points, flat.pvalues) == ((), (1.0,))
