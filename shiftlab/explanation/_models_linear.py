"""Models that are linear in numbers and additive in categories, read off by a few predictions.

A perturbation then moves the margin by an amount that does not depend on the row, which removes
nearly all of the work of an explainer. Only estimators and transformers known to be of that form
are probed, and the form is checked against the model before it is used.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shiftlab.explanation._explainer_encoding import Encoding
from shiftlab.explanation._lime_reference import Reference
from shiftlab.explanation._models import ModelFunction

__all__ = ["LinearForm", "linear_form"]

FINAL = {
    "LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "RidgeClassifier",
    "RidgeClassifierCV", "LinearSVC", "Perceptron", "LinearDiscriminantAnalysis",
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV",
    "SGDRegressor", "BayesianRidge", "HuberRegressor", "LinearSVR", "ARDRegression",
}  # fmt: skip
COLUMNWISE = {
    "StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "OneHotEncoder",
    "OrdinalEncoder", "SimpleImputer", "TargetEncoder",
}  # fmt: skip
TOLERANCE = 1e-9


@dataclass(frozen=True)
class LinearForm:
    """A margin that is a sum over columns, and what makes a prediction of it.

    Attributes
    ----------
    intercept : float
        Margin where all numbers are 0 and all categories are the first.
    coef : ndarray of shape (d,)
        Slope of each column of numbers; 0 for categories.
    tables : dict of int to ndarray
        For each categorical column, what each of its levels adds.
    logistic : bool
        Whether the prediction is the logistic function of the margin, or the margin itself.
    """

    intercept: float
    coef: np.ndarray
    tables: dict[int, np.ndarray] = field(default_factory=dict)
    logistic: bool = True

    def margin(self, matrix: np.ndarray, reference: Reference) -> np.ndarray:
        """Return the margin of each row."""
        margin = self.intercept + matrix @ self.coef
        for j, table in self.tables.items():
            margin += table[np.searchsorted(reference.levels[j], matrix[:, j])]
        return margin

    def predict(self, margin: np.ndarray) -> np.ndarray:
        """Return the prediction at a margin."""
        from scipy.special import expit

        return np.asarray(expit(margin)) if self.logistic else margin


def linear_form(
    function: ModelFunction, encoding: Encoding, reference: Reference, matrix: np.ndarray
) -> LinearForm | None:
    """Return the form of a model if it is linear, None if it is not known to be.

    Parameters
    ----------
    function : ModelFunction
        The model.
    encoding : Encoding
        How matrices become the tables that the model takes.
    reference : Reference
        Levels of the categorical columns.
    matrix : ndarray of shape (n_rows, d)
        Rows to explain; the form is checked on some of them, perturbed.
    """
    if not _known(function.model) or function.output != "auto":
        return None
    margin_of = getattr(function.model, "decision_function", None) or function.model.predict
    if np.isnan(matrix).any():
        return None  # what an imputer makes of a missing number is no term of a sum
    known = all(np.isin(matrix[:, j], levels).all() for j, levels in reference.levels.items())
    if not known:
        return None
    try:
        return _probe(function, margin_of, encoding, reference, matrix)
    except (ValueError, TypeError):  # a category that an encoder does not know, for instance
        return None


def _known(model: Any) -> bool:
    """Whether a model is a linear estimator behind column-wise transformers."""
    name = type(model).__name__
    if not type(model).__module__.startswith("sklearn."):
        return False
    if name == "Pipeline":
        *steps, (_, final) = model.steps
        return _known(final) and all(_columnwise(step) for _, step in steps)
    return name in FINAL and np.ndim(getattr(model, "intercept_", 0)) <= 1


def _columnwise(step: Any) -> bool:
    if step is None or isinstance(step, str):
        return step in (None, "passthrough", "drop")
    name = type(step).__name__
    if name == "Pipeline":
        return all(_columnwise(inner) for _, inner in step.steps)
    if name == "ColumnTransformer":
        return all(_columnwise(inner) for _, inner, _ in step.transformers_)
    if name == "FunctionTransformer":
        return step.func is None
    return name in COLUMNWISE and not getattr(step, "clip", False)


def _probe(
    function: ModelFunction,
    margin_of: Any,
    encoding: Encoding,
    reference: Reference,
    matrix: np.ndarray,
) -> LinearForm | None:
    d = matrix.shape[1]
    origin = np.zeros(d)
    for j, levels in reference.levels.items():
        origin[j] = levels[0]
    probes, numbers = [origin], [j for j in range(d) if j not in reference.levels]
    for j in numbers:
        probes.append(origin.copy())
        probes[-1][j] = reference.scale[j]
    for j, levels in reference.levels.items():
        for level in levels:
            probes.append(origin.copy())
            probes[-1][j] = level
    margins = np.asarray(margin_of(encoding.decode(np.array(probes))), dtype=np.float64)
    if margins.ndim != 1:
        return None
    coef, start = np.zeros(d), 1 + len(numbers)
    coef[numbers] = (margins[1:start] - margins[0]) / reference.scale[numbers]
    tables = {}
    for j, levels in reference.levels.items():
        tables[j] = margins[start : start + len(levels)] - margins[0]
        start += len(levels)
    return _verified(
        LinearForm(float(margins[0]), coef, tables), function, encoding, reference, matrix
    )


def _verified(
    form: LinearForm,
    function: ModelFunction,
    encoding: Encoding,
    reference: Reference,
    matrix: np.ndarray,
) -> LinearForm | None:
    """Return the form, with its link and sign, if it predicts like the model on perturbed rows."""
    rng = np.random.default_rng(0)
    rows = matrix[np.linspace(0, len(matrix) - 1, min(16, len(matrix))).astype(int)].copy()
    for j in range(matrix.shape[1]):
        if j in reference.levels:
            rows[:, j] = rng.choice(reference.levels[j], len(rows))
        else:
            rows[:, j] += 2 * reference.scale[j] * rng.standard_normal(len(rows))
    wanted = function(encoding.decode(rows))
    flipped = LinearForm(-form.intercept, -form.coef, {j: -t for j, t in form.tables.items()})
    plain = LinearForm(form.intercept, form.coef, form.tables, logistic=False)
    for candidate in (form, flipped, plain):
        found = candidate.predict(candidate.margin(rows, reference))
        if np.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE):
            return candidate
    return None
