"""Worlds: their laws, what each mechanism changes and leaves alone, and bad input."""

import itertools
import json
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from shiftlab.datasets import fetch_adult
from shiftlab.exceptions import ColumnNotFoundError, DegenerateDataError, InputError
from shiftlab.explanation import (
    ConceptShiftWorld,
    CovariateShiftWorld,
    MechanismWorld,
    OmittedVariableWorld,
    SampleImbalanceWorld,
    TableWorld,
    adult_world,
)

SMALL = {"n_train": 4000, "n_test": 2000}
WORLDS = [
    SampleImbalanceWorld(share=0.1, **SMALL),
    CovariateShiftWorld(threshold=0.4, **SMALL),
    ConceptShiftWorld(beta=-0.5, **SMALL),
    OmittedVariableWorld(alpha=2.0, **SMALL),
    MechanismWorld(imbalance=True, covariate=True, concept=True, omission=True, **SMALL),
]
OBJECTIVES = WORLDS[:4]


def sides(data, split="train"):
    """Return the rows of group 0 and of group 1."""
    frame = data.to_frame().query("split == @split")
    return [frame[frame["group"] == g].reset_index(drop=True) for g in (0, 1)]


def close(share, truth, n):
    """Tell whether a share is within four standard errors of its truth."""
    return abs(share - truth) < 4 * np.sqrt(truth * (1 - truth) / n) + 1e-12


@pytest.mark.parametrize("world", WORLDS, ids=lambda w: type(w).__name__)
@pytest.mark.parametrize("sensitive", [True, False])
def test_a_draw_is_a_pair_of_tables(world, sensitive):
    world = world.varied(include_sensitive=sensitive)
    data = world.draw(3)
    assert len(data.X_test) == len(data.y_test) == len(data.groups_test) == 2000
    assert len(data.X_train) == len(data.y_train) == len(data.groups_train)
    assert ("M" in data.X_train) == ("M" in data.categorical) == sensitive
    assert list(data.X_train) == list(data.X_test)
    if sensitive:
        assert (data.X_test["M"] == data.groups_test).all()
    again, other = world.draw(3), world.draw(4)
    pd.testing.assert_frame_equal(again.to_frame(), data.to_frame())
    assert not np.array_equal(other.X_test["L"], data.X_test["L"])
    json.loads(data.to_json())


@pytest.mark.parametrize("world", OBJECTIVES, ids=lambda w: type(w).__name__)
def test_published_worlds_draw_the_group_at_random(world):
    data = world.varied(published=True).draw(0)
    assert data.derived == {}
    assert 900 < (data.groups_test == 0).sum() < 1100
    sizes = {int((world.draw(seed).groups_test == 0).sum()) for seed in range(3)}
    assert sizes == {1000}  # the clean ones hold it


@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize("world", OBJECTIVES, ids=lambda w: type(w).__name__)
def test_the_law_of_the_covariates(world, published):
    world = world.varied(published=published, n_test=20_000).null()
    frame = world.model().sample(world._sizes(), random_state=1).full
    test = frame[frame["environment"].str.startswith("test")]
    residual = test["L"] - world.a * test["M"] - 0.3 * test["C"]
    assert stats.kstest(test["C"], "norm").pvalue > 1e-3
    assert stats.kstest(residual / world.sigma, "norm").pvalue > 1e-3


@pytest.mark.parametrize(
    ("world", "score"),
    [
        (SampleImbalanceWorld(), lambda f: 0.5 * f.C - 1.5 * f.L + 0.5),
        (CovariateShiftWorld(), lambda f: 0.5 * f.C - 1.5 * f.L + 0.5),
        (
            ConceptShiftWorld(beta=-0.7),
            lambda f: 0.5 * f.C + 1.5 * f.M * f.L - 0.7 * (1 - f.M) * f.L - f.L - 0.2,
        ),
        (OmittedVariableWorld(alpha=3.0), lambda f: 3.0 * f.C + f.L - 0.2),
    ],
)
def test_the_published_outcome_law(world, score):
    world = world.varied(published=True, n_train=40_000)
    frame = world.model().sample(world._sizes(), random_state=2).full
    for rows, truth in ((score(frame) >= 0, 0.9), (score(frame) < 0, 0.1)):
        assert close(frame["Y"][rows].mean(), truth, int(rows.sum()))


