"""Disparities: hand-computed values, orientation, coverage, weights, invariances."""

import numpy as np
import pytest

from shiftlab.exceptions import InputError
from shiftlab.metrics import (
    GroupCounts,
    accuracy,
    accuracy_difference,
    demographic_parity_difference,
    difference_interval,
    disparate_impact,
    equal_opportunity_difference,
    equalized_odds_difference,
    false_positive_rate,
    false_positive_rate_difference,
    precision,
    rate_interval,
    ratio_interval,
    selection_rate,
    true_positive_rate,
)

DECISION_METRICS = [disparate_impact, demographic_parity_difference]
OUTCOME_METRICS = [
    equal_opportunity_difference,
    false_positive_rate_difference,
    accuracy_difference,
    equalized_odds_difference,
]
RATES = [selection_rate, true_positive_rate, false_positive_rate, accuracy, precision]


def by_group(metric):
    return {part.group: part.value for part in metric.by_group}


def test_local_law_144_example(ll144_sex, ll144_race):
    rates = by_group(selection_rate(ll144_sex)) | by_group(selection_rate(ll144_race))
    printed = {"Male": 0.543, "Female": 0.447, "Hispanic": 0.642, "White": 0.375, "Black": 0.5}
    printed |= {"Pacific": 0.625, "Asian": 0.417}
    for group, rate in printed.items():
        # The rule cuts 64.28 % to 64.2 %, so compare to one unit of the last place.
        assert rates[group] == pytest.approx(rate, abs=1e-3)
    ratios = by_group(disparate_impact(ll144_sex)) | by_group(disparate_impact(ll144_race))
    printed = {"Male": 1.00, "Female": 0.82, "Hispanic": 1.00, "White": 0.58, "Black": 0.78}
    printed |= {"Pacific": 0.97, "Asian": 0.65}
    for group, ratio in printed.items():
        assert round(ratios[group], 2) == ratio


def test_two_groups_equal_the_pairwise_interval(ll144_sex):
    metric = disparate_impact(ll144_sex)
    low, high = ratio_interval(34, 76, 50, 92)
    assert metric.value == pytest.approx((34 / 76) / (50 / 92), rel=1e-14)
    assert metric.low == pytest.approx(float(low), rel=1e-12)
    # The order of the two is open, and the lowest over the highest cannot exceed one.
    assert high > 1
    assert metric.high == 1
    assert (metric.group, metric.reference, metric.n) == ("Female", "Male", 168)
    named = disparate_impact(ll144_sex, reference="Male")
    assert named.high == pytest.approx(float(high), rel=1e-12)
    assert named.method == "score"
    difference = demographic_parity_difference(ll144_sex, reference="Male")
    assert (difference.low, difference.high) == pytest.approx(
        [float(v) for v in difference_interval(34, 76, 50, 92)]
    )


def test_orientation_is_never_silent(make_counts):
    counts = make_counts(a=(100, 20), b=(100, 50), c=(100, 40))
    ratios = {r: disparate_impact(counts, reference=r) for r in ("highest", "lowest", "rest", "c")}
    assert ratios["highest"].value == pytest.approx(0.4)
    assert ratios["highest"].orientation == "selection_rate(a) / selection_rate(b)"
    assert by_group(ratios["highest"]) == pytest.approx({"a": 0.4, "b": 1.0, "c": 0.8})
    assert ratios["lowest"].value == pytest.approx(2.5)
    assert ratios["lowest"].orientation == "selection_rate(b) / selection_rate(a)"
    assert by_group(ratios["lowest"]) == pytest.approx({"a": 1.0, "b": 2.5, "c": 2.0})
    assert ratios["rest"].value == pytest.approx(0.2 / 0.45)
    assert ratios["rest"].orientation == "selection_rate(a) / selection_rate(rest)"
    assert by_group(ratios["rest"])["b"] == pytest.approx(0.5 / 0.3)
    # A ratio above one against a named group is not turned round.
    assert ratios["c"].value == pytest.approx(0.5)
    assert by_group(ratios["c"])["b"] == pytest.approx(1.25)
    pair = make_counts(a=(100, 20), b=(100, 50))
    assert disparate_impact(pair, reference="a").value == pytest.approx(2.5)
    differences = [
        demographic_parity_difference(counts, reference=r).value
        for r in ("highest", "lowest", "rest", "c")
    ]
    assert differences == pytest.approx([-0.3, 0.3, -0.25, -0.2])
    assert demographic_parity_difference(counts).orientation == (
        "selection_rate(a) - selection_rate(b)"
    )


