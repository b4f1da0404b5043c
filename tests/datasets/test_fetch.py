"""What the loaders return: documented facts, roles, truth, tables of three libraries."""

import doctest
import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import shiftlab.datasets
from shiftlab.datasets import fetch, list_datasets, load_lending
from shiftlab.datasets._registry import read_registry, registry_root
from shiftlab.exceptions import DataNotFoundError, InputError, MissingDependencyError

TABLES = [(info.name, table) for info in read_registry().values() for table in info.tables]
LOADERS = [n for n in shiftlab.datasets.__all__ if n.startswith(("fetch_", "load_"))]


@pytest.mark.parametrize(("name", "table"), TABLES, ids=lambda value: value)
def test_table_is_as_documented(name, table, shared_data):
    data = fetch(name, table=table, data_home=shared_data)
    _, file = read_registry()[name].file_of(table)
    assert data.frame.shape == (file.rows, file.columns)
    assert int(data.frame.isna().sum().sum()) == file.missing
    check_columns(data)
    check_truth(data)


def check_columns(data):
    """Named columns exist, and the covariates hold neither outcomes nor identifiers."""
    columns = set(data.frame.columns)
    named = [data.target, data.environment, data.decision, *data.sensitive_features]
    assert {column for column in named if column is not None} <= columns
    assert set(data.roles) == columns
    covariates = set(data.X.columns)
    assert not covariates & {data.target, data.decision}
    assert not [c for c in covariates if data.roles[c] in {"leak", "id", "score", "weight"}]
    if data.environment is not None:
        assert data.roles[data.environment] == "environment"
        assert not data.frame[data.environment].isna().any()


def check_truth(data):
    """Arrows join columns or variables that are declared hidden."""
    truth = data.truth or {}
    nodes = {node for edge in truth.get("edges", ()) for node in edge}
    assert nodes <= {*data.frame.columns, *truth.get("hidden", ())}


@pytest.mark.parametrize("info", read_registry().values(), ids=lambda info: info.name)
def test_registered_columns_and_roles_occur_in_some_table(info, shared_data):
    home = registry_root() if info.packaged else shared_data
    seen = set()
    for name in info.tables.values():
        path = home / info.folder / name
        arrays = name.endswith(".npz")
        seen |= {"s", "yhat"} if arrays else set(pd.read_csv(path, nrows=0).columns)
    assert {*info.roles, *info.columns} <= seen


@pytest.mark.parametrize("loader", ["fetch", *LOADERS])
def test_examples_of_the_documentation(loader, shared_data, monkeypatch):
    """The examples that doctest skips for want of data are run here with the data."""
    monkeypatch.setenv("SHIFTLAB_DATA", str(shared_data))
    text = inspect.getdoc(getattr(shiftlab.datasets, loader)).replace("# doctest: +SKIP", "")
    test = doctest.DocTestParser().get_doctest(text, {}, loader, None, 0)
    assert len(test.examples) >= 3
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.failed == 0


def test_documented_counts(shared_data):
    """Facts that the originals document, not computed from these files."""
    adult = fetch("adult", data_home=shared_data).frame
    assert adult[["workclass", "occupation", "native_country"]].isna().sum().tolist() == [
        2799,
        2809,
        857,
    ]
    assert adult.groupby("split").size().to_dict() == {"test": 16281, "train": 32561}
    diabetes = fetch("diabetes_130_hospitals", data_home=shared_data).frame
    assert int((diabetes["max_glu_serum"] == "None").sum()) == 96420
    assert int(diabetes["weight"].isna().sum()) == 98569
    assert int((diabetes["readmitted"] == "<30").sum()) == 11357
    sachs = fetch("sachs", data_home=shared_data).frame
    assert sachs.groupby("condition_id").size().tolist()[:9] == [
        853, 902, 911, 723, 810, 799, 848, 913, 707,
    ]  # fmt: skip


def test_truth_of_the_light_tunnel_names_one_column_per_intervention(shared_data):
    data = fetch("light_tunnel", data_home=shared_data)
    experiments = set(data.frame["experiment"].unique())
    assert set(data.truth["targets"]) == experiments - {"uniform_reference"}
    targets = [target for (target,) in data.truth["targets"].values()]
    assert set(targets) <= set(data.frame.columns)
    assert len(set(targets)) == 20


def test_truth_of_lending_names_its_regions_and_columns():
    data = load_lending()
    assert set(data.truth["targets"]) == set(data.frame["region"].unique())
    changed = {name for names in data.truth["targets"].values() for name in names}
    assert changed <= set(data.frame.columns)
    assert data.truth["n_rows"] == data.frame.groupby("region").size().to_dict()
    assert data.truth["planted"]["missing_cells"] == {
        name: count for name, count in data.frame.isna().sum().to_dict().items() if count
    }


def test_lending_needs_no_folder(clean_environment):
    X, y = load_lending(return_X_y=True)
    assert X.shape == (6000, 8)
    assert y.isin([0, 1]).all()
    assert load_lending(as_frame="polars").frame.shape == (6000, 10)
    assert not clean_environment.exists()


