"""Distances of a numeric column between environments, exact and from one sort."""

from typing import NamedTuple

import numpy as np

__all__ = ["NumberShift", "number_shifts"]


class NumberShift(NamedTuple):
    """Distances of each environment from its comparison, one per environment, NaN if undefined."""

    ks: np.ndarray
    wasserstein: np.ndarray
    mean_difference: np.ndarray


def number_shifts(
    ordered: np.ndarray, codes: np.ndarray, n_environments: int, reference: int | None
) -> NumberShift:
    """Exact KS and 1-Wasserstein distance of every environment from the rest or the reference.

    Work is proportional to the rows, not to rows times environments: between two neighbouring rows
    of an environment its distribution function is constant and the other one is monotone, so the
    largest gap lies at an end and the area between them has a closed form.

    Parameters
    ----------
    ordered : ndarray of shape (n,)
        Observed values, sorted.
    codes : ndarray of int, shape (n,)
        Environment of each value.
    n_environments : int
        Number of environments.
    reference : int or None
        Code of the environment to compare with; None for all other rows.

    Returns
    -------
    NumberShift
        The Wasserstein distance and the mean difference are in units of the values.
    """
    member = np.ones(len(ordered), dtype=bool) if reference is None else codes == reference
    sizes = np.bincount(codes, minlength=n_environments)
    n_other = int(member.sum())
    ks = np.full(n_environments, np.nan)
    area = np.full(n_environments, np.nan)
    if n_other:
        present = np.flatnonzero(sizes)
        ks[present], area[present] = _gaps(ordered, codes, sizes[present], member)
    # The pool contains the environment itself: F - F_rest = (F - F_pool) n / (n - n_e).
    rest = len(ordered) - sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        blow = np.where(rest > 0, len(ordered) / rest, np.nan) if reference is None else 1.0
    centre = float(np.median(ordered)) if len(ordered) else 0.0
    difference = _mean_differences(ordered - centre, codes, sizes, reference)
    return NumberShift(np.minimum(ks * blow, 1.0), area * blow, difference)


def _mean_differences(
    values: np.ndarray, codes: np.ndarray, sizes: np.ndarray, reference: int | None
) -> np.ndarray:
    sums = np.bincount(codes, weights=values, minlength=len(sizes))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / sizes
        if reference is not None:
            return mean - mean[reference]
        return mean - (sums.sum() - sums) / (sizes.sum() - sizes)


def _gaps(
    ordered: np.ndarray, codes: np.ndarray, sizes: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n = len(ordered)
    first_of_tie, last_of_tie = _tie_ends(ordered)
    at_or_below = np.cumsum(member)[last_of_tie]
    below = np.concatenate([[0], np.cumsum(member)])[first_of_tie]
    support = np.flatnonzero(member)
    n_other = len(support)
    # Antiderivative of the other distribution function at each sorted position.
    rising = np.zeros(n)
    np.cumsum(at_or_below[:-1] / n_other * np.diff(ordered), out=rising[1:])
    small = codes.astype(np.int16) if codes.max(initial=0) < 2**15 else codes
    place = np.argsort(small, kind="stable")
    ends = np.cumsum(sizes)
    starts = ends - sizes
    rank = np.arange(n) - np.repeat(starts, sizes) + 1
    own = np.repeat(sizes, sizes)
    share = rank / own
    above = share - at_or_below[place] / n_other
    under = below[place] / n_other - (rank - 1) / own
    ks = np.maximum(np.maximum.reduceat(above, starts), np.maximum.reduceat(under, starts))
    crossing = support[np.minimum((rank * n_other + own - 1) // own, n_other) - 1]
    following = np.append(place[1:], 0)
    following[ends - 1] = place[ends - 1]
    turn = np.clip(crossing, place, following)
    x, g = ordered, rising
    area = share * (2 * x[turn] - x[place] - x[following])
    area += g[place] + g[following] - 2 * g[turn]
    total = np.add.reduceat(area, starts) + g[place[starts]]
    last = place[ends - 1]
    total += (x[-1] - x[last]) - (g[-1] - g[last])
    return np.maximum(ks, 0.0), np.maximum(total, 0.0)


def _tie_ends(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the first and of the last member of each value's tie group."""
    n = len(ordered)
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    first = np.flatnonzero(starts)
    group = np.cumsum(starts) - 1
    last = np.append(first[1:], n) - 1
    return first[group], last[group]
