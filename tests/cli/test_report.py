"""``shiftlab report`` as a person uses it: files in, files out, one readable message on errors."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import shiftlab
from shiftlab._core.files import read_table
from shiftlab.cli import main

QUICK = ["--resamples", "39", "--max-rows", "1000", "--quiet"]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "site": np.repeat(["a", "b", "c"], 80),
            "year": np.tile([2020, 2021], 120),
            "dose": rng.normal(size=240),
            "sex": rng.choice(["f", "m"], size=240),
            "race": rng.choice(["u", "v"], size=240),
            "approved": rng.choice(["yes", "no"], size=240),
            "good": rng.choice([0, 1], size=240),
        }
    )
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def run(capsys, *words):
    code = main(["report", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_report_of_a_file(capsys, table, tmp_path):
    code, out, err = run(
        capsys, table, "--environment", "site", "--outcome", "good", "--decision", "approved",
        "--pos-label", "yes", "--sensitive", "sex,race", "--reference", "a",
        "--out", tmp_path / "out", *QUICK,
    )  # fmt: skip
    assert code == 0, err
    assert out == ""
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (tmp_path / "out" / "report.html").read_text().startswith("<!DOCTYPE html>")
    source = document["provenance"]["source"]
    assert source["name"] == "table.csv"
    assert len(source["sha256"]) == 64
    assert source["command"].startswith("shiftlab report ")
    assert document["provenance"]["options"]["sensitive_features"] == ["sex", "race"]


def test_several_environment_columns(capsys, table, tmp_path):
    code, _, err = run(capsys, table, "--environment", "site,year", "--out", tmp_path, *QUICK)
    assert code == 0, err
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["overview"]["n_environments"] == 6


def test_column_names_with_commas_are_understood(capsys, tmp_path, table):
    frame = pd.read_csv(table).rename(columns={"site": "site, ward"})
    frame.to_csv(tmp_path / "comma.csv", index=False)
    code, _, err = run(
        capsys, tmp_path / "comma.csv", "--environment", "site, ward", "--out", tmp_path, *QUICK
    )
    assert code == 0, err


def test_parquet_and_gzip(capsys, table, tmp_path):
    frame = read_table(table)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    numbers = []
    for name in ("table.csv", "t.csv.gz", "t.parquet"):
        out = tmp_path / name.replace(".", "_")
        code, _, err = run(capsys, tmp_path / name, "--environment", "site", "--out", out, *QUICK)
        assert code == 0, err
        numbers.append(json.loads((out / "report.json").read_text())["shifts"])
    assert numbers[0] == numbers[1] == numbers[2]


def test_summary_goes_to_standard_output(capsys, table, tmp_path):
    words = [table, "--environment", "site", "--out", tmp_path, *QUICK[:-1]]
    code, out, err = run(capsys, *words)
    assert code == 0
    assert "- The table has 240 rows from 3 environments" in out
    assert "report.html" in out
    assert "report" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a table"),
        (["{table}"], "--environment is needed"),
        (["{table}", "--environment", "sit"], "Did you mean 'site'"),
        (["{folder}/none.csv", "--environment", "site"], "There is no file"),
        (["{folder}/empty.csv", "--environment", "site"], "is empty"),
        (["{folder}/broken.csv", "--environment", "site"], "not a valid CSV"),
        (["{folder}/latin.csv", "--environment", "site"], "--encoding latin-1"),
        (["{folder}/table.docx", "--environment", "site"], "unknown ending"),
        (["{table}", "--environment", "site", "--decision", "approved"], "--sensitive"),
        (
            ["{table}", "--environment=site", "--decision=approved", "--sensitive=sex"],
            "Name the favourable value with --pos-label",
        ),
        (["{table}", "--environment", "site", "--reference", "z"], "no label 'z'"),
        (["{table}", "--environment", "site", "--seed", "-1"], "must not be negative"),
        (["{table}", "--example"], "leave TABLE out"),
        (["{table}", "--environment", "site", "--jobs", "0"], "--jobs must be at least 1"),
        (["{table}", "--environment", "site", "--out", "{table}/x"], "cannot write"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(capsys, table, words, message):
    folder = table.parent
    (folder / "empty.csv").write_bytes(b"")
    (folder / "broken.csv").write_bytes(b"site,b\n1,2\n3,4,5\n")
    (folder / "latin.csv").write_bytes("site,b\nKöln,2\nBonn,3\n".encode("latin-1"))
    (folder / "table.docx").write_bytes(b"PK")
    filled = [word.format(table=table, folder=folder) for word in words]
    code, out, err = run(capsys, *filled, *QUICK)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


def test_debug_shows_the_traceback(table):
    with pytest.raises(shiftlab.exceptions.ColumnNotFoundError):
        main(["report", str(table), "--environment", "sit", "--debug"])


def test_internal_errors_exit_with_70(capsys, table, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("shiftlab.reporting.shift_report", fail)
    code, _, err = run(capsys, table, "--environment", "site")
    assert code == 70
    assert "internal error: ZeroDivisionError: boom" in err
    assert "Traceback" not in err


def test_interruption_exits_with_130(capsys, table, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("shiftlab.reporting.shift_report", interrupt)
    code, _, err = run(capsys, table, "--environment", "site")
    assert code == 130
    assert "interrupted" in err


def test_usage_errors_exit_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["report", "--no-such-option"])
    assert stop.value.code == 2
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    capsys.readouterr()


def test_example_runs_as_a_module_without_any_input(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "shiftlab", "report", "--example"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path), *QUICK], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["overview"]["n_environments"] == 6
    assert document["fairness"] is not None


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"shiftlab {shiftlab.__version__}"


def test_reader_of_standard_output_may_leave(table, tmp_path):
    words = [table, "--environment", "site", "--out", tmp_path / "out", *QUICK[:-1]]
    command = [sys.executable, "-W", "error", "-m", "shiftlab", "report", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert process.returncode == 0, errors
    assert "BrokenPipe" not in errors
    assert (tmp_path / "out" / "report.json").exists()


def test_file_names_and_consoles_that_are_no_text(table, tmp_path):
    odd = tmp_path / os.fsdecode(b"odd\xff.csv")
    try:
        odd.write_bytes(table.read_bytes())
    except OSError:
        pytest.skip("this file system takes only names that are text")
    words = [odd, "--environment", "site", "--out", tmp_path / "out", *QUICK[:-1]]
    done = subprocess.run(
        [sys.executable, "-m", "shiftlab", "report", *map(str, words)],
        capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert document["provenance"]["source"]["name"] == odd.name
    assert "odd\\udcff.csv" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_folder_is_checked_before_the_long_work(capsys, table, tmp_path, monkeypatch):
    monkeypatch.setattr("shiftlab.reporting.shift_report", None)
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", "a\0b"):
        code, _, err = run(capsys, table, "--environment", "site", "--out", out)
        assert code == 2
        assert "--out: cannot write" in err


def test_misspelt_options_are_recognised(capsys):
    for words, message in (
        (["t.csv", "--enviroment", "site"], "did you mean --environment?"),
        (["t.csv", "--sensitive", "sex", "race"], "join several columns by commas"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["report", *words])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_missing_labels_can_be_given_one(capsys, table, tmp_path):
    frame = pd.read_csv(table)
    frame.loc[[0, 1], "site"] = None
    frame.loc[2, "sex"] = None
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    words = [
        tmp_path / "gaps.csv", "--environment", "site", "--decision", "approved",
        "--pos-label", "yes", "--sensitive", "sex", "--out", tmp_path, *QUICK,
    ]  # fmt: skip
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "2 missing label" in err
    code, _, err = run(capsys, *words, "--label-missing", "unknown")
    assert code == 0, err
    document = json.loads((tmp_path / "report.json").read_text())
    assert "unknown" in [e["label"] for e in document["overview"]["environments"]]


def test_reference_group_from_the_command_line(capsys, table, tmp_path):
    words = [
        table, "--environment", "site", "--decision", "approved", "--pos-label", "yes",
        "--sensitive", "sex", "--out", tmp_path, *QUICK,
    ]  # fmt: skip
    code, _, err = run(capsys, *words, "--reference-group", "sex:f")
    assert code == 2
    assert "write COL=GROUP" in err
    code, _, err = run(capsys, *words, "--reference-group", "sex=f")
    assert code == 0, err
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["fairness"]["reference_group"] == {"sex": "f"}
