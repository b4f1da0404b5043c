"""Flow, state space and group maps against cases with known answers."""

import numpy as np
import pytest
from scipy.linalg import expm

from shiftlab.generalization._cells import domain_cells, within_scale
from shiftlab.generalization._flow import find_flow, still
from shiftlab.generalization._group_maps import fit_group_maps
from shiftlab.generalization._states import DAMPING, fit_paths
from shiftlab.simulation import make_drifting_gaussian, make_rotating_circles


def flow_of(data, n_target=10):
    source, _ = data.split(n_target)
    time = source.environment / source.environment.max()
    cell = 2 * source.sensitive_features + source.y
    X = source.X.to_numpy()
    Z = (X - X.mean(axis=0)) / within_scale(X, time, cell)
    return find_flow(domain_cells(Z, time, cell)), Z, time


class TestFlow:
    @pytest.mark.parametrize("rotation", [45.0, 180.0])
    def test_finds_the_two_turning_planes(self, rotation):
        flow, _, _ = flow_of(make_rotating_circles(rotation=rotation, random_state=5))
        planes = {frozenset(atom[0][:2]) for atom in flow.atoms}
        assert planes == {frozenset((0, 1)), frozenset((2, 3))}
        rates = np.abs(np.linalg.eigvals(flow.generator).imag)
        expected = np.deg2rad(rotation) * 19 / 29
        assert np.allclose(np.sort(rates)[-4:], expected, rtol=0.25)

    def test_finds_none_where_only_means_drift(self):
        flow, _, _ = flow_of(make_drifting_gaussian(random_state=0))
        assert not flow.moves

    def test_there_and_back(self):
        flow, Z, time = flow_of(make_rotating_circles(rotation=180.0, random_state=1))
        assert np.allclose(flow.carry(flow.align(Z, time), time), Z, atol=1e-9)
        step = expm(0.5 * flow.generator)
        expected = step[:-1, :-1] @ Z[0] + step[:-1, -1]
        assert np.allclose(flow.carry(Z[:1], np.array([0.5])), expected)

    def test_is_stable(self):
        flow, _, _ = flow_of(make_rotating_circles(rotation=180.0, random_state=2))
        assert np.linalg.eigvals(flow.generator).real.max() <= 0.05

    def test_few_domains_have_no_flow(self):
        time = np.repeat([0.0, 0.5, 1.0], 20)
        flow = find_flow(
            domain_cells(np.random.default_rng(0).normal(size=(60, 2)), time, time > 1)
        )
        assert not flow.moves
        assert np.array_equal(still(2).align(np.eye(2), np.zeros(2)), np.eye(2))


def dense_posterior(times, values, noise, level, slope, step):
    """Gaussian conditioning with the full covariance: what the smoother must agree with."""
    span = times[-1] - times[0]
    transitions, covariances = [np.eye(2)], [np.diag([level, slope])]
    for dt in np.diff(times):
        move = np.array([[1, dt], [0, DAMPING ** (dt / span)]])
        transitions.append(move)
        covariances.append(move @ covariances[-1] @ move.T + np.diag([step * dt, 0]))
    n = len(times)
    joint = np.zeros((n, n))
    for i in range(n):
        carry = covariances[i]
        joint[i, i] = carry[0, 0]
        for j in range(i + 1, n):
            carry = transitions[j] @ carry
            joint[i, j] = joint[j, i] = carry[0, 0]
    gain = joint @ np.linalg.inv(joint + np.diag(noise))
    return gain @ values, np.diag(joint - gain @ joint)


class TestStates:
    def test_smoother_is_gaussian_conditioning(self):
        rng = np.random.default_rng(0)
        times = np.array([0.0, 0.1, 0.35, 0.6, 1.0])
        values = rng.normal(size=(5, 3)).cumsum(axis=0) + 3 * times[:, None]
        noise = np.full((5, 3), 0.05)
        paths = fit_paths(times, values, noise, centred=True)
        mean, variance = paths.at(times)
        for j in range(3):
            expected = dense_posterior(
                times, values[:, j], noise[:, j], paths.level[j], paths.slope[j], paths.step[j]
            )
            assert np.allclose(mean[:, j], expected[0], atol=1e-8)
            assert np.allclose(variance[:, j], expected[1], atol=1e-8)

    def test_what_does_not_move_is_constant_and_what_is_none_is_zero(self):
        rng = np.random.default_rng(1)
        times = np.linspace(0, 1, 20)
        values = 0.1 * rng.normal(size=(20, 40))
        values[:, 20:] += 1
        paths = fit_paths(times, values, np.full((20, 40), 0.01), centred=True)
        assert paths.drifts.mean() < 0.2
        assert (paths.level[:20] == 0).mean() > 0.7
        assert (paths.level[20:] > 0).all()
        assert np.allclose(paths.at(np.array([1.5]))[0][0, 20:], 1, atol=0.35)

    def test_a_trend_goes_on_and_intervals_widen(self):
        times = np.linspace(0, 1, 20)
        values = 2 * times[:, None] + 0.05 * np.random.default_rng(2).normal(size=(20, 1))
        paths = fit_paths(times, values, np.full((20, 1), 0.0025))
        mean, variance = paths.at(np.array([1.0, 1.3, 1.6]))
        assert np.allclose(mean[:, 0], [2.0, 2.6, 3.2], atol=0.25)
        assert (np.diff(variance[:, 0]) > 0).all()

    def test_unseen_domains_are_filled_in(self):
        times = np.linspace(0, 1, 11)
        values = times[:, None].copy()
        noise = np.full((11, 1), 1e-4)
        values[5], noise[5] = 99.0, np.inf
        assert abs(fit_paths(times, values, noise).at(np.array([0.5]))[0][0, 0] - 0.5) < 0.02


class TestGroupMaps:
    def test_scales_are_carried_to_one_reference_and_back(self):
        rng = np.random.default_rng(0)
        group = rng.integers(0, 2, 4000)
        E = rng.normal(size=(4000, 3))
        E[group == 1, 0] *= 3
        maps = fit_group_maps(E, group, 2, "auto")
        U = maps.forward(E, group)
        assert maps.kind == "location-scale"
        assert abs(U[group == 0, 0].std() / U[group == 1, 0].std() - 1) < 0.05
        assert np.allclose(maps.backward(U, group), E)

    def test_equal_groups_have_no_map(self):
        rng = np.random.default_rng(1)
        E, group = rng.normal(size=(4000, 3)), rng.integers(0, 3, 4000)
        maps = fit_group_maps(E, group, 3, "auto")
        assert maps.kind == "location"
        assert np.array_equal(maps.forward(E, group), E)

    def test_shapes_are_mapped_by_quantiles(self):
        rng = np.random.default_rng(2)
        group = rng.integers(0, 2, 6000)
        E = rng.normal(size=(6000, 2))
        skewed = rng.exponential(size=6000) - 1
        E[group == 1, 0] = skewed[group == 1]
        maps = fit_group_maps(E, group, 2, "auto")
        U = maps.forward(E, group)
        assert maps.kind == "quantile"
        assert maps.shaped.tolist() == [True, False]
        low, high = (np.quantile(U[group == k, 0], [0.1, 0.5, 0.9]) for k in (0, 1))
        assert np.allclose(low, high, atol=0.08)
        assert np.abs(maps.backward(U, group) - E).max() < 0.05
