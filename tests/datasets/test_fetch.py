"""Loading: documented facts of every set, the order of the search, errors and downloads."""

import pytest

from shiftlab.datasets import fetch, list_datasets
from shiftlab.datasets._registry import read_registry

TABLES = [
    (info.name, table)
    for info in read_registry().values()
    if not info.packaged
    for table in info.tables
]


@pytest.mark.parametrize(("name", "table"), TABLES, ids=lambda value: value)
def test_table_has_the_documented_shape_and_missing_cells(name, table, shared_data):
    data = fetch(name, table=table, data_home=shared_data)
    _, file = read_registry()[name].file_of(table)
    assert data.frame.shape == (file.rows, file.columns)
    assert int(data.frame.isna().sum().sum()) == file.missing


def test_list_has_a_row_per_table():
    listed = list_datasets()
    assert {*TABLES} <= set(zip(listed["name"], listed["table"], strict=True))
