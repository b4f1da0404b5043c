"""The example table: regenerating gives the stored files, and what is planted can be found."""

import gzip
import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "datasets" / "lending"


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("lending_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FOLDER / "lending.csv.gz")


@pytest.fixture(scope="module")
def truth():
    return json.loads((FOLDER / "truth.json").read_text())


def test_regenerating_gives_the_stored_files(make, tmp_path):
    make.main(tmp_path)
    for name in ("lending.csv.gz", "truth.json"):
        stored, fresh = ((folder / name).read_bytes() for folder in (FOLDER, tmp_path))
        if name.endswith(".gz"):  # the text counts: compressors may differ
            stored, fresh = map(gzip.decompress, (stored, fresh))
        assert stored == fresh
    assert (FOLDER / "lending.csv.gz").stat().st_size < 300_000


def test_columns_and_ranges_are_as_the_card_says(make, table, truth):
    assert list(table) == make.COLUMNS
    assert table["region"].value_counts().to_dict() == truth["n_rows"] == make.ROWS
    assert {k: v for k, v in table.isna().sum().items() if v} == truth["planted"]["missing_cells"]
    assert table.loc[table["region"] == "islands"].notna().all().all()
    assert table["age"].between(20, 75).all()
    assert table["debt_ratio"].between(0, 1, inclusive="neither").all()
    assert (table["credit_years"].fillna(0) <= table["age"] - 16).all()
    assert set(table["repaid"]) == set(table["approved"]) == {0, 1}


def test_truth_names_the_planted_changes(truth):
    assert truth["targets"] == {
        "east": ["postcode_score"],
        "harbour": ["repaid"],
        "islands": [],
        "north": [],
        "south": ["income", "approved"],
        "west": ["approved"],
    }
    assert truth["hidden"] == ["stability"]
    assert ["sex", "repaid"] not in truth["edges"]


def test_truth_holds_a_model_that_draws_the_same_table(make, truth):
    from shiftlab.simulation import StructuralModel

    data = StructuralModel.from_dict(truth["model"]).sample(make.ROWS, random_state=truth["seed"])
    expected = pd.read_csv(FOLDER / "lending.csv.gz")
    fresh = pd.read_csv(io.StringIO(make.make_table(data).to_csv(index=False)))
    pd.testing.assert_frame_equal(fresh, expected)


def test_planted_effects_show_in_the_rows(table):
    complete = table.dropna()
    by_region = dict(tuple(complete.groupby("region")))
    proxy = {k: np.corrcoef(g["postcode_score"], g["repaid"])[0, 1] for k, g in by_region.items()}
    assert proxy["north"] > 0.3 > -0.15 > proxy["east"]
    cause = {k: np.corrcoef(g["income"], g["repaid"])[0, 1] for k, g in by_region.items()}
    assert cause["harbour"] < 0.15 < 0.25 < cause["north"]
    ratio = by_region["south"]["income"].median() / by_region["north"]["income"].median()
    assert abs(np.log(ratio) + 0.35) < 0.05
    repaying = complete[complete["repaid"] == 1]
    rates = repaying.groupby(["region", "sex"])["approved"].mean().unstack()
    gap = rates["male"] - rates["female"]
    assert gap["west"] > 0.15
    assert gap["south"] > 0.08
    assert gap[["north", "east", "harbour"]].abs().max() < 0.06


def test_flipping_sex_changes_decisions_only_where_bias_was_planted(make):
    """With income held, sex acts on the decision by the planted bias only."""
    data = make.draw()
    swap = np.where(data.full["sex"] == "female", "male", "female")
    direct = data.counterfactual({"sex": swap, "income": data.full["income"].to_numpy()})
    moved = (direct.full["approved"] != data.full["approved"]).groupby(data.full["region"]).mean()
    assert (moved[["north", "east", "harbour", "islands"]] == 0).all()
    assert moved["west"] > moved["south"] > 0.05
    assert direct.full["repaid"].equals(data.full["repaid"])