def test_rest_with_two_groups_is_the_other_group(make_counts):
    pair = make_counts(a=(100, 20), b=(80, 40))
    rest, named = (disparate_impact(pair, reference=r) for r in ("rest", "b"))
    assert (rest.value, rest.low, rest.reference) == (named.value, named.low, "b")


def test_outcome_metrics_by_hand(make_counts):
    # (tn, fp, fn, tp): TPR 0.8 and 0.5, FPR 0.1 and 0.3, accuracy 0.86 and 0.62.
    counts = make_counts(a=(54, 6, 8, 32), b=(42, 18, 20, 20))
    assert by_group(true_positive_rate(counts)) == pytest.approx({"a": 0.8, "b": 0.5})
    assert by_group(false_positive_rate(counts)) == pytest.approx({"a": 0.1, "b": 0.3})
    assert by_group(accuracy(counts)) == pytest.approx({"a": 0.86, "b": 0.62})
    assert by_group(precision(counts)) == pytest.approx({"a": 32 / 38, "b": 20 / 38})
    assert true_positive_rate(counts).value == pytest.approx(52 / 80)
    assert equal_opportunity_difference(counts).value == pytest.approx(-0.3)
    assert equal_opportunity_difference(counts).n == 80
    assert false_positive_rate_difference(counts).value == pytest.approx(-0.2)
    assert false_positive_rate_difference(counts).group == "a"
    assert accuracy_difference(counts, reference="b").value == pytest.approx(0.24)
    odds = equalized_odds_difference(counts)
    assert odds.value == pytest.approx(0.3)
    assert odds.orientation == "|true_positive_rate(a) - true_positive_rate(b)|"
    assert by_group(odds) == pytest.approx({"a": 0.2, "b": 0.3})
    for reference in ("lowest", "rest", "a", "b"):
        assert equalized_odds_difference(counts, reference=reference).value == pytest.approx(0.3)


def test_rates_of_counts_have_the_interval_of_one_proportion(ll144_sex):
    metric = selection_rate(ll144_sex, method="clopper-pearson", confidence_level=0.9)
    low, high = rate_interval(84, 168, method="clopper-pearson", confidence_level=0.9)
    assert (metric.value, metric.low, metric.high) == (0.5, float(low), float(high))
    low, high = rate_interval(34, 76, method="clopper-pearson", confidence_level=0.9)
    female = next(part for part in metric.by_group if part.group == "Female")
    assert (female.low, female.high, female.n) == (float(low), float(high), 76)


@pytest.mark.parametrize("metric", DECISION_METRICS + OUTCOME_METRICS)
@pytest.mark.parametrize("reference", ["highest", "lowest", "rest", "b"])
@pytest.mark.parametrize("method", ["", "bootstrap"])
def test_intervals_contain_the_value(metric, reference, method, make_counts):
    counts = make_counts(a=(54, 6, 8, 32), b=(42, 18, 20, 20), c=(30, 9, 7, 25))
    options = {"method": method, "random_state": 0} if method else {}
    result = metric(counts, reference=reference, **options)
    assert result.low <= result.value <= result.high
    assert result.low < result.high
    for part in result.by_group:
        assert part.low <= part.value <= part.high


# --- undefined and extreme values --------------------------------------------------------------


def test_zero_over_zero_is_nan_with_a_reason(make_counts):
    metric = disparate_impact(make_counts(a=(50, 0), b=(60, 0)))
    assert np.isnan(metric.value)
    assert "0/0" in metric.note
    assert metric.to_dict()["value"] is None
    assert demographic_parity_difference(make_counts(a=(50, 0), b=(60, 0))).value == 0