def test_other_forms_of_the_outcome():
    base = ConceptShiftWorld(n_train=60_000, n_test=100)
    for form, odds in (
        ("logistic", lambda s: 4 * s),
        ("wave", lambda s: 4 * np.sin(2 * s)),
    ):
        world = base.varied(form=form)
        frame = world.model().sample(world._sizes(), random_state=2).full
        score = 0.5 * frame["C"] + 0.5 * frame["L"] - 0.2
        expected = 1 / (1 + np.exp(-odds(score)))
        for low in (-1.0, -0.3, 0.1, 0.7):
            rows = (score > low) & (score < low + 0.2)
            assert close(frame["Y"][rows].mean(), expected[rows].mean(), int(rows.sum()))


def test_imbalance_removes_rows_of_one_group_only():
    many, few = (SampleImbalanceWorld(share=s, **SMALL).draw(5) for s in (0.5, 0.1))
    pd.testing.assert_frame_equal(sides(many)[1], sides(few)[1])
    assert len(sides(few)[0]) == round(2000 / 9)
    pd.testing.assert_frame_equal(many.X_test, few.X_test)
    published = SampleImbalanceWorld(share=0.1, published=True, **SMALL).draw(5)
    assert len(published.y_train) == 4000


def test_a_cut_changes_the_covariates_and_not_the_size():
    data = CovariateShiftWorld(threshold=0.4, **SMALL).draw(5)
    null = CovariateShiftWorld(threshold=0.4, **SMALL).null().draw(5)
    zero, one = sides(data)
    assert len(zero) == len(one) == 2000
    assert zero["L"].min() >= 0.4
    pd.testing.assert_frame_equal(one, sides(null)[1])
    pd.testing.assert_frame_equal(data.X_test, null.X_test)


def test_the_published_cut_loses_rows():
    world = CovariateShiftWorld(published=True, n_train=200_000, n_test=100)
    for threshold, left in ((0.45, 0.22), (0.9, 0.0615), (1.35, 0.0103)):
        data = world.varied(threshold=threshold).draw(1)
        zero = (data.groups_train == 0).sum()
        assert close(zero / 100_000, left, 100_000) or abs(zero / 100_000 - left) < 0.004
        assert data.X_train["L"][data.groups_train == 0].min() >= threshold


@pytest.mark.parametrize("kind", ["truncate", "tilt", "mean"])
def test_all_kinds_of_covariate_shift_have_one_strength(kind):
    world = CovariateShiftWorld(threshold=0.45, kind=kind, n_train=20_000, n_test=100)
    zero = sides(world.draw(2))[0]
    spread = np.hypot(0.3, 0.5)
    tail = stats.norm.pdf(0.45 / spread) / stats.norm.sf(0.45 / spread)
    assert abs(zero["L"].mean() - spread * tail) < 0.02
    # What comes with L: by selection and by a tilt C moves along, by a shift of L it does not.
    expected = 0.0 if kind == "mean" else 0.3 / spread * tail
    assert abs(zero["C"].mean() - expected) < 0.04


def test_concept_shift_changes_the_outcome_of_one_group():
    data, null = (ConceptShiftWorld(beta=b, **SMALL).draw(5) for b in (-0.5, 1.5))
    pd.testing.assert_frame_equal(data.X_train, null.X_train)
    assert (data.y_train == null.y_train)[data.groups_train == 1].all()
    assert (data.y_train != null.y_train)[data.groups_train == 0].mean() > 0.1


def test_the_product_is_an_input_only_with_the_sensitive_attribute():
    world = ConceptShiftWorld(include_sensitive=True, **SMALL)
    for published, derived in ((False, {"LM": ("L", "M")}), (True, {})):
        data = world.varied(published=published).draw(0)
        np.testing.assert_array_equal(data.X_test["LM"], data.X_test["L"] * data.X_test["M"])
        assert data.derived == derived


