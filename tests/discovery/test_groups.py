"""Variables of several columns: one node, one mechanism, one name everywhere."""

import warnings

import numpy as np
import pandas as pd
import pytest

from shiftlab.discovery import CDNOD, BootstrapDiscovery
from shiftlab.exceptions import DegenerateDataWarning, InputError

GROUPS = {"place": ["east", "north"]}


@pytest.fixture(scope="module")
def table():
    """The place moves between sites and drives the yield through its distance from 0."""
    rng = np.random.default_rng(0)
    site = np.repeat(np.arange(10), 60)
    place = 1.5 * rng.normal(size=(10, 2))[site] + rng.normal(size=(600, 2))
    harvest = np.hypot(*place.T) + 0.3 * rng.normal(size=600)
    price = -0.8 * harvest + 0.4 * rng.normal(size=600)
    return pd.DataFrame(
        {
            "price": price,
            "east": place[:, 0],
            "yield": harvest,
            "north": place[:, 1],
            "site": [f"s{k}" for k in site],
        }
    )


@pytest.fixture(scope="module")
def model(table):
    return CDNOD(environment="site").fit(table, groups=GROUPS)


def test_a_group_is_one_node(model):
    assert model.graph_.nodes == ("price", "place", "yield")
    assert model.changing_ == ["place"]
    assert model.graph_.has_edge("place", "yield")
    assert not model.graph_.has_edge("place", "price")
    assert set(model.edge_reasons_) >= {("place", "yield"), ("yield", "price")}
    assert model.result_.options["groups"] == GROUPS


def test_its_driving_force_is_that_of_all_its_columns(model, table):
    force = model.driving_force("place")
    truth = table.groupby("site")[["east", "north"]].mean().loc[list(force.points)]
    design = np.column_stack([np.ones(10), force.components])
    left = truth - design @ np.linalg.lstsq(design, truth.to_numpy(), rcond=None)[0]
    assert (1 - left.var() / truth.var() > 0.8).all()


def test_order_of_columns_and_rows_does_not_matter(model, table):
    rows = np.random.default_rng(1).permutation(len(table))
    other = table.iloc[rows, ::-1]
    found = CDNOD(environment="site").fit(other, groups={"place": ["north", "east"]})
    assert set(found.graph_.nodes) == set(model.graph_.nodes)
    assert {str(e) for e in found.graph_.edges} == {str(e) for e in model.graph_.edges}


def test_knowledge_speaks_of_the_group(table):
    known = {"forbidden": [["place", "yield"]]}
    found = CDNOD(environment="site", knowledge=known).fit(table, groups=GROUPS)
    assert str(found.graph_.edge("place", "yield")) != "place -> yield"
    with pytest.raises(InputError, match="east"):
        CDNOD(environment="site", knowledge={"forbidden": [["east", "yield"]]}).fit(
            table, groups=GROUPS
        )


def test_resamples_keep_the_group(table):
    found = BootstrapDiscovery(CDNOD(environment="site", max_cond=1), n_resamples=3).fit(
        table, groups=GROUPS
    )
    assert found.graph_.nodes == ("price", "place", "yield")
    assert found.support_.changing["place"] == 1.0


def test_the_past_of_a_group_is_a_group():
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(400, 2))
    follower = np.r_[0, np.sin(steps[:-1, 0]) * steps[:-1, 1]] + 0.2 * rng.normal(size=400)
    data = pd.DataFrame({"a": steps[:, 0], "b": steps[:, 1], "c": follower})
    found = CDNOD(lags=1).fit(data, environment=np.arange(400), groups={"ab": ["a", "b"]})
    assert "ab[t-1]" in found.graph_.nodes
    assert str(found.graph_.edge("ab[t-1]", "c")) == "ab[t-1] -> c"


def test_columns_that_do_not_vary_leave_the_group(table):
    still = table.assign(flat=1.0, level=2.0)
    groups = {"place": ["east", "north", "flat"], "nothing": ["level"]}
    with pytest.warns(DegenerateDataWarning) as said:
        found = CDNOD(environment="site").fit(still, groups=groups)
    assert {str(w.message) for w in said} == {
        "'nothing' does not vary; it is kept as an isolated variable.",
        "'flat' does not vary and is left out of 'place'.",
    }
    assert found.changing_ == ["place"]
    assert "nothing" in found.graph_.nodes
    assert not found.graph_.neighbors("nothing")


def test_grouped_columns_are_not_merged_with_others(table):
    twice = table.assign(copy=table["east"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = CDNOD(environment="site", max_cond=1).fit(twice, groups=GROUPS)
    assert found.merged_ == {}
    assert found.graph_.has_edge("place", "copy")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"place": "east"}, "in a list"),
        ({"place": []}, "at least one"),
        ({"place": ["east", "height"]}, "height"),
        ({"place": ["east"], "other": ["east"]}, "is in two groups"),
        ({"price": ["east", "north"]}, "also the name"),
        ([["east", "north"]], "mapping"),
    ],
)
def test_wrong_groups(table, groups, message):
    with pytest.raises(InputError, match=message):
        CDNOD(environment="site").fit(table, groups=groups)


@pytest.mark.parametrize("test", ["fisher_z", "gcm", "rcit", "kci"])
def test_every_test_of_numbers_takes_groups(table, test):
    found = CDNOD(test, environment="site", max_cond=1).fit(table.iloc[::2], groups=GROUPS)
    assert found.graph_.nodes == ("price", "place", "yield")
    assert found.changing_[0] == "place"
    assert found.graph_.has_edge("yield", "price")
