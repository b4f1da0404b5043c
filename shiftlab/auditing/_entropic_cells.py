r"""Closed forms of the entropic projection when only decision rates of groups are constrained.

Within a group the cheapest reweighting depends on the decision alone, so a group with rate p is
moved to rate b at cost ``kl(b || p)``. With the highest rate called M, every rate is clipped to
``[lower(M), M]``, where ``lower(M)`` is ``t M`` for a ratio of at least t and ``M - d`` for a
difference of at most d. What remains is a search for the number M: the root of a monotone function
when group shares are fixed. With free shares, group g gets a share proportional to
``pi_g exp(-kl_g)``, and M maximises the sum of these.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import logit, rel_entr

from shiftlab.exceptions import InputError

__all__ = ["Levels", "binary_kl", "clip_levels", "fixed_levels", "free_levels", "split_levels"]

_GRID = 257


@dataclass(frozen=True)
class Levels:
    """The band that rates are clipped to: its lower edge as a function of the upper one."""

    kind: str
    bound: float

    @property
    def slope(self) -> float:
        """Derivative of the lower edge."""
        return self.bound if self.kind == "ratio" else 1.0

    def lower(self, top: float | np.ndarray) -> float | np.ndarray:
        """Return the lower edge that belongs to an upper one."""
        return self.bound * top if self.kind == "ratio" else top - self.bound

    def top_for(self, low: float) -> float:
        """Return the upper edge that belongs to a lower one."""
        if self.kind == "difference":
            return low + self.bound
        return low / self.bound if self.bound > 0 else np.inf

    def holds(self, rates: np.ndarray) -> bool:
        """Tell whether rates already lie in one band."""
        return bool(rates.min() >= self.lower(rates.max()) - 1e-15)


def binary_kl(b: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the divergence of a coin with rate b from a coin with rate p."""
    return np.asarray(rel_entr(b, p) + rel_entr(1 - b, 1 - p))


def clip_levels(rates: np.ndarray, band: Levels, top: float) -> np.ndarray:
    """Move rates to the nearest point of the band below `top`."""
    return np.clip(rates, band.lower(top), top)


def _range(rates: np.ndarray, band: Levels) -> tuple[float, float]:
    """Range of M worth looking at; a rate of 0 or 1 cannot be left by reweighting."""
    low, high = band.top_for(float(rates.min())), float(rates.max())
    if rates.min() <= 0 and band.kind == "ratio":
        raise InputError(
            "A group has no favourable decision, and reweighting cannot create one: no ratio above "
            "0 can be reached. Move rows instead (wasserstein_projection), or merge groups."
        )
    if rates.min() <= 0:
        high = min(high, band.top_for(0.0))
    if rates.max() >= 1:
        low = max(low, 1.0)
    if low > high + 1e-15:
        raise InputError(
            "One group has only favourable and another only unfavourable decisions; reweighting "
            "cannot bring them together. Move rows instead (wasserstein_projection)."
        )
    return low, high


def _slopes(rates: np.ndarray, band: Levels, top: float) -> np.ndarray:
    """Return the derivative of each group's divergence with respect to M."""
    low = band.lower(top)
    slopes = np.zeros_like(rates)
    rising, falling = rates < low, rates > top
    slopes[rising] = band.slope * (logit(low) - logit(rates[rising]))
    slopes[falling] = logit(top) - logit(rates[falling])
    return slopes


def _root(slope: Callable[[float], float], low: float, high: float) -> float:
    if slope(low) >= 0:
        return low
    if slope(high) <= 0:
        return high
    return float(brentq(slope, low, high, xtol=1e-16, rtol=4 * np.finfo(float).eps))


def fixed_levels(rates: np.ndarray, shares: np.ndarray, band: Levels) -> np.ndarray:
    """Return the cheapest rates in one band when the shares of the groups stay.

    Raises
    ------
    InputError
        If no reweighting reaches the band.
    """
    if band.holds(rates):
        return rates.copy()
    low, high = _range(rates, band)
    return clip_levels(
        rates, band, _root(lambda top: float(shares @ _slopes(rates, band, top)), low, high)
    )


def free_levels(rates: np.ndarray, shares: np.ndarray, band: Levels) -> np.ndarray:
    """Return the cheapest rates in one band when the shares of the groups may change as well.

    Raises
    ------
    InputError
        If no reweighting reaches the band.
    """
    if band.holds(rates):
        return rates.copy()
    low, high = _range(rates, band)

    # The sum need not have a single peak: look at a grid before going to the nearest root.
    tops = np.linspace(low, high, _GRID)[:, None]
    levels = np.clip(rates, band.lower(tops), tops)
    best = int(np.argmax(np.exp(-binary_kl(levels, rates)) @ shares))

    def slope(top: float) -> float:
        cost = binary_kl(clip_levels(rates, band, top), rates)
        return float((shares * np.exp(-cost)) @ _slopes(rates, band, top))

    top = _root(slope, float(tops[max(best - 1, 0), 0]), float(tops[min(best + 1, _GRID - 1), 0]))
    return clip_levels(rates, band, top)


def split_levels(rates: np.ndarray, sizes: np.ndarray, band: Levels, split: str) -> np.ndarray:
    """Return the rates of the two published splits of the change between two groups.

    Parameters
    ----------
    rates, sizes : ndarray of shape (2,)
        Rates of the two groups and their sizes, in any unit.
    band : Levels
        A ratio.
    split : {"balanced", "proportional"}
        Equal number of changed units, or equal change of the rates.

    Returns
    -------
    ndarray of shape (2,)

    Raises
    ------
    InputError
        If there are not two groups or the constraint is no ratio.
    """
    if len(rates) != 2 or band.kind != "ratio":
        raise InputError(
            f"split={split!r} is defined for the ratio of two groups; use split='optimal'."
        )
    if band.holds(rates):
        return rates.copy()
    low, high = int(np.argmin(rates)), int(np.argmax(rates))
    wanted = band.bound * rates[high] - rates[low]
    if split == "balanced":
        units = wanted / (1 / sizes[low] + band.bound / sizes[high])
        change = units / sizes
    else:
        change = np.full(2, wanted / (1 + band.bound))
    levels = rates.copy()
    levels[low] += change[low]
    levels[high] -= change[high]
    _range(rates, band)
    return levels
