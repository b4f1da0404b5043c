"""How far every pair of environments lies apart, and how much of that is noise."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.frames import Table
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.results import Result
from shiftlab._core.validation import Labels, check_fraction, check_integer, check_option
from shiftlab.divergence._adjustment import CORRECTIONS, adjust_pvalues
from shiftlab.divergence._cells import covariates_and_labels, lonely_notes
from shiftlab.divergence._environment_features import (
    Features,
    RowSample,
    cell_features,
    energy_features,
    fourier_features,
    sample_rows,
)
from shiftlab.divergence._environment_null import choose_null, pair_statistics
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EnvironmentDistances", "environment_distances"]

METRICS = ("wasserstein", "total_variation", "mmd", "energy")


@dataclass(frozen=True, eq=False)
class EnvironmentDistances(Result):
    """Distances between environments; see `environment_distances`.

    Attributes
    ----------
    metric : str
        What was measured.
    environment : str
        Name of the environment.
    environments : tuple
        Labels, in the order of the matrices.
    n_rows : ndarray of int, shape (n_environments,)
        Rows of each environment.
    distances : ndarray of shape (n_environments, n_environments)
        Plug-in estimates; symmetric, zero on the diagonal.
    noise_95 : ndarray
        95 % quantile of the distance that relabelling alone produces; NaN where not tested.
    pvalues, pvalues_adjusted : ndarray
        P-value of each pair, and adjusted over all pairs; NaN where not tested.
    null : {"pairwise", "pooled"}
        How the null was obtained.
    n_resamples : int
        Draws behind the p-values.
    max_rows : int
        Cap on the rows of an environment behind the null (and, for "mmd" and "energy", behind the
        distances).
    columns : tuple of str
        Columns that were compared.
    linkage : ndarray of shape (n_environments - 1, 4)
        Average-linkage clustering, as in scipy.
    order : ndarray of int
        Environments in the order of the leaves.
    correction, alpha
        As asked for.
    notes : tuple of str
        What was set aside, and why.
    """

    metric: str
    environment: str
    environments: tuple[Any, ...]
    n_rows: np.ndarray
    distances: np.ndarray
    noise_95: np.ndarray
    pvalues: np.ndarray
    pvalues_adjusted: np.ndarray
    null: str
    n_resamples: int
    max_rows: int
    columns: tuple[str, ...]
    linkage: np.ndarray
    order: np.ndarray
    correction: str
    alpha: float
    notes: tuple[str, ...]

    @property
    def excess(self) -> np.ndarray:
        """Distance above the noise floor; 0 where it does not reach the floor."""
        above = np.maximum(self.distances - self.noise_95, 0.0)
        np.fill_diagonal(above, 0.0)
        return above

    def matrix(self) -> "pd.DataFrame":
        """Return the distances as a square frame labelled by environment."""
        import pandas as pd

        names = list(self.environments)
        return pd.DataFrame(self.distances, index=names, columns=names)

    def to_frame(self) -> "pd.DataFrame":
        """One row per pair of environments, largest distance first."""
        import pandas as pd

        a, b = np.triu_indices(len(self.environments), k=1)
        names = np.empty(len(self.environments), dtype=object)
        names[:] = self.environments
        frame = pd.DataFrame(
            {
                "environment_a": names[a],
                "environment_b": names[b],
                "distance": self.distances[a, b],
                "noise_95": self.noise_95[a, b],
                "excess": self.excess[a, b],
                "pvalue": self.pvalues[a, b],
                "pvalue_adjusted": self.pvalues_adjusted[a, b],
            }
        )
        return frame.sort_values("distance", ascending=False, kind="stable", ignore_index=True)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the distances as a heat map in the order of a dendrogram.

        Pairs that cannot be told apart from noise (adjusted p-value above alpha) are grey; labels
        are left out where they would not be legible.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default. The dendrogram and the colour scale take their
            room from it.
        """
        from shiftlab.divergence._environment_plots import plot_distances

        return plot_distances(self, ax)

    def __repr__(self) -> str:
        pairs = ~np.isnan(self.pvalues_adjusted[np.triu_indices(len(self.environments), k=1)])
        found = self.pvalues_adjusted[np.triu_indices(len(self.environments), k=1)] <= self.alpha
        return (
            f"EnvironmentDistances({self.metric}, {len(self.environments)} environments, "
            f"{int(found.sum())} of {int(pairs.sum())} pairs differ at {self.alpha} "
            f"after {self.correction})"
        )


