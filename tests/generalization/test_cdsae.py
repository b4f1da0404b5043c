"""The sequential autoencoder: its terms against closed forms, seeds, checkpoints, devices."""

import numpy as np
import pytest

from shiftlab._core.optional import is_installed
from shiftlab.exceptions import InputError, MissingDependencyError
from shiftlab.generalization import CDSAEClassifier, _cdsae
from shiftlab.simulation import make_drifting_credit

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
FAST = {"max_epochs": 3, "n_hidden": 16, "random_state": 0}


@pytest.fixture(scope="module")
def world():
    return make_drifting_credit(n_domains=8, n_per_domain=60, random_state=0).split(2)


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
        model = fit(source, max_epochs=12, fairness="none")
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

    def test_equal_seeds_give_equal_scores_and_no_global_draw(self, world):
        import torch

        source, target = world
        before = torch.random.get_rng_state()
        one, two = (scores(fit(source), target) for _ in range(2))
        assert np.array_equal(one, two)
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_resumed_training_is_the_uninterrupted_one(self, world, tmp_path):
        source, target = world
        whole = fit(source, max_epochs=4, tc_weight=0.2)
        path = str(tmp_path / "run.npz")
        fit(source, max_epochs=2, tc_weight=0.2, checkpoint=path)
        resumed = fit(source, max_epochs=4, tc_weight=0.2, checkpoint=path)
        assert len(resumed.history_) == 4
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
def test_attributes_and_times_are_needed(world):
    with pytest.raises(InputError, match="are needed"):
        CDSAEClassifier(**FAST).fit(world[0].X, world[0].y)


def test_without_torch_the_error_names_the_extra(world, monkeypatch):
    def absent(module, *, extra, purpose):
        raise MissingDependencyError(f"{purpose} needs 'shiftlab[{extra}]'")

    monkeypatch.setattr(_cdsae, "import_optional", absent)
    with pytest.raises(MissingDependencyError, match=r"CounterfactuallyFairClassifier.*torch"):
        fit(world[0])
