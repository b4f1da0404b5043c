"""LIME for whole tables: the right answers, the same for any order, and clear errors."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from shiftlab.exceptions import InputError, InputWarning, NumericalWarning
from shiftlab.explanation import LimeExplainer, ModelFunction

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 3)) * [1.0, 2.0, 0.5]
Y = RNG.random(N) < expit(X @ [1.0, -0.7, 2.0])
LOGISTIC = LogisticRegression().fit(X, Y)
FRAME = pd.DataFrame(
    {
        "income": RNG.normal(size=N),
        "debt": RNG.normal(size=N) * 3,
        "job": RNG.choice(["none", "part", "full"], N),
        "owner": RNG.random(N) < 0.4,
    }
)
TARGET = RNG.random(N) < expit(FRAME["income"] + (FRAME["job"] == "full") - FRAME["debt"] / 3)
PIPELINE = make_pipeline(
    make_column_transformer(
        (StandardScaler(), ["income", "debt"]), (OneHotEncoder(), ["job", "owner"])
    ),
    LogisticRegression(),
).fit(FRAME, TARGET)


def probability(table):
    return LOGISTIC.predict_proba(table)


def lime(**options):
    return LimeExplainer(**{"n_samples": 200, "random_state": 0, **options})


#: Tables of any library are read, so refusals are in our words.
EXPECTED_FAILURES = {
    "check_complex_data": "the message says what to do with complex numbers",
    "check_estimators_empty_data_messages": "the message is that of all tables of the library",
}


@parametrize_with_checks(
    [LimeExplainer(n_samples=100, random_state=0)],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_is_an_estimator(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        parameters = str(estimator.get_params())
        check(estimator)
        assert str(estimator.get_params()) == parameters


class TestAnswers:
    @pytest.mark.parametrize("mode", ["around", "mean"])
    def test_a_linear_model_is_its_own_surrogate(self, mode):
        slopes = np.array([3.0, -1.0, 0.0])
        explanation = lime(mode=mode, ridge=1e-9).fit(X).explain(lambda Z: Z @ slopes + 2, X[:50])
        np.testing.assert_allclose(
            explanation.values, np.tile(slopes * X.std(0), (50, 1)), atol=1e-6
        )
        np.testing.assert_allclose(explanation.surrogate_prediction, X[:50] @ slopes + 2, atol=1e-6)
        np.testing.assert_allclose(explanation.score, 1, atol=1e-6)
        np.testing.assert_allclose(explanation.base, X.mean(0) @ slopes + 2, atol=1e-6)
        assert explanation.mc_se.max() < 1e-6

    @pytest.mark.parametrize("mode", ["around", "mean", "quartile"])
    def test_base_and_terms_make_the_surrogate(self, mode):
        e = lime(mode=mode).fit(X).explain(probability, X[:30])
        np.testing.assert_allclose(e.base + e.terms.sum(axis=1), e.surrogate_prediction)
        np.testing.assert_array_equal(e.prediction, probability(X[:30])[:, 1])

    def test_weighted_ridge_is_that_of_scikit_learn(self):
        """The surrogate of one row against an independent ridge regression on the same draws."""
        from sklearn.linear_model import Ridge

        seen = []

        def watched(table):
            seen.append(table.copy())
            return probability(table)

        e = lime(n_blocks=1).fit(X).explain(watched, X[:1])
        queries = max(seen, key=len)
        z = (np.vstack([X[:1], queries]) - X[:1]) / X.std(0)
        weights = np.exp(-(z**2).sum(axis=1) / (2 * (0.75 * np.sqrt(3)) ** 2))
        response = probability(np.vstack([X[:1], queries]))[:, 1]
        ridge = Ridge(alpha=1.0).fit(z, response, sample_weight=weights)
        np.testing.assert_allclose(e.values[0], ridge.coef_, atol=1e-10)
        np.testing.assert_allclose(e.surrogate_prediction[0], ridge.intercept_, atol=1e-10)
        np.testing.assert_allclose(e.score[0], ridge.score(z, response, weights), atol=1e-10)

    @pytest.mark.parametrize("mode", ["around", "mean", "quartile"])
    def test_agrees_with_the_lime_package_up_to_its_own_noise(self, mode):
        tabular = pytest.importorskip("lime.lime_tabular")
        n, samples = 6, 3000

        def peer(seed):
            other = tabular.LimeTabularExplainer(
                X,
                discretize_continuous=mode == "quartile",
                sample_around_instance=mode == "around",
                random_state=seed,
            )
            found = [
                other.explain_instance(row, probability, num_features=3, num_samples=samples)
                for row in X[:n]
            ]
            return np.array([[dict(one.local_exp[1])[j] for j in range(3)] for one in found])

        first, second = peer(0), peer(1)
        ours = lime(mode=mode, n_samples=samples).fit(X).explain(probability, X[:n]).values
        own = np.abs(first - second).max()
        assert np.abs(ours - first).max() < 2 * own + 1e-3
        assert np.corrcoef(ours.ravel(), first.ravel())[0, 1] > 0.99

    @pytest.mark.parametrize("scale", [1.0, 0.25])
    def test_fast_path_of_linear_models_is_the_general_one(self, scale):
        explainer = lime(scale=scale, n_blocks=2).fit(X)
        fast = explainer.explain(LOGISTIC, X)
        slow = explainer.explain(probability, X)
        for name in ("values", "base", "surrogate_prediction", "score", "mc_se"):
            loose = 2e-3 if name == "mc_se" else 1e-7
            np.testing.assert_allclose(
                getattr(fast, name), getattr(slow, name), rtol=loose, atol=loose, err_msg=name
            )

    def test_fast_path_sees_through_scalers_and_encoders(self):
        explainer = lime().fit(FRAME)
        fast = explainer.explain(PIPELINE, FRAME[:60])
        slow = explainer.explain(PIPELINE.predict_proba, FRAME[:60])
        np.testing.assert_allclose(fast.values, slow.values, atol=1e-7)
        regression = LinearRegression().fit(X, X[:, 0])
        explained = lime().fit(X).explain(regression, X[:9])
        np.testing.assert_allclose(
            explained.values, lime().fit(X).explain(regression.predict, X[:9]).values, atol=1e-9
        )

    def test_standard_errors_are_those_over_seeds(self):
        def rough(table):
            return (table[:, 0] * table[:, 1] > 0).astype(float)

        for mode in ("around", "mean", "quartile"):
            runs = [
                lime(mode=mode, random_state=seed).fit(X).explain(rough, X[:40])
                for seed in range(12)
            ]
            actual = np.sqrt(np.var([e.values for e in runs], axis=0, ddof=1).mean())
            stated = np.sqrt(np.mean([e.mc_se**2 for e in runs]))
            assert 0.8 < stated / actual < 1.25, mode

    def test_variance_reduction_reduces_variance(self):
        def error(reduction):
            runs = [
                lime(variance_reduction=reduction, random_state=seed)
                .fit(X)
                .explain(LOGISTIC, X[:40])
                for seed in range(10)
            ]
            return np.std([e.values for e in runs], axis=0).mean()

        assert error("whitened") < error("none")

    def test_smaller_scale_is_more_local(self):
        def bent(table):
            return table[:, 0] ** 2

        errors = [
            np.abs(e.prediction - e.surrogate_prediction).mean()
            for e in (lime(scale=s).fit(X).explain(bent, X[:99]) for s in (1.0, 0.25))
        ]
        assert errors[1] < errors[0] / 10
        near = lime(scale=0.05).fit(X).explain(bent, X[:99])
        np.testing.assert_allclose(near.values[:, 0], 2 * X[:99, 0] * X[:, 0].std(), rtol=0.03)


class TestColumns:
    def test_frames_keep_names_types_and_labels(self):
        seen = []

        def watched(table):
            seen.append(table)
            return PIPELINE.predict_proba(table)

        e = lime().fit(FRAME).explain(watched, FRAME[:20])
        assert e.names == tuple(FRAME.columns)
        assert all(isinstance(table, pd.DataFrame) for table in seen)
        assert set(seen[-1]["job"]) <= {"none", "part", "full"}
        assert seen[-1]["owner"].dtype == bool
        effect = e.values[FRAME["job"][:20] == "full", 2].mean()
        assert effect > e.values[FRAME["job"][:20] == "none", 2].mean()

    def test_polars_and_categories_give_the_same(self):
        expected = lime().fit(FRAME).explain(PIPELINE, FRAME[:20])
        typed = FRAME.astype({"job": "category"})
        found = lime().fit(typed).explain(PIPELINE, typed[:20])
        np.testing.assert_allclose(found.values, expected.values, atol=1e-8)
        polar = pl.from_pandas(FRAME)
        kind = []

        def asked(table):
            kind.append(type(table))
            return PIPELINE.predict_proba(table.to_pandas())

        found = lime().fit(polar).explain(asked, polar[:20])
        np.testing.assert_allclose(found.values, expected.values, atol=1e-7)
        assert set(kind) == {pl.DataFrame}

    @pytest.mark.parametrize("kind", [np.float32, np.int64, object])
    def test_other_types_of_numbers(self, kind):
        whole = np.round(X * 3)
        expected = lime().fit(whole).explain(probability, whole[:9])
        found = lime().fit(whole.astype(kind)).explain(probability, whole[:9].astype(kind))
        np.testing.assert_allclose(found.values, expected.values)

    def test_sparse_tables(self):
        found = lime().fit(sparse.csr_array(X)).explain(probability, sparse.csr_array(X[:9]))
        np.testing.assert_array_equal(
            found.values, lime().fit(X).explain(probability, X[:9]).values
        )

    def test_one_column(self):
        e = lime().fit(X[:, :1]).explain(lambda Z: 2 * Z[:, 0], X[:5, :1])
        np.testing.assert_allclose(e.values, 2 * X[:, 0].std(), rtol=0.03)

    def test_a_constant_column_is_left_alone(self):
        Z = np.column_stack([X, np.full(N, 7.0)])

        def model(table):
            assert (table[:, 3] == 7).all()
            return table[:, 0]

        for mode in ("around", "quartile"):
            e = lime(mode=mode).fit(Z).explain(model, Z[:9])
            assert np.abs(e.values[:, 3]).max() < 1e-9 or mode == "quartile"
            assert np.isfinite(e.values).all()

    def test_twin_columns_share(self):
        Z = np.column_stack([X[:, 0], X[:, 0]])
        e = lime(n_samples=4000).fit(Z).explain(lambda T: T.sum(axis=1), Z[:9])
        np.testing.assert_allclose(e.values[:, 0], e.values[:, 1], rtol=0.02)

    def test_derived_columns_are_recomputed_and_not_explained(self):
        Z = np.column_stack([X[:, :2], X[:, 0] * X[:, 1]])

        def model(table):
            np.testing.assert_allclose(table[:, 2], table[:, 0] * table[:, 1])
            return table[:, 2]

        e = lime(derived={2: lambda table: table[:, 0] * table[:, 1]}).fit(Z).explain(model, Z[:9])
        assert e.names == ("x0", "x1")
        assert e.values.shape == (9, 2)
        with pytest.warns(InputWarning, match="'x2' is the product"):
            lime().fit(Z)

    def test_frozen_columns_are_not_perturbed(self):
        def model(table):
            assert set(table[:, 2]) <= set(X[:9, 2])
            return table[:, 0]

        e = lime(frozen=[2]).fit(X).explain(model, X[:9])
        assert (e.values[:, 2] == 0).all()

    def test_perturbation_by_group_has_the_spread_of_the_group(self):
        group = np.repeat([0.0, 1.0], N // 2)
        Z = np.column_stack([RNG.normal(size=N) * (1 + 9 * group), group])
        spread = {}

        def model(table):
            if len(table) > N:
                for value in (0.0, 1.0):
                    rows = table[table[:, 1] == value]
                    if len(rows):
                        spread.setdefault(value, []).append(rows[:, 0].std())
            return table[:, 0]

        rows = np.vstack([np.zeros((40, 2)), np.tile([0.0, 1.0], (40, 1))])
        e = lime(conditional_on=1, n_samples=2000).fit(Z).explain(model, rows)
        assert np.mean(spread[1.0]) > 5 * np.mean(spread[0.0])
        # Per overall standard deviation, so that values of both groups can be compared.
        np.testing.assert_allclose(e.values[:, 0], Z[:, 0].std(), rtol=0.01)

    def test_categories_in_numbers(self):
        Z = np.column_stack([X[:, 0], RNG.integers(0, 3, N)])

        def model(table):
            assert set(table[:, 1]) <= {0.0, 1.0, 2.0}
            return (table[:, 1] == 1).astype(float)

        e = lime(categorical=[1]).fit(Z).explain(model, Z)
        assert e.values[Z[:, 1] == 1, 1].min() > 0.8
        assert e.values[Z[:, 1] == 2, 1].max() < -0.2

    def test_unseen_categories_are_explained_with_a_warning(self):
        new = FRAME[:9].assign(job="retired")
        with pytest.warns(InputWarning, match="'job' holds categories"):
            e = lime().fit(FRAME).explain(lambda T: (T["job"] == "retired").astype(float), new)
        assert (e.prediction == 1).all()
        assert (e.values[:, 2] > 0.4).all()


class TestReproducibility:
    @pytest.mark.parametrize("mode", ["around", "mean", "quartile"])
    def test_order_of_rows_does_not_matter_to_the_bit(self, mode):
        order = RNG.permutation(100)
        explainer = lime(mode=mode).fit(X)
        straight, shuffled = (explainer.explain(probability, T) for T in (X[:100], X[:100][order]))
        for name in ("values", "surrogate_prediction", "mc_se", "block"):
            np.testing.assert_array_equal(getattr(straight, name)[order], getattr(shuffled, name))

    @pytest.mark.parametrize("mode", ["around", "mean", "quartile"])
    def test_other_rows_do_not_matter(self, mode):
        explainer = lime(mode=mode).fit(X)
        whole, part = explainer.explain(LOGISTIC, X), explainer.explain(LOGISTIC, X[7:9])
        np.testing.assert_allclose(part.values, whole.values[7:9], atol=1e-7)
        np.testing.assert_array_equal(part.block, whole.block[7:9])

    def test_workers_do_not_matter(self):
        import joblib

        alone = lime().fit(X).explain(probability, X[:60])
        with joblib.parallel_config(backend="threading"):
            together = lime(n_jobs=3).fit(X).explain(probability, X[:60])
        np.testing.assert_array_equal(alone.values, together.values)

    def test_inputs_and_global_generators_are_left_alone(self):
        table, before = X[:20].copy(), np.random.get_state()[1].copy()  # noqa: NPY002
        table.flags.writeable = False
        lime().fit(table).explain(probability, table)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    def test_stratified_blocks_are_even_and_free_of_order(self):
        group = RNG.choice(["a", "b"], N, p=[0.2, 0.8])
        explainer = lime(n_blocks=10).fit(X)
        e = explainer.explain(LOGISTIC, X, stratify=group)
        for label in "ab":
            counts = np.bincount(e.block[group == label], minlength=10)
            assert counts.max() - counts.min() <= 1
        order = RNG.permutation(N)
        again = explainer.explain(LOGISTIC, X[order], stratify=group[order])
        np.testing.assert_array_equal(e.block[order], again.block)

    def test_equal_rows_get_equal_explanations(self):
        e = lime().fit(X).explain(probability, np.vstack([X[:5], X[:5]]))
        np.testing.assert_array_equal(e.values[:5], e.values[5:])

    def test_survives_a_round_trip(self):
        import pickle

        explainer = pickle.loads(pickle.dumps(lime().fit(FRAME)))
        expected = lime().fit(FRAME).explain(PIPELINE, FRAME[:9])
        np.testing.assert_array_equal(
            explainer.explain(PIPELINE, FRAME[:9]).values, expected.values
        )


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mode": "far"}, "mode must be one of"),
            ({"n_samples": 201}, "must be even"),
            ({"n_samples": 2, "variance_reduction": "none"}, "n_samples must be above 3"),
            ({"n_samples": 6}, "n_samples must be above 6"),
            ({"scale": 0}, "scale must be a positive number"),
            ({"kernel_width": -1.0}, "kernel_width must be a positive number"),
            ({"variance_reduction": "magic"}, "variance_reduction must be one of"),
            ({"n_blocks": 0}, "n_blocks must be an integer of at least 1"),
            ({"frozen": [0, 1, 2]}, "no column is left"),
            ({"frozen": [3]}, "no column 3"),
            ({"categorical": ["job"]}, "no column 'job'"),
            ({"mode": "mean", "scale": 0.5}, "need mode='around'"),
        ],
    )
    def test_options(self, options, message):
        with pytest.raises(InputError, match=message):
            lime(**options).fit(X)

    def test_infinite_values(self):
        Z = X.copy()
        Z[3, 1] = np.inf
        with pytest.raises(InputError, match="'x1' of X has 1 infinite"):
            lime().fit(Z)
        with pytest.raises(InputError, match="infinite values"):
            lime().fit(X).explain(probability, Z)

    def test_missing_labels(self):
        with pytest.raises(InputError, match="'job' has 1 missing label"):
            lime().fit(FRAME.assign(job=[None, *FRAME["job"][1:]]))

    def test_other_columns(self):
        explainer = lime().fit(X)
        with pytest.raises(InputError, match="has 2 columns, but the explainer was fitted on 3"):
            explainer.explain(probability, X[:, :2])
        with pytest.raises(InputError, match="no rows"):
            explainer.explain(probability, X[:0])
        with pytest.raises(InputError, match="holds labels, but the explainer was fitted on"):
            explainer.explain(probability, np.full((2, 3), "a"))

    def test_a_kernel_that_leaves_no_weight(self):
        with pytest.warns(NumericalWarning, match=r"effective number of .* Raise n_samples"):
            lime(kernel_width=0.05).fit(X).explain(probability, X[:3])


class Noisy:
    """A model that answers differently each time."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, table):
        return self.rng.random(len(table))


