"""The fairness table: equal to the single metrics, complete, and clear about bad input."""

import json

import numpy as np
import pandas as pd
import pytest

from shiftlab._core.validation import check_environment, check_sensitive_features
from shiftlab.exceptions import InputError
from shiftlab.metrics import (
    GroupCounts,
    disparate_impact,
    equalized_odds_difference,
    group_fairness,
    rate_interval,
    true_positive_rate,
)

GROUP_COLUMNS = ["environment", "feature", "group", "n", "selected", "rate", "low", "high"]
GROUP_COLUMNS += ["tpr", "tpr_low", "tpr_high", "fpr", "fpr_low", "fpr_high", "suppressed"]
METRIC_COLUMNS = ["environment", "feature", "metric", "value", "low", "high", "method"]
METRIC_COLUMNS += ["group", "reference", "n", "note"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(2)
    n = 2000
    features = pd.DataFrame({"sex": rng.choice(["F", "M"], n), "race": rng.choice(list("ABC"), n)})
    y_true = rng.integers(0, 2, n)
    y_pred = (rng.random(n) < 0.3 + 0.2 * y_true + 0.1 * (features["sex"] == "M")).to_numpy()
    return y_pred, features, y_true, rng.choice([2011, 2012], n)


@pytest.fixture(scope="module")
def result(rows):
    y_pred, features, y_true, environment = rows
    return group_fairness(y_pred, features, y_true=y_true, environment=environment)


def test_shape(result):
    assert list(result.groups.columns) == GROUP_COLUMNS
    assert list(result.metrics.columns) == METRIC_COLUMNS
    # Per scope: the total, 2 sexes, 3 races, 6 combinations; three features of six metrics.
    assert len(result.groups) == 3 * 12
    assert len(result.metrics) == 3 * 3 * 6
    assert not result.groups["suppressed"].any()
    assert list(dict.fromkeys(result.groups["environment"])) == ["pooled", 2011, 2012]
    assert list(dict.fromkeys(result.metrics["feature"])) == ["sex", "race", "sex / race"]


def test_lines_equal_the_single_metrics(rows, result):
    y_pred, features, y_true, environment = rows
    here = environment == 2012
    metrics = result.metrics.set_index(["environment", "feature", "metric"])
    single = disparate_impact(y_pred[here], features.loc[here, ["race"]])
    line = metrics.loc[(2012, "race", "disparate_impact")]
    assert (line["value"], line["low"], line["high"]) == (single.value, single.low, single.high)
    assert (line["group"], line["reference"]) == (single.group, single.reference)
    single = equalized_odds_difference(y_pred, features, y_true=y_true)
    line = metrics.loc[("pooled", "sex / race", "equalized_odds_difference")]
    assert (line["value"], line["low"], line["high"]) == (single.value, single.low, single.high)
    groups = result.groups.set_index(["environment", "feature", "group"])
    rates = true_positive_rate(y_pred, features[["sex"]], y_true=y_true)
    for part in rates.by_group:
        line = groups.loc[("pooled", "sex", part.group)]
        assert (line["tpr"], line["tpr_low"], line["tpr_high"]) == (part.value, part.low, part.high)
    line = groups.loc[(2011, "(all)", "(all)")]
    chosen = y_pred[environment == 2011]
    assert (line["n"], line["selected"]) == (len(chosen), chosen.sum())
    low, high = rate_interval(chosen.sum(), len(chosen))
    assert (line["low"], line["high"]) == pytest.approx((float(low), float(high)))


def test_every_way_in_gives_the_same_table(rows, result):
    y_pred, features, y_true, environment = rows
    labels = check_sensitive_features(features)[0]
    where = check_environment(environment)[0]
    counts = GroupCounts.from_rows(y_pred, features, y_true=y_true, environment=environment)
    for again in (
        group_fairness(y_pred, labels, y_true=y_true, environment=where),
        group_fairness(counts),
    ):
        assert again.to_json() == result.to_json()


def test_without_outcome_or_environment(rows):
    y_pred, features, _, _ = rows
    result = group_fairness(y_pred, features, intersections=False)
    assert list(result.groups.columns) == GROUP_COLUMNS
    assert set(result.groups["environment"]) == {"pooled"}
    assert set(result.metrics["metric"]) == {"disparate_impact", "demographic_parity_difference"}
    assert "sex / race" not in set(result.groups["feature"])
    assert result.groups["tpr"].isna().all()
    assert not result.has_outcome


def test_named_references(rows):
    y_pred, features, _, _ = rows
    result = group_fairness(y_pred, features, reference={"sex": "F", "sex / race": ("M", "A")})
    lines = result.metrics.set_index(["feature", "metric"])
    assert lines.loc[("sex", "disparate_impact"), "reference"] == "F"
    assert lines.loc[("sex", "disparate_impact"), "value"] > 1
    assert lines.loc[("sex / race", "disparate_impact"), "reference"] == "M / A"
    assert lines.loc[("race", "disparate_impact"), "value"] <= 1
    one = group_fairness(y_pred, features[["sex"]], reference="F")
    assert one.metrics.iloc[0]["reference"] == "F"


def test_reference_absent_from_an_environment():
    frame = pd.DataFrame(
        {
            "e": ["u", "u", "v", "v"],
            "g": ["a", "b", "b", "c"],
            "n": 100,
            "selected": [20, 30, 40, 50],
        }
    )
    counts = GroupCounts.from_frame(frame, "g", environment="e")
    lines = group_fairness(counts, reference="a").metrics
    there = lines[(lines["environment"] == "v") & (lines["metric"] == "disparate_impact")].iloc[0]
    assert np.isnan(there["value"])
    assert "reference group is absent" in there["note"]
    assert lines.iloc[0]["value"] == pytest.approx(0.35 / 0.2)


def test_bootstrap_is_seeded(rows):
    y_pred, features, _, _ = rows

    def run(seed):
        return group_fairness(y_pred, features, method="bootstrap", random_state=seed).to_json()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_export(result):
    record = json.loads(result.to_json())
    assert record["n"] == 2000
    assert record["groups"][0]["environment"] == "pooled"
    hidden = group_fairness([0, 1] * 30 + [1], ["a"] * 60 + ["b"]).to_dict()["groups"]
    assert [line["n"] for line in hidden] == [61, None, None]
    assert result.to_frame().equals(result.metrics)
    assert "disparate_impact" in repr(result)
    assert "<table" in result._repr_html_()


def test_plot(result):
    import matplotlib.pyplot as plt

    ax = result.plot(environment=2011)
    assert len(ax.get_yticklabels()) == 11
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"sex", "race", "sex / race"} <= set(labels)
    own = plt.subplots()[1]
    assert result.plot(own) is own
    with pytest.raises(InputError, match="no 1999"):
        result.plot(environment=1999)
    plt.close("all")


Y, S = [0, 1, 1, 0], {"g": ["a", "a", "b", "b"], "h": ["x", "y", "x", "y"]}
BAD = [
    ({"reference": "a"}, "pass a mapping such as"),
    ({"reference": {"z": "a"}}, "unknown feature"),
    ({"reference": {"g": "z"}}, "no group 'z'"),
    ({"min_count": -1}, "min_count"),
    ({"confidence_level": 0}, "confidence_level"),
    ({"method": "katz"}, "method must be one of"),
    ({"environment": ["pooled", "u", "u", "u"]}, "label 'pooled'"),
    ({"sensitive_features": {"g": ["a", None, "b", "b"]}}, "1 missing value"),
    ({"random_state": -1}, "random_state"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input(change, message):
    with pytest.raises(InputError, match=message):
        group_fairness(**({"y_pred": Y, "sensitive_features": S} | change))
