"""Tables in, clear errors out, and what the result can do."""

import json

import numpy as np
import pandas as pd
import pytest

from shiftlab._core.frames import as_table
from shiftlab.divergence import (
    Resampling,
    chi_square_test,
    classifier_test,
    ks_test,
    mmd_block_test,
    mmd_test,
    two_sample_test,
)
from shiftlab.exceptions import DegenerateDataError, DegenerateDataWarning, InputError

ALL = (
    "chi_square",
    "classifier",
    "energy",
    "g",
    "hellinger",
    "kl",
    "ks",
    "mmd",
    "mmd_block",
    "mmd_fourier",
    "sliced_wasserstein",
    "total_variation",
    "wasserstein",
)


@pytest.fixture
def frames(rng):
    def frame(n, shift):
        return pd.DataFrame(
            {
                "age": rng.normal(40 + shift, 10, size=n),
                "site": rng.choice(["north", "south"], size=n),
                "member": rng.random(n) < 0.5,
            }
        )

    return frame(40, 0.0), frame(50, 10.0)


@pytest.mark.parametrize("method", ["mmd", "mmd_fourier", "mmd_block", "energy", "wasserstein"])
def test_any_table_gives_the_same_result(method, frames):
    pl = pytest.importorskip("polars")
    x, y = frames
    options = {"method": method, "n_resamples": 9, "random_state": 0}
    expected = two_sample_test(x, y, **options)
    assert two_sample_test(pl.from_pandas(x), pl.from_pandas(y), **options) == expected
    assert two_sample_test(as_table(x), y, **options) == expected
    reordered = y[["member", "age", "site"]]
    assert two_sample_test(x, reordered, **options) == expected


@pytest.mark.parametrize("method", ALL)
def test_inputs_are_not_changed(method, frames):
    x, y = frames
    if method in ("ks", "wasserstein"):
        x, y = x[["age"]], y[["age"]]
    elif method in ("chi_square", "g", "hellinger", "kl", "total_variation"):
        x, y = x[["site", "member"]], y[["site", "member"]]
    before = x.copy(), y.copy()
    result = two_sample_test(x, y, method, n_resamples=9, random_state=0)
    pd.testing.assert_frame_equal(x, before[0])
    pd.testing.assert_frame_equal(y, before[1])
    assert 0.1 <= result.pvalue <= 1
    assert result.effect <= 3
    assert (result.n_x, result.n_y) == (40, 50)
    assert two_sample_test(x, y, method, n_resamples=9, random_state=0) == result


@pytest.mark.parametrize("method", ALL)
def test_same_constant_is_degenerate(method):
    with pytest.raises(DegenerateDataError, match="one and the same constant"):
        two_sample_test(np.ones(10), np.ones(12), method)


@pytest.mark.parametrize("method", ALL)
def test_two_different_constants_differ(method):
    options = {"n_resamples": 19, "random_state": 0}
    result = two_sample_test(np.zeros(10), np.ones(10), method, **options)
    # Exchanges of pairs within three blocks have few distinct outcomes.
    assert result.pvalue <= (0.15 if method == "mmd_block" else 0.05)
    assert np.isfinite(result.statistic)


@pytest.mark.parametrize("method", ALL)
def test_one_row_is_degenerate(method):
    with pytest.raises(DegenerateDataError, match=r"x has 1 row\(s\)"):
        two_sample_test([1.0], [1.0, 2.0, 3.0], method)


@pytest.mark.parametrize("method", ALL)
def test_missing_cells_are_refused_with_a_mend(method):
    with pytest.raises(InputError, match=r"y: column 'x0' has 1 missing cell.*Fill them"):
        two_sample_test([1.0, 2.0, 3.0], [1.0, np.nan, 3.0], method)


def test_different_columns_are_named():
    x, y = (
        pd.DataFrame({"a": [1.0, 2], "b": [1.0, 2]}),
        pd.DataFrame({"a": [1.0, 2], "c": [3.0, 4]}),
    )
    with pytest.raises(InputError, match="only in x: 'b'; only in y: 'c'"):
        mmd_test(x, y)
    with pytest.raises(InputError, match="'a' is numeric in x and categorical in y"):
        mmd_test(x[["a"]], pd.DataFrame({"a": ["u", "v"]}))


