"""Options of the interval, and the bootstrap from counts."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from shiftlab._core.random import RandomState, as_seed_sequence, spawn_seeds
from shiftlab._core.validation import check_fraction, check_integer, check_option
from shiftlab.metrics._intervals import difference_interval, ratio_interval
from shiftlab.metrics._rates import RateSums

__all__ = ["Inference", "InferenceOptions", "compare", "interval", "percentiles", "resample_rates"]


class InferenceOptions(TypedDict, total=False):
    """Keyword options that every disparity function takes.

    Attributes
    ----------
    confidence_level : float, default 0.95
        Coverage that the interval aims at.
    method : str
        "score" (default), "katz" or "bootstrap" for ratios; "newcombe" (default) or "bootstrap" for
        differences.
    n_resamples : int, default 9999
        Bootstrap replicates.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of the bootstrap.
    """

    confidence_level: float
    method: str
    n_resamples: int
    random_state: RandomState


@dataclass(frozen=True)
class Inference:
    """Checked options; see `InferenceOptions`."""

    confidence_level: float = 0.95
    method: str = ""
    n_resamples: int = 9999
    random_state: RandomState = None

    def checked(self, kind: str) -> "Inference":
        """Fill in the default method of a ratio or a difference and check everything."""
        methods = ("score", "katz") if kind == "ratio" else ("newcombe",)
        method = check_option(self.method or methods[0], (*methods, "bootstrap"), "method")
        level = check_fraction(self.confidence_level, "confidence_level")
        n_resamples = check_integer(self.n_resamples, "n_resamples", minimum=100)
        # One sequence for the whole metric, so that asking it twice gives the same replicates.
        return Inference(level, method, n_resamples, as_seed_sequence(self.random_state))

    def seed(self, stream: int) -> np.random.SeedSequence:
        """Return the seed of one of several independent bootstraps."""
        return spawn_seeds(self.random_state, stream + 1)[stream]


def compare(a: np.ndarray, b: np.ndarray, kind: str) -> np.ndarray:
    """Ratio or difference of rates; 0/0 is NaN and a positive rate over 0 is infinite."""
    if kind == "difference":
        return np.asarray(a - b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(a / b)


def interval(
    group: RateSums, reference: RateSums, kind: str, method: str, confidence_level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a group against a reference, element by element."""
    function = ratio_interval if kind == "ratio" else difference_interval
    counts = (*group.effective(), *reference.effective())
    return function(*counts, confidence_level=confidence_level, method=method)


def resample_rates(sums: RateSums, n_resamples: int, random_state: RandomState) -> np.ndarray:
    """Draw the rate of each group from its binomial distribution, given its number of trials.

    Each group has a seed of its own. Weighted groups use their effective number of trials,
    rounded.

    Returns
    -------
    ndarray of shape (n_groups, n_resamples)
    """
    seeds = spawn_seeds(random_state, len(sums.trials))
    trials = np.maximum(np.rint(sums.effective()[1]), 1).astype(np.int64)
    rates = np.nan_to_num(sums.rate)
    draws = np.empty((len(seeds), n_resamples))
    for i, seed in enumerate(seeds):
        draws[i] = np.random.default_rng(seed).binomial(trials[i], rates[i], n_resamples)
    return draws / trials[:, None]


def percentiles(values: np.ndarray, confidence_level: float) -> tuple[float, float]:
    """Outer order statistics of the replicates that are defined; NaN if none is."""
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return np.nan, np.nan
    # Order statistics rather than interpolation: infinite replicates have no midpoint.
    tail, last = (1 - confidence_level) / 2, len(values) - 1
    lower, upper = int(np.floor(tail * last)), int(np.ceil((1 - tail) * last))
    values = np.partition(values, (lower, upper))
    return float(values[lower]), float(values[upper])
