"""Fidelity by group: definitions, undefined cells, and inputs that do not mean what they say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from shiftlab.exceptions import DegenerateDataWarning, InputError, InputWarning
from shiftlab.explanation import LimeExplainer, fidelity_gap, group_fidelity, truth_scores

RNG = np.random.default_rng(0)
F = RNG.random(90)
G = F + 0.2 * RNG.normal(size=90)
GROUP = np.repeat(["a", "b", "c"], 30)


def value(found, metric, group):
    rows = found.table[(found.table["metric"] == metric) & (found.table["group"] == group)]
    return rows["value"].iloc[0]


def test_values_are_those_of_the_definitions():
    found = group_fidelity(
        G, GROUP, prediction=F, metrics=["mae", "mse", "signed", "accuracy", "auroc", "r2"]
    )
    for group in "abc":
        f, g = F[group == GROUP], G[group == GROUP]
        assert value(found, "mae", group) == pytest.approx(np.abs(f - g).mean())
        assert value(found, "mse", group) == pytest.approx(((f - g) ** 2).mean())
        assert value(found, "signed", group) == pytest.approx((f - g).mean())
        assert value(found, "accuracy", group) == ((f >= 0.5) == (g >= 0.5)).mean()
        assert value(found, "auroc", group) == pytest.approx(roc_auc_score(f >= 0.5, g))
        assert value(found, "r2", group) == pytest.approx(1 - ((f - g) ** 2).mean() / f.var())


def test_auroc_with_ties_and_weights():
    rounded, weight = np.round(G, 1), RNG.integers(1, 5, 90).astype(float)
    found = group_fidelity(rounded, GROUP, prediction=F, metrics=["auroc"], sample_weight=weight)
    rows = GROUP == "b"
    expected = roc_auc_score(F[rows] >= 0.5, rounded[rows], sample_weight=weight[rows])
    assert value(found, "auroc", "b") == pytest.approx(expected)


def test_gaps_of_balagopalan():
    found = group_fidelity(G, GROUP, prediction=F, metrics=["mae", "accuracy"])
    for metric, sign in (("mae", 1), ("accuracy", -1)):
        by_group = np.array([value(found, metric, g) for g in "abc"])
        everybody = found.table[found.table["metric"] == metric]["value"].iloc[-1]
        mean = np.abs(by_group[[0, 0, 1]] - by_group[[1, 2, 2]]).mean()
        kinds = found.gaps[found.gaps["metric"] == metric].set_index("kind")
        assert kinds.loc["mean", "value"] == pytest.approx(mean)
        assert kinds.loc["max", "value"] == pytest.approx((sign * (by_group - everybody)).max())
        assert kinds.loc["max", "group"] == "abc"[(sign * by_group).argmax()]
        for kind in ("mean", "max"):
            gap = fidelity_gap(G, GROUP, prediction=F, metric=metric, kind=kind)
            assert gap == pytest.approx(kinds.loc[kind, "value"])


def test_two_groups_have_half_the_mean_gap_if_they_are_equal():
    two = np.repeat(["a", "b"], 45)
    mean = fidelity_gap(G, two, prediction=F)
    assert fidelity_gap(G, two, prediction=F, kind="max") == pytest.approx(mean / 2)


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat([0, 1, 2], 30),
        np.repeat([True, False, True], 30),
        [("a", 1)] * 45 + [("b", 2)] * 45,
        pd.Categorical(GROUP, categories=["a", "b", "c", "unused"]),
        pd.Series(GROUP, name="site"),
    ],
)
def test_groups_of_any_kind(labels):
    found = group_fidelity(G, labels, prediction=F, metrics=["mae"])
    assert found.table["n"].iloc[-1] == 90
    assert (found.table["n"] > 0).all()


def test_intersections():
    frame = pd.DataFrame({"sex": np.tile(["f", "m"], 45), "site": GROUP})
    found = group_fidelity(G, frame, prediction=F, metrics=["mae"])
    assert len(found.table) == 7
    assert "f / a" in set(found.table["group"])
    assert len(found.pairs) == 15


def test_a_group_with_one_label_has_no_auroc():
    f = F.copy()
    f[GROUP == "c"] = 0.9
    with pytest.warns(DegenerateDataWarning, match="auroc is not defined for 1 of 3"):
        found = group_fidelity(G, GROUP, prediction=f, metrics=["auroc"])
    assert np.isnan(value(found, "auroc", "c"))
    assert found.gaps["n_undefined"].tolist() == [1, 1]
    assert np.isfinite(found.gaps["value"]).all()


def test_a_group_of_one_row_and_a_group_without_weight():
    labels = np.array(["a"] * 89 + ["b"])
    assert np.isfinite(fidelity_gap(G, labels, prediction=F))
    with pytest.warns(DegenerateDataWarning, match="mae is not defined for 1 of 3"):
        found = group_fidelity(
            G, GROUP, prediction=F, metrics=["mae"], sample_weight=(GROUP != "c").astype(float)
        )
    assert np.isnan(value(found, "mae", "c"))


def test_a_single_group_has_no_mean_gap():
    assert np.isnan(fidelity_gap(G, np.repeat("a", 90), prediction=F))


def test_ties_at_the_threshold_are_positive():
    half = np.full(4, 0.5)
    found = group_fidelity(half, list("aabb"), prediction=half, metrics=["accuracy"])
    assert (found.table["value"] == 1).all()
    below = np.nextafter(half, 0)
    assert fidelity_gap(below, list("aabb"), prediction=half, metric="accuracy") == 0
    found = group_fidelity(below, list("aabb"), prediction=half, metrics=["accuracy"])
    assert (found.table["value"] == 0).all()


def test_surrogates_outside_of_the_unit_interval_are_not_clipped():
    found = group_fidelity(
        [1.5, -0.5], ["a", "b"], prediction=[0.9, 0.1], metrics=["mae", "signed"]
    )
    assert found.table["value"].tolist()[:2] == pytest.approx([0.6, 0.6])
    assert found.table["value"].tolist()[3:5] == pytest.approx([-0.6, 0.6])


def test_labels_in_place_of_probabilities():
    with pytest.warns(InputWarning, match="look like labels"):
        group_fidelity(G, GROUP, prediction=(F > 0.5).astype(int), metrics=["mae"])


def test_values_that_are_no_probabilities():
    found = group_fidelity(10 * G, GROUP, prediction=10 * F)
    assert set(found.table["metric"]) == {"mae", "r2", "signed"}
    with pytest.raises(InputError, match="'accuracy' need"):
        group_fidelity(10 * G, GROUP, prediction=10 * F, metrics=["accuracy"])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((G, GROUP), {}, "prediction is needed"),
        ((G[:5], GROUP), {"prediction": F}, "explanation has 5 values"),
        ((G, GROUP[:5]), {"prediction": F}, "sensitive_features has 5 values"),
        ((G, [None, *GROUP[1:]]), {"prediction": F}, "missing value"),
        ((np.r_[np.nan, G[1:]], GROUP), {"prediction": F}, "explanation has 1 missing"),
        ((G, GROUP), {"prediction": np.r_[np.inf, F[1:]]}, "prediction has 1 missing"),
        ((G, GROUP), {"prediction": F, "metric": "charm"}, "no metric 'charm'"),
        ((G, GROUP), {"prediction": F, "kind": "median"}, "kind must be one of"),
        ((["yes"] * 90, GROUP), {"prediction": F}, "must be numeric"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(InputError, match=message):
        fidelity_gap(*arguments, **options)


def test_truth_scores():
    X = RNG.normal(size=(60, 4))
    e = LimeExplainer(n_samples=400, random_state=0).fit(X).explain(lambda Z: Z @ [4, -3, 2, 0], X)
    right = truth_scores(e, [4, -3, 2, 0], k=3)
    assert right["top_k_agreement"].min() == right["sign_agreement"].min() == 1
    np.testing.assert_allclose(right["rank_correlation"], 1)
    wrong = truth_scores(e, [-4, 0, 0, 3.5], k=1)
    assert wrong["sign_agreement"].max() == 0
    with pytest.raises(InputError, match="truth must have shape"):
        truth_scores(e, [1, 2])