def test_constant_columns_are_set_aside_with_a_warning(rng):
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 2))
    x[:, 1] = y[:, 1] = 4.0
    with pytest.warns(DegenerateDataWarning, match="'x1'"):
        result = two_sample_test(x, y, "energy", n_resamples=0)
    alone = two_sample_test(x[:, 0], y[:, 0], "energy", n_resamples=0)
    assert result.statistic == alone.statistic


def test_continuous_numbers_need_bins(rng):
    x, y = rng.normal(size=60), rng.normal(size=60)
    with pytest.raises(InputError, match=r"distinct numbers.*Choose bins"):
        chi_square_test(x, y)
    result = chi_square_test(x, y, bins=4, random_state=0)
    assert result.pvalue_method == "permutation, 999 resamples"
    assert "cut into 4 intervals" in result.notes[0]


def test_identifiers_are_refused():
    names = [f"id{i}" for i in range(1500)]
    with pytest.raises(InputError, match=r"1500 different labels.*identifier"):
        mmd_test(names[:700], names[700:])


def test_the_door_leaves_the_number_of_resamples_to_the_test(rng):
    x, y = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
    assert "999 resamples" in two_sample_test(x, y, "ks").pvalue_method
    found = two_sample_test(x, y, "classifier", n_splits=2, random_state=0)
    assert "99 resamples" in found.pvalue_method


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ks_test(np.ones((3, 2)) * [[1], [2], [3]], np.ones((3, 2))), "one column"),
        (lambda: ks_test(["a", "b"], ["a", "b"]), "one column of numbers"),
        (lambda: two_sample_test([1, 2], [1, 3], "mdm"), "method must be one of"),
        (lambda: two_sample_test([1, 2], [1, 3], "ks", bins=3), "ks takes no option 'bins'"),
        (
            lambda: two_sample_test([1, 2], [1, 3], "mmd", kernle=3),
            "options are: 'kernel', 'scale'",
        ),
        (lambda: mmd_test([1, 2], [1, 3], kernel="rbf"), "kernel must be one of"),
        (lambda: mmd_test([1, 2], [1, 3], kernel=3), "kernel must be one of"),
        (lambda: mmd_test([1, 2], [1, 3], scale="minmax"), "scale must be one of"),
        (lambda: mmd_test([1, 2], [1, 3], n_resamples=-1), "n_resamples must be"),
        (lambda: mmd_block_test([1, 2], [1, 3], block_size=3), "block_size must not exceed"),
        (lambda: chi_square_test([1.5, 2], [1, 3], form="counts"), "whole numbers"),
        (lambda: chi_square_test([1, 2], [1, 3, 4], form="counts"), "same cells"),
        (lambda: chi_square_test([1, 2], [1, 3], form="counts", bins=3), "does not go with"),
        (lambda: chi_square_test([9, 0], [8, 0], form="counts"), "one cell"),
        (lambda: chi_square_test([1, 2], [1, 3], form="table"), "form must be one of"),
        (lambda: classifier_test([1, 2], [1, 3]), "n_splits=5 needs"),
        (lambda: ks_test([1, 2], [1, 3], n_resamples=Resampling(9, "other")), "sampling must be"),
        (
            lambda: ks_test([1, 2], [1, 3], n_resamples=Resampling(9, "without_replacement")),
            "fewer rows in x than in y",
        ),
        (
            lambda: classifier_test(
                [1, 2], [1, 3, 4], n_resamples=Resampling(9, "without_replacement")
            ),
            "independent samples only",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_result_exports(line_result):
    plain = line_result.to_dict()
    assert "null_distribution" not in plain
    assert json.loads(line_result.to_json()) == plain
    assert line_result.to_frame().loc[0, "pvalue"] == line_result.pvalue
    assert "<table" in line_result._repr_html_()
    assert "null_distribution" not in repr(line_result)


def test_result_plot(line_result):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ax = line_result.plot()
    assert ax.get_xlabel() == "Kolmogorov-Smirnov distance"
    plt.close(ax.figure)
    with pytest.raises(InputError, match="set n_resamples above 0"):
        ks_test([1.0, 2.0], [2.0, 3.0], n_resamples=0).plot()


@pytest.fixture
def line_result(rng):
    return ks_test(rng.normal(size=20), rng.normal(size=20), n_resamples=99, random_state=0)