def test_a_clean_omission_takes_a_column_away_and_nothing_else():
    world = OmittedVariableWorld(alpha=2.0, **SMALL)
    omitted, seen = world.draw(5), world.null().draw(5)
    assert list(omitted.X_train) == ["L"]
    pd.testing.assert_series_equal(omitted.X_train["L"], seen.X_train["L"])
    np.testing.assert_array_equal(omitted.y_train, seen.y_train)
    assert world.varied(published=True).null().alpha == 0


def test_mechanisms_touch_their_own_part():
    null = MechanismWorld(**SMALL).draw(9)
    for name in ("imbalance", "covariate", "concept", "omission"):
        data = MechanismWorld(**{name: True}, **SMALL).draw(9)
        pd.testing.assert_series_equal(data.X_test["L"], null.X_test["L"])
        same = sides(data)[1]["L"].equals(sides(null)[1]["L"])
        assert same
        assert (len(sides(data)[0]) < 2000) == (name == "imbalance")
        assert (list(data.X_test) == ["L"]) == (name == "omission")
        changed = not sides(data)[0]["L"].equals(sides(null)[0]["L"])
        assert changed == (name in ("imbalance", "covariate"))
        assert (not np.array_equal(data.y_test, null.y_test)) == (name == "concept")


@pytest.mark.parametrize("world", WORLDS, ids=lambda w: type(w).__name__)
def test_worlds_describe_themselves(world):
    text = world.equations()
    assert "L := " in text
    assert "model inputs: " in text
    assert world.aim
    with pytest.raises(FrozenInstanceError):
        world.n_train = 3
    assert eval(repr(world)) == world  # noqa: S307 - the text is ours


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SampleImbalanceWorld(share=0), "share must be a number from 0.001 to 0.999"),
        (lambda: SampleImbalanceWorld(share=float("nan")), "share"),
        (lambda: SampleImbalanceWorld(n_train=1), "n_train"),
        (lambda: SampleImbalanceWorld(include_sensitive="yes"), "include_sensitive"),
        (lambda: CovariateShiftWorld(threshold=9.0), "threshold must be a number from -5 to 3"),
        (lambda: CovariateShiftWorld(kind="cut"), "kind must be one of"),
        (lambda: CovariateShiftWorld(kind="tilt", published=True), "published covariate shift"),
        (lambda: ConceptShiftWorld(beta="strong"), "beta must be a finite number"),
        (lambda: ConceptShiftWorld(form="wave", published=True), "form='step'"),
        (lambda: ConceptShiftWorld(form="cubic"), "form must be one of"),
        (lambda: OmittedVariableWorld(omit=False, published=True), "published omitted variable"),
        (lambda: MechanismWorld(published=True), "no world with four mechanisms"),
        (lambda: MechanismWorld(concept=2), "concept must be one of"),
        (lambda: ConceptShiftWorld().varied(gamma=1), "no field 'gamma'"),
    ],
)
def test_bad_worlds_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_draws_that_carry_no_model_are_refused():
    with pytest.raises(InputError, match=r"keeps .* of the rows: too few"):
        CovariateShiftWorld(threshold=1.75, n_train=600, n_test=100).draw(0)
    world = SampleImbalanceWorld(published=True, n_train=4, n_test=4)
    with pytest.raises(DegenerateDataError, match=r"1 class\(es\)|one group only"):
        [world.draw(seed) for seed in range(40)]


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(40, 10, 3000), "gain": rng.exponential(5, 3000)})
    frame["flat"] = 1.0
    frame["club"] = rng.integers(0, 2, 3000)
    frame["sex"] = rng.choice(["f", "m"], 3000, p=[0.3, 0.7])
    frame["y"] = (frame["age"] + rng.normal(0, 10, 3000) > 45).astype(int)
    return frame


@pytest.fixture(scope="module")
def table(people):
    names = {"outcome": "y", "group": "sex", "zero": "f", "categorical": ("club",)}
    return TableWorld(frame=people, n_train=900, n_test=600, **names)