def test_altered_package_is_refused(tmp_path, monkeypatch):
    shutil.copytree(registry_root(), tmp_path / "data")
    (tmp_path / "data" / "lending" / "lending.csv.gz").write_bytes(b"")
    monkeypatch.setattr("shiftlab.datasets._fetch.registry_root", lambda: tmp_path / "data")
    with pytest.raises(DataNotFoundError, match=r"lending.csv.gz is not the registered file"):
        load_lending()


def test_registry_in_the_wheel_comes_first(tmp_path, monkeypatch):
    (tmp_path / "_data").mkdir()
    monkeypatch.setattr("shiftlab.datasets._registry.files", lambda package: tmp_path)
    assert registry_root() == Path(shiftlab.__file__).parents[1] / "datasets"
    (tmp_path / "_data" / "registry.toml").touch()
    assert registry_root() == tmp_path / "_data"


def test_truth_of_sachs_names_conditions(shared_data):
    data = fetch("sachs", data_home=shared_data)
    assert set(data.truth["targets"]) <= set(data.frame["condition"].unique())
    assert data.truth["targets"]["pma"] == ("pkc",)


def test_truth_of_the_pairs_covers_the_table(shared_data):
    data = fetch("tuebingen_pairs", data_home=shared_data)
    assert set(data.truth["cause"]) == set(data.frame["pair"].unique())
    assert set(data.truth["cause"].values()) == {"x", "y"}
    assert min(data.truth["weight"].values()) > 0


def test_network_tensors_reproduce_the_decisions(shared_data):
    """A forward pass written out here gives the stored decision on every row."""
    extras = fetch("inspection_arrays", data_home=shared_data).extras
    network, hidden = extras["network"], extras["X"].astype(np.float64)
    for norm, linear in [(0, 1), (3, 4), (6, 7), (9, 10)]:
        at = {key: network[f"seq.{norm}.{key}"] for key in ("weight", "bias")}
        scale = np.sqrt(network[f"seq.{norm}.running_var"] + 1e-5)
        hidden = (hidden - network[f"seq.{norm}.running_mean"]) / scale * at["weight"] + at["bias"]
        hidden = hidden @ network[f"seq.{linear}.weight"].T + network[f"seq.{linear}.bias"]
        hidden = np.maximum(hidden, 0) if linear < 10 else hidden
    score = 1 / (1 + np.exp(-hidden[:, 0]))
    assert ((score > extras["threshold"]) == extras["yhat"]).all()


@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_other_libraries_hold_the_same_table(kind, shared_data):
    pandas = fetch("adult", data_home=shared_data)
    other = fetch("adult", data_home=shared_data, as_frame=kind)
    back = other.frame.to_pandas()
    assert type(other.frame).__module__.startswith({"arrow": "pyarrow"}.get(kind, kind))
    nulls = other.frame["workclass"].null_count
    assert (nulls() if callable(nulls) else nulls) == 2799
    pd.testing.assert_frame_equal(
        back.astype(object).fillna("none"), pandas.frame.astype(object).fillna("none")
    )
    X, y = fetch("adult", data_home=shared_data, as_frame=kind, return_X_y=True)
    assert X.shape == (48842, 13)
    assert len(y) == 48842
    assert repr(other) == repr(pandas)
    assert other.to_dict() == pandas.to_dict()


def test_x_and_y_need_a_target(shared_data):
    with pytest.raises(InputError, match="has no target"):
        fetch("sachs", data_home=shared_data, return_X_y=True)


def test_missing_polars_is_named(shared_data, monkeypatch):
    monkeypatch.setattr("shiftlab.datasets._read.is_installed", lambda module: False)
    with pytest.raises(MissingDependencyError, match="pip install polars"):
        fetch("german_credit", data_home=shared_data, as_frame="polars")


def test_documentation_travels_with_the_table(shared_data):
    data = fetch("adult", data_home=shared_data)
    plain = data.to_dict()
    assert plain["rows"] == 48842
    assert "frame" not in plain
    assert "## Unsuitable uses" in data.description
    assert data.licence == "CC BY 4.0"
    with pytest.raises(AttributeError):
        data.name = "other"


def test_list_has_a_row_per_table_and_says_what_is_local(shared_data):
    listed = list_datasets(data_home=shared_data)
    assert list(zip(listed["name"], listed["table"], strict=True)) == TABLES
    assert listed["local"].all()


@pytest.mark.parametrize("loader", LOADERS)
def test_loaders_are_documented_functions(loader):
    function = getattr(shiftlab.datasets, loader)
    documentation = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in documentation
    for name, parameter in inspect.signature(function).parameters.items():
        assert f"\n{name} : " in documentation
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    with pytest.raises(TypeError):
        function("positional")


def test_import_reads_and_creates_nothing(tmp_path):
    code = (
        "import sys, shiftlab.datasets as d; from shiftlab.datasets._registry import read_registry;"
        "assert read_registry.cache_info().currsize == 0;"
        "print([m for m in ('pandas', 'pooch', 'pyarrow', 'polars') if m in sys.modules])"
    )
    environment = {"HOME": str(tmp_path), "PATH": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_stripped_docstrings_do_not_break_the_import(tmp_path):
    code = "from shiftlab.datasets import fetch_adult; print(fetch_adult.__name__)"
    done = subprocess.run(
        [sys.executable, "-OO", "-B", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "fetch_adult"
