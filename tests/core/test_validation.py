"""Checks at the boundary give one form or one error that names the mend."""

import numpy as np
import pandas as pd
import pytest

from shiftlab._core.frames import as_table
from shiftlab._core.validation import (
    check_binary,
    check_environment,
    check_fraction,
    check_integer,
    check_option,
    check_sensitive_features,
    check_weights,
    combine_labels,
)
from shiftlab.exceptions import ColumnNotFoundError, InputError, ShiftlabError

FRAME = pd.DataFrame(
    {
        "state": ["AL", "AK", "AL", "AK"],
        "year": [2013, 2013, 2014, 2014],
        "sex": ["f", "m", None, "m"],
        "day": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-01", "2020-01-02"]),
    }
)
TABLE = as_table(FRAME)


def test_environment_by_name_by_several_names_and_by_labels():
    labels, used = check_environment("state", TABLE)
    assert labels.categories == ("AK", "AL")
    assert used == ["state"]
    np.testing.assert_array_equal(labels.counts, [2, 2])
    both, used = check_environment(["state", "year"], TABLE)
    assert both.categories == ("AK / 2013", "AK / 2014", "AL / 2013", "AL / 2014")
    assert used == ["state", "year"]
    given, used = check_environment(FRAME["state"], TABLE)
    assert given.name == "state"
    assert used == []
    np.testing.assert_array_equal(given.codes, labels.codes)
    numbers, _ = check_environment([3, 1, 3, 1], TABLE)
    assert numbers.categories == (1, 3)


def test_dates_as_environments_read_as_dates():
    labels, _ = check_environment("day", TABLE)
    assert labels.categories == ("2020-01-01", "2020-01-02")


def test_label_is_found_by_value_and_by_text():
    labels, _ = check_environment("year", TABLE)
    assert labels.index(2014) == labels.index("2014") == 1
    with pytest.raises(InputError, match=r"no label 1999.*2013"):
        labels.index(1999)


@pytest.mark.parametrize(
    ("environment", "error", "message"),
    [
        ("stat", ColumnNotFoundError, "Did you mean 'state'"),
        (["state", "yaer"], ColumnNotFoundError, "Did you mean 'year'"),
        ("sex", InputError, "1 missing label"),
        (None, InputError, "is needed"),
        (["a", "b", "a"], InputError, "environment"),
        (np.zeros(4), InputError, "1 distinct label"),
        (np.array([1.0, np.nan, 1.0, 2.0]), InputError, "1 missing label"),
        (np.arange(3), InputError, "3 values, but the table has 4 rows"),
    ],
)
def test_unusable_environments_say_why(environment, error, message):
    with pytest.raises(error, match=message):
        check_environment(environment, TABLE)


def test_missing_sensitive_value_is_an_error_never_a_lost_row():
    with pytest.raises(InputError, match=r"1 missing value.*never drops"):
        check_sensitive_features("sex", TABLE)


def test_sensitive_features_keep_their_names():
    features, used = check_sensitive_features(["state", "year"], TABLE)
    assert [f.name for f in features] == ["state", "year"]
    assert used == ["state", "year"]
    (feature,), _ = check_sensitive_features(pd.Series([1, 0], name="minority"), n_rows=2)
    assert feature.name == "minority"
    features, _ = check_sensitive_features(FRAME[["state", "year"]], n_rows=4)
    assert [f.name for f in features] == ["state", "year"]


def test_combined_labels_are_the_combinations_that_occur():
    features, _ = check_sensitive_features(FRAME[["state", "year"]].iloc[:3], n_rows=3)
    combined = combine_labels(features)
    assert combined.categories == ("AK / 2013", "AL / 2013", "AL / 2014")


def test_binary_values():
    positive, label = check_binary([0, 1, 1], "y_pred")
    np.testing.assert_array_equal(positive, [False, True, True])
    assert label == 1
    positive, label = check_binary(["no", "yes"], "y_pred", pos_label="yes")
    np.testing.assert_array_equal(positive, [False, True])
    positive, _ = check_binary(np.array([True, False]), "y_pred")
    np.testing.assert_array_equal(positive, [True, False])
    positive, _ = check_binary(["a", "b", "c"], "y_pred", pos_label="b")
    np.testing.assert_array_equal(positive, [False, True, False])
    positive, _ = check_binary([0, 0], "y_pred")
    assert not positive.any()
    positive, label = check_binary([2, 1], "y_pred", pos_label="2")
    np.testing.assert_array_equal(positive, [True, False])
    assert label == 2


