import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from shiftlab._core.channels import split_channel
from shiftlab.exceptions import ColumnNotFoundError, InputError

DATA = {"a": [1.0, 2.0], "site": ["n", "s"], "sex": ["f", "m"]}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
class TestFrames:
    def test_one_named_column_becomes_labels(self, make):
        rest, values = split_channel(make(DATA), "site", None, "environment")
        assert isinstance(rest, make)
        assert list(rest.columns) == ["a", "sex"]
        assert list(values) == ["n", "s"]

    def test_several_columns_stay_a_frame(self, make):
        rest, values = split_channel(make(DATA), ["sex", "site"], None, "sensitive_features")
        assert list(rest.columns) == ["a"]
        assert list(values.columns) == ["sex", "site"]

    def test_a_position_counts_columns(self, make):
        rest, values = split_channel(make(DATA), -1, None, "environment")
        assert list(rest.columns) == ["a", "site"]
        assert list(values) == ["f", "m"]

    def test_an_unknown_column_is_named(self, make):
        with pytest.raises(ColumnNotFoundError, match="sit"):
            split_channel(make(DATA), "sit", None, "environment")


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_arrays_take_positions(make):
    X = make([[1.0, 0.0, 3.0], [4.0, 1.0, 6.0]])
    rest, values = split_channel(X, 1, None, "environment")
    assert type(rest) is type(X)
    assert rest.shape == (2, 2)
    np.testing.assert_array_equal(values, [0.0, 1.0])


def test_the_keyword_passes_through_and_has_the_length_of_the_table():
    X = np.zeros((2, 3))
    rest, values = split_channel(X, None, ["n", "s"], "environment")
    assert rest is X
    assert values == ["n", "s"]
    with pytest.raises(InputError, match="environment"):
        split_channel(X, None, ["n"], "environment")


def test_both_channels_at_once_are_refused():
    with pytest.raises(InputError, match="given twice"):
        split_channel(pd.DataFrame(DATA), "site", ["n", "s"], "environment")


def test_neither_channel_gives_no_labels():
    X = pd.DataFrame(DATA)
    assert split_channel(X, None, None, "environment") == (X, None)
