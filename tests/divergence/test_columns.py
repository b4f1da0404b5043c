"""column_shifts: values against independent implementations, invariances, odd input, plots."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from shiftlab._core.frames import as_table
from shiftlab._core.validation import check_environment
from shiftlab.divergence import column_shifts
from shiftlab.divergence._adjustment import adjust_pvalues
from shiftlab.divergence._column_effects import number_shifts
from shiftlab.divergence._column_tests import chi_square_pvalues, group_rare_cells, ks_pvalues
from shiftlab.exceptions import ColumnNotFoundError, InputError


def make_table(n=600, seed=0):
    rng = np.random.default_rng(seed)
    site = rng.choice(["a", "b", "c"], n)
    dose = rng.normal(size=n)
    dose[rng.random(n) < np.where(site == "b", 0.3, 0.02)] = np.nan
    return pd.DataFrame(
        {
            "site": site,
            "age": rng.normal(size=n) + 1.2 * (site == "c"),
            "count": rng.poisson(2, n),
            "dose": dose,
            "group": rng.choice(list("uvwxyz"), n),
            "flag": rng.random(n) < np.where(site == "a", 0.7, 0.4),
        }
    )


def select(result, column, environment, test=None):
    frame = result.to_frame()
    rows = frame[(frame["column"] == column) & (frame["environment"] == environment)]
    return (rows if test is None else rows[rows["test"] == test]).iloc[0]


@pytest.mark.parametrize(("n", "m"), [(8, 100), (30, 25), (60, 60)])
def test_ks_pvalue_without_ties_is_the_exact_one(n, m, rng):
    for _ in range(5):
        x, y = rng.normal(size=n), rng.normal(0.3, 1.2, size=m)
        first = np.isin(np.sort(np.concatenate([x, y])), x).astype(np.int64)[None]
        expected = stats.ks_2samp(x, y, method="exact").pvalue
        assert ks_pvalues(first, 1 - first)[0] == pytest.approx(expected, rel=1e-7, abs=2e-12)


def test_ks_pvalue_of_two_cells_is_a_two_sided_hypergeometric_tail():
    counts, other = np.array([[3, 27]]), np.array([[15, 35]])
    law = stats.hypergeom(80, 18, 30)
    k = np.arange(19)
    extreme = np.abs(k - 30 * 18 / 80) >= abs(3 - 30 * 18 / 80) - 1e-9
    assert ks_pvalues(counts, other)[0] == pytest.approx(law.pmf(k)[extreme].sum(), rel=1e-9)


def test_ks_pvalue_with_ties_agrees_with_relabelling(rng):
    x, y = rng.integers(0, 4, 30), rng.integers(0, 5, 50)
    counts = [np.bincount(v, minlength=5)[None] for v in (x, y)]
    pool = np.concatenate([x, y])

    def distance(values):
        a, b = (np.bincount(v, minlength=5) / len(v) for v in (values[:30], values[30:]))
        return np.abs(np.cumsum(a - b)).max()

    drawn = np.array([distance(rng.permutation(pool)) for _ in range(4000)])
    share = np.mean(drawn >= distance(pool) - 1e-12)
    assert ks_pvalues(*counts)[0] == pytest.approx(share, abs=4 * np.sqrt(share / 4000) + 1e-3)


def test_far_tail_is_a_small_upper_bound():
    counts = np.array([[400, 100]])
    p = ks_pvalues(counts, counts[:, ::-1])[0]
    k = np.arange(501)
    law = stats.hypergeom(1000, 500, 500)
    exact = law.pmf(k)[np.abs(k - 250) >= 150].sum()
    assert exact <= p < 1e-20


def test_number_shifts_agree_with_scipy_for_every_environment(rng):
    values = np.sort(np.round(rng.standard_t(3, 400), 1))
    codes = rng.integers(0, 5, 400)
    for reference in (None, 2):
        found = number_shifts(values, codes, 5, reference)
        for e in range(5):
            own = values[codes == e]
            rest = values[codes != e] if reference is None else values[codes == reference]
            assert found.ks[e] == pytest.approx(stats.ks_2samp(own, rest).statistic, abs=1e-12)
            expected = stats.wasserstein_distance(own, rest)
            assert found.wasserstein[e] == pytest.approx(expected, abs=1e-10)
            assert found.mean_difference[e] == pytest.approx(own.mean() - rest.mean(), abs=1e-10)


def test_chi_square_agrees_with_scipy_when_no_cell_is_rare(rng):
    counts, other = rng.integers(40, 90, (3, 6)), rng.integers(100, 200, (3, 6))
    for i, p in enumerate(chi_square_pvalues(*group_rare_cells(counts, other))):
        expected = stats.chi2_contingency(np.stack([counts[i], other[i]]), correction=False).pvalue
        assert p == pytest.approx(expected, rel=1e-9)


def test_rare_cells_are_grouped_until_each_expects_five(rng):
    counts = rng.multinomial(60, rng.dirichlet(np.full(300, 0.3)), 4)
    other = rng.multinomial(500, np.full(300, 1 / 300), 4)
    a, b = group_rare_cells(counts, other)
    assert np.array_equal(a.sum(axis=1), counts.sum(axis=1))
    assert np.array_equal(b.sum(axis=1), other.sum(axis=1))
    pooled = a + b
    expected = pooled * 60 / 560
    assert (expected[pooled > 0] >= 5).all()


@pytest.mark.parametrize("correction", ["bh", "holm", "bonferroni"])
def test_adjusted_pvalues(correction, rng):
    p = rng.random(50) ** 2
    order = np.sort(p)
    adjusted = adjust_pvalues(np.append(p, np.nan), correction)
    assert np.isnan(adjusted[-1])
    if correction == "bh":
        # The smallest level at which the step-up rule of Benjamini and Hochberg rejects each test.
        levels = [min(min(1, 50 * q / (p <= q).sum()) for q in p[p >= own]) for own in p]
        assert adjusted[:-1] == pytest.approx(levels)
    elif correction == "holm":
        steps = np.maximum.accumulate(np.minimum(order * (50 - np.arange(50)), 1))
        assert np.sort(adjusted[:-1]) == pytest.approx(steps)
    else:
        assert adjusted[:-1] == pytest.approx(np.minimum(p * 50, 1))


def test_planted_shifts_are_found_where_they_are():
    result = column_shifts(make_table(3000), "site", correction="holm", random_state=0)
    ranked = result.columns_ranked()
    assert ranked.iloc[0]["column"] == "age"
    assert ranked.iloc[0]["environment"] == "c"
    frame = result.to_frame()
    shifted = frame[frame["shifted"]]
    assert {("age", "c"), ("flag", "a")} <= set(
        zip(shifted["column"], shifted["environment"], strict=False)
    )
    missing = select(result, "dose", "b", "missing cells")
    assert missing["shifted"]
    assert missing["effect_low"] < 0.28 < missing["effect_high"]
    assert not frame[frame["column"].isin(["count", "group"])]["shifted"].any()


def test_effect_of_a_known_shift_lies_in_its_interval():
    rng = np.random.default_rng(3)
    site = np.repeat([0, 1], 5000)
    result = column_shifts({"x": rng.normal(size=10_000) + 0.5 * site}, site, random_state=0)
    truth = 2 * stats.norm.cdf(0.25) - 1
    row = result.to_frame().iloc[0]
    assert row["effect_low"] < truth < row["effect_high"]
    assert row["effect"] == pytest.approx(truth, abs=0.03)
    sd = np.sqrt(1 + 0.25**2)
    assert abs(row["mean_difference"]) == pytest.approx(0.5 / sd, abs=0.05)
    assert row["wasserstein"] == pytest.approx(0.5 / sd, abs=0.05)


def test_bias_is_removed_where_nothing_shifts():
    rng = np.random.default_rng(4)
    day = np.repeat(np.arange(100), 24)
    frame = column_shifts({"x": rng.normal(size=2400)}, day, random_state=0).to_frame()
    assert frame["distance"].mean() > 0.15
    assert frame["effect"].median() < 0.05
    assert (frame["effect_low"] == 0).mean() > 0.93


def test_reference_is_the_yardstick_and_is_not_tested():
    table = make_table()
    result = column_shifts(table, "site", reference="a", random_state=0)
    frame = result.to_frame()
    assert set(frame["environment"]) == {"b", "c"}
    row = select(result, "age", "c")
    own, base = (table.loc[table["site"] == s, "age"] for s in "ca")
    assert row["distance"] == pytest.approx(stats.ks_2samp(own, base).statistic)
    assert row["n_other"] == len(base)


def test_order_of_rows_columns_and_labels_does_not_matter():
    table = make_table()
    keys = ["column", "environment", "test"]
    numbers = ["effect", "effect_low", "effect_high", "distance", "pvalue", "wasserstein"]
    base = column_shifts(table, "site", random_state=0).to_frame().set_index(keys).sort_index()
    shuffled = table.sample(frac=1, random_state=1)[table.columns[::-1]]
    other = column_shifts(shuffled, "site", random_state=0).to_frame().set_index(keys).sort_index()
    pd.testing.assert_frame_equal(base[numbers], other[numbers])
    renamed = table.assign(site=table["site"].map({"a": "z", "b": "y", "c": "x"}))
    found = column_shifts(renamed, "site", random_state=0).to_frame()
    found["environment"] = found["environment"].map({"z": "a", "y": "b", "x": "c"})
    other = found.set_index(keys).sort_index()
    pd.testing.assert_frame_equal(base[numbers], other[numbers])


def test_units_do_not_matter():
    table = make_table()
    scaled = table.assign(age=1024.0 * table["age"] - 512.0, dose=table["dose"] * 0.25)
    numbers = ["effect", "effect_low", "distance", "wasserstein", "mean_difference", "pvalue"]
    first = column_shifts(table, "site", random_state=0).to_frame()[numbers]
    second = column_shifts(scaled, "site", random_state=0).to_frame()[numbers]
    np.testing.assert_allclose(first, second, rtol=1e-6, atol=1e-9)


def test_workers_do_not_matter():
    rng = np.random.default_rng(0)
    table = {f"x{i}": rng.normal(size=80) for i in range(20)}
    site = np.repeat(["a", "b"], 40)
    one, two = (column_shifts(table, site, random_state=7, n_jobs=n).to_json() for n in (1, 2))
    assert one == two


def test_labels_object_array_and_column_name_agree():
    table = make_table()
    labels, _ = check_environment("site", as_table(table))
    by_name = column_shifts(table, "site", random_state=0).to_json()
    assert column_shifts(table, labels, random_state=0).to_json() == by_name
    assert column_shifts(table.drop(columns="site"), table["site"], random_state=0).to_json() == (
        by_name
    )


def test_odd_columns_are_reported_not_fatal():
    n = 90
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    table = pd.DataFrame(
        {
            "same": np.ones(n), "empty": np.full(n, np.nan), "x": x, "copy": x,
            "none": np.array([None] * n, dtype=object), "<b>&$_{^": x > 0,
        }
    )  # fmt: skip
    site = np.array(["lonely", *["a"] * 45, *["b"] * 44])
    result = column_shifts(table, site, random_state=0)
    frame = result.to_frame()
    assert frame.loc[frame["environment"] == "lonely", "pvalue"].isna().all()
    assert frame.loc[frame["column"] == "empty", "pvalue"].isna().all()
    same = frame[(frame["column"] == "same") & (frame["environment"] != "lonely")]
    assert (same["pvalue"] == 1).all()
    assert (same["effect"] == 0).all()
    text = " ".join(result.notes)
    for part in ("lonely", "'same' is constant", "'empty' has no observed", "'none' has no obs"):
        assert part in text
    for label in ("a", "b"):
        assert select(result, "x", label)["pvalue"] == select(result, "copy", label)["pvalue"]
    assert "NaN" not in result.to_json()


@pytest.mark.parametrize("n_columns", [250, pytest.param(5000, marks=pytest.mark.slow)])
def test_thousands_of_columns_are_one_call(n_columns):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, n_columns))
    site = np.repeat(["a", "b"], 100)
    result = column_shifts(table, site, n_resamples=100, random_state=0)
    frame = result.to_frame()
    assert len(frame) == 2 * n_columns
    assert frame["shifted"].sum() <= 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"environment": np.zeros(600)}, "at least 2"),
        ({"environment": "sit"}, "Did you mean 'site'"),
        ({"reference": "q"}, "has no label 'q'"),
        ({"correction": "fdr"}, "correction must be one of"),
        ({"confidence_level": 95}, "confidence_level"),
        ({"n_resamples": 10}, "n_resamples"),
    ],
)
def test_bad_arguments_get_one_clear_error(change, message):
    arguments = {"environment": "site", **change}
    with pytest.raises(InputError, match=message):
        column_shifts(make_table(), **arguments)


def test_a_table_without_covariates_is_refused():
    with pytest.raises(InputError, match="nothing to compare"):
        column_shifts({"site": ["a", "b"] * 5}, "site")
    with pytest.raises(ColumnNotFoundError):
        column_shifts({"x": [1, 2]}, "site")


@pytest.mark.parametrize("k", [2, 12, 100])
def test_plot_draws_the_top_columns(k):
    rng = np.random.default_rng(0)
    n = 20 * k
    table = make_table(n).drop(columns="site").assign(**{"a$b_{": rng.normal(size=n)})
    table["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
    result = column_shifts(table, np.repeat(np.arange(k), 20), random_state=0)
    figure = result.plot(top=7)
    figure.canvas.draw()
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == 7
    assert all(len(ax.get_yticks()) <= 13 for ax in shown)
    plt.close(figure)


def test_ranking_has_one_row_per_column_and_test():
    result = column_shifts(make_table(), "site", random_state=0)
    ranked = result.columns_ranked()
    assert sorted(ranked["column"]) == ["age", "count", "dose", "dose", "flag", "group"]
    assert "ColumnShifts(5 columns, 3 environments" in repr(result)
    assert (ranked["n_environments"] == 3).all()


def test_a_difference_that_barely_exceeds_its_error_has_an_interval():
    from shiftlab.divergence import _column_intervals as module

    paths = module.bridge_paths(200, np.random.SeedSequence(0))
    counts, other = np.array([[40, 60], [50, 50]]), np.array([[50, 50], [50, 50]])
    below, rest = np.array([40.0, 50.0]), np.array([50.0, 50.0])
    sd = np.sqrt(module._variance(below, 100) + module._variance(rest, 100))
    with pytest.MonkeyPatch.context() as patch:
        # The flattened peak is then a ten-thousandth of the observed distance.
        patch.setattr(module, "FLATTENING", 0.1 * (1 - 1e-4) / sd[0])
        found = module.ks_intervals(counts, other, paths, 0.95)
    assert np.isfinite(found).all()
    assert (found.low <= found.effect).all()
    assert (found.effect <= found.high).all()
