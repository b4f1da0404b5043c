r"""The null distribution of a two-sample statistic, by permutation or by subsampling.

Two null hypotheses are offered.

independent
    Both samples are drawn from one distribution. Given the pooled rows, every split into n_x and
    n_y rows is equally likely, so the labels are permuted.
without_replacement
    The n_x rows of x are drawn without replacement from the n_y rows of y, a complete reference
    table. Every subset of n_x reference rows is equally likely, so such subsets are drawn and
    compared with the whole reference. Counts of cells are then multivariate hypergeometric:

    .. math:: P(h) = \prod_k \binom{c_k}{h_k} \Big/ \binom{n_y}{n_x}, \qquad
              \mathrm{Var}\, h_k = n_x \pi_k (1 - \pi_k) \frac{n_y - n_x}{n_y - 1}

    with c_k the reference counts and pi_k = c_k / n_y; the last factor is the finite-population
    correction.

Either way the p-value is (1 + #{T_b >= T}) / (B + 1), which never rejects too often whatever the
number B of resamples (Davison and Hinkley 1997; Phipson and Smyth 2010).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from shiftlab._core.validation import check_integer, check_option
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.exceptions import InputError

__all__ = [
    "Measure",
    "Resampling",
    "as_resampling",
    "check_sizes",
    "count_draws",
    "label_draws",
    "monte_carlo_pvalues",
    "null_from_counts",
    "null_from_labels",
    "report",
]

SAMPLING = ("independent", "without_replacement")
#: Cells of one block of resamples: small enough for the processor's cache.
BLOCK_CELLS = 2**18
#: From this many rows on, drawing a subset per resample is faster than shuffling rows of labels.
SUBSET_ROWS = 1000
#: Statistics closer than this share of their scale count as tied: the order of a sum decides the
#: last digits.
TIE_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Resampling:
    """How the null distribution is simulated.

    Wherever a test takes `n_resamples`, it takes such an object as well.

    Attributes
    ----------
    n_resamples : int, default 999
        Number of resamples; 0 asks for the asymptotic p-value where there is one, and for none
        elsewhere.
    sampling : {"independent", "without_replacement"}, default "independent"
        "independent" permutes the pooled rows. "without_replacement" takes y as a complete table
        from which the rows of x claim to be drawn without replacement.

    Examples
    --------
    >>> from shiftlab.divergence import Resampling, ks_test
    >>> plan = Resampling(199, sampling="without_replacement")
    >>> ks_test([1, 2, 3], [1, 2, 3, 4, 5, 6], n_resamples=plan, random_state=0).pvalue_method
    'subsamples of the reference, 199 resamples'
    """

    n_resamples: int = 999
    sampling: str = "independent"

    @property
    def from_reference(self) -> bool:
        """Whether the resamples are drawn from y alone."""
        return self.sampling == "without_replacement"


@dataclass(frozen=True)
class Measure:
    """The observed value of a measure, before any p-value.

    Attributes
    ----------
    method, statistic, effect, effect_name, n_x, n_y, notes
        As in `TwoSampleResult`.
    asymptotic : tuple of (str, float), optional
        Name and value of the p-value that needs no resamples.
    """

    method: str
    statistic: float
    effect: float
    effect_name: str
    n_x: int
    n_y: int
    notes: tuple[str, ...] = ()
    asymptotic: tuple[str, float] | None = None


def as_resampling(n_resamples: int | Resampling) -> Resampling:
    """Check the number of resamples, or the object that carries it."""
    plan = n_resamples if isinstance(n_resamples, Resampling) else Resampling(n_resamples)
    check_integer(plan.n_resamples, "n_resamples", minimum=0)
    check_option(plan.sampling, SAMPLING, "sampling")
    return plan


def check_sizes(n_x: int, n_y: int, plan: Resampling) -> None:
    """Refuse a "sample without replacement" that is as large as its reference."""
    if plan.from_reference and n_x >= n_y:
        raise InputError(
            f"sampling='without_replacement' needs fewer rows in x than in y, found {n_x} and "
            f"{n_y}: x is the sample and y the complete table from which it claims to be drawn."
        )


def label_draws(
    n_pool: int, n_selected: int, n_resamples: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw subsets of the pool in blocks.

    The stream of random numbers is used row after row, so the draws do not depend on how they are
    cut into blocks.

    Yields
    ------
    ndarray of uint8, shape (block, n_pool)
        1 where the row belongs to the first sample, `n_selected` ones in each row.
    """
    width = max(1, BLOCK_CELLS // n_pool)
    for done in range(0, n_resamples, width):
        size = min(width, n_resamples - done)
        draw = _draw_subsets if n_pool >= SUBSET_ROWS else _shuffle_labels
        yield draw(n_pool, n_selected, size, rng)


def count_draws(
    counts: np.ndarray, n_selected: int, n_resamples: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw the cell counts of subsets of the pool in blocks, without touching rows where possible.

    Few cells are drawn from their exact law, the multivariate hypergeometric distribution; when
    most rows have a cell of their own, labels are permuted and summed per cell.

    Yields
    ------
    ndarray of int64, shape (block, n_cells)
    """
    n_pool = int(counts.sum())
    if 4 * len(counts) <= n_pool:
        width = max(1, BLOCK_CELLS // len(counts))
        for done in range(0, n_resamples, width):
            size = min(width, n_resamples - done)
            yield rng.multivariate_hypergeometric(counts, n_selected, size=size, method="marginals")
        return
    present = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[present])[:-1]])
    for labels in label_draws(n_pool, n_selected, n_resamples, rng):
        drawn = np.zeros((len(labels), len(counts)), dtype=np.int64)
        drawn[:, present] = np.add.reduceat(labels, starts, axis=1, dtype=np.int64)
        yield drawn


def _draw_subsets(n_pool: int, n_selected: int, size: int, rng: np.random.Generator) -> np.ndarray:
    labels = np.zeros((size, n_pool), dtype=np.uint8)
    for row in labels:
        row[rng.choice(n_pool, n_selected, replace=False, shuffle=False)] = 1
    return labels


def _shuffle_labels(
    n_pool: int, n_selected: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    # Words of eight bytes are swapped faster than single bytes.
    labels = np.zeros((size, n_pool), dtype=np.int64)
    labels[:, :n_selected] = 1
    return rng.permuted(labels, axis=1, out=labels).astype(np.uint8)


def null_from_labels(
    statistic: Callable[[np.ndarray], np.ndarray],
    n_pool: int,
    n_selected: int,
    plan: Resampling,
    rng: np.random.Generator,
) -> np.ndarray:
    """Evaluate a statistic of label blocks on every resample."""
    blocks = label_draws(n_pool, n_selected, plan.n_resamples, rng)
    return np.concatenate([np.empty(0), *(statistic(block) for block in blocks)])


def null_from_counts(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
    counts_x: np.ndarray,
    counts_y: np.ndarray,
    plan: Resampling,
    rng: np.random.Generator,
) -> np.ndarray:
    """Evaluate a statistic of two blocks of cell counts on every resample."""
    pool = counts_y if plan.from_reference else counts_x + counts_y
    null = [np.empty(0)]
    for first in count_draws(pool, int(counts_x.sum()), plan.n_resamples, rng):
        second = np.broadcast_to(pool, first.shape) if plan.from_reference else pool - first
        null.append(statistic(first, second))
    return np.concatenate(null)


def monte_carlo_pvalues(statistic: float, null: np.ndarray) -> tuple[float, float]:
    """Return the Monte-Carlo p-value and its mid-p variant.

    Returns
    -------
    pvalue : float
        (1 + #{T_b >= T}) / (B + 1).
    pvalue_mid : float
        (1 + #{T_b > T} + #{T_b = T} / 2) / (B + 1).
    """
    finite = np.abs(null[np.isfinite(null)])
    scale = max(finite.max(initial=0.0), abs(statistic) if np.isfinite(statistic) else 0.0)
    tolerance = TIE_TOLERANCE * scale
    at_least = int((null >= statistic - tolerance).sum())
    above = int((null > statistic + tolerance).sum())
    size = len(null) + 1
    return (1 + at_least) / size, (1 + (above + at_least) / 2) / size


def report(measure: Measure, null: np.ndarray, plan: Resampling) -> TwoSampleResult:
    """Join the observed measure and its null distribution into the result."""
    result = TwoSampleResult(
        method=measure.method,
        statistic=float(measure.statistic),
        effect=float(measure.effect),
        effect_name=measure.effect_name,
        pvalue=None,
        pvalue_method="not computed",
        pvalue_mid=None,
        null_quantile=None,
        n_x=measure.n_x,
        n_y=measure.n_y,
        sampling=plan.sampling,
        notes=measure.notes,
        null_distribution=null,
    )
    if not len(null):
        if measure.asymptotic is None:
            return result
        name, pvalue = measure.asymptotic
        return replace(result, pvalue=float(pvalue), pvalue_method=name, pvalue_mid=float(pvalue))
    pvalue, pvalue_mid = monte_carlo_pvalues(measure.statistic, null)
    kind = "subsamples of the reference" if plan.from_reference else "permutation"
    return replace(
        result,
        pvalue=pvalue,
        pvalue_mid=pvalue_mid,
        pvalue_method=f"{kind}, {len(null)} resamples",
        null_quantile=float(np.quantile(null, 0.95, method="higher")),
    )
