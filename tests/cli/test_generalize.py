"""The verb `generalize`: files in, files out, and errors that say what to do."""

import json

import numpy as np
import pandas as pd
import pytest

from shiftlab.cli import main
from shiftlab.simulation import make_drifting_credit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generalize")
    frame = make_drifting_credit(n_domains=10, n_per_domain=80, random_state=0).frame
    frame["region"] = np.where(frame["postcode"] > 0, "north", "south")
    frame["group"] = np.where(frame["group"] == 1, "F", "M")
    frame.loc[3, "income"] = np.nan
    frame.to_csv(folder / "loans.csv", index=False)
    words = ["fit", str(folder / "loans.csv"), "--outcome", "y", "--environment", "time"]
    words += ["--sensitive", "group", "--until", "7", "--model", str(folder / "m.skops")]
    assert main(["generalize", *words, "--drift", "trend"]) == 0
    return folder


def use(folder, step, *words):
    files = str(folder / "m.skops"), str(folder / "loans.csv")
    return main(["generalize", step, *files, "--since", "8", *words])


def test_predict(folder):
    out = folder / "p.csv"
    assert use(folder, "predict", "--out", str(out), "--quiet") == 0
    found = pd.read_csv(out)
    assert list(found) == ["time", "group", "y_pred", "score_0", "score_1"]
    assert len(found) == 160
    assert np.allclose(found["score_0"] + found["score_1"], 1)


def test_counterfactual(folder):
    out = folder / "t.csv"
    assert use(folder, "counterfactual", "--to", "F", "--out", str(out)) == 0
    found = pd.read_csv(out)
    assert set(found["group"]) == {"F"}
    assert abs(found["score_of_row"] - found["score_of_twin"]).max() < 1e-6
    assert {"income", "region_north"} <= set(found)


def test_evaluate(folder, capsys):
    words = ["--outcome", "y", "--resamples", "3", "--out", str(folder / "audit")]
    assert use(folder, "evaluate", *words) == 0
    shown = capsys.readouterr().out
    assert "beside the constant predictor" in shown
    assert "Whatever the mechanism" in shown
    document = json.loads((folder / "audit" / "generalization.json").read_text())
    assert {row["domain"] for row in document["fair_domains"]["rows"]} == {"8", "9"}
    effects = document["fair_effects"]["effects"]
    assert effects["low"] <= effects["unfairness"] <= effects["high"]
    assert document["provenance"]["source"]["name"] == "loans.csv"
    page = (folder / "audit" / "generalization.html").read_text()
    assert page.count("<svg") == 5
    assert "unfairness, estimated" in page


def test_numbers(folder):
    model = str(folder / "number.skops")
    words = ["fit", str(folder / "loans.csv"), "--outcome", "debt_ratio", "--environment", "time"]
    words += ["--sensitive", "group", "--exclude", "y,region", "--model", model, "--drift", "none"]
    assert main(["generalize", *words, "--quiet"]) == 0
    out = folder / "n.csv"
    words = ["predict", model, str(folder / "loans.csv"), "--out", str(out)]
    assert main(["generalize", *words]) == 0
    assert list(pd.read_csv(out)) == ["time", "group", "y_pred"]


@pytest.mark.parametrize(
    ("step", "words", "message"),
    [
        ("predict", ["--since", "99"], "leave no rows"),
        ("counterfactual", ["--to", "X"], "not seen in fit"),
        ("counterfactual", ["--to", "F,north"], "one group for each"),
        ("evaluate", ["--outcome", "nothing"], "nothing"),
    ],
)
def test_errors(folder, capsys, step, words, message):
    assert use(folder, step, *words) == 2
    assert message in capsys.readouterr().err


def test_missing_columns_and_foreign_models(folder, capsys):
    words = ["fit", str(folder / "loans.csv"), "--outcome", "y", "--environment", "month"]
    assert main(["generalize", *words, "--sensitive", "group"]) == 2
    assert "month" in capsys.readouterr().err
    assert main(["generalize", "predict", "no.skops", str(folder / "loans.csv")]) == 2
    assert "no file" in capsys.readouterr().err
