"""Gates: gradients against differences, networks that learn, learned summaries, small batches."""

import sys
from functools import cached_property

import numpy as np
import pytest

from shiftlab._core.persist import load_model, save_model
from shiftlab.adaptation import (
    EnvironmentAdaptiveClassifier,
    EnvironmentAdaptiveRegressor,
    EnvironmentGrams,
    _deepsets,
    _mask,
    _rungs,
    simulate_environments,
)
from shiftlab.adaptation._known import SetRows
from shiftlab.adaptation._logistic import LogisticProblem
from shiftlab.adaptation._mask import GatedLoss
from shiftlab.adaptation._networks import backward, forward, new_layers
from shiftlab.adaptation._rungs import rung_of
from shiftlab.exceptions import InputError, MissingDependencyError

SIZES = _rungs.SIZES
RNG = np.random.default_rng(0)
TRAIN = simulate_environments("hidden_cause", 60, n_rows=40, random_state=0)
NEW = simulate_environments("hidden_cause", 60, n_rows=40, random_state=1)


def adaptive(**options):
    return EnvironmentAdaptiveRegressor(
        **{"strategy": "mask", "outside": "ignore", "guard": None, "cv": 2, **options}
    )


def risk(model, new=NEW):
    return float(((new.y - model.predict(new.X, new.environment)) ** 2).mean())


