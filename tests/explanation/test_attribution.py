"""Attribution of a disparity: against the definition over all orders, and in known cases."""

import itertools
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from shiftlab.exceptions import InputError
from shiftlab.explanation import (
    ConceptShiftWorld,
    ExplanationDisparityStudy,
    LimeExplainer,
    MechanismWorld,
    attribute_disparity,
)

NAMES = ("imbalance", "covariate", "concept", "omission")
LIME = LimeExplainer(n_samples=40, n_blocks=2, standard_errors=False)


@pytest.fixture(scope="module")
def result():
    study = ExplanationDisparityStudy(
        MechanismWorld(n_train=300, n_test=60, include_sensitive=True),
        {name: [False, True] for name in NAMES},
        explainers={"lime": LIME},
        metrics=["mae", "accuracy"],
        n_replicates=3,
        random_state=0,
    )
    return study.run()


def invented(result, worth):
    """Replace the signed gaps by a function of the mechanisms that are on."""
    rows = result.study.rows.copy()
    rows["signed_gap"] = [
        worth({n for n in NAMES if row[n]}, row["replicate"]) for row in rows.to_dict("records")
    ]
    return replace(result, study=replace(result.study, rows=rows))


def by_all_orders(rows):
    """Shapley values by the definition: mean change over all orders of switching on."""
    worth = {
        frozenset(n for n in NAMES if row[n]): row["signed_gap"] for row in rows.to_dict("records")
    }
    parts = dict.fromkeys(NAMES, 0.0)
    for order in itertools.permutations(NAMES):
        for position, name in enumerate(order):
            before = frozenset(order[:position])
            parts[name] += (worth[before | {name}] - worth[before]) / 24
    return parts


def test_values_are_the_mean_over_all_orders(result):
    rows = result.to_frame().query("metric == 'mae'")
    truth = pd.DataFrame([by_all_orders(part) for _, part in rows.groupby("replicate")])
    found = attribute_disparity(result).to_frame().query("metric == 'mae'").set_index("mechanism")
    for name in NAMES:
        assert found.loc[name, "value"] == pytest.approx(truth[name].mean(), abs=1e-14)
        assert found.loc[name, "mcse"] == pytest.approx(truth[name].std() / np.sqrt(3), abs=1e-14)


@pytest.mark.parametrize("path", [False, True])
@pytest.mark.parametrize("measure", ["signed_gap", "mean_gap", "group_0"])
def test_efficiency(result, path, measure):
    table = attribute_disparity(result, measure=measure, path=path).to_frame()
    rows = result.to_frame()
    on = rows[list(NAMES)].all(axis=1)
    off = ~rows[list(NAMES)].any(axis=1)
    for metric, part in table.groupby("metric"):
        values = part.set_index("mechanism")["value"]
        mine = rows["metric"] == metric
        total = rows[mine & on][measure].mean() - rows[mine & off][measure].mean()
        assert values["total"] == pytest.approx(total, abs=1e-13)
        assert values.drop("total").sum() == pytest.approx(total, abs=1e-13)


def test_known_games(result):
    effects = {"imbalance": 0.1, "covariate": -0.3, "concept": 0.2, "omission": 0.0}

    def worth(on, replicate):
        bonus = 0.6 if {"covariate", "concept"} <= on else 0.0
        return sum(effects[n] for n in on) + bonus + 0.01 * replicate * ("imbalance" in on)

    game = invented(result, worth)
    attribution = attribute_disparity(game)
    parts = attribution.to_frame().query("metric == 'mae'").set_index("mechanism")
    expected = {"imbalance": 0.11, "covariate": 0.0, "concept": 0.5, "omission": 0.0}
    for name, value in expected.items():
        assert parts.loc[name, "value"] == pytest.approx(value, abs=1e-12)
    assert parts.loc["imbalance", "mcse"] == pytest.approx(0.01 / np.sqrt(3))
    assert parts.loc["imbalance", "same_sign"] == 1
    pairs = attribution.interactions().query("metric == 'mae'").set_index(["mechanism", "with"])
    assert pairs.loc[("covariate", "concept"), "value"] == pytest.approx(0.6)
    others = pairs["value"].drop(("covariate", "concept"))
    np.testing.assert_allclose(others, 0, atol=1e-12)

    order = ["concept", "covariate", "omission", "imbalance"]
    path = attribute_disparity(game, order, path=True).to_frame().query("metric == 'mae'")
    steps = path.set_index("mechanism")["value"]
    assert list(steps.index) == [*order, "total"]
    assert steps["concept"] == pytest.approx(0.2)
    assert steps["covariate"] == pytest.approx(0.3)


def test_subsets_of_mechanisms_leave_groups(result):
    table = attribute_disparity(result, ["concept", "omission"]).to_frame()
    assert list(table.columns[:4]) == ["imbalance", "covariate", "metric", "mechanism"]
    assert len(table) == 4 * 2 * 3


def test_incomplete_replicates_are_left_out_and_counted(result):
    def worth(on, replicate):
        return np.nan if replicate == 1 and on == {"concept"} else float(len(on))

    table = attribute_disparity(invented(result, worth)).to_frame()
    assert (table["n_replicates"] == 2).all()
    assert (table["n_missing"] == 1).all()
    with pytest.raises(InputError, match="No replicate has 'signed_gap' in all 16 worlds"):
        attribute_disparity(invented(result, lambda on, r: np.nan if not on else 1.0))


def test_one_mechanism_is_the_paired_difference():
    study = ExplanationDisparityStudy(
        ConceptShiftWorld(n_train=300, n_test=60, include_sensitive=True),
        {"beta": [1.5, -0.5]},
        explainers={"lime": LIME},
        metrics=["mae"],
        n_replicates=4,
        random_state=0,
    )
    found = study.run()
    parts = attribute_disparity(found).to_frame().set_index("mechanism")
    difference = found.contrast("beta", 1.5, ["signed_gap"]).iloc[0]
    assert parts.loc["beta", "value"] == pytest.approx(difference["value"])
    assert parts.loc["beta", "mcse"] == pytest.approx(difference["mcse"])
    assert attribute_disparity(found).interactions().empty


def test_bars(result):
    attribution = attribute_disparity(result)
    ax = attribution.plot(metric="mae")
    assert [t.get_text() for t in ax.get_xticklabels()] == [*NAMES, "total"]
    heights = [bar.get_height() for bar in ax.patches]
    table = attribution.to_frame().query("metric == 'mae'")
    np.testing.assert_allclose(heights, table["value"])
    with pytest.raises(InputError, match="metric must be one of"):
        attribution.plot(metric="auroc")
    plt.close("all")
    assert "concept" in repr(attribution)


def test_unfit_studies(result):
    with pytest.raises(InputError, match="'model' has another number"):
        attribute_disparity(result, ["concept", "model"])
    with pytest.raises(InputError, match="'gender' is no factor"):
        attribute_disparity(result, ["gender"])
    with pytest.raises(InputError, match="measure must be one of"):
        attribute_disparity(result, measure="gap")
    rows = result.study.rows
    part = replace(result.study, rows=rows[~(rows["concept"] & rows["omission"])])
    with pytest.raises(InputError, match="4 of 16 worlds are not in the study"):
        attribute_disparity(replace(result, study=part))
