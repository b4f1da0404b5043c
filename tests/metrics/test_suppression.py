"""Hidden counts stay hidden: no sum or difference of what is shown gives a small group back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlab.metrics import GroupCounts, group_fairness

ENVIRONMENTS, SEXES, RACES = ["e1", "e2"], ["F", "M"], ["A", "B", "C"]


def table_of(cells, environments):
    keys = [(e, s, r) for e in environments for s in SEXES for r in RACES]
    frame = pd.DataFrame(keys, columns=["env", "sex", "race"])
    frame["n"] = cells[: len(keys)]
    frame["selected"] = frame["n"] // 2
    return frame[frame["n"] > 0]


def covers(line, cell):
    """Whether a published line sums this finest cell."""
    if line.environment not in ("pooled", cell.env):
        return False
    own = {"(all)": "(all)", "sex": cell.sex, "race": cell.race}
    own["sex / race"] = f"{cell.sex} / {cell.race}"
    return own[line.feature] == line.group


def attack(groups, frame):
    """Solve for every hidden line from the shown ones; return the lines found, with their sizes."""
    incidence = np.array(
        [[covers(line, cell) for cell in frame.itertuples()] for line in groups.itertuples()], float
    )
    shown = ~groups["suppressed"].to_numpy()
    # Independent of the rank computation of the library: exact elimination over the rationals is
    # replaced by the null space. A line is determined if no null vector of the shown ones moves it.
    _, values, right = np.linalg.svd(incidence[shown], full_matrices=True)
    rank = int((values > 1e-9).sum())
    null = right[rank:].T
    determined = np.abs(incidence @ null).max(axis=1, initial=0.0) < 1e-7
    return determined & ~shown, incidence @ frame["n"].to_numpy()


cells = st.lists(
    st.one_of(st.integers(0, 12), st.integers(0, 300)), min_size=12, max_size=12
).filter(lambda values: sum(values) > 0)


@settings(max_examples=60)
@given(cells=cells, several=st.booleans(), intersections=st.booleans())
def test_small_groups_cannot_be_recovered(cells, several, intersections):
    frame = table_of(cells, ENVIRONMENTS if several else ENVIRONMENTS[:1])
    if frame.empty:
        return
    counts = GroupCounts.from_frame(frame, ["sex", "race"], environment="env")
    groups = group_fairness(counts, intersections=intersections, min_count=10).groups
    recovered, sizes = attack(groups, frame)
    hidden = groups["suppressed"].to_numpy()
    small = (sizes > 0) & (sizes < 10)
    assert hidden[small].all()
    assert not (recovered & small).any()
    # What is hidden although it is not small serves to hide something, and is not public anyway.
    assert not recovered.any()
    assert hidden.any() == small.any()
    assert groups.loc[hidden, ["n", "selected", "rate", "low", "high"]].isna().all(axis=None)
    shown = groups[~hidden]
    np.testing.assert_array_equal(shown["n"].to_numpy(int), sizes[~hidden])


@settings(max_examples=30)
@given(cells=cells)
def test_what_is_hidden_in_a_table_is_not_small_together(cells):
    frame = table_of(cells, ENVIRONMENTS[:1])
    if frame.empty:
        return
    counts = GroupCounts.from_frame(frame, ["sex", "race"])
    groups = group_fairness(counts, intersections=False, min_count=10).groups
    total = groups[groups["feature"] == "(all)"].iloc[0]
    if total["suppressed"]:
        return
    for _, part in groups[groups["feature"] != "(all)"].groupby("feature"):
        left = int(total["n"]) - int(part["n"].sum())
        # All groups hidden, or none, or at least the minimum.
        assert left == 0 or left >= 10


def test_one_small_group_hides_the_next_smallest():
    frame = {"g": ["a", "b", "c"], "n": [100, 50, 4], "selected": [50, 20, 1]}
    result = group_fairness(GroupCounts.from_frame(frame, "g"))
    groups = result.groups.set_index("group")
    assert groups["suppressed"].to_dict() == {"(all)": False, "a": False, "b": True, "c": True}
    assert int(groups.loc["(all)", "n"]) == 154
    assert int(groups.loc["(all)", "selected"]) == 71
    metric = result.metrics.iloc[0]
    assert np.isnan(metric["value"])
    assert metric["note"].startswith("2 of 3 groups left out: small counts")


def test_pooled_groups_rest_on_all_rows():
    frame = pd.DataFrame(
        {
            "env": ["u", "u", "v", "v"],
            "g": ["a", "b", "a", "b"],
            "n": [100, 90, 80, 5],
            "selected": [50, 30, 40, 1],
        }
    )
    result = group_fairness(GroupCounts.from_frame(frame, "g", environment="env"))
    pooled = result.groups[result.groups["environment"] == "pooled"].set_index("group")
    metric = result.metrics[result.metrics["environment"] == "pooled"].iloc[0]
    # Every row counts in the pooled metric, those of the hidden group too.
    assert metric["value"] == pytest.approx((31 / 95) / (90 / 180))
    assert metric["note"] == ""
    assert int(pooled.loc["b", "n"]) == 95
    lines = result.groups.set_index(["environment", "group"])["suppressed"]
    assert lines["v", "b"]
    # The pooled group is public, so the other part of it must go.
    assert lines["u", "b"]


def test_no_minimum_hides_nothing():
    frame = {"g": ["a", "b"], "n": [100, 1], "selected": [50, 1]}
    result = group_fairness(GroupCounts.from_frame(frame, "g"), min_count=0)
    assert not result.groups["suppressed"].any()
    assert result.metrics.iloc[0]["value"] == 0.5


def test_rates_over_few_rows_are_hidden():
    # Group b has 40 rows but only 5 with a favourable outcome.
    frame = {"g": ["a", "b", "c"], "tn": [40, 25, 30], "fp": [10, 10, 10]}
    frame |= {"fn": [10, 2, 20], "tp": [40, 3, 20]}
    counts = GroupCounts.from_frame(frame, "g", confusion=["tn", "fp", "fn", "tp"])
    result = group_fairness(counts)
    groups = result.groups.set_index("group")
    assert not groups["suppressed"].any()
    assert np.isnan(groups.loc["b", "tpr"])
    assert groups.loc["b", "fpr"] == pytest.approx(10 / 35)
    metrics = result.metrics.set_index("metric")
    assert metrics.loc["equal_opportunity_difference", "value"] == pytest.approx(0.5 - 0.8)
    assert "1 of 3 groups left out" in metrics.loc["equal_opportunity_difference", "note"]
    assert metrics.loc["accuracy_difference", "note"] == ""


def test_many_groups_and_environments_take_little_time():
    import time

    rng = np.random.default_rng(0)
    n = 10_000
    features = {"a": rng.integers(0, 6, n), "b": rng.geometric(0.4, n).clip(max=8)}
    environment = rng.integers(0, 10, n)
    start = time.process_time()
    result = group_fairness(rng.integers(0, 2, n), features, environment=environment)
    assert time.process_time() - start < 5
    assert result.groups["suppressed"].any()
    assert len(result.groups) > 400
