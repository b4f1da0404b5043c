"""Monte-Carlo standard errors: formulas, agreement with simulation, tables, plots."""

import json
import math

import numpy as np
import pytest

from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.simulation import Study, StudyResult
from shiftlab.simulation._study_summary import adaptive_mcse, describe, estimator_performance


def estimates(rng, n, truth=2.0, n_obs=20):
    """Replicates of a mean of n_obs normals, its standard error and a 90% normal interval."""
    values = rng.normal(truth, 1.5, size=(n, n_obs))
    mean, se = values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(n_obs)
    return mean, se, (mean - 1.645 * se, mean + 1.645 * se)


def test_formulas_by_hand():
    estimate, se = np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 2.0])
    interval = (np.array([0.0, 1.5, 3.0]), np.array([1.5, 3.0, 5.0]))
    found = estimator_performance(estimate, truth=np.full(3, 2.0), se=se, interval=interval)
    mean, variance = 7 / 3, (16 / 9 + 1 / 9 + 25 / 9) / 2
    assert found["empirical_se"] == pytest.approx((math.sqrt(variance), math.sqrt(variance) / 2))
    assert found["bias"] == pytest.approx((mean - 2, math.sqrt(variance / 3)))
    squares = np.array([1.0, 0.0, 4.0])
    mse_error = math.sqrt(((squares - 5 / 3) ** 2).sum() / 6)
    assert found["mse"] == pytest.approx((5 / 3, mse_error))
    assert found["rmse"] == pytest.approx((math.sqrt(5 / 3), mse_error / (2 * math.sqrt(5 / 3))))
    model = math.sqrt(2.0)  # squares 1, 1, 4: mean 2, variance 3
    assert found["model_se"] == pytest.approx((model, math.sqrt(3 / (4 * 3 * 2))))
    ratio = model / math.sqrt(variance)
    error = 100 * ratio * math.sqrt(3 / (4 * 3 * 4) + 1 / 4)
    assert found["relative_error_model_se"] == pytest.approx((100 * (ratio - 1), error))
    assert found["coverage"] == pytest.approx((1 / 3, math.sqrt(2 / 27)))
    assert found["bias_eliminated_coverage"] == pytest.approx((1 / 3, math.sqrt(2 / 27)))
    assert found["interval_width"].value == pytest.approx(5 / 3)


@pytest.mark.parametrize("n_meta", [400, pytest.param(20_000, marks=pytest.mark.slow)])
def test_monte_carlo_errors_agree_with_repeated_studies(n_meta):
    """The reported error of each measure is its standard deviation over whole studies."""
    rng = np.random.default_rng(20)
    studies = []
    for _ in range(n_meta):
        estimate, se, interval = estimates(rng, 200)
        truth = np.full(200, 2.1)  # a biased estimator
        studies.append(estimator_performance(estimate, truth=truth, se=se, interval=interval))
    for name in studies[0]:
        values = np.array([study[name].value for study in studies])
        claimed = math.sqrt(np.mean([study[name].mcse ** 2 for study in studies]))
        # The standard deviation over n_meta studies has a relative error of 1 / sqrt(2 n_meta);
        # the formulas themselves are exact to order 1/200 in relative terms.
        tolerance = 4 / math.sqrt(2 * n_meta) + 0.01
        assert np.std(values) == pytest.approx(claimed, rel=tolerance), name


def test_mean_and_proportion():
    found = describe(np.array([1.0, 0.0, 0.0, 1.0, 1.0]))
    assert found == {"mean": pytest.approx((0.6, math.sqrt(0.24 / 5)))}
    numbers = np.array([1.0, 3.0, 5.0])
    found = describe(numbers)
    assert found["mean"] == pytest.approx((3.0, 2 / math.sqrt(3)))
    assert found["sd"] == pytest.approx((2.0, 1.0))
    assert math.isnan(describe(np.array([3.5]))["mean"].mcse)


def test_adaptive_error_of_equal_outcomes_is_positive():
    assert describe(np.zeros(50))["mean"].mcse == 0
    assert adaptive_mcse(np.zeros(50)) == pytest.approx(math.sqrt(2 * 52) / 54**1.5)
    assert adaptive_mcse(np.array([0.5])) == math.inf