FEW = simulate_environments("hidden_cause", 30, n_rows=20, random_state=2)
SOME = FEW.X, FEW.y, FEW.environment
POOLED = risk(adaptive(strategy="pooled").fit(TRAIN.X, TRAIN.y, TRAIN.environment))


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """Small networks, few steps with a larger rate, and one size of small batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_deepsets, "STEPS", 40)
        patch.setattr(_deepsets, "GATE_RATE", 3e-3)
        patch.setattr(_deepsets, "EPOCHS", 60)
        patch.setattr(_deepsets, "GATE_UNITS", ((32, 32), (32, 16)))
        patch.setattr(_mask, "HIDDEN", 32)
        patch.setattr(_rungs, "SIZES", (3,))
        yield


@pytest.fixture(scope="module")
def gated():
    return adaptive(selector="deepsets").fit(*SOME)


@pytest.fixture(scope="module")
def choosing():
    return adaptive(strategy="select", selector="deepsets").fit(*SOME)


def differences(function, point, step=1e-6):
    """Numerical gradient."""
    found = np.zeros_like(point)
    for i in np.ndindex(point.shape):
        up, down = point.copy(), point.copy()
        up[i] += step
        down[i] -= step
        found[i] = (function(up) - function(down)) / (2 * step)
    return found


def problem(n_scores):
    """Logistic losses of five environments of different sizes."""
    codes = np.repeat(np.arange(5), [3, 4, 5, 6, 7])
    Z = np.column_stack([np.ones(25), RNG.normal(size=(25, 2))])
    classes = RNG.integers(n_scores if n_scores > 1 else 2, size=25)
    y = classes[:, None] == (np.arange(n_scores) if n_scores > 1 else [1])
    weight = 1 / np.bincount(codes)[codes]
    return LogisticProblem(Z, y.astype(float), codes, weight, np.arange(1.0, 6.0))


class TestGradients:
    def test_of_networks(self):
        layers = new_layers((3, 5, 4, 2), RNG, zero_last=False)
        x, target = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
        found = forward(layers, x)
        slopes = backward(layers, found, found[-1] - target)
        flat = [array for layer in layers for array in layer]
        for k, slope in enumerate(slopes):

            def value(array, k=k):
                arrays = [*flat[:k], array, *flat[k + 1 :]]
                changed = tuple(zip(arrays[::2], arrays[1::2], strict=True))
                return 0.5 * ((forward(changed, x)[-1] - target) ** 2).sum()

            np.testing.assert_allclose(slope, differences(value, flat[k]), atol=1e-7)

    @pytest.mark.parametrize("n_scores", [0, 1, 3])
    @pytest.mark.parametrize("moves", [False, True])
    def test_of_gates_and_heads(self, n_scores, moves):
        if n_scores:
            loss = problem(n_scores)
        else:
            model = adaptive(strategy="pooled").fit(TRAIN.X, TRAIN.y, TRAIN.environment)
            from shiftlab.adaptation._problem import SquaredProblem

            moments = model._design.moments.take(np.arange(5))
            loss = SquaredProblem(moments, np.arange(1.0, 6.0)).standardised()[0]
        gated = GatedLoss(loss, np.array([False, True]), np.ones(2, dtype=bool), moves)
        head = RNG.normal(size=(loss.n_scores, 3))
        outputs = 0.1 * RNG.normal(size=(5, gated.n_outputs))
        _, by_head, by_outputs = gated(head, outputs)
        np.testing.assert_allclose(
            by_head, differences(lambda h: gated(h, outputs)[0], head), atol=1e-7
        )
        np.testing.assert_allclose(
            by_outputs, differences(lambda o: gated(head, o)[0], outputs), atol=1e-7
        )


class TestNetwork:
    def test_opens_and_closes_gates(self):
        model = adaptive(selector="network").fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        assert risk(model) < POOLED - 0.4
        settings = {s.detail for s in model._fitted.choice.settings if s.strategy == "mask"}
        assert settings == {"network gates", "network gates and intercept"}

    def test_known_causes_stay_open(self):
        model = adaptive(selector="network", always_include=["c2"])
        model.fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        slopes = model.coefficients(NEW.X, NEW.environment)
        assert slopes["c2"].std() < 1e-12
        assert slopes["x"].std() > 0.05

    @pytest.mark.slow
    def test_chooses_subsets(self):
        model = adaptive(strategy="select", selector="network", summary="paper")
        model.fit(*SOME)
        assert set(model.select(NEW.X, n_bootstrap=1).to_frame()["covariates"]) <= {"c2", "c2, x"}


class TestLearnedSets:
    torch = pytest.importorskip("torch")

    def test_gates_adapt_and_are_reproducible(self, gated):
        assert risk(gated) < POOLED - 0.2
        again = adaptive(selector="deepsets").fit(*SOME)
        np.testing.assert_array_equal(again.predict(NEW.X), gated.predict(NEW.X))

    def test_subsets_are_chosen(self, choosing):
        found = choosing.select(NEW.X, NEW.environment, n_bootstrap=2).to_frame()
        assert risk(choosing) < POOLED + 0.05
        assert found["probability"].between(0, 1).all()
        assert set(found["covariates"]) <= {"c2", "c2, x"}

    def test_answers(self, gated):
        frame = gated.explain_shift(NEW.X.iloc[:80], NEW.environment[:80]).to_frame()
        # What is learned from the rows does not pass through the summaries that are explained.
        assert frame["prediction_effect"].max() < 1e-12

    def test_a_saved_model_predicts_without_torch(self, gated, choosing, tmp_path, monkeypatch):
        pytest.importorskip("skops")
        for model in (gated, choosing):
            read = load_model(save_model(model, tmp_path / "model.skops"))
            monkeypatch.setitem(sys.modules, "torch", None)
            np.testing.assert_array_equal(
                read.predict(NEW.X, NEW.environment), model.predict(NEW.X, NEW.environment)
            )
            monkeypatch.undo()

    @pytest.mark.parametrize("counts", [[4, 4, 4], [2, 5, 3]])
    def test_torch_and_numpy_agree(self, counts):
        codes = np.repeat(np.arange(3), counts)
        rows = SetRows(RNG.normal(size=(len(codes), 2)), codes, 3)
        network = _deepsets._Network(2, ((8, 8), (8, 4)), 3, RNG, None)
        network.arrays = [a + 0.1 for a in network.arrays]
        answer = network.answer(rows)
        encoder, last = network.parts()
        np.testing.assert_allclose(forward(last, encoder(rows))[-1], answer, atol=1e-12)
        slopes = network.gradients(answer)
        k = 4  # the first weights after the mean

        def value(array):
            network.arrays[k] = array
            return 0.5 * (network.answer(rows) ** 2).sum()

        point = network.arrays[k].copy()
        np.testing.assert_allclose(slopes[k], differences(value, point), rtol=1e-4, atol=1e-5)

    @pytest.mark.gpu
    def test_on_cuda(self, gated):
        if not self.torch.cuda.is_available():
            pytest.skip("no CUDA device")
        there = adaptive(selector="deepsets", device="cuda").fit(*SOME)
        np.testing.assert_allclose(
            there.predict(NEW.X, NEW.environment), gated.predict(NEW.X, NEW.environment), rtol=1e-4
        )


def test_learned_sets_need_torch_rows_and_a_linear_model(monkeypatch):
    from sklearn.linear_model import LinearRegression

    with pytest.raises(InputError, match="linear models"):
        adaptive(estimator=LinearRegression(), strategy="select", selector="deepsets").fit(
            TRAIN.X, TRAIN.y, TRAIN.environment
        )
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"shiftlab\[torch\]"):
        adaptive(selector="deepsets").fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    monkeypatch.undo()
    pytest.importorskip("torch")
    grams = EnvironmentGrams().partial_fit(TRAIN.X, TRAIN.y, TRAIN.environment)
    with pytest.raises(InputError, match="reads rows"):
        adaptive(selector="deepsets").fit_grams(grams)


class TestSmallBatches:
    @pytest.fixture(autouse=True)
    def _all_sizes(self, monkeypatch):
        monkeypatch.setattr(_rungs, "SIZES", SIZES)

    def test_sizes_have_rules_of_their_own(self):
        sizes = np.array([2, 3, 5, 10, 20])
        found = rung_of(np.array([1, 2, 4, 5, 9, 19, 20, 27, 28, 500]), sizes)
        assert found.tolist() == [5, 0, 1, 2, 2, 3, 4, 4, 5, 5]
        assert rung_of(np.array([3, 100]), sizes[:0]).tolist() == [0, 0]

    def test_rules_trained_on_small_batches_know_what_to_make_of_them(self):
        model = adaptive(strategy="coefficients").fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        grams = EnvironmentGrams().partial_fit(TRAIN.X, TRAIN.y, TRAIN.environment)
        shrunk = adaptive(strategy="coefficients").fit_grams(grams)  # there are no rows to draw
        X, y = NEW.X.to_numpy().reshape(60, 40, 2), NEW.y.reshape(60, 40)
        for n in (2, 5):
            label = np.repeat(np.arange(60), n)
            errors = []
            for one in (model, shrunk):
                batch = NEW.X.iloc[: 60 * n].assign(c2=X[:, :n, 0].ravel(), x=X[:, :n, 1].ravel())
                v = one.coefficients(batch, label).to_numpy()
                predicted = v[:, :1] + np.einsum("erj,ej->er", X[:, n:], v[:, 1:])
                errors.append(((y[:, n:] - predicted) ** 2).mean())
            assert errors[0] < errors[1] - 0.05
            assert errors[0] < POOLED - 0.1

    def test_classifiers_have_them_too(self):
        model = EnvironmentAdaptiveClassifier(
            strategy="coefficients", outside="ignore", guard=None, cv=2
        ).fit(TRAIN.X, TRAIN.y > 0, TRAIN.environment)
        assert [rung.n_rows for rung in model._fitted.rungs] == [2, 3, 5, 10, 20, 0]
        p = model.predict_proba(NEW.X.iloc[:3])
        assert np.isfinite(p).all()


class TestMoreClasses:
    cut = (-1.5, 1.5)
    names = np.array(["low", "middle", "high"])
    y = names[np.digitize(TRAIN.y, cut)]
    new = names[np.digitize(NEW.y, cut)]

    def fitted(self, strategy, **options):
        model = EnvironmentAdaptiveClassifier(
            strategy=strategy, cv=2, **{"guard": None, "outside": "ignore", **options}
        )
        return model.fit(TRAIN.X, self.y, TRAIN.environment)

    def loss(self, model):
        p = model.predict_proba(NEW.X, NEW.environment)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        code = np.searchsorted(model.classes_, self.new)
        return -np.log(p[np.arange(len(p)), code]).mean()

    @cached_property
    def pooled(self):
        return self.loss(self.fitted("pooled"))

    def test_pooled_is_multinomial_regression(self):
        from sklearn.linear_model import LogisticRegression

        theirs = LogisticRegression(C=1e9, tol=1e-10, max_iter=3000).fit(TRAIN.X, self.y)
        ours = self.fitted("pooled")
        assert ours.classes_.tolist() == ["high", "low", "middle"]
        np.testing.assert_allclose(
            ours.predict_proba(NEW.X), theirs.predict_proba(NEW.X), atol=2e-4
        )

    @pytest.mark.parametrize(
        ("strategy", "gain"),
        [
            ("select", 0.0),
            ("mask", 0.03),
            ("auto", 0.03),
            pytest.param("mix", 0.0, marks=pytest.mark.slow),
            pytest.param("coefficients", 0.03, marks=pytest.mark.slow),
        ],
    )
    def test_every_strategy(self, strategy, gain):
        model = self.fitted(strategy, **({"guard": "pooled"} if strategy == "auto" else {}))
        assert self.loss(model) < self.pooled - gain
        assert model.score(NEW.X, self.new, environment=NEW.environment) > 0.5
        table = model.coefficients(NEW.X, NEW.environment)
        assert table.shape == (180, 3)
        assert table.index.names == ["environment", "class"]
        assert np.isfinite(model.explain_shift(NEW.X.iloc[:40]).to_frame()["risk_effect"]).all()
        fits = model.subset_coefficients()
        assert list(fits.columns) == ["covariates", "class", "intercept", "c2", "x"]

    def test_known_causes_and_fallback(self):
        model = self.fitted("coefficients", always_include=["c2"], outside="causal")
        far = NEW.X.iloc[:30] + 60.0
        assert model.coefficients(far)["x"].tolist() == [0.0, 0.0, 0.0]
