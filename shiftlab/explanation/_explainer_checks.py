"""Checks that explainers share: what the caller should know before trusting the numbers."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any
from warnings import warn

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError, InputWarning, NumericalWarning
from shiftlab.explanation._explainer_encoding import Encoding
from shiftlab.explanation._models import N_REPEATED, ModelFunction

__all__ = [
    "TableTags",
    "check_positive",
    "is_probability",
    "predict_table",
    "warn_about_products",
    "warn_if_few_effective",
]

#: Rows per call when a whole table is predicted.
MAX_ROWS = 20_000


def check_positive(value: Any, name: str) -> float:
    """Check that a number is positive and finite."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not is_number or not 0 < value < np.inf:
        raise InputError(f"{name} must be a positive number, found {value!r}.")
    return float(value)


class TableTags:
    """Tags of explainers: tables may be sparse and may hold labels, and some of them NaN."""

    _allow_missing = False

    def __sklearn_tags__(self) -> Any:
        """Return the tags of scikit-learn."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self._allow_missing
        return tags


def predict_table(function: ModelFunction, encoding: Encoding, matrix: np.ndarray) -> np.ndarray:
    """Predict every row, and warn if the model is not deterministic."""
    starts = range(0, len(matrix), MAX_ROWS)
    try:
        parts = [function(encoding.decode(matrix[i : i + MAX_ROWS])) for i in starts]
    except ValueError as error:
        missing = np.isnan(matrix).any(axis=0)
        if not missing.any() or isinstance(error, InputError):
            raise
        names = [name for name, bad in zip(encoding.names, missing, strict=True) if bad]
        raise InputError(
            f"X has missing values in {join_names(names)}, and the model takes none ({error}). Put "
            "an imputer into its pipeline, or impute before."
        ) from error
    function.check_deterministic(encoding.decode(matrix[:N_REPEATED]))
    return np.concatenate(parts)


def is_probability(function: ModelFunction, prediction: np.ndarray) -> bool:
    """Tell whether predictions are probabilities: the model says so, or the numbers allow it."""
    if function.is_probability is not None:
        return function.is_probability
    return bool(((prediction >= 0) & (prediction <= 1)).all())


def warn_about_products(
    matrix: np.ndarray, names: Sequence[str], known: Sequence[int], most: int = 60
) -> None:
    """Warn if a column is the product of two others and was not said to be derived."""
    varying = [
        j for j in range(matrix.shape[1]) if j not in known and len(np.unique(matrix[:64, j])) > 2
    ]
    sources = [j for j in range(matrix.shape[1]) if np.ptp(matrix[:, j]) > 0]
    if len(sources) > most:
        return
    few = matrix[:16]
    found = []
    for j in varying:
        for a, b in combinations([s for s in sources if s != j], 2):
            if np.array_equal(few[:, a] * few[:, b], few[:, j]) and np.array_equal(
                matrix[:, a] * matrix[:, b], matrix[:, j]
            ):
                found.append(names[j])
                break
    if found:
        warn(
            f"{join_names(found)} is the product of two other columns. Perturbing it on its own "
            "leaves the data behind; name it in derived, with the function that makes it.",
            InputWarning,
            stacklevel=3,
        )


def warn_if_few_effective(effective: float, n_columns: int) -> None:
    """Warn if the kernel leaves nearly all weight to a few perturbations."""
    if effective < 5 * n_columns:
        warn(
            f"The kernel leaves an effective number of {effective:.1f} perturbations for "
            f"{n_columns} columns of some row. Raise n_samples or kernel_width.",
            NumericalWarning,
            stacklevel=3,
        )
