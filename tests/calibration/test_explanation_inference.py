"""Intervals cover and tests keep their level, though rows share random draws of the explainer."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from shiftlab.explanation import LimeExplainer, explanation_disparity

#: Everybody, or only rows of group 0 with L above 1.75 in training: no shift, and a strong one.
NO_SHIFT, SHIFT = -5.0, 1.75


def draw(n, rng, cut=NO_SHIFT):
    group = rng.integers(0, 2, n)
    c = rng.normal(size=n)
    level = 0.7 * group + 0.3 * c + 0.5 * rng.normal(size=n)
    score = 0.5 * c - 1.5 * level + 0.5
    y = rng.random(n) < np.where(score >= 0, 0.9, 0.1)
    kept = (group == 1) | (level >= cut)
    return np.column_stack([c, level, group])[kept], y[kept]


def one_study(cut, seed, n=600, n_blocks=25):
    """Return (interval, p-value, truth) of the error gap for one draw of everything."""
    rng = np.random.default_rng([seed, 6])
    reference, y = draw(7000, rng, cut)
    model = LogisticRegression().fit(reference, y)
    explainer = LimeExplainer(
        categorical=[2], n_blocks=n_blocks, random_state=seed, standard_errors=False
    )
    X, _ = draw(n, rng)
    explanation = explainer.fit(reference).explain(model, X, stratify=X[:, 2])
    found = explanation_disparity(
        explanation, X[:, 2], metrics=["mae"], n_resamples=399, random_state=seed
    )
    pair = found.pairs.iloc[0]
    many, _ = draw(8_000, rng)
    explainer.set_params(n_blocks=100, random_state=seed + 10_000)
    truth = explainer.fit(reference).explain(model, many)
    error = np.abs(truth.prediction - truth.surrogate_prediction)
    target = error[many[:, 2] == 0].mean() - error[many[:, 2] == 1].mean()
    return pair["low"], pair["high"], pair["pvalue"], target


def summary(cut, n_replicates, **options):
    low, high, pvalue, truth = np.array(
        [one_study(cut, seed, **options) for seed in range(n_replicates)]
    ).T
    return ((low <= truth) & (truth <= high)).mean(), (pvalue <= 0.05).mean()


def test_a_few_replicates_cover():
    coverage, _ = summary(SHIFT, 10)
    assert coverage >= 0.7


@pytest.mark.slow
def test_without_shift_intervals_cover_and_the_test_keeps_its_level():
    coverage, rejected = summary(NO_SHIFT, 200)
    assert coverage >= 0.91
    assert rejected <= 0.09


@pytest.mark.slow
def test_under_shift_intervals_cover_and_the_test_sees_it():
    coverage, rejected = summary(SHIFT, 200)
    assert coverage >= 0.85
    # Measured 0.79: 600 rows carry no more once the noise of the blocks is counted.
    assert rejected >= 0.7


@pytest.mark.slow
def test_one_matrix_for_all_rows_would_mislead():
    from shiftlab.exceptions import SmallSampleWarning

    with pytest.warns(SmallSampleWarning, match="block"):
        coverage, _ = summary(SHIFT, 40, n_blocks=1)
    assert coverage < 0.8
