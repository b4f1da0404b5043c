"""The report as a whole: complete, reproducible, inert, small, and right about planted shifts."""

import json

import numpy as np
import pandas as pd
import pytest

from shiftlab.datasets import load_lending
from shiftlab.reporting import ShiftReport, shift_report

QUICK = {"n_resamples": 39, "max_rows": 1000}
ROLES = {
    "environment": "site",
    "outcome": "good",
    "decision": "approved",
    "sensitive_features": ["sex", "kind"],
}


def numbers_of(report):
    document = report.to_dict()
    document.pop("provenance")
    return document


@pytest.fixture(scope="module")
def lending():
    return shift_report(
        load_lending().frame,
        "region",
        outcome="repaid",
        decision="approved",
        sensitive_features="sex",
        reference="north",
    )


@pytest.fixture(scope="module")
def whole(make_table):
    """Report with every section, the table that it was made of, and a copy from before."""
    frame = make_table()
    before = frame.copy(deep=True)
    return shift_report(frame, **ROLES, **QUICK), frame, before


@pytest.fixture(scope="module")
def plain(make_table):
    """Report without outcome, decision and groups."""
    return shift_report(make_table(), "site", **QUICK)


def test_every_section_is_there(whole):
    report = whole[0]
    document = report.to_dict()
    assert isinstance(report, ShiftReport)
    assert document["schema"] == "shiftlab.shift_report/1"
    for key in ("overview", "shifts", "distances", "outcome", "fairness", "provenance"):
        assert document[key], key
    assert json.loads(report.to_json()) == document
    assert "NaN" not in report.to_json()
    assert len(document["findings"]) >= 5
    assert "ShiftReport" in repr(report)
    assert report._repr_html_().startswith("<iframe")


def test_sections_that_were_not_asked_for_are_null(plain):
    document = plain.to_dict()
    assert document["outcome"] is None
    assert document["fairness"] is None


def test_planted_shift_ranks_first(make_table):
    document = shift_report(make_table(n=400), "site", reference="a", **QUICK).to_dict()
    top = document["shifts"]["columns"][0]
    assert (top["column"], top["environment"]) in {("y", "c"), ("dose", "c")}
    unshifted = [r for r in document["shifts"]["tests"] if r["column"] == "age"]
    assert all(r["pvalue"] > 0.001 for r in unshifted)
    far = document["distances"]["measures"][0]["pairs"][0]
    assert "c" in (far["environment_a"], far["environment_b"])


def test_lending_tells_what_was_planted(lending):
    document = lending.to_dict()
    tests = {
        (r["column"], r["environment"]): r
        for r in document["shifts"]["tests"]
        if r["test"] != "missing cells"
    }
    assert tests["income", "south"]["effect"] == max(
        r["effect"] for (column, _), r in tests.items() if column == "income"
    )
    assert tests["income", "south"]["pvalue_adjusted"] < 1e-6
    assert tests["income", "west"]["pvalue_adjusted"] > 0.01
    islands = [r for (_, region), r in tests.items() if region == "islands"]
    assert not any(r["shifted"] for r in islands)
    concept = {r["environment"]: r["concept"] for r in document["outcome"]["environments"]}
    concept = {region: value for region, value in concept.items() if value is not None}
    assert max(concept, key=concept.get) == "harbour"


def test_same_seed_same_numbers_for_any_number_of_workers(whole):
    one, frame, _ = whole
    two = shift_report(frame, **ROLES, **QUICK, n_jobs=2)
    assert numbers_of(one) == numbers_of(two)
    figures = [[s.figures for s in report.sections] for report in (one, two)]
    assert figures[0] == figures[1]


def test_polars_and_pandas_give_the_same_report(whole):
    pl = pytest.importorskip("polars")
    pandas, frame, _ = whole
    polars = shift_report(pl.from_pandas(frame), **ROLES, **QUICK)
    assert numbers_of(pandas) == numbers_of(polars)


def test_tests_of_columns_do_not_depend_on_the_order_of_rows(make_table, plain):
    frame = make_table()
    one = plain.to_dict()
    two = shift_report(frame.sample(frac=1, random_state=1), "site", **QUICK).to_dict()
    assert one["overview"] == two["overview"]
    for a, b in zip(one["shifts"]["tests"], two["shifts"]["tests"], strict=True):
        assert (a["column"], a["environment"]) == (b["column"], b["environment"])
        assert a["pvalue"] == pytest.approx(b["pvalue"], rel=1e-9)
        assert a["effect"] == pytest.approx(b["effect"], rel=1e-9, abs=1e-12)


def test_input_is_left_alone(whole):
    _, frame, before = whole
    pd.testing.assert_frame_equal(frame, before)


def test_page_is_inert_and_self_contained(lending, read_page):
    page = read_page(lending.to_html())
    assert "script" not in page.tags
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href", "xlink:href", "action", "data"):
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value)
    policy = [v for tag, name, v in page.attributes if tag == "meta" and name == "content"]
    assert any(v.startswith("default-src 'none'") for v in policy)


