"""KernelSHAP for a whole table at once."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.checks import check_integer
from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_blocks import (
    assign_blocks,
    block_seed,
    content_keys,
    rows_by_block,
)
from shiftlab.explanation._explainer_buffers import query_table, rows_per_call
from shiftlab.explanation._explainer_checks import TableTags, is_probability, predict_table
from shiftlab.explanation._explainer_encoding import Encoding, learn_encoding
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._kernel_shap_coalitions import make_coalitions, make_operator
from shiftlab.explanation._kernel_shap_linear import make_linear_game
from shiftlab.explanation._lime_reference import Reference, learn_reference
from shiftlab.explanation._models import ModelFunction, as_model_function
from shiftlab.explanation._models_linear import LinearForm, linear_form

__all__ = ["KernelShapExplainer"]

#: Columns up to which all coalitions can be enumerated.
MOST_EXACT = 20
#: Values of coalitions held at once.
MAX_CELLS = 4_000_000


class KernelShapExplainer(TableTags, BaseEstimator):
    """Shapley values by weighted regression on coalitions (KernelSHAP), for all rows at once.

    Parameters
    ----------
    n_coalitions : int, "auto" or "exact", default "auto"
        Coalitions per row: "auto" takes ``2 * d + 2048``, which means all of them up to 11 columns;
        "exact" all of them, up to 20 columns.
    n_background : int, default 50
        Rows of the training data, drawn at `fit`, that stand in for absent columns.
    n_blocks : int, default 25
        Blocks of rows that share their coalitions where these are drawn.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the background and of the coalitions.
    n_jobs : int or None, default None
        Parallel workers; results do not depend on it.
    progress : bool or callable, default False
        Whether to report progress.

    Attributes
    ----------
    background_ : ndarray of shape (n_background, d)
        The background, with codes in place of labels.
    names_in_ : tuple of str
        Columns of the training data.

    Notes
    -----
    Values and base add up to the prediction exactly, so the error at the row is 0 in every group;
    compare `truncated_mae`, `complexity` or the scores of `explanation_scores` instead. Where the
    time of the model dominates (trees, networks), nothing but fewer coalitions makes it faster.

    References
    ----------
    Lundberg, S. M. and Lee, S.-I. (2017). A unified approach to interpreting model predictions.
    NeurIPS 30.

    Covert, I. and Lee, S.-I. (2021). Improving KernelSHAP: practical Shapley value estimation via
    linear regression. AISTATS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import KernelShapExplainer
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> explainer = KernelShapExplainer(random_state=0).fit(X)
    >>> explanation = explainer.explain(lambda X: X[:, 0] * X[:, 1], X[:5])
    >>> total = explanation.base + explanation.values.sum(axis=1)
    >>> bool(np.allclose(total, explanation.prediction))
    True
    """

    _allow_missing = True

    def __init__(
        self,
        *,
        n_coalitions: int | str = "auto",
        n_background: int = 50,
        n_blocks: int = 25,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        progress: Progress = False,
    ) -> None:
        self.n_coalitions = n_coalitions
        self.n_background = n_background
        self.n_blocks = n_blocks
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the background; no model is needed.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Training data, or the background itself if it has at most `n_background` rows.
        y : object, optional
            Ignored.

        Returns
        -------
        KernelShapExplainer
            The explainer itself.

        Raises
        ------
        InputError
            If a value is missing or infinite, or an option is not usable.
        """
        check_integer(self.n_background, "n_background")
        check_integer(self.n_blocks, "n_blocks")
        matrix, encoding = learn_encoding(X, allow_missing=True)
        d = matrix.shape[1]
        self._budget = _budget(self.n_coalitions, d)
        seed = as_seed_sequence(self.random_state).spawn(2)[0]
        keys = content_keys(matrix, seed)
        chosen = np.sort(np.argsort(keys, kind="stable")[: self.n_background])
        self.background_ = matrix[chosen]
        self._encoding = encoding
        self._reference = learn_reference(matrix, encoding.coded)
        self.names_in_ = encoding.names
        self.n_features_in_ = d
        return self

    def explain(
        self, model: Any, X: Any, *, target: Any = None, stratify: Any = None
    ) -> Explanation:
        """Explain each row of a table.

        Parameters
        ----------
        model : callable, fitted estimator, torch module or ModelFunction
            The black box.
        X : array or data frame of shape (n_rows, n_columns)
            Rows to explain, with the columns of `fit`.
        target : object, optional
            The class to explain, with more than two.
        stratify : array of shape (n_rows,) or (n_rows, k), optional
            Groups to deal out evenly over the blocks.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            If the table or the output of the model is not usable.
        """
        check_is_fitted(self)
        function = as_model_function(model, target)
        matrix, encoding = self._encoding.encode(X)
        prediction = predict_table(function, encoding, matrix)
        base = float(function(encoding.decode(self.background_)).mean())
        seed = as_seed_sequence(self.random_state).spawn(2)[1]
        keys = content_keys(matrix, seed)
        exact = self._budget >= 2 ** matrix.shape[1] - 2
        blocks = assign_blocks(keys, 1 if exact else self.n_blocks, None if exact else stratify)
        parts = rows_by_block(blocks, keys)
        form = linear_form(function, encoding, self._reference, matrix)
        game = _Game(
            function, form, encoding, self._reference, self.background_, self._budget, base
        )
        tasks = [
            (game, matrix[rows], prediction[rows], block_seed(seed, block)) for block, rows in parts
        ]
        found = parallel_map(
            _explain_block,
            tasks,
            n_jobs=self.n_jobs,
            progress=self.progress,
            description="blocks explained",
        )
        back = np.argsort(np.concatenate([rows for _, rows in parts]))
        values, variance, score = (np.concatenate(part)[back] for part in zip(*found, strict=True))
        return Explanation(
            values=values,
            base=np.full(len(values), base),
            prediction=prediction,
            surrogate_prediction=base + values.sum(axis=1),
            score=score,
            block=np.full(len(values), -1) if exact else blocks,
            mc_se=np.sqrt(variance),
            coordinates=np.ones_like(values),
            names=self.names_in_,
            method="KernelSHAP" + (" (exact)" if exact else ""),
            additive=True,
            is_probability=is_probability(function, prediction),
        )


