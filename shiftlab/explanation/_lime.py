"""LIME for a whole table at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_blocks import assign_blocks, content_keys, rows_by_block
from shiftlab.explanation._explainer_checks import (
    check_positive,
    predict_table,
    warn_about_products,
    warn_if_few_effective,
)
from shiftlab.explanation._explainer_encoding import Encoding, column_positions, learn_encoding
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._lime_around import LimeSettings, explain_around
from shiftlab.explanation._lime_linear import explain_linear
from shiftlab.explanation._lime_reference import (
    Quartiles,
    Reference,
    learn_quartiles,
    learn_reference,
)
from shiftlab.explanation._lime_regression import LocalFit
from shiftlab.explanation._lime_shared import explain_shared
from shiftlab.explanation._models import ModelFunction, as_model_function
from shiftlab.explanation._models_linear import LinearForm, linear_form

__all__ = ["LimeExplainer"]

MODES = ("around", "mean", "quartile")
REDUCTIONS = ("none", "antithetic", "whitened")


class LimeExplainer(BaseEstimator):
    """Local linear surrogates (LIME) for all rows of a table at once.

    Parameters
    ----------
    mode : {"around", "mean", "quartile"}, default "around"
        Where perturbations lie. "around": normal around the row, with the standard deviations of
        the training data. "mean": the same around the mean of the training data. "quartile": a
        quartile of each column by its frequency and a value inside it; the surrogate sees whether
        the quartile is that of the row. The last one is the default of the lime package.
    n_samples : int, default 1000
        Perturbations per row.
    scale : float, default 1.0
        Factor of the standard deviations of the perturbations. The kernel shrinks along with it,
        so that a smaller value makes the explanation more local.
    kernel_width : float or None, default None
        Width of the kernel in units of the perturbations; ``0.75 * sqrt(d)`` by default, as in the
        lime package.
    categorical : sequence of str or int, optional
        Numeric columns that hold categories. Columns of labels always do.
    derived : mapping of str or int to callable, optional
        Columns that are functions of the others: recomputed after each perturbation, and not
        explained themselves. A function takes the table as the model gets it.
    frozen : sequence of str or int, optional
        Columns that are never perturbed; their values are 0.
    n_blocks : int, default 25
        Blocks of rows that share their random draws. Fewer are faster; inference needs at least 25.
    variance_reduction : {"none", "antithetic", "whitened"}, default "whitened"
        "antithetic" draws each perturbation with its mirror image; "whitened" also gives the draws
        exactly unit covariance. Categories and quartiles are drawn independently always.
    ridge : float, default 1.0
        Penalty of the surrogate, at the default kernel; relative to the total weight elsewhere.
    standard_errors : bool, default True
        Whether to estimate the Monte-Carlo error of each value.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the perturbations.
    n_jobs : int or None, default None
        Parallel workers; results do not depend on it.
    progress : bool or callable, default False
        Whether to report progress.

    Attributes
    ----------
    names_in_ : tuple of str
        Columns of the training data.
    reference_ : Reference
        Centres, scales and frequencies of the training data.

    Notes
    -----
    The neighbourhood is wide by default: under the kernel the perturbations of a feature have
    variance ``h**2 / (1 + h**2)`` of its own, nearly the whole range of the data. The surrogate is
    then the line through a smoothed model, and loses fidelity where the model bends.

    References
    ----------
    Ribeiro, M. T., Singh, S. and Guestrin, C. (2016). "Why should I trust you?": explaining the
    predictions of any classifier. KDD 2016, 1135-1144.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from shiftlab.explanation import LimeExplainer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 3))
    >>> model = LogisticRegression().fit(X, X[:, 0] + rng.normal(size=500) > 0)
    >>> explainer = LimeExplainer(random_state=0).fit(X)
    >>> explanation = explainer.explain(model, X[:100])
    >>> explanation.top_k(1)["feature"].value_counts().index[0]
    'x0'
    """

    def __init__(
        self,
        *,
        mode: str = "around",
        n_samples: int = 1000,
        scale: float = 1.0,
        kernel_width: float | None = None,
        categorical: Sequence[str | int] | None = None,
        derived: Mapping[str | int, Callable[[Any], Any]] | None = None,
        frozen: Sequence[str | int] | None = None,
        n_blocks: int = 25,
        variance_reduction: str = "whitened",
        ridge: float = 1.0,
        standard_errors: bool = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        progress: Progress = False,
    ) -> None:
        self.mode = mode
        self.n_samples = n_samples
        self.scale = scale
        self.kernel_width = kernel_width
        self.categorical = categorical
        self.derived = derived
        self.frozen = frozen
        self.n_blocks = n_blocks
        self.variance_reduction = variance_reduction
        self.ridge = ridge
        self.standard_errors = standard_errors
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> Self:
        """Measure the training data; no model is needed.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            The table that the black box was trained on.
        y : object, optional
            Ignored.

        Returns
        -------
        LimeExplainer
            The explainer itself.

        Raises
        ------
        InputError
            If a value is missing or infinite, or an option is not usable.
        """
        matrix, encoding = learn_encoding(X)
        names = encoding.names
        categorical = column_positions(self.categorical, names, "categorical")
        categorical = sorted({*categorical, *encoding.coded})
        derived = {
            column_positions(c, names, "derived")[0]: f for c, f in (self.derived or {}).items()
        }
        frozen = column_positions(self.frozen, names, "frozen")
        self._kept = [j for j in range(len(names)) if j not in derived]
        free = tuple(j for j in self._kept if j not in frozen)
        if not free:
            raise InputError("frozen: no column is left to perturb.")
        self._settings = self._read_settings(free, derived)
        self._encoding = encoding
        self.reference_ = learn_reference(matrix, categorical)
        numbers = [j for j in free if j not in categorical]
        by_bin = self._settings.mode == "quartile"
        self._quartiles = {j: learn_quartiles(matrix[:, j]) for j in numbers} if by_bin else {}
        self.names_in_ = names
        self.n_features_in_ = len(names)
        warn_about_products(matrix, names, [*derived, *categorical])
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
        seed = as_seed_sequence(self.random_state)
        keys = content_keys(matrix, seed)
        blocks = assign_blocks(keys, self.n_blocks, stratify)
        parts = rows_by_block(blocks, keys)
        form = None
        if self._settings.mode == "around" and not self._settings.derived:
            form = linear_form(function, encoding, self.reference_, matrix)
        common = (function, form, encoding, self._settings, self.reference_, self._quartiles)
        tasks = [
            (*common, matrix[rows], prediction[rows], _block_seed(seed, block))
            for block, rows in parts
        ]
        found = parallel_map(
            _explain_block,
            tasks,
            n_jobs=self.n_jobs,
            progress=self.progress,
            description="blocks explained",
        )
        back = np.argsort(np.concatenate([rows for _, rows in parts]))
        fields = zip(*(fit for fit, _ in found), strict=True)
        fit = LocalFit(*(np.concatenate(field)[back] for field in fields))
        effective = min(value for _, value in found)
        warn_if_few_effective(effective, len(self._settings.free))
        explanation = self._assemble(fit, matrix, prediction, blocks)
        is_probability = function.is_probability
        if is_probability is None:
            is_probability = bool(((prediction >= 0) & (prediction <= 1)).all())
        return replace(
            explanation, is_probability=is_probability, effective_samples=float(effective)
        )

    def _read_settings(
        self, free: tuple[int, ...], derived: dict[int, Callable[[Any], Any]]
    ) -> LimeSettings:
        n_samples = check_integer(self.n_samples, "n_samples", minimum=2)
        check_integer(self.n_blocks, "n_blocks")
        reduction = check_option(self.variance_reduction, REDUCTIONS, "variance_reduction")
        if reduction != "none" and n_samples % 2:
            raise InputError(
                f"n_samples must be even with variance_reduction={reduction!r} (perturbations come "
                f"in pairs), found {n_samples}."
            )
        least = 2 * len(free) if reduction == "whitened" else len(free)
        if n_samples <= least:
            raise InputError(
                f"n_samples must be above {least} to explain {len(free)} columns, found "
                f"{n_samples}."
            )
        mode = check_option(self.mode, MODES, "mode")
        if mode != "around" and (self.scale != 1 or self.frozen):
            raise InputError(
                f"scale and frozen need mode='around'; with {mode!r} perturbations do not depend "
                "on the row."
            )
        usual = 0.75 * np.sqrt(len(self._kept))
        width = usual if self.kernel_width is None else self.kernel_width
        return LimeSettings(
            mode=mode,
            n_samples=n_samples,
            scale=check_positive(self.scale, "scale"),
            kernel_width=check_positive(width, "kernel_width"),
            default_width=float(usual),
            free=free,
            derived=derived,
            variance_reduction=reduction,
            ridge=check_positive(self.ridge, "ridge"),
            standard_errors=bool(self.standard_errors),
        )

    def _assemble(
        self, fit: LocalFit, matrix: np.ndarray, prediction: np.ndarray, blocks: np.ndarray
    ) -> Explanation:
        """Spread the slopes over the columns and find where the surrogate starts."""
        free, levels = self._settings.free, self.reference_.levels
        order = [j for j in free if j not in levels] + [j for j in free if j in levels]
        n, kept = len(matrix), self._kept
        values, se = np.zeros((n, matrix.shape[1])), np.zeros((n, matrix.shape[1]))
        values[:, order] = fit.coef
        se[:, order] = np.sqrt(fit.variance)
        coordinates = (matrix - self.reference_.mean) / self.reference_.scale
        by_bin = self._settings.mode == "quartile"
        coordinates[:, [j for j in kept if by_bin or j in levels]] = 1.0
        values, se, coordinates = values[:, kept], se[:, kept], coordinates[:, kept]
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(fit.total > 1e-12, 1 - fit.residual / fit.total, np.nan)
        return Explanation(
            values=values,
            base=fit.centre - (values * coordinates).sum(axis=1),
            prediction=prediction,
            surrogate_prediction=fit.centre,
            score=score,
            block=blocks,
            mc_se=se,
            coordinates=coordinates,
            names=tuple(self.names_in_[j] for j in kept),
            method=f"LIME ({self._settings.mode})",
        )


def _explain_block(
    function: ModelFunction,
    form: LinearForm | None,
    encoding: Encoding,
    settings: LimeSettings,
    reference: Reference,
    quartiles: dict[int, Quartiles],
    rows: np.ndarray,
    prediction: np.ndarray,
    seed: np.random.SeedSequence,
) -> tuple[LocalFit, float]:
    """Explain one block in the way that fits the mode and the model."""
    if form is not None:
        return explain_linear(form, settings, reference, rows, seed)
    if settings.mode == "around":
        return explain_around(function, encoding, settings, reference, rows, prediction, seed)
    return explain_shared(
        function, encoding, settings, reference, rows, prediction, seed, quartiles
    )


def _block_seed(seed: np.random.SeedSequence, block: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, block))
