"""Exact Shapley values of trees and linear models by the library shap, as an `Explanation`."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.optional import import_optional
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_blocks import content_keys
from shiftlab.explanation._explainer_checks import is_probability, predict_table
from shiftlab.explanation._explainer_encoding import learn_encoding
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._models import as_model_function

__all__ = ["ShapExplainer"]

METHODS = ("tree", "linear")


class ShapExplainer(BaseEstimator):
    """Exact Shapley values of a tree ensemble or a linear model, through the library shap.

    Parameters
    ----------
    method : {"tree", "linear"}, default "tree"
        "tree": interventional TreeSHAP of the prediction (a probability for classifiers). "linear":
        of the margin of a linear model; prediction and values are then margins.
    n_background : int, default 100
        Rows of the training data, drawn at `fit`, that stand in for absent columns.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the background.

    Attributes
    ----------
    background_ : ndarray of shape (n_background, d)
        The background.
    names_in_ : tuple of str
        Columns.

    References
    ----------
    Lundberg, S. M. et al. (2020). From local explanations to global understanding with explainable
    AI for trees. Nature Machine Intelligence 2, 56-67.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("shap")
    >>> from sklearn.linear_model import LinearRegression
    >>> from shiftlab.explanation import ShapExplainer
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = LinearRegression().fit(X, 2 * X[:, 0])
    >>> explanation = ShapExplainer("linear", random_state=0).fit(X).explain(model, X[:5])
    >>> bool(np.abs(explanation.values[:, 1]).max() < 1e-12)
    True
    """

    def __init__(
        self, method: str = "tree", *, n_background: int = 100, random_state: RandomState = None
    ) -> None:
        self.method = method
        self.n_background = n_background
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the background; no model is needed.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Training data: numbers only.
        y : object, optional
            Ignored.

        Returns
        -------
        ShapExplainer
            The explainer itself.

        Raises
        ------
        InputError
            If a column holds labels, or a value is missing or infinite.
        """
        check_option(self.method, METHODS, "method")
        check_integer(self.n_background, "n_background")
        matrix, encoding = learn_encoding(X)
        if encoding.coded:
            raise InputError("ShapExplainer needs columns of numbers; X has columns of labels.")
        keys = content_keys(matrix, as_seed_sequence(self.random_state))
        self.background_ = matrix[np.sort(np.argsort(keys, kind="stable")[: self.n_background])]
        self._encoding = encoding
        self.names_in_, self.n_features_in_ = encoding.names, matrix.shape[1]
        return self

    def explain(self, model: Any, X: Any) -> Explanation:
        """Explain each row of a table.

        Parameters
        ----------
        model : fitted estimator
            A tree ensemble or a linear model, with at most two classes.
        X : array or data frame of shape (n_rows, n_columns)
            Rows to explain.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            If shap does not know the model.
        MissingDependencyError
            If shap is not installed.
        """
        check_is_fitted(self)
        shap = import_optional("shap", extra="explain", purpose="ShapExplainer")
        matrix, encoding = self._encoding.encode(X)
        background = self.background_
        try:
            if self.method == "linear":
                explainer = shap.LinearExplainer(model, background)
            else:
                output = "probability" if hasattr(model, "predict_proba") else "raw"
                explainer = shap.TreeExplainer(
                    model, background, feature_perturbation="interventional", model_output=output
                )
            values = np.asarray(explainer.shap_values(matrix), dtype=np.float64)
        except Exception as error:
            raise InputError(
                f"model: shap has no exact {self.method} explanation of {type(model).__name__} "
                f"({error}). KernelShapExplainer takes any model."
            ) from error
        base = np.ravel(np.asarray(explainer.expected_value, dtype=np.float64))[-1]
        if values.ndim == 3:
            values = values[:, :, -1]
        surrogate = base + values.sum(axis=1)
        probability = self.method == "tree" and hasattr(model, "predict_proba")
        if self.method == "linear":
            margin = getattr(model, "decision_function", model.predict)
            prediction = np.asarray(margin(encoding.decode(matrix)), dtype=np.float64)
        else:
            function = as_model_function(model)
            prediction = predict_table(function, encoding, matrix)
            probability = is_probability(function, prediction)
        n = len(matrix)
        return Explanation(
            values=values,
            base=np.full(n, base),
            prediction=prediction,
            surrogate_prediction=surrogate,
            score=np.full(n, np.nan),
            block=np.full(n, -1),
            mc_se=np.zeros_like(values),
            coordinates=np.ones_like(values),
            names=self.names_in_,
            method=f"SHAP ({self.method})",
            additive=True,
            is_probability=probability,
        )
