"""Summaries of environments as a transformer, for any model of scikit-learn."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.validation import check_environment
from shiftlab.adaptation._batches import one_environment, read_batches, read_labels
from shiftlab.adaptation._encode import fit_encoder
from shiftlab.adaptation._fit import summary_table
from shiftlab.adaptation._gram import build_moments
from shiftlab.adaptation._summaries import SummarySpec, parse_summary
from shiftlab.exceptions import InputError

__all__ = ["EnvironmentSummarizer"]


class EnvironmentSummarizer(TransformerMixin, BaseEstimator):
    """Add to each row the summary of the environment that it comes from.

    Any model behind it can then adapt to environments: a forest of (X, summary), for instance.

    Parameters
    ----------
    summary : str, callable or sequence of these, default "moments"
        See `EnvironmentAdaptiveRegressor`.
    environment : str or int, optional
        Column of X that holds the environment; it is not passed on.
    append : bool, default True
        Whether the covariates are passed on, before the summaries.

    Attributes
    ----------
    summary_names_ : tuple of str
        Names of the summaries.

    Notes
    -----
    Summaries are in units of the spread between training environments, and clipped to the range of
    the training environments. Without any environment, all rows are one.

    Examples
    --------
    >>> from shiftlab.adaptation import EnvironmentSummarizer, simulate_environments
    >>> data = simulate_environments("hidden_cause", 12, random_state=0)
    >>> summarizer = EnvironmentSummarizer("means").fit(data.X, environment=data.environment)
    >>> summarizer.get_feature_names_out().tolist()
    ['c2', 'x', 'mean(c2)', 'mean(x)']
    >>> summarizer.transform(data.X, environment=data.environment).shape
    (1200, 4)
    """

    __metadata_request__fit = {"environment": True}  # noqa: RUF012
    __metadata_request__transform = {"environment": True}  # noqa: RUF012

    def __init__(
        self, summary: Any = "moments", *, environment: str | int | None = None, append: bool = True
    ) -> None:
        self.summary = summary
        self.environment = environment
        self.append = append

    def fit(self, X: Any, y: Any = None, environment: Any = None) -> "EnvironmentSummarizer":
        """Learn units and range of the summaries.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Covariates, and the environment if the constructor names its column.
        y : array, optional
            Not used.
        environment : array of shape (n_rows,), optional
            Environment of each row, if the constructor names no column.

        Returns
        -------
        EnvironmentSummarizer
        """
        parts, functions = parse_summary(self.summary)
        covariates, values = self._read(X, environment, reset=True)
        encoder = fit_encoder(covariates, "indicator" if "missing" in parts else "error")
        raw, missing, _ = encoder.encode(covariates)
        labels = one_environment(len(raw))
        if values is not None:
            labels, _ = check_environment(values, n_rows=len(raw), minimum=1)
        middle = raw.mean(axis=0)
        moments = build_moments(raw - middle, np.zeros(len(raw)), labels)
        _, offset, scale = moments.standardised()
        self._encoder, self._centre, self._scale = encoder, middle + offset, scale
        standard = (raw - self._centre) / scale
        moments = build_moments(standard, np.zeros(len(raw)), labels)
        numeric = np.repeat([c is None for c in encoder.categories], np.bincount(encoder.groups))
        self._spec = SummarySpec(parts, functions, numeric, encoder.columns, encoder.names)
        summaries, names = summary_table(self._spec, moments, labels, (standard, raw, missing))
        chosen = np.flatnonzero(summaries.usable)
        chosen = chosen if len(chosen) else np.arange(len(labels))
        self._summary_scale = summaries.scale(chosen)
        self.summary_names_ = names
        return self

    def transform(self, X: Any, environment: Any = None) -> np.ndarray:
        """Return the covariates and the summaries of their environments.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Rows of known or new environments.
        environment : array of shape (n_rows,) or label, optional
            Environment of each row.

        Returns
        -------
        ndarray of shape (n_rows, n_covariates + n_summaries)
        """
        check_is_fitted(self, "summary_names_")
        covariates, values = self._read(X, environment, reset=False)
        batches = read_batches(
            covariates, values, self._encoder, self._centre, self._scale, self._spec
        )
        z = self._summary_scale.standardise(batches.summaries, batches.n_rows)
        more = z[batches.labels.codes]
        raw = batches.X * self._scale + self._centre
        return np.hstack([raw, more]) if self.append else more

    def fit_transform(self, X: Any, y: Any = None, environment: Any = None) -> np.ndarray:
        """Fit, and transform the same rows.

        Parameters
        ----------
        X : array or data frame of shape (n_rows, n_columns)
            Covariates.
        y : array, optional
            Not used.
        environment : array of shape (n_rows,), optional
            Environment of each row.

        Returns
        -------
        ndarray of shape (n_rows, n_covariates + n_summaries)
        """
        return self.fit(X, y, environment).transform(X, environment)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : array, optional
            Names of the columns of X; those seen in fit by default.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "summary_names_")
        own = list(self._encoder.columns)
        if input_features is not None and self.environment is None:
            known = getattr(self, "feature_names_in_", None)
            if known is not None and list(known) != list(input_features):
                raise ValueError("input_features is not equal to feature_names_in_")
            if len(input_features) != self.n_features_in_:
                raise ValueError(
                    "input_features should have length equal to number of features "
                    f"({self.n_features_in_}), got {len(input_features)}"
                )
            if len(own) == len(input_features):
                own = list(map(str, input_features))
        return np.array([*(own if self.append else ()), *self.summary_names_], dtype=object)

    def _read(self, X: Any, environment: Any, *, reset: bool) -> tuple[Any, Any]:
        if hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif self.environment is not None:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False)
        else:
            finite = "allow-nan" if "missing" in parse_summary(self.summary)[0] else True
            X = validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite=finite)
        covariates, values = read_labels(X, self.environment, environment)
        if not hasattr(covariates, "columns") and covariates.shape[1] == 0:
            raise InputError("X has 1 feature(s), the environment; covariates are needed, too.")
        return covariates, values
