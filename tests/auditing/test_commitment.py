"""Commitment: what was committed opens, nothing else does; the draw can be redone by hand."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from shiftlab.auditing import commit_table, commitment_test, draw_rows, open_rows
from shiftlab.exceptions import InputError

BEACON = "pulse 1234567"


@pytest.fixture(scope="module", params=[1, 2, 3, 37, 64])
def table(request):
    rng = np.random.default_rng(0)
    n = request.param
    return pd.DataFrame(
        {
            "x": rng.normal(size=n).astype(np.float32),
            "job": rng.choice(["a", "bé", None], n),
            "n": rng.integers(0, 9, n),
            "b": rng.random(n) < 0.5,
        }
    )


def test_every_row_opens_and_no_changed_row_does(table):
    commitment, secret = commit_table(table)
    openings = open_rows(table, secret, range(len(table)))
    assert commitment_test(table, openings, commitment).statistic == 0
    changed = table.assign(n=table["n"] + 1)
    assert commitment_test(changed, openings, commitment).statistic == len(table)


def test_formats_do_not_matter(table, tmp_path):
    commitment, _secret = commit_table(table, secret="ab" * 32)
    table.to_parquet(tmp_path / "t.parquet")
    again, _ = commit_table(pd.read_parquet(tmp_path / "t.parquet"), secret="ab" * 32)
    assert again == commitment
    assert commit_table(table, secret="cd" * 32)[0].root != commitment.root


def test_openings_of_other_rows_repetitions_and_forgeries():
    table = pd.DataFrame({"x": np.arange(50)})
    commitment, secret = commit_table(table)
    openings = open_rows(table, secret, [3, 4])
    assert commitment_test(table.iloc[[4, 3]], openings, commitment).statistic == 2
    twice = (openings[0], openings[0])
    assert commitment_test(table.iloc[[3, 3]], twice, commitment).statistic == 1
    for forged in ({"path": openings[0].path[:-1]}, {"salt": "zz"}, {"index": 99}, {"index": 5}):
        bad = type(openings[0])(**{**openings[0].to_dict(), **forged})
        assert commitment_test(table.iloc[[3]], [bad], commitment).statistic == 1


def test_rows_that_were_not_drawn():
    table = pd.DataFrame({"x": np.arange(200)})
    commitment, secret = commit_table(table)
    rows = draw_rows(commitment, BEACON, 20)
    openings = open_rows(table, secret, rows)
    assert commitment_test(table.iloc[rows], openings, commitment, beacon=BEACON).statistic == 0
    picked = [*rows[:-1], next(i for i in range(200) if i not in rows)]
    openings = open_rows(table, secret, picked)
    found = commitment_test(table.iloc[picked], openings, commitment, beacon=BEACON)
    assert found.statistic == 1
    assert found.proof


def test_draw_is_floyds_algorithm_on_counted_hashes():
    commitment, _ = commit_table({"x": range(10)}, secret="00" * 32)
    seed = hashlib.sha256(f"{commitment.root}|10|{BEACON}".encode()).digest()
    chosen = set()
    for counter, top in enumerate(range(7, 10)):
        block = hashlib.sha256(seed + counter.to_bytes(8, "big")).digest()
        pick = int.from_bytes(block[:8], "big") % (top + 1)
        chosen.add(top if pick in chosen else pick)
    assert draw_rows(commitment, BEACON, 3).tolist() == sorted(chosen)


def test_draws_are_even():
    commitment, _ = commit_table({"x": range(20)}, secret="00" * 32)
    hits = np.zeros(20)
    for i in range(2000):
        hits[draw_rows(commitment, f"beacon {i}", 5)] += 1
    # Each row is in a quarter of the draws.
    assert np.abs(hits - 500).max() < 5 * np.sqrt(2000 * 0.25 * 0.75)


def test_errors():
    table = {"x": [1.0, 2.0]}
    commitment, secret = commit_table(table)
    with pytest.raises(InputError, match="secret"):
        commit_table(table, secret="abc")  # noqa: S106
    with pytest.raises(InputError, match="3 were asked for"):
        draw_rows(commitment, BEACON, 3)
    with pytest.raises(InputError, match="beacon"):
        draw_rows(commitment, " ", 1)
    with pytest.raises(InputError, match="no row 5"):
        open_rows(table, secret, [5])
    with pytest.raises(InputError, match="openings"):
        commitment_test(table, [], commitment)
    with pytest.raises(InputError, match="infinite"):
        commit_table({"x": [1.0, np.inf]})
