"""Coalitions for KernelSHAP, and the constrained regression as one linear operator.

Small and large coalitions, which carry most weight, are enumerated; the rest is drawn in
complementary pairs with sizes in proportion to their weight. Because the coalitions are the same
for all rows of a block, the constrained least squares is factored once.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

__all__ = ["CoalitionRegression", "make_coalitions", "make_operator"]

#: Rows solved at once: their values stay in the cache.
CHUNK = 64


@dataclass(frozen=True)
class CoalitionRegression:
    """The operator from values of coalitions to Shapley values.

    Attributes
    ----------
    masks : ndarray of bool, shape (m, d)
        Who is in each coalition; neither nobody nor everybody.
    weights : ndarray of shape (m,)
        Kernel weights, summing to one.
    operator : ndarray of shape (d, m)
        Applied to values of coalitions minus the base value.
    share : ndarray of shape (d,)
        How the rest of ``prediction - base`` is divided so that values add up exactly.
    n_sampled : int
        The last coalitions that were drawn, in complementary pairs; 0 if all are there.
    """

    masks: np.ndarray
    weights: np.ndarray
    operator: np.ndarray
    share: np.ndarray
    n_sampled: int

    def solve(
        self, values: np.ndarray, base: float, prediction: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return Shapley values, their Monte-Carlo variance, and R2 of the additive fit.

        Parameters
        ----------
        values : ndarray of shape (n, m)
            Value of each coalition at each row.
        base : float
            Value of nobody.
        prediction : ndarray of shape (n,)
            Value of everybody.
        """
        parts = [
            self._solve(values[i : i + CHUNK], base, prediction[i : i + CHUNK])
            for i in range(0, len(values), CHUNK)
        ]
        phi, variance, score = (np.concatenate(part) for part in zip(*parts, strict=True))
        return phi, variance, score

    def _solve(
        self, values: np.ndarray, base: float, prediction: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        above = values - base
        gain = prediction - base
        phi = above @ self.operator.T
        phi += (gain - phi.sum(axis=1))[:, None] * self.share
        error = above - phi @ self.masks.T
        mean = above @ self.weights
        spread = (above - mean[:, None]) ** 2 @ self.weights
        residual = error**2 @ self.weights
        safe = np.where(spread > 1e-24, spread, 1.0)
        score = np.where(spread > 1e-24, 1 - residual / safe, 1.0)
        return phi, self._variance(error), score

    def _variance(self, error: np.ndarray) -> np.ndarray:
        if self.n_sampled == 0:
            return np.zeros((len(error), len(self.share)))
        operator = self.operator - self.share[:, None] * self.operator.sum(axis=0)
        first, second = slice(-self.n_sampled, None, 2), slice(1 - self.n_sampled, None, 2)
        a, b = operator[:, first], operator[:, second]
        ea, eb = error[:, first], error[:, second]
        variance = ea**2 @ (a**2).T + eb**2 @ (b**2).T + 2 * (ea * eb) @ (a * b).T
        return np.asarray(np.maximum(variance, 0.0))


def make_coalitions(
    d: int, n_coalitions: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return masks, kernel weights and how many of the coalitions were drawn."""
    size_weight = {s: (d - 1) / (s * (d - s)) for s in range(1, d)}
    masks, weights, budget = [], [], n_coalitions
    open_sizes = list(range(1, d // 2 + 1))
    while open_sizes and _count(d, open_sizes[0]) <= budget:
        s = open_sizes.pop(0)
        complete = _all_of_size(d, s)
        if 2 * s != d:
            complete = np.concatenate([complete, ~complete])
        masks.append(complete)
        share = size_weight[s] if 2 * s == d else 2 * size_weight[s]
        weights.append(np.full(len(complete), share / len(complete)))
        budget -= len(complete)
    n_pairs = budget // 2
    if open_sizes and n_pairs:
        drawn, drawn_weights = _draw_pairs(d, open_sizes, size_weight, n_pairs, rng)
        masks.append(drawn)
        weights.append(drawn_weights)
    n_sampled = len(masks[-1]) if open_sizes and n_pairs else 0
    all_weights = np.concatenate(weights)
    return np.concatenate(masks), all_weights / all_weights.sum(), n_sampled


def _count(d: int, s: int) -> int:
    return comb(d, s) if 2 * s == d else 2 * comb(d, s)


def _all_of_size(d: int, s: int) -> np.ndarray:
    members = np.array(list(combinations(range(d), s)))
    masks = np.zeros((len(members), d), dtype=bool)
    np.put_along_axis(masks, members, True, axis=1)
    return masks


def _draw_pairs(
    d: int,
    sizes: list[int],
    size_weight: dict[int, float],
    n_pairs: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw coalitions, each followed by its complement, sizes in proportion to their weight."""
    shares = np.array([size_weight[s] * (1 if 2 * s == d else 2) for s in sizes])
    expected = n_pairs * shares / shares.sum()
    counts = np.floor(expected).astype(int)
    rest = expected - counts
    missing = n_pairs - counts.sum()
    if missing:
        counts[rng.choice(len(sizes), missing, replace=False, p=rest / rest.sum())] += 1
    order = np.argsort(rng.random((n_pairs, d)), axis=1)
    drawn_size = np.repeat(sizes, counts)
    members = np.empty((n_pairs, d), dtype=bool)
    np.put_along_axis(members, order, np.arange(d) < drawn_size[:, None], axis=1)
    masks = np.empty((2 * n_pairs, d), dtype=bool)
    masks[0::2], masks[1::2] = members, ~members
    # Sizes without a draw leave their weight to the others.
    weights = np.repeat(np.full(n_pairs, shares.sum() / (2 * n_pairs)), 2)
    return masks, weights


def make_operator(masks: np.ndarray, weights: np.ndarray, n_sampled: int) -> CoalitionRegression:
    """Factor the constrained weighted least squares."""
    d = masks.shape[1]
    design = masks.astype(np.float64)
    weighted = design * weights[:, None]
    gram = weighted.T @ design
    if np.linalg.matrix_rank(gram, hermitian=True) < d:
        operator = np.linalg.pinv(gram, hermitian=True) @ weighted.T
        towards = np.linalg.pinv(gram, hermitian=True) @ np.ones(d)
    else:
        operator = np.linalg.solve(gram, weighted.T)
        towards = np.linalg.solve(gram, np.ones(d))
    return CoalitionRegression(masks, weights, operator, towards / towards.sum(), n_sampled)
