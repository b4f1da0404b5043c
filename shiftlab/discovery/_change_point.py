"""When a mechanism of a known graph changed: change points along time, with intervals."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer, check_length
from shiftlab._core.frames import Table, as_table
from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab._core.results import Result
from shiftlab.discovery._change_scan import Scan, scan_features
from shiftlab.discovery._known_graph import known_parents
from shiftlab.discovery._mechanism_change import mean_shift
from shiftlab.exceptions import DegenerateDataError, InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ChangePoint", "ChangePoints", "change_points"]


@dataclass(frozen=True)
class ChangePoint(Result):
    """One moment at which P(variable | parents) changes.

    Attributes
    ----------
    variable : str
    parents : tuple of str
    time : float
        Between the last row before and the first after; dates are days since 1970-01-01.
    low, high : float
        95 % interval of the time.
    shift, shift_low, shift_high : float
        How much higher the variable is afterwards at equal parents, in its standard deviations,
        with 95 % interval; it can be 0 although something else about the mechanism changes.
    pvalue : float
        Of no change in the stretch of time that was split here.
    n_before, n_after : int
        Rows of that stretch on both sides.
    """

    variable: str
    parents: tuple[str, ...]
    time: float
    low: float
    high: float
    shift: float
    shift_low: float
    shift_high: float
    pvalue: float
    n_before: int
    n_after: int


@dataclass(frozen=True)
class ChangePoints(Result):
    """All change points that were found.

    Attributes
    ----------
    points : tuple of ChangePoint
        By variable, then by time.
    variables : tuple of str
        Variables that were searched.
    pvalues : tuple of float
        For each of them, of no change at all.
    alpha : float
        Level of each split, halved from one depth to the next.
    start, end : float
        First and last time.
    """

    points: tuple[ChangePoint, ...]
    variables: tuple[str, ...]
    pvalues: tuple[float, ...]
    alpha: float
    start: float
    end: float

    def __repr__(self) -> str:
        found = [f"{p.variable} at {p.time:.6g}" for p in self.points[:12]]
        return f"ChangePoints({', '.join(found) or 'none'}; {len(self.variables)} variables)"

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per change point, and one for each variable without any."""
        import pandas as pd

        rows = [p.to_dict() | {"parents": ", ".join(p.parents)} for p in self.points]
        found = {p.variable for p in self.points}
        rows += [
            {"variable": v, "pvalue": p}
            for v, p in zip(self.variables, self.pvalues, strict=True)
            if v not in found
        ]
        return pd.DataFrame(rows)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw each variable's change points along time with their intervals.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn into; a new figure by default.

        Returns
        -------
        matplotlib Axes
        """
        import matplotlib.pyplot as plt

        if ax is None:
            size = (6.4, 1.2 + 0.4 * len(self.variables))
            ax = plt.subplots(figsize=size, layout="constrained")[1]
        for place, variable in enumerate(self.variables):
            ax.plot([self.start, self.end], [place, place], color="0.85", zorder=0)
            for point in (p for p in self.points if p.variable == variable):
                ax.plot([point.low, point.high], [place, place], color="C3", linewidth=4, alpha=0.4)
                ax.plot(point.time, place, "|", color="C3", markersize=16, markeredgewidth=2)
        labels = [v.replace("$", r"\$") for v in self.variables]
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(len(labels) - 0.5, -0.5)
        ax.set_xlabel("time")
        return ax


def change_points(
    X: Any,
    graph: Any,
    *,
    time: Any = None,
    alpha: float = 0.05,
    min_rows: int = 30,
    n_resamples: int = 199,
    random_state: RandomState = 0,
) -> ChangePoints:
    """Locate the moments at which mechanisms P(variable | parents) of a known graph change.

    The variable is regressed on its parents; features of what is left, alone and times the
    parents, are summed along time, and the largest standardised distance between the sums before
    and after a moment is compared with that of permuted rows. A stretch with a change is split
    there, and both sides are searched again with a regression of their own. The interval of a
    moment comes from resampling rows on both sides of it.

    Parameters
    ----------
    X : table of shape (n_rows, n_columns)
        Numbers and categories without missing cells.
    graph : networkx.DiGraph, MixedGraph, or mapping of str to sequence of str
        Directed edges; a mapping tells the parents of each variable.
    time : str or array of shape (n_rows,), optional
        Column of X (not used as a variable) or the times: numbers or dates. None takes the order
        of the rows.
    alpha : float, default 0.05
        Level of the first split of a variable, halved from one depth to the next.
    min_rows : int, default 30
        Rows between two change points, at least.
    n_resamples : int, default 199
        Permutations for each stretch, and resamples for each interval.
    random_state : RandomState, default 0
        Seed of both.

    Returns
    -------
    ChangePoints

    Raises
    ------
    InputError
        If cells or times are missing, or the graph names unknown columns.
    DegenerateDataError
        If there are fewer than twice `min_rows` rows or the times are constant.

    Notes
    -----
    Permutations take rows to be independent given the parents. In an autocorrelated series put
    the lagged values among the parents.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import change_points
    >>> rng = np.random.default_rng(0)
    >>> dose = rng.normal(size=400)
    >>> slope = np.where(np.arange(400) < 250, 1.0, -1.0)
    >>> table = {"dose": dose, "risk": slope * dose + 0.5 * rng.normal(size=400)}
    >>> found = change_points(table, {"dose": [], "risk": ["dose"]})
    >>> [(p.variable, abs(p.time - 250) < 5) for p in found.points]
    [('risk', True)]
    """
    check_fraction(alpha, "alpha")
    check_integer(min_rows, "min_rows", minimum=10)
    check_integer(n_resamples, "n_resamples", minimum=19)
    table, times = _in_time(as_table(X), time)
    if table.n_rows < 2 * min_rows:
        raise DegenerateDataError(
            f"{table.n_rows} rows cannot hold a change point with min_rows={min_rows} on each side."
        )
    parents = known_parents(graph, table)
    points: list[ChangePoint] = []
    pvalues: list[float] = []
    seeds = spawn_seeds(random_state, len(parents))
    for (variable, above), seed in zip(parents.items(), seeds, strict=True):
        scan = Scan(min_rows, n_resamples, np.random.default_rng(seed))
        found, pvalue = _split(table, variable, above, scan, alpha)
        points += [_point(table, variable, above, times, split) for split in sorted(found)]
        pvalues.append(pvalue)
    ends = float(times[0]), float(times[-1])
    return ChangePoints(tuple(points), tuple(parents), tuple(pvalues), float(alpha), *ends)


def _in_time(table: Table, time: Any) -> tuple[Table, np.ndarray]:
    """Return the rows in the order of time, without the column of time, and the times."""
    if time is None:
        return table, np.arange(table.n_rows, dtype=np.float64)
    if isinstance(time, str):
        column, table = table[time], table.drop([time])
    else:
        check_length(time, table.n_rows, "time")
        column = as_table(time, name="time").columns[0]
    if not column.is_number:
        raise InputError("time must hold numbers or dates, found labels.")
    if column.missing.any():
        raise InputError(f"time has {int(column.missing.sum())} missing value(s).")
    if column.values.min() == column.values.max():
        raise DegenerateDataError("time is constant: there is no order to search along.")
    order = np.argsort(column.values, kind="stable")
    return table.take(order), column.values[order]


#: Rows before the split, first and last row of its stretch, interval of rows, p-value.
Split = tuple[int, int, int, int, int, float]


def _split(
    table: Table, variable: str, parents: tuple[str, ...], scan: Scan, alpha: float
) -> tuple[list[Split], float]:
    """Search a variable; return its splits and the p-value of no change at all."""
    found: list[Split] = []
    overall = 1.0
    stretches = [(0, table.n_rows, alpha)]
    while stretches:
        start, stop, level = stretches.pop()
        if stop - start < 2 * scan.min_rows:
            continue
        features = scan_features(table.take(np.arange(start, stop)), variable, parents)
        place, pvalue = scan.test(features)
        if (start, stop) == (0, table.n_rows):
            overall = pvalue
        if pvalue > level or pvalue >= 1:
            continue
        low, high = scan.interval(features, place)
        found.append((start + place, start, stop, start + low, start + high, pvalue))
        stretches += [(start, start + place, level / 2), (start + place, stop, level / 2)]
    return found, overall


def _point(
    table: Table,
    variable: str,
    parents: tuple[str, ...],
    times: np.ndarray,
    split: Split,
) -> ChangePoint:
    place, start, stop, low, high, pvalue = split
    part = table.select([variable, *parents]).take(np.arange(start, stop))
    after = (np.arange(start, stop) >= place).astype(np.int32)
    shift = mean_shift(part, variable, parents, after)
    middle = [float(times[k - 1] + times[k]) / 2 for k in (place, low, high)]
    return ChangePoint(
        variable=variable,
        parents=parents,
        time=middle[0],
        low=middle[1],
        high=middle[2],
        shift=shift["shift"],
        shift_low=shift["shift_low"],
        shift_high=shift["shift_high"],
        pvalue=pvalue,
        n_before=place - start,
        n_after=stop - place,
    )
