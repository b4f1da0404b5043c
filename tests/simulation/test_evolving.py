"""The evolving worlds: twins are exact, knobs do what they say, domains are separate."""

import numpy as np
import pytest

from shiftlab.exceptions import InputError
from shiftlab.simulation import (
    make_drifting_credit,
    make_drifting_gaussian,
    make_evolving_people,
    make_fair_circle,
    make_rotating_circles,
    make_spirals,
)

WORLDS = (
    make_drifting_credit,
    make_drifting_gaussian,
    make_evolving_people,
    make_fair_circle,
    make_rotating_circles,
    make_spirals,
)


@pytest.mark.parametrize("make", WORLDS)
class TestEveryWorld:
    def test_same_seed_same_bits_and_twins_only_differ_by_the_attribute(self, make):
        first, second = (make(n_domains=4, n_per_domain=40, random_state=3) for _ in range(2))
        assert first.frame.equals(second.frame)
        assert first.twins.equals(second.twins)
        assert np.array_equal(first.sensitive_twin, 1 - first.sensitive_features)
        assert np.array_equal(first.frame["time"], first.twins["time"])
        moved = (first.X.to_numpy() != first.X_twin.to_numpy()).any(axis=0)
        assert moved.any()
        assert moved.all() == (make is make_fair_circle)

    def test_later_domains_do_not_change_earlier_ones(self, make):
        data = make(n_domains=4, n_per_domain=40, random_state=3)
        source, target = data.split(1)
        assert set(target.environment) == {3}
        assert len(source.y) + len(target.y) == len(data.y)
        assert source.exogenous.shape[1] == data.exogenous.shape[1]

    def test_bad_sizes(self, make):
        with pytest.raises(InputError, match="n_domains"):
            make(n_domains=1)
        with pytest.raises(InputError, match="n_target"):
            make(n_domains=3, n_per_domain=5).split(3)


def test_circles_are_what_the_formula_says():
    data = make_rotating_circles(
        rotation=90.0, shift=0.2, scale=0.5, n_domains=3, n_per_domain=500, random_state=0
    )
    u, sign = data.exogenous, 2.0 * data.sensitive_features - 1
    radius = 5 + (1 + 0.5 * sign) * u["u_s"] + 0.2 * sign
    assert np.allclose(np.hypot(data.X["x2"], data.X["x3"]), radius)
    assert np.allclose(np.hypot(data.X["x0"], data.X["x1"]), 5 + u["u_ns"])
    assert np.array_equal(data.y, (u["u_ns"] + radius - 5 > 0).astype(int))
    angle = np.arctan2(data.X["x1"], data.X["x0"])[data.environment == 2]
    assert abs(angle.mean() - np.pi / 2) < 0.02


def test_no_effect_means_equal_twins():
    data = make_rotating_circles(shift=0.0, n_domains=3, n_per_domain=50, random_state=0)
    assert np.array_equal(data.X, data.X_twin)
    assert np.array_equal(data.y, data.y_twin)


def test_correlation_is_no_effect():
    data = make_rotating_circles(
        shift=0.0, correlation=2.0, n_domains=3, n_per_domain=2000, random_state=0
    )
    u, group = data.exogenous["u_s"], data.sensitive_features
    assert abs((u[group == 1].mean() - u[group == 0].mean()) / 0.5 - 2.0) < 0.1
    assert np.array_equal(data.X, data.X_twin)


def test_more_groups_have_cyclic_twins():
    data = make_drifting_gaussian(n_groups=3, n_domains=3, n_per_domain=30, random_state=0)
    assert np.array_equal(data.sensitive_twin, (data.sensitive_features + 1) % 3)


@pytest.mark.parametrize("options", [{"scale": 1.0}, {"drift": "sideways"}])
def test_bad_knobs(options):
    with pytest.raises(InputError, match=next(iter(options))):
        make_rotating_circles(**options)
