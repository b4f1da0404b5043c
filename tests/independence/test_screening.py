"""Questions that some of the rows answer: the same decisions, told by fewer rows."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.discovery import CDNOD
from shiftlab.exceptions import InputError
from shiftlab.independence import FisherZ, KernelTest

N, FEW = 1200, 300
QUERIES = [("x", "y", ()), ("x", "y", ("z",)), ("z", "x", ("y", "site")), ("w", "y", ("site",))]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    z, w = rng.normal(size=(2, N))
    site = rng.choice(list("abc"), N)
    x = z + 0.5 * rng.normal(size=N) + (site == "a")
    y = np.tanh(z) + 0.5 * rng.normal(size=N)
    return pd.DataFrame({"x": x, "y": y, "z": z, "w": w, "site": site})


@pytest.fixture(scope="module")
def whole(table):
    return KernelTest().fit(table).pvalues(QUERIES)


def test_clear_dependence_is_told_by_few_rows_and_independence_by_all(table, whole):
    fitted = KernelTest().fit(table, screen_rows=FEW)
    found = fitted.pvalues(QUERIES)
    clear = whole < 1e-20
    assert 0 < clear.sum() < len(QUERIES)
    assert (found[clear] < 1e-10).all()
    assert (found[clear] > whole[clear]).all()  # fewer rows are never surer here
    assert list(found[~clear]) == list(whole[~clear])
    assert fitted.n_screened == clear.sum()
    assert fitted.n_tests == len(QUERIES)
    assert [fitted.pvalue(*query) for query in QUERIES] == list(found)
    assert fitted.n_tests == len(QUERIES)


def test_single_questions_are_answered_by_all_rows(table, whole):
    fitted = KernelTest().fit(table, screen_rows=FEW)
    fitted.pvalues(QUERIES)
    found = [fitted.test(*query) for query in QUERIES]
    assert [f.pvalue for f in found] == list(whole)
    assert {f.n_rows for f in found} == {N}
    assert list(fitted.pvalues(QUERIES)) == list(whole)  # what is known better stays known
    assert fitted.n_tests == len(QUERIES)


def test_tables_that_are_hardly_larger_are_not_screened(table, whole):
    fitted = KernelTest().fit(table, screen_rows=N // 3 + 1)
    assert list(fitted.pvalues(QUERIES)) == list(whole)
    assert fitted.n_screened == 0


def test_neither_order_nor_labels_nor_workers_choose_the_rows(table):
    expected = KernelTest().fit(table, screen_rows=FEW).pvalues(QUERIES)
    rows = np.random.default_rng(1).permutation(N)
    renamed = table.assign(site=table["site"].map({"a": "z", "b": "y", "c": "x"}))
    for other in (table.iloc[rows], renamed, table[table.columns[::-1]]):
        found = KernelTest().fit(other, screen_rows=FEW).pvalues(QUERIES)
        assert found == pytest.approx(expected, rel=1e-3)
    workers = KernelTest().fit(table, screen_rows=FEW)
    assert list(workers.pvalues(QUERIES, n_jobs=2)) == list(expected)
    assert workers.n_screened > 0


def test_rows_with_gaps_are_left_out_of_the_sample_too(table):
    gaps = table.assign(x=table["x"].where(np.arange(N) % 10 > 0))
    fitted = KernelTest().fit(gaps, missing="pairwise", screen_rows=FEW)
    complete = gaps.dropna().reset_index(drop=True)
    expected = KernelTest().fit(complete, screen_rows=FEW)
    query = ("x", "z", ("y",))
    assert fitted.pvalue(*query) == pytest.approx(expected.pvalue(*query), rel=1e-9)
    assert fitted.n_screened == 1


@pytest.mark.parametrize("value", [99, 0, 1.5, True])
def test_a_sample_must_have_a_size(table, value):
    with pytest.raises(InputError, match="screen_rows"):
        FisherZ().fit(table[["x", "y"]], screen_rows=value)


def test_a_search_finds_the_same_graph_with_and_without(monkeypatch):
    rng = np.random.default_rng(2)
    site = np.repeat(np.arange(8), 150)
    a = rng.normal(size=8)[site] + rng.normal(size=1200)
    b = np.tanh(a) + 0.4 * rng.normal(size=1200)
    c = b + 0.5 * rng.normal(size=1200)
    data = pd.DataFrame({"a": a, "b": b, "c": c, "site": [f"s{k}" for k in site]})
    graphs, pvalues = [], []
    for few in (10**9, FEW):
        monkeypatch.setattr("shiftlab.discovery._tests.SCREEN_ROWS", few)
        model = CDNOD(environment="site").fit(data)
        graphs.append(model.augmented_graph_)
        pvalues.append({pair: r.pvalue for pair, r in model.edge_reasons_.items()})
    assert graphs[0] == graphs[1]
    assert pvalues[0] != pvalues[1]
    # A level at which the sample would not be sure enough is not screened.
    monkeypatch.setattr("shiftlab.discovery._tests.LEAST_SCREENED_ALPHA", 0.5)
    strict = CDNOD(environment="site").fit(data)
    assert {pair: r.pvalue for pair, r in strict.edge_reasons_.items()} == pvalues[0]
