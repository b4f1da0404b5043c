"""Estimated counterfactual effects on the scores of a model, with bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.results import Result
from shiftlab.exceptions import InputError
from shiftlab.generalization._abduction import Abduction, fit_abduction, reread
from shiftlab.generalization._attributes import Attributes, Coded, read_attributes
from shiftlab.generalization._times import read_times
from shiftlab.generalization._twins import rebuild

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["CounterfactualEffects", "counterfactual_effects", "read_rows"]

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
#: Steps of the unseen correlation between its bounds.
N_STEPS = 5


@dataclass(frozen=True, repr=False, eq=False)
class CounterfactualEffects(Result):
    """Effects of the attribute on the scores, estimated from the rows at hand.

    Attributes
    ----------
    unfairness, low, high : float
        Estimated mean absolute movement of the score, and bounds: sampling error of the estimate,
        and an unseen correlation of exogenous terms and attribute of up to `correlation`.
    pairs : tuple of (label, label)
        From which group to which.
    total, direct, indirect, spurious : tuple of float
        For each pair, mean effects on the scores of the rows of the first group. Direct: the model
        is told the other group, the features stay. Indirect: the features become those of the other
        group. Spurious: what of the observed difference of the groups is no effect.
    counts : tuple of int
        Rows of the first group.
    correlation : float
        Largest unseen shift of a term between groups that was allowed for, in its standard
        deviations.
    domains : tuple of dict
        For each domain its time and the estimated unfairness there.
    """

    unfairness: float
    low: float
    high: float
    pairs: tuple[tuple[Any, Any], ...]
    total: tuple[float, ...]
    direct: tuple[float, ...]
    indirect: tuple[float, ...]
    spurious: tuple[float, ...]
    counts: tuple[int, ...]
    correlation: float
    domains: tuple[dict[str, float], ...] = ()

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each pair of groups."""
        import pandas as pd

        columns = {
            "from": [str(a) for a, _ in self.pairs],
            "to": [str(b) for _, b in self.pairs],
            "total": self.total,
            "direct": self.direct,
            "indirect": self.indirect,
            "spurious": self.spurious,
            "n_rows": self.counts,
        }
        return pd.DataFrame(columns)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the parts of the effect for each pair of groups.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1] if ax is None else ax
        at = np.arange(len(self.pairs))
        parts = ("total", "direct", "indirect", "spurious")
        colours = ("#222222", "#b5391f", "#3b6ea5", "#9aa5b1")
        for i, (name, colour) in enumerate(zip(parts, colours, strict=True)):
            ax.bar(at + 0.2 * (i - 1.5), getattr(self, name), 0.19, label=name, color=colour)
        labels = [f"{a}\nto {b}".replace("$", r"\$") for a, b in self.pairs]
        ax.set_xticks(at, labels, rotation=0 if len(at) < 4 else 90)
        ax.axhline(0, color="black", lw=0.6)
        ax.set(ylabel="effect on the score")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        return (
            f"CounterfactualEffects: unfairness {self.unfairness:.3f} "
            f"({self.low:.3f} to {self.high:.3f}), {len(self.pairs)} pairs of groups, "
            f"{sum(self.counts):,} rows"
        )


