"""Flow, state space and group maps against cases with known answers."""

import re

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import multivariate_normal

from shiftlab.generalization._cells import domain_cells, within_scale
from shiftlab.generalization._clock import flow_maps
from shiftlab.generalization._flow import find_flow, still
from shiftlab.generalization._group_maps import fit_group_maps
from shiftlab.generalization._kalman import (
    ACCELERATING,
    DAMPED,
    HARMONIC,
    PathModel,
    filter_paths,
    smooth,
)
from shiftlab.generalization._states import _improve, fit_paths
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

    @pytest.mark.parametrize("drift", ["accelerating", "oscillating"])
    def test_finds_how_the_speed_changes(self, drift):
        data = make_rotating_circles(rotation=90.0, drift=drift, random_state=4)
        flow, _, time = flow_of(data)
        planes = {frozenset(atom[0][:2]) for atom in flow.atoms}
        assert planes == {frozenset((0, 1)), frozenset((2, 3))}
        own = np.unique(time) * 19 / 29  # in lengths of all thirty domains
        course = own**2 if drift == "accelerating" else np.sin(1.5 * np.pi * own)
        gone = flow.gone(np.unique(time))
        assert abs(np.corrcoef(gone, course)[0, 1]) > 0.99

    def test_maps_are_exponentials(self):
        rng = np.random.default_rng(0)
        for size in (0.0, 0.3, 20.0):
            generator = size * rng.normal(size=(5, 5))
            generator -= generator.T
            times = np.array([-1.0, 0.0, 0.4, 1.5])
            expected = expm(times[:, None, None] * generator)
            assert np.allclose(flow_maps(generator, times), expected, atol=1e-10)

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


def dense_posterior(times, values, noise, model):
    """Gaussian conditioning with the full covariance: what the smoother must agree with."""
    transitions = [model.transition(dt)[0] for dt in np.diff(times)]
    covariances = [model.first()[0]]
    for move, dt in zip(transitions, np.diff(times), strict=True):
        covariances.append(move @ covariances[-1] @ move.T + model.noise(dt)[0])
    n = len(times)
    joint = np.zeros((n, n))
    for i in range(n):
        carry = covariances[i]
        joint[i, i] = carry[0, 0]
        for j in range(i + 1, n):
            carry = transitions[j - 1] @ carry
            joint[i, j] = joint[j, i] = carry[0, 0]
    total = joint + np.diag(noise)
    gain = joint @ np.linalg.inv(total)
    likelihood = multivariate_normal(np.zeros(n), total).logpdf(values)
    return gain @ values, np.diag(joint - gain @ joint), likelihood


FORMS = {
    "fading": (DAMPED, 0.8, [1.0, 2.0, 0.0], [0.5, 0.0]),
    "turning": (DAMPED, 0.0, [1.0, 2.0, 0.0], [0.1, 3.0]),
    "accelerating": (ACCELERATING, 0.0, [1.0, 2.0, 4.0], [0.2, 0.0]),
    "swing": (HARMONIC, 5.0, [1.0, 2.0, 2.0], [0.3, 0.0]),
}


class TestStates:
    @pytest.mark.parametrize("form", FORMS)
    def test_smoother_is_gaussian_conditioning(self, form):
        times = np.array([0.0, 0.1, 0.35, 0.6, 1.0])
        values = np.random.default_rng(0).normal(size=5).cumsum() + 3 * times
        kind, rate, start, step = FORMS[form]
        model = PathModel(np.array([kind]), np.array([rate]), np.array([start]), np.array([step]))
        found = filter_paths(times, values[:, None], np.full((5, 1), 0.05), model)
        mean, covariance = smooth(found)[:2]
        expected = dense_posterior(times, values, np.full(5, 0.05), model)
        assert np.allclose(mean[:, 0, 0], expected[0], atol=1e-8)
        assert np.allclose(covariance[:, 0, 0, 0], expected[1], atol=1e-8)
        assert found.log_likelihood[0] == pytest.approx(expected[2])

    def test_a_step_of_em_raises_the_likelihood(self):
        rng = np.random.default_rng(3)
        times = np.linspace(0, 1, 25)
        values = np.stack([np.sin(5 * times), times**2, 2 * times, rng.normal(size=25).cumsum()], 1)
        noise = np.full((25, 4), 0.01)
        values = values + 0.1 * rng.normal(size=(25, 4))
        forms = [FORMS[k] for k in ("swing", "accelerating", "turning", "fading")]
        model = PathModel(*(np.array(part) for part in zip(*forms, strict=True)))
        last = filter_paths(times, values, noise, model).log_likelihood
        for _ in range(4):
            model = _improve(times, values, noise, model, centred=True)
            now = filter_paths(times, values, noise, model).log_likelihood
            assert (now >= last - 1e-9).all()
            last = now

    @pytest.mark.parametrize(
        ("course", "name"),
        [
            (lambda t: 2 * t, "trend"),
            (lambda t: 2 * t**2, "accelerating"),
            (lambda t: np.sin(3.1 * t), r"swing of period (1\.[89]|2\.)"),
            (lambda t: 1 - np.exp(-3 * t), "trend fading at [23]"),
        ],
    )
    def test_forms_are_told_apart_and_carried_on(self, course, name):
        times = np.linspace(0, 1, 20)
        noise = 0.02 * np.random.default_rng(1).normal(size=(20, 1))
        paths = fit_paths(times, course(times)[:, None] + noise, np.full((20, 1), 0.0004))
        assert re.match(name, paths.forms[0])
        ahead = np.array([1.25, 1.5])
        assert np.allclose(paths.at(ahead)[0][:, 0], course(ahead), atol=0.3)

    def test_what_does_not_move_is_constant_and_what_is_none_is_zero(self):
        rng = np.random.default_rng(1)
        times = np.linspace(0, 1, 20)
        values = 0.1 * rng.normal(size=(20, 40))
        values[:, 20:] += 1
        paths = fit_paths(times, values, np.full((20, 40), 0.01), centred=True)
        assert paths.drifts.mean() < 0.2
        assert (paths.model.start[:20, 0] == 0).mean() > 0.7
        assert (paths.model.start[20:, 0] > 0).all()
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
