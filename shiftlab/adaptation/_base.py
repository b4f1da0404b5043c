"""What the two estimators share: reading data, fitting, and telling what they do."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from shiftlab._core.checks import check_option
from shiftlab._core.frames import check_frame
from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab._core.validation import Labels, check_environment, check_weights
from shiftlab.adaptation._batches import MIN_BATCH_ROWS, Batches, read_batches, read_labels
from shiftlab.adaptation._clones import fit_clones
from shiftlab.adaptation._deepsets import require_torch
from shiftlab.adaptation._encode import Encoder, fit_encoder
from shiftlab.adaptation._fit import (
    Design,
    Fitted,
    Options,
    fit_linear,
    summary_table,
)
from shiftlab.adaptation._generic import MOST_MODELS
from shiftlab.adaptation._gram import Moments, build_moments
from shiftlab.adaptation._intervals import EnvironmentQuantiles
from shiftlab.adaptation._known import Known, SetRows
from shiftlab.adaptation._order import in_order_of_content
from shiftlab.adaptation._rungs import TrainingRows
from shiftlab.adaptation._subsets import (
    candidate_sets,
    portfolio,
    search_sets,
    solve_subsets,
    to_columns,
)
from shiftlab.adaptation._summaries import SummarySpec, parse_summary
from shiftlab.adaptation._task import Task
from shiftlab.adaptation._tell import Telling
from shiftlab.exceptions import InputError, InputWarning

__all__ = ["AdaptiveBase", "outside_threshold"]

STRATEGIES = (
    "auto", "select", "mix", "mask", "coefficients", "augment", "pooled", "causal",
)  # fmt: skip
#: What other models than linear ones offer.
GENERIC = ("auto", "select", "mix", "augment", "pooled")
SELECTORS = (None, "risk", "regret", "argmin", "network", "deepsets")
OUTSIDE = ("warn", "causal", "pooled", "nan", "ignore")
#: Sets that a search among too many subsets keeps.
SEARCHED = 64
OUTSIDE_LEVEL = 0.01


def outside_threshold(n_environments: int) -> float:
    """P-value at or below which an environment counts as outside the training range."""
    return max(OUTSIDE_LEVEL, 1 / (n_environments + 1))


class AdaptiveBase(Telling, BaseEstimator):
    """Fitting and reporting; subclasses bring the loss and turn linear scores into predictions."""

    __metadata_request__fit = {"environment": True}  # noqa: RUF012
    __metadata_request__predict = {"environment": True}  # noqa: RUF012
    __metadata_request__score = {"environment": True}  # noqa: RUF012

    def __init__(
        self,
        estimator: Any = None,
        *,
        strategy: str = "auto",
        candidates: Any = "auto",
        always_include: Any = (),
        never_include: Any = (),
        summary: Any = "moments",
        selector: Any = None,
        cv: Any = 5,
        guard: str | None = "pooled",
        outside: str = "warn",
        environment: str | int | None = None,
        environment_weight: str = "rows",
        n_jobs: int | None = None,
        random_state: RandomState = 0,
        device: str | None = None,
    ) -> None:
        self.estimator = estimator
        self.strategy = strategy
        self.candidates = candidates
        self.always_include = always_include
        self.never_include = never_include
        self.summary = summary
        self.selector = selector
        self.cv = cv
        self.guard = guard
        self.outside = outside
        self.environment = environment
        self.environment_weight = environment_weight
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.device = device

    # -- fitting ---------------------------------------------------------------------------------

    def _check_options(self) -> None:
        check_option(self.strategy, STRATEGIES, "strategy")
        if self.estimator is not None:
            check_option(self.strategy, GENERIC, "strategy (with an estimator)")
        elif self.strategy == "augment":
            raise InputError("strategy='augment' needs an estimator.")
        if not hasattr(self.selector, "fit"):
            check_option(self.selector, SELECTORS, "selector")
        if self.selector == "deepsets":
            if self.estimator is not None:
                raise InputError("selector='deepsets' is for linear models; leave estimator None.")
            require_torch()
        check_option(self.outside, OUTSIDE, "outside")
        check_option(self.guard, ("pooled", None), "guard")
        check_option(self.environment_weight, ("rows", "equal"), "environment_weight")

    def _read_training(self, X: Any, y: Any, environment: Any) -> tuple[Any, np.ndarray, Any]:
        """Check X and y as scikit-learn does, and take the environment out of X."""
        check_frame(X)
        if hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True)
            y = self._check_outcome(y, len(X))
        elif self.environment is not None:
            _, y = validate_data(
                self, X, self._check_outcome(y, None), dtype=None, ensure_all_finite=False
            )
        else:
            X, y = validate_data(
                self, X, self._check_outcome(y, None), dtype="numeric",
                ensure_all_finite="allow-nan" if self._allows_missing() else True,
            )  # fmt: skip
        covariates, values = read_labels(X, self.environment, environment)
        if not hasattr(covariates, "columns") and covariates.shape[1] == 0:
            raise InputError("X has 1 feature(s), the environment; covariates are needed, too.")
        return covariates, y, values

    def _allows_missing(self) -> bool:
        return "missing" in parse_summary(self.summary)[0]

    def _labels(self, values: Any, n_rows: int) -> Labels:
        if values is None:
            if self.strategy not in ("pooled", "causal"):
                raise InputError(
                    "environment is needed: name the column of X in the constructor "
                    "(environment=...) or pass one label per row to fit."
                )
            return Labels("environment", np.zeros(n_rows, dtype=np.int32), (0,))
        return check_environment(values, n_rows=n_rows, minimum=1)[0]

    def _fit_rows(self, X: Any, y: Any, environment: Any, sample_weight: Any) -> "AdaptiveBase":
        self._check_options()
        covariates, y, values = self._read_training(X, y, environment)
        encoder = fit_encoder(covariates, "indicator" if self._allows_missing() else "error")
        raw, missing, _ = encoder.encode(covariates)
        labels = self._labels(values, len(raw))
        if sample_weight is not None and not np.asarray(sample_weight).any():
            raise InputError("sample_weight: every weight is zero.")
        weights = check_weights(sample_weight, len(raw))
        raw, y, missing, labels, weights, by_label = in_order_of_content(
            raw, y, missing, labels, weights
        )
        moments = build_moments(raw - raw.mean(axis=0), y - y.mean(), labels, weights)
        _, offset, scale = moments.standardised()
        centre = raw.mean(axis=0) + offset
        standard = (raw - centre) / scale
        moments = build_moments(standard, y, labels, weights)
        spec = self._spec(encoder)
        summaries, names = summary_table(spec, moments, labels, (standard, raw, missing))
        design = Design(encoder, centre, scale, labels, moments, spec, summaries, names, by_label)
        rows = (standard, y, labels, weights)
        if self.estimator is not None:
            self._finish_generic(design, rows)
            return self
        self._generic = None
        seed = self._seeds()[0]
        known = Known(
            self._make_problem(moments, self._shares(moments), rows), summaries,
            SetRows(standard, labels.codes, len(labels)) if self.selector == "deepsets" else None,
        )  # fmt: skip
        self._finish(known, design, TrainingRows(spec, standard, raw, missing, labels, seed))
        self._keep_residuals(standard, y, labels)
        return self

    def _seeds(self) -> list[np.random.SeedSequence]:
        """Seeds of the drawn batches and of the networks; folds use the random state itself."""
        state = self.random_state
        return spawn_seeds(state if isinstance(state, (int, np.integer)) else 0, 2)

    def _options(self) -> Options:
        return Options(
            self.strategy, self.cv, self.guard is not None, self.n_jobs, self.random_state
        )

    def _shares(self, moments: Moments) -> np.ndarray:
        return moments.weight if self.environment_weight == "rows" else np.ones(len(moments))

    def _spec(self, encoder: Encoder) -> SummarySpec:
        parts, functions = parse_summary(self.summary)
        numeric = np.repeat([c is None for c in encoder.categories], np.bincount(encoder.groups))
        return SummarySpec(parts, functions, numeric, encoder.columns, encoder.names)

    def _plan(self, design: Design, most: int) -> tuple[np.ndarray, Task]:
        """Return the candidate sets and what is common to all environments."""
        encoder = design.encoder
        always = encoder.positions(self.always_include, "always_include")
        never = encoder.positions(self.never_include, "never_include")
        sets = candidate_sets(self.candidates, encoder, always, never)
        weight = self._shares(design.moments)
        if sets is None:
            sets = search_sets(design.moments, weight, encoder.groups, always, never, SEARCHED)
        if len(sets) > most:
            vectors = solve_subsets(
                *design.moments.pooled(weight), to_columns(sets, encoder.groups)
            )
            keep = [int((sets == row).all(axis=1).argmax()) for row in (~never, always)]
            sets = sets[portfolio(design.moments.all_risks(vectors), most, keep)]
        is_mean = np.zeros(len(design.summary_names), dtype=bool)
        named = design.spec.is_mean()
        is_mean[: len(named)] = named
        pooled = int(np.flatnonzero((sets == ~never).all(axis=1))[0])
        causal = np.flatnonzero((sets == always).all(axis=1))
        return sets, Task(
            to_columns(sets, encoder.groups), pooled, int(causal[0]) if len(causal) else pooled,
            is_mean, always[encoder.groups], self.selector, self._gates(), self._seeds()[1],
            self.device,
        )  # fmt: skip

    def _gates(self) -> tuple[tuple[str, bool], ...]:
        """Kinds of gates that strategy "mask" compares; in "auto" the quick and flexible one."""
        named = self.selector if isinstance(self.selector, str) else ""
        own = (named,) if named in ("network", "deepsets") else ()
        if self.strategy == "auto":
            return tuple((form, True) for form in ("linear", *own))
        return tuple(
            (form, moves) for form in own or ("linear", "network") for moves in (False, True)
        )

    def _most_sets(self) -> int:
        """How many candidates the loss can deal with."""
        return 2**20

    def _finish(self, known: Known, design: Design, rows: TrainingRows | None) -> None:
        sets, task = self._plan(design, self._most_sets())
        fitted = fit_linear(known, design, sets, task, self._options(), rows)
        self._design, self._fitted = design, fitted
        self._n_scores = known.problem.n_scores
        self._describe(fitted, design)

    def _finish_generic(self, design: Design, rows: tuple[Any, ...]) -> None:
        sets, task = self._plan(design, MOST_MODELS)
        self._generic, fitted = fit_clones(
            self.estimator, rows, design, sets, task, self._options()
        )
        self._design, self._fitted, self._n_scores = design, fitted, 1
        self._residuals: EnvironmentQuantiles | None = None
        self._describe(fitted, design)

    def _describe(self, fitted: Fitted, design: Design) -> None:
        choice = fitted.choice
        self.environments_ = np.empty(len(design.labels), dtype=object)
        self.environments_[:] = [design.labels.categories[code] for code in design.by_label]
        self.candidates_ = fitted.sets
        self.environment_risks_ = fitted.risks[design.by_label]
        self.strategy_ = choice.setting.strategy
        self.guard_active_ = choice.guard_active
        self.variables_ = design.encoder.names
        weights = zip((s.strategy for s in choice.settings), choice.weights, strict=True)
        self.strategy_weights_: dict[str, float] = {}
        for name, weight in weights:
            if weight > 0:
                self.strategy_weights_[name] = self.strategy_weights_.get(name, 0.0) + float(weight)

    # -- predicting ------------------------------------------------------------------------------

    def _batches(self, X: Any, environment: Any) -> Batches:
        check_is_fitted(self, "variables_")
        if hasattr(X, "columns"):
            validate_data(self, X, reset=False, skip_check_array=True)
        elif self.environment is not None:
            X = validate_data(self, X, reset=False, dtype=None, ensure_all_finite=False)
        else:
            finite = "allow-nan" if self._allows_missing() else True
            X = validate_data(self, X, reset=False, dtype="numeric", ensure_all_finite=finite)
        covariates, values = read_labels(X, self.environment, environment)
        design: Design = self._design
        return read_batches(
            covariates, values, design.encoder, design.centre, design.scale, design.spec
        )

    def _outside(self, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
        """Return conformal p-values and which batches count as outside."""
        fitted: Fitted = self._fitted
        if fitted.range_test is None:
            ones = np.ones(len(batches.summaries))
            return ones, batches.unseen.copy()
        z = fitted.choice.scale.standardise(batches.summaries, batches.n_rows, clip=False)
        pvalues = fitted.range_test.pvalues(z)
        low = pvalues <= outside_threshold(len(fitted.range_test.points))
        return pvalues, low | batches.unseen

    def _vectors(self, batches: Batches) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
        """Coefficients of each batch, the fallback used, p-values and who is outside."""
        fitted: Fitted = self._fitted
        m = len(batches.summaries)
        vectors = np.zeros((m, len(fitted.pooled)))
        rows = batches.sets()
        for rung, chosen in fitted.by_size(batches.n_rows):
            z = rung.scale.standardise(batches.summaries[chosen], batches.n_rows[chosen])
            vectors[chosen] = rung.rule.coefficients(z, rows.take(chosen))
        fallback = [""] * m
        pvalues, outside = self._outside(batches)
        if self.outside in ("causal", "pooled", "nan"):
            instead = {"causal": fitted.causal, "pooled": fitted.pooled}.get(
                self.outside, np.full(vectors.shape[1], np.nan)
            )
            vectors[outside] = instead
            fallback = [self.outside if o else "" for o in outside]
        few = batches.n_rows < MIN_BATCH_ROWS
        if few.any() and self.strategy_ not in ("pooled", "causal"):
            default = fitted.causal if self._has_causes() else fitted.pooled
            vectors[few] = default
            name = "causal (too few rows)" if self._has_causes() else "pooled (too few rows)"
            fallback = [name if f else text for f, text in zip(few, fallback, strict=True)]
        return vectors, fallback, pvalues, outside

    def _has_causes(self) -> bool:
        return len(self.always_include) > 0

    def _linear_scores(self, X: Any, environment: Any) -> np.ndarray:
        batches = self._batches(X, environment)
        vectors, fallback, _, outside = self._vectors(batches)
        adapts = self.strategy_ not in ("pooled", "causal")
        if self.outside == "warn" and adapts and outside.any():
            warnings.warn(
                f"{int(outside.sum())} of {len(outside)} environment(s) lie outside the training "
                "range; select() tells which. Choose outside='causal' or 'pooled' to fall back.",
                InputWarning,
                stacklevel=3,
            )
        if self._generic is not None:
            return self._clone_predictions(batches, fallback)
        shape = (len(vectors), self._n_scores, -1)
        scores = [
            own[:, 0] + (batches.X * own[:, 1:]).sum(axis=1)
            for own in (
                part[batches.labels.codes] for part in vectors.reshape(shape).swapaxes(0, 1)
            )
        ]
        return np.asarray(scores[0] if len(scores) == 1 else np.column_stack(scores))

    def _clone_predictions(self, batches: Batches, fallback: list[str]) -> np.ndarray:
        fitted: Fitted = self._fitted
        z = fitted.choice.scale.standardise(batches.summaries, batches.n_rows)
        clones = self._generic
        assert clones is not None  # noqa: S101
        found = clones.predict(batches.X, batches.labels.codes, z)
        for name in dict.fromkeys(fallback):
            if name:
                rows = np.array([text == name for text in fallback])[batches.labels.codes]
                found[rows] = np.nan if name == "nan" else clones.plain(batches.X[rows], name)
        return np.asarray(found)
