"""``shiftlab audit`` as an auditor uses it: files in, verdict as exit code, report that repeats."""

import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shiftlab.cli import main
from shiftlab.reporting import audit_schema

jsonschema = pytest.importorskip("jsonschema")
N = 2000
COLUMNS = ["--decision", "yhat", "--sensitive", "sex"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("audit")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=N), "<b>z": rng.normal(size=N)})
    frame["sex"] = rng.choice(["f", "m"], N)
    frame["yhat"] = (frame["x"] + 0.8 * (frame["sex"] == "m") > 1.2).astype(int)
    frame.to_csv(path / "population.csv", index=False)
    frame.to_parquet(path / "population.parquet")
    frame.sample(600, random_state=1).to_csv(path / "honest.csv", index=False)
    fair = frame.assign(yhat=rng.integers(0, 2, N))
    fair.to_csv(path / "fair.csv", index=False)
    return path


@pytest.fixture
def run(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)

    def call(*words):
        code = main(["audit", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def verify(run, sample, *words):
    return run("verify", sample, "--against", "population.csv", *COLUMNS, *words)


class Tables(HTMLParser):
    """Reads the tables of a page: lists of rows, rows of texts."""

    def __init__(self):
        super().__init__()
        self.found, self.cell = [], None

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.found.append([])
        elif tag == "tr" and self.found:
            self.found[-1].append([])
        elif tag in ("td", "th") and self.found:
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.cell is not None:
            self.found[-1][-1].append(self.cell.strip())
            self.cell = None


def tables_of(page):
    reader = Tables()
    reader.feed(page)
    whole = [[row for row in rows if len(row) == len(rows[0])] for rows in reader.found if rows]
    return [pd.DataFrame(rows[1:], columns=rows[0]) for rows in whole if len(rows) > 1]


class TestExitCodes:
    def test_metrics(self, run):
        assert run("metrics", "population.parquet", *COLUMNS)[0] == 1
        assert run("metrics", "fair.csv", *COLUMNS)[0] == 0
        assert run("metrics", "honest.csv", *COLUMNS, "--min-count", "1000")[0] == 3

    def test_verify_honest_sample(self, run):
        code, out, err = verify(run, "honest.csv")
        assert code == 1, err
        assert "Integrity: clean" in out

    def test_attacks(self, run):
        for strategy, expected in (("entropic", {4, 6}), ("replace", {5}), ("match", {5})):
            words = ("--strategy", strategy, "--m", 400, "--out", f"{strategy}.csv", "--seed", 1)
            code, out, err = run("stress", "population.csv", *COLUMNS, *words)
            assert code == 0, err
            assert "synthetic" in out
            stamp = json.loads(Path(f"{strategy}.csv.stamp.json").read_text())
            assert stamp["stamp"]["synthetic"] is True
            assert verify(run, f"{strategy}.csv", "--quiet")[0] in expected

    def test_violation_and_rejection_together(self, run):
        frame = pd.read_csv("population.csv")
        frame[frame["yhat"] == 1].sample(150, random_state=0).to_csv("odd.csv", index=False)
        part = pd.read_csv("population.csv").query("x < 0.5").sample(400, random_state=0)
        part.to_csv("odd.csv", index=False)
        assert verify(run, "odd.csv", "--quiet")[0] == 6

    def test_usage(self, run, capsys):
        assert verify(run, "nothing.csv")[0] == 2
        assert run("metrics", "honest.csv", "--sensitive", "sex")[0] == 2
        assert run("metrics", "honest.csv", "--decision", "yhat")[0] == 2
        code, _, err = run("metrics", "honest.csv", "--decision", "yhatt", "--sensitive", "sex")
        assert code == 2
        assert "Did you mean 'yhat'?" in err
        assert verify(run, "honest.csv", "--reference-group", "m")[0] == 2
        assert run("verify", "-", "--against", "-", *COLUMNS)[0] == 2
        with pytest.raises(SystemExit) as stopped:
            run("verify", "honest.csv")
        assert stopped.value.code == 2

    def test_missing_sensitive_cells_and_other_schemas(self, run):
        frame = pd.read_csv("honest.csv")
        frame.assign(sex=frame["sex"].where(frame.index > 2)).to_csv("holes.csv", index=False)
        code, _, err = verify(run, "holes.csv")
        assert code == 2
        assert "3 missing" in err
        frame.drop(columns="x").to_csv("narrow.csv", index=False)
        code, _, err = verify(run, "narrow.csv")
        assert code == 2
        assert "lacks 'x'" in err
        assert verify(run, "narrow.csv", "--ignore", "x")[0] == 1


class TestReport:
    def test_schema_replay_and_page(self, run, folder):
        code, _, err = verify(
            run, "honest.csv", "--out", "a.json", "--html", "a.html", "--frontier",
            "--format", "annex-iv", "--tests", "all", "--resamples", "49",
        )  # fmt: skip
        assert code == 1, err
        text = (folder / "a.json").read_text()
        document = json.loads(text)
        jsonschema.validate(document, audit_schema())
        assert document["annex_iv"]["headings"]
        files = document["inputs"]["files"]
        assert [file["role"] for file in files] == ["sample", "reference"]
        assert all(len(file["sha256"]) == 64 for file in files)
        assert run("replay", "a.json")[:2] == (
            0,
            "identical: every byte of the report was reproduced\n",
        )
        page = (folder / "a.html").read_text()
        assert len(page) < 1_000_000
        assert not re.search(r"<script|<link|src=|@import|url\((?!#)", page)
        assert "<b>z" not in page
        assert "&lt;b&gt;z" in page

    def test_numbers_of_the_page_are_those_of_the_document(self, run, folder):
        verify(run, "honest.csv", "--out", "n.json", "--html", "n.html", "--quiet")
        document = json.loads((folder / "n.json").read_text())
        tables = tables_of((folder / "n.html").read_text())
        rates = next(t for t in tables if "rate" in t.columns and "selected" in t.columns)
        for line in document["rates"]["groups"]:
            shown = rates[rates["group"].astype(str) == str(line["group"])].iloc[0]
            assert int(str(shown["rows"]).replace(",", "")) == line["n"]
            assert int(str(shown["selected"]).replace(",", "")) == line["selected"]
        verdict = next(t for t in tables if "verdict" in t.columns)
        part = document["verdict"]["by_feature"][0]
        assert float(verdict["value"].iloc[0]) == pytest.approx(part["value"], rel=5e-3)
        assert verdict["verdict"].iloc[0] == part["verdict"]

    def test_replay_sees_other_files_and_other_reports(self, run, folder):
        verify(run, "honest.csv", "--out", "r.json", "--quiet")
        document = json.loads((folder / "r.json").read_text())
        document["verdict"]["compliance"] = "pass"
        (folder / "forged.json").write_text(json.dumps(document))
        code, out, _ = run("replay", "forged.json")
        assert code == 5
        assert "verdict.compliance" in out
        pd.read_csv("honest.csv").iloc[1:].to_csv("other.csv", index=False)
        moved = (folder / "r.json").read_text().replace('"honest.csv"', '"other.csv"')
        (folder / "moved.json").write_text(moved)
        code, out, _ = run("replay", "moved.json")
        assert code == 5
        assert "another one" in out
        assert run("replay", "honest.csv")[0] == 2

    def test_replay_in_another_folder(self, run, tmp_path, monkeypatch, folder, capsys):
        run("metrics", "population.csv", *COLUMNS, "--out", "m.json", "--quiet")
        monkeypatch.chdir(tmp_path)
        words = ["audit", "replay", str(folder / "m.json"), "--folder", str(folder)]
        assert main(words) == 0

    def test_small_groups_are_not_in_the_document(self, run, folder):
        frame = pd.read_csv("population.csv")
        frame["race"] = "u"
        frame.loc[:4, "race"] = "tiny"
        frame.loc[10:60, "race"] = "v"
        frame.to_csv("race.csv", index=False)
        code, _, err = run(
            "metrics", "race.csv", "--decision", "yhat", "--sensitive", "race", "--out", "s.json",
            "--quiet",
        )  # fmt: skip
        assert code == 3, err
        document = json.loads((folder / "s.json").read_text())
        lines = {line["group"]: line for line in document["rates"]["groups"]}
        assert lines["tiny"]["suppressed"]
        assert lines["tiny"]["n"] is None
        # With the total shown, one hidden group would follow: another one is hidden with it.
        assert sum(line["suppressed"] for line in lines.values()) >= 2

    def test_standard_input_and_output(self, run, monkeypatch, folder):
        content = (folder / "honest.csv").read_bytes()

        class Stream:
            buffer = io.BytesIO(content)

        monkeypatch.setattr(sys, "stdin", Stream())
        code, out, err = verify(run, "-", "--out", "-")
        assert code == 1, err
        document = json.loads(out)
        jsonschema.validate(document, audit_schema())
        assert document["provenance"]["source"]["name"] == "standard input"
        (folder / "stdin.json").write_text(out)
        assert run("replay", "stdin.json")[0] == 2


class TestModel:
    def test_file_and_command(self, run, folder):
        frame = pd.read_csv("honest.csv")
        frame[["yhat"]].to_csv("model.csv", index=False)
        assert verify(run, "honest.csv", "--model-decisions", "model.csv", "--quiet")[0] == 1
        script = (
            "import sys, csv\n"
            "rows = list(csv.DictReader(sys.stdin))\n"
            "assert 'yhat' not in rows[0]\n"
            "shown = [float(r['x']) + 0.8 * (r['sex'] == 'm') > 1.2 for r in rows]\n"
            "print(*map(int, shown), sep='\\n')\n"
        )
        (folder / "predict.py").write_text(script)
        command = f"{sys.executable} predict.py"
        assert verify(run, "honest.csv", "--model-cmd", command, "--quiet")[0] == 1
        (folder / "predict.py").write_text(script.replace("1.2", "1.3"))
        assert verify(run, "honest.csv", "--model-cmd", command, "--quiet")[0] == 5
        assert verify(run, "honest.csv", "--model-cmd", "no-such-command")[0] == 2
        assert verify(run, "honest.csv", "--model-cmd", f"{sys.executable} -c pass")[0] == 2


class TestPlanning:
    def test_frontier(self, run, folder):
        code, out, err = run(
            "frontier", "population.csv", *COLUMNS, "--m", "200,500", "--out", "f.json",
            "--figure", "f.png",
        )  # fmt: skip
        assert code == 0, err
        assert "m = 500" in out
        points = json.loads((folder / "f.json").read_text())["points"]
        assert [p["m"] for p in points] == [200, 500, 200, 500]
        assert (folder / "f.png").stat().st_size > 1000
        assert run("frontier", "population.csv", *COLUMNS, "--m", "many")[0] == 2
        assert run("frontier")[0] == 2

    def test_plan(self, run):
        words = ("--rates", "0.0977,0.3257", "--shares", "0.3276,0.6724", "--rows", 5000)
        code, out, err = run("plan", *words, "--test", "cells_g", "--attacker", "deterministic")
        assert code == 0, err
        assert "m = 153" in out
        assert run("plan", "--rates", "0.1,0.3")[0] == 2
        assert run("plan", *words, "--target", "0.1")[0] == 2
        assert run("plan")[0] == 2

    def test_counts(self, run, folder):
        pd.DataFrame({"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}).to_csv(
            "counts.csv", index=False
        )
        pd.DataFrame({"sex": ["f", "m"], "n": [160, 340], "selected": [41, 87]}).to_csv(
            "claim.csv", index=False
        )
        words = ("--counts", "--sensitive", "sex")
        assert run("metrics", "counts.csv", *words)[0] == 1
        assert run("verify", "claim.csv", "--against", "counts.csv", *words)[0] == 4
        assert run("plan", "counts.csv", *words, "--test", "cells_g")[0] == 0


class TestCommitment:
    def test_whole_procedure(self, run, folder):
        beacon = ("--commitment", "c.json", "--beacon", "pulse 1")
        assert run("commit", "population.csv", "--out", "c.json", "--secret", "s.txt")[0] == 0
        code, out, _ = run("draw", *beacon, "--m", 5)
        assert code == 0
        assert len(out.splitlines()) == 6
        hand_in = ("--m", 100, "--secret", "s.txt", "--openings", "o.json", "--out", "drawn.csv")
        assert run("draw", "population.parquet", *beacon, *hand_in)[0] == 0
        check = ("--openings", "o.json", "--check")
        assert run("draw", "drawn.csv", *beacon, *check)[0] == 0
        other = ("--commitment", "c.json", "--beacon", "pulse 2")
        assert run("draw", "drawn.csv", *other, *check)[0] == 5
        assert run("draw", "fair.csv", *beacon, *hand_in)[0] == 5
        assert verify(run, "drawn.csv", "--quiet")[0] == 1

    def test_errors(self, run):
        assert run("commit", "population.csv", "--secret", "-")[0] == 2
        assert run("draw", "--commitment", "fair.csv", "--beacon", "x", "--m", 5)[0] == 2


class TestLocalLaw144:
    def test_worked_example(self, run, folder):
        pd.DataFrame({"sex": ["Male", "Female"], "n": [92, 76], "selected": [50, 34]}).to_csv(
            "ny.csv", index=False
        )
        code, out, err = run(
            "ll144", "ny.csv", "--counts", "--sensitive", "sex", "--html", "l.html", "--out",
            "l.json", "--tool", "<script>alert(1)</script>",
        )  # fmt: skip
        assert code == 0, err
        assert "ratio 0.82" in out
        page = (folder / "l.html").read_text()
        assert "<script" not in page
        table = next(t for t in tables_of(page) if "impact ratio" in t.columns)
        assert sorted(table["impact ratio"]) == ["0.82", "1.00"]
        assert json.loads((folder / "l.json").read_text())["schema"] == "shiftlab.impact-ratios/1"

    def test_rows_and_scores(self, run):
        assert run("ll144", "population.csv", *COLUMNS)[0] == 0
        assert run("ll144", "population.csv", "--sensitive", "sex", "--score", "x")[0] == 0
        assert run("ll144", "population.csv", "--sensitive", "sex")[0] == 2
