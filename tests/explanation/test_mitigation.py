"""Locality and other cures."""

import numpy as np
import pytest

from shiftlab.exceptions import InputError
from shiftlab.explanation import LimeExplainer, compare_mitigations, locality_curve

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=(500, 2)), RNG.integers(0, 2, 500)])


def bent_for_one_group(table):
    slope = np.where(table[:, 2] == 1, np.sin(2 * table[:, 0]), 0.3 * table[:, 0])
    return 0.5 + 0.4 * slope


EXPLAINER = LimeExplainer(n_samples=300, categorical=[2], random_state=0).fit(X)


def test_locality_removes_the_gap_at_the_cost_of_noise():
    curve = locality_curve(
        EXPLAINER, bent_for_one_group, X, X[:, 2], metrics=["mae"], random_state=0
    ).table
    assert curve["scale"].tolist() == [1.0, 0.5, 0.25, 0.1]
    assert curve["gap"].iloc[-1] < curve["gap"].iloc[0] / 5
    assert curve["overall"].is_monotonic_decreasing
    assert curve["pvalue"].iloc[0] < 0.05


def test_all_cures_are_tried_if_the_attribute_is_named():
    found = compare_mitigations(
        EXPLAINER, bent_for_one_group, X, X[:, 2], column=2, n_resamples=49, random_state=0
    )
    assert found.table["variant"].nunique() == 10
    assert set(found.table["metric"]) == {"mae", "accuracy", "auroc", "signed"}
    kept = found.table[found.table["variant"] == "attribute kept, scale x0.25"]
    assert kept["gap"].iloc[0] < found.table["gap"].iloc[0]
    assert "as given" in repr(found)


def test_only_lime_around_the_row_has_a_neighbourhood():
    wrong = LimeExplainer(mode="mean", n_samples=100).fit(X)
    with pytest.raises(InputError, match="mode='around'"):
        locality_curve(wrong, bent_for_one_group, X, X[:, 2])
