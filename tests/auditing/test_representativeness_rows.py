"""Tests on rows: what each sees, that it does not see what is not there, and the family of them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from shiftlab.auditing import (
    Reference,
    membership_test,
    model_consistency_test,
    multiplicity_test,
    representativeness_tests,
)
from shiftlab.exceptions import ColumnNotFoundError, InputError

N = 3000


@pytest.fixture(scope="module")
def population():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(size=N).astype(np.float32),
            "age": rng.integers(18, 80, N),
            "zero": np.where(rng.random(N) < 0.9, 0.0, rng.exponential(size=N)),
            "job": rng.choice(["a", "b", "c"], N, p=[0.6, 0.3, 0.1]),
            "sex": rng.choice(["f", "m"], N),
        }
    )
    frame["yhat"] = (rng.random(N) < 0.2 + 0.3 * (frame["sex"] == "m")).astype(int)
    return frame


@pytest.fixture(scope="module")
def reference(population):
    return Reference(decision="yhat", sensitive_features="sex", n_frequencies=64).fit(population)


class TestProofs:
    def test_honest_samples_never_fail(self, population, reference):
        for seed in range(5):
            sample = population.sample(400, random_state=seed)
            assert membership_test(sample, reference).statistic == 0
            assert multiplicity_test(sample, reference).statistic == 0

    def test_moved_and_repeated_rows_are_counted(self, population, reference):
        sample = population.sample(100, random_state=0)
        moved = sample.copy()
        moved.iloc[:7, 0] += 0.01
        assert membership_test(moved, reference).statistic == 7
        repeated = pd.concat([sample, sample.iloc[:4]])
        assert multiplicity_test(repeated, reference).statistic == 4

    def test_a_row_may_repeat_as_often_as_in_the_population(self):
        table = pd.DataFrame({"x": [1.0, 1.0, 2.0], "yhat": [0, 0, 1]})
        known = Reference(decision="yhat").fit(table)
        assert multiplicity_test(table.iloc[[0, 1]], known).statistic == 0
        assert multiplicity_test(table.iloc[[0, 1, 1]], known).statistic == 1

    def test_formats_do_not_matter(self, population, reference, tmp_path):
        sample = population.sample(200, random_state=1)
        sample.to_csv(tmp_path / "sample.csv", index=False)
        sample.to_parquet(tmp_path / "sample.parquet")
        copies = [
            pd.read_csv(tmp_path / "sample.csv"),
            pd.read_parquet(tmp_path / "sample.parquet"),
            pl.read_csv(tmp_path / "sample.csv"),
            pl.from_pandas(sample.reset_index(drop=True)),
            sample.assign(yhat=sample["yhat"].astype(bool)),
            sample[sample.columns[::-1]],
            {name: sample[name].to_numpy() for name in sample},
        ]
        results = [representativeness_tests(copy, reference) for copy in copies]
        assert all(r["membership"].statistic == 0 for r in results)
        assert len({r["columns"].pvalue for r in results}) == 1

    def test_repeated_identifiers(self, population):
        table = population.assign(id=np.arange(N))
        known = Reference(decision="yhat", sensitive_features="sex", row_id="id").fit(table)
        sample = table.sample(50, random_state=0)
        assert multiplicity_test(sample, known).statistic == 0
        sample.iloc[1, sample.columns.get_loc("id")] = sample["id"].iloc[0]
        assert multiplicity_test(sample, known).statistic == 1
        assert membership_test(sample, known).statistic == 1

    def test_repeated_identifiers_in_the_reference_are_an_error(self, population):
        table = population.assign(id=np.arange(N) // 2)
        with pytest.raises(InputError, match=r"row_id.*1500"):
            Reference(decision="yhat", row_id="id").fit(table)

    def test_model_consistency(self):
        found = model_consistency_test([0, 1, 1, 0], [0, 1, 0, 0])
        assert (found.statistic, found.pvalue, found.proof) == (1, 0.0, True)
        with pytest.raises(InputError, match="4 rows"):
            model_consistency_test([0, 1, 1, 0], [0, 1])


class TestColumns:
    def test_continuous_column_is_kolmogorov_smirnov(self, population, reference):
        sample = population.sample(300, random_state=3)
        found = {t.name: t for t in representativeness_tests(sample, reference).columns}
        test = found["column:income"]
        exact = stats.ks_2samp(sample["income"], population["income"])
        assert test.effect == pytest.approx(exact.statistic, abs=1e-12)
        scaled = np.sqrt(300 / ((N - 300) / (N - 1))) * exact.statistic
        assert test.pvalue == pytest.approx(stats.kstwobign.sf(scaled), rel=1e-9)

    def test_labels_are_chi_square(self, population, reference):
        sample = population.sample(300, random_state=3)
        found = {t.name: t for t in representativeness_tests(sample, reference).columns}
        expected = population["job"].value_counts().sort_index() / 10
        seen = sample["job"].value_counts().sort_index()
        value = stats.chisquare(seen, expected).statistic / ((N - 300) / (N - 1))
        assert found["column:job"].statistic == pytest.approx(value, rel=1e-12)

    def test_level_of_columns_with_ties(self, population, reference):
        rng = np.random.default_rng(4)
        small = {"column:age": 0, "column:zero": 0, "column:job": 0}
        for _ in range(200):
            sample = population.iloc[rng.choice(N, 300, replace=False)]
            for test in representativeness_tests(sample, reference, tests=["columns"]).columns:
                if test.name in small:
                    small[test.name] += test.pvalue <= 0.1
        assert all(0.04 <= count / 200 <= 0.17 for count in small.values()), small

    def test_shift_of_one_column_is_seen_and_named(self, population, reference):
        order = np.argsort(population["age"].to_numpy(), kind="stable")
        sample = population.iloc[order[:400]]
        found = representativeness_tests(sample, reference)
        assert found.reject
        assert "'age'" in found["columns"].note

    def test_unknown_label_is_impossible(self, population, reference):
        sample = population.sample(50, random_state=0)
        sample.iloc[0, sample.columns.get_loc("job")] = "z"
        found = representativeness_tests(sample, reference)
        assert {t.name: t.pvalue for t in found.columns}["column:job"] == 0.0

    def test_missing_cells_are_a_label(self, population):
        table = population.copy()
        table.loc[:100, "job"] = None
        table.loc[:50, "income"] = np.nan
        known = Reference(decision="yhat", sensitive_features="sex").fit(table)
        found = representativeness_tests(table.sample(300, random_state=0), known, tests="all")
        assert not found.reject
        assert not found.mismatch

    def test_shares_of_missing_cells_are_compared(self, population, reference):
        sample = population.sample(300, random_state=0)
        sample.iloc[:, 0] = sample["income"].where(np.arange(300) > 60)
        found = {t.name: t for t in representativeness_tests(sample, reference).columns}
        assert found["column:income"].pvalue < 1e-6
        sample["income"] = np.nan
        found = {t.name: t for t in representativeness_tests(sample, reference).columns}
        assert found["column:income"].effect == 1.0


class TestOmnibus:
    def test_hotelling_is_that_of_the_textbook(self):
        rng = np.random.default_rng(0)
        table = pd.DataFrame(rng.normal(size=(500, 3)), columns=list("abc"))
        known = Reference(n_frequencies=8).fit(table)
        sample = table.iloc[:80]
        found = representativeness_tests(sample, known, tests=["hotelling"])["hotelling"]
        gap = (sample.mean() - table.mean()).to_numpy()
        value = 80 / (420 / 499) * gap @ np.linalg.solve(table.cov().to_numpy(), gap)
        assert found.statistic == pytest.approx(value, rel=1e-4)
        assert found.df == 3

    @pytest.mark.parametrize("test", ["sliced_wasserstein", "mmd_median", "mmd_small", "hotelling"])
    @pytest.mark.parametrize("regime", ["full", "independent"])
    def test_sees_a_shift_and_no_shift(self, test, regime):
        rng = np.random.default_rng(2)
        table = pd.DataFrame({"u": rng.normal(size=2000), "v": rng.normal(size=2000)})
        table["d"] = 0
        known = Reference(decision="d", n_frequencies=64).fit(table)
        options = {"tests": [test], "regime": regime, "n_resamples": 199}
        honest = representativeness_tests(table.iloc[:200], known, **options)
        assert honest[test].pvalue > 0.01
        shifted = table[table["u"] > 0].iloc[:200]
        assert representativeness_tests(shifted, known, **options)[test].pvalue < 0.02

    def test_rows_beyond_the_limit_are_a_random_sample(self, population):
        known = Reference(decision="yhat", max_rows=500, n_frequencies=16).fit(population)
        assert known.kept.rows.shape[0] == 500
        honest = population.sample(300, random_state=3)
        found = representativeness_tests(honest, known, tests=["mmd_median", "hotelling"])
        assert not found.reject


class TestParts:
    def test_parts_give_what_the_whole_gives(self, population, reference):
        parts = Reference(decision="yhat", sensitive_features="sex", n_frequencies=64)
        for start in range(0, N, 700):
            parts.partial_fit(population.iloc[start : start + 700])
        assert parts.n_rows == N
        assert parts.counts.to_json() == reference.counts.to_json()
        sample = population.sample(200, random_state=5)
        tests = ["membership", "multiplicity", "cells_g", "directional", "columns"]
        one, other = (
            representativeness_tests(sample, known, tests=tests) for known in (reference, parts)
        )
        assert one.to_json() == other.to_json()

    def test_fit_forgets(self, population):
        known = Reference(decision="yhat").fit(population).fit(population.iloc[:100])
        assert known.n_rows == 100

    def test_favourable_value_may_be_absent_from_a_part(self):
        known = Reference(decision="d", sensitive_features="s", pos_label="yes")
        known.partial_fit({"d": ["no", "no"], "s": ["a", "b"]})
        known.partial_fit({"d": ["yes", "no"], "s": ["a", "b"]})
        assert known.counts.selected.tolist() == [1, 0]

    def test_a_part_with_other_columns(self, population):
        known = Reference(decision="yhat").fit(population)
        with pytest.raises(InputError, match="lacks 'age'"):
            known.partial_fit(population.drop(columns="age"))


class TestFamily:
    def test_holm_over_tests_with_a_level(self, population, reference):
        found = representativeness_tests(population.sample(300, random_state=0), reference)
        levels = [t for t in found.tests if not t.proof]
        ordered = sorted(levels, key=lambda t: t.pvalue)
        assert ordered[0].adjusted == pytest.approx(min(1, 3 * ordered[0].pvalue))
        assert all(t.adjusted is None for t in found.tests if t.proof)

    def test_same_seed_same_answer_other_tests_do_not_matter(self, population, reference):
        sample = population.sample(40, random_state=0)
        one = representativeness_tests(sample, reference, tests=["cells_g"])
        more = representativeness_tests(sample, reference, tests=["cells_kl", "cells_g"])
        assert one["cells_g"].pvalue == more["cells_g"].pvalue

    def test_regimes_say_what_they_cannot_run(self, population):
        known = Reference(decision="yhat", sensitive_features="sex").fit(population)
        found = representativeness_tests(
            population.sample(100, random_state=0),
            known,
            regime="independent",
            tests=["membership", "cells_g"],
        )
        assert [t.name for t in found.tests] == ["cells_g"]
        assert "whole population" in found.skipped[0]

    def test_features_only(self, population):
        known = Reference(decision="yhat", sensitive_features="sex", features_only=True)
        known.fit(population)
        assert "yhat" not in known.names
        sample = population.sample(200, random_state=0)
        found = representativeness_tests(sample, known, regime="features")
        assert not found.reject
        assert not found.mismatch
        with pytest.raises(InputError, match="features_only"):
            representativeness_tests(sample, known, regime="full")

    def test_errors(self, population, reference):
        with pytest.raises(InputError, match="has in addition 'extra'"):
            representativeness_tests(population.assign(extra=1), reference)
        with pytest.raises(ColumnNotFoundError, match="yhat"):
            representativeness_tests(population.drop(columns="yhat"), reference)
        with pytest.raises(InputError, match="tests must be one of"):
            representativeness_tests(population, reference, tests=["t"])
        missing = population.assign(sex=population["sex"].where(population.index > 0))
        with pytest.raises(InputError, match="1 missing value"):
            representativeness_tests(missing, reference)
        with pytest.raises(InputError, match="one role"):
            Reference(decision="sex", sensitive_features="sex")
        with pytest.raises(InputError, match="no rows yet"):
            _ = Reference().kept
