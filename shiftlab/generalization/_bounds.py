"""Sharp bounds on counterfactual effects from margins alone: no abduction, no structural model.

If the attribute has no causes in common with the scores (within a domain, and a stratum if strata
are given), the scores of a group are what all rows would have in it: both margins of the pair
(own score, score of the twin) are observed, and only their dependence is not. Over all copulas the
mean absolute movement lies between that of equal ranks and that of opposite ranks, and the share
of decisions that flip between the bounds of Frechet and Hoeffding. No assumption on how the
attribute acts can be tested on such data; these bounds need none.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer, check_length
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.results import Result
from shiftlab.exceptions import InputError
from shiftlab.generalization._effects import read_rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["CounterfactualBounds", "counterfactual_bounds"]

MEASURES = ("score", "decision", "label")


@dataclass(frozen=True, repr=False, eq=False)
class CounterfactualBounds(Result):
    """Bounds on how much rows would change in another group.

    Attributes
    ----------
    rows : tuple of dict
        One for each pair of groups (and "all" pairs, weighted by rows) and measure: "score" (mean
        absolute movement of the score), "decision" and "label" (share that flips); low and high
        (estimated sharp bounds), low_limit and high_limit (with sampling error), and the number of
        rows.
    confidence_level : float
        Of the limits.
    n_unmatched : int
        Rows left out because the other group is absent in their domain and stratum.
    """

    rows: tuple[dict[str, Any], ...]
    confidence_level: float
    n_unmatched: int

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each pair of groups and measure."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    def of(self, measure: str = "score") -> tuple[float, float]:
        """Return the limits of a measure over all pairs.

        Parameters
        ----------
        measure : {"score", "decision", "label"}, default "score"
            Which one.

        Returns
        -------
        low, high : float

        Raises
        ------
        InputError
            If the measure was not asked for.
        """
        for row in self.rows:
            if row["from"] == "all" and row["measure"] == measure:
                return row["low_limit"], row["high_limit"]
        raise InputError(f"measure: there are no bounds for {measure!r}.")

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the bounds of each pair: thick as estimated, thin with sampling error.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1] if ax is None else ax
        colours = dict(zip(MEASURES, ("#3b6ea5", "#b5391f", "#4f8a4c"), strict=True))
        labels, shown = [], set()
        pooled = [row for row in self.rows if row["from"] == "all"]
        # With two groups both directions have the bounds of all.
        drawn = pooled if len(self.rows) == 3 * len(pooled) else self.rows
        for i, row in enumerate(drawn):
            colour, measure = colours[row["measure"]], row["measure"]
            ax.plot([row["low_limit"], row["high_limit"]], [i, i], color=colour, lw=1)
            name = None if measure in shown else measure
            ax.plot(
                [row["low"], row["high"]], [i, i], color=colour, lw=6, label=name,
                solid_capstyle="butt",
            )  # fmt: skip
            shown.add(measure)
            pair = "all pairs" if row["from"] == "all" else f"{row['from']} to {row['to']}"
            labels.append(pair.replace("$", r"\$"))
        ax.set_yticks(range(len(labels)), labels)
        ax.invert_yaxis()
        ax.set(xlabel="movement of the score, or share that flips", xlim=(0, None))
        ax.margins(y=0.15)
        ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(1.0, 0.0))
        return ax

    def __repr__(self) -> str:
        lines = [
            f"  {row['measure']}: {row['low']:.3f} to {row['high']:.3f} "
            f"(with sampling error {row['low_limit']:.3f} to {row['high_limit']:.3f})"
            for row in self.rows
            if row["from"] == "all"
        ]
        return "CounterfactualBounds over all pairs of groups\n" + "\n".join(lines)


def counterfactual_bounds(
    model: Any,
    X: Any,
    sensitive_features: Any = None,
    environment: Any = None,
    *,
    y: Any = None,
    strata: Any = None,
    n_resamples: int = 50,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
) -> CounterfactualBounds:
    """Bound what the attribute does to scores and labels without a structural model.

    Parameters
    ----------
    model : fitted estimator
        With ``predict_proba`` (or ``predict``) of X, sensitive features and environment.
    X : array or data frame of shape (n_rows, n_columns)
        Rows to judge by.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), optional
        Attributes (categories), unless the model names columns of X.
    environment : scalar or array of shape (n_rows,), optional
        Times, unless the model names a column of X.
    y : array of shape (n_rows,), optional
        True labels of two classes; adds the bounds for flips of the label itself.
    strata : array of shape (n_rows,), optional
        Classes of a covariate that the attribute does not influence; they make bounds narrower,
        and the assumption weaker.
    n_resamples : int, default 50
        Bootstrap resamples, by domain, stratum and group, for the sampling error.
    confidence_level : float, default 0.95
        Of the limits.
    random_state : int, SeedSequence or Generator, optional
        Seed of the bootstrap.

    Returns
    -------
    CounterfactualBounds

    Raises
    ------
    InputError
        If an attribute is a number, labels are not binary, or no domain has two groups.

    Notes
    -----
    For the scores ``S`` of a group and ``T`` of the other with quantile functions ``F`` and ``G``,
    ``integral |F(v) - G(v)| dv <= E|S - T| <= integral |F(v) - G(1 - v)| dv``; for shares ``p`` and
    ``q`` of positive decisions, ``|p - q| <= P(flip) <= min(p + q, 2 - p - q)``. Both are sharp.
    The lower limit takes off what equal groups of this size would show by chance.

    References
    ----------
    .. [1] Frechet (1951), "Sur les tableaux de correlation dont les marges sont donnees".
    .. [2] Manski (1997), "The mixing problem in programme evaluation", Review of Economic Studies.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from shiftlab.generalization import BaselineClassifier, counterfactual_bounds
    >>> from shiftlab.simulation import make_drifting_credit
    >>> data = make_drifting_credit(n_domains=3, random_state=0)
    >>> model = BaselineClassifier("erm", estimator=LogisticRegression(max_iter=1000))
    >>> model = model.fit(data.X, data.y, data.sensitive_features)
    >>> found = counterfactual_bounds(
    ...     model, data.X, data.sensitive_features, data.environment, random_state=0
    ... )
    >>> low, high = found.of("score")
    >>> 0.05 < low < high < 1
    True
    """
    check_fraction(confidence_level, "confidence_level")
    check_integer(n_resamples, "n_resamples", minimum=2)
    values, coded, time, attributes = read_rows(model, X, sensitive_features, environment)
    if coded.group is None:
        raise InputError("bounds are between groups; cut the numeric attribute into classes.")
    part = np.unique(time, return_inverse=True)[1]
    if strata is not None:
        check_length(strata, len(values), "strata")
        kind = np.unique(np.asarray(strata), return_inverse=True)[1]
        part = part * (kind.max() + 1) + kind
    columns = _columns(model, X, sensitive_features, environment, y)
    rng = np.random.default_rng(as_seed_sequence(random_state))
    n_groups = len(attributes.groups)
    own = _Bounded(columns, part, coded.group, n_groups)
    if not own.pairs:
        raise InputError("sensitive_features: no domain (and stratum) has rows of two groups.")
    found = _pooled(own.bounds(own.cells), own)
    draws = np.stack([_pooled(own.bounds(own.resampled(rng)), own) for _ in range(n_resamples)])
    chance = np.stack(
        [_pooled(own.bounds(own.exchanged(rng)), own)[..., 0] for _ in range(n_resamples)]
    ).mean(axis=0)
    from scipy.stats import norm

    half = float(norm.ppf(0.5 + confidence_level / 2)) * draws.std(axis=0)
    low = np.maximum(found[..., 0] - chance - half[..., 0], 0.0)
    high = found[..., 1] + half[..., 1]
    if hasattr(model, "predict_proba"):
        high = np.minimum(high, 1.0)
    labels = [("all", "all"), *((attributes.groups[a], attributes.groups[b]) for a, b in own.pairs)]
    sizes = [sum(own.sizes), *own.sizes]
    rows = [
        {
            "from": str(start), "to": str(other), "measure": measure, "n_rows": int(sizes[i]),
            "low": float(found[i, j, 0]), "high": float(found[i, j, 1]),
            "low_limit": float(low[i, j]), "high_limit": float(high[i, j]),
        }
        for i, (start, other) in enumerate(labels)
        for j, measure in enumerate(columns)
    ]  # fmt: skip
    return CounterfactualBounds(tuple(rows), confidence_level, own.n_unmatched)


def _columns(
    model: Any, X: Any, sensitive_features: Any, environment: Any, y: Any
) -> dict[str, np.ndarray]:
    """Return what is bounded: the score, the decision of a classifier, the label."""
    if not hasattr(model, "predict_proba"):
        return {"score": np.asarray(model.predict(X, sensitive_features, environment), dtype=float)}
    scores = np.asarray(model.predict_proba(X, sensitive_features, environment))
    if scores.shape[1] != 2:
        raise InputError(f"model: bounds are for two classes, found {scores.shape[1]}.")
    columns = {"score": scores[:, 1], "decision": (scores[:, 1] > 0.5).astype(float)}
    if y is not None:
        check_length(y, len(scores), "y")
        y = np.asarray(y)
        labels = np.unique(y)
        if len(labels) > 2:
            raise InputError(f"y: bounds are for two classes, found {len(labels)}.")
        columns["label"] = (y == np.asarray(model.classes_)[1]).astype(float)
    return columns


class _Bounded:
    """Rows by domain (and stratum) and group, and the bounds of all pairs of groups in them."""

    def __init__(
        self, columns: dict[str, np.ndarray], part: np.ndarray, group: np.ndarray, n_groups: int
    ) -> None:
        self._values = np.stack(list(columns.values()))
        self.cells: list[dict[int, np.ndarray]] = []
        for k in range(int(part.max()) + 1):
            rows = {g: np.flatnonzero((part == k) & (group == g)) for g in range(n_groups)}
            self.cells.append({g: r for g, r in rows.items() if len(r)})
        shared: dict[tuple[int, int], int] = {}
        self.n_unmatched = 0
        for cell in self.cells:
            if len(cell) == 1:
                self.n_unmatched += sum(len(r) for r in cell.values())
            for a in cell:
                for b in cell:
                    if a != b:
                        shared[a, b] = shared.get((a, b), 0) + len(cell[a])
        self.pairs = sorted(shared)
        self.sizes = [shared[pair] for pair in self.pairs]

    def bounds(self, cells: list[dict[int, np.ndarray]]) -> np.ndarray:
        """Return the bounds of each pair, (n_pairs, n_measures, 2): means over its cells."""
        total = np.zeros((len(self.pairs), len(self._values), 2))
        for cell in cells:
            for i, (a, b) in enumerate(self.pairs):
                if a in cell and b in cell:
                    for j, column in enumerate(self._values):
                        ends = coupling_bounds(column[cell[a]], column[cell[b]])
                        total[i, j] += len(cell[a]) * np.array(ends)
        return np.asarray(total / np.array(self.sizes)[:, None, None])

    def resampled(self, rng: np.random.Generator) -> list[dict[int, np.ndarray]]:
        """Draw rows of each cell with replacement."""
        return [{g: rng.choice(r, len(r)) for g, r in cell.items()} for cell in self.cells]

    def exchanged(self, rng: np.random.Generator) -> list[dict[int, np.ndarray]]:
        """Deal the rows of each domain to its groups at random, as if groups were equal."""
        dealt = []
        for cell in self.cells:
            rows = rng.permutation(np.concatenate(list(cell.values())))
            cuts = np.cumsum([len(r) for r in cell.values()])[:-1]
            dealt.append(dict(zip(cell, np.split(rows, cuts), strict=True)))
        return dealt


def coupling_bounds(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest mean absolute difference over all couplings of samples."""
    cuts = np.union1d(np.arange(len(a) + 1) / len(a), np.arange(len(b) + 1) / len(b))
    widths, middles = np.diff(cuts), (cuts[1:] + cuts[:-1]) / 2
    first, second = np.sort(a), np.sort(b)
    at = first[np.minimum((middles * len(a)).astype(int), len(a) - 1)]
    place = np.minimum((middles * len(b)).astype(int), len(b) - 1)
    # The cuts of b, read from above, are 1 minus those read from below.
    mirrored = np.union1d(np.arange(len(a) + 1) / len(a), 1 - np.arange(len(b) + 1) / len(b))
    m_widths, m_middles = np.diff(mirrored), (mirrored[1:] + mirrored[:-1]) / 2
    m_at = first[np.minimum((m_middles * len(a)).astype(int), len(a) - 1)]
    m_place = np.minimum(((1 - m_middles) * len(b)).astype(int), len(b) - 1)
    least = float(np.abs(at - second[place]) @ widths)
    return least, float(np.abs(m_at - second[m_place]) @ m_widths)


def _pooled(bounds: np.ndarray, own: _Bounded) -> np.ndarray:
    """Put the mean over all pairs, weighted by rows, in front."""
    weights = np.array(own.sizes) / sum(own.sizes)
    return np.concatenate([np.einsum("i,ijk->jk", weights, bounds)[None], bounds])
