"""Errors of the command line name options, not the arguments of Python."""

import numpy as np
import pandas as pd
import pytest

from shiftlab.cli import main


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"site": np.repeat(["a", "b"], 60), "x": rng.normal(size=120)})
    frame["paid"] = rng.choice(["yes", "no"], 120)
    frame["low"] = rng.choice(["true", "false"], 120)
    frame["gap"] = np.where(rng.random(120) < 0.1, np.nan, frame["x"])
    path = tmp_path_factory.mktemp("spelling") / "table.csv"
    frame.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["audit", "metrics", "TABLE", "--decision", "paid", "--sensitive", "site"],
            "paid must be 0/1 or False/True, found 'no', 'yes'. Name the favourable value "
            "with --pos-label.",
        ),
        (
            ["discover", "TABLE", "--environment", "site", "--columns", "x,gap"],
            "set --missing-cells pairwise",
        ),
    ],
)
def test_errors_name_options(table, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main([table if word == "TABLE" else word for word in words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_booleans_are_named_as_the_file_writes_them(table, capsys):
    words = ["audit", "metrics", table, "--decision", "low", "--sensitive", "site"]
    main([*words, "--pos-label", "true"])
    assert "error" not in capsys.readouterr().err
