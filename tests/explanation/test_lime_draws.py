"""Draws that leave less to luck: rare categories, balanced quartiles, memory that is used again."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression

from shiftlab.explanation import KernelShapExplainer, LimeExplainer
from shiftlab.explanation._explainer_buffers import query_table
from shiftlab.explanation._lime_strata import balanced_draws, interaction_noise

RNG = np.random.default_rng(0)
N = 2000
#: One row in a hundred has the second category.
RARE = np.column_stack([RNG.normal(size=N), np.arange(N) % 100 == 0]).astype(float)


def bend(table):
    return np.tanh(table[:, 0] + 1.5 * table[:, 1])


def spread(function, n_seeds=8):
    return np.std([function(seed) for seed in range(n_seeds)], axis=0, ddof=1).mean()


def effect_of_the_rare(seed, **options):
    rare = RARE[RARE[:, 1] == 1][:5]
    explainer = LimeExplainer(categorical=[1], n_samples=300, random_state=seed, **options)
    return explainer.fit(RARE).explain(bend, rare).values[:, 1]


class TestRareCategories:
    def test_their_effect_hardly_depends_on_the_seed(self):
        plain = spread(lambda seed: effect_of_the_rare(seed, variance_reduction="none"))
        assert spread(effect_of_the_rare) < plain / 3

    def test_the_answer_is_that_of_plain_draws(self):
        def mean(n_seeds, **options):
            runs = [effect_of_the_rare(seed, **options) for seed in range(n_seeds)]
            return np.mean(runs), np.std([run.mean() for run in runs]) / np.sqrt(n_seeds)

        many, _ = mean(10, ridge=1e-6)
        plain, error = mean(30, ridge=1e-6, variance_reduction="none")
        assert many == pytest.approx(plain, abs=4 * error)

    def test_frequencies_and_weights_fit_together(self):
        from shiftlab.explanation._lime_around import make_draws

        explainer = LimeExplainer(categorical=[1], n_samples=1000).fit(RARE)
        draws = make_draws(
            explainer._table.settings, explainer.reference_, np.random.SeedSequence(0)
        )
        rare = draws.labels[1:, 0] == 1
        assert rare.sum() == pytest.approx(1000 * (0.8 * 0.01 + 0.1), abs=1)
        weights = draws.importance[1:]
        assert weights[rare].sum() / weights.sum() == pytest.approx(0.01, rel=0.02)
        assert weights.mean() == pytest.approx(1, rel=0.01)


class TestBalance:
    def test_every_pair_of_columns_fills_every_cell(self):
        draws = balanced_draws(49, 5, np.random.default_rng(0))
        cell = np.floor(draws * 7).astype(int)
        for a in range(5):
            for b in range(a):
                assert len(set(zip(cell[:, a], cell[:, b], strict=True))) == 49

    @pytest.mark.parametrize(("n", "d"), [(60, 3), (10, 8), (3, 2), (1, 1)])
    def test_every_column_is_balanced(self, n, d):
        draws = balanced_draws(n, d, np.random.default_rng(0))
        assert draws.shape == (n, d)
        assert ((draws >= 0) & (draws < 1)).all()
        assert_allclose(draws.mean(axis=0), 0.5, atol=1 / np.sqrt(n) if n < 10 else 0.06)

    def test_a_sum_over_columns_leaves_no_noise(self):
        draws = balanced_draws(961, 4, np.random.default_rng(0))
        response = np.sin(5 * draws).sum(axis=1)
        assert interaction_noise(response, draws).std() < 0.2 * response.std()

    def test_quartiles_need_fewer_draws(self):
        X = RNG.normal(size=(400, 4))
        model = LogisticRegression().fit(X, X @ [1.0, -1, 0.5, 0] > 0)

        def values(seed, **options):
            explainer = LimeExplainer(
                mode="quartile", standard_errors=False, random_state=seed, **options
            )
            return explainer.fit(X).explain(model, X[:20]).values

        plain = spread(lambda seed: values(seed, n_samples=1369, variance_reduction="none"))
        assert spread(lambda seed: values(seed, n_samples=1369)) < 0.65 * plain


class TestMemory:
    def test_it_is_used_again_once_nobody_holds_it(self):
        first = query_table(10, 3)
        place = first.ctypes.data
        del first
        assert query_table(5, 3).ctypes.data == place

    def test_who_keeps_a_table_keeps_its_numbers(self):
        kept = query_table(10, 3)[2:5]
        kept[...] = 7
        query_table(10, 3)[...] = 0
        assert (kept == 7).all()

    @pytest.mark.parametrize("kind", [LimeExplainer, KernelShapExplainer])
    def test_models_that_record_or_explain_or_return_their_input(self, kind):
        X = RNG.normal(size=(40, 2))
        explainer = kind(random_state=0, n_blocks=2).fit(X)
        inner = LimeExplainer(n_samples=20, random_state=0).fit(X)
        seen, copies = [], []

        def model(table):
            seen.append(table)
            copies.append(table.copy())
            inner.explain(lambda t: t[:, 1], X[:3])
            return table[:, 0]

        found = explainer.explain(model, X)
        plain = explainer.explain(lambda table: table[:, 0].copy(), X)
        assert (found.values == plain.values).all()
        assert all((a == b).all() for a, b in zip(seen, copies, strict=True))