def counterfactual_effects(
    model: Any,
    X: Any,
    sensitive_features: Any = None,
    environment: Any = None,
    *,
    correlation: float = 0.0,
    n_resamples: int = 50,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
) -> CounterfactualEffects:
    """Estimate what the sensitive attribute does to the scores of a model.

    Twins are made from the rows given and not from what the model has learned: effects of the
    attribute are read anew from these rows, so that a model whose forecast of them is off is found
    out. (A model that judges itself by its own twins nearly always finds itself fair.)

    Parameters
    ----------
    model : fitted estimator
        One of this package or with the same ``predict_proba`` (or ``predict``) of X, sensitive
        features and environment.
    X : array or data frame of shape (n_rows, n_columns)
        Rows to judge by, of the groups seen in fit; a few hundred at least.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
        Attributes, unless the model names columns of X.
    environment : scalar or array of shape (n_rows,), optional
        Times, unless the model names a column of X.
    correlation : float, default 0.0
        Allow for an unseen correlation: terms of the groups may differ by up to this many standard
        deviations, in the direction that moves scores most, without that being an effect.
    n_resamples : int, default 50
        Bootstrap resamples, by domain and group, for the sampling error.
    confidence_level : float, default 0.95
        Of the sampling error.
    random_state : int, SeedSequence or Generator, optional
        Seed of the bootstrap.

    Returns
    -------
    CounterfactualEffects

    Raises
    ------
    InputError
        If an attribute is a number, or an option is out of range.

    References
    ----------
    .. [1] Zhang, Bareinboim (2018), "Fairness in decision-making: the causal explanation formula",
       AAAI.

    Examples
    --------
    >>> from shiftlab.generalization import (
    ...     CounterfactuallyFairClassifier, counterfactual_effects
    ... )
    >>> from shiftlab.simulation import make_drifting_credit
    >>> source, target = make_drifting_credit(random_state=0).split(6)
    >>> model = CounterfactuallyFairClassifier()
    >>> model = model.fit(source.X, source.y, source.sensitive_features, source.environment)
    >>> found = counterfactual_effects(
    ...     model, target.X, target.sensitive_features, target.environment, random_state=0
    ... )
    >>> found.unfairness < 0.05
    True
    """
    check_fraction(confidence_level, "confidence_level")
    check_integer(n_resamples, "n_resamples", minimum=2)
    if correlation < 0:
        raise InputError(f"correlation must not be negative, found {correlation!r}.")
    values, coded, time, attributes = read_rows(model, X, sensitive_features, environment)
    if coded.group is None:
        raise InputError("effects are between groups; cut the numeric attribute into classes.")
    known = getattr(model, "abduction_", None)
    score = _scorer(model, attributes, X, time)
    base = _fresh(known, values, coded, time)
    parts = _parts(score, base, values, coded, time, 0.0)
    draws = _bootstrap(score, known, (values, coded, time), n_resamples, random_state)
    spread = float(np.std(draws))
    from scipy.stats import norm

    half = float(norm.ppf(0.5 + confidence_level / 2)) * spread
    shifts = np.linspace(-correlation, correlation, N_STEPS) if correlation else np.zeros(0)
    central = float(parts[0].mean())
    reached = [float(_parts(score, base, values, coded, time, s)[0].mean()) for s in shifts]
    reached.append(central)
    groups = attributes.groups
    pairs = tuple((groups[a], groups[b]) for a, b in parts[1])
    total, direct, indirect, spurious = zip(*parts[2], strict=True)
    return CounterfactualEffects(
        unfairness=central,
        low=max(min(reached) - half, 0.0),
        high=max(reached) + half,
        pairs=pairs,
        total=total,
        direct=direct,
        indirect=indirect,
        spurious=spurious,
        counts=tuple(int((coded.group == a).sum()) for a, _ in parts[1]),
        correlation=float(correlation),
        domains=tuple(
            {"domain": float(t), "unfairness": float(parts[0][time == t].mean())}
            for t in np.unique(time)
        ),
    )


def read_rows(
    model: Any, X: Any, sensitive_features: Any, environment: Any
) -> tuple[np.ndarray, Coded, np.ndarray, Attributes]:
    """Return covariates, coded attributes, times and the coding, as the model reads rows."""
    if hasattr(model, "_rows"):
        values, coded, time = model._rows(X, sensitive_features, environment)
        return values, coded, time, model.attributes_
    values = np.asarray(X, dtype=float)
    attributes, coded = read_attributes(sensitive_features, len(values))
    return values, coded, read_times(environment, len(values)), attributes


