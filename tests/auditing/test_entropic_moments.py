"""General moment projection: convex solver, inequalities, infeasible targets, many constraints."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from shiftlab.auditing import moment_projection
from shiftlab.exceptions import ConvergenceWarning, InputError


@pytest.fixture(scope="module")
def moments():
    return np.random.default_rng(3).normal(size=(400, 4)) * [1, 10, 0.1, 1]


def test_weights_solve_the_dual_found_by_another_optimiser(moments):
    targets = moments.mean(axis=0) + np.array([0.3, -2, 0.02, 0])
    found = moment_projection(moments, targets)

    def dual(xi):
        return np.log(np.exp((moments - targets) / [1, 10, 0.1, 1] @ xi).mean())

    best = minimize(dual, np.zeros(4), tol=1e-14)
    assert found.kl == pytest.approx(-best.fun, abs=1e-9)
    np.testing.assert_allclose(found.weights @ moments, targets, atol=1e-12)
    assert found.duality_gap < 1e-12
    assert found.converged


def test_inequalities_that_hold_get_no_multiplier(moments):
    targets = [0.3, 5.0, 0.05, -5.0]
    kinds = ["at_least", "at_most", "at_least", "at_least"]
    found = moment_projection(moments, targets, kind=kinds)
    assert found.multipliers[3] == 0
    assert found.multipliers[1] == 0
    assert (found.after[[0, 2]] >= np.array(targets)[[0, 2]] - 1e-10).all()
    assert found.after[1] < 5
    binding = moment_projection(moments[:, [0, 2]], [0.3, 0.05])
    assert found.kl == pytest.approx(binding.kl, rel=1e-9)


def test_at_most_is_at_least_of_the_negative(moments):
    first = moment_projection(moments[:, :1], [-0.4], kind="at_most")
    second = moment_projection(-moments[:, :1], [0.4], kind="at_least")
    np.testing.assert_allclose(first.weights, second.weights)
    assert first.multipliers[0] == pytest.approx(-second.multipliers[0])


def test_repeated_and_constant_columns_do_no_harm(moments):
    wide = np.column_stack([moments, moments[:, 0] + moments[:, 3], np.ones(400)])
    targets = moments.mean(axis=0) + np.array([0.2, 0, 0, 0.1])
    narrow = moment_projection(moments, targets)
    found = moment_projection(wide, [*targets, targets[0] + targets[3], 1.0])
    assert found.kl == pytest.approx(narrow.kl, rel=1e-9)
    np.testing.assert_allclose(found.weights, narrow.weights, rtol=1e-6)


def test_units_do_not_matter(moments):
    targets = moments.mean(axis=0) + np.array([0.2, 1, 0, 0])
    first = moment_projection(moments, targets)
    second = moment_projection(moments * 1e6 + 1e6, targets * 1e6 + 1e6)
    np.testing.assert_allclose(first.weights, second.weights, rtol=1e-6)


def test_a_target_at_the_edge_is_met(moments):
    values = np.repeat([0.0, 1.0, 2.0], 10)[:, None]
    with np.errstate(all="raise"):
        found = moment_projection(values, [1.999999])
    assert found.residual < 1e-9


def test_targets_that_no_reweighting_reaches(moments):
    with pytest.raises(InputError, match="x1"):
        moment_projection(moments, [0, 1e3, 0, 0])
    with pytest.raises(InputError, match="No reweighting"):
        # Each alone is in range, both together are not.
        moment_projection(np.column_stack([moments[:, 0], -moments[:, 0]]), [0.5, 0.5])


def test_bad_input(moments):
    with pytest.raises(InputError, match="targets"):
        moment_projection(moments, [0, 0])
    with pytest.raises(InputError, match="missing"):
        moment_projection([[0.0], [np.nan]], [0])
    with pytest.raises(InputError, match="text"):
        moment_projection(pd.DataFrame({"a": ["u", "v"]}), [0])
    with pytest.raises(InputError, match="kind"):
        moment_projection(moments, np.zeros(4), kind="near")


def test_stopping_early_is_said(moments):
    targets = moments.mean(axis=0) + np.array([1.0, 0, 0, 0])
    with pytest.warns(ConvergenceWarning, match="violation"):
        found = moment_projection(moments, targets, max_iter=1)
    assert not found.converged


def test_rows_without_weight_stay_out(moments):
    weight = (np.arange(400) % 2).astype(float)
    targets = moments[1::2].mean(axis=0) + np.array([0.1, 0, 0, 0])
    found = moment_projection(moments, targets, sample_weight=weight)
    assert (found.weights[::2] == 0).all()
    alone = moment_projection(moments[1::2], targets)
    np.testing.assert_allclose(found.weights[1::2], alone.weights)


def test_forty_constraints(moments):
    phi = np.random.default_rng(0).normal(size=(20_000, 40))
    targets = np.r_[np.full(20, 0.1), np.zeros(20)]
    found = moment_projection(phi, targets)
    assert found.residual < 1e-9
    np.testing.assert_allclose(found.weights @ phi, targets, atol=1e-10)