def environment_distances(
    table: Any,
    environment: Any,
    *,
    metric: str = "wasserstein",
    n_resamples: int = 199,
    max_rows: int = 2000,
    correction: str = "bh",
    alpha: float = 0.05,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress = False,
) -> EnvironmentDistances:
    """Measure the distance between every two environments, each with its noise floor.

    Two samples of one distribution are never at distance zero. Each distance therefore comes with
    the 95 % quantile of what relabelling the rows of its two environments produces, and with a
    p-value.

    Parameters
    ----------
    table : data frame, array, mapping of columns or Table
        Rows with their covariates; cells may be missing.
    environment : str, sequence of str, array of shape (n_rows,) or Labels
        Column name(s) of `table`, or the label of each row.
    metric : {"wasserstein", "total_variation", "mmd", "energy"}, default "wasserstein"
        "wasserstein": 1-Wasserstein distance of each number in units of its pooled interquartile
        range / 1.349, averaged over the columns; categories are left out. "total_variation": of
        each column, numbers cut at pooled deciles, averaged. "mmd": maximum mean discrepancy of
        whole rows, Gaussian kernel, median bandwidth, 256 random Fourier frequencies. "energy":
        energy distance of whole rows through 64 random directions; both are square roots, so they
        are on the scale of a distance.
    n_resamples : int, default 199
        Draws of each null. The smallest possible p-value is 1 / (n_resamples + 1).
    max_rows : int, default 2000
        Rows drawn from each environment. "wasserstein" and "total_variation" use all rows for the
        distance and the drawn ones for the covariance of the noise; "mmd" and "energy" use the
        drawn rows for both.
    correction : {"bh", "holm", "bonferroni", "none"}, default "bh"
        Adjustment over all pairs.
    alpha : float, default 0.05
        Level at which `plot` and `repr` call a pair different.
    random_state : int, SeedSequence, Generator, RandomState or None
        Seed of the draws. The result does not depend on the order of the rows, on the names of
        the environments or on `n_jobs`.
    n_jobs : int, optional
        Workers, as in joblib.
    progress : bool or callable, default False
        Report finished environments.

    Returns
    -------
    EnvironmentDistances

    Raises
    ------
    InputError
        If there are fewer than two environments, no covariate that the metric can use, or an
        option is unknown.

    Notes
    -----
    Every metric is a norm of the difference of mean row features (indicators of cells, Fourier
    features). The permutation null of that difference is replaced by its normal limit with the
    exact permutation covariance, so that one matrix product per environment serves all its pairs
    (``null="pairwise"``). With many environments one null is drawn from all rows pooled and scaled
    by the square root of 1/n_a + 1/n_b (``null="pooled"``): right if no environment differs,
    otherwise its noise floor is that of the mixture and mostly too high.

    The normal limit makes the column-wise metrics conservative where cells hold few rows and
    columns are many: with environments of 20 to 100 rows and 24 columns, "total_variation" rejects
    about 0.01 of equal pairs at 0.05 (``benchmarks/calibration.py``).

    Missing cells: the column-wise metrics use the observed cells of each column, and a pair is
    averaged over the columns that both environments have; different shares of missing cells alone
    are no distance. For whole rows ("mmd", "energy") a missing number is set to the pooled median
    and a missing category is a category of its own: different shares of missing cells are then a
    distance like any other, and a note says so. `column_shifts` tests observed values and missing
    cells apart. For whole rows numbers are standardised robustly and cut off at 10 spreads, so that
    a heavy tail cannot decide.

    References
    ----------
    .. [1] Szekely & Rizzo (2013), J. Statist. Plann. Inference 143. Gretton et al. (2012), JMLR 13.
       Rahimi & Recht (2007), NeurIPS 20. Hajek (1961), Ann. Math. Statist. 32 (normal limit of
       permutation statistics).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["a", "b", "c"], 300)
    >>> x = rng.normal(size=(900, 2)) + (site == "c")[:, None]
    >>> result = environment_distances(x, site, random_state=0)
    >>> result.to_frame()[["environment_a", "environment_b"]].iloc[-1].tolist()
    ['a', 'b']
    """
    data, labels = covariates_and_labels(table, environment)
    check_option(metric, METRICS, "metric")
    check_option(correction, CORRECTIONS, "correction")
    check_integer(n_resamples, "n_resamples", minimum=19)
    check_integer(max_rows, "max_rows", minimum=2)
    check_fraction(alpha, "alpha")
    data = _compared_columns(data, metric)
    sampling, projecting, drawing = as_seed_sequence(random_state).spawn(3)
    sample = sample_rows(data, labels, max_rows, sampling)
    features = _features(data, labels, sample, metric, np.random.default_rng(projecting))
    null = choose_null(len(labels), len(features.weights), n_resamples)
    found = pair_statistics(features, null, n_resamples, drawing, n_jobs, progress)
    linkage, order = _cluster(found.distance)
    return EnvironmentDistances(
        metric=metric,
        environment=labels.name,
        environments=labels.categories,
        n_rows=labels.counts,
        distances=found.distance,
        noise_95=found.noise_95,
        pvalues=found.pvalue,
        pvalues_adjusted=_adjust_pairs(found.pvalue, correction),
        null=null,
        n_resamples=n_resamples,
        max_rows=max_rows,
        columns=data.names,
        linkage=linkage,
        order=order,
        correction=correction,
        alpha=alpha,
        notes=lonely_notes(labels) + _missing_notes(data, metric),
    )


