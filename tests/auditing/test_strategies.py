"""Manipulation strategies: they reach their target the way they say, and are stamped."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression

from shiftlab.auditing import entropic_projection, manipulate, wasserstein_projection
from shiftlab.auditing._strategies import MOVING, SAMPLING, STRATEGIES
from shiftlab.auditing._strategies_data import Source
from shiftlab.auditing._strategies_sampling import _inclusion, case_control_shares, optimal_counts
from shiftlab.auditing._strategies_stealth import stealthy_shares
from shiftlab.exceptions import ColumnNotFoundError, DegenerateDataError, InputError

ROLES = {"decision": "hired", "sensitive_features": "sex"}


def make(n=600, n_groups=2):
    rng = np.random.default_rng(0)
    sex = rng.choice(np.array(["f", "m", "x"])[:n_groups], n)
    x, z = rng.normal(size=n) + 0.7 * (sex == "m"), rng.integers(0, 6, n)
    town = rng.choice(["north", "south"], n)
    score = LogisticRegression().fit(np.c_[x, z], x + z / 3 + rng.normal(size=n) > 1.7)
    frame = pd.DataFrame({"x": x, "z": z, "town": town, "sex": sex})
    frame["hired"] = score.predict(np.c_[x, z]).astype(int)
    return frame, score


FRAME, SCORE = make()


class Named:
    """A model that says which columns it reads."""

    feature_names_in_ = np.array(["x", "z"])

    def predict(self, rows):
        return SCORE.predict(np.asarray(rows, dtype=float)).astype(int)


def run(strategy, data=FRAME, **options):
    if strategy in SAMPLING:
        options.setdefault("n_samples", 120)
    if strategy.startswith("gradient"):
        options.setdefault("model", Named())
    return manipulate(data, strategy=strategy, random_state=0, **{**ROLES, **options})


def ratio(frame):
    rates = frame.groupby("sex")["hired"].mean()
    return rates.min() / rates.max()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_says_what_it_did(strategy):
    found = run(strategy, n_tries=50)
    assert found.stamp["synthetic"] is True
    assert found.to_frame().attrs["shiftlab"]["strategy"] == strategy
    assert found.to_dict()["stamp"]["synthetic"] is True
    assert "synthetic" in repr(found)
    assert list(found.data.columns) == list(FRAME.columns)
    assert found.data.dtypes.astype(str).tolist() == FRAME.dtypes.astype(str).tolist()
    assert found.value_before == pytest.approx(ratio(FRAME))
    assert found.value_after == pytest.approx(ratio(found.data))
    assert found.accepted
    assert found.value_after >= 0.8
    same = found.data.reset_index(drop=True) == FRAME.iloc[found.rows].reset_index(drop=True)
    np.testing.assert_array_equal(~same.all(axis=1), found.changed)


@pytest.mark.parametrize("strategy", MOVING)
def test_moving_strategies_return_all_rows_in_order(strategy):
    found = run(strategy)
    np.testing.assert_array_equal(found.rows, np.arange(len(FRAME)))
    assert 0 < found.changed.sum() < 0.25 * len(FRAME)
    drawn = run(strategy, n_samples=200)
    assert len(drawn.data) == 200
    assert len(set(drawn.rows)) == 200


@pytest.mark.parametrize("strategy", SAMPLING)
def test_sampling_strategies_hand_in_genuine_distinct_rows(strategy):
    found = run(strategy)
    assert not found.changed.any()
    assert len(set(found.rows)) == len(found.rows) == 120
    pd.testing.assert_frame_equal(
        found.data.reset_index(drop=True), FRAME.iloc[found.rows].reset_index(drop=True)
    )


def test_replace_leaves_covariates_alone():
    found = run("replace")
    pd.testing.assert_frame_equal(found.data[["x", "z", "town"]], FRAME[["x", "z", "town"]])
    assert found.cost == pytest.approx(
        wasserstein_projection(FRAME["hired"], FRAME["sex"]).distance, abs=0.01
    )


def test_match_copies_rows_of_the_data():
    found = run("match")
    known = set(map(tuple, FRAME.to_numpy()))
    assert {tuple(row) for row in found.data.to_numpy()} <= known


@pytest.mark.parametrize("strategy", ["gradient", "gradient_columns"])
def test_after_a_gradient_move_the_model_still_decides_so(strategy):
    found = run(strategy)
    np.testing.assert_array_equal(Named().predict(found.data[["x", "z"]]), found.data["hired"])
    pd.testing.assert_frame_equal(found.data[["town", "sex"]], FRAME[["town", "sex"]])
    assert set(found.data["z"]) <= set(FRAME["z"])
    if strategy == "gradient_columns":
        assert set(found.data["x"]) <= set(FRAME["x"])


def test_entropic_samples_have_the_shares_of_the_projection():
    projection = entropic_projection(FRAME["hired"], FRAME["sex"], margin="free")
    totals = np.zeros((2, 2))
    for seed in range(200):
        found = manipulate(FRAME, strategy="entropic", n_samples=100, random_state=seed, **ROLES)
        totals += found.counts_after
    share = projection.mass_after.sum(axis=1)
    statistic = ((totals - 20_000 * share) ** 2 / (20_000 * share)).sum()
    assert statistic < chi2.ppf(0.999, 3)


def source(frame=FRAME):
    return Source.read(frame, "hired", "sex", "standard", None)


def test_case_control_keeps_shares_of_groups_and_of_favourable_decisions():
    here = source()
    shares = case_control_shares(here, 0.8).shares.reshape(-1, 2)
    before = here.counts.reshape(-1, 2) / len(FRAME)
    np.testing.assert_allclose(shares.sum(axis=1), before.sum(axis=1))
    np.testing.assert_allclose(shares.sum(axis=0), before.sum(axis=0))
    rates = shares[:, 1] / shares.sum(axis=1)
    assert rates.min() / rates.max() == pytest.approx(0.8)


def test_stealthy_weights_keep_cells_and_cap_and_stay_near():
    here = source(FRAME.iloc[:300])
    base = case_control_shares(here, 0.8)
    found = stealthy_shares(here, base, 100)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights.max() <= 0.01 + 1e-9
    np.testing.assert_allclose(np.bincount(here.cells, found.weights), base.shares, atol=1e-9)
    # Spreading the same shares evenly moves the covariates further.
    from shiftlab.transport import wasserstein

    points = here.coordinates.points
    even = (base.shares / here.counts)[here.cells]
    far = wasserstein(points, points, p=2, x_weights=even).distance
    near = wasserstein(points, points, p=2, x_weights=found.weights).distance
    assert near < far
    assert near <= found.cost + 1e-9  # the transport there is restricted to near rows


def test_stealth_in_a_large_table_costs_hardly_more(monkeypatch):
    here = source()
    base = case_control_shares(here, 0.8)
    wide = stealthy_shares(here, base, 120)
    monkeypatch.setattr("shiftlab.auditing._strategies_stealth._WIDE_ROWS", 100)
    narrow = stealthy_shares(here, base, 120)
    assert wide.cost <= narrow.cost + 1e-12
    assert narrow.cost < 1.05 * wide.cost
    np.testing.assert_allclose(np.bincount(here.cells, narrow.weights), base.shares, atol=1e-9)


def test_published_stealth(shared_data):
    arrays = np.load(shared_data / "inspection_arrays" / "adult.npz")
    frame = pd.DataFrame(arrays["X"][:1500].astype(float)).rename(columns=str)
    frame = frame.assign(sex=arrays["s"][:1500], hired=arrays["yhat"][:1500])
    found = run("stealthy", frame, scale="none", n_samples=300, n_tries=30)
    assert found.value_after >= 0.8


def test_optimal_counts_are_those_of_all_tables():
    frame, _ = make(120)
    here, m = source(frame), 30
    counts = optimal_counts(here, 0.9, m).counts
    population = here.counts / here.counts.sum()

    def statistic(table):
        present = table > 0
        return (table[present] * np.log(table[present] / m / population[present])).sum()

    best = np.inf
    limits = np.minimum(here.counts, m)
    for a, b, c in np.ndindex(*(limits[:3] + 1)):
        d = m - a - b - c
        table = np.array([a, b, c, d])
        if 0 <= d <= limits[3] and a + b and c + d and b + d:
            rates = np.array([b / (a + b), d / (c + d)])
            if rates.min() >= 0.9 * rates.max() - 1e-12:
                best = min(best, statistic(table))
    assert statistic(counts) == pytest.approx(best, rel=0.02)
    assert statistic(counts) >= best - 1e-12


def test_inclusion_probabilities_reach_the_size_and_stay_below_one():
    weights = np.array([100.0, 1, 1, 1, 1, 0])
    chance = _inclusion(weights, 3)
    assert chance.sum() == pytest.approx(3)
    assert chance.max() == 1
    np.testing.assert_allclose(chance[1:5], 0.5)


def test_accept_decides_what_is_handed_in():
    seen = []

    def refuse(table):
        seen.append(len(table))
        return False

    found = run("optimal", accept=refuse, n_tries=4)
    assert not found.accepted
    assert found.n_tries == 4
    assert seen == [120] * 4


@pytest.mark.parametrize("strategy", ["replace", *SAMPLING])
def test_equal_seeds_give_equal_samples(strategy):
    first, second = run(strategy), run(strategy)
    pd.testing.assert_frame_equal(first.data, second.data)


@pytest.mark.parametrize("strategy", ["replace", "gradient", "entropic"])
def test_polars_in_polars_out(strategy):
    found = run(strategy, pl.from_pandas(FRAME))
    assert isinstance(found.data, pl.DataFrame)
    plain = run(strategy)
    assert found.data.to_pandas().astype(str).equals(plain.data.reset_index(drop=True).astype(str))


def test_several_groups_and_features():
    frame, _ = make(n_groups=3)
    for strategy in ("replace", "match", "entropic", "case_control", "optimal"):
        found = run(strategy, frame, n_tries=60, target=0.75)
        assert found.value_after >= 0.75
    both = run("match", sensitive_features=["sex", "town"], target=0.7)
    assert both.value_after >= 0.7
    assert len(both.groups) == 4


class TestBadInput:
    def test_unknown_column(self):
        with pytest.raises(ColumnNotFoundError, match="hird"):
            run("match", decision="hird")

    def test_unknown_strategy(self):
        with pytest.raises(InputError, match="strategy"):
            manipulate(FRAME, strategy="magic", **ROLES)

    @pytest.mark.parametrize("target", [0, 1.5, "high"])
    def test_target(self, target):
        with pytest.raises(InputError, match="target"):
            run("match", target=target)

    def test_target_below_the_present_value_changes_nothing(self):
        found = run("match", target=0.01)
        assert not found.changed.any()
        assert found.cost == 0

    def test_missing_label(self):
        with pytest.raises(InputError, match="missing"):
            run("match", FRAME.assign(sex=[None, *FRAME["sex"][1:]]))

    def test_missing_cell(self):
        frame = FRAME.assign(x=[np.nan, *FRAME["x"][1:]])
        with pytest.raises(InputError, match="data: column 'x'"):
            run("match", frame)
        assert run("optimal", frame).accepted  # needs no distances

    def test_one_class(self):
        with pytest.raises(DegenerateDataError, match="favourable"):
            run("match", FRAME.assign(hired=0))

    def test_sample_as_large_as_the_population(self):
        with pytest.raises(InputError, match="n_samples"):
            run("entropic", n_samples=len(FRAME))
        with pytest.raises(InputError, match="n_samples"):
            run("optimal", n_samples=len(FRAME))
        with pytest.raises(InputError, match="n_samples"):
            run("replace", n_samples=len(FRAME) + 1)

    def test_size_is_needed(self):
        with pytest.raises(InputError, match="n_samples"):
            run("entropic", n_samples=None)

    def test_model_where_there_is_none(self):
        with pytest.raises(InputError, match="model"):
            run("gradient", model=None)
        with pytest.raises(InputError, match="model"):
            run("match", model=Named())

    def test_model_of_other_columns(self):
        class Other(Named):
            feature_names_in_ = np.array(["x", "salary"])

        with pytest.raises(InputError, match="salary"):
            run("gradient", model=Other())

    def test_column_with_two_roles(self):
        with pytest.raises(InputError, match="hired"):
            run("match", sensitive_features=["hired"])
