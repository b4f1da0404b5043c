"""Tests for categories, from counts of cells.

Everything here is a function of two vectors of counts: the statistic, and its null distribution,
whose resampled counts are multivariate hypergeometric (rows are not touched).

Numbers are compared as categories only where that is meant: a column with few distinct values is
taken as it is, any other needs an explicit choice of `bins`. The value then depends on the bins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from shiftlab._core.random import RandomState, as_generator
from shiftlab.divergence._count_measures import (
    chi_square,
    cramer_v,
    explained_entropy,
    hellinger,
    kl,
    kl_effect,
    likelihood_ratio,
    total_variation,
)
from shiftlab.divergence._counts import CellCounts, read_counts
from shiftlab.divergence._permutation import (
    Measure,
    Resampling,
    as_resampling,
    null_from_counts,
    report,
)
from shiftlab.divergence._results import TwoSampleResult
from shiftlab.exceptions import InputError

__all__ = ["chi_square_test", "g_test", "hellinger_test", "kl_test", "total_variation_test"]


def kl_test(
    x: Any,
    y: Any,
    *,
    bins: int | None = None,
    form: str = "rows",
    pseudocount: float = 0.5,
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Kullback-Leibler divergence between the cell frequencies of two samples, in nats.

    .. math:: KL = \sum_k p_k \ln (p_k / q_k), \qquad
              p_k = \frac{x_k + c}{n_x + c K}, \quad q_k = \frac{y_k + c}{n_y + c K}

    Not symmetric: x is compared with y.

    Parameters
    ----------
    x, y : table, array of labels, or counts
        Several columns are compared jointly, by the cells of their combinations.
    bins : int, optional
        Cut numeric columns into this many intervals of about equal pooled frequency. Needed for
        columns with more than 50 distinct numbers.
    form : {"rows", "counts"}, default "rows"
        "counts": x and y are numbers of rows per cell, as equally long arrays or as mappings from
        label to count.
    pseudocount : float, default 0.5
        Added to each cell (c above), since a cell that only x has would make the divergence
        infinite. 0 gives the plain plug-in value.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is sqrt(1 - exp(-KL)), which lies between 0 and 1 and bounds the total variation.

    Raises
    ------
    InputError
        If columns differ, cells are missing, or continuous numbers come without `bins`.
    DegenerateDataError
        If there is one cell only, or fewer than two rows.

    References
    ----------
    Bretagnolle and Huber (1979), Estimation des densités: risque minimax (the bound).

    Examples
    --------
    >>> from shiftlab.divergence import kl_test
    >>> result = kl_test([50, 50], [25, 75], form="counts", pseudocount=0, random_state=0)
    >>> round(result.statistic, 4)  # 0.5 ln 2 + 0.5 ln (2 / 3)
    0.1438
    """
    if not isinstance(pseudocount, (int, float)) or not 0 <= pseudocount < np.inf:
        raise InputError(f"pseudocount must be a finite number >= 0, found {pseudocount!r}.")
    statistic = partial(kl, pseudocount=float(pseudocount))
    return _count_test(
        _Kind("Kullback-Leibler divergence", statistic, kl_effect, "sqrt(1 - exp(-KL)), 0 to 1"),
        (x, y, bins, form),
        n_resamples,
        random_state,
    )


