"""Environments as strategies see them: a loss, standardised summaries, and the rows themselves."""

from dataclasses import dataclass

import numpy as np

from shiftlab._core.validation import Labels
from shiftlab.adaptation._features import SummaryScale, fit_scale
from shiftlab.adaptation._order import rounded
from shiftlab.adaptation._problem import Problem

__all__ = ["Known", "Sample", "SetRows", "Summaries"]


@dataclass(frozen=True)
class SetRows:
    """Rows of several environments, for those who learn a summary of their own.

    Attributes
    ----------
    X : ndarray of shape (n, p)
        Covariates in standard units.
    codes : ndarray of int, shape (n,)
        Environment of each row, ascending.
    n_sets : int
        Number of environments.
    """

    X: np.ndarray
    codes: np.ndarray
    n_sets: int

    @classmethod
    def of(cls, X: np.ndarray, labels: Labels) -> "SetRows":
        """Sort rows by environment."""
        order = np.argsort(labels.codes, kind="stable")
        return cls(X[order], labels.codes[order].astype(np.intp), len(labels))

    @property
    def counts(self) -> np.ndarray:
        """Rows of each environment."""
        return np.bincount(self.codes, minlength=self.n_sets)

    def take(self, environments: np.ndarray) -> "SetRows":
        """Keep some environments, in the given order; one may be named repeatedly."""
        bounds = np.searchsorted(self.codes, np.arange(self.n_sets + 1))
        parts = [self.X[bounds[e] : bounds[e + 1]] for e in environments]
        codes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return SetRows(np.vstack([self.X[:0], *parts]), codes.astype(np.intp), len(parts))

    def rounded(self) -> "SetRows":
        """Return the rows without their last bits."""
        return SetRows(rounded(self.X), self.codes, self.n_sets)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean over the rows of each environment."""
        starts = np.searchsorted(self.codes, np.arange(self.n_sets))
        return np.asarray(np.add.reduceat(values, starts, axis=0) / self.counts[:, None])


@dataclass(frozen=True)
class Summaries:
    """Summaries of the training environments and what is known of their noise.

    Attributes
    ----------
    values : ndarray of shape (E, d)
    n_rows : ndarray of shape (E,)
    noise, lost : ndarray of shape (d,)
        See `SummarySpec.noise` and `SummarySpec.lost_rows`.
    usable : ndarray of bool, shape (E,)
        Environments with rows enough to be summarised.
    """

    values: np.ndarray
    n_rows: np.ndarray
    noise: np.ndarray
    lost: np.ndarray
    usable: np.ndarray

    def scale(self, chosen: np.ndarray) -> SummaryScale:
        """Learn the scale from some environments."""
        return fit_scale(self.values[chosen], self.n_rows[chosen], self.noise, self.lost)

    def standardised(self, scale: SummaryScale, chosen: np.ndarray) -> np.ndarray:
        """Return the standardised summaries of some environments."""
        return scale.standardise(self.values[chosen], self.n_rows[chosen])


@dataclass(frozen=True)
class Sample:
    """Training environments of one fit.

    Attributes
    ----------
    problem : Problem
    z : ndarray of shape (E, d)
        Standardised summaries.
    rows : SetRows or None
        Kept only where a strategy reads them.
    """

    problem: Problem
    z: np.ndarray
    rows: SetRows | None = None


@dataclass(frozen=True)
class Known:
    """All training environments.

    Attributes
    ----------
    problem : Problem
    summaries : Summaries
    rows : SetRows or None
    """

    problem: Problem
    summaries: Summaries
    rows: SetRows | None = None

    @property
    def usable(self) -> np.ndarray:
        """Environments that strategies learn from."""
        return np.flatnonzero(self.summaries.usable)

    def sample(self, chosen: np.ndarray, scale: SummaryScale) -> Sample:
        """Take some environments for a fit, or to try one."""
        rows = None if self.rows is None else self.rows.take(chosen)
        z = self.summaries.standardised(scale, chosen)
        return Sample(self.problem.take(chosen), z, rows)
