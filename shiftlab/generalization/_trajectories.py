"""Trajectories of domain parameters and latent terms: as seen, smoothed, and forecast."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result
from shiftlab.exceptions import InputError
from shiftlab.generalization._abduction import Abduction
from shiftlab.generalization._states import StatePaths
from shiftlab.generalization._times import read_times, times_ahead

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["LatentTrajectories", "domain_trajectories", "path_rows", "trajectory_times"]

#: Paths that are drawn unless names are given.
N_DRAWN = 5
COLOURS = ("#3b6ea5", "#b5391f", "#4f8a4c", "#8a5a9e", "#c9872b", "#5b6b7a")


@dataclass(frozen=True, repr=False, eq=False)
class LatentTrajectories(Result):
    """Paths of latent quantities over domains, with forecasts.

    Attributes
    ----------
    rows : tuple of dict
        One for each path and time: name, form (how the path goes on), time, observed (NaN where no
        source domain was), mean, low, high, and source (whether the time is one of the source
        period).
    confidence_level : float
        Of the intervals.
    unit : str
        What the values are measured in.
    """

    rows: tuple[dict[str, Any], ...]
    confidence_level: float
    unit: str

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each path and time."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    @property
    def names(self) -> list[str]:
        """Names of the paths; those that move most beyond their intervals come first."""
        moved: dict[str, float] = {}
        for name, part in self.to_frame().groupby("name", sort=False):
            width = float((part["high"] - part["low"])[part["source"]].mean())
            moved[str(name)] = float(np.ptp(part["mean"])) / max(width, 1e-12)
        return sorted(moved, key=lambda name: -moved[name])

    def plot(self, ax: "Axes | None" = None, *, names: list[str] | None = None) -> "Axes":
        """Draw paths: dots as seen in domains, lines smoothed and forecast, shaded intervals.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        names : list of str, optional
            Which paths; by default the five that move most beyond their intervals.

        Returns
        -------
        Axes

        Raises
        ------
        InputError
            If there is no path of a name.
        """
        import matplotlib.pyplot as plt

        frame = self.to_frame()
        wanted = self.names[:N_DRAWN] if names is None else names
        unknown = sorted(set(wanted) - set(frame["name"]))
        if unknown:
            raise InputError(f"names: there is no path {unknown[0]!r}; see names for all.")
        if ax is None:
            ax = plt.subplots(figsize=(8, 4.2), layout="constrained")[1]
        for i, name in enumerate(wanted):
            part = frame[frame["name"] == name].sort_values("time")
            colour = COLOURS[i % len(COLOURS)]
            label = f"{name} ({part['form'].iloc[0]})".replace("$", r"\$")
            ax.plot(part["time"], part["observed"], ".", color=colour, alpha=0.6, ms=5)
            ax.plot(part["time"], part["mean"], color=colour, lw=1.5, label=label)
            ax.fill_between(part["time"], part["low"], part["high"], color=colour, alpha=0.12, lw=0)
        if not frame["source"].all():
            last = frame.loc[frame["source"], "time"].max()
            ax.axvline(last, color="black", lw=0.7, ls=":")
            # A forecast that is lost must not squeeze the paths that are known.
            drawn = frame[frame["name"].isin(wanted)]
            seen = drawn.loc[drawn["source"], ["observed", "mean", "low", "high"]].to_numpy()
            low = min(np.nanmin(seen), drawn["mean"].min())
            high = max(np.nanmax(seen), drawn["mean"].max())
            room = 0.6 * max(high - low, 1e-9)
            ax.set_ylim(max(ax.get_ylim()[0], low - room), min(ax.get_ylim()[1], high + room))
        ax.set(xlabel="time", ylabel=self.unit)
        ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        return ax

    def __repr__(self) -> str:
        times = sorted({row["time"] for row in self.rows})
        n_paths = len({row["name"] for row in self.rows})
        return f"LatentTrajectories: {n_paths} paths from time {times[0]:g} to {times[-1]:g}"


def path_rows(
    names: list[str],
    forms: list[str],
    times: np.ndarray,
    observed: np.ndarray,
    paths: tuple[np.ndarray, np.ndarray, np.ndarray],
    source: np.ndarray,
) -> list[dict[str, Any]]:
    """Return the rows of paths; arrays have shape (n_times, n_paths)."""
    mean, low, high = paths
    return [
        {
            "name": name,
            "form": forms[j],
            "time": float(time),
            "observed": float(observed[i, j]),
            "mean": float(mean[i, j]),
            "low": float(low[i, j]),
            "high": float(high[i, j]),
            "source": bool(source[i]),
        }
        for j, name in enumerate(names)
        for i, time in enumerate(times)
    ]


def trajectory_times(source: np.ndarray, times: Any) -> np.ndarray:
    """Return the times of trajectories: as wanted, or the source and half as many more."""
    if times is None:
        return times_ahead(source, max(len(source) // 2, 1))
    wanted = np.atleast_1d(times)
    return np.unique(read_times(wanted, len(wanted)))


def domain_trajectories(
    abduction: Abduction,
    times: np.ndarray,
    features: list[str],
    columns: list[str],
    *,
    confidence_level: float,
) -> LatentTrajectories:
    """Return the paths of the clock, of common means, of effects and of scales."""
    relative = abduction.relative(times)
    source = relative <= 1 + 1e-9
    groups: list[tuple[list[str], StatePaths]] = [
        ([f"mean of {name}" for name in features], abduction.means),
        ([f"effect of {c} on {name}" for c in columns for name in features], abduction.effects),
        ([f"log scale of {name}" for name in features], abduction.log_scales),
    ]
    if abduction.flow.clock is not None:
        groups.insert(0, (["clock of the flow"], abduction.flow.clock))
    rows = []
    for names, paths in groups:
        band = _band(paths, relative, confidence_level)
        rows += path_rows(names, paths.forms, times, _seen(paths, relative), band, source)
    return LatentTrajectories(tuple(rows), confidence_level, "standard deviations within domains")


def _band(
    paths: StatePaths, times: np.ndarray, confidence_level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.stats import norm

    mean, variance = paths.at(times)
    half = float(norm.ppf(0.5 + confidence_level / 2)) * np.sqrt(variance)
    return mean, mean - half, mean + half


def _seen(paths: StatePaths, times: np.ndarray) -> np.ndarray:
    """Return the observations at times that are those of source domains."""
    found = np.full((len(times), paths.values.shape[1]), np.nan)
    for i, time in enumerate(times):
        at = np.flatnonzero(np.isclose(paths.times, time, atol=1e-9))
        if len(at):
            known = np.isfinite(paths.noise[at[0]])
            found[i, known] = paths.values[at[0], known]
    return found
