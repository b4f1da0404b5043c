"""Tests on counts: values by independent implementations, invariances, defined answers."""

import numpy as np
import pytest
from scipy import stats

from shiftlab.auditing import cell_distance_test, cell_test, directional_test
from shiftlab.auditing._hypergeometric import hypergeometric_window
from shiftlab.exceptions import DegenerateDataError, InputError
from shiftlab.metrics import GroupCounts


def counts(n, selected, names=("f", "m")):
    return GroupCounts.from_frame({"sex": list(names), "n": n, "selected": selected}, "sex")


ADULT = counts([1638, 3362], [160, 1095])


def cells(table):
    return np.stack([table.n - table.selected, table.selected], axis=1).ravel()


class TestCells:
    def test_chi_square_is_pearsons_with_finite_population_correction(self):
        sample = counts([150, 350], [20, 100])
        found = cell_test(sample, ADULT, statistic="chi_square", method="asymptotic")
        expected = cells(ADULT) / 10
        value = stats.chisquare(cells(sample), expected).statistic / (4500 / 4999)
        assert found.statistic == pytest.approx(value, rel=1e-12)
        assert found.pvalue == pytest.approx(stats.chi2.sf(value, 3), rel=1e-10)
        assert (found.df, found.n_sample, found.n_reference) == (3, 500, 5000)

    def test_independent_regime_is_the_test_of_homogeneity(self):
        sample = counts([150, 350], [20, 100])
        found = cell_test(
            sample, ADULT, statistic="chi_square", method="asymptotic", regime="independent"
        )
        both = np.stack([cells(sample), cells(ADULT)])
        value = stats.chi2_contingency(both, correction=False).statistic
        # The hypergeometric variance has N - 1 where the classical statistic has N.
        assert found.statistic == pytest.approx(value * 5499 / 5500, rel=1e-12)

    def test_g_is_the_likelihood_ratio(self):
        sample = counts([150, 350], [20, 100])
        value = stats.power_divergence(cells(sample), cells(ADULT) / 10, lambda_=0).statistic
        found = cell_test(sample, ADULT, method="asymptotic")
        assert found.statistic * found.fpc == pytest.approx(value, rel=1e-12)

    def test_exact_pvalue_agrees_with_enumeration(self):
        population, sample = counts([8, 10], [3, 6]), counts([2, 4], [2, 1])
        law = stats.multivariate_hypergeom(m=cells(population), n=6)
        grid = np.stack(np.meshgrid(*[np.arange(7)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
        grid = grid[(grid.sum(axis=1) == 6) & (grid <= cells(population)).all(axis=1)]
        expected = cells(population) * 6 / 18

        def pearson(x):
            return ((x - expected) ** 2 / expected).sum(axis=-1)

        reached = pearson(grid) >= pearson(cells(sample)) - 1e-12
        exact = law.pmf(grid)[reached].sum()
        found = cell_test(
            sample,
            population,
            statistic="chi_square",
            method="exact",
            n_resamples=200_000,
            random_state=0,
        )
        assert found.pvalue == pytest.approx(exact, abs=4 * np.sqrt(exact / 200_000))

    def test_small_expected_counts_are_drawn_large_ones_are_not(self):
        assert "chi-square" in cell_test(counts([164, 336], [16, 110]), ADULT).method
        few = cell_test(counts([16, 34], [2, 11]), ADULT, n_resamples=99, random_state=0)
        assert "hypergeometric" in few.method

    def test_order_and_type_of_labels_do_not_matter(self):
        sample = GroupCounts.from_frame({"s": [1, 0], "n": [350, 150], "selected": [99, 20]}, "s")
        text = GroupCounts.from_frame({"s": ["0", "1"], "n": [9, 21], "selected": [3, 9]}, "s")
        population = GroupCounts.from_frame(
            {"s": [0, 1], "n": [1638, 3362], "selected": [160, 1095]}, "s"
        )
        reversed_ = GroupCounts.from_frame(
            {"s": [1, 0], "n": [3362, 1638], "selected": [1095, 160]}, "s"
        )
        one, other = cell_test(sample, population), cell_test(sample, reversed_)
        assert one.to_json() == other.to_json()
        assert cell_test(text, population, random_state=0).n_sample == 30

    def test_outcomes_add_cells(self):
        rng = np.random.default_rng(0)
        chosen, group, good = (rng.integers(0, 2, 400) for _ in range(3))
        whole = GroupCounts.from_rows(chosen, group, y_true=good)
        part = GroupCounts.from_rows(chosen[:200], group[:200], y_true=good[:200])
        assert cell_test(part, whole).df == 7


class TestDefinedAnswers:
    def test_sample_equal_to_the_population(self):
        for test in (cell_test, directional_test):
            assert test(ADULT, ADULT).pvalue == 1.0
        assert "whole population" in cell_test(ADULT, ADULT).note

    def test_more_rows_in_a_cell_than_there_are_is_impossible(self):
        sample = counts([200, 300], [161, 90])
        for test in (cell_test, directional_test, cell_distance_test):
            assert test(sample, ADULT).pvalue == 0.0
        assert cell_test(sample, ADULT).statistic == np.inf

    def test_a_group_that_the_population_lacks(self):
        sample = counts([10, 30, 5], [2, 9, 1], names=("f", "m", "x"))
        assert cell_test(sample, ADULT).pvalue == 0.0

    def test_a_group_that_the_sample_lacks(self):
        sample = counts([400], [130], names=("m",))
        found = directional_test(sample, ADULT)
        assert found.pvalue == 1.0
        assert "no rows" in found.note
        assert cell_test(sample, ADULT).pvalue < 1e-6

    def test_decisions_of_one_class(self):
        population, sample = counts([50, 60], [0, 0]), counts([5, 6], [0, 0])
        assert cell_test(sample, population, random_state=0).df == 1
        assert directional_test(sample, population).pvalue == 1.0

    def test_weights_are_refused(self):
        rng = np.random.default_rng(0)
        chosen, group = rng.integers(0, 2, 50), rng.integers(0, 2, 50)
        weighted = GroupCounts.from_rows(chosen, group, sample_weight=rng.random(50))
        with pytest.raises(InputError, match="sample has weights"):
            cell_test(weighted, GroupCounts.from_rows(chosen, group))

    def test_other_features_and_other_codes(self):
        other = GroupCounts.from_frame({"race": ["f"], "n": [10], "selected": [3]}, "race")
        with pytest.raises(InputError, match="different sensitive features"):
            cell_test(other, ADULT)
        with pytest.raises(InputError, match="share no group"):
            cell_test(counts([4, 5], [1, 2], names=("F", "M")), ADULT)

    def test_rows_instead_of_counts(self):
        with pytest.raises(InputError, match="GroupCounts"):
            cell_test(np.zeros(3), ADULT)

    def test_one_group_has_nothing_to_compare(self):
        one = counts([40], [10], names=("m",))
        with pytest.raises(DegenerateDataError, match="fewer than two"):
            directional_test(one, one)

    @pytest.mark.parametrize("option", [{"regime": "x"}, {"statistic": "t"}, {"method": "fast"}])
    def test_unknown_options(self, option):
        with pytest.raises(InputError, match="must be one of"):
            cell_test(ADULT, ADULT, **option)


class TestDirectional:
    def brute_force(self, population, sample, ratio=True):
        (n0, n1), (a0, a1) = population.n, population.selected
        (m0, m1), (x0, x1) = sample.n, sample.selected
        first = stats.hypergeom(n0, a0, m0).pmf(np.arange(m0 + 1))
        second = stats.hypergeom(n1, a1, m1).pmf(np.arange(m1 + 1))
        total = 0.0
        for i, p in enumerate(first):
            for j, q in enumerate(second):
                if ratio:
                    reached = (i > 0 and j == 0) or (j > 0 and i * x1 >= x0 * j)
                else:
                    reached = i * m1 - j * m0 >= x0 * m1 - x1 * m0
                total += p * q * reached
        return total

    @pytest.mark.parametrize("sample", [([9, 14], [2, 5]), ([5, 18], [1, 3]), ([12, 11], [0, 4])])
    def test_agrees_with_enumeration(self, sample):
        population, drawn = counts([60, 80], [10, 40]), counts(*sample)
        found = directional_test(drawn, population)
        assert found.pvalue == pytest.approx(self.brute_force(population, drawn), rel=1e-9)
        found = directional_test(drawn, population, metric="demographic_parity_difference")
        exact = self.brute_force(population, drawn, ratio=False)
        assert found.pvalue == pytest.approx(exact, rel=1e-9)

    def test_no_favourable_decision_in_the_reference_group(self):
        population, drawn = counts([60, 80], [10, 40]), counts([10, 6], [1, 0])
        found = directional_test(drawn, population)
        assert found.statistic == np.inf
        exact = stats.hypergeom(80, 40, 6).pmf(0) * stats.hypergeom(60, 10, 10).sf(0)
        assert found.pvalue == pytest.approx(exact, rel=1e-9)

    def test_several_groups_agree_with_two_of_them(self):
        population = counts([1638, 3362, 4000], [160, 1095, 1290], names=("f", "m", "x"))
        sample = counts([160, 340, 400], [22, 100, 120], names=("f", "m", "x"))
        found = directional_test(sample, population, random_state=0)
        assert "draws" in found.method
        pair = directional_test(counts([160, 340], [22, 100]), ADULT)
        assert found.pvalue == pytest.approx(pair.pvalue, abs=0.05)

    def test_named_reference_group_turns_the_ratio_around(self):
        sample = counts([160, 340], [16, 100])
        found = directional_test(sample, ADULT, reference_group="f")
        assert found.statistic == pytest.approx((100 / 340) / (16 / 160))
        with pytest.raises(InputError, match="no group"):
            directional_test(sample, ADULT, reference_group="x")

    def test_true_positive_rates_need_outcomes(self):
        with pytest.raises(InputError, match="true outcome"):
            directional_test(ADULT, ADULT, metric="true_positive_rate_ratio")
        rng = np.random.default_rng(0)
        chosen, group, good = (rng.integers(0, 2, 400) for _ in range(3))
        whole = GroupCounts.from_rows(chosen, group, y_true=good)
        part = GroupCounts.from_rows(chosen[:100], group[:100], y_true=good[:100])
        found = directional_test(part, whole, metric="true_positive_rate_ratio")
        selected = good[:100] == 1
        rates = [chosen[:100][selected & (group[:100] == g)].mean() for g in (0, 1)]
        whole_rates = [chosen[(good == 1) & (group == g)].mean() for g in (0, 1)]
        low, high = np.argsort(whole_rates)
        assert found.statistic == pytest.approx(rates[low] / rates[high])

    def test_window_sums_to_one_far_out(self):
        values, weights = hypergeometric_window(10**8, 10**6, 10**5, include=2000)
        assert weights.sum() == pytest.approx(1.0)
        assert values[-1] >= 2000


class TestDistances:
    def test_wasserstein_is_that_of_optimal_transport(self):
        import ot

        sample = counts([160, 340], [31, 80])
        cost = np.array(
            [[0, 1, 1, 2**0.5], [1, 0, 2**0.5, 1], [1, 2**0.5, 0, 1], [2**0.5, 1, 1, 0]]
        )
        exact = ot.emd2(cells(sample) / 500, cells(ADULT) / 5000, cost)
        found = cell_distance_test(sample, ADULT, n_resamples=99, random_state=0)
        assert found.effect == pytest.approx(exact, abs=1e-12)

    def test_mmd_is_the_quadratic_form_of_the_kernel(self):
        sample = counts([160, 340], [31, 80])
        points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        kernel = np.exp(-((points[:, None] - points[None]) ** 2).sum(axis=-1))
        gap = cells(sample) / 500 - cells(ADULT) / 5000
        found = cell_distance_test(sample, ADULT, distance="mmd", n_resamples=99, random_state=0)
        assert found.statistic == pytest.approx(gap @ kernel @ gap, rel=1e-12)

    def test_generalised_kl_leaves_empty_cells_out(self):
        sample = counts([160, 340], [0, 80])
        p, q = cells(ADULT) / 5000, cells(sample) / 500
        kept = q > 0
        value = (p[kept] * np.log(p[kept] / q[kept]) - p[kept] + q[kept]).sum()
        found = cell_distance_test(sample, ADULT, distance="kl", n_resamples=99, random_state=0)
        assert found.statistic == pytest.approx(value, rel=1e-12)

    def test_three_groups(self):
        population = counts([100, 200, 300], [10, 60, 100], names=("a", "b", "c"))
        sample = counts([30, 50, 70], [9, 8, 5], names=("a", "b", "c"))
        found = cell_distance_test(sample, population, n_resamples=199, random_state=0)
        assert 0 < found.pvalue < 0.05
