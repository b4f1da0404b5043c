"""Why does the gap exist? Split it into who is in the groups and how they are explained."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer
from shiftlab._core.frames import as_table
from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.results import Result, to_plain
from shiftlab._core.validation import Labels
from shiftlab.exceptions import InputError, SmallSampleWarning
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._fidelity_inputs import check_metrics, read_fidelity
from shiftlab.explanation._fidelity_metrics import FidelityData, row_scores

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["GapSplit", "split_gap"]

#: Below this share of the group, or above this difference that the weights leave (in standard
#: deviations), the weighted rows of a group represent the reference poorly.
LEAST_EFFECTIVE, MOST_LEFT = 0.1, 0.25


@dataclass(frozen=True, eq=False)
class GapSplit(Result):
    """A gap of fidelity as a sum of composition and the rest.

    Attributes
    ----------
    table : pandas.DataFrame
        ``metric, group, reference, part, value, low, high``; the parts "composition" (the group has
        other rows: covariates, predictions near the threshold) and "unexplained" (equal rows are
        explained differently) add up to "total".
    effective_share : dict
        For each group, the effective number of its rows once weighted to resemble the reference,
        as a share of all of them.
    imbalance : dict
        For each group, the largest difference in means of covariates from the reference that the
        weights leave, in standard deviations.
    name : str
        The sensitive feature.
    confidence_level : float
        Coverage of each interval.
    """

    table: "pd.DataFrame"
    effective_share: dict[Any, float]
    imbalance: dict[Any, float]
    name: str
    confidence_level: float

    def __repr__(self) -> str:
        lines = [f"GapSplit by {self.name}"]
        for row in self.table.head(12).itertuples():
            lines.append(
                f"  {row.metric}, {row.group} - {row.reference}: {row.part} {row.value:+.4g} "
                f"[{row.low:+.4g}, {row.high:+.4g}]"
            )
        return "\n".join(lines)

    def to_frame(self) -> "pd.DataFrame":
        """Return the parts."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the table as a list of records."""
        records = [to_plain(record) for record in self.table.to_dict("records")]
        return {
            "table": records,
            "effective_share": to_plain(self.effective_share),
            "imbalance": to_plain(self.imbalance),
            "name": self.name,
            "confidence_level": self.confidence_level,
        }

    def plot(self, ax: "Axes | None" = None, *, metric: str | None = None) -> "Axes":
        """Draw the parts with their intervals.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.
        metric : str, optional
            Which metric; the first one by default.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InputError
            If the metric was not computed.
        """
        from shiftlab._core.checks import check_option
        from shiftlab.explanation._disparity_plots import plot_parts

        known = list(self.table["metric"].unique())
        return plot_parts(self.table, check_option(metric or known[0], known, "metric"), ax)


def split_gap(
    explanation: Explanation,
    sensitive_features: Any,
    covariates: Any,
    *,
    reference: Any = None,
    metrics: tuple[str, ...] = ("mae", "accuracy"),
    threshold: float = 0.5,
    n_resamples: int = 199,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
) -> GapSplit:
    """Split gaps of fidelity in the way of Oaxaca and Blinder.

    Parameters
    ----------
    explanation : Explanation
        The explanations.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), or frame
        Groups.
    covariates : array or data frame of shape (n_rows, n_columns)
        What the composition of a group means; the prediction of the black box and its distance from
        the threshold are added.
    reference : object, optional
        Group that the others are compared with; the largest by default.
    metrics : tuple of str, default ("mae", "accuracy")
        Metrics that are means over rows.
    threshold : float, default 0.5
        From here on a prediction is a positive label.
    n_resamples : int, default 199
        Bootstrap resamples of blocks, or of rows if these are independent.
    confidence_level : float, default 0.95
        Coverage of each interval.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the resamples.

    Returns
    -------
    GapSplit

    Raises
    ------
    InputError
        If there is one group only, or a metric is no mean over rows.

    Notes
    -----
    Each group is weighted by the odds, from a logistic regression on standardised covariates with
    their squares, that a row belongs to the reference. What remains of the gap between the weighted
    group and the reference is unexplained. Intervals take these weights as known.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer, split_gap
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(0, 2, 2000)
    >>> X = rng.normal(size=(2000, 1)) + group[:, None]
    >>> explainer = LimeExplainer(n_samples=200, random_state=0).fit(X)
    >>> explanation = explainer.explain(lambda X: 1 / (1 + np.exp(-3 * X[:, 0])), X)
    >>> parts = split_gap(explanation, group, X, metrics=("mae",), random_state=0)
    >>> parts.table["part"].tolist()
    ['total', 'composition', 'unexplained']
    """
    import pandas as pd

    check_fraction(confidence_level, "confidence_level")
    check_integer(n_resamples, "n_resamples", minimum=19)
    data, groups = read_fidelity(explanation, sensitive_features, None, threshold=threshold)
    if len(groups) < 2:
        raise InputError(
            f"sensitive_features: {groups.name!r} has a single group; there is nothing to compare."
        )
    chosen = check_metrics(metrics, explanation, data)
    if any(row_scores(metric, data) is None for metric in chosen):
        raise InputError("metrics must be means over rows: 'mae', 'mse', 'accuracy', 'signed'.")
    target = int(groups.counts.argmax()) if reference is None else groups.index(reference)
    design = _design(covariates, data)
    rng = as_generator(random_state)
    block = explanation.block
    lines: list[dict[str, Any]] = []
    shares: dict[Any, float] = {}
    left: dict[Any, float] = {}
    for code in range(len(groups)):
        if code == target:
            continue
        weights = _odds(design, groups, code, target)
        label = groups.categories[code]
        shares[label] = float(weights.sum() ** 2 / (weights**2).sum() / len(weights))
        left[label] = _difference(design, groups, code, target, weights)
        draws = _block_draws(block, n_resamples, rng)
        lines += _part_lines(data, groups, (code, target), weights, chosen, draws, confidence_level)
    poor = [g for g in shares if shares[g] < LEAST_EFFECTIVE or left[g] > MOST_LEFT]
    if poor:
        warn(
            f"{len(poor)} group(s) hardly overlap with the reference: weighting cannot make their "
            "rows resemble it, and the split is unreliable.",
            SmallSampleWarning,
            stacklevel=2,
        )
    return GapSplit(pd.DataFrame(lines), shares, left, groups.name, confidence_level)