@pytest.mark.parametrize(
    ("values", "pos_label", "message"),
    [
        (["no", "yes"], None, "Name the favourable value with pos_label"),
        ([1, 2, 3], None, "must have two values, found 3"),
        (["no", "yes"], "maybe", "no value 'maybe'"),
        ([0, None, 1], None, "1 missing value"),
    ],
)
def test_unusable_decisions_say_why(values, pos_label, message):
    with pytest.raises(InputError, match=message):
        check_binary(values, "y_pred", pos_label=pos_label)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1, 1], "1 negative"),
        ([1, 1], "2 values, but the table has 3 rows"),
        ([1, np.nan, 1], "missing or infinite"),
        ([0, 0, 0], "sums to 0"),
        (np.ones((3, 1)), "one-dimensional"),
    ],
)
def test_unusable_weights_say_why(weights, message):
    with pytest.raises(InputError, match=message):
        check_weights(weights, 3)


def test_weights_pass():
    assert check_weights(None, 3) is None
    np.testing.assert_array_equal(check_weights([1, 0, 2], 3), [1.0, 0.0, 2.0])


def test_options_fractions_integers():
    assert check_option("a", ["a", "b"], "mode") == "a"
    assert check_fraction(0.5, "alpha") == 0.5
    assert check_integer(np.int64(3), "n") == 3
    for call in (
        lambda: check_option("c", ["a", "b"], "mode"),
        lambda: check_fraction(1.0, "alpha"),
        lambda: check_fraction(True, "alpha"),
        lambda: check_integer(2.5, "n"),
        lambda: check_integer(0, "n"),
        lambda: check_integer(True, "n"),
    ):
        with pytest.raises(ShiftlabError, match="must be"):
            call()


def test_labels_pass_through():
    labels, _ = check_environment("state", TABLE)
    assert check_environment(labels, TABLE) == (labels, [])
    assert check_sensitive_features([labels], TABLE) == ([labels], [])
    assert check_sensitive_features(labels, n_rows=4) == ([labels], [])
    with pytest.raises(InputError, match="4 values, but the table has 3 rows"):
        check_environment(labels, n_rows=3)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "environment is empty"),
        ({"a": 1}, "must be one-dimensional"),
        (object(), "found object"),
        (7, "no column '7'"),
    ],
)
def test_what_labels_no_rows_is_refused(labels, message):
    table = as_table({"x": np.arange(3.0)})
    with pytest.raises(InputError, match=message):
        check_environment(labels, table)


def test_columns_named_by_numbers_or_twice():
    table = as_table(pd.DataFrame({0: ["a", "b"], 1: [1.0, 2.0]}))
    assert check_environment(0, table)[0].categories == ("a", "b")
    assert check_environment(["0", "0"], as_table({"0": ["a", "b", "a"]}))[1] == ["0"]


def test_large_numbers_and_dates_stay_apart_as_labels():
    labels, _ = check_environment(np.array([2**60, 2**60 + 1]))
    assert labels.categories == (2**60, 2**60 + 1)
    days = pd.Series(pd.date_range("2020-01-01", periods=2))
    assert check_environment(days)[0].categories == ("2020-01-01", "2020-01-02")
    assert check_environment(days.dt.tz_localize("Asia/Tokyo"))[0].categories[0].startswith("20")


def test_joined_labels_that_look_alike_are_refused():
    table = as_table({"a": ["x / y", "x"], "b": ["z", "y / z"], "v": [1.0, 2.0]})
    with pytest.raises(InputError, match="ambiguous"):
        check_environment(["a", "b"], as_table({"a": ["x / y", "x"] * 2, "b": ["z", "y / z"] * 2}))
    assert len(check_environment(["a"] * 3, table)[0]) == 2