def test_positive_over_zero_is_infinite(make_counts):
    metric = disparate_impact(make_counts(a=(50, 10), b=(60, 0)), reference="b")
    assert np.isinf(metric.value)
    assert 1 < metric.low < np.inf
    assert np.isinf(metric.high)
    lowest = disparate_impact(make_counts(a=(50, 10), b=(60, 0)))
    assert (lowest.value, lowest.low) == (0, 0)
    assert 0 < lowest.high < 1


def test_groups_without_rows_for_a_rate_are_named(make_counts):
    counts = make_counts(a=(54, 6, 8, 32), b=(42, 18, 20, 20), empty=(10, 5, 0, 0))
    metric = equal_opportunity_difference(counts)
    assert metric.value == pytest.approx(-0.3)
    assert "empty" in metric.note
    assert "empty" not in by_group(metric)
    rate = true_positive_rate(counts)
    assert np.isnan(by_group(rate)["empty"])
    undefined = equal_opportunity_difference(counts, reference="empty")
    assert np.isnan(undefined.value)
    assert "not defined" in undefined.note
    odds = equalized_odds_difference(counts)
    assert set(by_group(odds)) == {"a", "b", "empty"}


def test_one_group_has_no_disparity(make_counts):
    metric = disparate_impact(make_counts(a=(50, 10)))
    assert np.isnan(metric.value)
    assert "needs two groups" in metric.note


# --- coverage -----------------------------------------------------------------------------------


def simulate(metric, truth, rates, sizes, n_draws, seed, **options):
    """Share of simulated tables whose interval contains the truth."""
    rng = np.random.default_rng(seed)
    names = [f"g{i}" for i in range(len(sizes))]
    hits = 0
    for _ in range(n_draws):
        selected = rng.binomial(sizes, rates)
        frame = {"g": names, "n": sizes, "selected": selected}
        result = metric(GroupCounts.from_frame(frame, "g"), **options)
        hits += result.low - 1e-12 <= truth <= result.high + 1e-12
    return hits / n_draws


SETTINGS = [
    ([0.3, 0.3], [60, 90]),
    ([0.05, 0.1], [60, 90]),
    ([0.92, 0.97], [60, 90]),
    ([0.3, 0.3, 0.3, 0.3], [80, 60, 100, 40]),
    ([0.1, 0.2, 0.4, 0.5], [80, 60, 100, 40]),
]


def floor(n_draws):
    """Five standard errors of the simulation below the nominal 95 %."""
    return 0.95 - 5 * np.sqrt(0.05 * 0.95 / n_draws)


def check_coverage(rates, sizes, n_draws, seed):
    cases = {"highest": min(rates) / max(rates), "lowest": max(rates) / min(rates)}
    for reference, truth in cases.items():
        covered = simulate(
            disparate_impact, truth, rates, sizes, n_draws, seed, reference=reference
        )
        assert covered >= floor(n_draws)
    truth = min(rates) - max(rates)
    covered = simulate(demographic_parity_difference, truth, rates, sizes, n_draws, seed)
    assert covered >= floor(n_draws)
    total, n = np.dot(rates, sizes), np.sum(sizes)
    rest = [r / ((total - r * s) / (n - s)) for r, s in zip(rates, sizes, strict=True)]
    covered = simulate(disparate_impact, min(rest), rates, sizes, n_draws, seed, reference="rest")
    assert covered >= floor(n_draws)


@pytest.mark.parametrize(("rates", "sizes"), SETTINGS)
def test_simultaneous_intervals_cover_sample(rates, sizes):
    check_coverage(rates, sizes, 40, 11)


@pytest.mark.slow
@pytest.mark.parametrize(("rates", "sizes"), SETTINGS)
def test_simultaneous_intervals_cover(rates, sizes):
    # The highest reference is the default and has the subtlest interval: it gets all the draws.
    truth = min(rates) / max(rates)
    assert simulate(disparate_impact, truth, rates, sizes, 2000, 12) >= floor(2000)
    truth = min(rates) - max(rates)
    covered = simulate(demographic_parity_difference, truth, rates, sizes, 2000, 12)
    assert covered >= floor(2000)
    check_coverage(rates, sizes, 250, 13)


