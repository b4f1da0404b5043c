"""environment_distances: values against direct formulas, invariances, odd input, plots."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

import shiftlab.divergence._environments as environments_module
from shiftlab._core.frames import as_table
from shiftlab._core.validation import check_environment
from shiftlab.divergence import environment_distances
from shiftlab.divergence._environment_null import choose_null
from shiftlab.exceptions import InputError

METRICS = ["wasserstein", "total_variation", "mmd", "energy"]


def make_table(n=900, seed=0, shift=1.0):
    rng = np.random.default_rng(seed)
    site = np.repeat(["a", "b", "c"], n // 3)
    return pd.DataFrame(
        {
            "site": site,
            "x": rng.normal(size=n) + shift * (site == "c"),
            "y": np.where(rng.random(n) < 0.1, np.nan, rng.poisson(3, n)),
            "kind": rng.choice(list("uvw"), n),
        }
    )


def pair(result, a, b):
    return result.matrix().loc[a, b]


def test_wasserstein_of_a_column_agrees_with_scipy(rng):
    x = np.concatenate([rng.normal(size=4000), rng.normal(0.7, 1.5, size=3000)])
    site = np.repeat(["a", "b"], [4000, 3000])
    result = environment_distances({"x": x}, site, random_state=0)
    spread = np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.3489795
    expected = stats.wasserstein_distance(x[:4000], x[4000:]) / spread
    assert pair(result, "a", "b") == pytest.approx(expected, rel=0.02)


def test_wasserstein_of_few_values_is_exact(rng):
    x = rng.integers(0, 6, 500).astype(float)
    x[:200] += rng.integers(0, 2, 200)
    site = np.repeat([0, 1], [200, 300])
    spread = np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.3489795003921634
    expected = stats.wasserstein_distance(x[:200], x[200:]) / spread
    result = environment_distances({"x": x}, site, random_state=0)
    assert pair(result, 0, 1) == pytest.approx(expected, rel=1e-10)


def test_total_variation_is_half_the_summed_differences():
    kind = np.array(["u"] * 60 + ["v"] * 40 + ["u"] * 30 + ["v"] * 60 + ["w"] * 10)
    site = np.repeat(["a", "b"], 100)
    result = environment_distances({"k": kind}, site, metric="total_variation", random_state=0)
    assert pair(result, "a", "b") == pytest.approx(0.3)


def test_energy_in_one_dimension_agrees_with_scipy(rng):
    x = np.concatenate([rng.normal(size=600), rng.normal(0.5, 1, size=500)])
    site = np.repeat(["a", "b"], [600, 500])
    result = environment_distances({"x": x}, site, metric="energy", random_state=0)
    spread = np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.3489795003921634
    expected = stats.energy_distance(x[:600], x[600:]) / np.sqrt(spread)
    assert pair(result, "a", "b") == pytest.approx(expected, rel=0.01)


def test_energy_of_rows_agrees_with_pairwise_distances(rng):
    x = rng.normal(size=(800, 3))
    x[400:] += [0.8, 0.0, -0.4]
    site = np.repeat(["a", "b"], 400)
    result = environment_distances(x, site, metric="energy", random_state=0)
    low, high = np.quantile(x, [0.25, 0.75], axis=0)
    z = (x - np.median(x, axis=0)) / ((high - low) / 1.3489795003921634)
    a, b = z[:400], z[400:]
    squared = 2 * cdist(a, b).mean() - cdist(a, a).mean() - cdist(b, b).mean()
    assert pair(result, "a", "b") == pytest.approx(np.sqrt(squared), rel=0.1)


def test_mmd_agrees_with_the_kernel_up_to_its_bandwidth(rng):
    x = rng.normal(size=(800, 2))
    x[400:, 0] += 1.0
    site = np.repeat(["a", "b"], 400)
    result = environment_distances(x, site, metric="mmd", random_state=0)
    low, high = np.quantile(x, [0.25, 0.75], axis=0)
    z = (x - np.median(x, axis=0)) / ((high - low) / 1.3489795003921634)
    distance = cdist(z, z)
    kernel = np.exp(-0.5 * (distance / np.median(distance[distance > 0])) ** 2)
    a, b = slice(0, 400), slice(400, 800)
    squared = kernel[a, a].mean() + kernel[b, b].mean() - 2 * kernel[a, b].mean()
    assert pair(result, "a", "b") == pytest.approx(np.sqrt(squared), rel=0.15)


@pytest.mark.parametrize("metric", METRICS)
def test_the_shifted_environment_stands_apart(metric):
    result = environment_distances(make_table(), "site", metric=metric, random_state=0)
    frame = result.to_frame()
    assert frame.loc[:1, ["environment_a", "environment_b"]].to_numpy()[:, 1].tolist() == ["c", "c"]
    assert (frame.loc[:1, "pvalue_adjusted"] <= 0.05).all()
    assert (frame.loc[:1, "excess"] > 0).all()
    assert set(result.linkage[0, :2]) == {0.0, 1.0}
    assert np.array_equal(result.distances, result.distances.T)
    assert (np.diag(result.distances) == 0).all()
    assert np.nanmin(result.noise_95) > 0


@pytest.mark.parametrize("metric", METRICS)
def test_order_of_rows_and_names_of_environments_do_not_matter(metric):
    table = make_table(300, shift=0.2)
    names = {"a": "z", "b": "y", "c": "x"}
    changed = table.sample(frac=1, random_state=1).assign(site=lambda t: t["site"].map(names))
    options = {"metric": metric, "max_rows": 80, "random_state": 0}
    first = environment_distances(table, "site", **options)
    second = environment_distances(changed, "site", **options)
    back = [list(second.environments).index(names[label]) for label in first.environments]
    for field in ("distances", "noise_95", "pvalues"):
        other = getattr(second, field)[np.ix_(back, back)]
        np.testing.assert_allclose(getattr(first, field), other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_units_and_workers_do_not_matter(metric):
    table = make_table(300)
    scaled = table.assign(x=8.0 * table["x"] + 64.0)
    first, second, third = (
        environment_distances(t, "site", metric=metric, random_state=0, n_jobs=n)
        for t, n in [(table, 1), (scaled, 1), (table, 2)]
    )
    # The bandwidth of "mmd" is a median over random pairs, which are drawn anew in other units.
    rtol = 0.02 if metric == "mmd" else 1e-6
    np.testing.assert_allclose(first.distances, second.distances, rtol=rtol, atol=1e-8)
    assert first.to_json() == third.to_json()


@pytest.mark.parametrize("metric", METRICS)
def test_identical_environments_are_at_distance_zero_and_p_is_one(metric):
    part = make_table(300).drop(columns="site").iloc[:100]
    twice = pd.concat([part, part], ignore_index=True)
    site = np.repeat(["a", "b"], 100)
    result = environment_distances(twice, site, metric=metric, random_state=0)
    assert pair(result, "a", "b") == pytest.approx(0.0, abs=1e-6)
    assert result.pvalues[0, 1] > 0.99
    assert result.excess[0, 1] == 0.0


def test_two_nulls_agree_when_nothing_differs(rng, monkeypatch):
    import shiftlab.divergence._environments as module

    x = rng.normal(size=(1200, 3))
    site = np.repeat(np.arange(6), [50, 100, 150, 200, 300, 400])
    results = []
    for null in ("pairwise", "pooled"):
        monkeypatch.setattr(module, "choose_null", lambda *_, null=null: null)
        results.append(environment_distances(x, site, n_resamples=999, random_state=0))
    upper = np.triu_indices(6, k=1)
    ratio = results[0].noise_95[upper] / results[1].noise_95[upper]
    assert np.abs(ratio - 1).max() < 0.2
    assert np.abs(results[0].pvalues - results[1].pvalues)[upper].max() < 0.15


def test_many_environments_switch_to_the_pooled_null():
    assert choose_null(12, 640, 199) == "pairwise"
    assert choose_null(100, 640, 199) == "pairwise"
    assert choose_null(731, 640, 199) == "pooled"
    assert choose_null(12, 640, 10**7) == "pooled"


def test_a_single_row_is_measured_but_not_tested():
    table = make_table(300)
    table.loc[0, "site"] = "lonely"
    result = environment_distances(table, "site", random_state=0)
    i = result.environments.index("lonely")
    assert np.isfinite(result.distances[i]).all()
    assert np.isnan(result.pvalues[i]).all()
    assert "lonely" in result.notes[0]
    assert "NaN" not in result.to_json()


@pytest.mark.parametrize("metric", METRICS)
def test_constant_and_empty_columns_carry_no_distance(metric):
    n = 60
    site = np.repeat(["a", "b"], n // 2)
    table = {"same": np.ones(n), "empty": np.full(n, np.nan)}
    result = environment_distances(table, site, metric=metric, random_state=0)
    assert pair(result, "a", "b") == 0.0
    assert result.pvalues[0, 1] == 1.0


def observed_cells(sizes, seed=0):
    """One column whose second environment observes a fifth of its cells."""
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 1.0, 2.0, 5.0], sum(sizes), p=[0.4, 0.3, 0.2, 0.1])
    site = np.repeat([0, 1], sizes)
    x[(site == 1) & (rng.random(sum(sizes)) < 0.8)] = np.nan
    return x, site


@pytest.mark.parametrize("null", ["pairwise", "pooled"])
@pytest.mark.parametrize("metric", ["wasserstein", "total_variation"])
@pytest.mark.parametrize("sizes", [(1000, 60), (60, 1000)])
def test_noise_counts_observed_cells_only(metric, sizes, null, rng, monkeypatch):
    monkeypatch.setattr(environments_module, "choose_null", lambda *_: null)
    x, site = observed_cells(sizes)
    result = environment_distances(
        {"x": x, "full": np.zeros(len(x))}, site, metric=metric, n_resamples=4999, random_state=0
    )
    observed = ~np.isnan(x)
    values, own = x[observed], site[observed] == 0
    grid = np.unique(values)
    spread = np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.3489795003921634
    distances = []
    for _ in range(3000):
        mixed = rng.permutation(own)
        shares = [[np.mean(values[part] == v) for v in grid] for part in (mixed, ~mixed)]
        gap = np.subtract(*shares)
        if metric == "wasserstein":
            distances.append(np.abs(np.cumsum(gap)[:-1]) @ np.diff(grid) / spread)
        else:
            distances.append(np.abs(gap).sum() / 2)
    # Both quantiles are simulated; few cells make the permuted one jump.
    assert result.noise_95[0, 1] == pytest.approx(np.quantile(distances, 0.95), rel=0.1)


def test_missing_cells_are_named_where_they_count_as_a_value():
    for metric in METRICS:
        notes = " ".join(environment_distances(make_table(), "site", metric=metric).notes)
        assert ("missing in y" in notes) == (metric in ("mmd", "energy"))


def test_a_column_that_one_environment_lacks_is_left_out_of_its_pairs(rng):
    x, y = rng.normal(size=(2, 300))
    site = np.repeat(["a", "b", "c"], 100)
    y[:100] = np.nan
    both = environment_distances({"x": x, "y": y}, site, random_state=0)
    alone = environment_distances({"x": x}, site, random_state=0)
    # Fewer cells per column would change the value slightly; both tables have room for 64.
    assert pair(both, "a", "b") == pytest.approx(pair(alone, "a", "b"))
    assert pair(both, "b", "c") != pytest.approx(pair(alone, "b", "c"))


def test_an_outlier_does_not_decide(rng):
    x = rng.standard_cauchy(2000)
    site = np.repeat(["a", "b"], 1000)
    x[1000:] += 1.5
    for metric in METRICS:
        result = environment_distances({"x": x}, site, metric=metric, random_state=0)
        assert result.pvalues[0, 1] <= 0.05, metric


def test_labels_object_is_accepted():
    table = make_table(300)
    labels, _ = check_environment("site", as_table(table))
    first = environment_distances(table, labels, random_state=0)
    assert first.to_json() == environment_distances(table, "site", random_state=0).to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "kl"}, "metric must be one of"),
        ({"environment": np.zeros(900)}, "at least 2"),
        ({"correction": "fdr"}, "correction must be one of"),
        ({"max_rows": 1}, "max_rows"),
        ({"n_resamples": 5}, "n_resamples"),
        ({"alpha": 2}, "alpha"),
    ],
)
def test_bad_arguments_get_one_clear_error(change, message):
    with pytest.raises(InputError, match=message):
        environment_distances(make_table(), **{"environment": "site", **change})


def test_wasserstein_without_numbers_names_the_alternatives():
    with pytest.raises(InputError, match="total_variation"):
        environment_distances({"k": list("abcd"), "s": list("uuvv")}, "s")


@pytest.mark.parametrize("k", [2, 12, 100, 731])
def test_plot_is_legible_for_any_number_of_environments(k):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6 * k, 2)) + (np.arange(6 * k) % 2)[:, None] * 0.0
    result = environment_distances(x, np.repeat(np.arange(k), 6), random_state=0)
    ax = result.plot()
    ax.figure.canvas.draw()
    labels = [text.get_text() for text in ax.get_yticklabels() if text.get_text()]
    assert len(labels) == (k if k <= 45 else 0)
    assert result.linkage.shape == (k - 1, 4)
    plt.close(ax.figure)


def test_plot_draws_into_given_axes():
    figure, ax = plt.subplots()
    assert environment_distances(make_table(90), "site", random_state=0).plot(ax) is ax
    plt.close(figure)
