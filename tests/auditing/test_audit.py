"""The audit end to end: verdicts kept apart, every attack caught by what should catch it."""

import json

import numpy as np
import pandas as pd
import pytest

from shiftlab.auditing import (
    ManipulationAudit,
    Reference,
    audit_metrics,
    impact_ratios,
    manipulate,
)
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

N = 4000


def make_population(seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"x": rng.normal(size=N), "z": rng.normal(size=N), "sex": rng.choice(["f", "m"], N)}
    )
    frame["yhat"] = (frame["x"] + 0.8 * (frame["sex"] == "m") > 1.2).astype(int)
    return frame


@pytest.fixture(scope="module")
def population():
    return make_population()


@pytest.fixture(scope="module")
def audit(population):
    known = Reference(decision="yhat", sensitive_features="sex", n_frequencies=64)
    return ManipulationAudit(known.fit(population))


def attack(population, strategy, m=800, **options):
    return manipulate(
        population,
        0.8,
        strategy=strategy,
        decision="yhat",
        sensitive_features="sex",
        n_samples=m,
        n_tries=50,
        random_state=0,
        **options,
    ).data


class TestVerdicts:
    def test_honest_sample_fails_and_is_clean(self, population, audit):
        record = audit.run(population.sample(800, random_state=0))
        assert (record.compliance, record.integrity) == ("fail", "clean")
        part = record.by_feature[0]
        assert part.low < part.value < part.high < 0.8
        rates = population.groupby("sex")["yhat"].mean()
        assert part.reference_value == pytest.approx(rates["f"] / rates["m"])

    @pytest.mark.parametrize(
        ("strategy", "integrity", "by"),
        [
            ("entropic", "suspect", "directional_disparate_impact"),
            ("case_control", "suspect", "directional_disparate_impact"),
            ("stealthy", "suspect", "directional_disparate_impact"),
            ("optimal", "suspect", "directional_disparate_impact"),
            ("replace", "mismatch", "membership"),
            ("match", "mismatch", "multiplicity"),
        ],
    )
    def test_attacks_are_caught(self, population, audit, strategy, integrity, by):
        # The stealthy attack solves a linear programme over all rows.
        source = population.iloc[:1000] if strategy == "stealthy" else population
        record = audit.run(attack(source, strategy, m=400))
        assert record.compliance != "fail"
        assert record.integrity == integrity
        found = record.representativeness
        assert found.rejects(found[by])

    def test_model_queries_catch_changed_decisions(self, population, audit):
        sample = attack(population, "replace")
        honest = (sample["x"] + 0.8 * (sample["sex"] == "m") > 1.2).astype(int)
        record = audit.run(sample, model_decisions=honest)
        test = record.representativeness["model_consistency"]
        assert test.statistic == (sample["yhat"] != honest).sum() > 0
        assert record.integrity == "mismatch"

    def test_pass_needs_the_lower_limit(self):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({"s": rng.integers(0, 2, 6000), "d": rng.integers(0, 2, 6000)})
        record = audit_metrics(GroupCounts.from_rows(frame["d"], frame["s"]))
        assert record.compliance == "pass"
        few = {"s": ["a", "b"], "n": [30, 30], "selected": [15, 15]}
        record = audit_metrics(GroupCounts.from_frame(few, "s"))
        assert record.compliance == "inconclusive"

    def test_features_only_says_what_it_cannot_see(self, population):
        # The decision has nothing to do with the covariates, given the group.
        chosen = np.random.default_rng(3).random(N) < 0.1 + 0.3 * (population["sex"] == "m")
        population = population.assign(yhat=chosen.astype(int))
        known = Reference(decision="yhat", sensitive_features="sex", features_only=True)
        audit = ManipulationAudit(known.fit(population), regime="features")
        record = audit.run(attack(population, "entropic", m=300))
        assert record.integrity == "clean"
        assert any("no test on covariates has power" in sentence for sentence in record.limits)
        assert record.by_feature[0].reference_value is None
        assert record.outlook == ()

    def test_counts_are_enough(self, population):
        whole = GroupCounts.from_rows(population["yhat"], population["sex"])
        sample = attack(population, "entropic")
        drawn = GroupCounts.from_rows(sample["yhat"], sample["sex"])
        record = ManipulationAudit(whole).run(drawn)
        assert record.integrity == "suspect"
        assert any("counts were given" in sentence for sentence in record.limits)

    def test_several_features_have_verdicts_of_their_own(self, population):
        frame = population.assign(race=np.random.default_rng(1).choice(["u", "v"], N))
        known = Reference(
            decision="yhat", sensitive_features=["sex", "race"], n_frequencies=16
        ).fit(frame)
        record = ManipulationAudit(known).run(frame.sample(900, random_state=0))
        assert [part.feature for part in record.by_feature] == ["sex", "race"]
        assert record.compliance == "fail"
        names = {test.name for test in record.representativeness.tests}
        assert {"directional_disparate_impact:sex", "directional_disparate_impact:race"} <= names
        assert [part.feature for part in record.outlook] == ["sex", "race"]

    def test_outcomes(self, population):
        frame = population.assign(good=(population["x"] > 0.5).astype(int))
        known = Reference(
            decision="yhat", sensitive_features="sex", label="good", n_frequencies=16
        ).fit(frame)
        audit = ManipulationAudit(known, metric="true_positive_rate_ratio")
        record = audit.run(frame.sample(900, random_state=0))
        good = frame[frame["good"] == 1].groupby("sex")["yhat"].mean()
        assert record.by_feature[0].reference_value == pytest.approx(good["f"] / good["m"])
        assert record.integrity == "clean"

    def test_outlook_says_what_could_be_shown(self, population, audit):
        record = audit.run(population.sample(800, random_state=0))
        part = record.outlook[0]
        assert record.by_feature[0].reference_value < part.highest_directional < 0.8
        assert part.m_power_directional < part.m_power_g
        json.dumps(record.to_dict(), allow_nan=False)


