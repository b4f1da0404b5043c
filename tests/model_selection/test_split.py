"""Splits keep environments whole, whatever channel tells them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.model_selection import (
    BlockedEnvironmentSplit,
    EnvironmentKFold,
    LeaveOneEnvironmentOut,
)

RNG = np.random.default_rng(0)
SITE = RNG.permutation(np.repeat([f"s{i:02d}" for i in range(12)], RNG.integers(1, 9, 12)))
X = RNG.normal(size=(len(SITE), 2))
SPLITTERS = [EnvironmentKFold(4), BlockedEnvironmentSplit(4), LeaveOneEnvironmentOut()]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: type(s).__name__)
class TestEverySplitter:
    def test_environments_stay_whole_and_each_is_tested_once(self, splitter):
        tested = []
        for train, test in splitter.split(X, groups=SITE):
            assert not set(SITE[train]) & set(SITE[test])
            assert len(train) + len(test) == len(SITE)
            tested += list(test)
        assert sorted(tested) == list(range(len(SITE)))

    @pytest.mark.parametrize("kind", ["pandas", "polars", "array"])
    def test_a_column_says_the_same_as_the_keyword(self, splitter, kind):
        frame = pd.DataFrame({"a": X[:, 0], "site": SITE})
        table = {"pandas": frame, "polars": pl.from_pandas(frame), "array": frame.to_numpy()}[kind]
        by_column = clone_with(splitter, environment=1 if kind == "array" else "site")
        for ours, theirs in zip(
            by_column.split(table), splitter.split(X, groups=SITE), strict=True
        ):
            assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))

    def test_does_not_depend_on_labels_or_repeat_differently(self, splitter):
        first = list(splitter.split(X, groups=SITE))
        renamed = np.char.add("x", SITE)
        for again in (splitter.split(X, groups=SITE), splitter.split(X, groups=renamed)):
            for a, b in zip(first, again, strict=True):
                assert np.array_equal(a[1], b[1])

    def test_number_of_splits(self, splitter):
        n = splitter.get_n_splits(X, groups=SITE)
        assert n == len(list(splitter.split(X, groups=SITE)))

    def test_bad_input(self, splitter):
        with pytest.raises(InputError, match="environment"):
            list(splitter.split(X))
        with pytest.raises(InputError, match="environment has"):
            list(splitter.split(X, groups=SITE[:-1]))
        with pytest.raises(InputError, match="at least 2"):
            list(splitter.split(X, groups=np.zeros(len(X))))
        frame = pd.DataFrame(X, columns=["a", "b"])
        with pytest.raises(ColumnNotFoundError, match="place"):
            list(clone_with(splitter, environment="place").split(frame))
        with pytest.raises(InputError, match="twice"):
            list(clone_with(splitter, environment=0).split(X, groups=SITE))

    def test_inside_a_search(self, splitter):
        y = X @ [1.0, 2.0]
        search = GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}, cv=splitter,
                              scoring="neg_mean_squared_error")  # fmt: skip
        assert search.fit(X, y, groups=SITE).best_score_ <= 0

    def test_routing_hands_over_the_environment(self, splitter):
        with sklearn.config_context(enable_metadata_routing=True):
            found = cross_validate(
                LinearRegression(), X, X[:, 0], cv=splitter, params={"environment": SITE},
                scoring="neg_mean_squared_error",
            )  # fmt: skip
        assert len(found["test_score"]) == splitter.get_n_splits(X, groups=SITE)


def clone_with(splitter, **options):
    parameters = {k: v for k, v in vars(splitter).items() if not k.startswith("_")}
    return type(splitter)(**{**parameters, **options})


def test_folds_hold_equal_numbers_of_environments():
    sizes = [len(set(SITE[test])) for _, test in EnvironmentKFold(5).split(X, groups=SITE)]
    assert sorted(sizes) == [2, 2, 2, 3, 3]


def test_the_seed_decides_the_folds():
    def folds(seed):
        splitter = EnvironmentKFold(3, random_state=seed)
        return [tuple(test) for _, test in splitter.split(X, groups=SITE)]

    assert folds(1) == folds(1)
    assert folds(1) != folds(2)


def test_blocks_are_contiguous_and_the_gap_is_left_out():
    day = np.repeat(np.arange(12), 2)
    splitter = BlockedEnvironmentSplit(3, gap=2)
    for train, test in splitter.split(day[:, None], groups=day):
        tested = np.unique(day[test])
        assert np.array_equal(tested, np.arange(tested[0], tested[0] + 4))
        assert np.abs(day[train][:, None] - tested).min() == 3


def test_blocks_by_appearance():
    site = np.array(["z", "z", "a", "m", "a"])
    splitter = BlockedEnvironmentSplit(3, order="appearance")
    tested = [site[test][0] for _, test in splitter.split(np.zeros((5, 1)), groups=site)]
    assert tested == ["z", "a", "m"]


def test_a_gap_that_leaves_nothing():
    with pytest.raises(InputError, match="gap"):
        list(BlockedEnvironmentSplit(2, gap=20).split(X, groups=SITE))


def test_too_many_folds():
    with pytest.raises(InputError, match="n_splits=13"):
        list(EnvironmentKFold(13).split(X, groups=SITE))


def test_clones_like_any_splitter_in_parameters():
    search = GridSearchCV(LinearRegression(), {}, cv=EnvironmentKFold(3))
    assert isinstance(clone(search).cv, EnvironmentKFold)
