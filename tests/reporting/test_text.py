"""Numbers as a reader sees them."""

import pytest

from shiftlab.reporting._sections import fixed_text, number_text, percent_text, pvalue_text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 3, "–"),
        (0.0, 3, "0"),
        (12, 3, "12"),
        (1234567, 3, "1,234,567"),
        (1234567.8, 3, "1,234,568"),
        (0.5, 2, "0.50"),
        (0.0097, 2, "0.0097"),
        (12.345, 3, "12.3"),
        (-0.0456, 2, "-0.046"),
        (0.00001234, 3, "1.2e-05"),
        (999.6, 3, "1000"),
        (0.9999, 2, "1.0"),
        (1.0, 2, "1.0"),
        ("text", 3, "text"),
    ],
)
def test_numbers(value, digits, text):
    assert number_text(value, digits) == text


def test_percentages_and_pvalues():
    assert [percent_text(v) for v in (None, 0.0, 0.0004, 0.012, 0.5, 1.0)] == [
        "–", "0%", "< 0.1%", "1.2%", "50%", "100%",
    ]  # fmt: skip
    assert [pvalue_text(v) for v in (None, 1e-9, 0.0123, 0.5, 1.0)] == [
        "–", "< 0.001", "0.012", "0.50", "1.00",
    ]  # fmt: skip


def test_columns_of_numbers_have_equal_decimals():
    assert [fixed_text(v) for v in (None, 0.12345, -0.0001, 12.0, 1234.5)] == [
        "–", "0.123", "0.000", "12.000", "1,234.500",
    ]  # fmt: skip
