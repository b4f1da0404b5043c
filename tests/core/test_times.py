"""Times written as text."""

import numpy as np
import pytest

from shiftlab._core.frames import as_table
from shiftlab._core.times import read_text_times


@pytest.mark.parametrize(
    ("labels", "kind", "values"),
    [
        (["3", "1.5", "3"], "numeric", [3.0, 1.5, 3.0]),
        (["2024-02", "2024-01", "2024-02"], "datetime", [19754.0, 19723.0, 19754.0]),
        (["1970-01-02", "1970-01-01", "1969-12-31"], "datetime", [1.0, 0.0, -1.0]),
    ],
)
def test_numbers_and_dates(labels, kind, values):
    column = as_table({"when": np.array(labels, dtype=object)}).columns[0].as_categorical()
    found = read_text_times(column)
    assert (found.name, found.kind) == ("when", kind)
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize("labels", [["spring", "autumn"], ["1", "inf"], ["2024-01", "x"]])
def test_other_text(labels):
    column = as_table({"when": np.array(labels, dtype=object)}).columns[0].as_categorical()
    with pytest.raises(ValueError, match=r".+"):
        read_text_times(column)
