"""How faithful explanations are to the model, by group, and the gaps between groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab._core.results import Result, to_plain
from shiftlab._core.validation import Labels, check_weights
from shiftlab.exceptions import DegenerateDataWarning
from shiftlab.explanation._fidelity_inputs import check_metrics, read_fidelity
from shiftlab.explanation._fidelity_metrics import FidelityData, evaluate, metric_info

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GroupFidelity", "fidelity_gap", "gaps_of", "group_fidelity", "label_table"]

KINDS = ("mean", "max")


@dataclass(frozen=True, eq=False)
class GroupFidelity(Result):
    """Fidelity by group and the gaps between groups.

    Attributes
    ----------
    table : pandas.DataFrame
        ``metric, group, n, value``; the group None holds everybody.
    gaps : pandas.DataFrame
        ``metric, kind, value, group, reference, n_undefined``: the maximum fidelity gap from the
        average ("max", with the group that is worst off) and the mean fidelity gap amongst
        subgroups ("mean"). Groups of undefined value are left out and counted.
    pairs : pandas.DataFrame
        ``metric, group, reference, difference``: value of the group minus that of the reference.
    name : str
        The sensitive features.
    """

    table: "pd.DataFrame"
    gaps: "pd.DataFrame"
    pairs: "pd.DataFrame"
    name: str

    def __repr__(self) -> str:
        lines = [f"GroupFidelity by {self.name}"]
        for row in self.gaps.itertuples():
            lines.append(f"  {row.metric}: {row.kind} gap {row.value:.4g}")
        return "\n".join(lines[:20])

    def to_frame(self) -> "pd.DataFrame":
        """Return the values by group."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as lists of records."""
        tables = {key: _records(getattr(self, key)) for key in ("table", "gaps", "pairs")}
        return {**tables, "name": self.name}


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    return [to_plain(record) for record in frame.to_dict("records")]


def group_fidelity(
    explanation: Any,
    sensitive_features: Any,
    *,
    prediction: Any = None,
    metrics: Sequence[str] | None = None,
    scores: Mapping[str, Any] | None = None,
    threshold: float = 0.5,
    sample_weight: Any = None,
) -> GroupFidelity:
    """Fidelity of explanations by group, with the gaps of Balagopalan et al.

    Parameters
    ----------
    explanation : Explanation or array of shape (n_rows,)
        The explanations, or only what the surrogate says at each row.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), or frame
        Groups; several features make intersectional groups.
    prediction : array of shape (n_rows,), optional
        What the black box says at each row; needed where an `Explanation` is not given.
    metrics : sequence of str, optional
        Of "mae", "mse", "signed", "accuracy", "auroc", "r2", the measures of an explanation
        ("local_r2", "complexity", "mc_noise", "truncated_mae") and the names of `scores`. By
        default "mae", "accuracy", "auroc" and "signed" for probabilities, "mae", "r2" and "signed"
        for other values.
    scores : mapping of str to array of shape (n_rows,), optional
        Further measures, one number per row.
    threshold : float, default 0.5
        From here on a prediction is a positive label.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    GroupFidelity

    Raises
    ------
    InputError
        If lengths differ, a value is missing, or a metric is unknown.

    References
    ----------
    Balagopalan, A. et al. (2022). The road to explainability is paved with bias: measuring the
    fairness of explanations. FAccT 2022, definitions 3.3 and 3.4.

    Examples
    --------
    >>> from shiftlab.explanation import group_fidelity
    >>> found = group_fidelity([0.9, 0.2, 0.6, 0.1], ["a", "a", "b", "b"],
    ...                        prediction=[0.9, 0.1, 0.4, 0.2], metrics=["mae"])
    >>> print(found.table["value"].round(3).tolist())
    [0.05, 0.15, 0.1]
    """
    data, groups = read_fidelity(
        explanation, sensitive_features, prediction, scores=scores, threshold=threshold
    )
    chosen = check_metrics(metrics, explanation, data)
    weights = check_weights(sample_weight, len(data.codes))
    weights = np.ones(len(data.codes)) if weights is None else weights
    return _tabulate(data, groups, chosen, weights)


def _tabulate(
    data: FidelityData, groups: Labels, metrics: Sequence[str], weights: np.ndarray
) -> GroupFidelity:
    import pandas as pd

    rows, gaps, pairs = [], [], []
    names = [*groups.categories, None]
    counts = [*groups.counts.tolist(), len(data.codes)]
    for metric in metrics:
        values = evaluate(metric, data, weights[None, :])[0]
        _warn_undefined(metric, values, groups)
        for name, n, value in zip(names, counts, values, strict=True):
            rows.append({"metric": metric, "group": name, "n": n, "value": float(value)})
        gaps += _gap_lines(metric, values, groups, data)
        for a, b in combinations(range(len(groups)), 2):
            pairs.append(
                {
                    "metric": metric, "group": groups.categories[a],
                    "reference": groups.categories[b], "difference": float(values[a] - values[b]),
                }
            )  # fmt: skip
    columns = ["metric", "group", "reference", "difference"]
    return GroupFidelity(
        label_table(rows),
        label_table(gaps),
        pd.DataFrame(pairs, columns=columns),
        groups.name,
    )


