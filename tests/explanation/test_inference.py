"""Gaps with inference: what intervals, p-values, floor and equivalence must do on known cases."""

import numpy as np
import pytest

from shiftlab.divergence._adjustment import adjust_pvalues
from shiftlab.exceptions import InputError, SmallSampleWarning
from shiftlab.explanation import (
    Explanation,
    LimeExplainer,
    explanation_disparity,
    explanation_scores,
    refit_disparity,
    split_gap,
)

N = 900


def made(error, block, n_features=2):
    """Explanations with a given error at each row."""
    n = len(error)
    prediction = np.full(n, 0.4)
    zero = np.zeros((n, n_features))
    return Explanation(
        values=zero,
        base=prediction - error,
        prediction=prediction,
        surrogate_prediction=prediction - error,
        score=np.full(n, 0.5),
        block=block,
        mc_se=zero,
        coordinates=zero,
        names=("x0", "x1"),
        method="made",
    )


def world(effect=0.0, shared=0.0, seed=0, n_blocks=25, n_groups=2):
    """Draw errors; rows of a block share noise that differs by group."""
    rng = np.random.default_rng(seed)
    group, block = rng.integers(0, n_groups, N), rng.integers(0, n_blocks, N)
    noise = shared * rng.normal(size=(n_blocks, n_groups))[block, group]
    error = np.abs(0.2 + 0.05 * rng.normal(size=N) + noise + effect * (group == 0))
    return made(error, block), group


def pair(effect=0.0, shared=0.0, seed=0, **options):
    e, group = world(effect, shared, seed)
    options = {"metrics": ["mae"], "random_state": seed, "n_resamples": 199, **options}
    return explanation_disparity(e, group, **options).pairs.iloc[0]


def test_a_difference_is_found_with_its_size_and_sign():
    found = pair(effect=0.05)
    assert found["low"] < 0.05 < found["high"]
    assert found["pvalue"] == 1 / 200
    assert found["group"] == 0
    assert found["reference"] == 1
    assert pair(effect=-0.05)["high"] < 0


def test_no_difference_is_rejected_at_its_level_and_covered():
    found = [pair(seed=seed, n_resamples=99) for seed in range(60)]
    assert np.mean([one["pvalue"] <= 0.05 for one in found]) <= 0.13
    assert np.mean([one["low"] <= 0 <= one["high"] for one in found]) >= 0.87


def test_noise_shared_by_blocks_is_counted():
    """Rows that are taken as independent would reject most of these null worlds."""
    found = [pair(shared=0.03, seed=seed, n_resamples=99) for seed in range(40)]
    assert np.mean([one["low"] <= 0 <= one["high"] for one in found]) >= 0.85
    naive = []
    for seed in range(40):
        e, group = world(shared=0.03, seed=seed)
        alone = explanation_disparity(
            e.surrogate_prediction, group, prediction=e.prediction, metrics=["mae"],
            random_state=seed, n_resamples=99,
        ).pairs.iloc[0]  # fmt: skip
        naive.append(alone["low"] <= 0 <= alone["high"])
    assert np.mean(naive) < 0.75


def test_absolute_gaps_have_a_floor_and_signed_ones_have_none():
    found = []
    for seed in range(20):
        e, group = world(seed=seed)
        result = explanation_disparity(e, group, metrics=["mae"], n_resamples=99, random_state=0)
        found.append(result.gaps.iloc[0])
    value = np.mean([one["value"] for one in found])
    floor = np.mean([one["null_mean"] for one in found])
    assert value > 0.001
    assert value == pytest.approx(floor, rel=0.5)
    assert abs(np.mean([one["excess"] for one in found])) < 0.5 * value
    assert all(one["low"] <= one["value"] <= one["high"] for one in found)


def test_equivalence_certifies_absence():
    assert pair(equivalence_margin=0.03)["equivalence_pvalue"] < 0.01
    assert pair(effect=0.05, equivalence_margin=0.03)["equivalence_pvalue"] > 0.9
    assert np.isnan(pair()["equivalence_pvalue"])


def test_corrections_over_metrics_and_pairs():
    e, group = world(n_groups=3, effect=0.02)
    tables = {
        adjust: explanation_disparity(
            e, group, metrics=["mae", "mse"], adjust=adjust, n_resamples=499, random_state=0
        ).pairs
        for adjust in ("holm", "max-t", "none")
    }
    raw = tables["none"]["pvalue_adjusted"].to_numpy()
    np.testing.assert_allclose(tables["holm"]["pvalue_adjusted"], adjust_pvalues(raw, "holm"))
    assert (tables["max-t"]["pvalue_adjusted"] >= raw - 1e-12).all()
    assert tables["max-t"]["pvalue_adjusted"].min() < 0.05
    assert len(raw) == 6


def test_holm_by_hand():
    found = adjust_pvalues(np.array([0.01, 0.04, np.nan, 0.03]), "holm")
    np.testing.assert_allclose(found, [0.03, 0.06, np.nan, 0.06])