def simulate(n, noise, seed):
    if noise == "broken":
        raise RuntimeError("no such noise")
    values = np.random.default_rng(seed).normal(2.0, 1.5, size=n)
    mean, se = values.mean(), values.std(ddof=1) / n**0.5
    return [
        {"method": "mean", "estimate": mean, "se": se, "low": mean - 2 * se, "high": mean + 2 * se,
         "rejected": mean - 2 * se > 0, "n_used": n},
        {"method": "median", "estimate": np.median(values) if values[0] < 4 else np.nan,
         "rejected": None},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def result() -> StudyResult:
    factors = {"n": [8, 16], "noise": ["normal", "broken"]}
    return Study(simulate, factors, n_replicates=60, random_state=1).run()


def test_summary_counts_and_groups(result):
    table = result.summary(measures=["estimate", "rejected"])
    assert list(table.columns[:3]) == ["n", "noise", "method"]
    # Mean, sd and the share of rejections for two methods; two empty lines for the broken noise.
    assert len(table) == 2 * (3 + 3) + 2 * 2
    assert table.query("noise == 'broken'")["n_failed"].tolist() == [60] * 4
    rows = result.to_frame().query("n == 8 and method == 'median'")
    line = table.query("n == 8 and method == 'median' and statistic == 'mean'").iloc[0]
    assert line["value"] == pytest.approx(rows["estimate"].mean(), rel=1e-14)
    assert line["n_replicates"] + line["n_missing"] == 60
    assert line["n_missing"] == rows["estimate"].isna().sum() > 0
    empty = table.query("method == 'median' and measure == 'rejected'")
    assert (empty["n_replicates"] == 0).all()
    assert empty["value"].isna().all()
    assert result.n_failed == 120


def test_summary_of_estimators(result):
    options = {"estimate": "estimate", "truth": 2.0, "se": "se", "interval": ("low", "high")}
    table = result.summary(**options).query("n == 16 and method == 'mean'").set_index("statistic")
    rows = result.to_frame().query("n == 16 and method == 'mean'")
    columns = [rows[name].to_numpy() for name in ("estimate", "se", "low", "high")]
    expected = estimator_performance(
        columns[0], truth=np.full(60, 2.0), se=columns[1], interval=(columns[2], columns[3])
    )
    assert set(table.index) == set(expected)
    for name, measure in expected.items():
        assert (table.loc[name, "value"], table.loc[name, "mcse"]) == measure
    assert result.summary(estimate="estimate", truth="n").query("statistic == 'bias'")[
        "value"
    ].iloc[0] == pytest.approx(2.0 - 8, abs=0.8)


def test_groups_in_which_every_cell_failed_are_listed():
    def half(n, seed):
        if n == 2:
            raise ValueError("two")
        return {"value": n}

    table = Study(half, {"n": [1, 2]}, n_replicates=5, random_state=0).run().summary()
    assert table["n"].tolist() == [1, 2]
    assert table["n_failed"].tolist() == [0, 5]
    assert table["n_replicates"].tolist() == [5, 0]


def test_summary_refuses_what_has_no_standard_error(result):
    with pytest.raises(InputError, match="repeat a replicate"):
        result.summary(by=["n"])
    with pytest.raises(ColumnNotFoundError, match="'nois'"):
        result.summary(by=["n", "nois"])
    with pytest.raises(InputError, match="not a numeric output"):
        result.summary(measures=["method"])
    with pytest.raises(InputError, match="truth must be"):
        result.summary(estimate="estimate", truth="noise")
    broken = Study(simulate, {"n": [3], "noise": ["broken"]}, n_replicates=2, random_state=0)
    with pytest.raises(InputError, match="2 failed"):
        broken.run().summary()


def test_result_as_json(result):
    data = json.loads(result.to_json())
    assert data["n_failed"] == len(data["failures"]["message"]) == 120
    assert data["rows"]["estimate"][0] == result.to_frame()["estimate"].iloc[0]
    assert "rows" not in repr(result)


def test_plot_draws_the_summary(result):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    axes = result.plot(["estimate", "se"])
    try:
        assert [ax.get_ylabel() for ax in axes] == ["mean estimate", "mean se"]
        table = result.summary(measures=["estimate"]).query("statistic == 'mean'")
        line = axes[0].containers[0].lines[0]
        expected = table[table["method"] == "mean"]["value"]
        assert line.get_ydata().tolist() == expected.tolist()
        assert line.get_xdata().tolist() == [8, 16]
        again = result.plot(["se"], x="method", ax=axes[1])
        assert again[0] is axes[1]
        with pytest.raises(InputError, match="2 measure"):
            result.plot(["estimate", "se"], ax=axes[0])
        with pytest.raises(InputError, match="x must be"):
            result.plot(["se"], x="speed")
    finally:
        plt.close("all")


def failing(a, seed):
    if a == 2:
        raise ValueError("no such thing")
    return {"value": float(a)}


def test_representation_names_the_first_failure():
    result = Study(failing, {"a": [1, 2]}, n_replicates=2, random_state=0).run()
    text = repr(result)
    assert "2 of 4 cells done" in text
    assert "2 failed" in text
    assert "ValueError: no such thing" in text
