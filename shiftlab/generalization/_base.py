"""What the fair classifier and the fair regressor share: channels, checks, abduction."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from shiftlab._core.channels import split_channel
from shiftlab._core.checks import check_fraction, check_option
from shiftlab._core.random import as_seed_sequence, integer_seed
from shiftlab.exceptions import DegenerateDataError, DegenerateDataWarning, InputError, InputWarning
from shiftlab.generalization._attributes import Attributes, Coded, read_attributes
from shiftlab.generalization._forecast import DomainForecast, forecast_domains
from shiftlab.generalization._selection import Selection, Task, choose, fit_candidate
from shiftlab.generalization._times import read_times

__all__ = ["FairGeneralizer"]

EFFECTS = ("auto", "location", "location-scale", "quantile")
#: A target this many source spans after the last source domain is beyond what drift models carry.
FARTHEST = 1.0


class FairGeneralizer(BaseEstimator):
    """Base of the estimators that predict from abducted terms."""

    # Requested by default, so that those who route metadata need no further call.
    __metadata_request__fit: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__predict: ClassVar = {"sensitive_features": True, "environment": True}
    __metadata_request__score: ClassVar = {"sensitive_features": True, "environment": True}

    def __init__(
        self,
        estimator: Any = None,
        *,
        sensitive_features: Any = None,
        environment: Any = None,
        drift: str = "auto",
        effect: str = "auto",
        validation_fraction: float = 0.25,
        fairness_tolerance: float = 0.02,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.sensitive_features = sensitive_features
        self.environment = environment
        self.drift = drift
        self.effect = effect
        self.validation_fraction = validation_fraction
        self.fairness_tolerance = fairness_tolerance
        self.random_state = random_state

    def _fit_task(
        self,
        X: Any,
        y: np.ndarray,
        sensitive_features: Any,
        environment: Any,
        classes: np.ndarray | None,
    ) -> Self:
        check_option(self.effect, EFFECTS, "effect")
        if not 0 <= self.validation_fraction < 1:
            raise InputError(
                f"validation_fraction must be at least 0 and below 1, found "
                f"{self.validation_fraction!r}."
            )
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
                stacklevel=3,
            )
        self._warn_of_missing_groups(coded, time)
        seed = integer_seed(as_seed_sequence(self.random_state))
        task = Task(values, y, coded, time, classes, self.estimator, seed)
        self.selection_: Selection = choose(
            task,
            drift=self.drift,
            effect=self.effect,
            fraction=self.validation_fraction,
            tolerance=self.fairness_tolerance,
        )
        self.abduction_, self.predictor_ = fit_candidate(task, self.selection_.chosen, self.effect)
        self.drift_ = self.selection_.chosen.drift
        if self.drift_ == "flow" and not self.abduction_.flow.moves:
            self.drift_ = "trend"
        self.held_y_ = y[self.selection_.held]
        self.held_group_ = None if coded.group is None else coded.group[self.selection_.held]
        return self

    def _read(
        self, X: Any, sensitive_features: Any, environment: Any, *, reset: bool = True
    ) -> tuple[np.ndarray, Any, Any]:
        """Check X, and separate covariates, attributes and times."""
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
        last = float(np.max(self.abduction_.relative(time)))
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
        n_missing = int((counts == 0).any(axis=1).sum())
        if n_missing:
            warnings.warn(
                f"sensitive_features: a group is missing in {n_missing} of {len(times)} domains; "
                "the effect there is taken from the other domains.",
                DegenerateDataWarning,
                stacklevel=4,
            )

    def _scores(self, X: Any, sensitive_features: Any, environment: Any) -> np.ndarray:
        values, coded, time = self._rows(X, sensitive_features, environment)
        return self._score_terms(self.abduction_.terms(values, coded, time), time)

    def _score_terms(self, U: np.ndarray, time: np.ndarray) -> np.ndarray:
        if self.selection_.chosen.keep_mean:
            U = U + self.abduction_.moment(time).mean
        return self.predictor_.scores(U, self.abduction_.relative(time))

    def exogenous(
        self, X: Any, sensitive_features: Any = None, environment: Any = None
    ) -> np.ndarray:
        """Return the abducted exogenous terms of rows.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_features)
            Rows.
        sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
            Attributes, unless the constructor names columns of X.
        environment : scalar or array of shape (n_rows,), optional
            Times, unless the constructor names a column of X.

        Returns
        -------
        ndarray of shape (n_rows, n_terms)
            Terms without the effect of time and attributes, in standard deviations within domains.
        """
        values, coded, time = self._rows(X, sensitive_features, environment)
        return self.abduction_.terms(values, coded, time)

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
        U = self.abduction_.terms(values, coded, time)
        twin = self.abduction_.features(U, other, time)
        return rebuild(X, twin, self.sensitive_features, self.environment, to)

    def forecast(self, times: Any = None, *, confidence_level: float = 0.95) -> DomainForecast:
        """Forecast the means of the features in each group, with intervals.

        Parameters
        ----------
        times : scalar or array, optional
            Times; by default those of the source domains and as far again at the same pace.
        confidence_level : float, default 0.95
            Of the intervals, which hold the sampling error of flow, paths and effects.

        Returns
        -------
        DomainForecast

        Raises
        ------
        InputError
            If times have no order.
        """
        check_is_fitted(self)
        check_fraction(confidence_level, "confidence_level")
        wanted = _ahead(self.source_times_) if times is None else np.atleast_1d(times)
        read = np.unique(read_times(wanted, len(wanted)))
        if self.groups_:
            codes = np.arange(len(self.groups_))
            parts = [self.attributes_.of_groups(codes[k : k + 1]) for k in codes]
            groups = list(zip(map(str, self.groups_), parts, strict=True))
        else:
            groups = [("all", Coded(self.abduction_.design_centre[None, :], None))]
        return forecast_domains(
            self.abduction_,
            read,
            groups,
            list(self.feature_labels_),
            last=float(self.source_times_[-1]),
            confidence_level=confidence_level,
        )

    @property
    def groups_(self) -> tuple[Any, ...]:
        """Groups seen in fit; empty if an attribute is a number."""
        attributes: Attributes = self.attributes_
        return attributes.groups


def _ahead(times: np.ndarray) -> np.ndarray:
    """Return the source times and as many more at their pace."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return np.concatenate([times, times[-1] + step * np.arange(1, len(times) + 1)])


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