def label_table(lines: list[dict[str, Any]]) -> "pd.DataFrame":
    """Make a table whose groups keep their type; None, which is no single group, stays None."""
    import pandas as pd

    table = pd.DataFrame(lines)
    table["group"] = pd.Series([line["group"] for line in lines], dtype=object)
    return table


def _gap_lines(
    metric: str, values: np.ndarray, groups: Labels, data: FidelityData
) -> list[dict[str, Any]]:
    better = metric_info(metric, data.scores).higher_is_better
    mean, largest, worst = gaps_of(values[None, :], better)
    n_undefined = int(np.isnan(values[:-1]).sum())
    group = groups.categories[int(worst[0])] if worst[0] >= 0 else None
    common = {"metric": metric, "n_undefined": n_undefined}
    return [
        {**common, "kind": "mean", "value": float(mean[0]), "group": None},
        {**common, "kind": "max", "value": float(largest[0]), "group": group},
    ]


def gaps_of(
    values: np.ndarray, higher_is_better: bool | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean gap amongst groups, the largest gap from the average, and its group.

    Parameters
    ----------
    values : ndarray of shape (B, n_groups + 1)
        By group, and over everybody in the last column.
    higher_is_better : bool or None
        None: a gap from the average counts in both directions.

    Returns
    -------
    mean, largest : ndarray of shape (B,)
        NaN where fewer than two groups (mean), or none (largest), are defined.
    worst : ndarray of int, shape (B,)
        Position of the worst group, -1 where there is none.
    """
    by_group, overall = values[:, :-1], values[:, -1:]
    pairs = list(combinations(range(by_group.shape[1]), 2))
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    differences = np.abs(by_group[:, first] - by_group[:, second])
    n_pairs = (~np.isnan(differences)).sum(axis=1)
    mean = np.nansum(differences, axis=1) / np.where(n_pairs > 0, n_pairs, 1)
    mean = np.where(n_pairs > 0, mean, np.nan)
    behind = np.abs(by_group - overall) if higher_is_better is None else by_group - overall
    behind = -behind if higher_is_better else behind
    defined = ~np.isnan(behind).all(axis=1)
    filled = np.where(np.isnan(behind), -np.inf, behind)
    worst = np.where(defined, filled.argmax(axis=1), -1)
    return mean, np.where(defined, filled.max(axis=1), np.nan), worst


def fidelity_gap(
    explanation: Any,
    sensitive_features: Any,
    *,
    prediction: Any = None,
    metric: str = "mae",
    kind: str = "mean",
    threshold: float = 0.5,
    sample_weight: Any = None,
) -> float:
    """One number: how much the fidelity of explanations differs between groups.

    Parameters
    ----------
    explanation : Explanation or array of shape (n_rows,)
        The explanations, or only what the surrogate says at each row.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), or frame
        Groups; several features make intersectional groups.
    prediction : array of shape (n_rows,), optional
        What the black box says at each row; needed where an `Explanation` is not given.
    metric : str, default "mae"
        See `group_fidelity`.
    kind : {"mean", "max"}, default "mean"
        "mean": average over all pairs of groups of the absolute difference. "max": how far the
        worst group stays behind the value over everybody.
    threshold : float, default 0.5
        From here on a prediction is a positive label.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    float
        NaN where the metric is defined for too few groups.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, or a metric is unknown.

    Examples
    --------
    >>> from shiftlab.explanation import fidelity_gap
    >>> gap = fidelity_gap([0.9, 0.2, 0.6, 0.1], ["a", "a", "b", "b"],
    ...                    prediction=[0.9, 0.1, 0.4, 0.2])
    >>> print(f"{gap:.2f}")
    0.10
    """
    check_option(kind, KINDS, "kind")
    found = group_fidelity(
        explanation,
        sensitive_features,
        prediction=prediction,
        metrics=[metric],
        threshold=threshold,
        sample_weight=sample_weight,
    )
    return float(found.gaps["value"][found.gaps["kind"] == kind].iloc[0])


def _warn_undefined(metric: str, values: np.ndarray, groups: Labels) -> None:
    n_undefined = int(np.isnan(values[:-1]).sum())
    if n_undefined:
        warn(
            f"{metric} is not defined for {n_undefined} of {len(groups)} groups (one label only, "
            "no variation, or no weight); they are left out of the gaps.",
            DegenerateDataWarning,
            stacklevel=4,
        )