def test_identical_errors_are_no_difference():
    found = explanation_disparity(
        made(np.full(60, 0.1), np.full(60, -1)),
        np.tile([0, 1], 30),
        metrics=["mae"],
        random_state=0,
    ).pairs.iloc[0]
    assert found["difference"] == pytest.approx(0)
    assert found["pvalue"] == 1


def test_blocks_without_draws_are_independent_rows():
    e, group = world()
    result = explanation_disparity(
        made(e.prediction - e.surrogate_prediction, np.full(N, -1)), group, random_state=0
    )
    assert result.n_blocks == 0
    assert {"mae", "accuracy", "auroc", "signed"} >= set(result.pairs["metric"])


@pytest.mark.parametrize(
    ("n_blocks", "n_groups", "message"),
    [
        (10, 2, "Only 10 block"),
        (25, 120, "fewer than 10 rows"),
        (25, 12, "12 groups make 66 pairs"),
    ],
)
def test_rough_inference_is_said(n_blocks, n_groups, message):
    e, group = world(n_blocks=n_blocks, n_groups=n_groups)
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        explanation_disparity(e, group, metrics=["mae"], n_resamples=19, random_state=0)
    assert any(message in str(w.message) for w in caught if w.category is SmallSampleWarning)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adjust": "hope"}, "adjust must be one of"),
        ({"n_resamples": 3}, "n_resamples must be an integer of at least 19"),
        ({"confidence_level": 95}, "strictly between 0 and 1"),
        ({"equivalence_margin": -1.0}, "must be positive"),
        ({"equivalence_margin": {"auroc": 0.1}}, "names 'auroc'"),
        ({"metrics": "mae"}, "sequence of names"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        pair(**options)


def test_one_group_cannot_be_compared():
    e, _ = world()
    with pytest.raises(InputError, match="single group"):
        explanation_disparity(e, np.zeros(N))


def test_scores_of_rows_join_the_metrics():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    group = X[:, 2] > 0

    def bent(table):
        return np.where(table[:, 2] > 0, np.sin(3 * table[:, 0]), table[:, 0])

    explainer = LimeExplainer(n_samples=200, random_state=0).fit(X)
    scores = explanation_scores(explainer, bent, X, n_samples=10, k=1, random_state=0)
    assert all(len(values) == 300 and (values >= 0).all() for values in scores.values())
    again = explanation_scores(explainer, bent, X, n_samples=10, k=1, random_state=0)
    assert all((again[name] == values).all() for name, values in scores.items())
    result = explanation_disparity(
        explainer.explain(bent, X), group, scores=scores, metrics=["neighbourhood_mae"],
        n_resamples=99, random_state=0,
    )  # fmt: skip
    assert result.pairs["difference"][0] != 0
    assert result.pairs["pvalue"][0] == 0.01
    important = scores["prediction_gap_important"].mean()
    assert important > scores["prediction_gap_unimportant"].mean()
    with pytest.raises(InputError, match="scores must be one of"):
        explanation_scores(explainer, bent, X, scores=["beauty"])


def test_a_split_separates_composition_from_treatment():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 4000)
    x = rng.normal(size=4000) + 0.7 * group
    only_composition = made(0.1 + 0.05 * np.abs(x), np.full(4000, -1))
    both = made(0.1 + 0.05 * np.abs(x) + 0.05 * (group == 0), np.full(4000, -1))
    for e, unexplained in ((only_composition, 0.0), (both, 0.05)):
        parts = split_gap(e, group, x[:, None], reference=1, metrics=("mae",), random_state=0)
        value = parts.table.set_index("part")["value"]
        assert value["total"] == pytest.approx(value["composition"] + value["unexplained"])
        assert value["unexplained"] == pytest.approx(unexplained, abs=0.006)
    with pytest.raises(InputError, match="means over rows"):
        split_gap(both, group, x[:, None], metrics=("r2",))


def test_a_group_without_overlap_is_said():
    group = np.repeat([0, 1], 200)
    x = np.random.default_rng(0).normal(size=400) + 8 * group
    with pytest.warns(SmallSampleWarning, match="hardly overlap"):
        split_gap(made(np.abs(x) / 100, np.full(400, -1)), group, x[:, None], random_state=0)


def test_refits_are_wider_than_one_model_and_free_of_workers():
    import joblib
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 2))
    y = rng.random(700) < 1 / (1 + np.exp(-2 * X[:, 0]))
    arguments = (
        DecisionTreeClassifier(max_depth=3), LimeExplainer(n_samples=100), X[:300], y[:300],
        X[300:], X[300:, 1] > 0,
    )  # fmt: skip
    options = {"metrics": ["mae"], "n_refits": 8, "random_state": 0}
    found = refit_disparity(*arguments, **options)
    with joblib.parallel_config(backend="threading"):
        again = refit_disparity(*arguments, **options, n_jobs=2)
    assert found.to_json() == again.to_json()
    assert found.table["se"][0] > 0
    assert len(found.replicates) == 8