def total_variation_test(
    x: Any,
    y: Any,
    *,
    bins: int | None = None,
    form: str = "rows",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Total variation distance between the cell frequencies of two samples.

    .. math:: TV = \tfrac12 \sum_k |x_k / n_x - y_k / n_y|

    Parameters
    ----------
    x, y : table, array of labels, or counts
        Several columns are compared jointly, by the cells of their combinations.
    bins : int, optional
        Cut numeric columns into this many intervals of about equal pooled frequency. Needed for
        columns with more than 50 distinct numbers.
    form : {"rows", "counts"}, default "rows"
        "counts": x and y are numbers of rows per cell, as equally long arrays or as mappings from
        label to count.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is the statistic itself: the share of rows that would have to change.

    Raises
    ------
    InputError
        If columns differ, cells are missing, or continuous numbers come without `bins`.
    DegenerateDataError
        If there is one cell only, or fewer than two rows.

    Examples
    --------
    >>> from shiftlab.divergence import total_variation_test
    >>> x, y = ["a"] * 30 + ["b"] * 10, ["a"] * 20 + ["b"] * 20
    >>> total_variation_test(x, y, random_state=0).statistic
    0.25
    """
    return _count_test(
        _Kind("total variation distance", total_variation, None, "share of mass moved, 0 to 1"),
        (x, y, bins, form),
        n_resamples,
        random_state,
    )


def hellinger_test(
    x: Any,
    y: Any,
    *,
    bins: int | None = None,
    form: str = "rows",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Hellinger distance between the cell frequencies of two samples.

    .. math:: H^2 = \tfrac12 \sum_k \left(\sqrt{x_k / n_x} - \sqrt{y_k / n_y}\right)^2

    Parameters
    ----------
    x, y : table, array of labels, or counts
        Several columns are compared jointly, by the cells of their combinations.
    bins : int, optional
        Cut numeric columns into this many intervals of about equal pooled frequency. Needed for
        columns with more than 50 distinct numbers.
    form : {"rows", "counts"}, default "rows"
        "counts": x and y are numbers of rows per cell, as equally long arrays or as mappings from
        label to count.
    n_resamples : int or Resampling, default 999
        0 for the value without a p-value.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is the statistic itself, between 0 and 1.

    Raises
    ------
    InputError
        If columns differ, cells are missing, or continuous numbers come without `bins`.
    DegenerateDataError
        If there is one cell only, or fewer than two rows.

    Examples
    --------
    >>> from shiftlab.divergence import hellinger_test
    >>> hellinger_test({"a": 5}, {"b": 7}, form="counts", random_state=0).statistic
    1.0
    """
    return _count_test(
        _Kind("Hellinger distance", hellinger, None, "Hellinger distance, 0 to 1"),
        (x, y, bins, form),
        n_resamples,
        random_state,
    )


def chi_square_test(
    x: Any,
    y: Any,
    *,
    bins: int | None = None,
    form: str = "rows",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Pearson's chi-square test that two samples have the same cell frequencies.

    .. math:: X^2 = \sum_{s \in \{x, y\}} \sum_k (s_k - e_{sk})^2 / e_{sk}, \qquad
              e_{sk} = n_s (x_k + y_k) / (n_x + n_y)

    For a sample drawn without replacement from the reference y (m of n rows), the expected counts
    are m y_k / n and the sum over x alone is multiplied by (n - 1) / (n - m), the
    finite-population correction.

    Parameters
    ----------
    x, y : table, array of labels, or counts
        Several columns are compared jointly, by the cells of their combinations.
    bins : int, optional
        Cut numeric columns into this many intervals of about equal pooled frequency. Needed for
        columns with more than 50 distinct numbers.
    form : {"rows", "counts"}, default "rows"
        "counts": x and y are numbers of rows per cell, as equally long arrays or as mappings from
        label to count.
    n_resamples : int or Resampling, default 999
        0 gives the asymptotic p-value (chi-square with K - 1 degrees of freedom).
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is Cramer's V, between 0 and 1.

    Raises
    ------
    InputError
        If columns differ, cells are missing, or continuous numbers come without `bins`.
    DegenerateDataError
        If there is one cell only, or fewer than two rows.

    Examples
    --------
    >>> from shiftlab.divergence import chi_square_test
    >>> result = chi_square_test([30, 10], [20, 20], form="counts", n_resamples=0)
    >>> round(result.statistic, 3), round(result.pvalue, 4), result.pvalue_method
    (5.333, 0.0209, 'asymptotic, chi-square with 1 degrees of freedom')
    """
    return _count_test(
        _Kind("Pearson chi-square", chi_square, cramer_v, "Cramer's V, 0 to 1", True),
        (x, y, bins, form),
        n_resamples,
        random_state,
    )


def g_test(
    x: Any,
    y: Any,
    *,
    bins: int | None = None,
    form: str = "rows",
    n_resamples: int | Resampling = 999,
    random_state: RandomState = None,
) -> TwoSampleResult:
    r"""Likelihood-ratio (G) test that two samples have the same cell frequencies.

    .. math:: G = 2 \sum_{s \in \{x, y\}} \sum_k s_k \ln (s_k / e_{sk}), \qquad
              e_{sk} = n_s (x_k + y_k) / (n_x + n_y)

    For a sample drawn without replacement from the reference y (m of n rows), the expected counts
    are m y_k / n and the sum over x alone is multiplied by (n - 1) / (n - m), the
    finite-population correction.

    Parameters
    ----------
    x, y : table, array of labels, or counts
        Several columns are compared jointly, by the cells of their combinations.
    bins : int, optional
        Cut numeric columns into this many intervals of about equal pooled frequency. Needed for
        columns with more than 50 distinct numbers.
    form : {"rows", "counts"}, default "rows"
        "counts": x and y are numbers of rows per cell, as equally long arrays or as mappings from
        label to count.
    n_resamples : int or Resampling, default 999
        0 gives the asymptotic p-value (chi-square with K - 1 degrees of freedom).
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    TwoSampleResult
        `effect` is the share of the entropy of the sample label that the cells explain, between 0
        and 1 (its square root would compare with Cramer's V).

    Raises
    ------
    InputError
        If columns differ, cells are missing, or continuous numbers come without `bins`.
    DegenerateDataError
        If there is one cell only, or fewer than two rows.

    Examples
    --------
    >>> from shiftlab.divergence import g_test
    >>> round(g_test([30, 10], [20, 20], form="counts", n_resamples=0).statistic, 3)
    5.412
    """
    return _count_test(
        _Kind(
            "likelihood-ratio G",
            likelihood_ratio,
            explained_entropy,
            "share of entropy, 0 to 1",
            True,
        ),
        (x, y, bins, form),
        n_resamples,
        random_state,
    )


@dataclass(frozen=True)
class _Kind:
    """A measure of two count vectors: how to compute, scale and name it."""

    name: str
    statistic: Callable[..., np.ndarray]
    effect: Callable[[float, int, int], float] | None
    effect_name: str
    is_chi_square: bool = False


def _count_test(
    kind: _Kind,
    data: tuple[Any, Any, int | None, str],
    n_resamples: int | Resampling,
    random_state: RandomState,
) -> TwoSampleResult:
    plan = as_resampling(n_resamples)
    cells = read_counts(*data, plan)
    statistic = kind.statistic
    if kind.is_chi_square and plan.from_reference:
        statistic = partial(kind.statistic, from_reference=True)
    observed = float(statistic(cells.x[None], cells.y[None])[0])
    plain = float(kind.statistic(cells.x[None], cells.y[None])[0])
    measure = Measure(
        kind.name,
        observed,
        plain if kind.effect is None else kind.effect(plain, cells.n_x, cells.n_y),
        kind.effect_name,
        cells.n_x,
        cells.n_y,
        cells.notes,
        _chi_square_pvalue(observed, cells, plan) if kind.is_chi_square else None,
    )
    null = null_from_counts(statistic, cells.x, cells.y, plan, as_generator(random_state))
    return report(measure, null, plan)


def _chi_square_pvalue(value: float, cells: CellCounts, plan: Resampling) -> tuple[str, float]:
    from scipy.special import chdtrc

    occupied = cells.y if plan.from_reference else cells.x + cells.y
    freedom = int((occupied > 0).sum()) - 1
    pvalue = float(chdtrc(freedom, value)) if freedom else float(value == 0)
    return f"asymptotic, chi-square with {freedom} degrees of freedom", pvalue
