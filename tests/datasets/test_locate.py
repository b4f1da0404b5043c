"""Where a file is looked for, what is refused, and what an error says."""

import hashlib
import sys

import pandas as pd
import pytest

from shiftlab.datasets import fetch, list_datasets
from shiftlab.datasets._locate import is_offline, user_cache
from shiftlab.datasets._registry import read_registry
from shiftlab.exceptions import DataNotFoundError, InputError, MissingDependencyError

DOWNLOADS = [
    (info.name, table)
    for info in read_registry().values()
    for table, filename in info.tables.items()
    if info.files[filename].download is not None
]


def put(folder, content):
    (folder / "toys").mkdir(parents=True)
    path = folder / "toys" / "toy.csv"
    path.write_bytes(content)
    return path


def test_missing_file_is_named_with_checksum_folders_and_source(
    make_toy, clean_environment, tmp_path, monkeypatch
):
    make_toy()
    monkeypatch.setenv("SHIFTLAB_DATA", str(tmp_path / "variable"))
    with pytest.raises(DataNotFoundError) as caught:
        fetch("toy", data_home=tmp_path / "argument")
    message = str(caught.value)

    assert "Data set 'toy': the file 'toy.csv' (24 bytes, sha256 " in message
    places = [str(tmp_path / "argument" / "toys"), str(tmp_path / "variable" / "toys")]
    assert "; ".join([*places, str(clean_environment / "toys")]) in message
    assert "SHIFTLAB_DATA" in message
    assert "Source: nowhere." in message


def test_argument_comes_before_variable_before_cache(
    make_toy, clean_environment, tmp_path, monkeypatch
):
    make_toy()
    put(clean_environment, b"a,b,y\n0,cache,0\n")
    read = {"as_frame": "pandas", "verify": False}
    assert fetch("toy", **read).frame["b"].tolist() == ["cache"]
    put(tmp_path / "variable", b"a,b,y\n0,variable,0\n")
    monkeypatch.setenv("SHIFTLAB_DATA", str(tmp_path / "variable"))
    assert fetch("toy", **read).frame["b"].tolist() == ["variable"]
    put(tmp_path / "argument", b"a,b,y\n0,argument,0\n")
    assert fetch("toy", data_home=tmp_path / "argument", **read).frame["b"].tolist() == ["argument"]


def test_wrong_checksum_is_refused_unless_told_otherwise(make_toy, tmp_path):
    content = make_toy()
    path = put(tmp_path, content + b"3,z,0\n")
    with pytest.raises(DataNotFoundError, match=r"is not the registered file.*verify=False"):
        fetch("toy", data_home=tmp_path)
    assert len(fetch("toy", data_home=tmp_path, verify=False).frame) == 4
    path.write_bytes(content)
    assert len(fetch("toy", data_home=tmp_path).frame) == 3


def test_a_file_is_hashed_once_until_it_changes(make_toy, tmp_path, monkeypatch):
    content = make_toy()
    path = put(tmp_path, content)
    fetch("toy", data_home=tmp_path)
    calls = []
    original = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: calls.append(a) or original(*a))
    fetch("toy", data_home=tmp_path)
    assert not calls
    path.write_bytes(content.replace(b"1,x", b"9,x"))
    with pytest.raises(DataNotFoundError, match="not the registered file"):
        fetch("toy", data_home=tmp_path)
    assert len(calls) == 1


def test_download_is_checked_prepared_and_kept(make_toy, server, clean_environment, capfd):
    make_toy(server)
    data = fetch("toy")
    assert data.frame.columns.tolist() == ["a", "b", "y"]
    assert data.frame["b"].tolist()[::2] == ["x", "NA"]
    assert int(data.frame.isna().sum().sum()) == 1
    assert [p.name for p in (clean_environment / "toys").iterdir()] == ["original.csv"]
    make_toy("http://127.0.0.1:9/original.csv")  # nothing listens there: the stored file is used
    assert fetch("toy").frame.equals(data.frame)
    assert capfd.readouterr() == ("", "")


def test_download_goes_to_data_home(make_toy, server, clean_environment, tmp_path):
    make_toy(server)
    fetch("toy", data_home=tmp_path / "home")
    assert (tmp_path / "home" / "toys" / "original.csv").is_file()
    assert not clean_environment.exists()


def test_download_with_wrong_checksum_is_refused_and_not_kept(make_toy, server, clean_environment):
    make_toy(server, checksum="0" * 64)
    with pytest.raises(DataNotFoundError, match="Downloading it failed"):
        fetch("toy")
    assert not [p for p in clean_environment.rglob("*") if p.is_file()]


def test_unreachable_source_is_one_clear_error(make_toy):
    make_toy("http://127.0.0.1:9/original.csv")
    with pytest.raises(DataNotFoundError, match=r"'toy.csv'.*Downloading it failed"):
        fetch("toy")


def test_offline_fails_at_once_and_says_so(make_toy, server, clean_environment, monkeypatch):
    make_toy(server)
    monkeypatch.setenv("SHIFTLAB_OFFLINE", "1")
    with pytest.raises(DataNotFoundError, match=r"'original.csv'.*SHIFTLAB_OFFLINE is set"):
        fetch("toy")
    assert not clean_environment.exists()


def test_missing_pooch_is_named(make_toy, monkeypatch):
    make_toy("http://127.0.0.1:9/original.csv")
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingDependencyError, match=r"data set 'toy' needs .*shiftlab\[data\]"):
        fetch("toy")


def test_stored_original_counts_as_local(clean_environment):
    folder = clean_environment / "german_credit"
    folder.mkdir(parents=True)
    (folder / "german.csv").touch()
    listed = list_datasets().set_index("name")["local"]
    assert listed["german_credit"]
    assert not listed["adult"]


@pytest.mark.network
@pytest.mark.parametrize(("name", "table"), DOWNLOADS, ids=lambda value: value)
def test_public_original_becomes_the_registered_table(
    name, table, clean_environment, tmp_path, shared_data
):
    fetched = fetch(name, table=table, data_home=tmp_path)
    pd.testing.assert_frame_equal(
        fetched.frame, fetch(name, table=table, data_home=shared_data).frame
    )


@pytest.mark.parametrize(("value", "expected"), [("", False), ("0", False), ("1", True)])
def test_offline_variable(value, expected, monkeypatch):
    monkeypatch.setenv("SHIFTLAB_OFFLINE", value)
    assert is_offline() is expected


@pytest.mark.parametrize(
    ("platform", "variable", "tail"),
    [
        ("linux", "XDG_CACHE_HOME", ("shiftlab",)),
        ("win32", "LOCALAPPDATA", ("shiftlab",)),
        ("darwin", "HOME", ("Library", "Caches", "shiftlab")),
    ],
)
def test_cache_follows_the_platform(platform, variable, tail, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert user_cache() == tmp_path.joinpath(*tail)


def test_listing_and_searching_create_no_folder(clean_environment, tmp_path):
    listed = list_datasets(data_home=tmp_path / "none")
    packaged = listed["name"] == "lending"
    assert not listed.loc[~packaged, "local"].any()
    with pytest.raises(DataNotFoundError):
        fetch("adult", data_home=tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [{"name": "nothing"}, {"name": "adult", "table": "x"}, {"as_frame": "table"}]
)
def test_unknown_names_are_refused(options):
    with pytest.raises(InputError, match="must be one of"):
        fetch(**{"name": "adult", **options})
