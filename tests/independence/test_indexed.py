"""Fitted tests: names, caches, counts, groups, missing cells, and inputs that cannot speak."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.independence import (
    GCM,
    KCI,
    RCIT,
    ContingencyTest,
    FisherZ,
    IndependenceTest,
    IndexedTest,
    KernelTest,
    Oracle,
    independence_test,
    named_test,
)
from shiftlab.independence._cache import ByteCache
from shiftlab.independence._protocol import Outcome

TESTS = [FisherZ(), KernelTest(), KCI(), KCI("low_rank"), GCM(), RCIT(), ContingencyTest(n_bins=3)]
IDS = [t.name for t in TESTS]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 80))
    return pd.DataFrame(
        {
            "x": x,
            "y": x + rng.normal(size=80),
            "z": z,
            "same": 3.5,
            "twin": z,
            "label": "one",
            "site": rng.choice(["a", "b"], 80),
        }
    )


@pytest.mark.parametrize("test", TESTS, ids=IDS)
class TestEveryTest:
    def test_keeps_the_protocol(self, test, table):
        assert isinstance(test, IndependenceTest)
        found = test.fit(table).test("x", "y", ["z"])
        once = test.test(table["x"], table["y"], table["z"])
        assert found.pvalue == pytest.approx(once.pvalue, abs=0.2 if test.name == "rcit" else 1e-9)
        assert (found.x, found.y, found.given, found.n_rows) == ("x", "y", ("z",), 80)
        assert found.method == test.name

    def test_is_silent_about_constants(self, test, table):
        fitted = test.fit(table)
        for other in ("same", "label"):
            found = fitted.test("x", other, ["z"])
            assert found.pvalue == 1.0
            assert found.notes
        given = fitted.pvalue("x", "y", ["same", "label"])
        assert given == pytest.approx(fitted.pvalue("x", "y"), abs=0.2)
        assert given < 0.05

    def test_has_an_answer_for_what_the_condition_determines(self, test, table):
        assert 0.01 < test.fit(table).pvalue("x", "z", ["twin"]) <= 1.0

    def test_has_an_answer_for_few_rows(self, test, table):
        for n in (2, 3, 5, 8):
            assert 0 < test.fit(table.head(n)).pvalue("x", "y", ["z", "site"]) <= 1.0

    def test_uses_complete_rows_on_request(self, test, table):
        holed = table.copy()
        holed.loc[:9, "x"] = np.nan
        holed.loc[70:, "site"] = None
        with pytest.raises(InputError, match="pairwise"):
            test.fit(holed)
        fitted = test.fit(holed, missing="pairwise")
        assert fitted.test("x", "y", ["z"]).n_rows == 70
        assert fitted.test("z", "y").n_rows == 80
        assert fitted.test("x", "y", ["site"]).n_rows == 60
        whole = test.fit(table.iloc[10:]).pvalue("x", "y", ["z"])
        assert fitted.pvalue("x", "y", ["z"]) == pytest.approx(whole, abs=1e-9)


def test_questions_are_computed_once_whatever_their_order(table):
    fitted = FisherZ().fit(table)
    first = fitted.pvalue("x", "y", ["z", "site"])
    assert fitted.pvalue("y", "x", ["site", "z"]) == first
    assert list(fitted.pvalues([(0, 1, (2, 6)), (1, 0, (6, 2)), (0, 2, ())]))[:2] == [first, first]
    assert (fitted.n_tests, fitted.n_lookups) == (2, 2)
    assert fitted.tests_by_size == {2: 1, 0: 1}
    assert fitted.seconds > 0


class _Undefined:
    """An engine whose answers are what numerical trouble would leave."""

    effect_name, pvalue_method = "none", "none"

    def __init__(self, outcome):
        self.outcome = outcome

    def evaluate(self, i, j, given):
        return self.outcome


@pytest.mark.parametrize(
    "outcome",
    [Outcome(np.nan, np.nan, np.nan), Outcome(np.nan, 0.0, 0.0), Outcome(np.inf, 0.01, 1.0)],
)
def test_what_is_undefined_never_reads_as_dependence(table, outcome):
    variables = FisherZ().fit(table).variables
    fitted = IndexedTest("broken", variables, lambda _: _Undefined(outcome))
    found = fitted.test("x", "y")
    assert (found.pvalue, found.statistic, found.effect) == (1.0, 0.0, 0.0)
    assert found.notes == ("the statistic is undefined",)
    assert list(fitted.pvalues([(0, 2, ())])) == [1.0]


@pytest.mark.parametrize("test", [FisherZ(), KernelTest(), RCIT(), GCM()], ids=lambda t: t.name)
def test_pvalues_below_the_smallest_number_are_zero_and_nothing_breaks(test):
    x = np.random.default_rng(0).normal(size=3000)
    found = test.test(x, x + 1e-9 * np.sin(x))
    assert 0 <= found.pvalue < 1e-12
    assert np.isfinite([found.statistic, found.effect]).all()
    assert found.notes == ()
    assert '"pvalue"' in found.to_json()


@pytest.mark.parametrize("missing", ["raise", "pairwise"])
def test_workers_change_nothing(table, missing):
    data = table[["x", "y", "z", "site"]].copy()
    if missing == "pairwise":
        data.loc[:4, "z"] = np.nan
    queries = [(i, j, k) for i, j in ((0, 1), (0, 3)) for k in ((), (2,))] + [(1, 2, (0, 3))]
    alone, shared = (KernelTest().fit(data, missing=missing) for _ in range(2))
    assert list(shared.pvalues(queries, n_jobs=2)) == list(alone.pvalues(queries))
    assert shared.n_tests == alone.n_tests == 5
    assert shared.tests_by_size == alone.tests_by_size
    assert shared.test(0, 1, (2,)) == alone.test(0, 1, (2,))
    assert shared.seconds > 0


def test_questions_that_make_no_sense(table):
    fitted = FisherZ().fit(table)
    for wrong in ((0, 0, ()), (0, 1, (1,)), (0, 99, ()), (-1, 0, ())):
        with pytest.raises(InputError):
            fitted.test(*wrong)
    with pytest.raises(ColumnNotFoundError, match="nothing"):
        fitted.test("x", "nothing")


def test_groups_are_one_variable(table):
    fitted = KernelTest().fit(table, groups={"place": ["z", "site"]})
    assert fitted.names == ("x", "y", "place", "same", "twin", "label")
    single = KernelTest().test(table["x"], table["y"], table[["z", "site"]])
    assert fitted.pvalue("x", "y", ["place"]) == pytest.approx(single.pvalue)
    assert fitted.pvalue("place", "twin") < 0.01
    for wrong in ({"p": "z"}, {"p": []}, {"p": ["z"], "q": ["z"]}, {"x": ["z"]}):
        with pytest.raises(InputError):
            KernelTest().fit(table, groups=wrong)


def test_tests_by_name(table):
    assert independence_test(table["x"], table["y"], method="fisher_z").pvalue < 0.01
    assert named_test("g2", n_bins=3) == ContingencyTest("g2", n_bins=3)
    with pytest.raises(InputError, match="method"):
        named_test("magic")
    with pytest.raises(InputError, match="no option"):
        named_test("fisher_z", width=1.0)
    with pytest.raises(InputError, match="equal numbers"):
        independence_test(table["x"], table["y"].head(5))


def test_polars_and_arrays_are_read(table):
    polars = pytest.importorskip("polars")
    expected = FisherZ().fit(table[["x", "y", "z"]]).pvalue(0, 1, [2])
    assert FisherZ().fit(polars.from_pandas(table[["x", "y", "z"]])).pvalue(0, 1, [2]) == expected
    columns = [table[c].to_numpy() for c in "xyz"]
    assert FisherZ().test(*columns).pvalue == pytest.approx(expected)
    assert FisherZ().test(*map(list, columns)).pvalue == pytest.approx(expected)


def test_the_oracle_keeps_the_protocol():
    import networkx as nx

    assert isinstance(Oracle(nx.DiGraph([("a", "b")])), IndependenceTest)


def test_the_cache_forgets_what_was_not_used():
    cache = ByteCache(10)
    for key in "abc":
        cache.get(key, lambda: (0, 4))
    assert len(cache) == 2
    assert cache.get("b", lambda: (1, 4)) == 0
    assert cache.get("a", lambda: (1, 4)) == 1
    assert cache.n_bytes == 8
