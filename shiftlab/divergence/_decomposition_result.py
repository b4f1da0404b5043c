"""The result of `shift_decomposition`: a table, a dictionary, a picture."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result
from shiftlab._core.validation import check_option
from shiftlab.divergence._shared_space import Estimate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["PARTS", "EnvironmentLoss", "ShiftDecomposition", "sort_by_total"]

PARTS = {
    "covariate_home": "covariates: home to shared",
    "concept": "concept: outcome given covariates",
    "covariate_here": "covariates: shared to here",
}


@dataclass(frozen=True)
class EnvironmentLoss:
    """Losses in one environment and the parts of their difference.

    Attributes
    ----------
    environment : object
        Label.
    n : int
        Rows used.
    n_without_outcome : int
        Rows of this environment set aside because the outcome is missing.
    n_home : int
        Rows used at home, that is, in the environments the model was trained on.
    loss_home, loss_here : Estimate
        Loss of the home model on held-out rows at home, and in this environment.
    total : Estimate
        ``loss_here - loss_home``, the sum of the next three.
    covariate_home : Estimate
        Part due to covariates that are frequent at home but rarer on the shared covariates.
    concept : Estimate
        Part due to the outcome given the covariates, on the shared covariates.
    covariate_here : Estimate
        Part due to covariates that are frequent here but rarer on the shared covariates.
    loss_within : Estimate
        Cross-validated loss of a model trained on the rows of this environment only.
    loss_constant : float
        Loss of the best constant in this environment (the variance, for a regression).
    ess_home, ess_here : float
        Effective number of rows on the shared covariates.
    overlap : float
        1 if the covariates are distributed as at home, 0 if nothing is shared.
    auc : float
        How well the covariates tell this environment from home: 0.5 not at all, 1 perfectly.
    note : str
        Why a number is missing or deserves doubt; may be empty.
    """

    environment: Any
    n: int
    n_without_outcome: int
    n_home: int
    loss_home: Estimate
    loss_here: Estimate
    total: Estimate
    covariate_home: Estimate
    concept: Estimate
    covariate_here: Estimate
    loss_within: Estimate
    loss_constant: float
    ess_home: float
    ess_here: float
    overlap: float
    auc: float
    note: str


@dataclass(frozen=True, repr=False)
class ShiftDecomposition(Result):
    """How the loss changes from environment to environment, and why.

    Attributes
    ----------
    environment, outcome : str
        Names.
    task : {"regression", "classification"}
    loss : {"squared error", "Brier score"}
    reference : object or None
        Label of the home environment; None if home is all other environments.
    loss_constant : float
        Loss of the best constant over all rows used, the unit of ``scale="share"``.
    confidence_level : float
        Of each interval by itself.
    n_rows, n_used, n_without_outcome : int
        Rows of the table, rows used, and rows set aside because the outcome is missing.
    covariates : tuple of str
    environments : tuple of EnvironmentLoss
        Sorted by `total`, the largest first.
    notes : tuple of str
        What was done to the data.
    """

    environment: str
    outcome: str
    task: str
    loss: str
    reference: Any
    loss_constant: float
    confidence_level: float
    n_rows: int
    n_used: int
    n_without_outcome: int
    covariates: tuple[str, ...]
    environments: tuple[EnvironmentLoss, ...]
    notes: tuple[str, ...]

    def to_frame(self, scale: str = "loss") -> "pd.DataFrame":
        """Return one row per environment.

        Parameters
        ----------
        scale : {"loss", "share"}, default "loss"
            Units of the losses: those of the loss itself, or shares of `loss_constant`. With
            squared error and "share", a `total` of 0.1 means that the model explains a tenth of
            the outcome's variance less than at home.

        Returns
        -------
        DataFrame
            Columns: environment, n, n_without_outcome, n_home; loss_home, loss_here, total,
            covariate_home, concept, covariate_here, loss_within, each followed by its limits
            (``_low``, ``_high``); loss_constant, ess_home, ess_here, overlap, auc, note.
        """
        import pandas as pd

        check_option(scale, ("loss", "share"), "scale")
        unit = self.loss_constant if scale == "share" else 1.0
        return pd.DataFrame([_row(environment, unit) for environment in self.environments])

    def __repr__(self) -> str:
        head = (
            f"ShiftDecomposition: {self.loss} of {self.outcome!r} by {self.environment!r}, "
            f"{len(self.environments)} environments, {self.n_used} of {self.n_rows} rows"
        )
        shown = ["environment", "n", "loss_home", "loss_here", "total", *PARTS, "note"]
        frame = self.to_frame()[shown].head(12)
        return f"{head}\n{frame.to_string(index=False, max_colwidth=40, float_format='%.4g')}"

    def plot(self, ax: "Axes | None" = None, *, limit: int = 25, scale: str = "loss") -> "Axes":
        """Draw the parts of each difference as bars on both sides of zero.

        Parameters
        ----------
        ax : Axes, optional
        limit : int, default 25
            Draw at most so many environments, those with the largest absolute totals.
        scale : {"loss", "share"}, default "loss"
            Units, as in `to_frame`.

        Returns
        -------
        Axes
        """
        from shiftlab.divergence._decomposition_plot import draw_parts

        return draw_parts(self, ax, limit, scale)


def _row(environment: EnvironmentLoss, unit: float) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in (f.name for f in fields(environment)):
        value = getattr(environment, name)
        if isinstance(value, Estimate):
            row[name] = value.value / unit
            row[f"{name}_low"], row[f"{name}_high"] = value.low / unit, value.high / unit
        else:
            row[name] = value / unit if name == "loss_constant" else value
    return row


def sort_by_total(environments: list[EnvironmentLoss]) -> tuple[EnvironmentLoss, ...]:
    """Largest total first, those without one last, ties by label."""

    def key(item: EnvironmentLoss) -> tuple[float, str]:
        value = item.total.value
        return (np.inf if np.isnan(value) else -value, str(item.environment))

    return tuple(sorted(environments, key=key))
