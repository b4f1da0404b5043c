"""Each unusable input has one defined answer: an error that names the mend, or a flagged report."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.exceptions import ColumnNotFoundError, InputError, InputWarning
from shiftlab.reporting import shift_report
from shiftlab.reporting._prepare import prepare

QUICK = {"n_resamples": 39, "max_rows": 1000}


def set_column(frame, name, value):
    frame = frame.copy()
    frame[name] = value
    return frame


def with_cell(frame, name, value):
    frame = frame.copy()
    frame[name] = frame[name].astype(object)
    frame.loc[3, name] = value
    return frame


@pytest.mark.parametrize(
    ("change", "arguments", "error", "message"),
    [
        (None, {"environment": "sit"}, ColumnNotFoundError, "Did you mean 'site'"),
        (None, {"outcome": "goood"}, ColumnNotFoundError, "outcome.*Did you mean 'good'"),
        (None, {"sensitive_features": ["sexx"]}, ColumnNotFoundError, "Did you mean 'sex'"),
        (None, {"decision": "aproved"}, ColumnNotFoundError, "Did you mean 'approved'"),
        (None, {"exclude": ["agee"]}, ColumnNotFoundError, "Did you mean 'age'"),
        (None, {"reference": "z"}, InputError, "no label 'z'.*'a', 'b', 'c'"),
        (lambda f: set_column(f, "site", "a"), {}, InputError, "1 distinct label"),
        (lambda f: with_cell(f, "site", None), {}, InputError, "1 missing label"),
        (lambda f: with_cell(f, "sex", None), {}, InputError, "1 missing value"),
        (lambda f: with_cell(f, "dose", np.inf), {}, InputError, "'dose'.*infinite"),
        (None, {"decision": "kind"}, InputError, "Name the favourable value with pos_label"),
        (None, {"decision": "kind", "pos_label": "z"}, InputError, "pos_label.*no value 'z'"),
        (lambda f: with_cell(f, "approved", None), {}, InputError, "approved.*1 missing value"),
        (None, {"outcome": "site"}, InputError, "already the environment"),
        (None, {"outcome": "approved"}, InputError, "same column"),
        (None, {"sensitive_features": ["site"]}, InputError, "already the environment"),
        (None, {"sensitive_features": None}, InputError, "name at least one sensitive feature"),
        (lambda f: set_column(f, "good", 1), {}, InputError, "outcome.*same value"),
        (lambda f: set_column(f, "approved", np.nan), {}, InputError, "decision.*cell is missing"),
        (None, {"exclude": ["good"]}, InputError, "is the outcome"),
        (None, {"exclude": "age"}, InputError, "must be a list"),
        (None, {"alpha": 2}, InputError, "alpha must be a number strictly between 0 and 1"),
        (None, {"correction": "sidak"}, InputError, "correction must be one of"),
        (None, {"n_resamples": 0}, InputError, "n_resamples must be an integer"),
        (lambda f: f.iloc[:0], {}, InputError, "no rows"),
        (lambda f: f[["site"]], {"outcome": None, "decision": None, "sensitive_features": None},
         InputError, "no column left to compare"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(make_table, change, arguments, error, message):
    frame = make_table()
    frame = frame if change is None else change(frame)
    given = {
        "environment": "site",
        "outcome": "good",
        "decision": "approved",
        "sensitive_features": ["sex"],
    } | arguments
    with pytest.raises(error, match=message):
        shift_report(frame, **(QUICK | given))


def test_unknown_option_is_a_type_error(make_table):
    with pytest.raises(TypeError, match=r"unexpected option.*'sead'"):
        shift_report(make_table(), "site", sead=1)


def reasons(frame, environment="site", **roles):
    return {c.name: c.set_aside for c in prepare(frame, environment, **roles).columns}


def test_useless_columns_are_set_aside_with_a_reason(make_table):
    frame = make_table()
    frame["constant"] = 1
    frame["empty"] = np.nan
    frame["twin"] = frame["dose"]
    frame["row_id"] = np.arange(len(frame))
    frame["name"] = [f"person {i}" for i in range(len(frame))]
    frame["site_code"] = frame["site"].map({"a": 10, "b": 20, "c": 30})
    why = reasons(frame)
    assert why["constant"] == "constant"
    assert why["empty"] == "every cell is missing"
    assert why["twin"] == "equal to column 'dose'"
    assert why["row_id"].startswith("identifier")
    assert why["name"].startswith("identifier")
    assert why["site_code"].startswith("a property of the environment")
    assert [name for name, reason in why.items() if not reason] == list(make_table().columns)


def test_excluded_columns_say_so(make_table):
    assert reasons(make_table(), exclude=["age"])["age"] == "excluded on request"


def test_kinds_are_guessed_and_can_be_overridden(make_table):
    frame = make_table()
    frame["codes"] = np.tile([1, 2, 3], len(frame) // 3)
    frame["zip"] = 10_000 + np.tile(np.arange(30), len(frame) // 30)
    frame["day"] = np.tile(["2020-01-01", "2020-02-01"], len(frame) // 2)
    frame["stamp"] = pd.to_datetime(frame["day"])
    frame["flag"] = frame["dose"] > 0
    kinds = {c.name: c.kind for c in prepare(frame, "site").columns}
    assert kinds["codes"] == "categorical"
    assert kinds["zip"] == "categorical"
    assert kinds["day"] == "datetime"
    assert kinds["flag"] == "boolean"
    assert kinds["dose"] == "numeric"
    told = prepare(frame, "site", kinds={"codes": "numeric", "zip": "numeric"})
    assert {c.name: c.kind for c in told.columns}["zip"] == "numeric"


def test_environment_with_one_row_is_flagged_not_fatal(make_table):
    frame = pd.concat([make_table(), make_table().iloc[[0]].assign(site="lone")])
    report = shift_report(
        frame, "site", outcome="y", decision="approved", sensitive_features="sex", **QUICK
    ).to_dict()
    lone = [e for e in report["overview"]["environments"] if e["label"] == "lone"]
    assert lone[0]["n"] == 1
    assert lone[0]["small"]
    tests = [t for t in report["shifts"]["tests"] if t["environment"] == "lone"]
    assert all(t["pvalue"] is None or t["pvalue"] > 0.001 for t in tests)


def test_dates_booleans_and_mixed_types_are_compared(make_table):
    frame = make_table()
    rng = np.random.default_rng(0)
    frame["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        rng.integers(0, 300, len(frame)) + 200 * (frame["site"] == "c"), unit="D"
    )
    frame["flag"] = rng.random(len(frame)) < 0.5
    frame["mixed"] = [1 if u < 0.5 else "x" for u in rng.random(len(frame))]
    document = shift_report(frame, "site", **QUICK).to_dict()
    top = {c["column"]: c for c in document["shifts"]["columns"]}
    assert top["when"]["environment"] == "c"
    assert top["when"]["effect"] > 0.3
    assert {"flag", "mixed"} <= set(top)
    notes = {c["name"]: c["note"] for c in document["overview"]["columns"]}
    assert "mixed" in notes["mixed"]


def test_numbers_are_no_environments_and_no_groups(make_table):
    frame = make_table()
    with pytest.raises(InputError, match=r"environment.*distinct labels.*fewer bins"):
        shift_report(frame, "dose", **QUICK)
    frame["exact_age"] = np.arange(len(frame)) % 90
    with pytest.raises(InputError, match=r"90 distinct values.*bins first"):
        shift_report(frame, "site", decision="approved", sensitive_features="exact_age", **QUICK)


def test_reference_group_is_checked_before_long_work(make_table):
    roles = {"decision": "approved", "sensitive_features": "kind"}
    with pytest.raises(InputError, match=r"reference_group.*no column 'knd'.*'kind'"):
        shift_report(make_table(), "site", **roles, reference_group={"knd": "a"}, **QUICK)
    with pytest.raises(InputError, match=r"reference_group.*no label 'z'"):
        shift_report(make_table(), "site", **roles, reference_group={"kind": "z"}, **QUICK)


def test_too_few_rows_for_the_outcome_leave_the_other_sections(make_table):
    frame = pd.concat([make_table(n=60).iloc[:60], make_table(n=60).iloc[:1].assign(site="b")])
    report = shift_report(frame, "site", outcome="y", **QUICK)
    document = report.to_dict()
    assert document["shifts"]["tests"]
    assert "rows" in document["outcome"]["skipped"]
    assert any("section on the outcome is empty" in finding for finding in report.findings)
    assert "Left out" in report.to_html()


def test_many_environments_are_warned_of():
    frame = pd.DataFrame({"day": np.repeat(np.arange(250), 3).astype(str), "x": np.arange(750.0)})
    with pytest.warns(InputWarning, match="250 labels, of 3.0 rows on average; 31,125 pairs"):
        prepare(frame, "day")