def _design(covariates: Any, data: FidelityData) -> np.ndarray:
    """Return standardised covariates with squares of numbers, and indicators of categories."""
    columns = [data.prediction, np.abs(data.prediction - data.threshold)]
    indicators = []
    for column in as_table(covariates, name="covariates"):
        if column.is_number:
            columns.append(np.asarray(column.values))
        else:
            indicators += [column.values == code for code in range(1, len(column.categories))]
    numbers = np.column_stack(columns)
    if len(numbers) != len(data.codes) or not np.isfinite(numbers).all():
        raise InputError("covariates must have one row per explanation and no missing values.")
    spread = numbers.std(axis=0)
    numbers = (numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.column_stack([numbers, numbers**2, *indicators])


def _odds(design: np.ndarray, groups: Labels, code: int, target: int) -> np.ndarray:
    """Return weights of the rows of a group that make it resemble the reference."""
    from sklearn.linear_model import LogisticRegression

    rows, others = groups.rows(code), groups.rows(target)
    both = np.concatenate([rows, others])
    label = np.repeat([0, 1], [len(rows), len(others)])
    model = LogisticRegression(max_iter=2000).fit(design[both], label)
    return np.asarray(np.exp(np.clip(model.decision_function(design[rows]), -20, 20)))


def _difference(
    design: np.ndarray, groups: Labels, code: int, target: int, weights: np.ndarray
) -> float:
    """Return the largest standardised difference in means that the weights leave."""
    own, other = design[groups.rows(code)], design[groups.rows(target)]
    spread = other.std(axis=0)
    moved = np.average(own, axis=0, weights=weights) - other.mean(axis=0)
    return float(np.abs(moved / np.where(spread > 0, spread, 1.0)).max())


def _block_draws(block: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each row is drawn, shape (R + 1, n); once each in the first line."""
    units = np.arange(len(block)) if (block < 0).all() else np.unique(block, return_inverse=True)[1]
    n = int(units.max()) + 1
    counts = rng.multinomial(n, np.full(n, 1 / n), n_resamples)[:, units]
    return np.concatenate([np.ones((1, len(block))), counts])


def _part_lines(
    data: FidelityData,
    groups: Labels,
    pair: tuple[int, int],
    weights: np.ndarray,
    metrics: tuple[str, ...],
    draws: np.ndarray,
    confidence_level: float,
) -> list[dict[str, Any]]:
    rows, others = groups.rows(pair[0]), groups.rows(pair[1])
    names = [groups.categories[code] for code in pair]
    lines = []
    for metric in metrics:
        scores = np.asarray(row_scores(metric, data))
        own = _mean(scores[rows], draws[:, rows])
        alike = _mean(scores[rows], draws[:, rows] * weights)
        other = _mean(scores[others], draws[:, others])
        parts = {
            "total": own - other,
            "composition": own - alike,
            "unexplained": alike - other,
        }
        for part, values in parts.items():
            half = _half_width(values[1:], confidence_level)
            lines.append(
                {
                    "metric": metric, "group": names[0], "reference": names[1], "part": part,
                    "value": values[0], "low": values[0] - half, "high": values[0] + half,
                }
            )  # fmt: skip
    return lines


def _mean(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1)
    sums = weights @ scores
    return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)


def _half_width(values: np.ndarray, confidence_level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence_level) / 2) * np.nanstd(values, ddof=1))
