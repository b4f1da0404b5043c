"""Which mechanisms of a known graph differ between environments, and by how much."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from shiftlab._core.checks import check_fraction
from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.results import Result
from shiftlab._core.validation import Labels, check_environment
from shiftlab.discovery._known_graph import known_parents
from shiftlab.divergence._adjustment import adjust_pvalues
from shiftlab.exceptions import DegenerateDataError
from shiftlab.independence import KernelTest, named_test, regression_residuals

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["MechanismChange", "MechanismChanges", "mean_shift", "mechanism_changes"]

#: An environment needs so many rows to be compared.
FEWEST_ROWS = 20
OTHERS = "all others"


@dataclass(frozen=True)
class MechanismChange(Result):
    """Whether P(variable | parents) differs between an environment and a reference.

    Attributes
    ----------
    variable : str
    parents : tuple of str
    environment, reference : str
        Their labels.
    shift, shift_low, shift_high : float
        How much higher the variable is in the environment at equal parents, with 95 % interval;
        in standard deviations of the variable, for a category as a difference of shares.
    shift_of : str
        "standard deviations", or the category whose share differs most.
    spread, spread_low, spread_high : float
        Logarithm of the ratio of the residual standard deviations, with 95 % interval; NaN for a
        category.
    effect : float
        Kernel correlation of variable and environment given the parents, 0 to 1: any difference.
    pvalue : float
        Of equal mechanisms.
    pvalue_adjusted : float
        Adjusted over all comparisons by Benjamini and Hochberg.
    changed : bool
        Whether the adjusted p-value reaches the level.
    n_rows, n_reference : int
        Rows compared.
    """

    variable: str
    parents: tuple[str, ...]
    environment: str
    reference: str
    shift: float
    shift_low: float
    shift_high: float
    shift_of: str
    spread: float
    spread_low: float
    spread_high: float
    effect: float
    pvalue: float
    pvalue_adjusted: float
    changed: bool
    n_rows: int
    n_reference: int


@dataclass(frozen=True)
class MechanismChanges(Result):
    """Every variable of a graph, compared between environments.

    Attributes
    ----------
    changes : tuple of MechanismChange
        One for each variable and environment.
    alpha : float
        Level of `changed`.
    """

    changes: tuple[MechanismChange, ...]
    alpha: float

    @property
    def changed(self) -> tuple[str, ...]:
        """Variables whose mechanism differs in at least one comparison."""
        return tuple(dict.fromkeys(c.variable for c in self.changes if c.changed))

    def __repr__(self) -> str:
        found = ", ".join(self.changed[:12]) or "none"
        return f"MechanismChanges({len(self.changes)} comparisons; changed: {found})"

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per comparison."""
        import pandas as pd

        frame = pd.DataFrame([c.to_dict() for c in self.changes])
        return frame.assign(parents=[", ".join(c.parents) for c in self.changes])

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the shift of each mechanism with its interval; filled where it changed.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn into; a new figure by default.

        Returns
        -------
        matplotlib Axes
        """
        import matplotlib.pyplot as plt

        shown = self.changes[:40]
        if ax is None:
            ax = plt.subplots(figsize=(6.4, 1.2 + 0.3 * len(shown)), layout="constrained")[1]
        for place, change in enumerate(shown):
            colour = "C3" if change.changed else "0.5"
            ax.plot([change.shift_low, change.shift_high], [place, place], color=colour)
            face = colour if change.changed else "white"
            ax.plot(change.shift, place, "o", color=colour, markerfacecolor=face)
        several = len({c.environment for c in self.changes}) > 1
        labels = [c.variable + (f", {c.environment}" if several else "") for c in shown]
        ax.set_yticks(range(len(shown)), [label.replace("$", r"\$") for label in labels])
        ax.invert_yaxis()
        ax.axvline(0.0, color="0.8", zorder=0)
        ax.set_xlabel("shift at equal parents (standard deviations, or shares)")
        return ax


def mechanism_changes(
    X: Any,
    graph: Any,
    *,
    environment: Any,
    reference: Any = None,
    alpha: float = 0.05,
    test: Any = None,
) -> MechanismChanges:
    """Find the mechanisms P(variable | parents) of a known graph that differ between environments.

    Each variable is tested for independence of the environment given its parents; a difference
    of the parents themselves is thereby not counted again. The size of a difference is reported in
    two ways: the shift of the mean at equal parents (the coefficient of the environment in a
    partially linear model, with an interval that holds under unequal variances), and the ratio of
    the residual spreads.

    Parameters
    ----------
    X : table of shape (n_rows, n_columns)
        Numbers and categories without missing cells.
    graph : networkx.DiGraph, MixedGraph, or mapping of str to sequence of str
        Directed edges; a mapping tells the parents of each variable.
    environment : str, sequence of str, or array of shape (n_rows,)
        Column of X (not used as a variable), or the labels.
    reference : label, optional
        The environment that the others are compared with. None compares two environments with
        each other (the second with the first), and each of more than two with all others.
    alpha : float, default 0.05
        Level of the adjusted p-values.
    test : str or IndependenceTest, optional
        The test; `shiftlab.independence.KernelTest` by default.

    Returns
    -------
    MechanismChanges

    Raises
    ------
    InputError
        If cells are missing, the graph names unknown columns, or an environment is too small.

    References
    ----------
    .. [1] P. M. Robinson, "Root-n-consistent semiparametric regression", Econometrica 56, 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import mechanism_changes
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["a", "b"], 300)
    >>> dose = rng.normal(size=600) + (site == "b")
    >>> risk = dose + rng.normal(size=600)
    >>> found = mechanism_changes(
    ...     {"dose": dose, "risk": risk}, {"dose": [], "risk": ["dose"]}, environment=site
    ... )
    >>> found.changed
    ('dose',)
    """
    check_fraction(alpha, "alpha")
    table = as_table(X)
    labels, used = check_environment(environment, table)
    parents = known_parents(graph, table.drop(used))
    chosen = KernelTest() if test is None else named_test(test) if isinstance(test, str) else test
    compared = [
        _compare(table, labels, pair, variable, above, chosen)
        for pair in _pairs(labels, reference)
        for variable, above in parents.items()
    ]
    adjusted = adjust_pvalues(np.array([c["pvalue"] for c in compared]), "bh")
    changes = tuple(
        MechanismChange(**c, pvalue_adjusted=float(p), changed=bool(p <= alpha))
        for c, p in zip(compared, adjusted, strict=True)
    )
    return MechanismChanges(changes, float(alpha))


def _pairs(labels: Labels, reference: Any) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Return names and rows of each environment and of what it is compared with."""
    small = [
        str(c) for c, n in zip(labels.categories, labels.counts, strict=True) if n < FEWEST_ROWS
    ]
    if small:
        raise DegenerateDataError(
            f"environment: {small[0]!r} has fewer than {FEWEST_ROWS} rows, too few to compare a "
            "mechanism. Merge small environments or leave them out."
        )
    if reference is None and len(labels) > 2:
        return [
            (str(c), OTHERS, labels.codes == k, labels.codes != k)
            for k, c in enumerate(labels.categories)
        ]
    base = 0 if reference is None else labels.index(reference)
    return [
        (str(c), str(labels.categories[base]), labels.codes == k, labels.codes == base)
        for k, c in enumerate(labels.categories)
        if k != base
    ]