def test_hostile_names_and_labels_are_inert(make_table, hostile_names, read_page):
    frame = make_table()
    frame.columns = ["site", *hostile_names, "approved"]
    frame["site"] = frame["site"].map(dict(zip("abc", hostile_names[:3], strict=True)))
    frame[hostile_names[2]] = frame[hostile_names[2]].map({"a": "<i>", "b": "</svg><script>"})
    report = shift_report(
        frame,
        "site",
        outcome=hostile_names[4],
        decision="approved",
        sensitive_features=[hostile_names[2]],
        **QUICK,
    )
    page = read_page(report.to_html())
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "b" not in page.tags
    assert page.tags.count("style") == 1 + sum(len(s.figures) for s in report.sections)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    text = " ".join(page.text)
    assert "<script>alert(1)</script>" in text
    assert "49" not in [word for word in text.split() if "7 * 7" in word]
    assert "{{ 7 * 7 }}" in text


def test_page_shows_the_numbers_of_the_document(lending, read_page):
    text = " ".join(" ".join(read_page(lending.to_html()).text).split())
    document = lending.to_dict()
    for row in document["overview"]["environments"]:
        assert f"{row['n']:,}" in text
    for finding in document["findings"]:
        assert " ".join(finding.split()) in text


def test_page_of_a_hundred_columns_is_small():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 100))).add_prefix("c")
    frame["site"] = rng.choice(list("abcdef"), size=300)
    html = shift_report(frame, "site", **QUICK).to_html()
    assert len(html.encode()) < 500_000


@pytest.mark.parametrize("n_columns", [600, pytest.param(5000, marks=pytest.mark.slow)])
def test_thousands_of_columns_are_answered(n_columns):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, n_columns))).add_prefix("c")
    site = np.repeat(["a", "b"], 20)
    document = shift_report(frame, site, **QUICK)
    assert document.to_dict()["overview"]["n_columns"] == n_columns
    assert len(document.to_html().encode()) < 500_000


def test_progress_is_reported(make_table):
    seen = []
    shift_report(make_table(), "site", **QUICK, progress=lambda *step: seen.append(step))
    assert seen[-1][0] == seen[-1][1]
    assert {"overview", "shifts", "distances"} <= {step[2] for step in seen}


def test_report_is_written(plain, tmp_path):
    html, document = plain.write(tmp_path / "new" / "folder")
    assert html.read_text(encoding="utf-8") == plain.to_html()
    assert json.loads(document.read_text(encoding="utf-8")) == plain.to_dict()


def test_provenance_lets_somebody_redo_it(make_table, plain):
    frame = make_table()
    provenance = plain.to_dict()["provenance"]
    assert provenance["options"]["random_state"] == 0
    assert provenance["rows"]["read"] == len(frame)
    assert len(provenance["source"]["sha256"]) == 64
    changed = frame.copy()
    changed.loc[0, "dose"] += 1e-9
    other = shift_report(changed, "site", random_state=7, **QUICK).to_dict()["provenance"]
    assert other["options"]["random_state"] == 7
    assert other["source"]["sha256"] != provenance["source"]["sha256"]


def test_rows_without_outcome_are_counted(make_table):
    frame = make_table()
    frame.loc[[0, 5, 9], "y"] = np.nan
    document = shift_report(frame, "site", outcome="y", **QUICK).to_dict()
    aside = document["provenance"]["rows"]["set_aside"]
    assert [item["n"] for item in aside] == [3]
    assert "missing" in aside[0]["reason"]


def test_reference_group_is_used(make_table):
    frame = make_table()
    for group in ("a", "b"):
        document = shift_report(
            frame,
            "site",
            decision="approved",
            sensitive_features="kind",
            reference_group={"kind": group},
            **QUICK,
        ).to_dict()
        ratios = [m for m in document["fairness"]["metrics"] if m["metric"] == "disparate_impact"]
        assert {m["reference"] for m in ratios} == {group}


def test_a_column_that_gives_the_outcome_away_is_pointed_out(make_table):
    frame = make_table()
    frame["after"] = frame["y"] + np.random.default_rng(0).normal(scale=0.01, size=len(frame))
    leaking = shift_report(frame, "site", outcome="y", **QUICK)
    assert any("almost determine y" in finding for finding in leaking.findings)
    clean = shift_report(frame, "site", outcome="y", exclude=["after"], **QUICK)
    assert not any("almost determine" in finding for finding in clean.findings)


def test_summary_is_not_silenced_by_a_noisy_small_environment():
    rng = np.random.default_rng(0)
    site = np.repeat(["a", "b", "large", "tiny"], [600, 600, 600, 60])
    x = rng.normal(size=len(site))
    slope = np.where(site == "large", -2.0, 2.0)
    frame = pd.DataFrame({"site": site, "x": x, "y": slope * x + rng.normal(size=len(site))})
    # Two wild rows give the tiny site the largest mean loss, and an interval that contains 0.
    frame.loc[frame.index[-2:], "y"] = [40.0, -40.0]
    document = shift_report(frame, "site", outcome="y", **QUICK).to_dict()
    rows = {r["environment"]: r for r in document["outcome"]["environments"]}
    assert rows["tiny"]["total"] > rows["large"]["total"]
    assert rows["tiny"]["total_low"] < 0 < rows["large"]["total_low"]
    assert any("does worst in large" in finding for finding in document["findings"])
