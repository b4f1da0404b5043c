"""Flip audit: counterparts, baselines, calibration in a small world, structural truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression

from shiftlab.auditing import flip_audit
from shiftlab.auditing._flip_audit_terms import baseline_pairs, excess, neighbour_pairs
from shiftlab.exceptions import InputError
from shiftlab.metrics import negative_flip_rate
from shiftlab.simulation import Linear, Node, StructuralModel


def world(n=400, effect=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x, group = rng.normal(size=(n, 3)), np.where(rng.random(n) < 0.4, "a", "b")
    chance = 1 / (1 + np.exp(-x[:, 0] - effect * (group == "a")))
    return (rng.random(n) < chance).astype(int), group, x


def test_counterparts_are_nearest_and_baselines_equally_far():
    chosen, group, x = world(200)
    rows, others = np.flatnonzero(group == "a"), np.flatnonzero(group == "b")
    pairs = neighbour_pairs(x, rows, others, chosen)
    distance = cdist(x[rows], x[others])
    np.testing.assert_array_equal(pairs.second, others[distance.argmin(axis=1)])
    np.testing.assert_allclose(pairs.distance, distance.min(axis=1))
    base = baseline_pairs(x, rows, pairs, chosen, 1)
    own = cdist(x[rows], x[rows])
    np.fill_diagonal(own, np.inf)
    miss = np.abs(own - pairs.distance[:, None]).min(axis=1)
    np.testing.assert_allclose(np.abs(base.distance - pairs.distance), miss, atol=1e-9)
    assert (base.first != base.second).all()


def test_error_accounts_for_rows_that_are_used_again():
    chosen, group, x = world(300)
    rows, others = np.flatnonzero(group == "a"), np.flatnonzero(group == "b")[:3]
    pairs = neighbour_pairs(x, rows, others, chosen)
    base = baseline_pairs(x, rows, pairs, chosen, 1)
    *_, error = excess(pairs, base, chosen, "any")
    flips = pairs.flips(chosen, "any")
    alone = np.sqrt(flips.var() / len(rows))
    assert error > 1.3 * alone  # three counterparts carry all comparisons


@pytest.mark.parametrize("method", ["neighbour", "transport"])
def test_no_effect_is_rarely_found_and_an_effect_is(method):
    n_worlds = 60 if method == "neighbour" else 25
    found = [
        [c.pvalue < 0.05 for c in flip_audit(*world(250, seed=s), method=method).comparisons]
        for s in range(n_worlds)
    ]
    # One-sided bound of a binomial at level 0.05, over six dependent comparisons.
    assert np.mean(found) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_worlds)
    strong = flip_audit(*world(1000, effect=2.5), method=method)
    up = {(c.group, c.kind): c for c in strong.comparisons}
    assert up["b", "up"].low > 0
    assert up["a", "down"].low > 0
    assert up["b", "down"].excess < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("method", ["neighbour", "transport"])
def test_level_over_many_worlds(method):
    n_worlds = 600 if method == "neighbour" else 200
    found = np.array(
        [
            [c.pvalue < 0.05 for c in flip_audit(*world(400, seed=s), method=method).comparisons]
            for s in range(n_worlds)
        ]
    )
    bound = 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_worlds)
    assert (found.mean(axis=0) < bound + 0.02).all()


def model_of_pay():
    return StructuralModel(
        {
            "s": Node(),
            "x": Node(Linear({"s": 1.0})),
            "z": Node(),
        }
    )


def test_structural_counterparts_move_what_the_group_causes():
    rng = np.random.default_rng(0)
    s = rng.integers(0, 2, 400).astype(float)
    frame = pd.DataFrame({"s": s, "x": s + rng.normal(size=400), "z": rng.normal(size=400)})

    class Cut:
        feature_names_in_ = np.array(["x", "z"])

        def predict(self, rows):
            return (np.asarray(rows)[:, 0] > 0.5).astype(int)

    found = flip_audit(
        None, "s", frame, method="structural", model=Cut(), structural_model=model_of_pay()
    )
    table = {(str(c.group), c.kind): c for c in found.comparisons}
    low = frame[frame["s"] == 0]["x"]
    assert table["0", "up"].rate == pytest.approx(((low <= 0.5) & (low + 1 > 0.5)).mean())
    assert table["0", "down"].rate == 0
    assert table["0", "up"].distance == pytest.approx(1 / frame["x"].std(ddof=0))
    blind = flip_audit(
        None,
        "s",
        frame,
        method="structural",
        model=lambda rows: (np.asarray(rows)[:, 1] > 0).astype(int),
        structural_model=model_of_pay(),
    )
    assert all(c.rate == 0 for c in blind.comparisons)


def test_invariances():
    chosen, group, x = world(300, effect=1.0)
    first = flip_audit(chosen, group, x).to_frame()
    order = np.random.default_rng(1).permutation(300)
    again = flip_audit(chosen[order], group[order], x[order]).to_frame()
    pd.testing.assert_frame_equal(first, again)
    swapped = flip_audit(1 - chosen, group, x).to_frame()
    up, down = first[first["kind"] == "up"], swapped[swapped["kind"] == "down"]
    np.testing.assert_allclose(up["excess"], down["excess"])


def test_model_instead_of_decisions():
    chosen, group, x = world(300)
    model = LogisticRegression().fit(x, chosen)
    first = flip_audit(None, group, x, model=model)
    second = flip_audit(model.predict(x), group, x)
    assert first.to_json() == second.to_json()


def test_large_groups_are_sampled_and_it_is_said():
    chosen, group, x = world(300)
    found = flip_audit(chosen, group, x, method="transport", max_rows=50, random_state=0)
    assert found.n_rows == 100
    assert "100 of 300" in found.note


def test_bad_input():
    chosen, group, x = world(60)
    with pytest.raises(InputError, match="method"):
        flip_audit(chosen, group, x, method="twin")
    with pytest.raises(InputError, match="structural_model"):
        flip_audit(chosen, group, x, method="structural")
    with pytest.raises(InputError, match="model"):
        flip_audit(None, group, x)
    with pytest.raises(InputError, match="at least"):
        flip_audit(chosen[:12], ["a"] * 10 + ["b"] * 2, x[:12])
    with pytest.raises(InputError, match="missing"):
        flip_audit(chosen, np.where(np.arange(60) == 0, None, group), x)
    with pytest.raises(InputError, match="y_pred"):
        flip_audit(chosen[:-1], group, x)


class TestNegativeFlips:
    def test_rates_by_group(self):
        old, new = [1, 1, 0, 0, 1, 0], [0, 1, 0, 1, 0, 0]
        truth, group = [1, 1, 1, 0, 0, 0], list("aaabbb")
        found = negative_flip_rate(old, new, group, y_true=truth)
        assert found.value == pytest.approx(2 / 6)
        assert [part.value for part in found.by_group] == pytest.approx([1 / 3, 1 / 3])
        assert found.name == "negative_flip_rate"
        withdrawn = negative_flip_rate(old, new, group)
        assert [part.value for part in withdrawn.by_group] == pytest.approx([1 / 3, 1 / 3])
        assert withdrawn.low < withdrawn.value < withdrawn.high

    def test_equal_versions_never_flip(self):
        assert negative_flip_rate([1, 0], [1, 0], ["a", "b"]).value == 0

    def test_lengths(self):
        with pytest.raises(InputError, match="y_new"):
            negative_flip_rate([1, 0], [1], ["a", "b"])
