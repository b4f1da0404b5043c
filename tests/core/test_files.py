"""Files become tables, or one error that a person can act on."""

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest

from shiftlab._core.files import read_table, sha256_of_file
from shiftlab.exceptions import InputError


def test_csv_gzip_semicolons_tabs_and_parquet_read_alike(tmp_path):
    expected = pd.DataFrame({"a": [1, 2], "b": ["x", "y, z"]})
    expected.to_csv(tmp_path / "t.csv", index=False)
    with gzip.open(tmp_path / "t.csv.gz", "wt") as stream:
        expected.to_csv(stream, index=False)
    expected.to_csv(tmp_path / "semicolon.csv", sep=";", index=False)
    expected.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    expected.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.csv.gz", "semicolon.csv", "t.tsv", "t.parquet"):
        read = read_table(tmp_path / name)
        assert read.to_dict("list") == expected.to_dict("list"), name


def test_none_is_a_category_and_marks_are_missing(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\nNone,?\nNA,1\n,2\n")
    plain = read_table(tmp_path / "t.csv")
    assert plain["a"].isna().tolist() == [False, True, True]
    assert plain["b"].isna().sum() == 0
    assert read_table(tmp_path / "t.csv", missing=["?"])["b"].isna().sum() == 1


def test_encoding_can_be_named(tmp_path):
    (tmp_path / "t.csv").write_bytes("name,n\nMüller,1\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"not utf-8 text.*--encoding latin-1"):
        read_table(tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv", encoding="latin-1")["name"][0] == "Müller"
    with pytest.raises(InputError, match="is not utf-16 text"):
        read_table(tmp_path / "t.csv", encoding="utf-16")
    with pytest.raises(InputError, match="cannot be read: embedded null"):
        read_table(tmp_path / "t.csv", encoding="a\0b")
    with pytest.raises(InputError, match="knows no encoding"):
        read_table(tmp_path / "t.csv", encoding="klingon")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n", "header but no rows"),
        ("t.csv", b"\n\n", "no columns"),
        ("t.csv", b"a,b\n1,2\n3,4,5\n", "line 3"),
        ("t.csv", b"a,b\n1,2,3\n4,5,6\n", "not a valid CSV"),
        ("t.csv", b'a,b\n"1,2\n', "quotes are closed"),
        ("t.csv.gz", b"a,b\n1,2\n", "cannot be unpacked"),
        ("t.parquet", b"a,b\n1,2\n", "not a valid Parquet"),
        ("t.xlsx", b"PK", "unknown ending"),
    ],
)
def test_unusable_files_say_why(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / name)


def test_absent_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "hospital.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"Did you mean one of 'hospital.csv'"):
        read_table(tmp_path / "hospitals.csv")
    with pytest.raises(InputError, match="no folder"):
        read_table(tmp_path / "nowhere" / "t.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)


def test_hash_is_of_all_bytes(tmp_path):
    (tmp_path / "t").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of_file(tmp_path / "t") == expected


def pack(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "a,b\n1,2\n")
    return path


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"]])
def test_archives_hold_one_table(tmp_path, names):
    with pytest.raises(InputError, match=f"holds {len(names)} files"):
        read_table(pack(tmp_path / "t.csv.zip", names))
    assert len(read_table(pack(tmp_path / "one.csv.zip", ["a.csv"]))) == 1


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_what_is_not_packed_as_it_says_is_refused(tmp_path, ending):
    path = tmp_path / f"t.csv.{ending}"
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_table(path)


def test_damaged_archives_are_refused(tmp_path):
    packed = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))
    packed[30] ^= 255
    (tmp_path / "t.csv.gz").write_bytes(packed)
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_table(tmp_path / "t.csv.gz")


def test_repeated_names_are_refused_not_changed(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(InputError, match="repeated column names: 'a'"):
        read_table(tmp_path / "t.csv")


def test_names_that_no_file_can_have(tmp_path):
    for name in ("a" * 5000 + ".csv", "a\0.csv"):
        with pytest.raises(InputError, match=r"cannot be the name|There is no file"):
            read_table(tmp_path / name)


def test_index_of_a_parquet_file_is_a_column(tmp_path):
    frame = pd.DataFrame({"site": ["a", "b"], "x": [1.0, 2.0]})
    frame.set_index("site").to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), frame)


def test_decimal_commas_in_files_with_semicolons(tmp_path):
    (tmp_path / "t.csv").write_text("a;b;c\n1,5;x,1;3\n-2,25;y;4\n;z;5\n")
    frame = read_table(tmp_path / "t.csv")
    assert frame["a"].tolist()[:2] == [1.5, -2.25]
    assert frame["a"].isna().tolist() == [False, False, True]
    assert frame["b"].tolist() == ["x,1", "y", "z"]
    assert frame["c"].tolist() == [3, 4, 5]


def test_numbers_are_read_to_the_last_bit(tmp_path):
    numbers = np.random.default_rng(0).normal(size=500)
    pd.DataFrame({"x": numbers}).to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv")["x"], numbers)
