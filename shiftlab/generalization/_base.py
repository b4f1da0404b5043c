"""What the fair classifier and the fair regressor share: abduction, choices, forecasts."""

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from shiftlab._core.checks import check_fraction, check_option
from shiftlab._core.random import as_seed_sequence, integer_seed
from shiftlab.exceptions import InputError
from shiftlab.generalization._attributes import Coded
from shiftlab.generalization._channel import EvolvingEstimator
from shiftlab.generalization._conformal import Calibration, calibrate
from shiftlab.generalization._forecast import DomainForecast, forecast_domains
from shiftlab.generalization._selection import Selection, Task, choose, fit_candidate
from shiftlab.generalization._times import read_times, times_ahead
from shiftlab.generalization._trajectories import (
    LatentTrajectories,
    domain_trajectories,
    trajectory_times,
)

__all__ = ["FairGeneralizer"]

EFFECTS = ("auto", "location", "location-scale", "quantile")


class FairGeneralizer(EvolvingEstimator):
    """Base of the estimators that predict from abducted terms."""

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
        values, coded, time = self._learn_rows(X, sensitive_features, environment)
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
        final = self._score_terms(self.abduction_.terms(values, coded, time), time)
        self.calibration_: Calibration | None = calibrate(
            self.selection_, final, task.y, coded.group, self.abduction_.relative(time), classes
        )
        return self

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

    def _twins(
        self, values: np.ndarray, coded: Coded, time: np.ndarray, other: Coded
    ) -> np.ndarray:
        U = self.abduction_.terms(values, coded, time)
        return self.abduction_.features(U, other, time)

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
        wanted = (
            times_ahead(self.source_times_, len(self.source_times_))
            if times is None
            else np.atleast_1d(times)
        )
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

    def trajectories(
        self, times: Any = None, *, confidence_level: float = 0.95
    ) -> LatentTrajectories:
        """Return the paths of the domain parameters: as seen, smoothed and forecast.

        Parameters
        ----------
        times : scalar or array, optional
            Times; by default those of the source domains and half as many more at the same pace.
        confidence_level : float, default 0.95
            Of the intervals.

        Returns
        -------
        LatentTrajectories
            Clock of the flow (if its speed changes), common means, effects and scales, in the frame
            that the flow is taken out of.

        Raises
        ------
        InputError
            If times have no order.
        """
        check_is_fitted(self)
        check_fraction(confidence_level, "confidence_level")
        return domain_trajectories(
            self.abduction_,
            trajectory_times(self.source_times_, times),
            list(self.feature_labels_),
            self.attributes_.column_names,
            confidence_level=confidence_level,
        )
