"""Counts from files and lazy frames are those of the rows, whatever does the scan."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from shiftlab._core.optional import is_installed
from shiftlab.auditing import count_table
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.metrics import GroupCounts

N = 3000


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], N),
            "age": rng.choice([1, 2, 3], N),
            "good": rng.integers(0, 2, N).astype(np.uint8),
            "yhat": rng.choice(["no", "yes"], N),
            "unused": rng.normal(size=N),
        }
    )


@pytest.fixture(scope="module")
def wanted(table):
    return GroupCounts.from_rows(
        table["yhat"] == "yes", table[["sex", "age"]], y_true=table["good"]
    ).to_json()


OPTIONS = {"label": "good", "pos_label": "yes"}


ENGINES = [name for name in ("duckdb", "polars", "pyarrow") if is_installed(name)]


def assert_counted(data, wanted, **options):
    found = count_table(data, "yhat", ["sex", "age"], **OPTIONS, **options)
    assert found.to_json() == wanted


@pytest.mark.parametrize("engine", ["auto", *ENGINES])
def test_parquet(table, wanted, tmp_path, engine):
    table.to_parquet(tmp_path / "t.parquet", row_group_size=500)
    assert_counted(tmp_path / "t.parquet", wanted, engine=engine)


def test_a_scan_writes_nothing_to_standard_output(table, tmp_path, capfd):
    table.to_parquet(tmp_path / "t.parquet")
    for engine in ENGINES:
        count_table(tmp_path / "t.parquet", "yhat", "sex", pos_label="yes", engine=engine)
    assert capfd.readouterr().out == ""


def test_frames(table, wanted, tmp_path):
    table.to_csv(tmp_path / "t.csv", index=False)
    for data in (
        table,
        pl.from_pandas(table),
        pl.from_pandas(table).lazy(),
        {name: table[name].to_numpy() for name in table},
        str(tmp_path / "t.csv"),
    ):
        assert_counted(data, wanted)


@pytest.mark.skipif(not is_installed("duckdb"), reason="needs DuckDB")
def test_duckdb_relation(table, wanted, tmp_path):
    import duckdb

    table.to_parquet(tmp_path / "t.parquet")
    assert_counted(duckdb.read_parquet(str(tmp_path / "t.parquet")), wanted)


@pytest.mark.skipif(not is_installed("dask"), reason="needs Dask")
def test_dask_frame(table, wanted):
    dataframe = pytest.importorskip("dask.dataframe")
    assert_counted(dataframe.from_pandas(table, npartitions=3), wanted)


def test_a_single_group_and_as_many_features_as_lines():
    one = count_table({"s": ["a", "a"], "d": [1, 1]}, "d", "s")
    assert one.to_frame().to_numpy().tolist() == [["a", 2, 2]]
    two = count_table({"s": ["a", "b"], "r": ["u", "v"], "d": [1, 0]}, "d", ["s", "r"])
    assert two.names == ("s", "r")
    assert len(two) == 2


def test_missing_cells_are_an_error(table, tmp_path):
    holes = table.assign(sex=table["sex"].where(table.index > 4))
    holes.to_parquet(tmp_path / "t.parquet")
    for engine in ENGINES:
        with pytest.raises(InputError, match=r"'sex' has 5 missing"):
            count_table(tmp_path / "t.parquet", "yhat", ["sex"], pos_label="yes", engine=engine)
    with pytest.raises(InputError, match="missing"):
        count_table({"s": ["a", "b", "b"], "d": [1.0, 0.0, np.nan]}, "d", "s")


def test_errors(table, tmp_path):
    with pytest.raises(ColumnNotFoundError, match="'yhat'"):
        count_table(table, "yhatt", "sex")
    with pytest.raises(InputError, match="pos_label"):
        count_table(table, "yhat", "sex")
    with pytest.raises(InputError, match="different columns"):
        count_table(table, "yhat", "yhat")
    with pytest.raises(InputError, match="engine"):
        count_table(table, "yhat", "sex", engine="spark")
    with pytest.raises(InputError, match="no file"):
        count_table(tmp_path / "none.parquet", "yhat", "sex")
    with pytest.raises(InputError, match="cannot be called"):
        count_table({"n": ["a", "b"], "d": [0, 1]}, "d", "n")
