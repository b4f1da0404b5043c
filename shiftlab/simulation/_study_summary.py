"""Performance measures of simulation studies with their Monte-Carlo standard errors.

The formulas are those of Morris, White and Crowther (2019), table 6. ``n`` is the number of
replicates with a value; every measure is a `Measured` pair of an estimate and its standard error.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Measured",
    "adaptive_mcse",
    "contrast_lines",
    "describe",
    "estimator_performance",
    "is_binary",
    "mean_lines",
    "performance_lines",
]


class Measured(NamedTuple):
    """A performance measure and its Monte-Carlo standard error (NaN where it is unknown)."""

    value: float
    mcse: float


def is_binary(values: np.ndarray) -> bool:
    """Tell whether all values are 0 or 1."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def describe(values: np.ndarray) -> dict[str, Measured]:
    """Mean and, unless the values are 0 and 1, standard deviation of an output.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One finite value per replicate.

    Returns
    -------
    dict
        ``mean`` and ``sd``; for 0/1 values only ``mean``, with the binomial standard error.
    """
    if is_binary(values):
        return {"mean": _proportion(values)}
    return {"mean": _mean(values), "sd": _standard_deviation(values)}


def estimator_performance(
    estimate: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    se: np.ndarray | None = None,
    interval: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Measured]:
    """Measure the performance of an estimator over the replicates of one scenario.

    Parameters
    ----------
    estimate : ndarray of shape (n,)
        Estimates.
    truth : ndarray of shape (n,), optional
        What was estimated; adds bias, mean squared error, its root, and coverage.
    se : ndarray of shape (n,), optional
        Standard errors that the method reported; adds the model standard error and its relative
        error in percent.
    interval : pair of ndarray, optional
        Lower and upper ends; adds coverage and bias-eliminated coverage.

    Returns
    -------
    dict
        From the name of the measure to its value and Monte-Carlo standard error.
    """
    measures = {"empirical_se": _standard_deviation(estimate)}
    if truth is not None:
        error = estimate - truth
        mse = _mean(error**2)
        rmse = math.sqrt(mse.value)
        measures["bias"] = _mean(error)
        measures["mse"] = mse
        measures["rmse"] = Measured(rmse, mse.mcse / (2 * rmse) if rmse > 0 else 0.0)
    if se is not None:
        measures |= _model_se(se, measures["empirical_se"].value)
    if interval is not None:
        lower, upper = interval
        if truth is not None:
            centre = truth + np.mean(estimate - truth)
            measures["coverage"] = _covered(lower, truth, upper)
            measures["bias_eliminated_coverage"] = _covered(lower, centre, upper)
        measures["interval_width"] = _mean(upper - lower)
    return measures


def adaptive_mcse(values: np.ndarray) -> float:
    """Monte-Carlo standard error of a mean that does not vanish for all-0 or all-1 values.

    For proportions it is at least that of the proportion shrunk by two successes and two failures
    (Agresti and Coull), so that a few equal outcomes do not look like certainty and end an adaptive
    study.
    """
    n = len(values)
    if n < 2:
        return math.inf
    if is_binary(values):
        shrunk = (float(values.sum()) + 2) / (n + 4)
        return max(_proportion(values).mcse, math.sqrt(shrunk * (1 - shrunk) / (n + 4)))
    return _mean(values).mcse


def mean_lines(
    group: Mapping[str, Any], part: "pd.DataFrame", name: str, n_failed: int
) -> list[dict[str, Any]]:
    """Lay out `describe` for one group; missing values are left out and counted."""
    return _described(group, name, part[name].to_numpy(dtype=float), n_failed)


