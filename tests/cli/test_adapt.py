"""``shiftlab adapt`` as a person uses it: fit, predict, explain."""

import json

import numpy as np
import pandas as pd
import pytest

from shiftlab.adaptation import simulate_environments
from shiftlab.cli import main

pytest.importorskip("skops")
TRAIN = simulate_environments("hidden_cause", 30, n_rows=40, random_state=0).frame
NEW = simulate_environments("hidden_cause", 6, n_rows=40, random_state=1).frame


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TRAIN.assign(id=range(len(TRAIN))).to_csv("train.csv", index=False)
    NEW.drop(columns="y").to_csv("new.csv", index=False)
    NEW.drop(columns=["y", "environment"]).head(40).to_csv("batch.csv", index=False)

    def call(*words):
        code = main(["adapt", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def fit(run, *more):
    return run(
        "fit", "train.csv", "--outcome", "y", "--environment", "environment", "--exclude", "id",
        "--strategy", "coefficients", "--out", "model", *more,
    )  # fmt: skip


def test_from_the_table_to_predictions_and_explanations(run, tmp_path):
    code, out, err = fit(run)
    assert (code, err) == (0, "")
    assert "coefficients" in out
    document = json.loads((tmp_path / "model" / "fit.json").read_text())
    assert document["strategy"] == "coefficients"
    assert len(document["table"]["sha256"]) == 64
    code, _, err = run("predict", "model/model.skops", "new.csv", "--interval", "0.9", "--out", "p")
    assert code == 0, err
    found = pd.read_csv(tmp_path / "p" / "predictions.csv")
    assert list(found.columns[-3:]) == ["prediction", "prediction_low", "prediction_high"]
    assert np.mean((found["prediction"] - NEW["y"]) ** 2) < 3.5
    code, out, _ = run("explain", "model/model.skops", "new.csv", "--out", "e")
    assert code in (0, 3)
    selection = pd.read_csv(tmp_path / "e" / "selection.csv")
    assert len(selection) == 6
    assert (code == 3) == selection["outside"].any()
    report = json.loads((tmp_path / "e" / "adaptation.json").read_text())
    assert report["schema"] == "shiftlab.adaptation_report/1"
    assert report["adaptation_strategies"]["strategy"] == "coefficients"
    assert len(report["provenance"]["source"]["sha256"]) == 64
    page = (tmp_path / "e" / "adaptation.html").read_text()
    assert page.count("<svg") == 4
    assert "covariates" in out


def test_a_table_without_the_environment_is_one_batch(run, tmp_path):
    fit(run, "--quiet", "--outside", "ignore")
    assert run("predict", "model/model.skops", "batch.csv", "--out", "p")[0] == 0
    assert len(pd.read_csv(tmp_path / "p" / "predictions.csv")) == 40
    run("explain", "model/model.skops", "batch.csv", "--out", "e", "--quiet")
    assert pd.read_csv(tmp_path / "e" / "selection.csv")["environment"].tolist() == ["batch"]


def test_classes(run, tmp_path):
    TRAIN.assign(y=np.where(TRAIN["y"] > 0, "yes", "no")).to_csv("train.csv", index=False)
    code, _, err = run(
        "fit", "train.csv", "--outcome", "y", "--environment", "environment", "--strategy",
        "select", "--always", "c2", "--no-guard", "--cv", "blocked", "--out", "model", "--quiet",
    )  # fmt: skip
    assert code == 0, err
    run("predict", "model/model.skops", "new.csv", "--out", "p")
    found = pd.read_csv(tmp_path / "p" / "predictions.csv")
    assert set(found["prediction"]) == {"yes", "no"}
    np.testing.assert_allclose(found["probability_yes"] + found["probability_no"], 1)
    code, _, err = run("predict", "model/model.skops", "new.csv", "--interval", "0.9")
    assert (code, "numbers" in err) == (2, True)


def test_an_environment_outside_has_an_exit_code_of_its_own(run, tmp_path):
    fit(run, "--quiet")
    far = NEW.drop(columns="y").assign(x=NEW["x"] + 100)
    far.to_csv("far.csv", index=False)
    code, out, _ = run("explain", "model/model.skops", "far.csv", "--out", "e")
    assert code == 3
    assert "Outside the training range" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "train.csv", "--outcome", "z", "--environment", "environment"], "no column 'z'"),
        (["fit", "train.csv", "--outcome", "y", "--environment", "e"], "no column 'e'"),
        (["fit", "absent.csv", "--outcome", "y", "--environment", "e"], "absent.csv"),
        (["predict", "train.csv", "new.csv"], "not a skops file"),
        (["predict", "absent.skops", "new.csv"], "no file"),
        (
            ["fit", "train.csv", "--outcome", "y", "--environment", "environment", "--cv", "x"],
            "cv must be",
        ),
        (
            ["fit", "train.csv", "--outcome", "environment", "--environment", "environment",
             "--task", "regression"],
            "is text",
        ),
    ],
)  # fmt: skip
def test_one_readable_message(run, words, message):
    code, _, err = run(*words)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_columns_that_the_model_needs(run):
    fit(run, "--quiet")
    NEW[["environment", "c2"]].to_csv("new.csv", index=False)
    code, _, err = run("predict", "model/model.skops", "new.csv")
    assert code == 2
    assert "no column 'x'" in err
