"""Driving forces: how a changing mechanism moves, in a few dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.names import plot_text
from shiftlab._core.results import Result
from shiftlab.discovery._modules import Group, Mechanisms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DrivingForce", "find_driving_force"]

#: Parts of the rows that are left out in turn for the standard errors.
PARTS = 10
INK, BAND = "#33414e", "#f2b880"
#: Of a normal distribution, for intervals of 95 percent.
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, eq=False, repr=False)
class DrivingForce(Result):
    """How the mechanism of a variable moves over environments or along time.

    Sign and scale are not identified: only the shape of a component has a meaning. Components are
    scaled so that the distance between two points approximates the distance of the mechanisms.

    Attributes
    ----------
    variable : str
        The changing variable.
    parents : tuple of str
        Its parents: the mechanism is P(variable | parents).
    environment : str
        Name of the environment.
    points : tuple
        Labels of environments, or times (dates as text).
    is_time : bool
        Whether the points lie along time.
    components : ndarray of shape (n_points, n_components)
        Coordinates of the mechanism at each point.
    standard_error : ndarray of shape (n_points, n_components)
        From leaving out parts of the rows (jackknife).
    explained : tuple of float
        Share of the movement in each component.
    """

    variable: str
    parents: tuple[str, ...]
    environment: str
    points: tuple[Any, ...]
    is_time: bool
    components: np.ndarray
    standard_error: np.ndarray
    explained: tuple[float, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Return components and standard errors as a data frame, one row per point."""
        import pandas as pd

        columns: dict[str, Any] = {self.environment: list(self.points)}
        for k in range(self.components.shape[1]):
            columns[f"component_{k + 1}"] = self.components[:, k]
            columns[f"standard_error_{k + 1}"] = self.standard_error[:, k]
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        given = f" given {', '.join(self.parents)}" if self.parents else ""
        shares = ", ".join(f"{100 * share:.0f}%" for share in self.explained)
        return (
            f"DrivingForce of {self.variable}{given}: {len(self.points)} points of "
            f"{self.environment}, components explain {shares}"
        )

    def plot(self, ax: Any = None, *, component: int = 1) -> Any:
        """Draw one component with its interval of 95 percent.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.
        component : int, default 1
            Which one, from 1.

        Returns
        -------
        matplotlib.axes.Axes
        """
        import matplotlib.pyplot as plt

        axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")[1] if ax is None else ax
        value = self.components[:, component - 1]
        half = NORMAL_95 * self.standard_error[:, component - 1]
        if self.is_time:
            at = _as_dates(self.points)
            axes.fill_between(at, value - half, value + half, color=BAND, alpha=0.5, linewidth=0)
            axes.plot(at, value, color=INK, linewidth=1.4)
            axes.set_xlabel(plot_text(self.environment))
        else:
            order = np.argsort(value)
            shown = (
                order if len(order) <= 40 else order[np.linspace(0, len(order) - 1, 40).astype(int)]
            )
            place = np.arange(len(shown))
            axes.errorbar(
                place, value[shown], yerr=half[shown], fmt="o", markersize=4, color=INK,
                ecolor=BAND, elinewidth=2.5,
            )  # fmt: skip
            names = [plot_text(self.points[i], 18) for i in shown]
            axes.set_xticks(place, names, rotation=90 if len(shown) > 8 else 0, fontsize=7)
        share = 100 * self.explained[component - 1]
        given = f" | {', '.join(map(plot_text, self.parents))}" if self.parents else ""
        axes.set_title(
            f"P({plot_text(self.variable)}{given}): component {component}, {share:.0f}% of the "
            "movement",
            fontsize=8,
        )
        axes.set_ylabel("position of the mechanism", fontsize=8)
        axes.tick_params(labelsize=7)
        return axes


def _as_dates(points: Sequence[Any]) -> Any:
    if points and isinstance(points[0], str):
        return np.array(points, dtype="datetime64[s]")
    return np.asarray(points)


def find_driving_force(
    mechanisms: Mechanisms, variable: int, parents: Group, n_components: int
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Return components, standard errors and explained shares of a mechanism's path.

    The Gaussian kernel of the distances between mechanisms goes through kernel principal
    components (Huang et al. 2020, algorithm 3). Its squared width is twice the median squared
    distance: a narrower one bends a straight path into an arch.
    """
    path = mechanisms.path((variable,), parents)
    components, shares = _kernel_components(path, n_components)
    moved = [
        _aligned(_kernel_components(part, n_components)[0], components)
        for part in mechanisms.without_each_part((variable,), parents, PARTS)
    ]
    spread = np.stack(moved) - np.mean(moved, axis=0)
    error = np.sqrt((PARTS - 1) / PARTS * (spread**2).sum(axis=0))
    return components, error, shares


def _kernel_components(path: np.ndarray, count: int) -> tuple[np.ndarray, tuple[float, ...]]:
    product = path @ path.T
    square = np.diag(product)
    distance = np.maximum(square[:, None] + square - 2 * product, 0.0)
    width = np.median(distance[np.triu_indices(len(distance), 1)])
    gram = np.exp(-distance / (4 * width)) if width > 0 else np.ones_like(distance)
    gram = gram - gram.mean(axis=0) - gram.mean(axis=1)[:, None] + gram.mean()
    size, vectors = np.linalg.eigh(gram)
    size, vectors = np.maximum(size[::-1], 0.0), vectors[:, ::-1]
    count = min(count, len(path))
    # One sign for all machines: the largest entry of a component is positive.
    top = vectors[np.abs(vectors).argmax(axis=0), np.arange(len(vectors))]
    signs = np.where(top < 0, -1.0, 1.0)
    components = (vectors * signs * np.sqrt(size))[:, :count]
    total = max(float(size.sum()), 1e-300)
    return components, tuple(float(value / total) for value in size[:count])


def _aligned(components: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Rotate components towards a reference: their order and signs may differ."""
    left, _, right = np.linalg.svd(components.T @ reference)
    return np.asarray(components @ (left @ right))
