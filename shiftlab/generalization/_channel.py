"""Rows of the estimators here: covariates, coded attributes and times, and twins of them."""

import warnings
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from shiftlab._core.channels import split_channel
from shiftlab._core.frames import as_table, check_frame
from shiftlab._core.names import join_names
from shiftlab.exceptions import DegenerateDataError, DegenerateDataWarning, InputError, InputWarning
from shiftlab.generalization._attributes import Attributes, Coded, read_attributes
from shiftlab.generalization._times import read_times

__all__ = ["EvolvingEstimator"]

#: A target this many source spans after the last source domain is beyond what drift models carry.
FARTHEST = 1.0


class EvolvingEstimator(BaseEstimator, ABC):
    """Base of the estimators that read attributes and times from columns of X or keywords.

    The constructor sets ``sensitive_features`` and ``environment``.
    """

    # Requested by default, so that those who route metadata need no further call.
    __metadata_request__fit: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__predict: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__score: ClassVar = {"sensitive_features": True, "environment": True}
    sensitive_features: Any
    environment: Any

    def _learn_rows(
        self, X: Any, sensitive_features: Any, environment: Any
    ) -> tuple[np.ndarray, Coded, np.ndarray]:
        """Check rows to fit, and learn the coding of attributes and the source times."""
        values, sensitive, times = self._read(X, sensitive_features, environment)
        if len(values) < 2:
            raise DegenerateDataError("X has n_samples=1; two groups need two rows at least.")
        self.attributes_, coded = read_attributes(sensitive, len(values))
        time = np.zeros(len(values)) if times is None else read_times(times, len(values))
        self.source_times_ = np.unique(time)
        self.has_environment_ = times is not None
        if times is not None and len(self.source_times_) == 1:
            warnings.warn(
                "environment has a single time: no drift can be learned, so that the model is "
                "carried on unchanged.",
                DegenerateDataWarning,
                stacklevel=4,
            )
        self._warn_of_missing_groups(coded, time)
        return values, coded, time

    def _read(
        self, X: Any, sensitive_features: Any, environment: Any, *, reset: bool = True
    ) -> tuple[np.ndarray, Any, Any]:
        """Check X, and separate covariates, attributes and times."""
        check_frame(X)
        if _is_frame(X):
            validate_data(self, X, skip_check_array=True, reset=reset)
        else:
            X = validate_data(self, X, dtype=None, ensure_all_finite=False, reset=reset)
        chosen = [c for c in (self.sensitive_features, self.environment) if c is not None]
        named = [name for columns in chosen for name in _listed(columns)]
        if X.shape[1] <= len(named):
            raise InputError(
                f"X has n_features={X.shape[1]}, and the constructor names {len(named)} column(s) "
                "as attributes and time: no feature is left."
            )
        sensitive = split_channel(
            X, self.sensitive_features, sensitive_features, "sensitive_features"
        )[1]
        if environment is not None and np.ndim(environment) == 0:
            environment = np.repeat(np.asarray(environment), X.shape[0])
        times = split_channel(X, self.environment, environment, "environment")[1]
        rest = split_channel(X, named, None, "X")[0] if named else X
        if reset:
            self.feature_labels_ = _names(rest)
        _check_cells(rest)
        values = check_array(rest, dtype=np.float64, estimator=self, input_name="X")
        if sensitive is None:
            raise InputError(
                "sensitive_features is needed: name the column(s) of X in the constructor, or pass "
                "one value per row."
            )
        return values, sensitive, times

    def _rows(
        self, X: Any, sensitive_features: Any, environment: Any
    ) -> tuple[np.ndarray, Coded, np.ndarray]:
        """Check rows to predict: features, coded attributes, times."""
        check_is_fitted(self)
        values, sensitive, times = self._read(X, sensitive_features, environment, reset=False)
        coded = self.attributes_.code(sensitive, len(values))
        if not self.has_environment_:
            return values, coded, np.zeros(len(values))
        if times is None:
            raise InputError(
                "environment is needed: the model follows a drift, so it has to know the time of "
                "each row (one value for all rows will do)."
            )
        time = read_times(times, len(values))
        self._warn_of_distance(time)
        return values, coded, time

    def _warn_of_distance(self, time: np.ndarray) -> None:
        first, end = float(self.source_times_[0]), float(self.source_times_[-1])
        last = (float(np.max(time)) - first) / ((end - first) or 1.0)
        if last > 1 + FARTHEST and len(self.source_times_) > 1:
            warnings.warn(
                f"environment lies {last - 1:.1f} times the length of the source period beyond its "
                "end; the drift model is not supported there. See forecast() for its intervals.",
                InputWarning,
                stacklevel=4,
            )

    def _warn_of_missing_groups(self, coded: Coded, time: np.ndarray) -> None:
        if coded.group is None:
            return
        times, where = np.unique(time, return_inverse=True)
        counts = np.zeros((len(times), len(self.attributes_.groups)), dtype=int)
        np.add.at(counts, (where, coded.group), 1)
        absent = (counts == 0).sum(axis=0)
        if absent.any():
            groups = [str(self.attributes_.groups[k]) for k in np.flatnonzero(absent)]
            warnings.warn(
                f"sensitive_features: a group is missing in {int((counts == 0).any(axis=1).sum())} "
                f"of {len(times)} domains ({join_names(groups)}); the effect there is taken from "
                "the other domains.",
                DegenerateDataWarning,
                stacklevel=4,
            )

    def counterfactual(
        self, X: Any, sensitive_features: Any = None, environment: Any = None, *, to: Any
    ) -> Any:
        """Return the rows as they would be with other attributes.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_features)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes, unless the constructor names columns of X.
        environment : scalar or array of shape (n_rows,), optional
            Times, unless the constructor names a column of X.
        to : scalar, tuple or array
            Attributes in the other world: one for all rows (a tuple if there are several
            attributes), or one for each row.

        Returns
        -------
        ndarray or data frame of shape (n_rows, n_features)
            Of the type of X; columns of attributes named in the constructor are set to `to`.

        Raises
        ------
        InputError
            If a group was not seen in fit.
        """
        from shiftlab.generalization._twins import rebuild

        values, coded, time = self._rows(X, sensitive_features, environment)
        other = self.attributes_.code(to, len(values))
        twin = self._twins(values, coded, time, other)
        return rebuild(X, twin, self.sensitive_features, self.environment, to)

    @abstractmethod
    def _twins(
        self, values: np.ndarray, coded: Coded, time: np.ndarray, other: Coded
    ) -> np.ndarray:
        """Return the features that rows have with other attributes, shape (n_rows, n_features)."""

    @property
    def groups_(self) -> tuple[Any, ...]:
        """Groups seen in fit; empty if an attribute is a number."""
        attributes: Attributes = self.attributes_
        return attributes.groups


def _check_cells(X: Any) -> None:
    """Name the columns of a frame that are no numbers or lack some."""
    if not _is_frame(X):
        return
    table = as_table(X)
    text = [c.name for c in table if c.kind in ("categorical", "datetime")]
    if text:
        raise InputError(
            f"X: {join_names(text)} must hold numbers. Encode text first (for instance with "
            "sklearn.preprocessing.OneHotEncoder in a pipeline), or leave these columns out."
        )
    gaps = [c.name for c in table if c.missing.any()]
    if gaps:
        raise InputError(
            f"X contains NaN: missing cells in {join_names(gaps)}. Fill them first (for instance "
            "with sklearn.impute.SimpleImputer in a pipeline)."
        )


def _names(X: Any) -> list[str]:
    import narwhals.stable.v2 as nw

    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return [str(name) for name in frame.columns]
    return [f"x{i}" for i in range(X.shape[1])]


def _is_frame(X: Any) -> bool:
    import narwhals.stable.v2 as nw

    return isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame)


def _listed(columns: Any) -> list[Any]:
    return [columns] if isinstance(columns, (str, int, np.integer)) else list(columns)
