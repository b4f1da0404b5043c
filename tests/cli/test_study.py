"""``shiftlab study``: from a TOML file to cells, a page and a write-up."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from shiftlab.cli import main
from shiftlab.exceptions import InputError
from shiftlab.explanation import study_from_config

CONFIG = """
[study]
name = "small"
replicates = 2
seed = 1
metrics = ["mae"]

[world]
kind = "concept_shift"
n_train = 200
n_test = 40

[grid]
beta = [-0.5, 1.5]

[models.lr]
kind = "logistic"
C = 0.5

[explainers.lime]
kind = "lime"
n_samples = 40
n_blocks = 2
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(CONFIG)
    return path


def run(*words):
    return main(["study", *map(str, words)])


def test_from_nothing_to_a_report(config, capsys):
    assert run("status", config) == 3
    assert re.search(r"pending: 4\n.*time to go: unknown", capsys.readouterr().out, re.DOTALL)
    assert run("run", config, "--max-cells", 3, "--quiet") == 3
    assert "3 of 4 cells done, 0 failed, 1 pending" in capsys.readouterr().err
    assert run("resume", config, "--quiet") == 0
    assert run("run", config) == 0
    text = capsys.readouterr().out
    assert "signed_gap" in text
    assert "small-cells" in text
    assert run("status", config, "--pilot", 1) == 0
    folder = config.parent / "out"
    assert run("report", config, "--out", folder) == 0
    assert {p.name for p in folder.iterdir()} == {
        "report.html", "report.json", "ademp.md", "cells.csv",
    }  # fmt: skip
    page = (folder / "report.html").read_text()
    document = json.loads((folder / "report.json").read_text())
    assert document["schema"] == "shiftlab.study_report/1"
    assert document["provenance"]["source"]["name"] == "study.toml"
    assert len(document["study_gaps"]["rows"]) == 2
    assert page.count("<svg") == 2
    assert "ConceptShiftWorld" in page
    assert len(pd.read_csv(folder / "cells.csv")) == 4
    assert "## Estimands" in (folder / "ademp.md").read_text()


def test_adaptive_replicates_are_reported(config):
    config.write_text(
        CONFIG.replace("seed = 1", "seed = 1\ntarget_mcse = 0.002\nmax_replicates = 6")
    )
    assert run("run", config, "--quiet") == 0
    assert run("report", config, "--out", config.parent) == 0
    document = json.loads((config.parent / "report.json").read_text())
    assert document["study"]["n_done"] > 4
    assert document["study"]["n_pending"] == 0


def test_failed_cells_are_told(config, capsys):
    text = CONFIG.replace("concept_shift", "covariate_shift")
    config.write_text(text.replace("beta = [-0.5, 1.5]", "threshold = [1.75, -5.0]"))
    assert run("run", config, "--quiet") == 3
    assert run("report", config, "--out", config.parent) == 3
    text = capsys.readouterr().out
    assert "2 failed" in text
    page = (config.parent / "report.html").read_text()
    assert "too few to fill" in page


def test_a_changed_study_is_refused_or_overwritten(config, capsys):
    assert run("run", config, "--quiet") == 0
    config.write_text(CONFIG.replace('"mae"', '"accuracy"'))
    assert run("run", config, "--quiet") == 2
    assert run("report", config, "--out", config.parent) == 2  # old cells, new description
    assert 'on_change="overwrite"' in capsys.readouterr().err
    assert run("run", config, "--quiet", "--on-change", "overwrite") == 0


@pytest.mark.slow
def test_jobs_do_not_change_a_bit(config, tmp_path):
    tables = []
    for jobs in (1, 2):
        config.write_text(CONFIG.replace('"small"', f'"jobs{jobs}"'))
        assert run("run", config, "--quiet", "--jobs", jobs) == 0
        assert run("report", config, "--out", tmp_path) == 0
        tables.append((tmp_path / "cells.csv").read_bytes())
    assert tables[0] == tables[1]


def test_resume_without_a_beginning(config, capsys):
    assert run("resume", config) == 2
    assert "no cell of study 'small' is finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[world]", "[word]"), r"unknown key 'word'; did you mean 'world'"),
        (('kind = "concept_shift"', 'kind = "concept"'), r"\[world\]: kind must be one of"),
        (("n_train = 200", "n_trian = 200"), r"\[world\]: unknown key 'n_trian'; did you mean"),
        (("replicates = 2", ""), r"\[study\]: replicates must be given"),
        (("seed = 1", 'seed = "one"'), r"\[study\]: seed must be given"),
        (("beta = [", "gamma = ["), "no field 'gamma'"),
        (("C = 0.5", "c = 0.5"), r"\[models.lr\]: unknown key 'c'"),
        (('kind = "logistic"', 'kind = "svm"'), r"\[models.lr\]: kind must be one of"),
        (("[models.lr]", "[models]"), r"\[models\]: write each as a table"),
        (('["mae"]', '["speed"]'), "metrics must be one of"),
        (("[grid]", "[[grid]]"), r"the table \[grid\] is missing"),
        (("[study]", "[study"), "is not valid TOML"),
        (("[grid]", "[[scenarios]]\nbeta = 1.0\n[grid]"), "not both"),
    ],
)
def test_bad_files_are_one_clear_line(config, capsys, change, message):
    assert change[0] in CONFIG
    config.write_text(CONFIG.replace(*change))
    assert run("run", config) == 2
    text = capsys.readouterr().err
    assert re.search(message, text), text
    assert len(text.strip().splitlines()) == 1


def test_bad_words(config, capsys):
    assert run("run", config.parent / "absent.toml") == 2
    assert run("run", config, "--jobs", 0) == 2
    assert run("report", config) == 2
    text = capsys.readouterr().err
    assert "No such file" in text
    assert "--jobs must be at least 1" in text
    assert "no finished cell" in text
    with pytest.raises(SystemExit):
        run("walk", config)


def test_a_table_and_listed_scenarios(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "z": rng.normal(size=300)})
    frame["sex"] = rng.choice(["f", "m"], 300)
    frame["y"] = (frame["x"] > 0).astype(int)
    frame.to_csv(tmp_path / "people.csv", index=False)
    config = {
        "study": {"replicates": 1, "seed": 0, "metrics": ["mae"]},
        "world": {
            "kind": "table", "path": "people.csv", "outcome": "y", "group": "sex", "zero": "f",
            "n_train": 100, "n_test": 50,
        },
        "scenarios": [{"omit": []}, {"omit": ["z"]}],
        "models": {"trees": {"kind": "boosting", "max_iter": 5}},
        "explainers": {"lime": {"kind": "lime", "n_samples": 40, "n_blocks": 2}},
    }  # fmt: skip
    found = study_from_config(config, base=tmp_path)
    result = found.study.run()
    assert result.study.n_done == 2
    assert result.study.n_failed == 0
    assert found.directory == tmp_path / "study-cells"
    del config["world"]["zero"]
    with pytest.raises(InputError, match=r"\[world\]: a table needs 'zero'"):
        study_from_config(config, base=tmp_path)
    config["scenarios"] = {"omit": []}
    config["world"]["zero"] = "f"
    with pytest.raises(InputError, match=r"\[\[scenarios\]\]"):
        study_from_config(config, base=tmp_path)
