"""The sequential autoencoder: its terms against closed forms, seeds, checkpoints, devices."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab._core.optional import is_installed
from shiftlab._core.persist import load_model, save_model
from shiftlab.exceptions import InputError, MissingDependencyError
from shiftlab.generalization import CDSAEClassifier, _cdsae
from shiftlab.simulation import make_drifting_credit, make_fair_circle

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
FAST = {"max_epochs": 3, "n_hidden": 16, "random_state": 0}


@pytest.fixture(scope="module")
def world():
    return make_drifting_credit(n_domains=8, n_per_domain=60, random_state=0).split(2)


@pytest.fixture(scope="module")
def fitted(world):
    return fit(world[0])


def fit(source, **options):
    model = CDSAEClassifier(**{**FAST, **options})
    return model.fit(source.X, source.y, source.sensitive_features, source.environment)


def scores(model, part):
    return model.predict_proba(part.X, part.sensitive_features, part.environment)


@needs_torch
class TestTraining:
    def test_kl_is_the_closed_form(self):
        import torch

        from shiftlab.generalization._cdsae_network import gaussian_kl

        rng = np.random.default_rng(0)
        m, log, p, q = (torch.as_tensor(rng.normal(size=(3, 4))) for _ in range(4))
        one = torch.distributions.Normal(m, torch.exp(0.5 * log))
        two = torch.distributions.Normal(p, torch.exp(0.5 * q))
        expected = torch.distributions.kl_divergence(one, two).sum(dim=1)
        assert torch.allclose(gaussian_kl(m, log, p, q), expected)

    def test_learns_and_keeps_the_best_epoch(self, world):
        source, target = world
        model = fit(source, max_epochs=8, fairness="none")
        accuracy = (
            model.predict(target.X, target.sensitive_features, target.environment) == target.y
        ).mean()
        assert accuracy > max(target.y.mean(), 1 - target.y.mean()) + 0.05
        criteria = [row["criterion"] for row in model.history_]
        assert np.argmin(criteria) + 1 == model.best_epoch_

    @pytest.mark.parametrize(
        ("fairness", "inputs"),
        [("logit", "features"), ("cycle", "features"), ("hsic", "terms"), ("none", "terms")],
    )
    def test_every_variant_trains(self, world, fairness, inputs):
        source, target = world
        model = fit(
            source, fairness=fairness, inputs=inputs, tc_weight=0.4, max_epochs=1,
            withhold_attribute=fairness != "cycle",
        )  # fmt: skip
        found = scores(model, target)
        assert np.allclose(found.sum(axis=1), 1)
        assert np.isfinite(found).all()

    def test_equal_seeds_give_equal_scores_and_no_global_draw(self, world, fitted):
        import torch

        source, target = world
        before = torch.random.get_rng_state()
        one, two = (scores(model, target) for model in (fitted, fit(source)))
        assert np.array_equal(one, two)
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_resumed_training_is_the_uninterrupted_one(self, world, tmp_path):
        source, target = world
        whole = fit(source, max_epochs=3, tc_weight=0.2)
        path = str(tmp_path / "run.npz")
        fit(source, max_epochs=1, tc_weight=0.2, checkpoint=path)
        resumed = fit(source, max_epochs=3, tc_weight=0.2, checkpoint=path)
        assert len(resumed.history_) == 3
        assert np.allclose(scores(resumed, target), scores(whole, target), atol=1e-6)

    def test_withheld_attribute_changes_no_semantics(self, world):
        source, target = world
        one, two = (
            model.predict_proba(target.X, a, target.environment)
            for model in [fit(source, inputs="features")]
            for a in (target.sensitive_features, target.sensitive_twin)
        )
        assert np.array_equal(one, two)

    def test_progress_is_told(self, world):
        calls = []
        fit(world[0], progress=lambda done, total, text: calls.append((done, total)))
        assert calls[-1] == (3, 3)

    @pytest.mark.slow
    def test_fair_circle_is_learned(self):
        source, target = make_fair_circle(random_state=3).split(10)
        model = fit(source, max_epochs=6)
        accuracy = (scores(model, target).argmax(axis=1) == target.y).mean()
        twin = model.predict_proba(target.X_twin, target.sensitive_twin, target.environment)
        assert accuracy > max(target.y.mean(), 1 - target.y.mean()) + 0.15
        assert np.abs(twin - scores(model, target))[:, 1].mean() < 0.05

    @pytest.mark.gpu
    def test_cuda(self, world):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device")
        source, target = world
        found = scores(fit(source, device="cuda"), target)
        assert np.isfinite(found).all()


@needs_torch
@pytest.mark.parametrize(
    ("options", "message"), [({"inputs": "pixels"}, "inputs"), ({"fairness": "hope"}, "fairness")]
)
def test_bad_options(world, options, message):
    with pytest.raises(InputError, match=message):
        fit(world[0], **options)


@needs_torch
class TestCitizen:
    def test_attributes_and_times_are_needed(self, world, fitted):
        source = world[0]
        with pytest.raises(InputError, match="sensitive_features is needed"):
            CDSAEClassifier(**FAST).fit(source.X, source.y)
        with pytest.raises(InputError, match="environment is needed"):
            fitted.predict(source.X, source.sensitive_features)

    def test_columns_and_keywords_agree(self, world, fitted):
        source, target = world
        model = CDSAEClassifier(sensitive_features="group", environment="time", **FAST)
        model.fit(source.frame.drop(columns="y"), source.y)
        table = target.frame.drop(columns="y")
        assert np.allclose(model.predict_proba(table), scores(fitted, target), atol=1e-6)
        twin = model.counterfactual(table, to=1)
        assert list(twin.columns) == list(table.columns)
        assert set(twin["group"]) == {1}

    @pytest.mark.parametrize("inputs", ["terms", "features"])
    def test_twins_of_the_own_group_are_the_rows(self, world, fitted, inputs):
        target = world[1]
        model = fitted if inputs == "terms" else fit(world[0], inputs="features")
        where = target.sensitive_features, target.environment
        same = model.counterfactual(target.X, *where, to=target.sensitive_features)
        assert np.allclose(same, target.X, rtol=1e-4, atol=1e-3)
        assert model.exogenous(target.X, *where).shape == (len(target.y), 12)

    def test_twins_go_towards_the_exact_ones(self, world, fitted):
        target = world[1]
        where = target.sensitive_features, target.environment
        twin = fitted.counterfactual(target.X, *where, to=target.sensitive_twin)
        error, moved = (((a - target.X_twin) ** 2).mean() for a in (twin, target.X))
        assert (error < 0.5 * moved)[["history", "postcode"]].all()

    def test_saved_models_score_alike(self, world, fitted, tmp_path):
        pytest.importorskip("skops")
        path = save_model(fitted, tmp_path / "cdsae.skops")
        assert np.array_equal(scores(load_model(path), world[1]), scores(fitted, world[1]))


REASON = "the last column, which the accuracy asked for needs, is the attribute taken out"


@needs_torch
@pytest.mark.slow  # some sixty trainings; the channels and bad input are tested above
@parametrize_with_checks(
    [
        CDSAEClassifier(
            sensitive_features=-1, inputs="features", max_epochs=1, n_hidden=8, random_state=0
        )
    ],
    expected_failed_checks=lambda _: {"check_classifiers_train": REASON},
)
def test_rules_of_scikit_learn(estimator, check):
    parameters = str(estimator.get_params())
    check(estimator)
    assert str(estimator.get_params()) == parameters


def test_without_torch_the_error_names_the_extra(world, monkeypatch):
    def absent(module, *, extra, purpose):
        raise MissingDependencyError(f"{purpose} needs 'shiftlab[{extra}]'")

    monkeypatch.setattr(_cdsae, "import_optional", absent)
    with pytest.raises(MissingDependencyError, match=r"CounterfactuallyFairClassifier.*torch"):
        fit(world[0])
