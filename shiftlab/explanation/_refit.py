"""The target "this pipeline": refit the model and the explainer on resampled training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer, check_length
from shiftlab._core.parallel import seeded_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_seed_sequence, integer_seed, seeded_clone
from shiftlab._core.results import Result, to_plain
from shiftlab._core.validation import Labels
from shiftlab.exceptions import InputError
from shiftlab.explanation._fidelity_inputs import check_metrics, read_fidelity
from shiftlab.explanation._fidelity_metrics import evaluate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RefitDisparity", "refit_disparity"]


@dataclass(frozen=True, eq=False)
class RefitDisparity(Result):
    """Disparity of a whole pipeline, over training data, training and explaining.

    Attributes
    ----------
    table : pandas.DataFrame
        ``metric, group, reference, difference, refit_mean, se, low, high``: the signed difference
        with the model as fitted on all training rows, its mean and standard deviation over refits.
    replicates : pandas.DataFrame
        ``replicate, metric, group, reference, difference`` of each refit.
    name : str
        The sensitive features.
    confidence_level : float
        Coverage of each interval.
    """

    table: "pd.DataFrame"
    replicates: "pd.DataFrame"
    name: str
    confidence_level: float

    def __repr__(self) -> str:
        lines = [f"RefitDisparity by {self.name}, {self.replicates['replicate'].nunique()} refits"]
        for row in self.table.head(12).itertuples():
            lines.append(
                f"  {row.metric}: {row.group} - {row.reference} = {row.difference:+.4g} "
                f"[{row.low:+.4g}, {row.high:+.4g}]"
            )
        return "\n".join(lines)

    def to_frame(self) -> "pd.DataFrame":
        """Return the differences with their intervals."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as lists of records."""
        tables = {
            key: [to_plain(record) for record in getattr(self, key).to_dict("records")]
            for key in ("table", "replicates")
        }
        return {**tables, "name": self.name, "confidence_level": self.confidence_level}


def refit_disparity(
    estimator: Any,
    explainer: Any,
    X: Any,
    y: Any,
    X_test: Any,
    sensitive_features: Any,
    *,
    metrics: Sequence[str] | None = None,
    n_refits: int = 50,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress = False,
) -> RefitDisparity:
    """Interval for the disparity of a pipeline: train again, explain again, draw test rows again.

    Parameters
    ----------
    estimator : scikit-learn estimator
        The pipeline; it is cloned.
    explainer : LimeExplainer, KernelShapExplainer or another with ``fit`` and ``explain``
        Cloned, fitted on the training rows of each refit and given a seed of its own.
    X, y : array or data frame of shape (n_rows, n_columns), array of shape (n_rows,)
        Training data.
    X_test : array or data frame
        Rows to explain.
    sensitive_features : array of shape (n_test,) or (n_test, k), or frame
        Groups of the rows of `X_test`.
    metrics : sequence of str, optional
        See `group_fidelity`.
    n_refits : int, default 50
        Number of refits.
    confidence_level : float, default 0.95
        Coverage of each interval.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of everything.
    n_jobs : int or None, default None
        Parallel workers; results do not depend on it.
    progress : bool or callable, default False
        Whether to report progress.

    Returns
    -------
    RefitDisparity

    Raises
    ------
    InputError
        If lengths differ or there is one group only.

    Notes
    -----
    Training rows and, within groups, test rows are drawn with replacement. The interval is centred
    at the model that was fitted on all rows, with the standard deviation over the refits. It is
    often several times wider than that of `explanation_disparity`, whose target is one model.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from shiftlab.explanation import LimeExplainer, refit_disparity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> y = X[:, 0] > 0
    >>> found = refit_disparity(LogisticRegression(), LimeExplainer(n_samples=100), X[:200],
    ...                         y[:200], X[200:], X[200:, 1] > 0, metrics=["mae"], n_refits=5,
    ...                         random_state=0)
    >>> len(found.replicates)
    5
    """
    import pandas as pd

    check_integer(n_refits, "n_refits", minimum=3)
    check_fraction(confidence_level, "confidence_level")
    check_length(y, len(X), "y")
    seed = as_seed_sequence(random_state)
    _, groups = read_fidelity(np.zeros(len(X_test)), sensitive_features, np.zeros(len(X_test)))
    if len(groups) < 2:
        raise InputError(
            f"sensitive_features: {groups.name!r} has a single group; there is nothing to compare."
        )
    pipeline = _Pipeline(estimator, explainer, X, np.asarray(y), X_test, groups, metrics)
    whole = _one_refit(pipeline, False, seed.spawn(1)[0])
    found = seeded_map(
        _one_refit,
        [(pipeline, True)] * n_refits,
        random_state=seed.spawn(2)[1],
        n_jobs=n_jobs,
        progress=progress,
        description="refits",
    )
    lines, replicates = _summarise(whole, found, groups, confidence_level)
    return RefitDisparity(
        pd.DataFrame(lines), pd.DataFrame(replicates), groups.name, confidence_level
    )


@dataclass(frozen=True)
class _Pipeline:
    """What is fitted, on what, and for whom."""

    estimator: Any
    explainer: Any
    X: Any
    y: np.ndarray
    X_test: Any
    groups: Labels
    metrics: Sequence[str] | None


def _summarise(
    whole: dict[str, np.ndarray],
    found: list[dict[str, np.ndarray]],
    groups: Labels,
    confidence_level: float,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines of the table and those of the replicates."""
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(found) - 1, (1 + confidence_level) / 2))
    pairs = list(combinations(range(len(groups)), 2))
    lines, replicates = [], []
    for metric, values in whole.items():
        for a, b in pairs:
            keys = {
                "metric": metric, "group": groups.categories[a], "reference": groups.categories[b],
            }  # fmt: skip
            drawn = np.array([one[metric][a] - one[metric][b] for one in found])
            replicates += [
                {"replicate": r, **keys, "difference": float(value)}
                for r, value in enumerate(drawn)
            ]
            difference, se = float(values[a] - values[b]), float(np.std(drawn, ddof=1))
            lines.append(
                {
                    **keys, "difference": difference, "refit_mean": float(drawn.mean()), "se": se,
                    "low": difference - quantile * se, "high": difference + quantile * se,
                }
            )  # fmt: skip
    return lines, replicates


def _one_refit(
    pipeline: _Pipeline, resampled: bool, seed: np.random.SeedSequence
) -> dict[str, np.ndarray]:
    """Return the value of each group, for each metric."""
    from sklearn.utils import _safe_indexing

    X, y, X_test, groups = pipeline.X, pipeline.y, pipeline.X_test, pipeline.groups
    draw, fit, explain = seed.spawn(3)
    rng = np.random.default_rng(draw)
    train, weights = np.arange(len(y)), np.ones(len(X_test))
    if resampled:
        train = rng.integers(0, len(y), len(y))
        for code in range(len(groups)):
            rows = groups.rows(code)
            weights[rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)))
    model = seeded_clone(pipeline.estimator, integer_seed(fit)).fit(
        _safe_indexing(X, train), y[train]
    )
    own = seeded_clone(pipeline.explainer, integer_seed(explain)).fit(_safe_indexing(X, train))
    own.set_params(random_state=integer_seed(explain))
    explanation = own.explain(model, X_test)
    data, _ = read_fidelity(explanation, [groups], None)
    chosen = check_metrics(pipeline.metrics, explanation, data)
    return {metric: evaluate(metric, data, weights[None, :])[0] for metric in chosen}