def test_bootstrap_misses_parity_and_covers_clear_gaps():
    options = {"method": "bootstrap", "n_resamples": 400, "random_state": 3}
    equal = simulate(disparate_impact, 1.0, [0.3] * 4, [80, 60, 100, 40], 100, 4, **options)
    assert equal < 0.1
    clear = simulate(
        disparate_impact, 0.5, [0.3, 0.6], [300, 300], 200, 4, reference="g1", **options
    )
    assert 0.88 <= clear <= 0.99


@pytest.mark.parametrize("reference", ["highest", "rest", "b"])
def test_bootstrap_agrees_with_resampling_rows(reference, make_counts):
    counts = make_counts(a=(400, 100), b=(300, 120), c=(500, 300))
    rng = np.random.default_rng(8)
    draws = []
    for _ in range(2000):
        selected = rng.binomial([400, 300, 500], [0.25, 0.4, 0.6])
        again = make_counts(a=(400, selected[0]), b=(300, selected[1]), c=(500, selected[2]))
        rates = again.selected / again.n
        rest = (selected.sum() - selected) / (1200 - again.n)
        values = {
            "highest": rates.min() / rates.max(),
            "rest": (rates / rest).min(),
            "b": min(rates[0] / rates[1], rates[2] / rates[1]),
        }
        draws.append(values[reference])
    expected = np.quantile(draws, [0.025, 0.975])
    metric = disparate_impact(
        counts, reference=reference, method="bootstrap", n_resamples=20_000, random_state=1
    )
    assert [metric.low, metric.high] == pytest.approx(expected, abs=0.015)


def test_bootstrap_seed(make_counts):
    counts = make_counts(a=(54, 6, 8, 32), b=(42, 18, 20, 20), c=(30, 9, 7, 25))

    def limits(seed):
        metric = equalized_odds_difference(counts, method="bootstrap", random_state=seed)
        return metric.low, metric.high, metric.by_group

    assert limits(1) == limits(1)
    assert limits(1) != limits(2)
    assert limits(np.random.default_rng(1)) == limits(np.random.default_rng(1))


# --- weights ------------------------------------------------------------------------------------


@pytest.fixture
def weighted():
    rng = np.random.default_rng(21)
    n = 500
    group = rng.choice(["a", "b", "c"], n)
    y_pred, y_true = rng.integers(0, 2, n), rng.integers(0, 2, n)
    return y_pred, group, y_true, rng.exponential(size=n)


@pytest.mark.parametrize("metric", RATES + DECISION_METRICS + OUTCOME_METRICS)
def test_equal_weights_change_nothing(metric, weighted):
    y_pred, group, y_true, _ = weighted
    outcome = {} if metric in (selection_rate, *DECISION_METRICS) else {"y_true": y_true}
    plain = metric(y_pred, group, **outcome)
    for constant in (1.0, 0.25):
        same = metric(y_pred, group, sample_weight=np.full(500, constant), **outcome)
        assert (same.value, same.low, same.high) == pytest.approx(
            (plain.value, plain.low, plain.high), rel=1e-9
        )
        assert same.n == plain.n


def test_weighted_rates_by_hand(weighted):
    y_pred, group, y_true, weight = weighted
    rates = by_group(true_positive_rate(y_pred, group, y_true=y_true, sample_weight=weight))
    for label, value in rates.items():
        rows = (group == label) & (y_true == 1)
        assert value == pytest.approx(np.average(y_pred[rows], weights=weight[rows]), rel=1e-12)
    chosen = group == "a"
    p = np.average(y_pred[chosen], weights=weight[chosen])
    variance = np.sum((weight[chosen] * (y_pred[chosen] - p)) ** 2) / weight[chosen].sum() ** 2
    kish = weight[chosen].sum() ** 2 / np.sum(weight[chosen] ** 2)
    n = min(p * (1 - p) / variance, kish)
    low, high = rate_interval(p * n, n)
    part = selection_rate(y_pred, group, sample_weight=weight).by_group[0]
    assert (part.low, part.high) == pytest.approx((float(low), float(high)), rel=1e-12)


def weighted_coverage(n_draws, seed):
    rng = np.random.default_rng(seed)
    n, hits = 300, 0
    for _ in range(n_draws):
        stratum = rng.random(n) < 0.5
        y = rng.random(n) < np.where(stratum, 0.2, 0.5)
        # The first stratum is over-sampled three to one: the population rate is 0.425.
        metric = selection_rate(y, np.zeros(n, int), sample_weight=np.where(stratum, 1.0, 3.0))
        hits += metric.low <= 0.425 <= metric.high
    return hits / n_draws


