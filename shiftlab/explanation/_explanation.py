"""The one object that every explainer returns: the explanations of a whole table."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.results import Result
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Explanation"]

ORDERS = ("absolute", "signed")


@dataclass(frozen=True, eq=False)
class Explanation(Result):
    """Explanations of n rows of a table by d features.

    Attributes
    ----------
    values : ndarray of shape (n, d)
        Importance of each feature at each row. LIME: slope of the local surrogate per standard
        deviation of the training data (for categories and bins: effect of being the same as the
        row). Additive methods: contribution to the prediction.
    base : ndarray of shape (n,)
        Where the surrogate starts: ``base + terms.sum(axis=1)`` is the surrogate at the row.
    prediction : ndarray of shape (n,)
        What the black box says at each row.
    surrogate_prediction : ndarray of shape (n,)
        What the explanation says there; never clipped, also outside [0, 1].
    score : ndarray of shape (n,)
        Weighted R2 of the surrogate over its own perturbations; NaN where a method has none.
    block : ndarray of int, shape (n,)
        Rows of one block share their random draws, so their errors are dependent. -1: no random
        draws at all.
    mc_se : ndarray of shape (n, d)
        Monte-Carlo standard error of `values`: what another seed would change. 0 where nothing is
        random, NaN where it was not asked for.
    coordinates : ndarray of shape (n, d)
        What `values` are multiplied by to get `terms`; 1 for additive methods.
    names : tuple of str
        The features.
    method : str
        The explainer and its mode.
    additive : bool
        Whether base and values add up to the prediction by construction, so that the error of the
        explanation at the row says nothing.
    is_probability : bool
        Whether predictions are probabilities.
    effective_samples : float
        Smallest effective number of perturbations behind a row; NaN where there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> explainer = LimeExplainer(n_samples=200, random_state=0).fit(X)
    >>> explanation = explainer.explain(lambda X: X[:, 0] - 2 * X[:, 1], X[:20])
    >>> explanation.values.shape
    (20, 2)
    >>> set(explanation.top_k(1)["feature"])
    {'x1'}
    """

    values: np.ndarray
    base: np.ndarray
    prediction: np.ndarray
    surrogate_prediction: np.ndarray
    score: np.ndarray
    block: np.ndarray
    mc_se: np.ndarray
    coordinates: np.ndarray
    names: tuple[str, ...]
    method: str
    additive: bool = False
    is_probability: bool = True
    effective_samples: float = float("nan")

    def __len__(self) -> int:
        return len(self.prediction)

    def __getitem__(self, rows: Any) -> "Explanation":
        """Keep rows, given as a slice, indices or a mask."""
        if isinstance(rows, (int, np.integer)):
            rows = [rows]
        chosen = np.arange(len(self))[rows]
        if len(chosen) == 0:
            raise InputError("No row of the explanation is left.")
        return replace(self, **{name: getattr(self, name)[chosen] for name in _BY_ROW})

    def __repr__(self) -> str:
        mean = np.abs(self.values).mean(axis=0)
        order = np.argsort(-mean, kind="stable")[:5]
        error = float(np.abs(self.prediction - self.surrogate_prediction).mean())
        lines = [
            f"Explanation by {self.method}: {len(self)} rows, {len(self.names)} features",
            f"  mean absolute error at the rows: {error:.4g}",
            "  largest mean absolute values: "
            + ", ".join(f"{self.names[j]} {mean[j]:.3g}" for j in order),
        ]
        return "\n".join(lines)

    @property
    def terms(self) -> np.ndarray:
        """Additive terms of the surrogate at each row, shape (n, d)."""
        return np.asarray(self.values * self.coordinates)

    def to_frame(self, *, layout: str = "wide") -> "pd.DataFrame":
        """Return a data frame.

        Parameters
        ----------
        layout : {"wide", "long"}, default "wide"
            "wide": one line per row, its predictions and a column per feature. "long": one line per
            row and feature with value, Monte-Carlo standard error and term.

        Returns
        -------
        pandas.DataFrame
        """
        import pandas as pd

        check_option(layout, ("wide", "long"), "layout")
        n, d = self.values.shape
        if layout == "long":
            return pd.DataFrame(
                {
                    "row": np.repeat(np.arange(n), d),
                    "feature": np.tile(np.array(self.names, dtype=object), n),
                    "value": self.values.ravel(),
                    "mc_se": self.mc_se.ravel(),
                    "term": self.terms.ravel(),
                }
            )
        own = ("prediction", "surrogate_prediction", "score", "base", "block")
        columns = {name: getattr(self, name) for name in own}
        for j, feature in enumerate(self.names):
            columns[feature if feature not in own else f"{feature} (value)"] = self.values[:, j]
        return pd.DataFrame(columns)

    def top_k(self, k: int, *, by: str = "absolute") -> "pd.DataFrame":
        """Return the `k` most important features of each row.

        Parameters
        ----------
        k : int
            Number of features; at most all of them.
        by : {"absolute", "signed"}, default "absolute"
            Order by the absolute value, or from the largest value down.

        Returns
        -------
        pandas.DataFrame
            ``row, rank, feature, value, mc_se``.
        """
        import pandas as pd

        check_option(by, ORDERS, "by")
        k = min(check_integer(k, "k"), len(self.names))
        key = np.abs(self.values) if by == "absolute" else self.values
        order = np.argsort(-key, axis=1, kind="stable")[:, :k]
        rows = np.repeat(np.arange(len(self)), k)
        chosen = order.ravel()
        return pd.DataFrame(
            {
                "row": rows,
                "rank": np.tile(np.arange(1, k + 1), len(self)),
                "feature": np.array(self.names, dtype=object)[chosen],
                "value": self.values[rows, chosen],
                "mc_se": self.mc_se[rows, chosen],
            }
        )

    def truncated(self, k: int) -> np.ndarray:
        """Return the surrogate at each row with only the `k` largest terms kept.

        Parameters
        ----------
        k : int
            Number of terms.

        Returns
        -------
        ndarray of shape (n,)
        """
        k = min(check_integer(k, "k"), len(self.names))
        terms = self.terms
        order = np.argsort(-np.abs(terms), axis=1, kind="stable")[:, :k]
        return np.asarray(self.base + np.take_along_axis(terms, order, axis=1).sum(axis=1))

    def plot(self, ax: "Axes | None" = None, *, row: int | None = None, k: int = 10) -> "Axes":
        """Draw the importance of the features: of one row, or the spread over all rows.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.
        row : int, optional
            One row: bars with two Monte-Carlo standard errors. Without it: a range per feature.
        k : int, default 10
            Number of features, most important first.

        Returns
        -------
        matplotlib Axes
        """
        from shiftlab.explanation._explanation_plots import plot_row, plot_spread

        check_integer(k, "k")
        return plot_spread(self, ax, k) if row is None else plot_row(self, ax, row, k)


_BY_ROW = (
    "values", "base", "prediction", "surrogate_prediction", "score", "block", "mc_se",
    "coordinates",
)  # fmt: skip