def test_table_draws_are_disjoint_rows(table, people):
    before = people.copy()
    data = table.varied(include_sensitive=True).draw(1)
    pd.testing.assert_frame_equal(people, before)
    assert (len(data.X_train), len(data.X_test)) == (900, 600)
    assert data.categorical == ("club", "sex")
    assert (data.X_test["sex"] == data.groups_test).all()
    assert abs(data.X_train["age"].mean()) < 1e-9
    assert abs(data.X_train["age"].std(ddof=0) - 1) < 1e-9
    assert set(data.X_train["flat"]) == {0.0}
    assert not set(data.X_train["age"].round(9)) & set(data.X_test["age"].round(9))
    assert abs((data.groups_train == 0).mean() - (people["sex"] == "f").mean()) < 0.01


def test_table_mechanisms(table):
    null = table.draw(1)
    few = table.varied(share=0.1).draw(1)
    assert (few.groups_train == 0).sum() == 90
    tilted = table.varied(tilt=("age", 1.5)).draw(1)
    assert (tilted.groups_train == 0).sum() == (null.groups_train == 0).sum()
    ages = [d.X_train["age"][d.groups_train == 0].mean() for d in (null, tilted)]
    assert ages[1] > ages[0] + 0.5
    np.testing.assert_array_equal(tilted.y_test, null.y_test)
    changed = table.varied(relabel=("gain", 1.0)).draw(1)
    zero = changed.groups_test == 0
    assert (changed.y_test == null.y_test)[~zero].all()
    gain = changed.X_test["gain"][zero]
    assert gain[changed.y_test[zero] == 1].min() >= gain[changed.y_test[zero] == 0].max()
    less = table.varied(omit=["age", "club"]).draw(1)
    assert list(less.X_test) == ["gain", "flat"]
    assert less.categorical == ()
    imposed = table.varied(omit=("age",), share=0.2, tilt=("gain", 1), relabel=("age", 0.5))
    pd.testing.assert_frame_equal(imposed.null().draw(1).to_frame(), null.to_frame())
    assert "tilt of group 0" in imposed.equations()
    assert "nothing imposed" in table.equations()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"outcome": "income"}, ColumnNotFoundError, "outcome: the table has no column 'income'"),
        ({"group": "gender"}, ColumnNotFoundError, "group: the table has no column"),
        ({"zero": "x"}, InputError, "must have two groups or more, one of them zero='x'"),
        ({"outcome": "age"}, InputError, "must be 0 or 1"),
        ({"omit": ("height",)}, ColumnNotFoundError, "no column 'height'"),
        ({"omit": ("age", "gain", "flat", "club")}, InputError, "no feature"),
        ({"share": 1.5}, InputError, "share must be a number"),
        ({"tilt": "age"}, InputError, "tilt must be a pair"),
        ({"tilt": ("age", "much")}, InputError, "second part of tilt"),
        ({"relabel": ("age", 2.0)}, InputError, "relabel share"),
    ],
)
def test_bad_table_worlds_are_refused(table, change, error, message):
    with pytest.raises(error, match=message):
        table.varied(**change)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.to_numpy(), "must be a pandas DataFrame"),
        (lambda f: f.assign(age=f["age"].where(f["age"] < 50)), "missing cells in 'age'"),
        (lambda f: f.assign(age="old"), "'age' are not numeric"),
        (lambda f: f.assign(age=np.inf), "infinite"),
        (lambda f: f.assign(sex=f["sex"].iloc[0]), "1 group"),
    ],
)
def test_bad_tables_are_refused(table, people, spoil, message):
    with pytest.raises(InputError, match=message):
        table.varied(frame=spoil(people))


def test_too_few_rows_of_a_group(table):
    with pytest.raises(DegenerateDataError, match="training rows of group 0 are wanted"):
        table.varied(share=0.9, n_train=2000).draw(0)