def _budget(n_coalitions: int | str, d: int) -> int:
    complete = 2**d - 2 if d <= MOST_EXACT else None
    if n_coalitions == "auto":
        wanted = 2 * d + 2048
        return wanted if complete is None else min(wanted, complete)
    if n_coalitions == "exact":
        if complete is None:
            raise InputError(
                f"n_coalitions='exact' is possible up to {MOST_EXACT} columns, found {d}. Give a "
                "number, or 'auto'."
            )
        return complete
    wanted = check_integer(n_coalitions, "n_coalitions")
    if wanted < 2 * d and (complete is None or wanted < complete):
        raise InputError(
            f"n_coalitions must be at least {2 * d} for {d} columns (each alone, and all but "
            f"each), found {wanted}."
        )
    return wanted if complete is None else min(wanted, complete)


@dataclass(frozen=True)
class _Game:
    """What all rows have in common."""

    function: ModelFunction
    form: LinearForm | None
    encoding: Encoding
    reference: Reference
    background: np.ndarray
    budget: int
    base: float


def _explain_block(
    game: _Game,
    rows: np.ndarray,
    prediction: np.ndarray,
    seed: np.random.SeedSequence,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, Monte-Carlo variance and score of the rows of one block."""
    n, d = rows.shape
    if d == 1:
        return (prediction - game.base)[:, None], np.zeros((n, 1)), np.ones(n)
    masks, weights, n_sampled = make_coalitions(d, game.budget, np.random.default_rng(seed))
    regression = make_operator(masks, weights, n_sampled)
    linear = None
    if game.form is not None:
        linear = make_linear_game(game.form, game.reference, rows, game.background, masks)
    found = []
    size = max(1, MAX_CELLS // len(masks))
    for start in range(0, n, size):
        part = slice(start, start + size)
        values = linear.values(part) if linear else _coalition_values(game, rows[part], masks)
        found.append(regression.solve(values, game.base, prediction[part]))
    values, variance, score = (np.concatenate(field) for field in zip(*found, strict=True))
    return values, variance, score


def _coalition_values(game: _Game, rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the mean prediction of each coalition over the background, shape (n, m)."""
    b, d = game.background.shape
    size = max(1, rows_per_call(d) // b)
    values = np.empty((len(rows), len(masks)))
    for start in range(0, len(masks), size):
        part = slice(start, start + size)
        # Where each cell of the queries comes from: the background, or behind it the row.
        own, other = b * d + np.arange(d), np.arange(b * d).reshape(b, d)
        source = np.where(masks[part, None, :], own, other).reshape(-1, d)
        for i, row in enumerate(rows):
            values[i, part] = _mean_predictions(game, row, source)
    return values


def _mean_predictions(game: _Game, row: np.ndarray, source: np.ndarray) -> np.ndarray:
    queries = query_table(*source.shape)
    known = np.concatenate([game.background.ravel(), row])
    np.take(known, source, out=queries, mode="clip")  # faster than a check of each index
    answers = game.function(game.encoding.decode(queries))
    return np.asarray(answers.reshape(-1, len(game.background)).mean(axis=1))
