"""Equality with fairlearn: lowest over highest for ratios, highest minus lowest for differences."""

import numpy as np
import pytest

from shiftlab.metrics import (
    accuracy_difference,
    demographic_parity_difference,
    disparate_impact,
    equal_opportunity_difference,
    equalized_odds_difference,
    selection_rate,
)

fairlearn = pytest.importorskip("fairlearn.metrics", reason="fairlearn is not installed")


@pytest.fixture(params=[(2, False), (2, True), (5, False), (5, True)])
def rows(request):
    n_groups, weighted = request.param
    rng = np.random.default_rng(n_groups)
    n = 600
    group = rng.integers(0, n_groups, n)
    y_true = rng.random(n) < 0.3 + 0.08 * group
    y_pred = rng.random(n) < 0.2 + 0.3 * y_true + 0.05 * group
    weight = rng.exponential(size=n) if weighted else None
    return y_true.astype(int), y_pred.astype(int), group, weight


def test_demographic_parity(rows):
    y_true, y_pred, group, weight = rows
    options = {"sensitive_features": group, "sample_weight": weight}
    ratio = fairlearn.demographic_parity_ratio(y_true, y_pred, **options)
    ours = disparate_impact(y_pred, group, sample_weight=weight)
    assert ours.value == pytest.approx(ratio, rel=1e-12)
    difference = fairlearn.demographic_parity_difference(y_true, y_pred, **options)
    ours = demographic_parity_difference(y_pred, group, sample_weight=weight, reference="lowest")
    assert ours.value == pytest.approx(difference, rel=1e-12)


def test_equal_opportunity_and_equalized_odds(rows):
    y_true, y_pred, group, weight = rows
    options = {"sensitive_features": group, "sample_weight": weight}
    expected = fairlearn.equal_opportunity_difference(y_true, y_pred, **options)
    ours = equal_opportunity_difference(
        y_pred, group, y_true=y_true, sample_weight=weight, reference="lowest"
    )
    assert ours.value == pytest.approx(expected, rel=1e-12)
    expected = fairlearn.equalized_odds_difference(y_true, y_pred, **options)
    ours = equalized_odds_difference(y_pred, group, y_true=y_true, sample_weight=weight)
    assert ours.value == pytest.approx(expected, rel=1e-12)


def test_metric_frame(rows):
    from sklearn.metrics import accuracy_score

    y_true, y_pred, group, weight = rows
    parameters = {} if weight is None else {"sample_weight": weight}
    frame = fairlearn.MetricFrame(
        metrics={"accuracy": accuracy_score, "rate": fairlearn.selection_rate},
        y_true=y_true,
        y_pred=y_pred,
        sensitive_features=group,
        sample_params={"accuracy": parameters, "rate": parameters},
    )
    ours = accuracy_difference(
        y_pred, group, y_true=y_true, sample_weight=weight, reference="lowest"
    )
    assert ours.value == pytest.approx(frame.difference()["accuracy"], rel=1e-11)
    rates = selection_rate(y_pred, group, sample_weight=weight)
    assert rates.value == pytest.approx(frame.overall["rate"], rel=1e-12)
    for part in rates.by_group:
        assert part.value == pytest.approx(frame.by_group["rate"][part.group], rel=1e-12)
