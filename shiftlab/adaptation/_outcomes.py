"""Outcomes as scikit-learn expects them to be checked."""

from typing import Any

import numpy as np

from shiftlab.exceptions import InputError

__all__ = ["check_classes", "check_numbers"]


def _refuse_none(y: Any, name: str) -> None:
    if y is None:
        raise ValueError(
            f"This {name} estimator requires y to be passed, but the target y is None."
        )


def _check_rows(y: np.ndarray, n_rows: int | None) -> None:
    from sklearn.utils import check_consistent_length

    if n_rows is not None:
        check_consistent_length(np.zeros(n_rows), y)


def check_numbers(y: Any, n_rows: int | None, name: str) -> np.ndarray:
    """Read a numeric outcome: one finite number per row."""
    from sklearn.utils import check_array, column_or_1d

    _refuse_none(y, name)
    try:
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
    except ValueError as error:
        if np.asarray(y).dtype.kind not in "OSUT":
            raise
        raise InputError(
            f"y must hold finite numbers, since {name} predicts numbers: {error}. Classes are for "
            "EnvironmentAdaptiveClassifier."
        ) from None
    y = np.asarray(column_or_1d(y, warn=True), dtype=np.float64)
    _check_rows(y, n_rows)
    return y


def check_classes(y: Any, n_rows: int | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read classes; returns the sorted classes and the code of each row."""
    from sklearn.utils import assert_all_finite, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets

    _refuse_none(y, name)
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{name} needs at least 2 classes; y has 1 class.")
    _check_rows(y, n_rows)
    return classes, codes