class TestModels:
    @pytest.mark.parametrize(
        "shape",
        [
            lambda p: p,
            lambda p: p[:, None],
            lambda p: np.column_stack([1 - p, p]),
            lambda p: list(p),
            lambda p: p.astype(np.float32).astype(float),
        ],
    )
    def test_outputs_of_any_shape(self, shape):
        expected = lime().fit(X).explain(probability, X[:9]).values
        found = lime().fit(X).explain(lambda Z: shape(probability(Z)[:, 1]), X[:9]).values
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_torch_modules_and_tensors(self):
        torch = pytest.importorskip("torch")
        weight = torch.tensor(LOGISTIC.coef_[0], dtype=torch.float64)

        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.drop = torch.nn.Dropout(0.5)
                self.weight = torch.nn.Parameter(weight)

            def forward(self, rows):
                return torch.sigmoid(self.drop(rows) @ self.weight + LOGISTIC.intercept_[0])

        module = Module().train()
        expected = lime().fit(X).explain(LOGISTIC, X[:9]).values
        np.testing.assert_allclose(lime().fit(X).explain(module, X[:9]).values, expected, atol=1e-7)
        assert module.training
        found = lime().fit(X).explain(lambda Z: module.eval()(torch.as_tensor(Z)), X[:9])
        np.testing.assert_allclose(found.values, expected, atol=1e-7)

    @pytest.mark.gpu
    def test_modules_on_a_device(self):
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device")
        module = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Sigmoid()).cuda()
        e = lime().fit(X).explain(module, X[:9])
        assert np.isfinite(e.values).all()

    def test_more_than_two_classes_need_a_target(self):
        three = LogisticRegression().fit(X, RNG.choice(["a", "b", "c"], N))
        with pytest.raises(InputError, match="has 3 classes; name the one"):
            lime().fit(X).explain(three, X[:3])
        e = lime().fit(X).explain(three, X[:3], target="b")
        np.testing.assert_allclose(e.prediction, three.predict_proba(X[:3])[:, 1])
        with pytest.raises(InputError, match="no class or output 'd'"):
            ModelFunction(three, target="d")

    def test_margins_become_probabilities_and_targets_flip_them(self):
        from sklearn.svm import LinearSVC

        machine = LinearSVC().fit(X, Y)
        up, down = ModelFunction(machine), ModelFunction(machine, target=False)
        np.testing.assert_allclose(up(X[:9]) + down(X[:9]), 1)
        first = lime().fit(X).explain(machine, X[:9])
        other = lime().fit(X).explain(up, X[:9])
        np.testing.assert_allclose(first.values, other.values, atol=1e-7)
        np.testing.assert_allclose(
            lime().fit(X).explain(down, X[:9]).values, -first.values, atol=1e-7
        )

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (lambda Z: Z[:-1, 0], "one prediction per row"),
            (lambda Z: Z, "output has 3 columns"),
            (lambda Z: np.full(len(Z), np.nan), "missing or infinite"),
            (lambda Z: np.full(len(Z), "yes"), "not numeric"),
            (42, "must be a callable"),
        ],
    )
    def test_models_that_are_none(self, model, message):
        with pytest.raises(InputError, match=message):
            lime().fit(X).explain(model, X[:3])

    def test_errors_of_the_model_pass_through(self):
        def broken(table):
            raise ZeroDivisionError("inside")

        with pytest.raises(ZeroDivisionError, match="inside"):
            lime().fit(X).explain(broken, X[:3])

    def test_a_model_that_is_not_deterministic(self):
        with pytest.warns(InputWarning, match="predicted differently"):
            lime().fit(X).explain(Noisy(), X[:3])