def _compare(
    table: Table,
    labels: Labels,
    pair: tuple[str, str, np.ndarray, np.ndarray],
    variable: str,
    parents: tuple[str, ...],
    test: Any,
) -> dict[str, Any]:
    name, other, own_rows, other_rows = pair
    rows = np.flatnonzero(own_rows | other_rows)
    inside = own_rows[rows].astype(np.int32)
    part = table.select([variable, *parents]).take(rows)
    marker = Column("environment", "categorical", inside, (False, True))
    target = Table((part[variable],), len(rows))
    given = part.select(list(parents)) if parents else None
    found = test.test(target, Table((marker,), len(rows)), given)
    shift = mean_shift(part, variable, parents, inside)
    return {
        "variable": variable,
        "parents": parents,
        "environment": name,
        "reference": other,
        **shift,
        **_spread(part, variable, parents, inside),
        "effect": found.effect,
        "pvalue": found.pvalue,
        "n_rows": int(inside.sum()),
        "n_reference": int(len(rows) - inside.sum()),
    }


def mean_shift(
    part: Table, variable: str, parents: tuple[str, ...], inside: np.ndarray
) -> dict[str, Any]:
    """Coefficient of the environment in a partially linear model, for each column of a variable."""
    column = part[variable]
    if column.is_number:
        spread = column.values.std()
        values = ((column.values - column.values.mean()) / (spread or 1.0))[:, None]
        names = ["standard deviations"]
    else:
        values = np.eye(len(column.categories))[column.values]
        names = [str(c) for c in column.categories]
    both = _residuals(part, parents, np.column_stack([values, inside]), None)
    outcome, moved = both[:, :-1], both[:, -1:]
    size = float((moved**2).sum())
    if size <= 1e-6 * len(inside):  # the parents tell the environment
        return _interval("shift", np.nan, np.nan) | {"shift_of": names[0]}
    slopes = (moved * outcome).sum(axis=0) / size
    errors = np.sqrt((moved**2 * (outcome - moved * slopes) ** 2).sum(axis=0)) / size
    largest = int(np.argmax(np.abs(slopes)))
    # Of several categories one is chosen by its size: widen by Bonferroni.
    quantile = float(special.ndtri(1 - 0.025 / len(slopes)))
    found = _interval("shift", float(slopes[largest]), float(errors[largest]), quantile)
    return found | {"shift_of": names[largest]}


def _spread(
    part: Table, variable: str, parents: tuple[str, ...], inside: np.ndarray
) -> dict[str, float]:
    """Logarithm of the ratio of residual standard deviations, by the delta method."""
    column = part[variable]
    if not column.is_number or column.values.std() == 0:
        return _interval("spread", np.nan, np.nan)
    values = (column.values - column.values.mean()) / column.values.std()
    residuals = _residuals(part, parents, values[:, None], inside)[:, 0]
    logs, variances = [], []
    for k in (0, 1):
        squares = residuals[inside == k] ** 2
        mean = float(squares.mean())
        if mean <= 1e-12:
            return _interval("spread", np.nan, np.nan)
        logs.append(0.5 * np.log(mean))
        variances.append(float(squares.var()) / (4 * len(squares) * mean**2))
    return _interval("spread", logs[1] - logs[0], float(np.sqrt(sum(variances))))


def _residuals(
    part: Table, parents: tuple[str, ...], values: np.ndarray, inside: np.ndarray | None
) -> np.ndarray:
    """Regress columns on the parents, within each environment if these are given."""
    given = part.select(list(parents)) if parents else None
    return regression_residuals(values, given, within=inside)


def _interval(
    name: str, value: float, error: float, quantile: float = 1.959964
) -> dict[str, float]:
    return {
        name: float(value),
        f"{name}_low": float(value - quantile * error),
        f"{name}_high": float(value + quantile * error),
    }
