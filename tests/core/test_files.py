"""Files become tables, or one error that a person can act on."""

import gzip

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
