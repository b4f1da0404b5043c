"""Missing numbers that the model takes, and perturbation by the joint distribution."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from shiftlab.exceptions import InputError
from shiftlab.explanation import (
    KernelShapExplainer,
    LimeExplainer,
    decompose_gap,
    explanation_disparity,
)

RNG = np.random.default_rng(0)
N = 400
FULL = RNG.normal(size=(N, 3))
Y = FULL[:, 0] - FULL[:, 1] > 0
HOLES = FULL.copy()
HOLES[RNG.random(N) < 0.2, 1] = np.nan
IMPUTED = make_pipeline(SimpleImputer(strategy="constant"), LogisticRegression()).fit(HOLES, Y)
TREES = HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(HOLES, Y)
MISSING = np.isnan(HOLES[:, 1])


def lime(**options):
    return LimeExplainer(**({"n_samples": 200, "random_state": 0, "n_blocks": 5} | options))


class TestMissing:
    @pytest.mark.parametrize("model", [IMPUTED, TREES], ids=["pipeline", "trees"])
    @pytest.mark.parametrize("mode", ["around", "joint", "quartile"])
    def test_lime_explains_rows_with_holes(self, mode, model):
        found = lime(mode=mode).fit(HOLES).explain(model, HOLES[:60])
        for name in ("values", "base", "surrogate_prediction", "mc_se", "coordinates"):
            assert np.isfinite(getattr(found, name)).all(), name
        assert_allclose(found.base + found.terms.sum(axis=1), found.surrogate_prediction)
        if mode != "quartile":
            assert (found.values[MISSING[:60], 1] == 0).all()
            assert (found.values[~MISSING[:60], 1] != 0).all()

    def test_a_missing_number_stays_missing(self):
        seen = []

        def model(table):
            seen.append(table.copy())
            return np.where(np.isnan(table[:, 1]), 0.0, table[:, 1])

        row = HOLES[MISSING][:1]
        lime().fit(HOLES).explain(model, row)
        assert np.isnan(np.concatenate(seen)[:, 1]).all()
        seen.clear()
        lime().fit(HOLES).explain(model, HOLES[~MISSING][:5])
        assert not np.isnan(np.concatenate(seen)).any()

    def test_rows_without_holes_are_explained_as_if_there_were_none(self):
        whole = HOLES[~MISSING][:20]
        explainer = lime().fit(HOLES)
        alone = explainer.explain(IMPUTED.predict_proba, whole)
        mixed = explainer.explain(IMPUTED.predict_proba, np.concatenate([whole, HOLES[MISSING]]))
        assert_allclose(mixed[np.arange(20)].values, alone.values, atol=1e-12)

    def test_the_other_columns_of_a_row_with_a_hole(self):
        """Without column 1 the regression is that of the two other columns."""
        rows = HOLES[MISSING][:10]
        found = lime(n_samples=2000).fit(HOLES).explain(lambda t: 3 * t[:, 0] - t[:, 2], rows)
        spread = HOLES.std(axis=0)
        assert_allclose(found.values[:, 0], 3 * spread[0], rtol=0.01)
        assert_allclose(found.values[:, 2], -spread[2], rtol=0.01)

    def test_missing_is_a_bin_of_its_own(self):
        explainer = lime(mode="quartile", n_samples=2000).fit(HOLES)
        effect = explainer.explain(lambda t: np.isnan(t[:, 1]) * 1.0, HOLES)
        assert effect.values[MISSING, 1] == pytest.approx(1, abs=0.05)
        assert (effect.values[~MISSING, 1] < 0).all()
        assert explainer.reference_.quartiles[1].missing == pytest.approx(MISSING.mean())

    def test_shapley_values_of_rows_and_backgrounds_with_holes(self):
        found = KernelShapExplainer(random_state=0).fit(HOLES).explain(TREES, HOLES[:20])
        assert_allclose(found.base + found.values.sum(axis=1), found.prediction)
        linear = KernelShapExplainer(random_state=0).fit(HOLES)
        general = linear.explain(IMPUTED.predict_proba, HOLES[:20]).values
        assert_allclose(linear.explain(IMPUTED, HOLES[:20]).values, general, atol=1e-9)

    def test_frames_with_missing_cells(self):
        frame = pd.DataFrame(HOLES, columns=["a", "b", "c"])
        trees = HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(frame, Y)
        found = lime().fit(frame).explain(trees, frame[:30])
        array = lime().fit(HOLES).explain(TREES, HOLES[:30])
        assert_array_equal(found.values, array.values)
        sparse = frame.astype("Float64")
        assert_array_equal(lime().fit(sparse).reference_.mean, lime().fit(frame).reference_.mean)

    def test_order_does_not_matter_and_an_audit_goes_through(self):
        explainer = lime(n_blocks=25, n_samples=60).fit(HOLES)
        group = FULL[:, 2] > 0
        found = explainer.explain(TREES, HOLES, stratify=group)
        back = explainer.explain(TREES, HOLES[::-1], stratify=group[::-1])
        assert_array_equal(found.values, back.values[::-1])
        options = {"metrics": ["mae"], "n_resamples": 19, "random_state": 0}
        assert np.isfinite(explanation_disparity(found, group, **options).pairs["se"]).all()
        parts = decompose_gap(explainer, TREES, HOLES, group, more_draws=2, **options)
        assert np.isfinite(parts.table["value"]).all()

    @pytest.mark.parametrize("kind", [LimeExplainer, KernelShapExplainer])
    def test_a_model_that_takes_none_says_so(self, kind):
        model = LogisticRegression().fit(FULL, Y)
        with pytest.raises(InputError, match=r"missing values in 'x1', and the model takes none"):
            kind(random_state=0).fit(FULL).explain(model, HOLES)

    def test_what_cannot_be_missing(self):
        with pytest.raises(InputError, match="mode='mean' does not take"):
            lime(mode="mean").fit(HOLES).explain(TREES, HOLES)
        with pytest.raises(InputError, match="'x1' has missing cells"):
            lime(categorical=[1]).fit(HOLES)
        rows = np.round(FULL)
        explainer = lime(categorical=[2]).fit(rows.copy())
        rows[0, 2] = np.nan
        with pytest.raises(InputError, match="'x2' has missing cells"):
            explainer.explain(lambda t: t[:, 0], rows)


def correlated(n=3000):
    rng = np.random.default_rng(1)
    group = rng.integers(0, 2, n)
    first = rng.normal(size=n)
    second = np.where(group == 1, 0.95, -0.95) * first + 0.3 * rng.normal(size=n)
    return np.column_stack([first, second, group])


class TestJoint:
    def queries(self, **options):
        X, seen = correlated(), []

        def model(table):
            seen.append(table.copy())
            return table[:, 0]

        explainer = lime(mode="joint", n_samples=2000, **options).fit(X)
        row = np.array([[0.0, 0.0, 1.0]])
        explainer.explain(model, row)
        return max(seen, key=len)

    def test_perturbations_are_correlated_like_the_data(self):
        drawn = self.queries(categorical=[2])
        wanted = np.corrcoef(correlated()[:, :2].T)[0, 1]
        assert np.corrcoef(drawn[:, :2].T)[0, 1] == pytest.approx(wanted, abs=1e-9)

    def test_and_like_those_of_the_group(self):
        X = correlated()
        drawn = self.queries(conditional_on=2)
        wanted = np.corrcoef(X[X[:, 2] == 1, :2].T)[0, 1]
        assert np.corrcoef(drawn[:, :2].T)[0, 1] == pytest.approx(wanted, abs=1e-9)
        assert (drawn[:, 2] == 1).all()

    def test_categories_come_together(self):
        rng = np.random.default_rng(0)
        job = rng.integers(0, 3, 500)
        X = np.column_stack([rng.normal(size=500), job, 10 * job])
        seen = []

        def model(table):
            seen.append(table.copy())
            return table[:, 0]

        lime(mode="joint", categorical=[1, 2]).fit(X).explain(model, X[:3])
        drawn = max(seen, key=len)
        assert_array_equal(drawn[:, 2], 10 * drawn[:, 1])

    def test_slopes_of_a_line_are_those_of_the_line(self):
        X = correlated()
        model = LogisticRegression().fit(X, X[:, 0] + X[:, 1] > 0)
        explainer = lime(mode="joint", n_samples=1000, categorical=[2], ridge=1e-9).fit(X)
        found = explainer.explain(lambda t: 2 * t[:, 0] - t[:, 1], X[:10])
        assert_allclose(found.values[:, 0], 2 * X[:, 0].std(), rtol=1e-6)
        fast, slow = (explainer.explain(m, X[:50]) for m in (model, model.predict_proba))
        assert_allclose(fast.values, slow.values, atol=1e-7)

    def test_a_column_that_repeats_another_does_no_harm(self):
        X = np.repeat(RNG.normal(size=(200, 1)), 2, axis=1)
        found = lime(mode="joint").fit(X).explain(lambda t: t[:, 0] + t[:, 1], X[:5])
        assert_allclose(found.values[:, 0], found.values[:, 1], rtol=1e-6)
        assert_allclose(found.values.sum(axis=1), 2 * X[:, 0].std(), rtol=0.02)