def _scorer(model: Any, attributes: Attributes, X: Any, time: np.ndarray) -> Score:
    """Return a function of features and group codes."""

    def score(values: np.ndarray, group: np.ndarray) -> np.ndarray:
        if hasattr(model, "_score_terms"):
            coded = attributes.of_groups(group)
            scores = model._score_terms(model.abduction_.terms(values, coded, time), time)
        else:
            names = np.array([attributes.raw(g) for g in attributes.groups], dtype=object)
            told = names[group]
            kind = model.predict_proba if hasattr(model, "predict_proba") else model.predict
            scores = np.asarray(
                kind(rebuild(X, values, None, None, None), np.array(told.tolist()), time)
            )
        return scores if scores.ndim == 1 else scores[:, -1]

    return score


def _fresh(
    known: Abduction | None, values: np.ndarray, coded: Coded, time: np.ndarray
) -> Abduction:
    """Read effects from the rows, in the frame of the model's flow if it has one."""
    if known is not None:
        return reread(known, values, coded, time)
    return fit_abduction(values, coded, time, np.zeros(len(values)))


def _parts(
    score: Score,
    base: Abduction,
    values: np.ndarray,
    coded: Coded,
    time: np.ndarray,
    shift: float,
) -> tuple[np.ndarray, list[tuple[int, int]], list[tuple[float, float, float, float]]]:
    """Return the absolute movement of each row, the pairs and the four effects of each."""
    group = coded.group
    assert group is not None  # noqa: S101  (checked by the caller)
    n_groups = coded.design.shape[1] + 1
    own = score(values, group)
    U = base.terms(values, coded, time)
    if shift:
        U = U + shift * _steepest(U, own) * U.std(axis=0)
    moved = np.zeros(len(values))
    pairs, effects = [], []
    for other in range(n_groups):
        told = np.full_like(group, other)
        to = Coded((told[:, None] == np.arange(1, n_groups)).astype(float), told)
        twin = base.features(U, to, time)
        full, only_told, only_moved = score(twin, told), score(values, told), score(twin, group)
        for start in range(n_groups):
            rows = group == start
            if start == other or not rows.any():
                continue
            moved[rows] += np.abs(full - own)[rows] / (n_groups - 1)
            total = float((full - own)[rows].mean())
            observed = float(own[group == other].mean() - own[rows].mean())
            direct = float((only_told - own)[rows].mean())
            indirect = float((only_moved - own)[rows].mean())
            pairs.append((start, other))
            effects.append((total, direct, indirect, observed - total))
    return moved, pairs, effects


def _steepest(U: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the unit direction of the terms that moves scores most."""
    Z = (U - U.mean(axis=0)) / np.where(U.std(axis=0) > 0, U.std(axis=0), 1)
    weights = np.linalg.lstsq(Z, score - score.mean(), rcond=None)[0]
    return np.asarray(weights / max(float(np.linalg.norm(weights)), 1e-300))


def _bootstrap(
    score: Score,
    known: Abduction | None,
    rows: tuple[np.ndarray, Coded, np.ndarray],
    n_resamples: int,
    random_state: RandomState,
) -> np.ndarray:
    """Read the effects from resampled rows and apply them to the rows at hand."""
    values, coded, time = rows
    assert coded.group is not None  # noqa: S101  (checked by the caller)
    rng = np.random.default_rng(as_seed_sequence(random_state))
    _, part = np.unique(
        np.unique(time, return_inverse=True)[1] * (coded.group.max() + 1) + coded.group,
        return_inverse=True,
    )
    order = np.argsort(part, kind="stable")
    counts = np.bincount(part)
    starts = np.cumsum(counts) - counts
    base = known or fit_abduction(values, coded, time, np.zeros(len(values)))
    found = []
    for _ in range(n_resamples):
        drawn = order[(starts + 0)[part] + (rng.random(len(part)) * counts[part]).astype(int)]
        resampled = replace(coded, design=coded.design[drawn], group=coded.group[drawn])
        fresh = reread(base, values[drawn], resampled, time[drawn])
        found.append(float(_parts(score, fresh, values, coded, time, 0.0)[0].mean()))
    return np.array(found)
