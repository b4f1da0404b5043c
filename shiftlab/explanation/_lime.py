"""LIME for a whole table at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.explanation._explainer_checks import (
    TableTags,
    is_probability,
    warn_about_products,
    warn_if_few_effective,
)
from shiftlab.explanation._explainer_encoding import learn_encoding
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._lime_table import LimeTable, TableFit, fit_table, learn_table
from shiftlab.explanation._models import ModelFunction, as_model_function

__all__ = ["LimeExplainer", "fit_surrogates"]


class LimeExplainer(TableTags, BaseEstimator):
    """Local linear surrogates (LIME) for all rows of a table at once.

    Parameters
    ----------
    mode : {"around", "joint", "mean", "quartile"}, default "around"
        Where perturbations lie. "around": normal around the row, with the standard deviations of
        the training data. "joint": the same with its correlations, and with the categories of a
        training row together; with `conditional_on`, those of the group of the row. "mean": around
        the mean of the training data. "quartile": a quartile of each column by its frequency and a
        value inside it; the surrogate sees whether the quartile is that of the row. The last one is
        the default of the lime package.
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
    conditional_on : str or int, optional
        A column whose categories have scales and frequencies of their own: rows are perturbed like
        the training rows of their group. The column itself is not perturbed.
    n_blocks : int, default 25
        Blocks of rows that share their random draws. Fewer are faster; inference needs at least 25.
    variance_reduction : {"none", "antithetic", "whitened"}, default "whitened"
        "antithetic" draws each perturbation with its mirror image; "whitened" also gives the draws
        exactly unit covariance. Both draw rare categories more often than they occur and weight
        them down, and draw quartiles from a balanced design (an orthogonal array), which needs a
        quarter of the samples; squares of primes (1369, 2209, 5041) suit it best.
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

    Numbers may be missing if the model takes that (trees, a pipeline with an imputer). A missing
    number of a row is not perturbed and has the value 0; in mode "quartile" being missing is a bin
    of its own. Mode "mean" needs complete rows.

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

    _allow_missing = True

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
        conditional_on: str | int | None = None,
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
        self.conditional_on = conditional_on
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
        matrix, encoding = learn_encoding(X, allow_missing=True)
        table = self._learn(learn_table(self.get_params(deep=False), matrix, encoding))
        given = [*table.settings.derived, *table.reference.levels]
        warn_about_products(matrix, self.names_in_, given)
        return self

    def with_options(self, **options: Any) -> "LimeExplainer":
        """Return a new explainer with other options, fitted on the same training data.

        Parameters
        ----------
        **options : object
            Parameters of the constructor.

        Returns
        -------
        LimeExplainer
        """
        check_is_fitted(self)
        other = clone(self).set_params(**options)
        known = self._table
        other._learn(learn_table(other.get_params(deep=False), known.matrix, known.encoding))
        return other

    def _learn(self, table: LimeTable) -> LimeTable:
        self._table = table
        self.reference_ = table.reference
        self.names_in_ = table.encoding.names
        self.n_features_in_ = len(self.names_in_)
        return table

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
        found = fit_surrogates(self, function, X, stratify)
        warn_if_few_effective(found.effective_samples, len(self._table.settings.free))
        explanation = self._assemble(found)
        return replace(
            explanation,
            is_probability=is_probability(function, found.prediction),
            effective_samples=found.effective_samples,
        )

    def _assemble(self, found: TableFit) -> Explanation:
        """Spread the slopes over the columns and find where the surrogate starts."""
        fit, matrix = found.fit, found.matrix
        settings, levels = self._table.settings, self.reference_.levels
        free, kept = settings.free, self._table.kept
        order = [j for j in free if j not in levels] + [j for j in free if j in levels]
        n = len(matrix)
        values, se = np.zeros((n, matrix.shape[1])), np.zeros((n, matrix.shape[1]))
        values[:, order] = fit.coef
        se[:, order] = np.sqrt(fit.variance)
        coordinates = (matrix - self.reference_.mean) / self.reference_.scale
        by_bin = settings.mode == "quartile"
        coordinates[np.isnan(matrix)] = 0.0  # a missing number stays missing and has the value 0
        coordinates[:, [j for j in kept if by_bin or j in levels]] = 1.0
        values, se, coordinates = values[:, kept], se[:, kept], coordinates[:, kept]
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(fit.total > 1e-12, 1 - fit.residual / fit.total, np.nan)
        return Explanation(
            values=values,
            base=fit.centre - (values * coordinates).sum(axis=1),
            prediction=found.prediction,
            surrogate_prediction=fit.centre,
            score=score,
            block=found.blocks,
            mc_se=se,
            coordinates=coordinates,
            names=tuple(self.names_in_[j] for j in kept),
            method=f"LIME ({settings.mode})",
        )


def fit_surrogates(
    explainer: LimeExplainer,
    function: ModelFunction,
    X: Any,
    stratify: Any = None,
    *,
    with_quadratic: bool = False,
) -> TableFit:
    """Fit the surrogates of all rows, optionally with squares and products as a second family."""
    return fit_table(
        explainer._table,
        function,
        X,
        stratify,
        seed=as_seed_sequence(explainer.random_state),
        n_blocks=explainer.n_blocks,
        n_jobs=explainer.n_jobs,
        progress=explainer.progress,
        with_quadratic=with_quadratic,
    )
