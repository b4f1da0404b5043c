"""Strategies that change no row: genuine rows, drawn so that the sample looks fair."""

from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr

from shiftlab.auditing._entropic import entropic_projection
from shiftlab.auditing._strategies_data import Source
from shiftlab.exceptions import InputError

__all__ = ["Draw", "case_control_shares", "draw_rows", "entropic_shares", "optimal_counts"]


@dataclass(frozen=True, eq=False)
class Draw:
    """How rows are drawn: shares of the cells, and weights of the rows inside them.

    `counts` are given instead of `shares` when the sample is chosen, not drawn.
    """

    shares: np.ndarray
    cost: float
    cost_name: str
    weights: np.ndarray | None = None
    counts: np.ndarray | None = None


def entropic_shares(source: Source, target: float) -> Draw:
    """Shares of the cells with the smallest divergence, groups reweighted too."""
    found = entropic_projection(
        source.selected,
        source.codes,
        constraints={"disparate_impact": target},
        margin="free",
    )
    return Draw(found.mass_after.sum(axis=1).ravel(), found.kl, "KL (nats)")


def case_control_shares(source: Source, target: float) -> Draw:
    """Shares of the groups and of favourable decisions stay; the rates meet the target.

    Every rate moves towards the overall one: the smallest such move that reaches the target.
    """
    counts = source.counts.reshape(-1, 2)
    sizes = counts.sum(axis=1) / source.n_rows
    rates = counts[:, 1] / counts.sum(axis=1)
    overall = float(sizes @ rates)
    low, high = float(rates.min()), float(rates.max())
    keep = 1.0
    if low < target * high:
        # (overall + keep (low - overall)) = target (overall + keep (high - overall))
        keep = overall * (1 - target) / (target * (high - overall) + overall - low)
    wanted = overall + keep * (rates - overall)
    shares = (sizes[:, None] * np.stack([1 - wanted, wanted], axis=1)).ravel()
    kl = float(rel_entr(shares, source.counts / source.n_rows).sum())
    return Draw(shares, kl, "KL (nats)")


def draw_rows(source: Source, draw: Draw, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw distinct rows: numbers of the cells at random, then rows inside the cells.

    Raises
    ------
    InputError
        If a cell has too few rows for a sample of this size.
    """
    counts = draw.counts
    if counts is None:
        wanted = n_samples * draw.shares
        short = wanted > source.counts + 1e-9
        if short.any():
            largest = int((source.counts[short] / draw.shares[short]).min())
            raise InputError(
                f"n_samples: {n_samples} distinct rows with these shares are more than a cell "
                f"holds; at most {largest} can be drawn."
            )
        counts = _drawn_counts(source.counts, draw.shares, n_samples, rng)
    rows = [
        _inside(source.cells == cell, count, draw.weights, rng) for cell, count in enumerate(counts)
    ]
    return np.asarray(rng.permutation(np.concatenate(rows)))


def _drawn_counts(
    available: np.ndarray, shares: np.ndarray, n_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Multinomial counts; what a cell cannot give is drawn again from the others."""
    counts = np.zeros(len(shares), dtype=np.intp)
    missing = n_samples
    while missing > 0:
        open_shares = np.where(counts < available, shares, 0.0)
        counts += rng.multinomial(missing, open_shares / open_shares.sum())
        counts = np.minimum(counts, available)
        missing = n_samples - int(counts.sum())
    return counts


def _inside(
    members: np.ndarray, count: int, weights: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    rows = rng.permutation(np.flatnonzero(members))
    if weights is None or count == 0:
        return rows[:count]
    chance = _inclusion(weights[rows], count)
    # Systematic sampling along a random order: fixed size, the given inclusion probabilities.
    ticks = np.floor(np.cumsum(chance) + rng.random() - 1e-12)
    picked = np.diff(np.concatenate([[0.0], ticks])) > 0
    chosen = rows[picked]
    if len(chosen) < count:  # the last tick fell behind the end
        chosen = np.concatenate([chosen, rows[~picked][: count - len(chosen)]])
    return np.asarray(chosen[:count])


def _inclusion(weights: np.ndarray, count: int) -> np.ndarray:
    """Inclusion probabilities proportional to weights, none above 1."""
    if count >= len(weights):
        return np.ones(len(weights))
    chance = np.zeros(len(weights))
    certain = np.zeros(len(weights), dtype=bool)
    while True:
        rest = np.where(certain, 0.0, np.maximum(weights, 1e-300))
        chance = np.where(certain, 1.0, (count - certain.sum()) * rest / rest.sum())
        over = (chance > 1.0) & ~certain
        if not over.any():
            return np.asarray(chance)
        certain |= over


def optimal_counts(source: Source, target: float, n_samples: int) -> Draw:
    """Choose the counts that reach the target and are closest to the population.

    "Closest" is the smallest G statistic against the population's shares, the most that an attacker
    who picks rows freely can do against tests on the cells. The search starts from the rounded
    projection and exchanges single rows between cells until no exchange helps.

    Raises
    ------
    InputError
        If no table of that size reaches the target.
    """
    population = source.counts / source.n_rows
    start = n_samples * entropic_shares(source, target).shares
    counts = np.minimum(np.floor(start), source.counts).astype(np.intp)
    order = np.argsort(-(start - counts), kind="stable")
    for cell in np.resize(order, 10 * len(order)):
        if counts.sum() == n_samples:
            break
        counts[cell] += int(counts[cell] < source.counts[cell])
    best = _descend(counts, source.counts, population, target)
    if best is None:
        raise InputError(
            f"n_samples: no sample of {n_samples} distinct rows reaches a ratio of {target:g}. "
            "Take fewer rows or a lower target."
        )
    kl = float(rel_entr(best / n_samples, population).sum())
    return Draw(best / n_samples, kl, "KL (nats)", counts=best)


def _descend(
    counts: np.ndarray, available: np.ndarray, population: np.ndarray, target: float
) -> np.ndarray | None:
    """Exchange single rows between cells: first up to the target, then down in divergence."""
    n_cells, total = len(counts), int(counts.sum())
    pairs = np.array([(i, j) for i in range(n_cells) for j in range(n_cells) if i != j])
    changes = np.eye(n_cells, dtype=np.intp)[pairs[:, 1]]
    changes -= np.eye(n_cells, dtype=np.intp)[pairs[:, 0]]

    def judge(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rates = tables.reshape(len(tables), -1, 2)
        sizes = rates.sum(axis=2)
        share = np.where(sizes > 0, rates[:, :, 1] / np.maximum(sizes, 1), 0.0)
        top = share.max(axis=1)
        ratio = np.divide(share.min(axis=1), top, out=np.zeros(len(tables)), where=top > 0)
        kl = rel_entr(tables / total, population).sum(axis=1)
        return ratio, kl

    ratio, kl = judge(counts[None])
    for _ in range(20 * total):
        trials = counts + changes
        trials = trials[((trials >= 0) & (trials <= available)).all(axis=1)]
        ratios, kls = judge(trials)
        if ratio[0] < target:
            gain = (np.minimum(ratios, target) - ratio) / np.maximum(kls - kl, 1e-12)
            gain[ratios <= ratio] = -np.inf
        else:
            gain = np.where(ratios >= target, kl - kls, -np.inf)
            gain[gain <= 1e-15] = -np.inf
        if not len(gain) or not np.isfinite(gain.max()):
            break
        counts = trials[int(np.argmax(gain))]
        ratio, kl = judge(counts[None])
    return counts if ratio[0] >= target else None
