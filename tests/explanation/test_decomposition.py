"""What in the explainer makes the gap: parts that are known, exact sums, the same for any model."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from shiftlab.exceptions import InputError
from shiftlab.explanation import LimeExplainer, decompose_gap, explanation_disparity

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 2))
GROUP = np.where(X[:, 1] > 0, "a", "b")
FEW = {"metrics": ["mae"], "n_resamples": 49, "random_state": 0}


def lime(**options):
    return LimeExplainer(**({"n_samples": 300, "random_state": 0} | options)).fit(X)


def parabola(table):
    return 1 / (1 + np.exp(-np.where(table[:, 1] > 0, table[:, 0] ** 2 - 1, table[:, 0])))


def values(model, explainer=None, **options):
    found = decompose_gap(explainer or lime(), model, X, GROUP, **(FEW | options))
    return found.table.set_index("part"), found


@pytest.fixture(scope="module")
def bent():
    return values(parabola, metrics=["mae", "accuracy", "signed"])[1]


class TestSums:
    def test_parts_add_up_exactly_and_to_the_gap_of_the_explainer(self, bent):
        explanation = lime().explain(parabola, X, stratify=GROUP)
        gap = explanation_disparity(
            explanation, GROUP, metrics=["mae", "accuracy", "signed"], random_state=0,
            n_resamples=19,
        ).pairs.set_index("metric")["difference"]  # fmt: skip
        for metric, part in bent.table.groupby("metric"):
            value = part.set_index("part")["value"]
            assert value.drop("total").sum() == pytest.approx(value["total"], abs=1e-13)
            assert value["total"] == pytest.approx(gap[metric], abs=1e-12)

    def test_worlds_hold_the_ends(self, bent):
        mae = bent.worlds[bent.worlds["metric"] == "mae"]
        value = bent.table[bent.table["metric"] == "mae"].set_index("part")["value"]
        on = mae[["sampling", "width", "family"]].sum(axis=1)
        assert mae["difference"][on == 3].item() == value["total"]
        assert mae["difference"][on == 0].item() == value["remainder"]
        assert len(mae) == 8

    def test_shapley_is_the_mean_of_all_orders(self):
        from itertools import permutations

        explainer, few = lime(n_samples=60, n_blocks=3), {"n_resamples": 19, "more_draws": 2}
        shapley, _ = values(parabola, explainer, **few)
        orders = list(permutations(("sampling", "width", "family")))
        nested = [values(parabola, explainer, order=o, **few)[0]["value"] for o in orders]
        mean = sum(nested) / len(orders)
        np.testing.assert_allclose(mean, shapley["value"], atol=1e-13)

    def test_nested_means_one_after_the_other(self, bent):
        first, found = values(parabola, order=("width", "family", "sampling"))
        mae = bent.worlds[bent.worlds["metric"] == "mae"]
        without = mae[mae["sampling"] & ~mae["width"] & mae["family"]]["difference"].item()
        assert first["value"]["width"] == pytest.approx(first["value"]["total"] - without)
        assert found.method == "nested"
        assert found.order == ("width", "family", "sampling")


class TestKnownCauses:
    def test_a_parabola_needs_squares(self):
        _, found = values(lambda t: t[:, 0] ** 2)
        ideal = found.worlds[~found.worlds["sampling"] & found.worlds["width"]]
        line, richer = ideal.sort_values("family", ascending=False)["overall"]
        assert richer < 0.02 * line

    def test_a_product_needs_products(self):
        _, found = values(lambda t: t[:, 0] * t[:, 1])
        ideal = found.worlds[~found.worlds["sampling"] & found.worlds["width"]]
        line, richer = ideal.sort_values("family", ascending=False)["overall"]
        assert richer < 0.05 * line

    def test_a_wave_needs_a_narrow_neighbourhood(self):
        part, _ = values(lambda t: np.where(t[:, 1] > 0, np.sin(6 * t[:, 0]), 0.0))
        assert part["share"]["width"] > 0.7
        assert abs(part["share"]["family"]) < 0.2
        assert part["low"]["width"] > 0

    def test_noise_of_few_draws_is_sampling(self):
        part, _ = values(
            lambda t: t[:, 0] ** 3 * (t[:, 1] > 0), lime(n_samples=20, variance_reduction="none")
        )
        assert part["value"]["sampling"] > 2 * part["se"]["sampling"]


class TestModels:
    def test_the_fast_path_gives_the_same(self):
        model = LogisticRegression().fit(X, X[:, 0] + 0.5 * X[:, 1] > 0)
        explainer = lime(n_blocks=5)
        fast, _ = values(model, explainer)
        slow, _ = values(model.predict_proba, explainer)
        np.testing.assert_allclose(fast["value"], slow["value"], atol=2e-7)
        np.testing.assert_allclose(fast["se"], slow["se"], atol=2e-7)
        line = LinearRegression().fit(X, X @ [2.0, -1.0])
        fast, slow = values(line, explainer)[0], values(line.predict, explainer)[0]
        np.testing.assert_allclose(fast["value"], slow["value"], atol=1e-10)

    def test_three_groups_and_categories(self):
        table = np.column_stack([X, RNG.integers(0, 3, len(X))])
        group = np.array(["u", "v", "w"])[table[:, 2].astype(int)]
        explainer = LimeExplainer(n_samples=200, categorical=[2], random_state=0).fit(table)
        found = decompose_gap(
            explainer, lambda t: np.sin(2 * t[:, 0]) * (t[:, 2] == 1), table, group, **FEW
        )
        pairs = found.table.groupby(["group", "reference"])
        assert list(pairs.groups) == [("u", "v"), ("u", "w"), ("v", "w")]
        for _, part in pairs:
            value = part.set_index("part")["value"]
            assert value.drop("total").sum() == pytest.approx(value["total"], abs=1e-13)

    def test_an_explainer_without_a_seed_takes_that_of_the_call(self):
        explainer = lime(random_state=None, n_samples=60, n_blocks=3)
        assert values(parabola, explainer)[1].to_json() == values(parabola, explainer)[1].to_json()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["auroc"]}, "means over rows"),
        ({"metrics": "mae"}, "sequence of names"),
        ({"order": ["width", "sampling"]}, "each of"),
        ({"order": "width"}, "each of"),
        ({"more_draws": 1}, "more_draws must be an integer of at least 2"),
        ({"narrow": 1.5}, "narrow"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        values(parabola, **options)


def test_explainers_that_cannot_be_decomposed():
    with pytest.raises(InputError, match="mode='around'"):
        values(parabola, lime(mode="quartile"))
    with pytest.raises(InputError, match="n_samples must be at least 10"):
        values(parabola, lime(n_samples=8))
    with pytest.raises(InputError, match="single group"):
        decompose_gap(lime(), parabola, X, np.zeros(len(X)), **FEW)


def test_the_picture_has_a_line_per_part(bent):
    axes = bent.plot(metric="accuracy")
    assert len(axes.get_yticklabels()) == 5
