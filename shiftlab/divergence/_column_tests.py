"""Exact and asymptotic p-values from counts of two groups.

The Kolmogorov-Smirnov null is the permutation null given the pooled counts, so ties need no
special care. Conditionally on the pooled counts, the counts of one group are independent binomials
given their sum; the probability that the running difference stays inside a band is therefore a
chain of masked convolutions, done for all environments together.
"""

import numpy as np

__all__ = ["chi_square_pvalues", "group_rare_cells", "ks_pvalues", "log_factorials"]

#: Beyond this multiple of the noise scale the p-value is below 1e-8 and a bound is reported.
FAR_TAIL = 3.2
MIN_EXPECTED = 5.0
BLOCK_CELLS = 2_000_000


def ks_pvalues(
    counts: np.ndarray, other: np.ndarray, log_factorial: np.ndarray | None = None
) -> np.ndarray:
    """p-value of the two-sample Kolmogorov-Smirnov distance over ordered cells.

    Parameters
    ----------
    counts, other : ndarray of int, shape (n_tests, n_cells)
        Counts of the two groups of each test.
    log_factorial : ndarray, optional
        Table of log k! up to the largest total; computed if not given.

    Returns
    -------
    ndarray of shape (n_tests,)
        P(distance >= observed) over all relabellings of the pooled rows. Values under about 1e-8
        are Hoeffding's upper bound. NaN where a group is empty.
    """
    n, m = counts.sum(axis=1), other.sum(axis=1)
    pvalues = np.ones(len(counts))
    pvalues[(n == 0) | (m == 0)] = np.nan
    testable = (n > 0) & (m > 0)
    if counts.shape[1] < 2 or not testable.any():
        return pvalues
    total = n + m
    pooled = counts + other
    safe = np.maximum(total, 1)
    deviation = np.abs(
        np.cumsum(counts, axis=1)[:, :-1] - np.cumsum(pooled, axis=1)[:, :-1] * (n / safe)[:, None]
    ).max(axis=1)
    scale = np.sqrt(np.maximum(n * (m / safe), 1e-300))
    far = testable & (deviation / scale > FAR_TAIL)
    pvalues[far] = _hoeffding_bound(pooled[far], n[far], deviation[far])
    near = np.flatnonzero(testable & ~far & (deviation > 1e-9))
    if log_factorial is None:
        log_factorial = log_factorials(int(total.max()))
    for block in _blocks(near, deviation):
        inside = _stay_probability(pooled[block], n[block], deviation[block], log_factorial)
        pvalues[block] = np.clip(1.0 - inside, 1e-12, 1.0)
    return pvalues


def log_factorials(n: int) -> np.ndarray:
    """Table of log 0!, ..., log n!."""
    table = np.zeros(n + 1)
    np.cumsum(np.log(np.arange(1, n + 1)), out=table[1:])
    return table


def _blocks(tests: np.ndarray, deviation: np.ndarray) -> list[np.ndarray]:
    """Group tests whose bands have nearly the same width, at most BLOCK_CELLS states together."""
    if len(tests) == 0:
        return []
    order = tests[np.argsort(deviation[tests], kind="stable")]
    classes = np.ceil(2 * np.log2(deviation[order] + 1)).astype(int)
    blocks = []
    for value in np.unique(classes):
        members = order[classes == value]
        size = max(1, int(BLOCK_CELLS / (8 * (deviation[members].max() + 2))))
        blocks += [members[i : i + size] for i in range(0, len(members), size)]
    return blocks


def _stay_probability(
    pooled: np.ndarray, n: np.ndarray, deviation: np.ndarray, log_factorial: np.ndarray
) -> np.ndarray:
    """Probability that |running count - expected| stays strictly below `deviation`."""
    from numpy.fft import irfft, rfft
    from scipy.fft import next_fast_len

    n_tests, n_cells = pooled.shape
    total = pooled.sum(axis=1)
    share = (n / total)[:, None]
    half = int(np.ceil(deviation.max())) + 1
    states, steps = np.arange(-half, half + 1), np.arange(-2 * half, 2 * half + 1)
    length = next_fast_len(6 * half + 2, real=True)
    weight = np.zeros((n_tests, len(states)))
    weight[:, half] = 1.0
    expected = np.cumsum(pooled, axis=1) * share
    centre = np.rint(expected).astype(np.int64)
    before = np.zeros(n_tests, dtype=np.int64)
    limit = (deviation * (1 - 1e-12) - 1e-9)[:, None]
    for j in range(n_cells):
        drawn = (centre[:, j] - before)[:, None] + steps
        kernel = _binomial(pooled[:, j : j + 1], drawn, share, log_factorial)
        spectrum = rfft(weight, length, axis=1) * rfft(kernel, length, axis=1)
        weight = irfft(spectrum, length, axis=1)[:, 2 * half : 4 * half + 1]
        offset = (centre[:, j] - expected[:, j])[:, None] + states
        if j < n_cells - 1:
            weight = np.where(np.abs(offset) < limit, np.maximum(weight, 0.0), 0.0)
        before = centre[:, j]
    complete = _binomial(total[:, None], n[:, None], share, log_factorial)[:, 0]
    return weight[:, half] / complete


