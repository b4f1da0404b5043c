"""The rates of a group: which cells count as success, which as trial, and how weights enter."""

from dataclasses import dataclass

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.metrics._counts import GroupCounts

__all__ = ["RATES", "RateSums", "rate_sums"]

#: Cells (true outcome, decision) that are successes and trials of each rate.
_ALL = ((1, 1), (1, 1))
RATES: dict[str, tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]] = {
    "selection_rate": (((0, 1), (0, 1)), _ALL),
    "true_positive_rate": (((0, 0), (0, 1)), ((0, 0), (1, 1))),
    "false_positive_rate": (((0, 1), (0, 0)), ((1, 1), (0, 0))),
    "accuracy": (((1, 0), (0, 1)), _ALL),
    "precision": (((0, 0), (0, 1)), ((0, 1), (0, 1))),
}


@dataclass(frozen=True)
class RateSums:
    """Sums that a rate and its variance need, one entry per group.

    Attributes
    ----------
    successes, trials : ndarray of shape (n_groups,)
        Counts, or sums of weights.
    squares, trial_squares : ndarray of shape (n_groups,)
        Sums of squared weights over the same rows.
    rows : ndarray of shape (n_groups,)
        Number of rows behind the trials.
    """

    successes: np.ndarray
    trials: np.ndarray
    squares: np.ndarray
    trial_squares: np.ndarray
    rows: np.ndarray

    @property
    def rate(self) -> np.ndarray:
        """Successes over trials; NaN without trials."""
        return np.divide(
            self.successes,
            self.trials,
            out=np.full(len(self.trials), np.nan),
            where=self.trials > 0,
        )

    def effective(self) -> tuple[np.ndarray, np.ndarray]:
        """Successes and trials that carry the same information without weights.

        The linearised variance of a weighted mean, v = sum w^2 (y - p)^2 / (sum w)^2, is that of
        p (1 - p) / v equal rows. Where the successes happen to carry small weights this number
        exceeds what the weights themselves allow, (sum w)^2 / sum w^2; the smaller one is used.
        Without weights both are the number of rows.
        """
        p = np.nan_to_num(self.rate)
        with np.errstate(divide="ignore", invalid="ignore"):
            kish = np.where(self.trials > 0, self.trials**2 / self.trial_squares, 0.0)
            scatter = (1 - 2 * p) * self.squares + p**2 * self.trial_squares
            linear = p * (1 - p) * self.trials**2 / scatter
            n = np.where((scatter > 0) & (linear < kish), linear, kish)
            # Counts stay the whole numbers that they are.
            whole = (self.squares == self.successes) & (self.trial_squares == self.trials)
            n = np.where(whole, self.trials, n)
            scale = np.where(self.trials > 0, n / self.trials, 0.0)
        return self.successes * scale, n

    def take(self, index: np.ndarray) -> "RateSums":
        """Return the groups at the given positions."""
        return RateSums(*(values[index] for values in self._values()))

    def followed_by(self, other: "RateSums") -> "RateSums":
        """Append the entries of another."""
        pairs = zip(self._values(), other._values(), strict=True)
        return RateSums(*(np.concatenate(pair) for pair in pairs))

    def rest(self) -> "RateSums":
        """For each group, the sums over all other groups."""
        # Sums of weights are not exact: what is left must not fall below zero.
        return RateSums(*(np.maximum(values.sum() - values, 0) for values in self._values()))

    def total(self) -> "RateSums":
        """Return the sums over all groups, as one entry."""
        return RateSums(*(values.sum(keepdims=True) for values in self._values()))

    def _values(self) -> tuple[np.ndarray, ...]:
        return (self.successes, self.trials, self.squares, self.trial_squares, self.rows)


def rate_sums(counts: GroupCounts, rate: str) -> RateSums:
    """Sum the cells of a rate over each group.

    Raises
    ------
    InputError
        If the rate needs the true outcome and the counts do not have it.
    """
    if rate != "selection_rate" and not counts.has_outcome:
        raise InputError(
            f"{rate} needs the true outcome: pass y_true, or counts with the four outcome cells."
        )
    success, trial = (np.array(cells, dtype=bool) for cells in RATES[rate])
    if not counts.has_outcome:
        success, trial = success[:1], trial[:1]
    if counts.weights is None or counts.squared_weights is None:
        x, n = (counts.counts[:, cells].sum(axis=1) for cells in (success, trial))
        x, trials = x.astype(float), n.astype(float)
        return RateSums(x, trials, x, trials, n)
    x, n, squares, trial_squares = (
        table[:, cells].sum(axis=1)
        for table in (counts.weights, counts.squared_weights)
        for cells in (success, trial)
    )
    return RateSums(x, n, squares, trial_squares, counts.counts[:, trial].sum(axis=1))
