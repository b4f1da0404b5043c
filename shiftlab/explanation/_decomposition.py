"""What in the explainer makes the gap: too few draws, too wide a neighbourhood, too simple a line.

Each of the three is either as in the explainer or (nearly) perfect, which makes eight explainers.
All of them explain the same rows with the same blocks, so that every part of the gap is a
difference in means of one number per row, and gets its standard error like the gap itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer, check_option
from shiftlab._core.names import join_names
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_generator, as_seed_sequence
from shiftlab._core.results import Result, to_plain
from shiftlab._core.validation import Labels
from shiftlab.exceptions import InputError
from shiftlab.explanation._attribution import path_values, shapley_values
from shiftlab.explanation._decomposition_worlds import PLAYERS, ExplainerWorlds, explain_worlds
from shiftlab.explanation._fidelity_inputs import check_metrics, read_fidelity
from shiftlab.explanation._fidelity_metrics import FidelityData, row_scores
from shiftlab.explanation._inference import block_codes, resample
from shiftlab.explanation._lime import LimeExplainer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["GapDecomposition", "decompose_gap"]


@dataclass(frozen=True, eq=False)
class GapDecomposition(Result):
    """A gap of fidelity as a sum of what in the explainer makes it.

    Attributes
    ----------
    table : pandas.DataFrame
        ``metric, group, reference, part, value, se, low, high, share``. The parts "sampling" (noise
        of the draws), "width" (size of the neighbourhood), "family" (the surrogate is a line) and
        "remainder" (what the gap is without all three) add up to "total"; ``share`` is the value
        over the total.
    worlds : pandas.DataFrame
        ``metric, group, reference, sampling, width, family, difference, overall``: the gap of each
        of the eight explainers. True: as given; False: many more draws, a narrow neighbourhood, a
        surrogate with squares and products. ``overall`` is the fidelity over everybody.
    name : str
        The sensitive features.
    method : str
        "shapley" or "nested".
    order : tuple of str
        In which order the sources were removed, if nested.
    confidence_level : float
        Coverage of each interval.
    n_blocks : int
        Blocks that were resampled.
    """

    table: "pd.DataFrame"
    worlds: "pd.DataFrame"
    name: str
    method: str
    order: tuple[str, ...]
    confidence_level: float
    n_blocks: int

    def __repr__(self) -> str:
        lines = [f"GapDecomposition by {self.name}, {self.method}"]
        for row in self.table.head(10).itertuples():
            lines.append(
                f"  {row.metric}, {row.group} - {row.reference}: {row.part} {row.value:+.4g} "
                f"[{row.low:+.4g}, {row.high:+.4g}]"
            )
        return "\n".join(lines)

    def to_frame(self) -> "pd.DataFrame":
        """Return the parts."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as lists of records, and the settings."""
        names = ("name", "method", "order", "confidence_level", "n_blocks")
        return {
            "table": [to_plain(record) for record in self.table.to_dict("records")],
            "worlds": [to_plain(record) for record in self.worlds.to_dict("records")],
            **{key: to_plain(getattr(self, key)) for key in names},
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
        from shiftlab.explanation._disparity_plots import plot_parts

        known = list(self.table["metric"].unique())
        return plot_parts(self.table, check_option(metric or known[0], known, "metric"), ax)


def decompose_gap(
    explainer: LimeExplainer,
    model: Any,
    X: Any,
    sensitive_features: Any,
    *,
    metrics: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    more_draws: int = 10,
    narrow: float = 0.1,
    threshold: float = 0.5,
    n_resamples: int = 199,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
    progress: Progress = False,
) -> GapDecomposition:
    """Split the gaps of LIME into sampling noise, neighbourhood width and surrogate family.

    Parameters
    ----------
    explainer : LimeExplainer
        Fitted, in mode "around".
    model : callable, fitted estimator, torch module or ModelFunction
        The black box.
    X : array or data frame of shape (n_rows, n_columns)
        Rows to explain.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), or frame
        Groups; several features make intersectional groups.
    metrics : sequence of str, optional
        Means over rows: "mae", "mse", "signed", "accuracy". By default "mae" and, for
        probabilities, "accuracy".
    order : sequence of str, optional
        Remove "sampling", "width" and "family" one after the other in this order, and let each have
        the change that it makes (nested). By default the average over all orders (Shapley).
    more_draws : int, default 10
        Without sampling noise there are this many times the draws; its share that is left is one
        over this number.
    narrow : float, default 0.1
        Without width the neighbourhood has this times its scale. The limit 0 says nothing: any
        smooth model is a line there.
    threshold : float, default 0.5
        From here on a prediction is a positive label.
    n_resamples : int, default 199
        Bootstrap resamples behind the standard errors.
    confidence_level : float, default 0.95
        Coverage of each interval.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the resamples, and of the draws if the explainer has none.
    progress : bool or callable, default False
        Whether to report progress.

    Returns
    -------
    GapDecomposition

    Raises
    ------
    InputError
        If the explainer does not perturb around the row, has too few draws for a surrogate with
        squares and products, a metric is no mean over rows, or there is one group only.

    Notes
    -----
    The parts and the remainder add up to the gap of the explainer exactly, row by row. The model is
    asked about ``2 * (1 + more_draws)`` times as often as for the explanation alone: both surrogate
    families are fitted to the same answers. Standard errors are those of `explanation_disparity`
    (blocks and rows) and speak of other draws and other rows, with the model as it is. The penalty
    of the surrogate fades with more draws and counts as sampling.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer, decompose_gap
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2))
    >>> explainer = LimeExplainer(n_samples=200, random_state=0).fit(X)
    >>> bend = lambda X: np.where(X[:, 1] > 0, X[:, 0] ** 2, X[:, 0])
    >>> found = decompose_gap(explainer, bend, X, X[:, 1] > 0, metrics=["mae"], random_state=0)
    >>> value = found.table.set_index("part")["value"]
    >>> value.index.tolist()
    ['total', 'sampling', 'width', 'family', 'remainder']
    >>> bool(abs(value.iloc[1:].sum() - value["total"]) < 1e-12)
    True
    """
    check_fraction(confidence_level, "confidence_level")
    check_integer(n_resamples, "n_resamples", minimum=19)
    removed = _check_order(order)
    seed = as_seed_sequence(random_state)
    draws, boot = seed.spawn(2)
    worlds = explain_worlds(
        explainer, model, X, sensitive_features, (more_draws, narrow), draws, progress
    )
    data, groups = read_fidelity(
        worlds.surrogates[-1], sensitive_features, worlds.prediction, threshold=threshold
    )
    if len(groups) < 2:
        raise InputError(
            f"sensitive_features: {groups.name!r} has a single group; there is nothing to compare."
        )
    scores = {metric: _world_scores(metric, data, worlds) for metric in _check_means(metrics, data)}
    blocks = block_codes(worlds.blocks)
    lines, others = [], []
    for metric, score in scores.items():
        parts = _parts(score, removed if order is not None else None)
        lines += _part_lines(
            metric, parts, groups, blocks, n_resamples, confidence_level, as_generator(boot)
        )
        others += _world_lines(metric, score, groups)
    import pandas as pd

    return GapDecomposition(
        pd.DataFrame(lines),
        pd.DataFrame(others),
        groups.name,
        "shapley" if order is None else "nested",
        removed if order is not None else (),
        confidence_level,
        int(worlds.blocks.max()) + 1,
    )


def _check_order(order: Sequence[str] | None) -> tuple[str, ...]:
    if order is None:
        return PLAYERS
    if isinstance(order, str) or sorted(order) != sorted(PLAYERS):
        raise InputError(f"order must name each of {join_names(PLAYERS)} once, found {order!r}.")
    return tuple(order)


def _check_means(metrics: Sequence[str] | None, data: FidelityData) -> tuple[str, ...]:
    if metrics is None:
        probability = ((data.prediction >= 0) & (data.prediction <= 1)).all()
        return ("mae", "accuracy") if probability else ("mae",)
    chosen = check_metrics(metrics, data.surrogate, data)
    if any(row_scores(metric, data) is None for metric in chosen):
        raise InputError("metrics must be means over rows: 'mae', 'mse', 'accuracy', 'signed'.")
    return chosen


def _world_scores(metric: str, data: FidelityData, worlds: ExplainerWorlds) -> np.ndarray:
    """Return the metric of each row with each explainer, shape (n, 8)."""
    columns = [
        row_scores(
            metric,
            FidelityData(data.prediction, g, data.codes, data.n_groups, data.threshold, {}),
        )
        for g in worlds.surrogates
    ]
    return np.column_stack([np.asarray(column) for column in columns])


def _parts(score: np.ndarray, removed: tuple[str, ...] | None) -> dict[str, np.ndarray]:
    """Split the score of each row; what is removed first is added last."""
    if removed is None:
        found = dict(zip(PLAYERS, shapley_values(score).T, strict=True))
    else:
        added = removed[::-1]
        bits = [1 << PLAYERS.index(name) for name in added]
        worlds = [sum(b for i, b in enumerate(bits) if w >> i & 1) for w in range(8)]
        found = dict(zip(added, path_values(score[:, worlds]).T, strict=True))
    parts = {name: found[name] for name in PLAYERS}
    return {"total": score[:, -1], **parts, "remainder": score[:, 0]}


def _part_lines(
    metric: str,
    parts: dict[str, np.ndarray],
    groups: Labels,
    blocks: np.ndarray | None,
    n_resamples: int,
    confidence_level: float,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    from scipy.special import stdtrit

    ones = np.ones(len(groups.codes))
    data = FidelityData(ones, ones, groups.codes, len(groups), 0.5, parts)
    spread = resample(tuple(parts), data, ones, blocks, n_resamples, rng)
    n_blocks = len(ones) if blocks is None else int(blocks.max()) + 1
    lines = []
    for a, b in combinations(range(len(groups)), 2):
        pair = {"group": groups.categories[a], "reference": groups.categories[b]}
        freedom = max(min(n_blocks, int(groups.counts[a]), int(groups.counts[b])) - 1, 1)
        quantile = float(stdtrit(freedom, (1 + confidence_level) / 2))
        total = _difference(parts["total"], groups, a, b)
        for part, score in parts.items():
            value, se = _difference(score, groups, a, b), float(spread[part].pairs[a, b])
            lines.append(
                {
                    "metric": metric, **pair, "part": part, "value": value, "se": se,
                    "low": value - quantile * se, "high": value + quantile * se,
                    "share": value / total if total != 0 else np.nan,
                }
            )  # fmt: skip
    return lines


def _difference(score: np.ndarray, groups: Labels, a: int, b: int) -> float:
    return float(score[groups.rows(a)].mean() - score[groups.rows(b)].mean())


def _world_lines(metric: str, score: np.ndarray, groups: Labels) -> list[dict[str, Any]]:
    lines = []
    for a, b in combinations(range(len(groups)), 2):
        for world in range(score.shape[1]):
            switches = {name: bool(world >> i & 1) for i, name in enumerate(PLAYERS)}
            lines.append(
                {
                    "metric": metric, "group": groups.categories[a],
                    "reference": groups.categories[b], **switches,
                    "difference": _difference(score[:, world], groups, a, b),
                    "overall": float(score[:, world].mean()),
                }
            )  # fmt: skip
    return lines
