"""Second moments and subsets agree with row-wise fits of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from shiftlab._core.validation import check_environment
from shiftlab.adaptation import EnvironmentGrams, enumerate_subset_risks
from shiftlab.adaptation._gram import build_moments
from shiftlab.adaptation._subsets import full_enumeration, portfolio, search_sets
from shiftlab.exceptions import InputError

RNG = np.random.default_rng(0)
N, P = 600, 4
ENVIRONMENT = RNG.permutation(np.repeat(np.arange(12), 50))
X = RNG.normal(size=(N, P)) * [1, 10, 0.1, 3] + [0, 1e4, 5, -2]
Y = X @ [1.0, -0.2, 3.0, 0.5] + RNG.normal(size=N) + 100


def reference(train, used, weights=None):
    model = LinearRegression()
    w = None if weights is None else weights[train]
    return model.fit(X[train][:, used], Y[train], sample_weight=w)


def test_leave_one_out_risks_are_those_of_scikit_learn():
    found = enumerate_subset_risks(X, Y, ENVIRONMENT)
    assert len(found.sets) == 2**P
    for e in (0, 7):
        out = e == ENVIRONMENT
        for k in range(1, 2**P):
            used = found.sets[k]
            theirs = np.mean((Y[out] - reference(~out, used).predict(X[out][:, used])) ** 2)
            assert found.risks[e, k] == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_in_sample_risks_and_coefficients(weighted):
    weights = RNG.random(N) if weighted else None
    found = enumerate_subset_risks(X, Y, ENVIRONMENT, evaluation="in_sample", sample_weight=weights)
    every = np.ones(N, dtype=bool)
    for k in (3, 9, 15):
        used = found.sets[k]
        theirs = reference(every, used, weights)
        np.testing.assert_allclose(found.coefficients[k][used], theirs.coef_, rtol=1e-8)
        assert found.intercepts[k] == pytest.approx(theirs.intercept_, rel=1e-8)
        errors = (Y - theirs.predict(X[:, used])) ** 2
        for e in range(3):
            rows = e == ENVIRONMENT
            w = None if weights is None else weights[rows]
            assert found.risks[e, k] == pytest.approx(np.average(errors[rows], weights=w), rel=1e-8)


def test_both_ways_of_summing_agree():
    labels, _ = check_environment(ENVIRONMENT)
    long = build_moments(X, Y, labels)
    short = build_moments(np.tile(X, 1), Y, labels, np.ones(N))
    few = build_moments(X[:80], Y[:80], check_environment(ENVIRONMENT[:80])[0])
    np.testing.assert_allclose(long.gram, short.gram, rtol=1e-12)
    rows = ENVIRONMENT[:80] == np.unique(ENVIRONMENT[:80])[0]
    Z = np.column_stack([np.ones(80), X[:80]])[rows]
    np.testing.assert_allclose(few.gram[0], Z.T @ Z / len(Z), rtol=1e-12)


def test_a_category_is_taken_as_a_whole():
    frame = pd.DataFrame({"x": X[:, 0], "kind": RNG.choice(["u", "v", "w"], N)})
    found = enumerate_subset_risks(frame, Y, ENVIRONMENT)
    assert found.sets.shape == (4, 2)
    assert found.coefficients.shape == (4, 4)
    dummies = pd.get_dummies(frame["kind"], drop_first=True).to_numpy(dtype=float)
    Z = np.column_stack([X[:, 0], dummies])
    out = ENVIRONMENT == 0
    theirs = LinearRegression().fit(Z[~out], Y[~out]).predict(Z[out])
    # All indicators are kept, with a tiny ridge: equal but for rounding.
    assert found.risks[0, 3] == pytest.approx(np.mean((Y[out] - theirs) ** 2), rel=1e-6)


def test_knowledge_limits_the_sets():
    found = enumerate_subset_risks(X, Y, ENVIRONMENT, always_include=["x0"], never_include=[3])
    assert len(found.sets) == 4
    assert found.sets[:, 0].all()
    assert not found.sets[:, 3].any()
    with pytest.raises(InputError, match="both name"):
        enumerate_subset_risks(X, Y, ENVIRONMENT, always_include=[0], never_include=["x0"])


def test_too_many_to_enumerate():
    wide = RNG.normal(size=(60, 16))
    with pytest.raises(InputError, match=r"2\^16 subsets"):
        enumerate_subset_risks(wide, Y[:60], ENVIRONMENT[:60])
    named = enumerate_subset_risks(
        wide, Y[:60], ENVIRONMENT[:60] % 3, candidates=[["x0"], ["x0", "x5"]]
    )
    assert len(named.sets) == 3  # and all covariates


def test_small_sets_come_first_and_the_portfolio_is_greedy():
    none = np.zeros(5, dtype=bool)
    sets = full_enumeration(5, none, none)
    assert (np.diff(sets.sum(axis=1)) >= 0).all()
    risks = RNG.random((30, 12))
    chosen = portfolio(risks, 3)
    assert risks[:, chosen].min(axis=1).sum() <= risks.sum(axis=0).min()
    assert risks.sum(axis=0).argmin() in chosen


def test_the_search_finds_what_enumeration_finds():
    labels, _ = check_environment(ENVIRONMENT)
    moments = build_moments(X - X.mean(axis=0), Y - Y.mean(), labels).standardised()[0]
    none, groups = np.zeros(P, dtype=bool), np.arange(P)
    found = search_sets(moments, moments.weight, groups, none, none, 4)
    everything = enumerate_subset_risks(X, Y, ENVIRONMENT, evaluation="in_sample")
    best = everything.risks[:, portfolio(everything.risks, 4, [0, 15])].min(axis=1).sum()
    index = [int((everything.sets == row).all(axis=1).argmax()) for row in found]
    assert everything.risks[:, index].min(axis=1).sum() <= best * 1.01


class TestStreaming:
    def test_parts_give_the_same_as_all_rows(self):
        parts = EnvironmentGrams()
        for start in range(0, N, 130):
            rows = slice(start, start + 130)
            parts.partial_fit(X[rows], Y[rows], ENVIRONMENT[rows])
        whole = EnvironmentGrams().partial_fit(X, Y, ENVIRONMENT)
        order = np.argsort(parts.environments_)
        assert parts.n_rows_.sum() == N
        ours = parts.moments_.transformed(whole.centre_ - parts.centre_, np.ones(P))
        np.testing.assert_allclose(ours.gram[order], whole.moments_.gram, rtol=1e-7, atol=1e-7)

    def test_sites_add_up_without_their_rows(self):
        from shiftlab.adaptation import EnvironmentAdaptiveRegressor

        first, second = (
            EnvironmentGrams().partial_fit(X[s], Y[s], ENVIRONMENT[s])
            for s in (ENVIRONMENT < 6, ENVIRONMENT >= 6)
        )
        both = first + second
        a = EnvironmentAdaptiveRegressor(outside="ignore").fit_grams(both)
        b = EnvironmentAdaptiveRegressor(outside="ignore").fit(X, Y, ENVIRONMENT)
        np.testing.assert_allclose(a.predict(X, ENVIRONMENT), b.predict(X, ENVIRONMENT), rtol=1e-6)

    def test_bad_parts(self):
        grams = EnvironmentGrams().partial_fit(X, Y, ENVIRONMENT)
        with pytest.raises(InputError, match="other columns"):
            grams.partial_fit(X[:, :2], Y, ENVIRONMENT)
        with pytest.raises(InputError, match="finite"):
            grams.partial_fit(X, np.full(N, np.nan), ENVIRONMENT)
        with pytest.raises(InputError, match="needs numbers"):
            EnvironmentGrams().partial_fit(pd.DataFrame({"a": ["u", "v"]}), [0, 1], [0, 1])
        assert repr(EnvironmentGrams()) == "EnvironmentGrams(empty)"


def test_bad_input():
    with pytest.raises(InputError, match="evaluation"):
        enumerate_subset_risks(X, Y, ENVIRONMENT, evaluation="bootstrap")
    with pytest.raises(InputError, match="y must"):
        enumerate_subset_risks(X, Y[1:], ENVIRONMENT)
    with pytest.raises(InputError, match="NaN"):
        enumerate_subset_risks(np.where(X > 1e4, np.nan, X), Y, ENVIRONMENT)
    with pytest.raises(InputError, match="candidates"):
        enumerate_subset_risks(X, Y, ENVIRONMENT, candidates="some")
