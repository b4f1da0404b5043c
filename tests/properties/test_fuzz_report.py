"""Any small table gets a report of finite numbers or one error of shiftlab's own."""

import contextlib
import csv
import datetime as dt
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shiftlab.cli import main
from shiftlab.exceptions import ShiftlabError
from shiftlab.reporting import shift_report

QUICK = {"n_resamples": 39, "max_rows": 500}
SLOW = pytest.mark.slow
FEW = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
MANY = settings(FEW, max_examples=400, derandomize=False)

texts = st.text(max_size=8) | st.sampled_from(
    ["", " ", "_a", "$x$", "<b>", "pooled", "nan", "None", "0", "1", "a / b", "\x00", "{{ 1 }}"]
)
#: Cells of one column: each strategy is one kind, the last mixes kinds.
KINDS = (
    st.floats(width=64),
    st.floats(-1e3, 1e3),
    st.sampled_from([0.0, -0.0, 1e-300, 1e300, 1.0]),
    st.integers(-(2**70), 2**70),
    st.integers(0, 3),
    st.booleans(),
    texts,
    st.sampled_from(["a", "b", "c"]),
    st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)),
    st.dates(),
    st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999)),
    st.decimals(-100, 100),
    st.binary(max_size=3),
    st.one_of(st.integers(0, 2), texts, st.booleans(), st.floats(), st.none()),
)


#: The last kinds hold what is refused as a rule; most tables do without them.
USUAL = [kind for i, kind in enumerate(KINDS) if i not in (0, 2, 3)]


@st.composite
def tables(draw, max_columns=4):
    """Draw a frame: a few columns of anything beside columns that can play a role."""
    n = draw(st.sampled_from([130, 130, 130, 90, 40, 8, 2, 1]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = {"site": draw(st.lists(texts.filter(bool), min_size=2, max_size=4, unique=True))}
    kinds = st.sampled_from(USUAL if draw(st.integers(0, 3)) else KINDS)
    for name in draw(st.lists(texts, min_size=1, max_size=max_columns, unique=True)):
        # Few cells are drawn and spread over the rows: that keeps large tables quick to draw.
        cells = draw(st.lists(draw(kinds), min_size=2, max_size=12))
        columns.setdefault(name, [*cells, *[None] * draw(st.integers(0, 2))])
    frame = pd.DataFrame({name: spread(rng, cells, n) for name, cells in columns.items()})
    frame["sex"] = rng.choice(["f", "m"], n)
    frame["ok"] = rng.integers(0, 2, n)
    frame["size"] = rng.normal(size=n)
    return frame if draw(st.booleans()) else frame.infer_objects()


def spread(rng, cells, n):
    """Return a column of n cells drawn from a few."""
    pool = np.empty(len(cells), dtype=object)
    pool[:] = cells
    return pd.Series(rng.choice(pool, n), dtype=object)


@st.composite
def requests(draw, names):
    """Draw the roles of columns; most are legitimate."""

    def either(usual, rare):
        return draw(st.sampled_from(rare if draw(st.integers(0, 9)) == 0 else usual))

    rare = [*names, "absent"]
    roles = {
        "environment": either(["site"], [*rare, ["site", names[-1]]]),
        "outcome": either([None, "ok", "size", names[1]], rare),
        "decision": either([None, None, "ok"], rare),
        "sensitive_features": either([None, "sex"], rare),
    }
    if roles["outcome"] == roles["decision"] == "ok":
        roles["outcome"] = "size"
    for option in ("pos_label", "reference"):
        if draw(st.integers(0, 9)) == 0:
            roles[option] = draw(texts | st.integers(0, 1))
    return roles


def assert_finite(value):
    """Fail on any number of the document that is not finite (missing ones are None)."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            assert_finite(item)
    elif isinstance(value, float):
        assert np.isfinite(value)


def check_report(data):
    frame = data.draw(tables())
    roles = data.draw(requests(list(frame.columns)))
    before = frame.copy(deep=True)
    try:
        report = shift_report(frame, **roles, **QUICK)
    except ShiftlabError as error:
        assert 10 < len(str(error)) < 2000  # noqa: PT017 - an error is one of the two answers
    else:
        document = json.loads(report.to_json())
        assert_finite(document)
        assert document["overview"]["n_rows"] == len(frame)
        assert sum(e["n"] for e in document["overview"]["environments"]) == len(frame)
        tests = document["shifts"]["tests"]
        for row in tests:
            for key in ("pvalue", "pvalue_adjusted", "effect"):
                assert row[key] is None or 0 <= row[key] <= 1, (key, row)
        page = report.to_html()
        assert "<script" not in page
        assert page.rstrip().endswith("</html>")
    pd.testing.assert_frame_equal(frame, before)


def check_command(data):
    frame = data.draw(tables(max_columns=3))
    roles = data.draw(requests(list(frame.columns)))
    options = {"sensitive_features": "--sensitive", "pos_label": "--pos-label"}
    words = [
        f"{options.get(role, '--' + role)}={value}"
        for role, value in roles.items()
        if isinstance(value, str) and "\x00" not in value
    ]
    cut = data.draw(st.integers(0, 40)) if data.draw(st.integers(0, 4)) == 0 else 0
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(frame.columns)
    writer.writerows(frame.itertuples(index=False))
    text = stream.getvalue().encode("utf-8", "surrogateescape")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(text[cut:] if cut % 2 else text[: len(text) - cut])
        out, err = io.StringIO(), io.StringIO()
        quick = ["--resamples", "39", "--max-rows", "500", "--jobs", "1", "--quiet"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["report", str(path), *words, "--out", folder, *quick])
        assert code in (0, 2), err.getvalue()
        assert "warning" not in err.getvalue().split("error:")[0]
        assert (code == 0) == (Path(folder) / "report.json").exists()
        if code == 2:
            assert err.getvalue().startswith("shiftlab: error: ")


@FEW
@given(st.data())
def test_any_table_has_an_answer(data):
    check_report(data)


@FEW
@given(st.data())
def test_any_file_has_an_answer(data):
    check_command(data)


@SLOW
@MANY
@given(st.data())
def test_many_tables_have_an_answer(data):
    check_report(data)


@SLOW
@MANY
@given(st.data())
def test_many_files_have_an_answer(data):
    check_command(data)
