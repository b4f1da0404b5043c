"""Global surrogates: one readable model of the black box, optionally fair in its fidelity."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.checks import check_integer, check_length, check_option
from shiftlab._core.random import RandomState, as_seed_sequence, integer_seed
from shiftlab._core.validation import check_sensitive_features, check_weights, combine_labels
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_checks import (
    TableTags,
    check_positive,
    is_probability,
    predict_table,
)
from shiftlab.explanation._explainer_encoding import learn_encoding
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._models import as_model_function

if TYPE_CHECKING:
    from shiftlab.explanation._surrogates_terms import Terms

__all__ = ["GlobalSurrogate"]

KINDS = ("linear", "tree", "additive")
BALANCES = ("none", "groups", "minimax")


class GlobalSurrogate(TableTags, RegressorMixin, BaseEstimator):
    """One readable model that imitates the black box over the whole table.

    Parameters
    ----------
    kind : {"linear", "tree", "additive"}, default "linear"
        "linear": ridge regression on standardised columns. "tree": regression tree. "additive":
        ridge regression on a spline of each column.
    balance : {"none", "groups", "minimax"}, default "none"
        "groups" gives every group the same total weight; "minimax" moves weight to the group that
        is imitated worst until its error can hardly be lowered.
    max_depth : int, default 4
        Of the tree.
    n_knots : int, default 6
        Of each spline.
    ridge : float, default 0.001
        Penalty of "linear" and "additive", relative to the total weight.
    n_rounds : int, default 40
        Of "minimax".
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the tree.

    Attributes
    ----------
    group_errors_ : dict
        Mean squared error for each group, if groups were given.
    names_in_ : tuple of str
        Columns.

    References
    ----------
    Balagopalan, A. et al. (2022). The road to explainability is paved with bias: measuring the
    fairness of explanations. FAccT 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import GlobalSurrogate
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> surrogate = GlobalSurrogate("additive").fit(X, X[:, 0] ** 2)
    >>> bool(surrogate.score(X, X[:, 0] ** 2) > 0.95)
    True
    """

    def __init__(
        self,
        kind: str = "linear",
        *,
        balance: str = "none",
        max_depth: int = 4,
        n_knots: int = 6,
        ridge: float = 0.001,
        n_rounds: int = 40,
        random_state: RandomState = None,
    ) -> None:
        self.kind = kind
        self.balance = balance
        self.max_depth = max_depth
        self.n_knots = n_knots
        self.ridge = ridge
        self.n_rounds = n_rounds
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Self:
        """Imitate the predictions of a black box.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Table.
        y : array of shape (n_rows,), or a model
            What the black box says of each row; a model is asked.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), or frame, optional
            Groups; needed unless ``balance="none"``.
        sample_weight : array of shape (n_rows,), optional
            Weights of the rows.

        Returns
        -------
        GlobalSurrogate
            The surrogate itself.

        Raises
        ------
        InputError
            If lengths differ, a value is missing, or an option is not usable.
        """
        from shiftlab.explanation._surrogates_terms import make_terms

        check_option(self.kind, KINDS, "kind")
        check_option(self.balance, BALANCES, "balance")
        check_integer(self.n_rounds, "n_rounds")
        check_positive(self.ridge, "ridge")
        matrix, self._encoding = learn_encoding(X)
        self.names_in_, self.n_features_in_ = self._encoding.names, matrix.shape[1]
        target = self._target(matrix, y)
        weights = check_weights(sample_weight, len(matrix))
        weights = np.ones(len(matrix)) if weights is None else weights
        self._terms: Terms = make_terms(
            self.kind, matrix, weights, self._encoding.coded, max_depth=self.max_depth,
            n_knots=self.n_knots, ridge=self.ridge,
            seed=integer_seed(as_seed_sequence(self.random_state)),
        )  # fmt: skip
        if sensitive_features is None:
            if self.balance != "none":
                raise InputError(f"balance={self.balance!r} needs sensitive_features.")
            self._terms.fit(matrix, target, weights)
            return self
        features, _ = check_sensitive_features(sensitive_features, n_rows=len(matrix))
        groups = combine_labels(features)
        self._fit_groups(matrix, target, weights, groups.codes, len(groups))
        errors = _group_errors(self._terms, matrix, target, weights, groups.codes, len(groups))
        self.group_errors_ = dict(zip(groups.categories, errors.tolist(), strict=True))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return what the surrogate says of each row.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Table.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        check_is_fitted(self)
        matrix, _ = self._encoding.encode(X)
        base, terms = self._terms.split(matrix)
        return np.asarray(base + terms.sum(axis=1))

    def explain(self, model: Any, X: Any, *, target: Any = None) -> Explanation:
        """Explain each row by the terms of the surrogate.

        Parameters
        ----------
        model : callable, fitted estimator, torch module or ModelFunction
            The black box, with which the surrogate is compared.
        X : array or data frame of shape (n_rows, n_columns)
            Rows to explain.
        target : object, optional
            The class to explain, with more than two.

        Returns
        -------
        Explanation
        """
        check_is_fitted(self)
        function = as_model_function(model, target)
        matrix, encoding = self._encoding.encode(X)
        prediction = predict_table(function, encoding, matrix)
        base, terms = self._terms.split(matrix)
        n = len(matrix)
        return Explanation(
            values=terms,
            base=np.full(n, base),
            prediction=prediction,
            surrogate_prediction=base + terms.sum(axis=1),
            score=np.full(n, np.nan),
            block=np.full(n, -1),
            mc_se=np.zeros_like(terms),
            coordinates=np.ones_like(terms),
            names=self.names_in_,
            method=f"global surrogate ({self.kind})",
            is_probability=is_probability(function, prediction),
        )

    def _target(self, matrix: np.ndarray, y: Any) -> np.ndarray:
        if callable(y) or hasattr(y, "predict"):
            return predict_table(as_model_function(y), self._encoding, matrix)
        if y is None:
            raise InputError("y is needed: the predictions of the black box, or the model itself.")
        try:
            target = np.asarray(y, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError("y must be numeric: probabilities or values, no labels.") from error
        target = target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target
        check_length(target, len(matrix), "y")
        if target.ndim != 1 or not np.isfinite(target).all():
            raise InputError("y must be one-dimensional, without missing or infinite values.")
        return target

    def _fit_groups(
        self,
        matrix: np.ndarray,
        target: np.ndarray,
        weights: np.ndarray,
        codes: np.ndarray,
        n_groups: int,
    ) -> None:
        """Fit with weights of groups; "minimax" keeps the fit whose worst group is best."""
        if self.balance == "none":
            self._terms.fit(matrix, target, weights)
            return
        totals = np.bincount(codes, weights, n_groups)
        shares = np.full(n_groups, 1 / n_groups)
        best, chosen = np.inf, shares
        n_rounds = self.n_rounds if self.balance == "minimax" else 1
        for _ in range(n_rounds):
            self._terms.fit(matrix, target, weights * (shares / totals)[codes] * weights.sum())
            errors = _group_errors(self._terms, matrix, target, weights, codes, n_groups)
            if errors.max() < best:
                best, chosen = errors.max(), shares
            # Multiplicative weights, with steps relative to the size of the errors.
            shares = shares * np.exp(errors / max(errors.max(), 1e-300) * 0.5)
            shares /= shares.sum()
        self._terms.fit(matrix, target, weights * (chosen / totals)[codes] * weights.sum())


def _group_errors(
    terms: "Terms",
    matrix: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    codes: np.ndarray,
    n_groups: int,
) -> np.ndarray:
    base, parts = terms.split(matrix)
    squared = weights * (target - base - parts.sum(axis=1)) ** 2
    return np.bincount(codes, squared, n_groups) / np.bincount(codes, weights, n_groups)
