"""What the estimators tell about new environments and about themselves."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from shiftlab.adaptation._batches import Batches
from shiftlab.adaptation._explain import explain, identify, select, summarise_batches
from shiftlab.adaptation._fit import Design, Fitted
from shiftlab.adaptation._generic import GenericFit
from shiftlab.adaptation._results import (
    EnvironmentSummary,
    Identifiability,
    Selection,
    ShiftExplanation,
)
from shiftlab.exceptions import InputError

__all__ = ["Telling"]


class Telling(ABC):
    """Answers of a fitted estimator; the estimators bring `_batches` and what they have learned."""

    _design: Design
    _fitted: Fitted
    _generic: GenericFit | None
    _n_scores: int
    strategy_: str
    guard_active_: bool
    classes_: np.ndarray

    @abstractmethod
    def _batches(self, X: Any, environment: Any) -> Batches:
        """Read new rows, batch by batch."""

    @abstractmethod
    def _outside(self, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
        """Return conformal p-values and which batches count as outside."""

    @abstractmethod
    def _vectors(self, batches: Batches) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
        """Return coefficients of each batch, the fallback used, p-values and who is outside."""

    def select(self, X: Any, environment: Any = None, *, n_bootstrap: int = 50) -> Selection:
        """Tell which covariates to use in which environment.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates; outcomes are not needed.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row. Without it (and without a column named in the constructor) all
            rows are one environment.
        n_bootstrap : int, default 50
            Resamples of the rows behind the bootstrap frequency.

        Returns
        -------
        Selection
        """
        batches = self._batches(X, environment)
        return select(self, batches, n_bootstrap)

    def coefficients(self, X: Any, environment: Any = None) -> Any:
        """Coefficients that `predict` uses in each environment, in the units of X.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.

        Returns
        -------
        DataFrame
            One row per environment (and class, for more than two); the first column is the
            intercept.
        """
        import pandas as pd

        batches = self._batches(X, environment)
        if self._generic is not None:
            raise InputError("coefficients: only linear models (estimator=None) have them.")
        values = self._in_units(self._vectors(batches)[0])
        index = pd.Index(batches.labels.categories, name="environment")
        if self._n_scores > 1:
            index = pd.MultiIndex.from_product(
                [batches.labels.categories, self.classes_], names=["environment", "class"]
            )
        columns = ["intercept", *self._design.encoder.columns]
        return pd.DataFrame(values, columns=columns, index=index)

    def _in_units(self, vectors: np.ndarray) -> np.ndarray:
        """Intercept and slopes in the units of X, one row per vector and score."""
        parts = vectors.reshape(len(vectors) * self._n_scores, -1)
        slopes = parts[:, 1:] / self._design.scale
        return np.column_stack([parts[:, 0] - slopes @ self._design.centre, slopes])

    def subset_coefficients(self) -> Any:
        """Pooled fits of the subsets that selection chooses from, in the units of X.

        Returns
        -------
        DataFrame
            One row per subset (and class, for more than two): covariates, intercept and one column
            per encoded covariate.
        """
        import pandas as pd

        check_is_fitted(self, "variables_")
        if self._generic is not None:
            raise InputError("subset_coefficients: only linear models have them.")
        rule, design = self._fitted.selector, self._design
        vectors = self._fitted.pooled[None] if rule is None else rule.vectors
        names = [", ".join(design.encoder.names)] if rule is None else rule.names(design.encoder)
        frame = pd.DataFrame(
            self._in_units(vectors), columns=["intercept", *design.encoder.columns]
        )
        frame.insert(0, "covariates", np.repeat(names, self._n_scores))
        if self._n_scores > 1:
            frame.insert(1, "class", np.tile(self.classes_, len(names)))
        return frame

    def environment_summary(self, X: Any, environment: Any = None) -> EnvironmentSummary:
        """Summarise new environments as the model sees them.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.

        Returns
        -------
        EnvironmentSummary
        """
        return summarise_batches(self, self._batches(X, environment))

    def explain_shift(self, X: Any, environment: Any = None) -> ShiftExplanation:
        """Tell what is unusual about new environments and what it does to risks and predictions.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            New covariates.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.

        Returns
        -------
        ShiftExplanation
        """
        return explain(self, self._batches(X, environment))

    def identifiability(self) -> Identifiability:
        """Tell how much of what environments need can be read from their covariates.

        Returns
        -------
        Identifiability
        """
        check_is_fitted(self, "variables_")
        return identify(self)