def test_adult(shared_data, monkeypatch):
    monkeypatch.setenv("SHIFTLAB_DATA", str(shared_data))
    data = fetch_adult()
    world = adult_world(data, include_sensitive=True, omit=("capital_gain", "married"))
    drawn = world.draw(0)
    assert list(drawn.X_test) == [
        "age", "education_num", "hours_per_week", "capital_loss", "white", "sex",
    ]  # fmt: skip
    assert (len(drawn.y_train), len(drawn.y_test)) == (12_000, 1200)
    assert 0.25 < (drawn.groups_train == 0).mean() < 0.4
    assert 0.08 < drawn.y_train[drawn.groups_train == 0].mean() < 0.14
    with pytest.raises(ColumnNotFoundError, match="fetch_adult"):
        adult_world(data.frame.drop(columns="race"))


class TestMoreGroups:
    def test_groups_between_the_two(self):
        world = ConceptShiftWorld(
            n_groups=4, beta=-0.5, n_train=400, n_test=202, include_sensitive=True
        )
        data = world.draw(0)
        assert np.bincount(data.groups_train).tolist() == [100, 100, 100, 100]
        assert np.bincount(data.groups_test).tolist() == [52, 50, 50, 50]
        np.testing.assert_allclose(data.X_test["M"], data.groups_test / 3)
        means = pd.Series(data.X_test["L"]).groupby(data.groups_test).mean()
        assert means.is_monotonic_increasing

    def test_only_group_0_is_touched(self):
        worlds = [
            CovariateShiftWorld(n_groups=3, threshold=t, n_train=300, n_test=90).draw(1)
            for t in (-5.0, 0.45)
        ]
        rows = [w.X_train[w.groups_train > 0].reset_index(drop=True) for w in worlds]
        pd.testing.assert_frame_equal(*rows)
        assert worlds[1].X_train["L"][worlds[1].groups_train == 0].min() >= 0.45
        few = SampleImbalanceWorld(n_groups=3, share=0.2, n_train=300, n_test=90).draw(0)
        assert np.bincount(few.groups_train).tolist() == [25, 100, 100]

    def test_the_published_worlds_have_two(self):
        with pytest.raises(InputError, match="n_groups=2, found 3"):
            ConceptShiftWorld(n_groups=3, published=True)
        with pytest.raises(InputError, match="n_groups"):
            ConceptShiftWorld(n_groups=1)

    def test_a_table_with_three(self):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({"x": rng.normal(size=600), "g": rng.choice(["c", "a", "b"], 600)})
        frame["y"] = (frame["x"] + rng.normal(size=600) > 0).astype(int)
        world = TableWorld(
            frame=frame, outcome="y", group="g", zero="b", n_train=200, n_test=150,
            include_sensitive=True, share=0.1,
        )  # fmt: skip
        data = world.draw(0)
        assert set(data.groups_test) == {0, 1, 2}
        assert (data.groups_train == 0).sum() == 20
        np.testing.assert_array_equal(data.X_test["g"], data.groups_test)

    def test_a_study_of_three_groups(self):
        from shiftlab.explanation import ExplanationDisparityStudy, LimeExplainer

        study = ExplanationDisparityStudy(
            ConceptShiftWorld(n_groups=3, n_train=300, n_test=90),
            {"beta": [-0.5, 1.5]},
            explainers={"lime": LimeExplainer(n_samples=50, n_blocks=2, standard_errors=False)},
            metrics=["mae", "accuracy", "auroc"],
            n_replicates=2,
            random_state=0,
        )
        result = study.run()
        row = result.to_frame().query("metric == 'mae'").iloc[0]
        values = row[["group_0", "group_1", "group_2"]].to_numpy(dtype=float)
        pairs = [abs(a - b) for a, b in itertools.combinations(values, 2)]
        assert row["mean_gap"] == pytest.approx(np.mean(pairs))
        assert row["signed_gap"] == pytest.approx(values[0] - values[1:].mean())
        assert row["max_gap"] == pytest.approx(max(values) - row["overall"])
        assert row["n_0"] + row["n_1"] + row["n_2"] == 90
        assert "group_2" in set(result.summary()["measure"])
        assert "group_2" in result.ademp()
