"""Forecasts of domain parameters with intervals, in the units of the features."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.results import Result
from shiftlab.generalization._abduction import Abduction
from shiftlab.generalization._attributes import Coded
from shiftlab.generalization._clock import flow_generator, flow_maps

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["DomainForecast", "forecast_domains"]

N_DRAWS = 200
#: Half widths of intervals above so many standard deviations (within domains) support nothing.
WIDEST = 1.5


@dataclass(frozen=True, repr=False, eq=False)
class DomainForecast(Result):
    """Means of the features of each group over time, with intervals.

    Attributes
    ----------
    rows : tuple of dict
        One for each time, group and feature: mean, low, high, source (whether a source domain was
        seen at that time) and supported (whether the interval is narrow enough, and the time near
        enough, for the drift model to mean anything).
    confidence_level : float
        Of the intervals.
    """

    rows: tuple[dict[str, Any], ...]
    confidence_level: float

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each time, group and feature."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    @property
    def supported(self) -> bool:
        """Whether all times are supported for all features."""
        return all(row["supported"] for row in self.rows)

    def plot(self, ax: "Axes | None" = None, *, feature: str | None = None) -> "Axes":
        """Draw the path of a feature in each group; forecasts are shaded.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        feature : str, optional
            Which one; by default that whose mean moves most in units of its interval.

        Returns
        -------
        Axes
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1] if ax is None else ax
        frame = self.to_frame()
        name = frame["feature"].iloc[0] if feature is None else feature
        frame = frame[frame["feature"] == name]
        colours = ("#3b6ea5", "#b5391f", "#4f8a4c", "#8a5a9e", "#c9872b", "#5b6b7a")
        for i, (group, part) in enumerate(frame.groupby("group", sort=False)):
            colour = colours[i % len(colours)]
            label = str(group).replace("$", r"\$")
            ax.plot(part["time"], part["mean"], color=colour, lw=1.5, label=label)
            ax.fill_between(part["time"], part["low"], part["high"], color=colour, alpha=0.2, lw=0)
        source = frame[frame["source"]]
        if len(source) < len(frame) and len(source):
            ax.axvline(source["time"].max(), color="black", lw=0.7, ls=":")
        ax.set(xlabel="time", ylabel=str(name).replace("$", r"\$"))
        ax.legend(frameon=False, title="group")
        return ax

    def __repr__(self) -> str:
        times = sorted({row["time"] for row in self.rows})
        n_bad = len({row["time"] for row in self.rows if not row["supported"]})
        return (
            f"DomainForecast at {len(times)} time(s) from {times[0]:g} to {times[-1]:g}; "
            f"{n_bad} not supported by the drift model"
        )


def forecast_domains(
    abduction: Abduction,
    times: np.ndarray,
    groups: list[tuple[str, Coded]],
    features: list[str],
    *,
    last: float,
    confidence_level: float,
) -> DomainForecast:
    """Draw paths and flows from their fitted distributions and carry means to the given times."""
    rng = np.random.default_rng(
        0
    )  # the intervals of a fitted model do not change from call to call
    relative = abduction.relative(times)
    p = len(abduction.centre)
    drawn_maps, exact_maps = _draw_maps(abduction, relative, rng)
    mean, variance = abduction.means.at(relative)
    effect, effect_variance = abduction.effects.at(relative)
    shape = (len(times), len(abduction.design_centre), p)
    effect, effect_variance = effect.reshape(shape), effect_variance.reshape(shape)
    source = np.isin(np.round(relative, 9), np.round(abduction.means.times, 9))
    tails = [0.5 - confidence_level / 2, 0.5 + confidence_level / 2]
    rows: list[dict[str, Any]] = []
    for i, time in enumerate(times):
        m = mean[i] + np.sqrt(variance[i]) * rng.standard_normal((N_DRAWS, p))
        b = effect[i] + np.sqrt(effect_variance[i]) * rng.standard_normal((N_DRAWS, *shape[1:]))
        maps, exact = drawn_maps[i], exact_maps[i]
        for name, coded in groups:
            design = coded.design[0] - abduction.design_centre
            aligned = m + np.einsum("q,nqp->np", design, b)
            carried = np.einsum("npq,nq->np", maps[:, :p, :p], aligned) + maps[:, :p, p]
            centre = exact[:p, :p] @ (mean[i] + design @ effect[i]) + exact[:p, p]
            low, high = np.quantile(carried, tails, axis=0)
            near = relative[i] <= 2.0
            for j, feature in enumerate(features):
                values = (centre[j], low[j], high[j])
                back = [float(v * abduction.scale[j] + abduction.centre[j]) for v in values]
                rows.append(
                    {
                        "time": float(time),
                        "group": name,
                        "feature": feature,
                        "mean": back[0],
                        "low": back[1],
                        "high": back[2],
                        "source": bool(source[i]),
                        "supported": bool(near and high[j] - low[j] < 2 * WIDEST),
                    }
                )
    return DomainForecast(tuple(rows), confidence_level)


def _draw_maps(
    abduction: Abduction, times: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the maps of the flow at each time from what is uncertain of it, and the exact ones."""
    flow = abduction.flow
    p = len(abduction.centre)
    exact = flow_maps(flow.generator, flow.gone(times))
    if flow.clock is not None:
        mean, variance = (part[:, :1] for part in flow.clock.at(times))
        gone = mean + np.sqrt(variance) * rng.standard_normal((len(times), N_DRAWS))
        drawn = flow_maps(flow.generator, gone.reshape(-1))
        return drawn.reshape(len(times), N_DRAWS, *exact.shape[1:]), exact
    if not flow.moves:
        return np.repeat(exact[:, None], N_DRAWS, axis=1), exact
    first = [flow.generator[j, k] * sign for (j, k, sign), *_ in flow.atoms]
    centre = np.concatenate([first, flow.generator[:p, p]])
    values, vectors = np.linalg.eigh(flow.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = centre + rng.standard_normal((N_DRAWS, len(centre))) @ root.T
    maps = [flow_maps(flow_generator(d, flow.atoms, p), times) for d in draws]
    return np.stack(maps, axis=1), exact
