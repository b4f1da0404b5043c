"""Blocked loops: every row or pair once, memory bound, same result for every block size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlab.backends import (
    MAX_BYTES,
    default_max_bytes,
    map_row_blocks,
    pair_blocks,
    row_blocks,
    sum_over_pairs,
    to_numpy,
)
from shiftlab.backends._blocks import ACCELERATOR_BYTES
from shiftlab.exceptions import InputError


@given(st.integers(0, 50), st.integers(1, 40), st.integers(1, 400))
def test_row_blocks_cover_each_row_once(n_rows, bytes_per_row, max_bytes):
    blocks = list(row_blocks(n_rows, bytes_per_row, max_bytes=max_bytes))
    assert [i for block in blocks for i in range(n_rows)[block]] == list(range(n_rows))
    sizes = [len(range(n_rows)[block]) for block in blocks]
    assert all(size * bytes_per_row <= max(max_bytes, bytes_per_row) for size in sizes)


@given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 400))
def test_pair_blocks_cover_each_pair_once(n_rows, n_columns, max_bytes):
    seen = np.zeros((n_rows, n_columns), dtype=int)
    for rows, columns in pair_blocks(n_rows, n_columns, bytes_per_pair=8, max_bytes=max_bytes):
        seen[rows, columns] += 1
        assert seen[rows, columns].size * 8 <= max(max_bytes, 8)
    assert (seen == 1).all()


@given(st.integers(1, 15), st.integers(1, 400))
def test_pairs_within_one_sample_come_from_the_upper_blocks(n_rows, max_bytes):
    seen = np.zeros((n_rows, n_rows), dtype=int)
    for rows, columns in pair_blocks(n_rows, bytes_per_pair=8, max_bytes=max_bytes):
        assert columns.start >= rows.start
        seen[rows, columns] += 1
        if rows != columns:
            seen[columns, rows] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("max_bytes", [24, 1000, 10**6])
def test_sum_over_pairs(max_bytes):
    x = np.random.default_rng(0).normal(size=37)
    y = np.random.default_rng(1).normal(size=23)
    within = sum_over_pairs(lambda r, c: np.abs(x[r, None] - x[c]).sum(), 37, max_bytes=max_bytes)
    between = sum_over_pairs(
        lambda r, c: np.abs(x[r, None] - y[c]).sum(), 37, 23, max_bytes=max_bytes
    )
    assert within == pytest.approx(np.abs(x[:, None] - x).sum(), rel=1e-12)
    assert between == pytest.approx(np.abs(x[:, None] - y).sum(), rel=1e-12)


@pytest.mark.parametrize("max_bytes", [1, 100, 10**6])
def test_map_row_blocks(xp, max_bytes):
    x = np.random.default_rng(2).normal(size=(30, 3))
    weights = xp(np.ones((3, 2)))
    found = map_row_blocks(lambda b: b @ weights, xp(x), bytes_per_row=40, max_bytes=max_bytes)
    assert type(found) is type(weights)
    np.testing.assert_allclose(to_numpy(found), x @ np.ones((3, 2)), atol=1e-12)


def test_default_bound_depends_on_the_device(xp):
    expected = ACCELERATOR_BYTES if xp.name == "cuda" else MAX_BYTES
    assert default_max_bytes(xp([1.0])) == expected


def test_sizes_must_be_positive_integers():
    with pytest.raises(InputError, match="max_bytes"):
        row_blocks(3, 8, max_bytes=0)
    with pytest.raises(InputError, match="bytes_per_row"):
        row_blocks(3, 0)
    with pytest.raises(InputError, match="bytes_per_pair"):
        list(pair_blocks(3, bytes_per_pair=0.5))
