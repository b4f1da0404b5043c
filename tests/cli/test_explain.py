"""``shiftlab explain audit``, from the shell's point of view."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shiftlab._core.persist import save_model
from shiftlab.cli import main

RNG = np.random.default_rng(0)
N = 400
TABLE = pd.DataFrame(
    {
        "income": RNG.normal(size=N).round(3),
        "debt": RNG.normal(size=N).round(3),
        "sex": RNG.choice(["f", "m"], N),
        "repaid": RNG.integers(0, 2, N),
    }
)
INPUTS = ["income", "debt"]
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(
    TABLE[INPUTS], TABLE["income"] - TABLE["debt"] > 0
)
QUICK = ["--samples", "100", "--resamples", "99", "--quiet"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLE.to_csv("loans.csv", index=False)
    save_model(MODEL, "credit.skops")
    return tmp_path


def audit(*words):
    return main(["explain", "audit", *words, *QUICK])


def document(folder, name="out"):
    return json.loads((folder / name / "explanation.json").read_text(encoding="utf-8"))


def test_model_from_a_file(folder, capsys):
    assert audit("loans.csv", "--model", "credit.skops", "--sensitive", "sex", "--out", "out") == 0
    found = document(folder)
    assert found["explanation_audit"]["features"] == INPUTS
    assert {row["group"] for row in found["explanation_gaps"]["groups"]} == {"f", "m", None}
    gaps = {(row["kind"] == "mean", row["group"]) for row in found["explanation_gaps"]["gaps"]}
    assert {group for is_mean, group in gaps if is_mean} == {None}
    assert {group for is_mean, group in gaps if not is_mean} <= {"f", "m"}
    assert "(nan)" not in (folder / "out" / "explanation.html").read_text(encoding="utf-8")
    assert len(found["provenance"]["source"]["sha256"]) == 64
    page = (folder / "out" / "explanation.html").read_text(encoding="utf-8")
    assert "Are explanations equally faithful?" in page
    assert "<script" not in page
    rows = pd.read_csv(folder / "out" / "explanations.csv")
    assert len(rows) == N
    np.testing.assert_allclose(rows["prediction"], MODEL.predict_proba(TABLE[INPUTS])[:, 1])
    assert "explanation.html" in capsys.readouterr().err


def test_equal_seeds_give_equal_files(folder):
    for name in ("one", "two"):
        audit("loans.csv", "--model", "credit.skops", "--sensitive", "sex", "--out", name)
    one, two = document(folder, "one"), document(folder, "two")
    assert one["explanation_gaps"] == two["explanation_gaps"]


def test_everything_at_once(folder):
    words = [
        "--mitigations",
        "--split",
        "--decompose",
        "--margin",
        "0.05",
        "--adjust",
        "max-t",
        "--jobs",
        "2",
    ]
    words += ["--train", "loans.csv", "--metrics", "mae,auroc,local_r2", "--max-rows", "300"]
    words += ["--blocks", "30", "--scale", "0.5", "--confidence", "0.9", "--threshold", "0.4"]
    words += ["--model", "credit.skops", "--sensitive", "sex", "--out", "out"]
    assert audit("loans.csv", *words) == 0
    found = document(folder)
    assert found["explanation_audit"]["n_rows"] == 300
    assert found["explanation_gaps"]["metrics"] == ["mae", "auroc", "local_r2"]
    assert found["explanation_gaps"]["has_margin"]
    assert len({row["variant"] for row in found["explanation_mitigations"]["rows"]}) == 5
    sources = {row["part"] for row in found["explanation_sources"]["rows"]}
    assert sources == {"total", "sampling", "width", "family", "remainder"}
    parts = [row["part"] for row in found["explanation_split"]["rows"]]
    assert parts[:3] == ["total", "composition", "unexplained"]


def test_a_scoring_command(folder):
    (folder / "score.py").write_text(
        "import sys, pandas as pd\n"
        "t = pd.read_csv(sys.stdin)\n"
        "print('p')\n"
        "print('\\n'.join(str(1 / (1 + 2.718281828 ** (-v))) for v in t['income'] - t['debt']))\n"
    )
    code = audit(
        "loans.csv", "--scorer", f"{sys.executable} score.py", "--sensitive", "sex",
        "--features", "income,debt", "--out", "out", "--mode", "quartile", "--blocks", "2",
    )  # fmt: skip
    assert code == 0
    assert document(folder)["explanation_audit"]["method"] == "LIME (quartile)"


def test_predictions_that_exist_already(folder):
    scored = TABLE.assign(p=RNG.random(N), g=RNG.random(N))
    scored.to_csv("scored.csv", index=False)
    words = ["--prediction", "p", "--surrogate", "g", "--sensitive", "sex", "--out", "out"]
    assert audit("scored.csv", *words) == 0
    assert document(folder)["explanation_audit"]["n_blocks"] == 0


def test_predictions_that_are_not_those_of_the_model(folder, capsys):
    TABLE.assign(p=0.5).to_csv("scored.csv", index=False)
    words = ["--model", "credit.skops", "--prediction", "p", "--sensitive", "sex"]
    assert audit("scored.csv", *words) == 0
    assert "400 of 400 stored predictions differ" in capsys.readouterr().err


def test_onnx(folder):
    pytest.importorskip("onnxruntime")
    convert = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import FloatTensorType

    model = convert.convert_sklearn(MODEL, initial_types=[("rows", FloatTensorType([None, 2]))])
    (folder / "credit.onnx").write_bytes(model.SerializeToString())
    words = ["--sensitive", "sex", "--exclude", "repaid", "--out"]
    assert audit("loans.csv", "--model", "credit.onnx", *words, "onnx") == 0
    assert audit("loans.csv", "--model", "credit.skops", *words, "skops") == 0
    first, second = (document(folder, n)["explanation_gaps"]["pairs"] for n in ("onnx", "skops"))
    assert first[0]["difference"] == pytest.approx(second[0]["difference"], abs=1e-5)


def test_kernel_shap(folder, capsys):
    words = ["--model", "credit.skops", "--sensitive", "sex", "--explainer", "kernel-shap"]
    assert audit("loans.csv", *words, "--out", "out") == 0
    assert "0 in every group by construction" in capsys.readouterr().err
    assert document(folder)["explanation_gaps"]["metrics"] == ["truncated_mae", "complexity"]


def test_example(folder, capsys):
    assert audit("--example", "--max-rows", "200", "--out", "out") == 0
    assert document(folder)["explanation_audit"]["model"] == "boosted trees"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a table"),
        (["loans.csv"], "--sensitive is needed"),
        (["loans.csv", "--sensitive", "gender"], "no column 'gender'"),
        (["loans.csv", "--sensitive", "sex"], "give the model"),
        (["none.csv", "--sensitive", "sex"], "none.csv"),
        (["loans.csv", "--sensitive", "sex", "--model", "loans.csv"], "is not a skops file"),
        (["loans.csv", "--sensitive", "sex", "--model", "none.onnx"], "no file none.onnx"),
        (
            ["loans.csv", "--sensitive", "sex", "--model", "credit.skops", "--scorer", "x"],
            "exclude each other",
        ),
        (
            ["loans.csv", "--sensitive", "sex", "--scorer", "no-such-program"],
            "--scorer cannot be run",
        ),
        (
            ["loans.csv", "--sensitive", "sex", "--scorer", f"{sys.executable} -c 1/0"],
            "--scorer failed with code 1",
        ),
        (
            ["loans.csv", "--sensitive", "sex", "--scorer", f"{sys.executable} -c \"print('no')\""],
            "--scorer must print one number per row",
        ),
        (
            ["loans.csv", "--sensitive", "sex", "--model", "credit.skops", "--max-rows", "0"],
            "--max-rows must be at least 1",
        ),
        (["loans.csv", "--example"], "brings its own table"),
    ],
)
def test_errors_are_one_line_and_code_2(folder, capsys, words, message):
    assert audit(*words) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith("shiftlab: error:")