def _compared_columns(data: Table, metric: str) -> Table:
    if metric != "wasserstein":
        return data
    kept = [column.name for column in data if column.is_number]
    if not kept:
        raise InputError(
            "metric='wasserstein' needs numbers, but table has only categorical columns. "
            "Use metric='total_variation', 'mmd' or 'energy'."
        )
    return data.select(kept)


def _features(
    data: Table,
    labels: Labels,
    sample: RowSample,
    metric: str,
    rng: np.random.Generator,
) -> Features:
    if metric == "mmd":
        return fourier_features(data, sample, rng)
    if metric == "energy":
        return energy_features(data, sample, rng)
    n_columns = len(data.columns)
    if metric == "wasserstein":
        return cell_features(data, labels, sample, metric, int(np.clip(2048 // n_columns, 8, 64)))
    return cell_features(data, labels, sample, metric, 10)


def _adjust_pairs(pvalues: np.ndarray, correction: str) -> np.ndarray:
    upper = np.triu_indices(len(pvalues), k=1)
    adjusted = np.full_like(pvalues, np.nan)
    adjusted[upper] = adjust_pvalues(pvalues[upper], correction)
    adjusted.T[upper] = adjusted[upper]
    return adjusted


def _cluster(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(distance, checks=False), method="average")
    return tree, leaves_list(tree).astype(np.intp)


def _missing_notes(data: Table, metric: str) -> tuple[str, ...]:
    gaps = [column.name for column in data if column.missing.any()]
    if not gaps or metric not in ("mmd", "energy"):
        return ()
    named = ", ".join(gaps[:6]) + (f" and {len(gaps) - 6} more" if len(gaps) > 6 else "")
    return (
        f"Cells are missing in {named}: for whole rows being missing counts as a value, so "
        "environments may lie apart for their shares of missing cells alone.",
    )
