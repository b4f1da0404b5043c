"""Counts of groups: every way in gives the same table, and parts add up to the whole."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from shiftlab._core.validation import check_environment, check_sensitive_features
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.metrics import GroupCounts, disparate_impact

N = 400


@pytest.fixture
def rows():
    rng = np.random.default_rng(5)
    return {
        "y_pred": rng.integers(0, 2, N),
        "y_true": rng.integers(0, 2, N),
        "sex": rng.choice(["F", "M"], N),
        "race": rng.choice(["A", "B", "C"], N),
        "site": rng.choice([2011, 2012], N),
        "weight": rng.exponential(size=N),
    }


def by_hand(rows, key):
    """Count with plain loops."""
    found = {}
    for i in range(N):
        cells = found.setdefault(key(i), np.zeros((2, 2), dtype=int))
        cells[rows["y_true"][i], rows["y_pred"][i]] += 1
    return found


def test_counts_equal_a_loop(rows):
    counts = GroupCounts.from_rows(
        rows["y_pred"],
        {"sex": rows["sex"], "race": rows["race"]},
        y_true=rows["y_true"],
        environment=rows["site"],
    )
    expected = by_hand(rows, lambda i: (int(rows["site"][i]), rows["sex"][i], rows["race"][i]))
    assert counts.names == ("environment", "sex", "race")
    assert list(counts.groups) == sorted(expected)
    for group, cells in zip(counts.groups, counts.counts, strict=True):
        np.testing.assert_array_equal(cells, expected[group])
    assert counts.n.sum() == N
    assert counts.selected.sum() == rows["y_pred"].sum()
    assert "12 groups, 400 rows, with outcome" in repr(counts)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int64", "float64", "object"])
@pytest.mark.parametrize("labels", [(0, 1), (0, 7), (-3, 5), (10**12, 10**12 + 1), (-(10**12), 4)])
def test_every_dtype_gives_the_same_counts(rows, dtype, labels):
    group = (rows["sex"] == "M").astype(int)
    reference = GroupCounts.from_rows(list(rows["y_pred"]), list(np.take(labels, group)))
    features = np.take(labels, group)
    if abs(features).max() < 100:
        features = features.astype("int8" if dtype in ("bool", "uint8") else dtype)
    counts = GroupCounts.from_rows(rows["y_pred"].astype(dtype), features)
    assert counts.groups == reference.groups
    np.testing.assert_array_equal(counts.counts, reference.counts)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "uint64"])
def test_extreme_integers_do_not_wrap(dtype):
    info = np.iinfo(dtype)
    values = np.array([info.min, info.max, info.min + 1, info.max], dtype=dtype)
    counts = GroupCounts.from_rows([1, 1, 0, 0], values)
    assert counts.groups == ((int(info.min),), (int(info.min) + 1,), (int(info.max),))
    assert counts.n.tolist() == [1, 1, 2]


def test_every_container_gives_the_same_counts(rows):
    table = {"sex": rows["sex"], "race": (rows["race"] == "A").astype(np.uint8)}
    pandas = pd.DataFrame(table)
    features = [table, pandas, pl.DataFrame(table), pa.table(table)]
    features += [check_sensitive_features(pandas)[0]]
    all_counts = [GroupCounts.from_rows(rows["y_pred"], feature) for feature in features]
    for counts in all_counts[1:]:
        assert counts.names == all_counts[0].names
        assert [tuple(map(str, g)) for g in counts.groups] == [
            tuple(map(str, g)) for g in all_counts[0].groups
        ]
        np.testing.assert_array_equal(counts.counts, all_counts[0].counts)
    for series in (pd.Series(table["race"], name="race"), pl.Series("race", table["race"])):
        counts = GroupCounts.from_rows(pl.Series(rows["y_pred"]), series)
        assert counts.names == ("race",)
        assert counts.groups == ((0,), (1,))


def test_environment_may_be_labels(rows):
    labels = check_environment(rows["site"])[0]
    ours = GroupCounts.from_rows(rows["y_pred"], rows["sex"], environment=labels)
    again = GroupCounts.from_rows(rows["y_pred"], rows["sex"], environment=rows["site"])
    assert ours.groups == again.groups
    np.testing.assert_array_equal(ours.counts, again.counts)


def test_parts_add_up(rows):
    def count(part):
        return GroupCounts.from_rows(
            rows["y_pred"][part],
            {"sex": rows["sex"][part], "race": rows["race"][part]},
            y_true=rows["y_true"][part],
            sample_weight=rows["weight"][part],
        )

    whole = count(slice(None))
    # The first part lacks a group, so the union has to be taken.
    only = np.flatnonzero(rows["race"] == "A")
    rest = np.flatnonzero(rows["race"] != "A")
    summed = count(only) + count(rest)
    assert summed.groups == whole.groups
    np.testing.assert_array_equal(summed.counts, whole.counts)
    np.testing.assert_allclose(summed.weights, whole.weights, rtol=1e-13)
    np.testing.assert_allclose(summed.squared_weights, whole.squared_weights, rtol=1e-13)


def test_counts_of_different_kinds_do_not_add(rows):
    plain = GroupCounts.from_rows(rows["y_pred"], rows["sex"])
    outcome = GroupCounts.from_rows(rows["y_pred"], rows["sex"], y_true=rows["y_true"])
    with pytest.raises(InputError, match="different kinds"):
        _ = plain + outcome
    with pytest.raises(TypeError):
        _ = plain + 1


def test_frame_round_trip(rows):
    counts = GroupCounts.from_rows(
        rows["y_pred"], {"sex": rows["sex"]}, y_true=rows["y_true"], environment=rows["site"]
    )
    frame = counts.to_frame()
    again = GroupCounts.from_frame(
        frame, "sex", environment="environment", confusion=["tn", "fp", "fn", "tp"]
    )
    assert again.groups == counts.groups
    np.testing.assert_array_equal(again.counts, counts.counts)
    short = GroupCounts.from_frame(frame, ["sex"])
    assert short.groups == (("F",), ("M",))
    np.testing.assert_array_equal(short.n, counts.margin("sex").n)
    np.testing.assert_array_equal(short.selected, counts.margin("sex").selected)


def test_margin_and_select(rows):
    counts = GroupCounts.from_rows(
        rows["y_pred"], {"sex": rows["sex"], "race": rows["race"]}, environment=rows["site"]
    )
    direct = GroupCounts.from_rows(
        rows["y_pred"][rows["site"] == 2011], {"race": rows["race"][rows["site"] == 2011]}
    )
    chosen = counts.select("environment", 2011).margin("race")
    assert chosen.groups == direct.groups
    np.testing.assert_array_equal(chosen.counts, direct.counts)
    with pytest.raises(InputError, match="no feature 'age'"):
        counts.margin("age")
    with pytest.raises(InputError, match="only feature"):
        direct.select("race", "A")
    with pytest.raises(InputError, match="no group 'Z'"):
        direct.index("Z")
    assert counts.index((2012, "M", "B")) == counts.index("2012 / M / B")


def test_many_combinations_use_only_those_that_occur():
    rng = np.random.default_rng(0)
    features = {f"x{i}": rng.integers(0, 2000, 500) for i in range(3)}
    y = rng.integers(0, 2, 500)
    counts = GroupCounts.from_rows(y, features)
    keys = sorted(zip(*(column.tolist() for column in features.values()), strict=True))
    assert list(counts.groups) == sorted(set(keys))
    assert counts.n.sum() == 500
    assert counts.selected.sum() == y.sum()


def test_long_data_is_counted_across_blocks():
    rng = np.random.default_rng(1)
    n = 300_001
    group = rng.integers(0, 3, n).astype(np.uint8)
    y = rng.integers(0, 2, n).astype(bool)
    counts = GroupCounts.from_rows(y, group)
    assert counts.n.tolist() == [int((group == g).sum()) for g in range(3)]
    assert counts.selected.tolist() == [int(y[group == g].sum()) for g in range(3)]


def test_pos_label():
    y = ["yes", "no", "yes", "no"]
    counts = GroupCounts.from_rows(y, ["a", "a", "a", "b"], pos_label="yes")
    assert counts.selected.tolist() == [2, 0]
    numbers = GroupCounts.from_rows(np.array([1, 2, 1, 2]), ["a", "a", "a", "b"], pos_label=2)
    assert numbers.selected.tolist() == [1, 1]
    constant = GroupCounts.from_rows(np.ones(4, dtype=int), ["a", "a", "a", "b"])
    assert constant.selected.tolist() == [3, 1]


def test_inputs_are_untouched(rows):
    before = {key: value.copy() for key, value in rows.items()}
    GroupCounts.from_rows(
        rows["y_pred"], rows["site"], y_true=rows["y_true"], sample_weight=rows["weight"]
    )
    for key, value in rows.items():
        np.testing.assert_array_equal(value, before[key])


Y, S = [0, 1, 1, 0], ["a", "a", "b", "b"]
FRAME = {"g": ["a", "b"], "n": [5, 6], "selected": [1, 2]}
BAD_ROWS = [
    ({"y_pred": [0, 1, 2, 1]}, "y_pred must have two values"),
    ({"y_pred": [1, 2, 1, 2]}, "must be 0/1"),
    ({"y_pred": np.array([1, 2, 1, 2])}, "must be 0/1"),
    ({"y_pred": [0.0, 1.0, np.nan, 1.0]}, "y_pred has 1 missing"),
    ({"y_pred": [0, 1, 1]}, "sensitive_features.* has 4 values"),
    ({"y_pred": []}, "no rows"),
    ({"sensitive_features": ["a", None, "b", "b"]}, "1 missing value"),
    ({"sensitive_features": [1.0, np.nan, 2.0, 2.0]}, "1 missing value"),
    ({"sensitive_features": None}, "sensitive_features is needed"),
    ({"sensitive_features": {"environment": S}}, "cannot be called 'environment'"),
    ({"y_true": [0, 1, 1]}, "y_true has 3 values"),
    ({"y_true": ["x", "y", "z", "x"]}, "y_true must have two values"),
    ({"sample_weight": [1, 1, 1, -1]}, "1 negative"),
    ({"sample_weight": [1, 1, 1]}, "sample_weight has 3"),
    ({"environment": ["u", "u", None, "v"]}, "environment.* 1 missing"),
    ({"environment": [1, 2]}, "environment has 2 values"),
    ({"pos_label": "yes"}, "pos_label"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ROWS)
def test_bad_rows(change, message):
    with pytest.raises(InputError, match=message):
        GroupCounts.from_rows(**({"y_pred": Y, "sensitive_features": S} | change))


BAD_FRAMES = [
    ({"n": [5, -1]}, {}, "must hold whole numbers"),
    ({"n": [5, 6.5]}, {}, "must hold whole numbers"),
    ({"n": ["many", "few"]}, {}, "must hold whole numbers"),
    ({"selected": [6, 2]}, {}, "exceeds column 'n' in 1 line"),
    ({"g": ["a", None]}, {}, "1 missing value"),
    ({}, {"confusion": ["n", "selected"]}, "must name four columns"),
]


@pytest.mark.parametrize(("change", "options", "message"), BAD_FRAMES)
def test_bad_frames(change, options, message):
    with pytest.raises(InputError, match=message):
        GroupCounts.from_frame(FRAME | change, "g", **options)


def test_unknown_column():
    with pytest.raises(ColumnNotFoundError, match="'race'"):
        GroupCounts.from_frame(FRAME, "race")
    with pytest.raises(ColumnNotFoundError, match="'chosen'"):
        GroupCounts.from_frame(FRAME, "g", selected="chosen")


def test_counts_and_rows_do_not_mix():
    counts = GroupCounts.from_frame(FRAME, "g")
    with pytest.raises(InputError, match="already holds counts"):
        disparate_impact(counts, S)
    with pytest.raises(InputError, match="sensitive_features is needed"):
        disparate_impact(Y)
