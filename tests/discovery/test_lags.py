"""The time-lagged extension."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.discovery import CDNOD


def series(n=1500, seed=0, drift=0.0):
    rng = np.random.default_rng(seed)
    x, y, z = np.zeros((3, n))
    moving = drift * np.sin(np.arange(n) / 120)
    for t in range(1, n):
        x[t] = 0.5 * x[t - 1] + rng.normal()
        y[t] = 0.6 * x[t - 1] + 0.4 * y[t - 1] + rng.normal()
        z[t] = (0.8 + moving[t]) * y[t] + 0.5 * rng.normal()
    return pd.DataFrame({"x": x, "y": y, "z": z})


def edges(model):
    return {str(edge) for edge in model.graph_.edges}


def test_edges_run_from_the_past():
    model = CDNOD("fisher_z", alpha=0.001, lags=1).fit(series(), environment=np.arange(1500.0))
    found = edges(model)
    assert {"x[t-1] -> x", "x[t-1] -> y", "y[t-1] -> y", "y -> z"} <= found
    assert len(found) <= 5
    assert model.edge_reasons_["x[t-1]", "y"].rule == "time"
    assert model.edge_reasons_["y", "z"].rule in ("Meek 1", "collider", "invariance")
    past = [name for name in model.graph_.nodes if "[t-" in name]
    assert len(past) == 3
    for a in past:
        assert not any(model.graph_.has_edge(a, b) for b in past if a != b)
        assert a not in model.changing_


def test_a_drift_is_found_beside_the_past():
    frame = series(drift=0.5)
    model = CDNOD(alpha=0.01, lags=1, max_cond=2).fit(frame, environment=np.arange(1500.0))
    assert model.changing_ == ["z"]
    assert "y -> z" in edges(model)
    force = model.driving_force("z")
    truth = np.sin(np.array(force.points) / 120)
    design = np.column_stack([np.ones(len(truth)), force.components])
    rest = truth - design @ np.linalg.lstsq(design, truth, rcond=None)[0]
    assert rest.var() / truth.var() < 0.1


def test_the_past_does_not_cross_environments():
    frame = series(60)
    site = np.repeat(["a", "b", "c"], 20)
    model = CDNOD("fisher_z", lags=2).fit(frame, environment=site)
    assert {n for n in model.graph_.nodes if n.endswith("[t-2]")} == {"x[t-2]", "y[t-2]", "z[t-2]"}


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_in_any_order_along_time(seed):
    frame, clock = series(400, seed), np.arange(400.0)
    rows = np.random.default_rng(seed).permutation(400)
    first = CDNOD("fisher_z", lags=1).fit(frame, environment=clock)
    second = CDNOD("fisher_z", lags=1).fit(frame.iloc[rows], environment=clock[rows])
    assert first.graph_ == second.graph_