def test_weighted_interval_covers_sample():
    assert weighted_coverage(200, 5) >= floor(200)


@pytest.mark.slow
def test_weighted_interval_covers():
    assert weighted_coverage(4000, 6) == pytest.approx(0.95, abs=0.02)


# --- invariances --------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", DECISION_METRICS + OUTCOME_METRICS)
def test_order_and_names_do_not_matter(metric, weighted):
    y_pred, group, y_true, weight = weighted
    outcome = {} if metric in DECISION_METRICS else {"y_true": y_true}
    plain = metric(y_pred, group, sample_weight=weight, **outcome)
    order = np.random.default_rng(0).permutation(500)
    outcome = {key: value[order] for key, value in outcome.items()}
    shuffled = metric(y_pred[order], group[order], sample_weight=weight[order], **outcome)
    assert shuffled.value == pytest.approx(plain.value, rel=1e-12)
    assert (shuffled.low, shuffled.high) == pytest.approx((plain.low, plain.high), rel=1e-9)
    names = {"a": "z", "b": "y", "c": "x"}
    renamed = np.array([names[label] for label in group])[order]
    again = metric(y_pred[order], renamed, sample_weight=weight[order], **outcome)
    assert again.value == pytest.approx(plain.value, rel=1e-12)
    assert again.group == names[plain.group]


@pytest.mark.parametrize("metric", DECISION_METRICS + OUTCOME_METRICS)
def test_rows_and_counts_agree(metric, weighted):
    y_pred, group, y_true, _ = weighted
    outcome = {} if metric in DECISION_METRICS else {"y_true": y_true}
    parts = [
        GroupCounts.from_rows(
            y_pred[rows], group[rows], **{key: value[rows] for key, value in outcome.items()}
        )
        for rows in np.array_split(np.arange(500), 7)
    ]
    total = parts[0]
    for part in parts[1:]:
        total += part
    direct, summed = metric(y_pred, group, **outcome), metric(total)
    assert direct.to_dict() | {"feature": ""} == summed.to_dict() | {"feature": ""}


def test_intersections(weighted):
    y_pred, group, y_true, _ = weighted
    features = {"g": group, "t": y_true}
    metric = disparate_impact(y_pred, features, reference=("a", 1))
    assert metric.feature == "g / t"
    assert len(metric.by_group) == 6
    assert metric.reference == "a / 1"
    joined = np.char.add(np.char.add(group, " / "), y_true.astype(str))
    assert metric.value == disparate_impact(y_pred, joined, reference="a / 1").value


def test_result_shows_itself(ll144_sex):
    metric = disparate_impact(ll144_sex)
    assert "selection_rate(Female) / selection_rate(Male)" in repr(metric)
    frame = metric.to_frame()
    assert frame["scope"].tolist() == ["metric", "group", "group"]
    assert frame["value"].iloc[0] == metric.value
    assert metric.to_dict()["by_group"][0]["group"] == "Female"
    assert "<table" in metric._repr_html_()


BAD = [
    ({"reference": "z"}, "reference: .* no group 'z'.*Or use 'highest'"),
    ({"method": "wald"}, "method must be one of 'score', 'katz', 'bootstrap'"),
    ({"confidence_level": 1.0}, "confidence_level"),
    ({"method": "bootstrap", "n_resamples": 10}, "n_resamples"),
    ({"method": "bootstrap", "random_state": -1}, "random_state"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_options(options, message, ll144_sex):
    with pytest.raises(InputError, match=message):
        disparate_impact(ll144_sex, **options)


@pytest.mark.parametrize("metric", OUTCOME_METRICS + RATES[1:])
def test_outcome_is_needed(metric, ll144_sex):
    with pytest.raises(InputError, match="needs the true outcome"):
        metric(ll144_sex)


def test_unknown_keyword(ll144_sex):
    with pytest.raises(TypeError, match="n_resample"):
        disparate_impact(ll144_sex, n_resample=100)