def contrast_lines(
    group: Mapping[str, Any],
    part: "pd.DataFrame",
    reference: "pd.DataFrame",
    name: str,
    n_failed: int,
) -> list[dict[str, Any]]:
    """Lay out the mean difference between paired replicates of two groups."""
    pairs = part.merge(reference, on="replicate", how="outer", suffixes=("", "_reference"))
    values = (pairs[name] - pairs[f"{name}_reference"]).to_numpy(dtype=float)
    kept = values[~np.isnan(values)]
    found = _mean(kept) if len(kept) else Measured(math.nan, math.nan)
    counts = _counts(len(kept), len(values) - len(kept), n_failed)
    return _lines(group, name, {"mean difference": found}, counts)


def _described(
    group: Mapping[str, Any], name: str, values: np.ndarray, n_failed: int
) -> list[dict[str, Any]]:
    kept = values[~np.isnan(values)]
    found = describe(kept) if len(kept) else {"mean": Measured(math.nan, math.nan)}
    return _lines(group, name, found, _counts(len(kept), len(values) - len(kept), n_failed))


def performance_lines(
    group: Mapping[str, Any],
    part: "pd.DataFrame",
    columns: Mapping[str, str | None],
    truth: str | float | None,
    n_failed: int,
) -> list[dict[str, Any]]:
    """Lay out `estimator_performance` for one group; incomplete replicates are counted."""
    data = {k: part[n].to_numpy(dtype=float) for k, n in columns.items() if n is not None}
    if truth is not None:
        data["truth"] = (
            part[truth].to_numpy(dtype=float)
            if isinstance(truth, str)
            else np.full(len(part), float(truth))
        )
    kept = ~np.any([np.isnan(values) for values in data.values()], axis=0)
    counts = _counts(int(kept.sum()), int((~kept).sum()), n_failed)
    data = {key: values[kept] for key, values in data.items()}
    name = str(columns["estimate"])
    if not kept.any():
        return _lines(group, name, {"empirical_se": Measured(np.nan, np.nan)}, counts)
    found = estimator_performance(
        data["estimate"],
        truth=data.get("truth"),
        se=data.get("se"),
        interval=(data["lower"], data["upper"]) if "lower" in data else None,
    )
    return _lines(group, name, found, counts)


def _counts(used: int, missing: int, failed: int) -> dict[str, int]:
    return {"n_replicates": used, "n_missing": missing, "n_failed": failed}


def _lines(
    group: Mapping[str, Any], measure: str, found: Mapping[str, Measured], counts: dict[str, int]
) -> list[dict[str, Any]]:
    return [
        {**group, "measure": measure, "statistic": key, "value": m.value, "mcse": m.mcse, **counts}
        for key, m in found.items()
    ]


def _mean(values: np.ndarray) -> Measured:
    n = len(values)
    spread = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Measured(float(np.mean(values)), spread)


def _standard_deviation(values: np.ndarray) -> Measured:
    n = len(values)
    if n < 2:
        return Measured(math.nan, math.nan)
    spread = float(np.std(values, ddof=1))
    return Measured(spread, spread / math.sqrt(2 * (n - 1)))


def _proportion(values: np.ndarray) -> Measured:
    share = float(np.mean(values))
    return Measured(share, math.sqrt(share * (1 - share) / len(values)))


def _covered(lower: np.ndarray, target: np.ndarray, upper: np.ndarray) -> Measured:
    return _proportion(((lower <= target) & (target <= upper)).astype(float))


def _model_se(se: np.ndarray, empirical: float) -> dict[str, Measured]:
    n = len(se)
    model = math.sqrt(float(np.mean(se**2)))
    variance = float(np.var(se**2, ddof=1)) if n > 1 else math.nan
    if model == 0 or n < 2 or not empirical > 0:
        unknown = Measured(math.nan, math.nan)
        return {"model_se": Measured(model, math.nan), "relative_error_model_se": unknown}
    share = variance / (4 * n * model**4)
    ratio = model / empirical
    return {
        "model_se": Measured(model, model * math.sqrt(share)),
        "relative_error_model_se": Measured(
            100 * (ratio - 1), 100 * ratio * math.sqrt(share + 1 / (2 * (n - 1)))
        ),
    }
