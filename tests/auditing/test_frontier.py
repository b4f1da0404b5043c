"""The frontier: published values, agreement of closed form and search, what it promises."""

import numpy as np
import pytest

from shiftlab.auditing import cell_test, directional_test, frontier
from shiftlab.auditing._frontier_cost import Population, cheapest_rates
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

#: Rows and favourable decisions by group, then the highest undetected values of the exact search at
#: both sample sizes.
PUBLISHED = {
    "adult": ((1638, 160, 3362, 1095), {500: 0.528, 1000: 0.446}),
    "emp": ((3531, 680, 16469, 10454), {2000: 0.396, 4000: 0.364}),
    "inc": ((9592, 927, 10408, 1494), {2000: 0.930, 4000: 0.836}),
    "mob": ((2000, 840, 18000, 16911), {2000: 0.547, 4000: 0.513}),
    "puc": ((16444, 3984, 3556, 2725), {2000: 0.363, 4000: 0.347}),
    "tra": ((9726, 1883, 10274, 2872), {2000: 0.859, 4000: 0.800}),
    "baf": ((16350, 132, 3650, 85), {2000: 1.40, 4000: 0.821}),
}


def counts(n0, a0, n1, a1):
    return GroupCounts.from_frame({"s": [0, 1], "n": [n0, n1], "selected": [a0, a1]}, "s")


@pytest.mark.parametrize("name", PUBLISHED)
def test_exact_search_gives_the_published_values(name):
    table, values = PUBLISHED[name]
    found = frontier(counts(*table), list(values), tests="cells_g", method="exact")
    for point, value in zip(found.points, values.values(), strict=True):
        assert point.highest == pytest.approx(value, abs=0.0051 if value > 1 else 0.00051)
        assert point.method == "exact"


@pytest.mark.parametrize("name", [n for n in PUBLISHED if n != "baf"])
def test_closed_form_is_near(name):
    table, values = PUBLISHED[name]
    found = frontier(counts(*table), list(values), tests="cells_g", method="closed-form")
    for point, value in zip(found.points, values.values(), strict=True):
        assert point.highest == pytest.approx(value, abs=0.006)


def test_search_agrees_with_enumeration_of_every_table():
    table = counts(40, 8, 60, 30)
    m, best = 20, 0.0
    for a in range(m + 1):
        for b in range(m + 1 - a):
            for c in range(1, m + 1 - a - b):
                d = m - a - b - c  # a, b of group 0; d, c of group 1
                if a + b == 0 or a > 32 or b > 8 or c > 30 or d > 30:
                    continue
                drawn = counts(a + b, b, c + d, c)
                if cell_test(drawn, table, method="asymptotic").pvalue > 0.05:
                    best = max(best, (b / (a + b)) / (c / (c + d)))
    found = frontier(table, m, tests="cells_g", method="exact").points[0]
    assert found.highest == pytest.approx(best)


def test_what_is_undetected_is_undetected_and_a_little_more_is_not():
    table = counts(*PUBLISHED["adult"][0])
    point = frontier(table, 1000, tests="directional").points[0]
    n0, n1 = 328, 672
    selected = 219
    for factor, detected in ((0.97, False), (1.06, True)):
        chosen = round(point.highest * factor * selected / n1 * n0)
        drawn = counts(n0, chosen, n1, selected)
        assert (directional_test(drawn, table).pvalue <= 0.05) == detected


def test_the_whole_population_hides_nothing():
    table = counts(*PUBLISHED["adult"][0])
    for point in frontier(table, 5000).points:
        assert point.highest == pytest.approx(0.29991, abs=1e-4)
        assert point.detects_threshold


def test_frontier_falls_with_the_sample_and_rises_with_a_poorer_reference():
    table = counts(*PUBLISHED["inc"][0])
    for test in ("cells_g", "directional"):
        values = [p.highest for p in frontier(table, [1000, 2000, 5000], tests=test).points]
        assert values == sorted(values, reverse=True)
        other = frontier(table, [2000], tests=test, regime="independent").points[0]
        assert other.highest > values[1]


def test_independent_reference_of_limited_size():
    # 1000 rows against 5000 are worth 833 rows against a known population without limit.
    found = frontier(
        counts(*PUBLISHED["adult"][0]), 1000, tests="cells_g", regime="independent",
        method="closed-form",
    )  # fmt: skip
    assert found.points[0].highest == pytest.approx(0.484, abs=0.001)


def test_cheapest_table_is_that_of_the_entropic_projection():
    from shiftlab.auditing import entropic_projection

    for table in (counts(*PUBLISHED["adult"][0]), counts(*PUBLISHED["mob"][0])):
        population = Population.of(table, "disparate_impact")
        kl = population.divergence(cheapest_rates(population, 0.8))
        assert kl == pytest.approx(entropic_projection(table, margin="free").kl, abs=1e-10)


def test_four_groups_and_other_metrics():
    table = GroupCounts.from_frame(
        {"g": list("abcd"), "n": [302, 1336, 397, 2965], "selected": [14, 146, 82, 1013]}, "g"
    )
    population = Population.of(table, "disparate_impact")
    kl = population.divergence(cheapest_rates(population, 0.8))
    assert kl == pytest.approx(0.0294419951, abs=2e-4)
    points = frontier(table, [200, 2000]).points
    assert all(population.value <= p.highest <= 1 for p in points if p.test == "cells_g")
    gap = frontier(table, 1000, metric="demographic_parity_difference", threshold=-0.1)
    assert all(p.highest <= 0.05 for p in gap.points)


def test_rates_within_an_outcome():
    rng = np.random.default_rng(0)
    group, good = rng.integers(0, 2, 4000), rng.integers(0, 2, 4000)
    chosen = (rng.random(4000) < 0.2 + 0.3 * group * good).astype(int)
    table = GroupCounts.from_rows(chosen, group, y_true=good)
    found = frontier(table, [500, 2000], metric="true_positive_rate_ratio")
    assert {p.method for p in found.points if p.test == "cells_g"} == {"closed form"}
    assert all(p.highest > found.population_value for p in found.points)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"m": 6000}, "must not exceed"),
        ({"m": 0}, "at least 1"),
        ({"tests": "t"}, "tests must be one of"),
        ({"method": "t"}, "method must be one of"),
        ({"metric": "equal_opportunity_difference", "threshold": -0.1}, "true outcome"),
    ],
)
def test_errors(options, message):
    with pytest.raises(InputError, match=message):
        frontier(counts(*PUBLISHED["adult"][0]), **{"m": 100, **options})


def test_a_group_without_favourable_decisions():
    with pytest.raises(InputError, match="no favourable"):
        frontier(counts(100, 0, 100, 50), 20, tests="cells_g", method="closed-form")
