"""e-values on the table of groups and decisions, for repeated or growing submissions.

Under the null hypothesis the table is multivariate hypergeometric. Any other distribution on the
same tables, divided by that one, is an e-value: its expectation is 1, so by Markov's inequality it
exceeds 1/alpha with probability at most alpha. Here the other distribution is Dirichlet-multinomial
around the population, averaged over how far it may stray. Products over submissions that are drawn
afresh, and the ratio for a sample that grows, are martingales: they may be looked at after every
submission, and stopped at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, logsumexp

from shiftlab._core.checks import check_fraction
from shiftlab._core.results import Result
from shiftlab.auditing._representativeness_counts import Cells, align_cells
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EProcess", "e_value"]

#: Concentrations around the population, in rows: from far to near.
CONCENTRATIONS = (30.0, 100.0, 300.0, 1000.0, 3000.0)


@dataclass(frozen=True, eq=False)
class EProcess(Result):
    """Evidence over several submissions, valid whenever one looks at it.

    Attributes
    ----------
    reference : GroupCounts
        The population.
    log_values : tuple of float
        Logarithm of the e-value of each submission.
    concentrations : tuple of float
        Concentrations that are averaged over.

    Examples
    --------
    >>> from shiftlab.auditing import EProcess
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> claim = {"sex": ["f", "m"], "n": [80, 170], "selected": [16, 42]}
    >>> population, sample = (GroupCounts.from_frame(t, "sex") for t in (table, claim))
    >>> process = EProcess(population)
    >>> for _ in range(3):
    ...     process = process.update(sample)
    >>> process.rejects(0.05)
    True
    """

    reference: GroupCounts
    log_values: tuple[float, ...] = ()
    concentrations: tuple[float, ...] = CONCENTRATIONS

    def __repr__(self) -> str:
        return (
            f"EProcess({self.n_submissions} submissions, e-value {self.value:.4g}, "
            f"p-value at any time {self.pvalue:.3g})"
        )

    @property
    def n_submissions(self) -> int:
        """Number of submissions."""
        return len(self.log_values)

    @property
    def value(self) -> float:
        """Product of the e-values."""
        total = sum(self.log_values)
        return float(np.exp(min(total, 700.0))) if np.isfinite(total) else float("inf")

    @property
    def pvalue(self) -> float:
        """Smallest level at which any of the products so far rejects."""
        best = max(np.cumsum((0.0, *self.log_values)).tolist())
        return float(np.exp(-best))

    def rejects(self, alpha: float = 0.05) -> bool:
        """Tell whether the evidence has ever reached 1/alpha.

        Parameters
        ----------
        alpha : float, default 0.05
            Level over all submissions together.

        Returns
        -------
        bool

        Raises
        ------
        InputError
            If alpha is not between 0 and 1.
        """
        return self.pvalue <= check_fraction(alpha, "alpha")

    def update(self, sample: GroupCounts) -> "EProcess":
        """Return the process after a further submission, drawn afresh from the population.

        Parameters
        ----------
        sample : GroupCounts
            Counts of the submission.

        Returns
        -------
        EProcess

        Raises
        ------
        InputError
            If the counts do not fit the reference.
        """
        cells = align_cells(sample, self.reference)
        value = _log_value(cells, self.concentrations)
        return EProcess(self.reference, (*self.log_values, value), self.concentrations)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per submission: its e-value and the product so far."""
        import pandas as pd

        logs = np.array(self.log_values)
        with np.errstate(over="ignore"):
            lines = {
                "submission": np.arange(1, len(logs) + 1),
                "e_value": np.exp(logs),
                "product": np.exp(np.cumsum(logs)),
            }
        return pd.DataFrame(lines)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the product of e-values after each submission.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.

        Returns
        -------
        matplotlib Axes
        """
        import matplotlib.pyplot as plt

        if ax is None:
            ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")[1]
        logs = np.clip(np.cumsum((0.0, *self.log_values)), -700, 700) / np.log(10)
        ax.plot(np.arange(len(logs)), logs, "o-")
        ax.axhline(np.log10(20), color="C3", linestyle="--", label="1/0.05")
        ax.set_xlabel("submissions")
        ax.set_ylabel("product of e-values (power of ten)")
        ax.legend(frameon=False)
        return ax


def e_value(
    sample: GroupCounts,
    reference: GroupCounts,
    *,
    concentrations: Sequence[float] = CONCENTRATIONS,
) -> float:
    """Compute the e-value of one submission against the whole population.

    Parameters
    ----------
    sample : GroupCounts
        Counts of the submitted sample; for one that grows, of all rows so far.
    reference : GroupCounts
        Counts of the population.
    concentrations : sequence of float, default (30, 100, 300, 1000, 3000)
        How near the alternatives keep to the population, in rows; the e-values are averaged.

    Returns
    -------
    float
        Infinite if the sample is impossible.

    Raises
    ------
    InputError
        If the tables do not fit together, or a concentration is not positive.

    Notes
    -----
    Evidence that is valid at any time costs power: for a single submission use `cell_test` and
    `directional_test`.

    References
    ----------
    Ramdas, Gruenwald, Vovk, Shafer (2023), Game-theoretic statistics and safe anytime-valid
    inference, Statistical Science 38.

    Examples
    --------
    >>> from shiftlab.auditing import e_value
    >>> from shiftlab.metrics import GroupCounts
    >>> table = {"sex": ["f", "m"], "n": [1638, 3362], "selected": [160, 1095]}
    >>> honest = {"sex": ["f", "m"], "n": [164, 336], "selected": [16, 110]}
    >>> population, sample = (GroupCounts.from_frame(t, "sex") for t in (table, honest))
    >>> e_value(sample, population) < 1
    True
    """
    log_value = _log_value(align_cells(sample, reference), tuple(concentrations))
    return float(np.exp(min(log_value, 700.0))) if np.isfinite(log_value) else float("inf")


def _log_value(cells: Cells, concentrations: tuple[float, ...]) -> float:
    if not concentrations or min(concentrations) <= 0:
        raise InputError("concentrations must be positive.")
    if cells.impossible:
        return float("inf")
    known = cells.population.ravel()
    drawn, known = cells.sample.ravel()[known > 0], known[known > 0]
    m, n = cells.m, cells.n
    null = float(_log_choose(known, drawn).sum() - _log_choose(np.array([n]), np.array([m]))[0])
    logs = []
    for total in concentrations:
        prior = total * known / n
        logs.append(
            gammaln(m + 1.0)
            - gammaln(drawn + 1.0).sum()
            + gammaln(total)
            - gammaln(total + m)
            + (gammaln(prior + drawn) - gammaln(prior)).sum()
        )
    return float(logsumexp(logs) - np.log(len(logs)) - null)


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))
