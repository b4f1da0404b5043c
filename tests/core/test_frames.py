"""Tables of any library become the same typed columns."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from shiftlab._core.frames import as_table, encode_labels
from shiftlab.exceptions import ColumnNotFoundError, InputError

DATA = {
    "number": [1.5, None, 3.0],
    "whole": [3, 1, 2],
    "text": ["b", None, "a"],
    "flag": [True, False, True],
    "date": [dt.date(2020, 1, 1), dt.date(2020, 1, 3), dt.date(2020, 1, 2)],
}


def read_with(library):
    if library in ("pandas", "nullable"):
        frame = pd.DataFrame(DATA)
        return frame.convert_dtypes() if library == "nullable" else frame
    polars = pytest.importorskip("polars").DataFrame(DATA, strict=False)
    if library == "polars":
        return polars
    pytest.importorskip("pyarrow")
    if library == "arrow":
        return polars.to_arrow()
    return polars.to_pandas(use_pyarrow_extension_array=True)


LIBRARIES = ("pandas", "nullable", "polars", "arrow", "pyarrow-backed pandas")


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_gives_the_same_table(library):
    table = as_table(read_with(library))
    assert [c.kind for c in table] == ["numeric", "numeric", "categorical", "boolean", "datetime"]
    np.testing.assert_array_equal(table["number"].values, [1.5, np.nan, 3.0])
    np.testing.assert_array_equal(table["whole"].values, [3, 1, 2])
    assert table["whole"].integral
    assert table["text"].categories == ("a", "b")
    np.testing.assert_array_equal(table["text"].values, [1, -1, 0])
    np.testing.assert_array_equal(table["flag"].values, [1, 0, 1])
    np.testing.assert_array_equal(np.diff(table["date"].values), [2, -1])


def test_input_is_not_changed():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y"]})
    before = frame.copy(deep=True)
    table = as_table(frame)
    table["a"].values[0] = 99
    pd.testing.assert_frame_equal(frame, before)


def test_missing_marks_of_all_kinds():
    frame = pd.DataFrame(
        {
            "nullable boolean": pd.array([True, None, False], dtype="boolean"),
            "nullable integer": pd.array([1, None, 3], dtype="Int64"),
            "category": pd.Categorical(["u", None, "v"], categories=["v", "u", "never"]),
            "stamp": pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
        }
    )
    table = as_table(frame)
    for column in table:
        np.testing.assert_array_equal(column.missing, [False, True, False])
    assert table["category"].categories == ("u", "v")


def test_mixed_types_are_read_as_text_and_noted():
    table = as_table(pd.DataFrame({"mixed": [1, "x", 2.5, None]}))
    assert table["mixed"].categories == ("1", "2.5", "x")
    assert "mixed" in table["mixed"].note


def test_arrays_get_names():
    table = as_table(np.arange(6).reshape(3, 2))
    assert table.names == ("x0", "x1")
    assert as_table(np.arange(3)).names == ("x0",)
    assert as_table(np.eye(2), columns=["u", "v"]).names == ("u", "v")


def test_missing_column_names_the_nearest():
    with pytest.raises(ColumnNotFoundError, match="Did you mean 'income'"):
        as_table({"income": np.arange(3)})["Incme"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pd.DataFrame({"a": [1.0, np.inf]}), "infinite"),
        (pd.DataFrame({"a": []}), "no rows"),
        (pd.DataFrame(), "no columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "repeated"),
        (pd.DataFrame({"a": [[1], [2]]}), "cannot be labels"),
        (np.zeros((2, 2, 2)), "shape"),
        ({"a": np.arange(2), "b": np.arange(3)}, "differ in length"),
        (np.array([1 + 2j]), "complex"),
    ],
)
def test_unusable_tables_say_why(data, message):
    with pytest.raises(InputError, match=message):
        as_table(data)


def test_labels_are_coded_in_sorted_order_whatever_the_rows():
    codes, labels = encode_labels(np.array(["b", "a", None, "b"], dtype=object), "y")
    assert labels == ("a", "b")
    np.testing.assert_array_equal(codes, [1, 0, -1, 1])
    codes, labels = encode_labels(np.array([10, 2, 10]), "y")
    assert labels == (2, 10)
    codes, labels = encode_labels(np.array([2, "b"], dtype=object), "y")
    assert labels == (2, "b")


def test_kinds_can_be_overridden():
    table = as_table({"code": np.array([3, 1, 3]), "text": np.array(["a", "b", "a"])})
    as_codes = table.with_kinds({"code": "categorical"})["code"]
    assert as_codes.categories == (1, 3)
    np.testing.assert_array_equal(as_codes.values, [1, 0, 1])
    back = table.with_kinds({"code": "categorical"}).with_kinds({"code": "numeric"})["code"]
    np.testing.assert_array_equal(back.values, [3, 1, 3])
    with pytest.raises(InputError, match="not numbers"):
        table.with_kinds({"text": "numeric"})


def test_select_drop_take_and_labels():
    table = as_table({"a": np.arange(4), "b": np.array(["x", "y", "x", "y"])})
    assert table.select(["b"]).names == ("b",)
    assert table.drop(["b"]).names == ("a",)
    rows = table.take(np.array([True, False, True, False]))
    assert len(rows) == 2
    assert list(rows["b"].labels()) == ["x", "x"]
    np.testing.assert_array_equal(table.numbers(), np.arange(4)[:, None])


@pytest.mark.parametrize("ordered", ["Categorical", "Enum"])
def test_polars_categories_are_labels(ordered):
    pl = pytest.importorskip("polars")
    kind = pl.Categorical if ordered == "Categorical" else pl.Enum(["u", "v"])
    table = as_table(pl.DataFrame({"c": pl.Series(["v", None, "u"], dtype=kind)}))
    assert table["c"].categories == ("u", "v")
    np.testing.assert_array_equal(table["c"].values, [1, -1, 0])


@pytest.mark.parametrize("name", [0, None, np.nan, "", ("a", "b")])
def test_columns_are_read_whatever_they_are_called(name):
    frame = pd.DataFrame({"site": ["u", "v"], "x": [1.5, 2.5]})
    frame.columns = pd.Index(["site", name], tupleize_cols=False)
    (site, column) = as_table(frame)
    assert site.name == "site"
    assert isinstance(column.name, str)
    np.testing.assert_array_equal(column.values, [1.5, 2.5])


def test_whole_numbers_keep_all_their_digits():
    values = [2**53, 2**53 + 1, 2**53, None]
    for cells in (pd.array(values, dtype="Int64"), pd.Series(values, dtype=object)):
        column = as_table(pd.DataFrame({"id": cells}))["id"]
        assert column.kind == "categorical"
        assert column.categories == (2**53, 2**53 + 1)
        np.testing.assert_array_equal(column.values, [0, 1, 0, -1])
        assert "beyond 2^53" in column.note
    array = as_table(np.array([[2**63 + 1], [2**63 + 2]], dtype=np.uint64))["x0"]
    assert array.categories == (2**63 + 1, 2**63 + 2)
    enormous = as_table({"id": np.array([10**400, -(10**400)], dtype=object)})
    assert enormous["id"].categories == (-(10**400), 10**400)
    with pytest.raises(InputError, match="infinite"):
        enormous.with_kinds({"id": "numeric"})


def test_exact_numbers_are_numbers():
    frame = pd.DataFrame({"a": [Decimal("0.5"), None], "b": [Fraction(1, 4), Fraction(3)]})
    table = as_table(frame)
    np.testing.assert_array_equal(table.numbers(), [[0.5, 0.25], [np.nan, 3.0]])


def test_declared_categories_stay_categories():
    frame = pd.DataFrame({"code": pd.Categorical([30, 10, None, 10], categories=[10, 20, 30])})
    column = as_table(frame)["code"]
    assert column.kind == "categorical"
    np.testing.assert_array_equal(column.labels(), [30, 10, None, 10])
    flags = as_table(pd.DataFrame({"flag": pd.Categorical([True, None])}))["flag"]
    assert flags.kind == "boolean"


def test_durations_are_numbers_of_days():
    hours = pd.Series(pd.to_timedelta([12, 24, None], unit="h"))
    for cells in (hours, hours.astype(object), hours.to_numpy()):
        column = as_table({"t": cells})["t"]
        np.testing.assert_array_equal(column.values, [0.5, 1.0, np.nan])
        assert column.kind == "numeric"
        assert "days" in column.note


def test_dates_with_a_zone_show_what_the_clock_showed():
    days = pd.date_range("2020-03-28", periods=3, tz="Europe/Berlin")
    column = as_table(pd.DataFrame({"day": days}))["day"]
    np.testing.assert_array_equal(column.values % 1, 0)
    assert column.note == "local time of Europe/Berlin"
    zones = [dt.UTC, dt.timezone(dt.timedelta(hours=2))]
    mixed = [dt.datetime(2020, 1, 1, 12, tzinfo=zone) for zone in zones]
    column = as_table({"t": np.array(mixed, dtype=object)})["t"]
    np.testing.assert_allclose(np.diff(column.values), -2 / 24)
    assert "UTC" in column.note


def test_dates_become_labels_that_differ():
    for step, first in (("1D", "2020-01-01"), ("1s", "2020-01-01T00:00:00"), ("1us", None)):
        column = as_table({"t": pd.date_range("2020-01-01", periods=3, freq=step)})["t"]
        labels = column.as_categorical().categories
        assert len(set(labels)) == 3
        assert first in (None, labels[0])


def test_masked_cells_are_missing():
    masked = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[True, False], [False, False]])
    np.testing.assert_array_equal(as_table(masked).numbers(), [[np.nan, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": 1}, "'a' of X must be one-dimensional"),
        ({"a": np.zeros((2, 2))}, "'a' of X must be one-dimensional"),
        ([[1, 2], [1]], "cannot be labels"),
        ("text", "must be a table"),
        (None, "must be a table"),
    ],
)
def test_what_is_no_table_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        as_table(data)


def test_series_are_tables_of_one_column():
    assert as_table(pd.Series([1.0, 2.0], name="a")).names == ("a",)
    assert as_table(pd.Series([1.0, 2.0])).names == ("x0",)
    polars = pytest.importorskip("polars")
    assert as_table(polars.Series("a", [1.0])).names == ("a",)


@pytest.mark.parametrize(("factor", "message"), [(1e300, "beyond 1e"), (1e-300, "rescale")])
def test_numbers_that_overflow_when_squared_are_refused(factor, message):
    with pytest.raises(InputError, match=message):
        as_table({"x": np.array([1.0, np.nan, 2.0]) * factor})
    assert as_table({"x": np.array([0.0, 1e-300, 1.0])}).numbers().shape == (3, 1)


def test_text_that_no_file_can_hold_is_spelt_out():
    values = pd.Series(["a\ud800", "b"], dtype=object)
    frame = pd.DataFrame({0: values}).set_axis(pd.Index(["k\udcff"], dtype=object), axis=1)
    (column,) = as_table(frame)
    assert column.name == "k\\udcff"
    assert column.categories == ("a\\ud800", "b")


@pytest.mark.parametrize("recipe", ["table.csv", b"table.csv"])
def test_a_path_is_no_table(recipe):
    with pytest.raises(InputError, match="Read the file first"):
        as_table(recipe)


def test_a_lazy_frame_is_to_be_collected():
    pl = pytest.importorskip("polars")
    with pytest.raises(InputError, match="collect"):
        as_table(pl.LazyFrame({"a": [1]}))
