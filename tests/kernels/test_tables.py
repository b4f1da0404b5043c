"""Kernels chosen for tables: kinds of columns, scales, overrides, missing cells."""

import numpy as np
import pandas as pd
import pytest

from shiftlab._core.frames import as_table
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.kernels import (
    Delta,
    Gaussian,
    Laplace,
    ProductKernel,
    kernel_for,
    kernel_matrix,
    median_bandwidth,
    robust_scale,
)


@pytest.fixture
def frame():
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": generator.integers(18, 90, 60),
            "site": generator.choice(["north", "south", "west"], 60),
            "income": generator.lognormal(10, 1, 60),
            "member": generator.random(60) < 0.5,
        }
    )


def test_numbers_get_a_gaussian_and_labels_a_delta(frame):
    kernel = kernel_for(frame)
    (gaussian, numbers), (delta, labels) = kernel.parts
    assert (numbers, labels) == ((0, 2), (1, 3))
    assert delta == Delta()
    raw = frame[["age", "income"]].to_numpy(float)
    scales = np.array(robust_scale(raw))
    np.testing.assert_allclose(gaussian.bandwidth, scales * median_bandwidth(raw / scales))


def test_values_are_products(frame):
    found = kernel_for(frame)(kernel_matrix(frame))
    raw = frame[["age", "income"]].to_numpy(float)
    raw = raw / np.array(robust_scale(raw))
    same = (frame.site.to_numpy()[:, None] == frame.site.to_numpy()) & (
        frame.member.to_numpy()[:, None] == frame.member.to_numpy()
    )
    np.testing.assert_allclose(found, Gaussian(median_bandwidth(raw))(raw) * same, atol=1e-12)


def test_one_kind_alone_is_no_product(frame):
    assert isinstance(kernel_for(frame[["age", "income"]]), Gaussian)
    assert kernel_for(frame[["site", "member"]]) == Delta()
    assert isinstance(kernel_for(np.arange(10.0)), Gaussian)


def test_units_and_labels_do_not_matter(frame):
    other = frame.assign(
        age=365.25 * frame.age, income=-3 * frame.income + 7, site=frame.site.str.upper()
    )
    np.testing.assert_allclose(
        kernel_for(other)(kernel_matrix(other)), kernel_for(frame)(kernel_matrix(frame)), atol=1e-9
    )


def test_order_of_rows_and_columns_does_not_matter(frame):
    found = kernel_for(frame)(kernel_matrix(frame))
    turned = frame[frame.columns[::-1]]
    np.testing.assert_allclose(kernel_for(turned)(kernel_matrix(turned)), found, atol=1e-12)
    order = np.random.default_rng(1).permutation(60)
    shuffled = frame.iloc[order]
    np.testing.assert_allclose(
        kernel_for(shuffled)(kernel_matrix(shuffled)), found[np.ix_(order, order)], atol=1e-12
    )


def test_own_kernels_and_bandwidths(frame):
    kernel = kernel_for(frame, kernels={"age": Laplace(5.0)}, bandwidth=2.0)
    income = robust_scale(frame.income.to_numpy())[0]
    expected = [(Gaussian((2.0 * income,)), (2,)), (Delta(), (1, 3)), (Laplace(5.0), (0,))]
    assert kernel == ProductKernel(expected)
    assert kernel_for(frame[["age"]], kernels={"age": Laplace(5.0)}) == Laplace(5.0)
    with pytest.raises(ColumnNotFoundError, match="Did you mean 'age'"):
        kernel_for(frame, kernels={"aeg": Laplace()})


def test_kinds_can_be_overridden(frame):
    table = as_table(frame[["age"]]).with_kinds({"age": "categorical"})
    assert kernel_for(table) == Delta()


def test_constant_columns_are_neutral(frame):
    constant = frame.assign(one=1.0)
    bandwidths = kernel_for(constant).parts[0][0].bandwidth
    assert np.isfinite(bandwidths).all()
    np.testing.assert_allclose(
        kernel_for(constant)(kernel_matrix(constant)), kernel_for(frame)(kernel_matrix(frame))
    )


@pytest.mark.parametrize("column", ["income", "site"])
def test_missing_cells_are_refused(frame, column):
    frame[column] = frame[column].astype(object)
    frame.loc[[2, 5], column] = None
    with pytest.raises(InputError, match=rf"Column '{column}' has 2 missing cell"):
        kernel_for(frame)