def _binomial(
    size: np.ndarray, k: np.ndarray, share: np.ndarray, log_factorial: np.ndarray
) -> np.ndarray:
    possible = (k >= 0) & (k <= size)
    k = np.where(possible, k, 0)
    log_pmf = log_factorial[size] - log_factorial[k] - log_factorial[size - k]
    log_pmf = log_pmf + k * np.log(share) + (size - k) * np.log1p(-share)
    return np.where(possible, np.exp(log_pmf), 0.0)


def _hoeffding_bound(pooled: np.ndarray, n: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Sum over the cuts of exp(-n KL), valid for draws without replacement (Hoeffding 1963)."""
    total = pooled.sum(axis=1)
    below = np.cumsum(pooled, axis=1)[:, :-1] / total[:, None]
    # The smaller group gives the sharper bound; the deviation in rows is the same for both.
    size = np.minimum(n, total - n)[:, None]
    gap = deviation[:, None] / size
    bound = np.exp(-size * _relative_entropy(below + gap, below))
    bound += np.exp(-size * _relative_entropy(below - gap, below))
    return np.clip(bound.sum(axis=1), 1e-300, 1.0)


def _relative_entropy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.special import rel_entr

    possible = (a >= 0) & (a <= 1) & (b > 0) & (b < 1)
    a, b = np.where(possible, a, 0.5), np.where(possible, b, 0.5)
    return np.where(possible, rel_entr(a, b) + rel_entr(1 - a, 1 - b), np.inf)


def chi_square_pvalues(
    counts: np.ndarray, other: np.ndarray, log_factorial: np.ndarray | None = None
) -> np.ndarray:
    """p-value of Pearson's test over unordered cells, rare cells grouped before.

    Two cells are compared by the exact permutation null instead of chi-square.

    Parameters
    ----------
    counts, other : ndarray of int, shape (n_tests, n_cells)
        Counts of the two groups of each test, from `group_rare_cells`.
    log_factorial : ndarray, optional
        Table of log k!; see `ks_pvalues`.

    Returns
    -------
    ndarray of shape (n_tests,)
        NaN where a group is empty.
    """
    from scipy.special import chdtrc

    n, m = counts.sum(axis=1), other.sum(axis=1)
    pooled = counts + other
    filled = (pooled > 0).sum(axis=1)
    pvalues = np.full(len(counts), np.nan)
    exact = np.flatnonzero((filled <= 2) & (n > 0) & (m > 0))
    if len(exact):
        # One filled cell against the others is the whole table.
        first = np.argmax(pooled[exact] > 0, axis=1)
        a, b = counts[exact, first], other[exact, first]
        pair = np.stack([a, n[exact] - a], axis=1), np.stack([b, m[exact] - b], axis=1)
        pvalues[exact] = ks_pvalues(*pair, log_factorial)
    many = (filled > 2) & (n > 0) & (m > 0)
    total = (n + m)[many, None]
    expected = pooled[many] * (n[many, None] / total)
    squares = (counts[many] - expected) ** 2 / np.where(expected > 0, expected, 1.0)
    statistic = squares.sum(axis=1) * total[:, 0] / m[many]
    pvalues[many] = np.maximum(chdtrc(filled[many] - 1, statistic), 1e-300)
    return pvalues


def group_rare_cells(counts: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group cells until each expects `MIN_EXPECTED` rows in the smaller of the two samples.

    Cells are taken from the most to the least frequent, so the grouping depends on the pooled
    counts only. If a single group would remain, the most frequent cell is set against the rest.

    Parameters
    ----------
    counts, other : ndarray of int, shape (n_tests, n_cells)
        Counts of the two groups of each test.

    Returns
    -------
    counts, other : ndarray of int, shape (n_tests, n_groups)
        Filled up with zeros to the largest number of groups.
    """
    pooled = counts + other
    smaller = np.minimum(counts.sum(axis=1), other.sum(axis=1))
    groups = [_group(row, int(n)) for row, n in zip(pooled, smaller, strict=True)]
    width = max((int(group.max(initial=0)) + 1 for group in groups), default=1)
    grouped = np.zeros((2, len(counts), width), dtype=np.int64)
    for test, group in enumerate(groups):
        grouped[0, test] = np.bincount(group, weights=counts[test], minlength=width)
        grouped[1, test] = np.bincount(group, weights=other[test], minlength=width)
    return grouped[0], grouped[1]


def _group(pooled: np.ndarray, smaller: int) -> np.ndarray:
    """Group of each cell."""
    order = np.argsort(-pooled, kind="stable")
    expected = pooled[order] * (smaller / max(pooled.sum(), 1))
    n_frequent = int((expected >= MIN_EXPECTED).sum())
    group = np.arange(len(order))
    filled = np.cumsum(expected[n_frequent:])
    start, label = 0, n_frequent
    while start < len(filled):
        base = filled[start - 1] if start else 0.0
        end = int(np.searchsorted(filled, base + MIN_EXPECTED)) + 1
        complete = end <= len(filled)
        # What is left over at the end joins the last group.
        label = label if complete or label == 0 else label - 1
        group[n_frequent + start : n_frequent + end] = label
        start, label = end, label + 1
    if group.max(initial=0) == 0:
        group = np.minimum(np.arange(len(order)), 1)
    result = np.empty(len(order), dtype=np.intp)
    result[order] = group
    return result
