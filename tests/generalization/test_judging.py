"""Effects, bounds, evaluation, conformal sets and forecasts against exact answers."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression

from shiftlab.exceptions import InputError, SmallSampleWarning
from shiftlab.generalization import (
    BaselineClassifier,
    CounterfactuallyFairClassifier,
    CounterfactuallyFairRegressor,
    counterfactual_bounds,
    counterfactual_effects,
    evaluate_generalization,
)
from shiftlab.generalization._bounds import coupling_bounds
from shiftlab.generalization._conformal import group_quantiles, number_limits
from shiftlab.metrics import counterfactual_unfairness
from shiftlab.simulation import make_drifting_credit, make_drifting_gaussian


@pytest.fixture(scope="module")
def world():
    source, target = make_drifting_credit(n_domains=14, n_per_domain=250, random_state=2).split(4)
    model = CounterfactuallyFairClassifier(drift="trend")
    model.fit(source.X, source.y, source.sensitive_features, source.environment)
    erm = BaselineClassifier("erm", estimator=LogisticRegression(max_iter=2000))
    erm.fit(source.X, source.y, source.sensitive_features)
    return source, target, model, erm


def exact(model, target):
    own = model.predict_proba(target.X, target.sensitive_features, target.environment)
    twin = model.predict_proba(target.X_twin, target.sensitive_twin, target.environment)
    return counterfactual_unfairness(own, twin, environment=target.environment)


class TestEffects:
    @pytest.mark.parametrize("which", [2, 3])
    def test_estimate_is_near_the_exact_unfairness(self, world, which):
        target, model = world[1], world[which]
        found = counterfactual_effects(
            model, target.X, target.sensitive_features, target.environment,
            n_resamples=15, random_state=0,
        )  # fmt: skip
        truth = exact(model, target).value
        assert abs(found.unfairness - truth) < 0.03
        assert found.low <= truth <= found.high

    def test_unfair_models_are_found_out(self, world):
        _, target, model, erm = world
        assert exact(erm, target).value > 3 * exact(model, target).value

    def test_parts_add_up_to_what_is_observed(self, world):
        target, erm = world[1], world[3]
        found = counterfactual_effects(
            erm, target.X, target.sensitive_features, target.environment,
            n_resamples=2, random_state=0,
        )  # fmt: skip
        score = erm.predict_proba(target.X, target.sensitive_features)[:, 1]
        for (start, other), total, spurious in zip(
            found.pairs, found.total, found.spurious, strict=True
        ):
            means = [score[target.sensitive_features == int(g)].mean() for g in (start, other)]
            assert total + spurious == pytest.approx(means[1] - means[0])

    def test_unseen_correlation_widens_the_bounds(self, world):
        target, model = world[1], world[2]
        rows = target.X, target.sensitive_features, target.environment
        narrow, wide = (
            counterfactual_effects(model, *rows, correlation=r, n_resamples=4, random_state=0)
            for r in (0.0, 0.5)
        )
        assert wide.high > narrow.high + 0.02
        with pytest.raises(InputError, match="correlation"):
            counterfactual_effects(model, *rows, correlation=-1.0)

    def test_bounds_hold_the_truth_under_a_correlation(self):
        data = make_drifting_credit(n_domains=14, n_per_domain=250, correlation=0.5, random_state=5)
        source, target = data.split(4)
        model = CounterfactuallyFairClassifier(drift="trend")
        model.fit(source.X, source.y, source.sensitive_features, source.environment)
        found = counterfactual_effects(
            model, target.X, target.sensitive_features, target.environment,
            correlation=0.6, n_resamples=5, random_state=0,
        )  # fmt: skip
        assert found.low <= exact(model, target).value <= found.high


def test_evaluation_agrees_with_its_parts(world):
    _, target, model, erm = world
    found = evaluate_generalization(
        {"fair": model, "erm": erm}, target.X, target.y, target.sensitive_features,
        target.environment, X_twin=target.X_twin, sensitive_twin=target.sensitive_twin,
    )  # fmt: skip
    means = found.summary().set_index("model")
    assert means.loc["fair", "unfairness"] == pytest.approx(exact(model, target).value)
    assert means.loc["erm", "accuracy"] == pytest.approx(
        (erm.predict(target.X, target.sensitive_features) == target.y).mean()
    )
    assert np.allclose(means["gain"], means["accuracy"] - means["constant"])
    with pytest.raises(InputError, match="empty"):
        evaluate_generalization({}, target.X, target.y)


class TestConformal:
    def test_sets_cover_in_each_group(self, world):
        _, target, model, _ = world
        sets = model.predict_set(target.X, target.sensitive_features, target.environment, alpha=0.2)
        held = sets[np.arange(len(target.y)), target.y]
        for group in (0, 1):
            assert 0.68 < held[target.sensitive_features == group].mean() < 0.95

    def test_intervals_cover_each_group_where_its_effect_grows(self):
        data = make_drifting_gaussian(
            target="number", n_domains=15, n_per_domain=150, random_state=1
        )
        source, target = data.split(4)
        model = CounterfactuallyFairRegressor(drift="trend")
        model.fit(source.X, source.y, source.sensitive_features, source.environment)
        low, high = model.predict_interval(
            target.X, target.sensitive_features, target.environment
        ).T
        held = (low <= target.y) & (target.y <= high)
        for group in (0, 1):
            assert 0.83 < held[target.sensitive_features == group].mean() < 0.98

    def test_quantiles_are_those_of_the_group(self):
        residuals = np.concatenate([np.arange(1, 20), 100 + np.arange(1, 20)])
        held = np.repeat([0, 1], 19)
        limits = group_quantiles(residuals, held, np.array([0, 1]), 0.1)
        assert limits.tolist() == [18, 118]
        with pytest.warns(SmallSampleWarning, match="fewer forecast rows"):
            group_quantiles(residuals, held, np.array([0, 1]), 0.01)
        with pytest.raises(InputError, match="six domains"):
            number_limits(None, None, np.zeros(3), 0.1)


class TestForecast:
    def test_intervals_hold_later_means_and_widen(self):
        data = make_drifting_gaussian(n_domains=20, random_state=3)
        source, target = data.split(5)
        model = CounterfactuallyFairClassifier(drift="trend")
        model.fit(source.X, source.y, source.sensitive_features, source.environment)
        found = model.forecast(np.arange(15, 20)).to_frame()
        means = target.frame.groupby(["time", "group"])[target.features].mean()
        inside, error = [], 1.0 / np.sqrt(100)
        for row in found.to_dict("records"):
            value = means.loc[(row["time"], int(row["group"])), row["feature"]]
            inside.append(row["low"] - 2 * error <= value <= row["high"] + 2 * error)
        assert np.mean(inside) > 0.9
        width = (found["high"] - found["low"]).groupby(found["time"]).mean().to_numpy()
        assert width[-1] >= width[0] - 1e-9

    def test_says_what_is_not_supported(self, world):
        forecast = world[2].forecast([5, 100])
        supported = forecast.to_frame().groupby("time")["supported"].all()
        assert supported.loc[5.0]
        assert not supported.loc[100.0]
        assert not forecast.supported


class TestBaselines:
    @pytest.mark.parametrize("name", ["correlation_remover", "reductions"])
    def test_peers_keep_the_interface(self, world, name):
        pytest.importorskip("fairlearn")
        source, target = world[:2]
        estimator = LogisticRegression(max_iter=2000)
        model = BaselineClassifier(name, estimator=estimator).fit(
            source.X, source.y, source.sensitive_features
        )
        scores = model.predict_proba(target.X, target.sensitive_features, target.environment)
        assert np.allclose(scores.sum(axis=1), 1)

    def test_attributes_are_asked_for_where_needed(self, world):
        source = world[0]
        estimator = LogisticRegression(max_iter=2000)
        blind = BaselineClassifier("blind", estimator=estimator).fit(source.X, source.y)
        assert blind.predict(source.X).shape == source.y.shape
        with pytest.raises(InputError, match="sensitive_features is needed"):
            BaselineClassifier("erm", estimator=estimator).fit(source.X, source.y)
        with pytest.raises(InputError, match="method"):
            BaselineClassifier("magic").fit(source.X, source.y)


class TestBounds:
    @pytest.mark.parametrize("sizes", [(1, 1), (3, 3), (2, 5), (4, 6)])
    def test_couplings_are_those_of_a_linear_program(self, sizes):
        rng = np.random.default_rng(sum(sizes))
        a, b = (rng.normal(size=n) for n in sizes)
        cost = np.abs(a[:, None] - b[None, :])
        margins = np.concatenate(
            [np.kron(np.eye(len(a)), np.ones(len(b))), np.kron(np.ones(len(a)), np.eye(len(b)))]
        )
        shares = np.concatenate([np.full(len(a), 1 / len(a)), np.full(len(b), 1 / len(b))])
        ends = [
            sign * linprog(sign * cost.ravel(), A_eq=margins, b_eq=shares).fun for sign in (1, -1)
        ]
        assert np.allclose(coupling_bounds(a, b), ends)

    def test_flips_are_those_of_frechet_and_hoeffding(self):
        for p, q in ((0.2, 0.5), (0.9, 0.7), (0.0, 1.0), (0.4, 0.4)):
            a, b = (np.arange(10) < round(10 * share) for share in (p, q))
            found = coupling_bounds(a.astype(float), b.astype(float))
            assert np.allclose(found, (abs(p - q), min(p + q, 2 - p - q)))

    def test_they_hold_the_exact_values(self):
        held = []
        for seed in range(4):
            data = make_drifting_credit(n_domains=6, n_per_domain=200, random_state=seed)
            source, target = data.split(3)
            for name in ("erm", "blind"):
                model = BaselineClassifier(name, estimator=LogisticRegression(max_iter=3000))
                model.fit(source.X, source.y, source.sensitive_features)
                found = counterfactual_bounds(
                    model, target.X, target.sensitive_features, target.environment,
                    y=target.y, n_resamples=15, random_state=0,
                )  # fmt: skip
                own = model.predict_proba(target.X, target.sensitive_features)[:, 1]
                twin = model.predict_proba(target.X_twin, target.sensitive_twin)[:, 1]
                truth = {
                    "score": np.abs(own - twin).mean(),
                    "decision": ((own > 0.5) != (twin > 0.5)).mean(),
                    "label": (target.y != target.y_twin).mean(),
                }
                for measure, value in truth.items():
                    low, high = found.of(measure)
                    held.append(low <= value <= high)
        assert np.mean(held) >= 0.95

    def test_strata_narrow_and_absent_groups_are_told(self, world):
        _, target, _, erm = world
        rows = target.X, target.sensitive_features, target.environment
        young = target.X["history"] < target.X["history"].median()
        plain = counterfactual_bounds(erm, *rows, n_resamples=2, random_state=0)
        narrow = counterfactual_bounds(erm, *rows, strata=young, n_resamples=2, random_state=0)
        assert narrow.rows[0]["high"] < plain.rows[0]["high"]
        first = target.environment == target.environment.min()
        told = np.where(first, 0, target.sensitive_features)
        kept = counterfactual_bounds(
            erm, target.X, told, target.environment, n_resamples=2, random_state=0
        )
        assert kept.n_unmatched == first.sum()
        with pytest.raises(InputError, match="measure"):
            plain.of("label")
        with pytest.raises(InputError, match="two classes"):
            counterfactual_bounds(erm, *rows, y=np.arange(len(target.y)))


class TestTrajectories:
    def test_paths_go_on_from_what_was_seen(self, world):
        found = world[2].trajectories(np.arange(14)).to_frame()
        seen = found[found["observed"].notna()]
        assert set(seen["time"]) == set(range(10))
        inside = (seen["low"] <= seen["mean"]) & (seen["mean"] <= seen["high"])
        assert inside.all()
        postcode = found[found["name"] == "mean of postcode"].set_index("time")["mean"]
        assert postcode.loc[13] < postcode.loc[9] < postcode.loc[0]

    def test_paths_are_named(self, world):
        found = world[2].trajectories()
        assert "log scale of income" in found.names
        assert any(name.startswith("effect of") for name in found.names)
        with pytest.raises(InputError, match="names"):
            found.plot(names=["mood"])
