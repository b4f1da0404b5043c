"""The risks of all subsets in all environments, as a function for studies and audits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab._core.results import Result
from shiftlab._core.validation import check_environment, check_weights
from shiftlab.adaptation._encode import fit_encoder
from shiftlab.adaptation._gram import build_moments
from shiftlab.adaptation._subsets import (
    candidate_sets,
    leave_one_out_risks,
    solve_subsets,
    to_columns,
)
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["SubsetRisks", "enumerate_subset_risks"]


@dataclass(frozen=True, eq=False, repr=False)
class SubsetRisks(Result):
    """Mean squared error of the pooled fit of each subset in each environment.

    Attributes
    ----------
    variables : tuple of str
        Covariates.
    environments : tuple
        Labels.
    sets : ndarray of bool, shape (K, variables)
        Subsets, small ones first.
    intercepts : ndarray of shape (K,)
        Of the pooled fits to all environments, in the units of X.
    coefficients : ndarray of shape (K, columns)
        The same for the encoded columns; 0 for those left out.
    risks : ndarray of shape (E, K)
        Risk of the fits, see `evaluation`.
    evaluation : str
        "leave_one_out": of fits to the other environments; "in_sample": of fits to all.
    """

    variables: tuple[str, ...]
    environments: tuple[Any, ...]
    sets: np.ndarray
    intercepts: np.ndarray
    coefficients: np.ndarray
    risks: np.ndarray
    evaluation: str

    def set_name(self, k: int) -> str:
        """Name a subset by its covariates.

        Parameters
        ----------
        k : int
            Its index.

        Returns
        -------
        str
        """
        chosen = [v for v, c in zip(self.variables, self.sets[k], strict=True) if c]
        return ", ".join(chosen) or "(none)"

    def to_frame(self) -> "pd.DataFrame":
        """One row per subset: covariates, size, mean risk, worst risk, environments where best."""
        import pandas as pd

        best = np.bincount(self.risks.argmin(axis=1), minlength=len(self.sets))
        frame = pd.DataFrame(
            {
                "covariates": [self.set_name(k) for k in range(len(self.sets))],
                "size": self.sets.sum(axis=1),
                "mean_risk": self.risks.mean(axis=0),
                "worst_risk": self.risks.max(axis=0),
                "n_best": best,
            }
        )
        return frame.sort_values("mean_risk", kind="stable", ignore_index=True)

    def plot(self, ax: "Axes | None" = None, *, against: Any = None) -> "Axes":
        """Draw the risk of the most useful subsets over environments.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        against : array of shape (n_environments,), optional
            Shift level of each environment; by default environments are sorted by the risk of all
            covariates.

        Returns
        -------
        Axes
        """
        from shiftlab.adaptation._plots import plot_risks

        return plot_risks(self, against, ax)

    def __repr__(self) -> str:
        means = self.risks.mean(axis=0)
        k = int(means.argmin())
        return (
            f"SubsetRisks({len(self.sets)} subsets, {len(self.environments)} environments, best on "
            f"average {self.set_name(k)}: {means[k]:.4g}, best of each environment: "
            f"{self.risks.min(axis=1).mean():.4g})"
        )


def enumerate_subset_risks(
    X: Any,
    y: Any,
    environment: Any,
    *,
    always_include: Any = (),
    never_include: Any = (),
    candidates: Any = "all",
    evaluation: str = "leave_one_out",
    sample_weight: Any = None,
) -> SubsetRisks:
    """Fit least squares on every subset of covariates and evaluate it in every environment.

    Parameters
    ----------
    X : array or data frame of shape (n_rows, n_columns)
        Covariates; text and booleans of a data frame are categories and enter as a whole.
    y : array of shape (n_rows,)
        Outcome.
    environment : array of shape (n_rows,)
        Environment of each row.
    always_include : sequence of str or int, default ()
        Covariates that every subset contains.
    never_include : sequence of str or int, default ()
        Covariates that no subset contains.
    candidates : "all" or list of sets, default "all"
        Subsets by name; "all" takes every one of at most 15 free covariates.
    evaluation : {"leave_one_out", "in_sample"}, default "leave_one_out"
        Whether an environment's risk is that of fits to the other environments, or to all.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    SubsetRisks

    Raises
    ------
    InputError
        If there are more subsets than can be enumerated, cells are missing, or lengths differ.

    Notes
    -----
    Rows are read once, into second moments by environment; all fits are one batch of linear
    systems, all risks one matrix product.

    Examples
    --------
    >>> from shiftlab.adaptation import enumerate_subset_risks, simulate_environments
    >>> data = simulate_environments("hidden_cause", 30, random_state=0)
    >>> risks = enumerate_subset_risks(data.X, data.y, data.environment)
    >>> risks.to_frame()[["covariates", "mean_risk"]].round(1).head(2).to_numpy().tolist()
    [['c2, x', 2.5], ['c2', 3.5]]
    """
    check_option(evaluation, ("leave_one_out", "in_sample"), "evaluation")
    encoder = fit_encoder(X)
    matrix = encoder.encode(X)[0]
    y = np.asarray(y, dtype=np.float64)
    if len(y) != len(matrix) or not np.isfinite(y).all():
        raise InputError("y must have one finite number per row of X.")
    labels, _ = check_environment(
        environment, n_rows=len(y), minimum=2 if evaluation == "leave_one_out" else 1
    )
    weights = check_weights(sample_weight, len(y))
    always = encoder.positions(always_include, "always_include")
    never = encoder.positions(never_include, "never_include")
    sets = candidate_sets(candidates, encoder, always, never)
    if sets is None:
        raise InputError("candidates: too many subsets to enumerate; name them.")
    middle, level = matrix.mean(axis=0), float(y.mean())
    moments = build_moments(matrix - middle, y - level, labels, weights)
    moments, offset, scale = moments.standardised()
    columns = to_columns(sets, encoder.groups)
    vectors = solve_subsets(*moments.pooled(moments.weight), columns)
    risks = moments.all_risks(vectors)
    if evaluation == "leave_one_out":
        folds = [np.array([e]) for e in range(len(labels))]
        risks = leave_one_out_risks(moments, moments.weight, columns, folds)
    slopes = vectors[:, 1:] / scale
    intercepts = level + vectors[:, 0] - slopes @ (middle + offset)
    return SubsetRisks(
        encoder.names, labels.categories, sets, intercepts, slopes, risks, evaluation
    )