class TestDefinedAnswers:
    def test_one_class(self):
        record = audit_metrics(GroupCounts.from_rows([0] * 40, [0, 1] * 20))
        assert record.compliance == "inconclusive"
        assert "0/0" in record.by_feature[0].reason

    def test_a_group_is_absent_from_the_sample(self, population, audit):
        record = audit.run(population[population["sex"] == "m"].sample(300, random_state=0))
        assert record.compliance == "inconclusive"
        assert "'f'" in record.by_feature[0].reason
        assert record.integrity == "suspect"

    @pytest.mark.parametrize("rest", [1, 9])
    def test_a_small_group_hides_no_violation(self, rest):
        table = {"g": ["a", "b", "c"], "n": [1000, 1000, rest], "selected": [800, 200, 1]}
        part = audit_metrics(GroupCounts.from_frame(table, "g")).by_feature[0]
        assert part.verdict == "fail"
        assert "fewer than 10 rows in group 'c'" in part.reason
        table["selected"] = [800, 790, 1]
        assert audit_metrics(GroupCounts.from_frame(table, "g")).compliance == "inconclusive"

    @pytest.mark.parametrize(
        ("metric", "threshold", "message"),
        [
            ("disparate_impact", 80, "above 0 and at most 1, found 80. Did you mean 0.8"),
            ("disparate_impact", -1, "above 0"),
            ("disparate_impact", float("nan"), "above 0"),
            ("disparate_impact", "much", "above 0"),
            ("demographic_parity_difference", 0.8, "between -1 and 0"),
        ],
    )
    def test_thresholds_that_mean_nothing(self, metric, threshold, message):
        counts = GroupCounts.from_frame({"g": ["a", "b"], "n": [9, 9], "selected": [8, 2]}, "g")
        with pytest.raises(InputError, match=message):
            audit_metrics(counts, metric=metric, threshold=threshold)
        with pytest.raises(InputError, match=message):
            ManipulationAudit(counts, metric=metric, threshold=threshold)

    def test_small_groups_are_hidden_everywhere(self, population, audit):
        small = population[population["sex"] == "f"].iloc[:7]
        large = population[population["sex"] == "m"].iloc[:100]
        record = audit.run(pd.concat([small, large]))
        assert record.compliance == "inconclusive"
        groups = record.fairness.groups
        assert groups[groups["feature"] == "sex"]["suppressed"].all()
        assert np.isnan(record.by_feature[0].value)

    def test_sample_equal_to_the_population(self, population, audit):
        record = audit.run(population)
        assert record.integrity == "clean"
        assert all(t.pvalue == 1.0 for t in record.representativeness.tests if not t.proof)

    def test_reference_that_complies_has_nothing_to_detect(self):
        rng = np.random.default_rng(0)
        table = {
            "s": rng.integers(0, 2, 3000),
            "d": rng.integers(0, 2, 3000),
            "x": rng.random(3000),
        }
        known = Reference(decision="d", sensitive_features="s", n_frequencies=8).fit(table)
        record = ManipulationAudit(known).run({k: v[:500] for k, v in table.items()})
        assert "reaches the threshold" in record.outlook[0].note

    def test_missing_sensitive_cell(self, population, audit):
        sample = population.sample(50, random_state=0)
        sample.iloc[0, sample.columns.get_loc("sex")] = None
        with pytest.raises(InputError, match="missing value"):
            audit.run(sample)

    def test_kinds_must_fit(self, population, audit):
        drawn = GroupCounts.from_rows([0, 1], ["f", "m"])
        with pytest.raises(InputError, match="counts can only be compared with counts"):
            audit.run(drawn)
        with pytest.raises(InputError, match="must be a GroupCounts"):
            ManipulationAudit(drawn).run(population)
        with pytest.raises(InputError, match="An audit needs decisions"):
            ManipulationAudit(Reference(decision="yhat").fit(population)).run(population)

    def test_options(self, audit):
        for option in ({"metric": "x"}, {"regime": "x"}, {"alpha": 2}, {"power": 0}):
            with pytest.raises(InputError):
                ManipulationAudit(audit.reference, **option)
        with pytest.raises(InputError, match="needs the true outcome"):
            audit_metrics(
                GroupCounts.from_rows([0, 1], ["f", "m"]), metric="true_positive_rate_ratio"
            )


