"""Which mechanism makes the disparity: Shapley values over all worlds in which some are on."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.results import Result, to_plain
from shiftlab.exceptions import InputError
from shiftlab.explanation._study_plots import check_measure, varied_factors
from shiftlab.explanation._study_result import DisparityStudyResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DisparityAttribution", "attribute_disparity", "path_values", "shapley_values"]

LEVEL = 0.95
MOST_MECHANISMS = 10


@dataclass(frozen=True, eq=False, repr=False)
class DisparityAttribution(Result):
    """A disparity split among the mechanisms that were switched on.

    Attributes
    ----------
    measure : str
        What was split, such as "signed_gap".
    mechanisms : tuple of str
        The factors, in the order of the path if there was one.
    method : str
        "shapley" or "path".
    parts : DataFrame
        What `to_frame` returns.
    pairs : DataFrame
        What `interactions` returns.
    """

    measure: str
    mechanisms: tuple[str, ...]
    method: str
    parts: "pd.DataFrame"
    pairs: "pd.DataFrame"

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per mechanism, and one for their total, in each group.

        The columns are the remaining factors, ``metric``, ``mechanism`` ("total": all on minus all
        off, the sum of the others), ``value``, ``mcse``, ``lower``, ``upper`` (95 % t interval
        over replicates), ``same_sign`` (share of the replicates with the sign of the value),
        ``n_replicates`` and ``n_missing`` (replicates without all worlds, left out).
        """
        return self.parts.copy()

    def interactions(self) -> "pd.DataFrame":
        """Return the Shapley interaction index of each pair of mechanisms, laid out as the parts.

        It is the average over worlds of how much more (or less) both do together than each alone.
        """
        return self.pairs.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return all tables as JSON types."""
        return {
            "measure": self.measure,
            "method": self.method,
            "mechanisms": list(self.mechanisms),
            "parts": to_plain(self.parts.to_dict("records")),
            "interactions": to_plain(self.pairs.to_dict("records")),
        }

    def __repr__(self) -> str:
        lines = [f"DisparityAttribution of {self.measure} by {self.method}"]
        labels = list(self.parts)[: list(self.parts).index("mechanism")]
        for row in self.parts.to_dict("records")[:24]:
            where = ", ".join(str(row[name]) for name in labels)
            lines.append(f"  {where}: {row['mechanism']} {row['value']:+.4f} ({row['mcse']:.4f})")
        return "\n".join(lines)

    def plot(self, ax: Any = None, *, metric: str | None = None) -> Any:
        """Draw the parts with 95 % intervals, a group of bars per remaining combination.

        Parameters
        ----------
        ax : Axes, optional
            A new figure by default.
        metric : str, optional
            Draw this metric only; all of them by default.

        Returns
        -------
        Axes
        """
        from shiftlab.explanation._attribution_plot import draw_parts

        return draw_parts(self, ax, metric)


def attribute_disparity(
    result: DisparityStudyResult,
    mechanisms: Sequence[str] | None = None,
    *,
    measure: str = "signed_gap",
    path: bool = False,
) -> DisparityAttribution:
    """Split a disparity among mechanisms, from a study of all worlds in which some are on.

    Parameters
    ----------
    result : DisparityStudyResult
        A study whose grid crosses the mechanisms in full, each with two levels: off, on (in this
        order), such as `MechanismWorld` with ``{name: [False, True]}`` for its four mechanisms.
        Common random numbers (the default of a study) make the parts precise.
    mechanisms : sequence of str, optional
        The factors to split among; by default the fields of the world that have two levels.
    measure : str, default "signed_gap"
        Column of the study. Signed gaps can cancel, so the total says little about the parts.
    path : bool, default False
        Switch the mechanisms on one after the other in the given order, and let each have the
        change that it makes, instead of averaging over all orders (Shapley).

    Returns
    -------
    DisparityAttribution

    Raises
    ------
    InputError
        If a factor has not two levels, worlds are missing, or no replicate has all of them.

    Notes
    -----
    The Shapley value of a mechanism is its average contribution over all orders of switching them
    on. In each replicate the values add up to the disparity with all mechanisms on minus that
    with none, to rounding (efficiency). Standard errors are those of the mean over replicates.

    References
    ----------
    .. [1] Shapley (1953), "A value for n-person games", Contributions to the Theory of Games II.
    .. [2] Grabisch and Roubens (1999), "An axiomatic approach to the concept of interaction among
       players in cooperative games", International Journal of Game Theory 28, equation 2.

    Examples
    --------
    >>> from shiftlab.explanation import (
    ...     ExplanationDisparityStudy, MechanismWorld, attribute_disparity
    ... )
    >>> study = ExplanationDisparityStudy(
    ...     MechanismWorld(n_train=200, n_test=60, include_sensitive=True),
    ...     {"concept": [False, True], "imbalance": [False, True]},
    ...     metrics=["mae"],
    ...     n_replicates=3,
    ...     random_state=0,
    ... )
    >>> parts = attribute_disparity(study.run()).to_frame().set_index("mechanism")["value"]
    >>> bool(abs(parts["concept"] + parts["imbalance"] - parts["total"]) < 1e-12)
    True
    """
    import pandas as pd

    check_measure(result, measure)
    rows = result.to_frame()
    players = _players(result, rows, mechanisms)
    others = [n for n in varied_factors(rows, result.factors) if n not in players]
    labels = [*others, "metric"]
    parts: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for key, group in _groups(rows, labels):
        named = dict(zip(labels, key, strict=True))
        worth, n_missing = _worth(group, players, measure)
        values = path_values(worth) if path else shapley_values(worth)
        total = worth[:, -1] - worth[:, 0]
        for name, column in [*zip(players, values.T, strict=True), ("total", total)]:
            parts.append({**named, "mechanism": name, **_describe(column), "n_missing": n_missing})
        for (a, b), column in _interactions(worth, players):
            found = {"mechanism": a, "with": b, **_describe(column), "n_missing": n_missing}
            pairs.append({**named, **found})
    method = "path" if path else "shapley"
    tables = (pd.DataFrame(parts), pd.DataFrame(pairs))
    return DisparityAttribution(measure, tuple(players), method, *tables)


def _players(
    result: DisparityStudyResult, rows: "pd.DataFrame", mechanisms: Sequence[str] | None
) -> dict[str, list[Any]]:
    """Return the levels off and on of each mechanism."""
    levels = {name: list(dict.fromkeys(rows[name])) for name in result.factors}
    if mechanisms is None:
        mechanisms = [n for n in result.protocol.knobs if len(levels[n]) == 2]
    elif isinstance(mechanisms, str):
        mechanisms = [mechanisms]
    unknown = [name for name in mechanisms if name not in result.factors]
    if unknown:
        raise InputError(
            f"mechanisms: {join_names(unknown)} is no factor of the study; "
            f"it has {join_names(result.factors)}."
        )
    wrong = [name for name in mechanisms if len(levels[name]) != 2]
    if wrong or not mechanisms:
        raise InputError(
            "mechanisms must have two levels each in the study, off and on; "
            + (f"{join_names(wrong)} has another number." if wrong else "there is none.")
        )
    if len(mechanisms) > MOST_MECHANISMS:
        raise InputError(f"mechanisms: at most {MOST_MECHANISMS}, found {len(mechanisms)}.")
    return {name: levels[name] for name in mechanisms}


def _groups(
    rows: "pd.DataFrame", labels: list[str]
) -> Iterator[tuple[tuple[Any, ...], "pd.DataFrame"]]:
    found: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(zip(*(rows[name] for name in labels), strict=True)):
        found.setdefault(key, []).append(i)
    for key, positions in found.items():
        yield key, rows.iloc[positions]


def _worth(
    rows: "pd.DataFrame", players: dict[str, list[Any]], measure: str
) -> tuple[np.ndarray, int]:
    """Return the measure by replicate and world (bit j: mechanism j is on), complete rows only."""
    world = np.zeros(len(rows), dtype=np.intp)
    for bit, (name, levels) in enumerate(players.items()):
        world |= np.array([level == levels[1] for level in rows[name]], dtype=np.intp) << bit
    replicates, row = np.unique(rows["replicate"].to_numpy(), return_inverse=True)
    worth = np.full((len(replicates), 2 ** len(players)), np.nan)
    counts = np.zeros(worth.shape, dtype=np.intp)
    np.add.at(counts, (row, world), 1)
    if (counts > 1).any():
        raise InputError("mechanisms: a replicate has several rows of one world.")
    n_absent = int((counts.sum(axis=0) == 0).sum())
    if n_absent:
        raise InputError(
            f"{n_absent} of {worth.shape[1]} worlds are not in the study. Cross the mechanisms in "
            "full, and finish the study."
        )
    worth[row, world] = rows[measure].to_numpy()
    complete = ~np.isnan(worth).any(axis=1)
    if not complete.any():
        raise InputError(f"No replicate has {measure!r} in all {worth.shape[1]} worlds.")
    return worth[complete], int((~complete).sum())


def shapley_values(worth: np.ndarray) -> np.ndarray:
    """Return the share of each player, shape (n, k), in games with values (n, 2**k).

    Bit j of the position of a value says whether player j takes part.
    """
    n = int(math.log2(worth.shape[1]))
    worlds = np.arange(worth.shape[1])
    values = np.zeros((len(worth), n))
    for j in range(n):
        without = worlds[(worlds >> j) & 1 == 0]
        sizes = np.bitwise_count(without).astype(int)
        weights = np.array([1 / (n * math.comb(n - 1, size)) for size in sizes])
        values[:, j] = (worth[:, without | (1 << j)] - worth[:, without]) @ weights
    return values


def path_values(worth: np.ndarray) -> np.ndarray:
    """Return what each player adds when they join one after the other, shape (n, k)."""
    n = int(math.log2(worth.shape[1]))
    steps = [(1 << j) - 1 for j in range(n + 1)]
    return np.diff(worth[:, steps], axis=1)


def _interactions(
    worth: np.ndarray, players: dict[str, list[Any]]
) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    n, worlds, names = len(players), np.arange(worth.shape[1]), list(players)
    for i, j in itertools.combinations(range(n), 2):
        a, b = 1 << i, 1 << j
        without = worlds[(worlds & (a | b)) == 0]
        sizes = np.bitwise_count(without).astype(int)
        weights = np.array([1 / ((n - 1) * math.comb(n - 2, size)) for size in sizes])
        both = worth[:, without | a | b] - worth[:, without | a]
        yield (names[i], names[j]), (both - worth[:, without | b] + worth[:, without]) @ weights


def _describe(values: np.ndarray) -> dict[str, Any]:
    from scipy import stats

    n = len(values)
    mean = float(values.mean())
    mcse = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1)) * mcse if n > 1 else math.nan
    return {
        "value": mean,
        "mcse": mcse,
        "lower": mean - half,
        "upper": mean + half,
        "same_sign": float((np.sign(values) == np.sign(mean)).mean()),
        "n_replicates": n,
    }
