"""The planner: the power it promises is the power of the tests."""

import numpy as np
import pytest

from shiftlab.auditing import cell_test, directional_test, plan_sample_size
from shiftlab.auditing._frontier_cost import Population, cheapest_rates
from shiftlab.exceptions import DegenerateDataError, InputError
from shiftlab.metrics import GroupCounts


def counts(n0, a0, n1, a1):
    return GroupCounts.from_frame({"s": [0, 1], "n": [n0, n1], "selected": [a0, a1]}, "s")


ADULT, INC = counts(1638, 160, 3362, 1095), counts(9592, 927, 10408, 1494)
TESTS = {"directional": directional_test, "cells_g": cell_test}


def simulated_power(table, plan, size, reference_size=None):
    population = Population.of(table, "disparate_impact")
    cells = population.table(cheapest_rates(population, plan.target))
    rng = np.random.default_rng(11)
    found, n = 0, 0
    options = {"regime": plan.regime}
    if plan.test == "cells_g":
        options |= {"method": "asymptotic"}
    while n < size:
        c0, c1, f0, f1 = rng.multinomial(plan.m, cells).tolist()
        shown = f1 and c0 + f0 and (f0 / (c0 + f0)) / (f1 / (c1 + f1)) >= plan.target
        if plan.attacker == "selective" and not shown:
            continue
        known = table
        if plan.regime == "independent":
            null = population.null_table / population.n
            k0, k1, g0, g1 = rng.multinomial(population.n, null).tolist()
            known = counts(k0 + g0, g0, k1 + g1, g1)
        drawn = counts(c0 + f0, f0, c1 + f1, f1)
        found += TESTS[plan.test](drawn, known, **options).pvalue <= plan.alpha
        n += 1
    return found / size


@pytest.mark.parametrize("attacker", ["random", "selective"])
@pytest.mark.parametrize("test", TESTS)
def test_power_is_what_was_asked_for(test, attacker):
    plan = plan_sample_size(ADULT, 0.8, power=0.9, test=test, attacker=attacker)
    error = 3 * np.sqrt(0.09 / 500)
    assert simulated_power(ADULT, plan, 500) == pytest.approx(0.9, abs=0.03 + error)


@pytest.mark.slow
@pytest.mark.parametrize("table", [ADULT, INC], ids=["adult", "inc"])
@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("regime", ["full", "independent"])
def test_power_in_both_regimes(table, test, regime):
    plan = plan_sample_size(table, 0.8, power=0.9, test=test, regime=regime)
    error = 3 * np.sqrt(0.09 / 2000)
    assert simulated_power(table, plan, 2000) == pytest.approx(0.9, abs=0.03 + error)


def test_certain_detection_is_the_frontier_turned_around():
    from shiftlab.auditing import frontier

    plan = plan_sample_size(ADULT, 0.8, test="cells_g", attacker="deterministic")
    values = frontier(ADULT, [plan.m - 1, plan.m], tests="cells_g", threshold=0.8).points
    assert values[0].highest >= 0.8 > values[1].highest


def test_curve_rises_and_passes_through_the_plan():
    plan = plan_sample_size(ADULT, 0.8, test="cells_g")
    sizes, power = zip(*plan.curve, strict=True)
    assert list(sizes) == sorted(sizes)
    assert power[0] < 0.6 < power[-1]
    assert dict(plan.curve)[plan.m] == plan.power


def test_no_sample_is_large_enough():
    plan = plan_sample_size(counts(40, 18, 40, 24), 0.8, test="cells_g", regime="independent")
    assert plan.m is None
    assert "largest" in plan.note
    assert plan.to_frame()["m"].isna().all()


@pytest.mark.parametrize("target", [0.2, 0.29, 1.2])
def test_target_below_the_present_value_or_above_one(target):
    with pytest.raises(InputError, match="target must lie above"):
        plan_sample_size(ADULT, target)


def test_errors():
    with pytest.raises(InputError, match="attacker must be one of"):
        plan_sample_size(ADULT, attacker="x")
    with pytest.raises(InputError, match="power"):
        plan_sample_size(ADULT, power=1.0)
    with pytest.raises(DegenerateDataError, match="not defined"):
        plan_sample_size(counts(10, 0, 10, 0))