class TestImpactRatios:
    """The worked example of section 5-301 of the rules of the City of New York."""

    def test_by_sex(self):
        counts = {"sex": ["Male", "Female"], "n": [92, 76], "selected": [50, 34]}
        table = impact_ratios(GroupCounts.from_frame(counts, "sex"), "sex")
        lines = {line.category: line for line in table.lines}
        assert round(lines["Male"].rate, 3) == 0.543
        assert round(lines["Female"].rate, 3) == 0.447
        assert round(lines["Male"].ratio, 2) == 1.0
        assert round(lines["Female"].ratio, 2) == 0.82

    def test_by_race(self):
        counts = {
            "race": ["Hispanic", "White", "Black", "NHPI", "Asian"],
            "n": [28, 40, 32, 8, 24],
            "selected": [18, 15, 16, 5, 10],
        }
        table = impact_ratios(GroupCounts.from_frame(counts, "race"), "race")
        ratios = {line.category: round(line.ratio, 2) for line in table.lines}
        assert ratios == {
            "Hispanic": 1.0,
            "White": 0.58,
            "Black": 0.78,
            "NHPI": 0.97,
            "Asian": 0.65,
        }

    def test_rows_unknown_intersections_and_small_categories(self):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(
            {
                "sex": rng.choice(["f", "m", "unknown"], 1000, p=[0.5, 0.45, 0.05]),
                "race": rng.choice(["u", "v", None], 1000, p=[0.9, 0.09, 0.01]),
                "d": rng.integers(0, 2, 1000),
            }
        )
        frame.loc[:5, "race"] = "w"
        table = impact_ratios(frame, ["sex", "race"], decision="d")
        assert table.unknown == {
            "sex": int((frame["sex"] == "unknown").sum()),
            "race": int(frame["race"].isna().sum()),
        }
        rare = next(line for line in table.lines if (line.feature, line.category) == ("race", "w"))
        assert rare.ratio is None
        assert rare.n == (frame["race"] == "w").sum()
        assert "sex / race" in {line.feature for line in table.lines}

    def test_hidden_categories_take_another_one_with_them(self):
        counts = {"race": ["a", "b", "c"], "n": [500, 300, 4], "selected": [100, 90, 2]}
        table = impact_ratios(GroupCounts.from_frame(counts, "race"), "race", min_count=10)
        assert [line.n for line in table.lines] == [500, None, None]

    def test_scores_are_cut_at_the_median(self):
        frame = pd.DataFrame({"s": list("aabb"), "score": [1.0, 4.0, 2.0, 3.0]})
        table = impact_ratios(frame, "s", score="score")
        assert [line.rate for line in table.lines] == [0.5, 0.5]
        assert table.kind == "scoring"

    def test_errors(self):
        frame = pd.DataFrame({"s": list("ab"), "d": [0, 1]})
        with pytest.raises(InputError, match="decision or the one with the score"):
            impact_ratios(frame, "s")
        with pytest.raises(InputError, match="exclude_below"):
            impact_ratios(frame, "s", decision="d", exclude_below=1.5)
